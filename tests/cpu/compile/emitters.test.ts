/**
 * Every instruction that compiled code does itself, by each of its forms, on values at which results and flags turn, and each
 * condition behind it: compiled and interpreted. loops.test.ts mixes the same with everything else, over and over; here many more
 * run once. More by EMITTER_ROUNDS and EMITTER_SEED.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RunExit } from "../../../cpu/cpu";
import { Attention, Word } from "../../../cpu/registers";
import { Random } from "../../fuzz/random";
import { runsStraight, straightPiece } from "../host/generate";
import { CODE, DATA, STACK } from "../host/layout";
import { COMPARED } from "../host/rows";
import { Rig } from "../rig";

const test = suite("cpu/compile/emitters");

const ROUNDS = Number(process.env.EMITTER_ROUNDS ?? 150);
const SEED = Number(process.env.EMITTER_SEED ?? 1);
const PIECES = 50;
/** Instructions until the next stop: a block of fifty PUSHADs must fit, or it would not run compiled. */
const BUDGET = 20_000;
/** Where conditions and flags are noted. */
const NOTES = 0x240000;
const NOTES_BYTES = 0x1000;
/** 40 bytes a piece: ESP, EFLAGS, and the other registers. */
const SNAPSHOTS = NOTES + NOTES_BYTES;
const WRITTEN: readonly (readonly [number, number])[] = [
  [NOTES, NOTES_BYTES + 0x800],
  [DATA, 0x3000],
  [STACK, 0x1000],
];

const EMITTED =
  /^(add|adc|sub|sbb|cmp|or|and|xor|test|inc|dec|neg|not|shl|shr|sar|i?mul|i?div|mov|movzx|movsx|lea|xchg|bswap|push|pop|pushad|popad|leave|cdq|cwde|cld|std|clc|stc|set.*|cmov.*)$/;
const STRINGS = /^(movs|stos)/;
/** By mnemonic, so that one of many forms is not more often met than one of few. */
const ROWS_OF = new Map<string, (typeof COMPARED)[number][]>();
for (const row of COMPARED.filter(runsStraight)) {
  if (!EMITTED.test(row.mnemonic) && !STRINGS.test(row.mnemonic)) continue;
  const kind = row.mnemonic.replace(/^(set|cmov).*/, "$1");
  ROWS_OF.set(kind, [...(ROWS_OF.get(kind) ?? []), row]);
}
const KINDS = [...ROWS_OF.values()];

const EDGES = [
  0, 1, 2, -1, -2, 0x7f, 0x80, 0xff, 0x8000, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0x55aa55aa, 31, 32, 33,
];
/** What may stand between an instruction and the condition on it, and leave flags in another way: CLC, STC, CLD, NOP, and none. */
const BETWEEN = [[], [], [], [0xf8], [0xf9], [0xfc], [0x90]];

function word(bytes: number[], value: number): number[] {
  return [...bytes, value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff];
}

function edge(random: Random): number {
  return random.oneIn(3) ? random.next() : random.pick(EDGES);
}

/** Values of registers that an instruction turns at: shifts by CL by nothing, quotients that do not fit by one. */
function specialRegisters(mnemonic: string, code: readonly number[]): (register: number) => number[] | undefined {
  if (/^(shl|shr|sar)$/.test(mnemonic)) return (register) => (register === 1 ? [0, 32, 1, 31] : undefined);
  // With the divisor in a register.
  if (mnemonic !== "idiv" || code[code.length - 1] < 0xc0) return () => undefined;
  return (register) => (register === 4 ? undefined : register === 0 ? [0x80000000, 0x80000000, 1] : [-1]);
}

/** The pieces' code; `starts` are their addresses, at which a run goes on that a fault has ended. */
function program(random: Random): { code: number[]; starts: number[] } {
  const code: number[] = [];
  const starts: number[] = [];
  const few = [edge(random), edge(random), edge(random)];
  for (let i = 0; i < PIECES; i++) {
    const row = random.pick(random.pick(KINDS));
    const piece = straightPiece(row, random);
    if (piece === null) continue;
    starts.push(CODE + code.length);
    const special = specialRegisters(row.mnemonic, piece.code);
    for (let register = 0; register < 8; register++) {
      const other = register === 4 ? STACK + 0x800 : random.oneIn(2) ? random.pick(few) : edge(random);
      const chosen = piece.registers.get(register) ?? other;
      code.push(...word([0xb8 + register], random.oneIn(2) ? chosen : random.pick(special(register) ?? [chosen])));
    }
    // The flags before: those of CMP, ADD, SBB, OR of two registers, or SAHF, which are not lazy; or of the piece before.
    const before = random.pick([0x39, 0x01, 0x19, 0x09]);
    if (random.oneIn(2)) code.push(before, 0xc0 | (random.below(4) << 3) | random.below(4));
    if (random.oneIn(4)) code.push(0x9e);
    code.push(...piece.code, ...random.pick(BETWEEN));
    // What follows is reached with the flags of either.
    if (random.oneIn(4)) code.push(0x70 + random.below(16), 1, 0x40);
    for (let notes = random.below(4); notes > 0; notes--) {
      code.push(...word([0x0f, 0x90 + random.below(16), 0x05], NOTES + random.below(NOTES_BYTES)));
    }
    // ADC of memory and an immediate: CF alone, and a new known result.
    if (random.oneIn(4)) code.push(...word([0x83, 0x15], NOTES + 4 * random.below(NOTES_BYTES / 4)), 0);
    // All registers: ESP by MOV, the others by PUSHAD. All flags: PUSHFD.
    code.push(...word([0x89, 0x25], SNAPSHOTS + 40 * i), ...word([0xbc], SNAPSHOTS + 40 * i + 40), 0x60);
    if (random.oneIn(2)) code.push(0x9c);
  }
  return { code: [...code, 0xcd, 0x81], starts };
}

function visible({ cpu, registers }: Rig, exit: RunExit): string {
  const { eip, eflags, instret, cycles } = cpu;
  return JSON.stringify({ exit, eip, eflags, registers, instret, cycles });
}

/** Runs all pieces; what could be seen at each stop, and of memory at the end. */
function run(rig: Rig, seed: number): string {
  const random = new Random(seed);
  const { cpu } = rig;
  const { code, starts } = program(random);
  for (const [from, bytes] of WRITTEN) {
    for (let at = from; at < from + bytes; at += 4) rig.word(at, edge(random));
  }
  const ring = seed % 2 === 0 ? 0 : 3;
  rig.ring(ring);
  cpu.ram.fill(0, CODE, CODE + 0x4000);
  cpu.ram.set(code, CODE);
  cpu.codeChanged(CODE, 0x4000);
  cpu.instret = 0;
  cpu.cycles = 0;
  cpu.r[Word.Attention] &= ~Attention.Halted;
  cpu.eip = CODE;
  const end = CODE + code.length;
  const stops: string[] = [];
  let begun = CODE;
  for (;;) {
    const exit = cpu.run(cpu.instret + BUDGET);
    stops.push(visible(rig, exit));
    // A repetition that does not end is left where it is. A frame says where a fault was, behind an error code if there is one.
    const stack = cpu.register(4);
    const [top, below] = stack + 8 <= cpu.ram.length ? [rig.word(stack), rig.word(stack + 4)] : [0, 0];
    const fault = exit !== RunExit.Halted ? cpu.eip : top >= CODE && top <= end ? top : below;
    const next = starts.find((start) => start > Math.max(fault, begun));
    if (next === undefined || exit === RunExit.TripleFault) break;
    begun = next;
    rig.ring(ring);
    cpu.r[Word.Attention] &= ~Attention.Halted;
    cpu.eip = next;
  }
  let sum = 0;
  for (const [from, bytes] of WRITTEN) {
    for (let at = from; at < from + bytes; at += 4) sum = (Math.imul(sum, 31) + rig.word(at)) | 0;
  }
  return `${stops.join("\n")}\n${sum}`;
}

/** Two machines that have run nothing yet: interpreted, and compiled at once. */
function machines(): [Rig, Rig] {
  const rigs: [Rig, Rig] = [new Rig({ compileAfter: Infinity }), new Rig({ compileAfter: 0 })];
  for (const { cpu } of rigs) cpu.listener = null;
  return rigs;
}

test("each instruction and each condition on it", () => {
  let [interpreted, compiled] = machines();
  let regions = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const seed = SEED * 100_000 + round;
    const replay = `EMITTER_SEED=${seed / 100_000} EMITTER_ROUNDS=1 node tests/run.mjs cpu/compile/emitters`;
    const before = compiled.cpu.blocks.compiled;
    assert.is(run(compiled, seed), run(interpreted, seed), replay);
    regions += compiled.cpu.blocks.compiled - before;
    // A machine that has shut down runs nothing any more.
    if ((compiled.cpu.r[Word.Attention] & Attention.TripleFault) !== 0) [interpreted, compiled] = machines();
  }
  assert.ok(regions >= 5 * ROUNDS, `most pieces run compiled: ${regions} regions in ${ROUNDS} rounds`);
});

test.run();
