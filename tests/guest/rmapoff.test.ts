/**
 * rmap=off: guest tests, case by case, without a reverse map. No chain block is ever used and every
 * Page.rmap is 0, which the auditor sees (I4), and a file that is cut off still goes from every mapping.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AuditWatch } from "../../tools/audit/watch";
import { swapDisk } from "../../tools/disk/swaparea";
import { kernelLayout } from "../../tools/image/layout";
import { builtImages, guestTests, MODES, machineFor, runGuest, testCommandLine } from "./guest";

const SETTINGS = "rmap=off";
/** Every so many returns to user mode. */
const AUDIT_EVERY = 23;

const built = await builtImages();
const test = suite("guest/rmapoff");

for (const mode of MODES) {
  test(`fork=${mode}: nothing is kept of who maps what`, () => {
    const commandLine = `fork=${mode} ${SETTINGS} -- /bin/sh -c "forkdemo 4; cat /proc/cmdline /proc/vmstat"`;
    const { output } = runGuest(built, { commandLine });
    assert.match(output, /^fork=.* rmap=off /m);
    assert.match(output, /^forkdemo 4 MB: frames \d+ rmap 0 /m);
    for (const name of ["rmap_added", "rmap_removed", "rmap_chain_bytes", "allocated_chain"]) {
      assert.match(output, new RegExp(`^${name} 0$`, "m"));
    }
  });

  for (const program of ["fork", "filemap"]) {
    test(`fork=${mode}: audits of ${program} find nothing`, () => {
      const { machine } = machineFor(built, { commandLine: testCommandLine(mode, program, "", true, SETTINGS) });
      const layout = kernelLayout(built.kernel);
      assert.ok(layout);
      const watch = new AuditWatch(machine, layout as NonNullable<typeof layout>, AUDIT_EVERY);
      assert.equal(machine.run({ maxInstructions: 4e9 }), { reason: "exit", value: 0 });
      assert.equal(watch.report(), []);
      assert.ok(watch.audits > 10);
    });
  }
}

test("swap is refused", () => {
  const commandLine = `swap=on ${SETTINGS} -- /bin/true`;
  const { output, stop } = runGuest(built, { commandLine, disk: swapDisk(1) });
  assert.match(output, /^no swap: /m);
  assert.equal(stop, { reason: "exit", value: 0 });
});
test.run();

for (const program of ["fork", "fault", "unmap", "memory", "filemap", "remap"]) {
  await guestTests(program, { settings: SETTINGS });
}
