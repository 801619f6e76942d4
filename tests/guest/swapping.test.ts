/**
 * userland/tests/swapping.ts in each mode, case by case and audited: P20, P21, P35, P38 to P43, P46, and disks that refuse. And processes
 * that need several times the memory on a disk that is late, loses interrupts and refuses some writes: nothing is lost (P51's
 * kind of promise for disks).
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { DiskFault, Machine } from "../../cpu/index";
import { AuditWatch } from "../../tools/audit/watch";
import { type KernelLayout, kernelLayout } from "../../tools/image/layout";
import { builtImages, casesOf, type GuestOptions, MODES, type Mode, quoted, runGuest, testCommandLine } from "./guest";
import { swappingOptions } from "./swapping";

/** Returns to user mode from one audit to the next. */
const AUDIT_EVERY = 31;
/** Sectors that are late, one in so many, and by how many cycles; interrupts that are lost. */
const LATE_EVERY = 97;
const LATE_CYCLES = 400_000;
const LOST_EVERY = 1009;
const TRANSFERS = 20_000;

const built = await builtImages();
const layout = kernelLayout(built.kernel) as KernelLayout;

/** Runs a program on a machine with swap, audited. */
function run(mode: Mode, program: string, programArguments: string, options: Omit<GuestOptions, "commandLine">) {
  const watches: AuditWatch[] = [];
  const onMachine = (machine: Machine) => watches.push(new AuditWatch(machine, layout, AUDIT_EVERY));
  const commandLine = testCommandLine(mode, program, programArguments, false, "swap=on");
  const cases = casesOf(runGuest(built, { ...options, ...swappingOptions({ ...options, onMachine }), commandLine }));
  return { cases, audits: watches[0].audits, report: watches[0].report() };
}

const faults: DiskFault[] = [];
for (let transfer = 1; transfer < TRANSFERS; transfer++) {
  if (transfer % LATE_EVERY === 0) faults.push({ transfer, delayCycles: LATE_CYCLES });
  else if (transfer % LOST_EVERY === 0) faults.push({ transfer, losesInterrupt: true });
}

const runs = MODES.flatMap((mode) => [
  { name: `swapping fork=${mode}`, ...run(mode, "swapping", "", {}) },
  {
    name: `pressure on a bad disk, fork=${mode}`,
    ...run(mode, "pressure", "2 2", { memoryMB: 6, diskFaults: faults }),
  },
]);

for (const { name, cases, audits, report } of runs) {
  const test = suite(`guest/${name}`);
  for (const each of cases)
    test(each.name, () => assert.ok(each.ok, `the guest says:\n${quoted(each.notes.join("\n"))}`));
  test("the audit has found nothing", () => {
    assert.equal(report, []);
    assert.ok(audits > 100, `${audits} audits`);
  });
  test.run();
}
