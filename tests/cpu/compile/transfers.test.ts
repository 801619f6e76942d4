/**
 * The short way into a handler and back, and the loads of data segments (cpu/compile/flat.ts, segments.ts, traps.ts), against the
 * long way of cpu/interrupts.ts, exec/return.ts and segmentation.ts: random gates, descriptors, TSS, stacks, frames, flags and
 * selectors, most of them right. Where anything is odd, the short way must leave it to the long one. More by TRANSFER_ROUNDS and
 * TRANSFER_SEED.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RunExit } from "../../../cpu/cpu";
import { creg, sreg } from "../../../cpu/encoder";
import { Word } from "../../../cpu/registers";
import { Random } from "../../fuzz/random";
import {
  at,
  CODE0,
  CODE3,
  CR0_WP,
  CX,
  DATA0,
  DATA3,
  EAX,
  EBX,
  ECX,
  EDX,
  ESI,
  ESP,
  FREE,
  FREE_SELECTOR,
  GDT,
  HANDLER,
  IDT,
  KERNEL_STACK,
  type Line,
  PRESENT,
  Rig,
  TSS,
  TSS_SELECTOR,
  USER,
  WRITE,
} from "../rig";

const test = suite("cpu/compile/transfers");

const ROUNDS = Number(process.env.TRANSFER_ROUNDS ?? 500);
const SEED = Number(process.env.TRANSFER_SEED ?? 1);
const CODE = FREE;
const WARM = FREE + 0x3000;
const USER_STACK = FREE + 0xe000;
/** Mapped where the round says so. */
const ODD_PAGE = FREE + 0x8000;
const VECTOR = 0x80;
const END = 0x81;
const INSTRUCTIONS = 60;
const CR0_AM = 0x40000;
const [NT, RF, VM, AC, ID, TF, IF] = [0x4000, 0x10000, 0x20000, 0x40000, 0x200000, 0x100, 0x200];
const SELECTORS = [
  0,
  3,
  CODE0,
  DATA0,
  DATA0 | 3,
  CODE3,
  DATA3,
  DATA3 & ~3,
  0x14,
  TSS_SELECTOR,
  FREE_SELECTOR,
  0x38,
  0x43,
  0xfff8,
];
const [ES, SS, DS, FS, GS] = [0, 2, 3, 4, 5];

/** What is right, or one time in `n` something else. */
function usually<T>(random: Random, n: number, right: T, others: readonly T[]): T {
  return random.oneIn(n) ? random.pick(others) : right;
}

/** Tables as an operating system has them; where `odd`, each field is something else now and then. */
function writeTables(rig: Rig, random: Random, odd: boolean): void {
  const mostly = <T>(once: number, right: T, others: readonly T[]): T =>
    usually(random, odd ? once : Infinity, right, others);
  const { cpu } = rig;
  cpu.ram.fill(0, GDT, TSS + 0x1000);
  const attributes: readonly [number, number][] = [
    [CODE0, 0xc09b],
    [DATA0, 0xc093],
    [CODE3, 0xc0fb],
    [DATA3, 0xc0f3],
  ];
  for (const [selector, usual] of attributes) {
    // Conforming or expanding down, not accessed, of another ring, not present, of 16 bits, in bytes.
    const others = [4, 1, 2, 0x60, 0x80, 0x4000, 0x8000].map((bit) => usual ^ bit);
    const base = mostly(60, 0, [0x1000, 0x1000000]);
    rig.descriptor(selector, base, mostly(60, 0xfffff, [0xffffe, 0xff]), mostly(20, usual, others));
  }
  rig.descriptor(TSS_SELECTOR, TSS, 0x67, 0x0089);
  // The null descriptor counts for nothing, whatever it says.
  rig.descriptor(0, 0, 0xfffff, 0xc093);
  rig.descriptor(FREE_SELECTOR, 0x1000, 0xfffff, 0xc0f3);
  rig.descriptor(0x38, 0, 0xfffff, 0xc0f2);
  rig.descriptor(0x40, 0, 0xfffff, 0xc0f7);
  const stack = [
    KERNEL_STACK - 0xfec,
    KERNEL_STACK + 4,
    KERNEL_STACK + 16,
    KERNEL_STACK + 2,
    ODD_PAGE + 0x800,
    ODD_PAGE + 0x1008,
  ];
  rig.word(TSS + 4, mostly(6, KERNEL_STACK, stack));
  rig.word(TSS + 8, mostly(10, DATA0, [DATA0 | 3, DATA0 | 3, ...SELECTORS]));
  for (let vector = 0; vector < 256; vector++) rig.gate(vector, HANDLER + vector, CODE0, 0xee);
  const type = mostly(6, 0xee, [0xef, 0xef, 0x8e, 0x8f, 0xe6, 0xe7, 0xe5, 0x6e, 0xec, 0xe2]);
  rig.gate(VECTOR, CODE + 0x1000, mostly(10, CODE0, [CODE0 | 3, ...SELECTORS]), type);
  cpu.setDescriptorTable("gdt", GDT, mostly(20, 0x47, [0xfff, 0x46, 0x0f, 0x17, 0x1e, 0x22, 0x26]));
  cpu.setDescriptorTable("idt", IDT, mostly(20, 0x7ff, [0x403, 0x406, 0x407, 0x3ff]));
  const task = {
    selector: TSS_SELECTOR,
    base: mostly(20, TSS, [TSS + 0xff6, TSS + 0xff4]),
    limit: mostly(20, 0x67, [8, 9, 7, 5, 3]),
    attributes: mostly(20, 0x8b00, [0x8300, 0x8900]),
  };
  rig.word(TSS + 0xffc, KERNEL_STACK);
  rig.word(TSS + 0x1000, DATA0);
  cpu.setSegment(7, task);
}

/** What changes the frame before IRETD: usually nothing. */
function frameLines(random: Random): Line[] {
  const lines: Line[] = [];
  const put = (offset: number, value: number): void => {
    lines.push(["mov", at(ESP, offset), value]);
  };
  if (random.oneIn(8)) put(4, random.pick(SELECTORS));
  if (random.oneIn(8)) put(16, random.pick(SELECTORS));
  if (random.oneIn(2)) put(8, 2 | random.pick([NT, RF, VM, AC, TF, IF, 0x3000, 0xcd5, -1, NT | IF, ID, ID | IF]));
  if (random.oneIn(16)) put(12, random.pick([0, 2, USER_STACK + 4]));
  return lines;
}

/** MOV and POP of data segments, most with what a kernel loads. */
function segmentLines(random: Random, usual: number): Line[] {
  const lines: Line[] = [];
  for (let i = random.below(3); i > 0; i--) {
    const segment = sreg(random.pick([ES, DS, FS, GS, SS]));
    const selector = usually(random, 4, usual, SELECTORS);
    lines.push(["mov", ECX, selector | (random.oneIn(4) ? 0x50000 : 0)]);
    if (random.oneIn(2)) lines.push(["mov", segment, CX]);
    else lines.push(["push", ECX], ["pop", segment]);
  }
  return lines;
}

/** Runs a system call, so that everything that one touches is a hit. */
function warm(rig: Rig): void {
  const { begin, handler } = rig.code(
    WARM,
    "handler",
    ["push", sreg(DS)],
    ["pop", sreg(DS)],
    ["iretd"],
    "begin",
    ["int", VECTOR],
    "self",
    ["jmp", "@self"],
  );
  rig.gate(VECTOR, handler, CODE0, 0xee);
  rig.cpu.eip = begin;
  rig.cpu.run(10);
}

/** Makes the same of both rigs from one seed: tables, code and registers. */
function prepare(rig: Rig, random: Random): void {
  const { cpu } = rig;
  cpu.reset();
  cpu.ram.fill(0, CODE, CODE + 0x10000);
  writeTables(rig, random, false);
  cpu.ram.fill(0xf4, HANDLER, HANDLER + 256);
  for (let word = KERNEL_STACK - 0x1000; word < KERNEL_STACK + 0x1000; word += 4)
    rig.word(word, random.pick(SELECTORS));
  const ring = random.oneIn(2) ? 3 : 0;
  const paged = !random.oneIn(3);
  const usual = random.pick([DATA0, DATA3]);
  // The kernel leaves protected mode, or has writes to the stack watched.
  const { number } = EAX as { number: number };
  const watch: Line[] = [
    ["mov", EAX, KERNEL_STACK - random.pick([12, 24, 8])],
    ["db", 0x0f, 0x23, 0xc0 | number],
    ["mov", EAX, random.pick([0xd0001, 0xf0001, 1])],
    ["db", 0x0f, 0x23, 0xf8 | number],
  ];
  const real: Line[] = [
    ["mov", EAX, creg(0)],
    ["and", EAX, ~1],
    ["mov", creg(0), EAX],
  ];
  const odd = random.oneIn(24) ? watch : !paged && random.oneIn(5) ? real : [];
  rig.code(
    CODE,
    ["inc", EAX],
    ...(ring === 0 ? odd : []),
    ...segmentLines(random, ring === 3 ? DATA3 : usual),
    ["cmp", EAX, EBX],
    random.oneIn(16) ? ["ud2"] : random.oneIn(16) ? ["iretd"] : ["int", VECTOR],
    ["adc", ESI, ESP],
    ...segmentLines(random, ring === 3 ? DATA3 : usual),
    ["int", random.oneIn(3) ? VECTOR : END],
    ["int", END],
    ["org", CODE + 0x1000],
    ["inc", EDX],
    ...segmentLines(random, usual),
    ...frameLines(random),
    ["sub", EBX, EDX],
    ["iretd"],
  );
  if (random.oneIn(16)) rig.gate(6, CODE + 0x1000, CODE0, 0x8e);
  if (paged) {
    for (let page = CODE; page < CODE + 0x10000; page += 0x1000) rig.map(page, page);
    rig.map(ODD_PAGE, ODD_PAGE, random.pick([0, PRESENT, PRESENT | WRITE, PRESENT | USER, PRESENT | WRITE | USER]));
    rig.page(usually(random, 3, CR0_WP, [0, CR0_WP | CR0_AM, CR0_AM]), random.pick([0, 0x80]));
    if (random.oneIn(6)) rig.word(rig.pte(KERNEL_STACK - 4), (KERNEL_STACK - 0x1000) | random.pick([0, PRESENT]));
  }
  rig.ring(ring);
  if (!random.oneIn(4)) warm(rig);
  rig.ring(ring);
  // Room for what IRETD reads beyond a frame of the same ring.
  if (ring === 0) cpu.setRegister(4, KERNEL_STACK - 0x100);
  writeTables(rig, random, true);
  for (const segment of [ES, DS, FS, GS]) {
    const data = { selector: usual, base: 0, limit: 0xffffffff, attributes: usual === DATA3 ? 0xc0f300 : 0xc09300 };
    if (random.oneIn(6)) cpu.setSegment(segment, data);
    if (random.oneIn(10) && segment >= FS)
      cpu.setSegment(segment, { selector: random.pick([0, 0, 2]), base: 0, limit: 0, attributes: 0 });
  }
  for (const register of [0, 1, 2, 3, 5, 6, 7]) cpu.setRegister(register, random.next());
  if (random.oneIn(8))
    cpu.setRegister(4, random.pick([ODD_PAGE + 0x800, ODD_PAGE + 0x1008, USER_STACK + 8, KERNEL_STACK + 8]));
  cpu.eflags = 0x3002 | (random.next() & 0xcd5) | usually(random, 6, IF, [0, NT, RF, AC, TF, NT | IF]);
  if (random.oneIn(16)) cpu.r[Word.NmiBlocked] = 1;
  cpu.eip = CODE;
}

/** All that a program could find out, now or later. */
function visible({ cpu, registers }: Rig, exit: RunExit): string {
  let sum = 0;
  for (const [from, to] of [
    [GDT, TSS + 0x2000],
    [KERNEL_STACK - 0x1000, HANDLER],
    [0x10000, 0x12000],
    [CODE, CODE + 0x10000],
  ]) {
    for (let word = from >> 2; word < to >> 2; word++)
      sum = (Math.imul(sum, 31) + cpu.words[(cpu.ram.byteOffset >> 2) + word]) | 0;
  }
  const { eip, eflags, instret, cycles, cpl, r } = cpu;
  const segments = Array.from({ length: 8 }, (_, segment) => cpu.segment(segment));
  const inside = [Word.Mode, Word.Attention, Word.ReadBit, Word.WriteBit, Word.NmiBlocked].map((word) => r[word]);
  return JSON.stringify({
    exit,
    eip,
    eflags,
    registers,
    instret,
    cycles,
    cpl,
    cr2: cpu.control(2),
    inside,
    segments,
    sum,
  });
}

function run(rig: Rig, seed: number): string {
  prepare(rig, new Random(seed));
  return visible(rig, rig.cpu.run(rig.cpu.instret + INSTRUCTIONS));
}

test("the short way does what the long way does, or leaves it to it", () => {
  const never = { enterFlat: () => 0, returnFlat: () => 0, loadFlat: () => 0 };
  const models = (["386", "486", "686"] as const).map((model) => {
    const rigs = [Infinity, Infinity, 0].map((compileAfter) => new Rig({ compileAfter, model }));
    for (const { cpu } of rigs) cpu.listener = null;
    Object.assign(rigs[0].cpu.runtime, never);
    return rigs;
  });
  let ends = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const seed = SEED * 100_000 + round;
    const replay = `TRANSFER_SEED=${seed / 100_000} TRANSFER_ROUNDS=1 node tests/run.mjs cpu/compile/transfers`;
    const [long, interpreted, compiled] = models[seed % models.length];
    const expected = run(long, seed);
    assert.is(run(interpreted, seed), expected, `interpreted: ${replay}`);
    assert.is(run(compiled, seed), expected, `compiled: ${replay}`);
    const { exit, eip } = JSON.parse(expected);
    if (exit === RunExit.Halted && eip === HANDLER + END + 1) ends++;
  }
  assert.ok(ends > ROUNDS / 8, `enough come to their end, not ${ends} of ${ROUNDS}`);
  assert.ok(ends < (ROUNDS * 7) / 8, `enough meet something odd, not ${ROUNDS - ends} of ${ROUNDS}`);
});

test.run();
