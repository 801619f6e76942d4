/** userland/tests/spurious.ts in each mode, with the help of the host; and without it the P17 case does not pass. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { builtImages, casesOf, MODES, quoted, runGuest, testCommandLine } from "./guest";
import { runWithHelp } from "./spurious";

const test = suite("guest/spurious");
const built = await builtImages();

for (const mode of MODES) {
  for (const { name, ok, notes } of casesOf(runWithHelp(built, mode))) {
    test(`${name}, fork=${mode}`, () => assert.ok(ok, `the guest says:\n${quoted(notes.join("\n"))}`));
  }
}

test("without the host's help the fault is no spurious one", () => {
  const { output } = runGuest(built, { commandLine: testCommandLine("share", "spurious", "host") });
  assert.match(output, /^not ok 1 - P17/m);
});

test.run();
