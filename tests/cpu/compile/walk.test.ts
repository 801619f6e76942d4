/**
 * The page walk of compiled code (cpu/compile/walk.ts) against that of cpu/paging.ts: loads and stores all over pages whose table
 * entries have any bits and lead anywhere, each time round in another state of the TLB. Every access that faults is logged and
 * skipped. In the end even the charged TLB must be the same. More by WALK_ROUNDS and WALK_SEED.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MINIMAL_TLB, STANDARD_TLB, type TlbGeometry } from "../../../cpu/costs";
import { RunExit } from "../../../cpu/cpu";
import { creg } from "../../../cpu/encoder";
import { Random } from "../../fuzz/random";
import {
  ACCESSED,
  at,
  CODE0,
  CR0_WP,
  DIRTY,
  EAX,
  EBX,
  ECX,
  EDI,
  EDX,
  ESP,
  GDT,
  GLOBAL,
  HANDLER,
  IDT,
  KERNEL_STACK,
  LARGE,
  type Line,
  PRESENT,
  Rig,
  TSS,
  TSS_SELECTOR,
  USER,
  WRITE,
} from "../rig";

const test = suite("cpu/compile/walk");

const ROUNDS = Number(process.env.WALK_ROUNDS ?? 60);
const SEED = Number(process.env.WALK_SEED ?? 1);
const MEMORY = 4 << 20;
/** Where A20 does not count. */
const CODE = 0x280000;
const OTHER_CODE = CODE + 0x1000;
const STACK = CODE + 0xe000;
/** Where the handler logs CR2 and the error code, and how far it is. */
const LOG = 0x40000;
const LOG_AT = 0x3fff0;
const END = 0x81;
const [PSE, PGE] = [0x10, 0x80];
const CROWDED_TLB: TlbGeometry = { sets: 2, ways: 3, largeSets: 1, largeWays: 2, randomSeed: -1 };
const GEOMETRIES = [STANDARD_TLB, CROWDED_TLB, MINIMAL_TLB];
/** Linear addresses that are accessed: some pages of each of some slots of the directory, others of which hold the program. */
const SLOTS = [4, 5, 6, 7];
const FIRST_PAGE = 0x200;
const PAGES = 7;
const TABLES = 0x30000;
const DIRECTORY = 0x10000;
/** What programs may write, beside the directory. */
const WRITTEN: readonly (readonly [number, number])[] = [
  [TABLES, LOG + 0x4000],
  [0xc0000, 0xc1000],
  [0xe0000, 0xe1000],
  [0xff000, 0x100000],
  [0x200000, CODE + 0x10000],
  [0x300000, 0x380000],
  [MEMORY - 0x1000, MEMORY],
];
const TIMES = 3;
const ACCESSES = 30;

/** Two bytes each, so that the handler can skip them: MOV, MOV to memory, ADD, XCHG, CMP, MOV of a byte, PUSH. */
const ACCESS_BYTES = [
  [0x8b, 0x01],
  [0x89, 0x01],
  [0x01, 0x01],
  [0x87, 0x01],
  [0x3b, 0x01],
  [0x88, 0x01],
  [0xff, 0x31],
];

/** Bits of an entry: most often all that an access needs. */
function entryBits(random: Random): number {
  let bits = PRESENT | WRITE | USER | ACCESSED | DIRTY;
  for (const bit of [PRESENT, WRITE, USER, ACCESSED, DIRTY])
    if (random.oneIn(bit === PRESENT ? 16 : bit === WRITE ? 3 : 5)) bits &= ~bit;
  return random.oneIn(3) ? bits | GLOBAL : bits;
}

function frame(random: Random): number {
  const odd = [
    CODE,
    OTHER_CODE,
    OTHER_CODE,
    0xc0000,
    0xe0000,
    0xff000,
    MEMORY,
    MEMORY - 0x1000,
    0x7ffff000,
    -0x1000,
    TABLES,
  ];
  return random.oneIn(8) ? random.pick(odd) : 0x200000 + random.below(2) * 0x100000 + random.below(0x80) * 0x1000;
}

function program(random: Random, ring: number): (Line | string)[] {
  const lines: (Line | string)[] = ["round", ["mov", EBX, ESP]];
  let page = SLOTS[0] << 22;
  for (let i = 0; i < ACCESSES; i++) {
    if (!random.oneIn(3)) page = (random.pick(SLOTS) << 22) | ((FIRST_PAGE + random.below(PAGES)) << 12);
    const offset = random.oneIn(12) ? 0xffe : random.below(0x3ff) * 4;
    lines.push(["mov", ECX, page | offset], ["db", ...random.pick(ACCESS_BYTES)]);
    if (random.oneIn(12)) lines.push(["mov", ECX, OTHER_CODE], ["call", ECX]);
    if (ring === 0 && random.oneIn(24)) lines.push(["invlpg", at(null, page, 1)]);
  }
  const flush: Line[] = [
    ["mov", EDX, creg(3)],
    ["mov", creg(3), EDX],
  ];
  return [
    ...lines,
    ...(ring === 0 && random.oneIn(2) ? flush : []),
    ["mov", ESP, EBX],
    ["dec", EDI],
    ["jnz", "@round"],
    ["int", END],
    ["org", OTHER_CODE],
    ["inc", EAX],
    ["ret"],
  ];
}

function prepare(rig: Rig, random: Random): void {
  const { cpu } = rig;
  cpu.reset();
  cpu.setA20(1);
  for (const [from, to] of WRITTEN) cpu.ram.fill(0, from, to);
  cpu.setDescriptorTable("gdt", GDT, 0xfff);
  cpu.setDescriptorTable("idt", IDT, 0x7ff);
  cpu.setSegment(7, { selector: TSS_SELECTOR, base: TSS, limit: 0x67, attributes: 0x8b00 });
  cpu.ram.fill(0xf4, HANDLER, HANDLER + 256);
  for (let vector = 0; vector < 256; vector++) rig.gate(vector, HANDLER + vector, CODE0, 0xee);
  rig.word(LOG_AT, LOG);
  const ring = random.oneIn(2) ? 3 : 0;
  rig.code(CODE, ...program(random, ring));
  const handler = rig.code(
    HANDLER + 0x200,
    ["push", EAX],
    ["push", EDX],
    ["mov", EDX, at(null, LOG_AT)],
    ["mov", EAX, creg(2)],
    ["mov", at(EDX), EAX],
    ["mov", EAX, at(ESP, 8)],
    ["mov", at(EDX, 4), EAX],
    ["add", at(null, LOG_AT), 8],
    ["add", at(ESP, 12), 2],
    ["pop", EDX],
    ["pop", EAX],
    ["lea", ESP, at(ESP, 4)],
    ["iretd"],
  );
  assert.ok(handler.end < HANDLER + 0x1000);
  rig.gate(14, HANDLER + 0x200, CODE0, 0xee);
  for (let page = CODE; page < CODE + 0x10000; page += 0x1000) rig.map(page, page);
  for (const [index, slot] of SLOTS.entries()) {
    const table = TABLES + index * 0x1000;
    for (let page = 0; page < PAGES; page++)
      rig.word(table + 4 * (FIRST_PAGE + page), frame(random) | entryBits(random));
    const where = random.oneIn(12) ? random.pick([MEMORY, 0x7ffff000]) : table;
    const large = random.oneIn(5) ? LARGE : 0;
    // As a large page, a whole one of RAM.
    rig.word(DIRECTORY + 4 * slot, (large !== 0 && random.oneIn(2) ? 0 : where) | entryBits(random) | large);
  }
  const cr4 = (random.oneIn(2) ? PSE : 0) | (random.oneIn(2) ? PGE : 0);
  rig.page(random.oneIn(2) ? CR0_WP : 0, cr4).ring(ring);
  if (random.oneIn(12)) cpu.setA20(0);
  cpu.setRegister(7, TIMES);
  cpu.setRegister(4, ring === 3 ? STACK + 0x800 : KERNEL_STACK);
  cpu.eip = CODE;
}

function visible({ cpu, registers }: Rig, exit: RunExit): string {
  let sum = 0;
  for (const [from, to] of [...WRITTEN, [DIRECTORY, DIRECTORY + 0x2000]]) {
    const first = cpu.ram.byteOffset >> 2;
    for (let word = from >> 2; word < to >> 2; word++) sum = (Math.imul(sum, 31) + cpu.words[first + word]) | 0;
  }
  const { eip, eflags, instret, cycles } = cpu;
  const tlb = [...cpu.tlb.save()].join();
  return JSON.stringify({ exit, eip, eflags, registers, instret, cycles, cr2: cpu.control(2), sum, tlb });
}

function run(rig: Rig, seed: number): string {
  prepare(rig, new Random(seed));
  return visible(rig, rig.cpu.run(50_000));
}

test("pages whose table entries have any bits are walked alike", () => {
  const rigs = GEOMETRIES.map((tlb) =>
    [Infinity, 0, 1].map((compileAfter) => new Rig({ tlb, compileAfter, memoryBytes: MEMORY })),
  );
  for (const { cpu } of rigs.flat()) cpu.listener = null;
  let ends = 0;
  let faults = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const seed = SEED * 100_000 + round;
    const replay = `WALK_SEED=${seed / 100_000} WALK_ROUNDS=1 node tests/run.mjs cpu/compile/walk`;
    const [interpreted, atOnce, soon] = rigs[seed % rigs.length];
    const expected = run(interpreted, seed);
    assert.is(run(atOnce, seed), expected, `compiled at once: ${replay}`);
    assert.is(run(soon, seed), expected, `compiled after a run: ${replay}`);
    const { exit, eip } = JSON.parse(expected);
    if (exit === RunExit.Halted && eip === HANDLER + END + 1) ends++;
    if (interpreted.word(LOG_AT) !== LOG) faults++;
  }
  assert.ok(ends > ROUNDS / 2, `most come to their end, not ${ends} of ${ROUNDS}`);
  assert.ok(faults > ROUNDS / 2, `most meet page faults, not ${faults} of ${ROUNDS}`);
});

test.run();
