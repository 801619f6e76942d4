/** `--cpu`: our kernel refuses what it cannot run on with one line, and runs where there are 4 MB pages. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { tine } from "./tine";

const test = suite("cli/models");

test("on a 386 and a 486 our kernel says why it does not boot, and ends the run", () => {
  for (const model of ["386", "486"]) {
    const { status, stdout, stderr } = tine(["boot", "--cpu", model]);
    assert.is(stdout, "tine: this CPU has no 4 MB pages (CPUID.PSE), which the kernel needs\n", model);
    assert.is(status, 3, stderr);
  }
});

test("on a 586 and a 686 programs run", () => {
  for (const model of ["586", "686"]) {
    const { status, stdout, stderr } = tine(["run", "--cpu", model, "userland/bin/echo.ts", "model", model]);
    assert.is(stdout, `model ${model}\n`, stderr);
    assert.is(status, 0);
  }
});

test("another model is wrong usage", () => {
  for (const command of ["boot", "run", "test"]) {
    const { status, stderr } = tine([command, "--cpu", "8086"]);
    assert.is(status, 2, command);
    assert.match(stderr, /^tine: .*'8086' is invalid\. Allowed choices are 386, 486, 586, 686\.[^\n]*\n$/, command);
  }
});

test.run();
