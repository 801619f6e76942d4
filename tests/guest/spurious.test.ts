/** Property 17: a page fault that finds the tables in order flushes and returns. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { builtImages, casesOf, MODES, quoted, runGuest, testCommandLine } from "./guest";
import { runWithHelp } from "./spurious";

const test = suite("guest/spurious");
const built = await builtImages();

for (const mode of MODES) {
  test(`P17 a spurious fault flushes and returns, fork=${mode}`, () => {
    const cases = casesOf(runWithHelp(built, mode));
    assert.is(cases.length, 1);
    for (const { ok, name, notes } of cases) assert.ok(ok, `${name}\n${quoted(notes.join("\n"))}`);
  });
  test(`without the host's help the guest's test does fail, fork=${mode}`, () => {
    const { output } = runGuest(built, { commandLine: testCommandLine(mode, "spurious", "host") });
    assert.match(output, /^not ok 1 - P17/m);
  });
}

test.run();
