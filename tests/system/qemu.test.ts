/**
 * The same image on QEMU prints the same lines and ends with the same status: forkdemo in both modes, and the guest
 * tests with shared tables. Skipped, visibly, where QEMU is not installed.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readTap } from "../../tools/lab/tap";
import { builtImages, MODES, quoted, runGuest } from "../guest/guest";
import { needCommand } from "../skip";

const QEMU = "qemu-system-i386";
/** QEMU's exit status for a write of v to port 0xF4. */
const exitStatusOf = (value: number) => (value << 1) | 1;

const test = suite("system/qemu");
const built = await builtImages();

/** Boots the images in dist/ on QEMU. */
function runQemu(commandLine: string, memoryMB: number): { output: string; status: number | null } {
  const { stdout, status } = spawnSync(
    QEMU,
    [
      ...["-m", String(memoryMB), "-kernel", join("dist", "kernel.elf"), "-initrd", join("dist", "initrd.tar")],
      ...["-append", commandLine, "-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
      ...["-serial", "stdio", "-display", "none", "-no-reboot"],
    ],
    { encoding: "latin1", timeout: 120_000, input: "" },
  );
  return { output: stdout.replaceAll("\r\n", "\n"), status };
}

/** Without what says how much memory the machine found: our loader and QEMU's do not place things alike. */
function programLines(output: string): string {
  return output.replace(/^tine: .*\n/gm, "");
}

for (const mode of MODES) {
  // Of fork=copy fewer sizes: the largest is the other mode's.
  const sizes = mode === "share" ? [4, 16, 64, 256] : [4, 16, 64];
  test(`forkdemo as process 1, fork=${mode}: the same lines and the same status`, () => {
    needCommand(QEMU);
    const commandLine = `fork=${mode} init=/bin/forkdemo${mode === "share" ? "" : ` -- ${sizes.join(" ")}`}`;
    const theirs = runQemu(commandLine, 512);
    const ours = runGuest(built, { commandLine, memoryMB: 512 });
    assert.is(programLines(theirs.output), programLines(ours.output));
    for (const size of sizes) {
      assert.match(
        ours.output,
        new RegExp(`^forkdemo ${size} MB: frames \\d+ rmap \\d+ copied \\d+ unshared \\d+ leaked 0$`, "m"),
      );
    }
    assert.equal(ours.stop, { reason: "exit", value: 0 });
    assert.is(theirs.status, exitStatusOf(0));
  });
}

for (const program of ["fork", "fault", "unmap", "rmap", "kernelwrite", "process", "signals", "files"]) {
  test(`guest tests on QEMU: ${program}`, () => {
    needCommand(QEMU);
    const { output, status } = runQemu(`fork=share poison=on -- /tests/${program}`, 64);
    const failed = readTap(output).filter(({ ok }) => !ok);
    assert.equal(failed, [], `\n${quoted(output)}`);
    assert.is(status, exitStatusOf(0));
  });
}

test("a program that fails ends the run with 2 on port 0xF4", () => {
  needCommand(QEMU);
  const commandLine = "fork=share -- /bin/false";
  assert.is(runQemu(commandLine, 64).status, exitStatusOf(2));
  assert.equal(runGuest(built, { commandLine }).stop, { reason: "exit", value: 2 });
});

test.run();
