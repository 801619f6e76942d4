/**
 * Processes that need several times the memory, on a swap disk that is late, loses interrupts and fails now and then: the kernel tries
 * again, they finish, and nothing is lost, in each mode. A disk that refuses for good is swapping.test.ts's.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { DiskFault } from "../../cpu/index";
import { builtImages, casesOf, MODES, quoted, runGuest, testCommandLine } from "./guest";
import { swappingOptions } from "./swapping";

const MEMORY_MB = 5;
/** Of so many sectors moved one is late, by so many cycles; of so many one loses its interrupt, and of so many one cannot be moved. */
const LATE_EVERY = 97;
const LATE_CYCLES = 400_000;
const LOST_EVERY = 1009;
const FAILS_EVERY = 331;
const TRANSFERS = 20_000;

const diskFaults: DiskFault[] = [];
for (let transfer = 1; transfer < TRANSFERS; transfer++) {
  if (transfer % LATE_EVERY === 0) diskFaults.push({ transfer, delayCycles: LATE_CYCLES });
  else if (transfer % LOST_EVERY === 0) diskFaults.push({ transfer, losesInterrupt: true });
  else if (transfer % FAILS_EVERY === 0) diskFaults.push({ transfer, fails: true });
}

const built = await builtImages();
const runs = MODES.map((mode) => {
  const commandLine = testCommandLine(mode, "pressure", "1 2", false, "swap=on");
  const options = swappingOptions({ memoryMB: MEMORY_MB, diskFaults });
  return { mode, cases: casesOf(runGuest(built, { ...options, commandLine })) };
});

for (const { mode, cases } of runs) {
  const test = suite(`guest/bad disk, fork=${mode}`);
  for (const { name, ok, notes } of cases) {
    test(name, () => assert.ok(ok, `the guest says:\n${quoted(notes.join("\n"))}`));
  }
  test.run();
}
