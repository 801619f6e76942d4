/** userland/tests/swapping.ts in each mode, case by case and audited: P20, P21, P35, P38 to P43, P46, and disks that refuse. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Machine } from "../../cpu/index";
import { AuditWatch } from "../../tools/audit/watch";
import { type KernelLayout, kernelLayout } from "../../tools/image/layout";
import { builtImages, casesOf, MODES, type Mode, quoted, runGuest, testCommandLine } from "./guest";
import { swappingOptions } from "./swapping";

/** Returns to user mode from one audit to the next. */
const AUDIT_EVERY = 31;
const built = await builtImages();
const layout = kernelLayout(built.kernel) as KernelLayout;

/** Runs the program, audited. */
function run(mode: Mode) {
  const watches: AuditWatch[] = [];
  const onMachine = (machine: Machine) => watches.push(new AuditWatch(machine, layout, AUDIT_EVERY));
  const commandLine = testCommandLine(mode, "swapping", "", false, "swap=on");
  const cases = casesOf(runGuest(built, { ...swappingOptions({ onMachine }), commandLine }));
  return { cases, audits: watches[0].audits, report: watches[0].report() };
}

const runs = MODES.map((mode) => ({ mode, ...run(mode) }));

for (const { mode, cases, audits, report } of runs) {
  const test = suite(`guest/swapping fork=${mode}`);
  for (const each of cases)
    test(each.name, () => assert.ok(each.ok, `the guest says:\n${quoted(each.notes.join("\n"))}`));
  test("the audit has found nothing", () => {
    assert.equal(report, []);
    assert.ok(audits > 100, `${audits} audits`);
  });
  test.run();
}
