/** Audits while a machine runs: nothing is found where nothing is wrong, kernels with a fault are caught at it, and the guest pays nothing. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AuditWatch } from "../../tools/audit/watch";
import { type GuestOptions, MODES, machineFor, testCommandLine } from "../guest/guest";
import { MUTANTS } from "../mutants/mutants";
import { keptMutatedKernel } from "../mutants/mutate";
import { built, layoutOf, must } from "./planted";

const test = suite("audit/watch");
const BUDGET = 4e8;

/** Runs with audits at every `every`-th return to user mode; 0 for none. */
function run(kernel: Uint8Array, options: GuestOptions, every: number) {
  const { machine, output } = machineFor({ ...built, kernel }, options);
  const watch = every > 0 ? new AuditWatch(machine, layoutOf(kernel), every) : undefined;
  const stop = machine.run({ maxInstructions: BUDGET });
  return { watch, stop, output: output(), instret: machine.instret, cycles: machine.cycles };
}

for (const mode of MODES) {
  test(`forkdemo is clean at every return to user mode, fork=${mode}, and costs the same as without`, () => {
    const options = { commandLine: `quiet fork=${mode} -- /bin/forkdemo 4`, memoryMB: 16 };
    const audited = run(built.kernel, options, 1);
    const { watch, ...rest } = audited;
    assert.equal(watch?.report(), []);
    assert.ok((watch?.audits ?? 0) > 500);
    const { watch: none, ...plain } = run(built.kernel, options, 0);
    assert.is(none, undefined);
    assert.equal(rest, plain);
  });
  for (const program of mode === "copy" ? ["fork", "rmap"] : ["fork", "fault", "unmap", "rmap"]) {
    test(`guest test ${program} is clean, fork=${mode}`, () => {
      const { watch } = run(built.kernel, { commandLine: testCommandLine(mode, program) }, 97);
      assert.equal(watch?.report(), []);
      assert.ok((watch?.audits ?? 0) > 10);
    });
  }
  for (const program of ["vfork", "clone", "clonecalls"]) {
    test(`guest test ${program} is clean at every return to user mode, fork=${mode}`, () => {
      const { watch } = run(built.kernel, { commandLine: testCommandLine(mode, program) }, 1);
      assert.equal(watch?.report(), []);
      assert.ok((watch?.audits ?? 0) > 300);
    });
  }
}

/** Faults of the kernel's sources, and what the audit says of each: invariant with process and slot, and what led there. */
const FAULTS = [
  [
    "fork leaves the pdes writable",
    /^I2 pid 1 \(init\) slot 32 frame 0x[0-9a-f]+: the pde has W = 1, expected 0: 2 users/m,
  ],
  ["fork does not flush the parent's TLB", /^I6 pid 1 \(init\) slot 767 frame 0x[0-9a-f]+: the TLB lets write/m],
  [
    "unshare keeps W in the table that is left",
    /^I2 pid 3 \(fault\) slot 767 .*\n(.*\n)*.*pid 2 unshares slot 767 \(write\)/m,
  ],
] as const;

for (const [fault, says] of FAULTS) {
  test(`reported: ${fault}`, async () => {
    const mutant = must(
      MUTANTS.find((one) => one.fault === fault),
      "fault of that name",
    );
    const kernel = await keptMutatedKernel(mutant, process.cwd());
    const { watch } = run(kernel, { commandLine: testCommandLine("share", mutant.program) }, 1);
    assert.match((watch?.report() ?? []).join("\n"), says);
    assert.ok((watch?.audits ?? 0) < 200, "at once, not at the end");
  });
}

test.run();
