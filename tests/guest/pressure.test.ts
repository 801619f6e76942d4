/**
 * userland/tests/pressure.ts on a machine with a quarter of the memory that its processes need, in every mode, audited; where pages are
 * evicted at random as well; on QEMU; and without enough swap, where somebody must end.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { StopReason } from "../../cpu/index";
import { AuditWatch } from "../../tools/audit/watch";
import { swapDisk } from "../../tools/disk/swaparea";
import { kernelLayout } from "../../tools/image/layout";
import { needCommand } from "../skip";
import { builtImages, casesOf, MODES, type Mode, machineFor, quoted, testCommandLine } from "./guest";

const test = suite("guest/pressure");
const built = await builtImages();
const QEMU = "qemu-system-i386";
const MEMORY_MB = 6;
/** 2 MB that 6 children share at first, and 4 MB of each child's in the end: 26 MB. */
const NEED = "2 6";
const BUDGET = 2e9;

interface Run {
  output: string;
  failed: string[];
  findings: string[];
  stop: StopReason;
  audits: number;
}

function run(mode: Mode, need: string, settings: string, swapMB: number, auditEvery: number, poison = true): Run {
  const commandLine = testCommandLine(mode, "pressure", need, poison, `swap=on ${settings}`.trimEnd());
  const { machine, output } = machineFor(built, { commandLine, memoryMB: MEMORY_MB, disk: swapDisk(swapMB) });
  const layout = kernelLayout(built.kernel);
  assert.ok(layout);
  const watch = new AuditWatch(machine, layout, auditEvery);
  const stop = machine.run({ maxInstructions: BUDGET });
  const guestRun = { output: output(), stop, instret: machine.instret, cycles: machine.cycles };
  const failed = casesOf(guestRun).filter(({ ok }) => !ok);
  return {
    output: output(),
    failed: failed.map(({ name, notes }) => `${name}\n${quoted(notes.join("\n"))}`),
    findings: watch.report(),
    stop,
    audits: watch.audits,
  };
}

for (const mode of MODES) {
  test(`four times the memory that there is, audited, fork=${mode}`, () => {
    const { failed, findings, audits } = run(mode, NEED, "", 32, 211, false);
    assert.equal(failed, []);
    assert.equal(findings, []);
    assert.ok(audits > 100, `${audits} audits`);
  });
  test(`pages evicted at random, used or not, fork=${mode}`, () => {
    const { failed, findings } = run(mode, "1 3", "evict=4711", 32, 5);
    assert.equal(failed, []);
    assert.equal(findings, []);
  });
}

test("with too little swap somebody ends, which is said, and the kernel goes on", () => {
  for (const mode of MODES) {
    const { output, stop, findings } = run(mode, "3 2", "", 4, 41);
    assert.match(output, /^out of memory: killed process \d+ \(pressure\), \d+ kB$/m);
    // The family that shares all may have been chosen, the test's own process among it.
    assert.is(stop.reason, "exit");
    assert.equal(findings, []);
  }
});

test("the same on QEMU", () => {
  needCommand(QEMU);
  const folder = mkdtempSync(join(tmpdir(), "tine-swap-"));
  try {
    const image = join(folder, "swap.img");
    writeFileSync(image, swapDisk(64).contents());
    const { stdout, status } = spawnSync(
      QEMU,
      [
        ...["-m", String(MEMORY_MB), "-kernel", join("dist", "kernel.elf"), "-initrd", join("dist", "initrd.tar")],
        ...["-append", testCommandLine("share", "pressure", "3 3", true, "swap=on")],
        ...["-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-serial", "stdio", "-display", "none", "-no-reboot"],
        ...["-drive", `file=${image},format=raw,if=ide`],
      ],
      { encoding: "latin1", timeout: 200_000, input: "" },
    );
    assert.is(status, 1, quoted(stdout));
    assert.match(stdout, /^ok 1 [\s\S]*^ok 2 /m);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
