/**
 * Machines that do little but change tasks, rings and modes, among them virtual-8086 and real mode, with TSSs, selectors and
 * A20 as chance has them: nothing is thrown, run() always comes back, memory beyond RAM stays as it is, stepping and a
 * restored state see the same as blocks. More rounds by FUZZ_ROUNDS and FUZZ_SEED.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Cpu, CpuEvent, RunExit } from "../../../cpu/cpu";
import { Layout } from "../../../cpu/registers";
import { Random } from "../../fuzz/random";

const test = suite("cpu/tasks/fuzz");

const ROUNDS = Number(process.env.FUZZ_ROUNDS ?? 20);
const SEED = Number(process.env.FUZZ_SEED ?? 1);
const MEMORY = 1 << 20;
const INSTRUCTIONS = 1500;
const [GDT, IDT, TASKS, DIRECTORY, TABLE, CODE] = [0x1000, 0x2000, 0x3000, 0x4000, 0x5000, 0x8000];
/** Selectors: code and data of rings 0 and 3, 16-bit code, an LDT; then tasks, and gates to them and to code. */
const [CODE0, DATA0, CODE3, DATA3, CODE16, LDT, FIRST_TASK, FIRST_GATE] = [8, 0x10, 0x1b, 0x23, 0x28, 0x30, 0x40, 0x80];
const COUNT = 8;
const VM = 0x20000;

const selectors = [0, CODE0, DATA0, CODE3, DATA3, CODE16, LDT, FIRST_TASK, FIRST_TASK + 8, FIRST_GATE, FIRST_GATE + 8];

/** A selector: most often a sensible one. */
function anySelector(random: Random): number {
  return random.oneIn(8) ? random.below(0x100) : random.pick(selectors) | (random.oneIn(8) ? random.below(4) : 0);
}

/** An instruction that changes a task, a ring, a segment, a mode or a stack; as bytes for 32-bit code (16-bit reads others). */
function fragment(random: Random): number[] {
  const selector = random.oneIn(3)
    ? anySelector(random)
    : random.pick([FIRST_TASK, FIRST_GATE]) + 8 * random.below(COUNT);
  const [low, high] = [selector & 255, selector >> 8];
  const offset = CODE + random.below(0x6000);
  switch (random.below(14)) {
    case 0:
    case 1:
      return [random.oneIn(2) ? 0x9a : 0xea, offset & 255, offset >> 8, 0, 0, low, high];
    case 2:
      return [0xcd, 0x40 + random.below(16)];
    case 3:
      return [0xcf];
    case 4:
      return [0x6a, selector & 0x7f, random.pick([0x07, 0x17, 0x1f])];
    case 5:
      // lidt and lgdt are left out: what they load is seldom of use again. lldt ax, ltr ax, sldt, str.
      return [0x66, 0xb8, low, high, 0x0f, 0x00, random.pick([0xd0, 0xd8, 0xc0, 0xc8])];
    case 6:
      return [0xcb];
    case 7:
      return random.pick([[0x9c], [0x9d], [0xfa], [0xfb], [0x60], [0x61], [0x66, 0x60], [0xcc], [0xce], [0x0f, 0x06]]);
    case 8:
      // Into real mode and back: mov eax, cr0; xor al, 1; mov cr0, eax.
      return random.oneIn(4) ? [0x0f, 0x20, 0xc0, 0x34, 0x01, 0x0f, 0x22, 0xc0] : [0x90];
    case 9:
      return [0xe6, random.below(256)];
    case 10:
      // NT on: pushf; or byte [esp + 1], 0x40; popf.
      return [0x9c, 0x80, 0x4c, 0x24, 0x01, 0x40, 0x9d];
    case 11:
      return [0x0f, random.pick([0x02, 0x03]), 0xc0 | random.below(64)];
    case 12:
      return [0x63, random.below(256), 0x90, 0x90, 0x90, 0x90];
    default:
      return [0x40 + random.below(16)];
  }
}

function machine(seed: number): Cpu {
  const random = new Random(seed);
  const cpu: Cpu = new Cpu({
    memoryBytes: MEMORY,
    bus: {
      read: (port) => port,
      write: (port) => {
        cpu.setInterruptLine((port & 1) as 0 | 1);
        cpu.setA20(((port >> 1) & 1) as 0 | 1);
      },
      acknowledge: () => {
        cpu.setInterruptLine(0);
        return 0x40 + (cpu.register(0) & 15);
      },
    },
  });
  const { ram } = cpu;
  const view = new DataView(ram.buffer, ram.byteOffset, ram.length);
  const word = (at: number, value: number): void => view.setUint32(at, value >>> 0, true);
  for (let at = CODE; at < 0x20000 - 16; ) {
    const bytes = fragment(random);
    ram.set(bytes, at);
    at += bytes.length;
  }
  const descriptor = (selector: number, base: number, limit: number, high: number): void => {
    word(GDT + (selector & ~7), (base << 16) | (limit & 0xffff));
    word(GDT + (selector & ~7) + 4, (base & 0xff000000) | (limit & 0xf0000) | high | ((base >> 16) & 0xff));
  };
  descriptor(CODE0, 0, 0xfffff, 0xc09b00);
  descriptor(DATA0, 0, 0xfffff, 0xc09300);
  descriptor(CODE3, 0, 0xfffff, 0xc0fb00);
  descriptor(DATA3, 0, 0xfffff, 0xc0f300);
  descriptor(CODE16, CODE, 0xffff, random.oneIn(2) ? 0x9b00 : 0x9f00);
  descriptor(LDT, GDT, 0xff, 0x8200);
  const high = (common: number): number => (random.oneIn(12) ? random.next() & 0xff00 : common);
  for (let i = 0; i < COUNT; i++) {
    const narrow = random.oneIn(4);
    const tss = TASKS + 0x100 * i;
    descriptor(FIRST_TASK + 8 * i, tss, random.oneIn(12) ? random.below(0x80) : 0xff, high(narrow ? 0xe100 : 0xe900));
    const target = random.oneIn(2) ? FIRST_TASK + 8 * random.below(COUNT) : random.pick([CODE0, CODE0, CODE16]);
    const offset = CODE + random.below(0x6000);
    word(GDT + FIRST_GATE + 8 * i, (target << 16) | offset);
    word(GDT + FIRST_GATE + 8 * i + 4, high(random.pick([0xe500, 0xec00, 0xe400, 0xec02])));
    for (let at = 0; at < 0x100; at += 4) word(tss + at, random.next());
    const virtual = random.oneIn(3);
    const [code, data] = random.oneIn(2) ? [CODE0, DATA0] : [CODE3, DATA3];
    const stack = 0x30000 + 0x1000 * i;
    if (narrow) {
      const fields = [0, stack & 0xffff, DATA0, 0, 0, 0, 0, random.below(0x6000), random.next() & 0x3ed7];
      for (const [n, value] of fields.entries()) view.setUint16(tss + 2 * n, value, true);
      for (const [n, value] of [data, CODE16, data, data, 0].entries()) view.setUint16(tss + 0x22 + 2 * n, value, true);
      continue;
    }
    word(tss + 4, stack + 0x800);
    word(tss + 8, random.oneIn(12) ? anySelector(random) : DATA0);
    word(tss + 0x1c, DIRECTORY);
    word(tss + 0x20, virtual ? random.below(0x6000) : CODE + random.below(0x6000));
    word(tss + 0x24, (random.next() & 0x3ed7) | (virtual ? VM : 0));
    word(tss + 0x38, virtual ? 0xff0 : stack);
    for (const n of [0, 1, 2, 3, 4, 5]) {
      const sound = virtual ? (CODE >> 4) + random.below(0x1000) : n === 1 ? code : data;
      word(tss + 0x48 + 4 * n, random.oneIn(16) ? anySelector(random) : sound);
    }
    word(tss + 0x60, random.oneIn(8) ? anySelector(random) : random.oneIn(2) ? LDT : 0);
    word(tss + 0x64, (0x68 << 16) | (random.oneIn(8) ? 1 : 0));
  }
  for (let vector = 0; vector < 256; vector++) {
    const task = vector >= 8 && random.oneIn(2);
    const selector = task ? FIRST_TASK + 8 * random.below(COUNT) : random.pick([CODE0, CODE0, CODE0, CODE16, CODE3]);
    word(IDT + 8 * vector, (selector << 16) | (CODE + random.below(0x6000)));
    word(IDT + 8 * vector + 4, high(task ? 0xe500 : random.pick([0xee00, 0xef00, 0xe600])));
  }
  for (let page = 0; page < 256; page++) word(TABLE + 4 * page, random.oneIn(60) ? 0 : (page * 4096) | 7);
  word(DIRECTORY, TABLE | 7);
  cpu.setDescriptorTable("gdt", GDT, 0xff);
  cpu.setDescriptorTable("idt", IDT, 0x7ff);
  cpu.setSegment(7, { selector: FIRST_TASK, base: TASKS, limit: 0xff, attributes: 0xeb00 });
  cpu.setControl(3, DIRECTORY);
  if (random.oneIn(2)) cpu.setControl(0, 0x80000011);
  for (let segment = 0; segment < 6; segment++) {
    const code = segment === 1;
    cpu.setSegment(segment, {
      selector: code ? CODE0 : DATA0,
      base: 0,
      limit: 0xffffffff,
      attributes: code ? 0xc09b00 : 0xc09300,
    });
  }
  for (let register = 0; register < 8; register++) cpu.setRegister(register, random.below(0x10000));
  cpu.setRegister(4, 0x38000);
  cpu.eip = CODE + random.below(0x1000);
  return cpu;
}

interface Seen {
  exit: RunExit;
  print: string;
  /** Task switches and entries of virtual-8086 mode. */
  tasks: number;
  virtual: number;
}

function drive(cpu: Cpu): Seen {
  let [tasks, virtual, last] = [0, 0, 0];
  cpu.listener = (kind) => {
    if (kind !== CpuEvent.TrapEntry) return;
    if (cpu.segment(7).selector !== last) tasks++;
    last = cpu.segment(7).selector;
    if ((cpu.eflags & VM) !== 0) virtual++;
  };
  let exit = RunExit.Budget;
  for (;;) {
    cpu.deadline = cpu.cycles + 5000;
    exit = cpu.run(INSTRUCTIONS);
    if (exit !== RunExit.Halted && exit !== RunExit.Deadline) break;
    if (cpu.cycles > 300 * INSTRUCTIONS) break;
    cpu.setInterruptLine(1);
    if (exit === RunExit.Halted && (cpu.eflags & 0x200) === 0) break;
  }
  let sum = 0;
  for (let at = 0; at < MEMORY; at += 4) sum = (Math.imul(sum, 31) + cpu.words[(Layout.Ram + at) >> 2]) | 0;
  const segments = Array.from({ length: 8 }, (_, segment) => cpu.segment(segment));
  const registers = Array.from({ length: 8 }, (_, register) => cpu.register(register));
  const controls = ([0, 2, 3, 4] as const).map((register) => cpu.control(register));
  const words = [cpu.instret, cpu.cycles, cpu.eip, cpu.eflags, cpu.cpl, cpu.a20, registers, segments, controls, sum];
  return { exit, print: JSON.stringify(words), tasks, virtual };
}

test("random tasks and modes: no exception, no endless instruction, the same in blocks, stepped and restored", () => {
  const exits = [0, 0, 0, 0, 0, 0];
  let [tasks, virtual, instructions] = [0, 0, 0];
  for (let round = 0; round < ROUNDS; round++) {
    const seed = SEED * 100_003 + round;
    const blocks = machine(seed);
    const stepped = machine(seed);
    stepped.onInstruction = () => false;
    const seen = drive(blocks);
    assert.is(drive(stepped).print, seen.print, `seed ${seed}`);
    const half = machine(seed);
    // A chain of faults may go on without an instruction; time ends it.
    half.deadline = 5000;
    half.run(100);
    const restored = machine(seed + 1);
    restored.restore(half.save());
    assert.is(drive(restored).print, drive(half).print, `seed ${seed}, restored`);
    const ones = blocks.bytes.subarray(Layout.OnesPage, Layout.OnesPage + 4096);
    assert.ok(ones.every((byte) => byte === 0xff));
    exits[seen.exit]++;
    tasks += seen.tasks;
    virtual += seen.virtual;
    instructions += blocks.instret;
  }
  assert.ok(instructions > ROUNDS * 50, `${instructions} instructions`);
  assert.ok(tasks > ROUNDS && virtual > 0, `${tasks} tasks, ${virtual} virtual, exits ${exits}`);
});

test.run();
