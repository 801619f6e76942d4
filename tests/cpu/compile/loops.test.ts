/**
 * Compiled code against the interpreter: loops of random instructions, with all their registers set anew each time round, in
 * both rings, with and without paging; compiled at once and never. Everything that a guest can see must be the same: registers,
 * flags, memory, faults, instret and cycles. More by COMPILE_ROUNDS and COMPILE_SEED.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MINIMAL_TLB, STANDARD_TLB, type TlbGeometry } from "../../../cpu/costs";
import { Cpu, RunExit } from "../../../cpu/cpu";
import { Layout } from "../../../cpu/registers";
import { Random } from "../../fuzz/random";
import { runsStraight, straightPiece, value } from "../host/generate";
import { CODE, DATA, STACK } from "../host/layout";
import { COMPARED } from "../host/rows";

const test = suite("cpu/compile/loops");

const ROUNDS = Number(process.env.COMPILE_ROUNDS ?? 60);
const SEED = Number(process.env.COMPILE_SEED ?? 1);
const MEMORY = 4 << 20;
const [GDT, IDT, TSS, DIRECTORY, TABLE, COUNTER, FAULTS, HANDLER] = [
  0x1000, 0x2000, 0x3000, 0x4000, 0x5000, 0x7000, 0x7004, 0x9000,
];
/** Pages of data drive each other out, and seldom the code: compiled code walks the tables itself. */
const CROWDED_TLB: TlbGeometry = { sets: 2, ways: 3, largeSets: 1, largeWays: 1, randomSeed: -1 };
const INSTRUCTIONS = 40;
const TIMES = 20;
const USABLE = COMPARED.filter(runsStraight);
/** Half of all instructions are of these: what they leave in the flags is what compiled code knows. */
const FLAG_SETTERS = USABLE.filter((row) => /^(cmp|sub|add|test|and|inc|dec|neg|shl|sbb)$/.test(row.mnemonic));

/** mov dword [address], value and its like: opcode bytes and a 32-bit word. */
function word(bytes: number[], value: number): number[] {
  return [...bytes, value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff];
}

/** The loop, and where its end is: what a fault jumps to. */
function program(random: Random): { code: number[]; tail: number } {
  const code: number[] = [];
  for (let i = 0; i < INSTRUCTIONS; i++) {
    const row = random.pick(random.oneIn(2) ? FLAG_SETTERS : USABLE);
    const piece = straightPiece(row, random);
    if (piece === null) continue;
    // Some find the registers of the one before, some few values, so that comparisons turn out in every way.
    if (!random.oneIn(4)) {
      const values = random.oneIn(2) ? [0, 1, -1, 0x80000000, 0x7f, 0x80] : null;
      for (let register = 0; register < 8; register++) {
        const other = register === 4 ? STACK + 0x800 : values === null ? value(random) : random.pick(values);
        code.push(...word([0xb8 + register], piece.registers.get(register) ?? other));
      }
    }
    code.push(...piece.code);
    // What comes next in most programs: a condition. SETcc to memory, and a branch over an INC.
    if (random.oneIn(2)) code.push(...word([0x0f, 0x90 + random.below(16), 0x05], DATA + random.below(4096)));
    if (random.oneIn(2)) code.push(0x70 + random.below(16), 1, 0x40);
  }
  const tail = CODE + code.length;
  code.push(...word([0xbc], STACK + 0x8000));
  code.push(...word([0xff, 0x0d], COUNTER));
  code.push(...word([0x0f, 0x85], -(code.length + 6)));
  // The end: a jump to itself, until the budget is used up.
  code.push(0xeb, 0xfe);
  return { code, tail };
}

/** `limit` is that of the data segments: with all ones they are flat. */
function machine(seed: number, compileAfter: number, limit = 0xffffffff): Cpu {
  const random = new Random(seed);
  const cpu = new Cpu({
    memoryBytes: MEMORY,
    tlb: random.pick([MINIMAL_TLB, STANDARD_TLB, CROWDED_TLB]),
    bus: { read: () => 0, write: () => undefined, acknowledge: () => 0x20 },
    compileAfter,
  });
  const { ram } = cpu;
  const view = new DataView(ram.buffer, ram.byteOffset, ram.length);
  const descriptors = [0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300, 0xffff, 0xcffb00, 0xffff, 0xcff300];
  for (const [index, value] of descriptors.entries()) view.setUint32(GDT + 4 * index, value, true);
  for (let vector = 0; vector < 256; vector++) {
    view.setUint32(IDT + 8 * vector, 0x00080000 | HANDLER, true);
    view.setUint32(IDT + 8 * vector + 4, 0x0000ee00, true);
  }
  view.setUint32(TSS + 4, 0x8000, true);
  view.setUint32(TSS + 8, 0x10, true);
  view.setUint32(COUNTER, TIMES, true);
  for (let i = 0; i < 0x10000; i += 4) {
    view.setUint32(DATA + i, random.next() >>> 0, true);
    view.setUint32(STACK + i, random.next() >>> 0, true);
  }
  const { code, tail } = program(random);
  ram.set(code, CODE);
  const ring = random.oneIn(2) ? 3 : 0;
  // The handler counts, and goes on at the tail: in ring 3 by the frame's EIP, in ring 0 at once.
  const handler =
    ring === 3
      ? [...word([0xff, 0x05], FAULTS), ...word([0xbc], 0x8000 - 20), ...word([0xc7, 0x04, 0x24], tail), 0xcf]
      : [...word([0xff, 0x05], FAULTS), ...word([0xe9], tail - HANDLER - 11)];
  ram.set(handler, HANDLER);
  for (let page = 0; page < 1024; page++) {
    view.setUint32(
      TABLE + 4 * page,
      (page << 12) | (random.oneIn(16) && page >= DATA >> 12 ? random.below(8) : 7),
      true,
    );
  }
  view.setUint32(DIRECTORY, TABLE | 7, true);
  cpu.setDescriptorTable("gdt", GDT, 0x27);
  cpu.setDescriptorTable("idt", IDT, 0x7ff);
  cpu.setSegment(7, { selector: 0x28, base: TSS, limit: 0x67, attributes: 0x8b00 });
  if (!random.oneIn(4)) {
    cpu.setControl(3, DIRECTORY);
    cpu.setControl(0, random.oneIn(2) ? 0x80010011 : 0x80000011);
  }
  const [data, text] = ring === 3 ? [0x23, 0x1b] : [0x10, 0x08];
  for (const segment of [0, 2, 3])
    cpu.setSegment(segment, { selector: data, base: 0, limit, attributes: 0xc09300 | (ring << 13) });
  cpu.setSegment(1, { selector: text, base: 0, limit: 0xffffffff, attributes: 0xc09b00 | (ring << 13) });
  cpu.eip = CODE;
  cpu.setRegister(4, STACK + 0x8000);
  cpu.eflags = 0x3002;
  return cpu;
}

/** Runs to the end in pieces of random sizes, so that budgets and deadlines end in the middle of regions. */
function drive(cpu: Cpu, seed: number): void {
  const random = new Random(seed ^ 0x5eed);
  const end = INSTRUCTIONS * TIMES * 20;
  while (cpu.instret < end && cpu.cycles < 40 * end) {
    cpu.deadline = random.oneIn(3) ? cpu.cycles + random.below(300) : cpu.cycles + 50000;
    const exit = cpu.run(Math.min(end, cpu.instret + 1 + random.below(random.oneIn(2) ? 100 : 5000)));
    // Ring 0 faults on a stack that is not there, or runs into a HLT that is another instruction's byte.
    if (exit === RunExit.TripleFault || exit === RunExit.Halted) return;
  }
}

function fingerprint(cpu: Cpu): string {
  const { words } = cpu;
  let sum = 0;
  for (let at = Layout.Ram >> 2; at < (Layout.Ram + MEMORY) >> 2; at++) sum = (Math.imul(sum, 31) + words[at]) | 0;
  const registers = Array.from({ length: 8 }, (_, register) => cpu.register(register).toString(16));
  const faults = words[(Layout.Ram + FAULTS) >> 2];
  const left = words[(Layout.Ram + COUNTER) >> 2];
  return JSON.stringify({
    instret: cpu.instret,
    cycles: cpu.cycles,
    eip: cpu.eip.toString(16),
    eflags: cpu.eflags.toString(16),
    registers,
    cr2: cpu.control(2),
    faults,
    left,
    sum,
  });
}

function replay(seed: number): string {
  return `COMPILE_SEED=${seed / 1000} COMPILE_ROUNDS=1 node tests/run.mjs cpu/compile/loops`;
}

function driven(seed: number, compileAfter: number, limit?: number): Cpu {
  const cpu = machine(seed, compileAfter, limit);
  drive(cpu, seed);
  return cpu;
}

test("loops of random instructions end alike, compiled or not", () => {
  let finished = 0;
  let compiled = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const seed = SEED * 1000 + round;
    const [interpreted, first, fifth] = [Infinity, 1, 5].map((compileAfter) => driven(seed, compileAfter));
    const expected = fingerprint(interpreted);
    assert.is(fingerprint(first), expected, `compiled after 1 run: ${replay(seed)}`);
    assert.is(fingerprint(fifth), expected, `compiled after 5 runs: ${replay(seed)}`);
    if (JSON.parse(expected).left === 0) finished++;
    if (first.blocks.compiled > 0) compiled++;
    assert.is(interpreted.blocks.compiled, 0);
  }
  assert.ok(finished > ROUNDS / 4, `enough loops run to their end, not ${finished} of ${ROUNDS}`);
  assert.ok(compiled > ROUNDS / 2, `most loops get compiled, not ${compiled} of ${ROUNDS}`);
});

test("they end alike with every segment checked, and every trap and IRET going the long way", () => {
  let compared = 0;
  for (let round = 0; round < ROUNDS / 2; round++) {
    const seed = SEED * 1000 + round;
    const flat = fingerprint(driven(seed, Infinity));
    const checked = fingerprint(driven(seed, 1, 0xfffffffe));
    // The last byte of all is beyond that limit: a loop that touches it meets another fault there, or one more.
    const [one, other] = [flat, checked].map((text) => JSON.parse(text));
    if (one.faults !== other.faults || one.cr2 !== other.cr2) continue;
    compared++;
    assert.is(checked, flat, `a limit of 4 GB less a byte: ${replay(seed)}`);
  }
  assert.ok(compared > ROUNDS / 4, `${compared} of ${Math.ceil(ROUNDS / 2)} could be compared`);
});

test.run();
