/**
 * One guest program on our machine and on QEMU: what it prints, its exit value and its disk must agree.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { BufferDisk, Machine } from "../../cpu/index";
import { needCommand } from "../skip";
import type { Program } from "./guest";

const QEMU = "qemu-system-i386";
const TIME_LIMIT_MS = 60_000;

export interface Outcome {
  text: string;
  /** What the disk holds at the end, if there was one. */
  disk?: Uint8Array;
  /** What was written to the exit port. */
  value: number | undefined;
}

function onQemu(program: Program, image?: Uint8Array): Outcome {
  const folder = mkdtempSync(join(tmpdir(), "tine-qemu-"));
  try {
    const file = join(folder, "guest.elf");
    writeFileSync(file, program.elf());
    const devices = "-device isa-debug-exit,iobase=0xf4,iosize=4 -serial stdio -display none -monitor none".split(" ");
    const disk = join(folder, "disk.img");
    if (image !== undefined) writeFileSync(disk, image);
    const drive = image === undefined ? [] : ["-drive", `file=${disk},format=raw,if=ide`];
    const args = ["-m", "16", "-kernel", file, ...devices, ...drive];
    const { status, stdout } = spawnSync(QEMU, args, { timeout: TIME_LIMIT_MS, stdio: ["ignore", "pipe", "ignore"] });
    const outcome = { text: stdout.toString("latin1"), value: status === null ? undefined : status >> 1 };
    return image === undefined ? outcome : { ...outcome, disk: new Uint8Array(readFileSync(disk)) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function onOurs(program: Program, image?: Uint8Array): Outcome {
  let text = "";
  const onSerial = (bytes: Uint8Array) => {
    text += Buffer.from(bytes).toString("latin1");
  };
  const disk = image === undefined ? undefined : new BufferDisk(image);
  const machine = new Machine({ memoryMB: 16, onSerial, ...(disk === undefined ? {} : { disk }) });
  machine.loadMultiboot(program.elf());
  const stop = machine.run({ maxInstructions: 100_000_000 });
  const outcome = { text, value: stop.reason === "exit" ? stop.value : undefined };
  return disk === undefined ? outcome : { ...outcome, disk: disk.contents() };
}

/** Runs a program on both, which must agree and exit with 0. Skips the test where QEMU is not installed. */
export function same(program: Program, image?: Uint8Array): Outcome {
  needCommand(QEMU);
  const ours = onOurs(program, image);
  const theirs = onQemu(program, image);
  assert.is(ours.text, theirs.text);
  assert.equal(ours, theirs);
  assert.is(ours.value, 0);
  return ours;
}
