/**
 * The same programs on our machine and on QEMU: what they print and their exit value agree. One of them writes and reads
 * device registers by a script and prints all that it read. (Not compared, because QEMU leaves the data sheets there: the
 * 8254's null-count bit, its output after a control word alone and under a low gate.)
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "../../../cpu/index";
import { needCommand } from "../../skip";
import { AL, DX, EAX, ECX, EDI, EDX, ESI, Program } from "../guest";
import * as programs from "../programs";

const test = suite("cpu/board/qemu");
const QEMU = "qemu-system-i386";
const TIME_LIMIT_MS = 60_000;

interface Outcome {
  text: string;
  /** What was written to the exit port. */
  value: number | undefined;
}

function onQemu(program: Program): Outcome {
  const folder = mkdtempSync(join(tmpdir(), "tine-qemu-"));
  try {
    const file = join(folder, "guest.elf");
    writeFileSync(file, program.elf());
    const devices = "-device isa-debug-exit,iobase=0xf4,iosize=4 -serial stdio -display none -monitor none".split(" ");
    const args = ["-m", "16", "-kernel", file, ...devices];
    const { status, stdout } = spawnSync(QEMU, args, { timeout: TIME_LIMIT_MS, stdio: ["ignore", "pipe", "ignore"] });
    return { text: stdout.toString("latin1"), value: status === null ? undefined : status >> 1 };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function onOurs(program: Program): Outcome {
  let text = "";
  const onSerial = (bytes: Uint8Array) => {
    text += Buffer.from(bytes).toString("latin1");
  };
  const machine = new Machine({ memoryMB: 16, onSerial });
  machine.loadMultiboot(program.elf());
  const stop = machine.run({ maxInstructions: 100_000_000 });
  return { text, value: stop.reason === "exit" ? stop.value : undefined };
}

function same(program: Program): Outcome {
  needCommand(QEMU);
  const ours = onOurs(program);
  assert.equal(ours, onQemu(program));
  assert.is(ours.value, 0);
  return ours;
}

/** A step of a script: `[port, value]` writes, `[port]` reads a byte, `[port, DROP]` reads one and forgets it. */
type Step = [port: number, value?: number];
const DROP = -1;

/** Runs the steps, then prints what was read as hexadecimal digits, by polling. */
function script(steps: readonly Step[]): Program {
  const p = new Program();
  p.enter().op("mov", EDI, 0x200000).op("cld");
  let reads = 0;
  for (const [port, value] of steps) {
    p.op("mov", EDX, port);
    if (value === DROP) p.op("in", AL, DX);
    else if (value !== undefined) p.op("mov", AL, value).op("out", DX, AL);
    else {
      reads++;
      p.op("in", AL, DX).op("stosb");
    }
  }
  p.outb(0x3fc, 0x03).outb(0x3f9, 0).outb(0x3fa, 0).op("mov", EDX, 0x3fd).op("in", AL, DX);
  p.op("mov", ESI, 0x200000).op("mov", ECX, reads);
  p.label("next").op("lodsb").op("mov", EDI, EAX).op("shr", AL, 4).jump("call", "digit");
  p.op("mov", EAX, EDI).op("and", AL, 15).jump("call", "digit").op("dec", ECX).jump("jnz", "next").exit(0);
  p.label("digit").op("add", AL, 0x30).op("cmp", AL, 0x3a).jump("jb", "put").op("add", AL, 0x27);
  p.label("put").op("push", EAX).op("mov", EDX, 0x3fd).label("full").op("in", AL, DX).op("test", AL, 0x20);
  p.jump("jz", "full").op("mov", EDX, 0x3f8).op("pop", EAX).op("out", DX, AL).op("ret");
  return p.tables({});
}

test("hello by polling, by interrupt, timers in three modes", () => {
  assert.is(same(programs.helloByPolling("hello, world\n")).text, "hello, world\n");
  assert.is(same(programs.helloByInterrupt("by interrupt\n")).text, "by interrupt\n");
  same(programs.timerTicks(2, 1193, 20));
  same(programs.timerTicks(3, 1193, 20));
  same(programs.timerTicks(0, 1193, 1));
});

const PIC_INIT: Step[] = [
  [0x20, 0x11],
  [0x21, 0x40],
  [0x21, 0x04],
  [0x21, 0x01],
  [0xa0, 0x11],
  [0xa1, 0x48],
  [0xa1, 0x02],
  [0xa1, 0x01],
];

test("PIC registers", () => {
  // The timer's line is low for the next 55 ms, so that it asks for nothing.
  const quiet: Step[] = [[0x43, 0x30], [0x40, 0xff], [0x40, 0xff], ...PIC_INIT];
  const steps: Step[] = [...quiet, [0x21], [0xa1], [0x21, 0xfe], [0xa1, 0xa5], [0x21], [0xa1]];
  steps.push([0x20, 0x0a], [0x20], [0x20, 0x0b], [0x20], [0x20], [0xa0, 0x0b], [0xa0], [0x20, 0x20], [0x20]);
  steps.push([0x20, 0x0c], [0x20], ...PIC_INIT, [0x21], [0x20]);
  assert.is(same(script(steps)).text.length, 24);
});

test("UART registers, loopback, FIFO and modem lines", () => {
  const steps: Step[] = [[0x3fb, 0x83], [0x3f8, 0x01], [0x3f9, 0x00], [0x3f8], [0x3f9], [0x3fb], [0x3fb, 0x03]];
  steps.push([0x3f9], [0x3f9, 0xff], [0x3f9], [0x3f9, 0], [0x3ff, 0x5a], [0x3ff], [0x3fc, 0xff], [0x3fc]);
  // QEMU gives no modem changes in loopback: they are read away.
  for (const control of [0x1f, 0x10, 0x14, 0x11, 0x12]) steps.push([0x3fc, control], [0x3fe, DROP], [0x3fe]);
  steps.push([0x3fd], [0x3f8, 0x41], [0x3fd], [0x3f8], [0x3fd], [0x3fa], [0x3fa, 0x07], [0x3fa], [0x3fa, 0xc1]);
  for (const byte of [1, 2, 3]) steps.push([0x3f8, byte]);
  steps.push([0x3fd], [0x3f8], [0x3f8], [0x3fd], [0x3fa, 0xc3], [0x3fd], [0x3fa, 0x00], [0x3fa]);
  steps.push(
    [0x3f9, 0x02],
    [0x3fa],
    [0x3fa],
    [0x3f8, 0x55],
    [0x3fa],
    [0x3fa],
    [0x3f9, 0x03],
    [0x3fa],
    [0x3f8],
    [0x3fa],
  );
  assert.ok(same(script(steps)).text.length > 60);
});

test("ports without a device", () => {
  same(script([[0x5678], [0x5678, 0x12], [0x5678], [0x300]]));
});

test.run();
