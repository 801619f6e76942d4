/**
 * Sequences of random instructions on the host and on our processor, side by side: registers, flags, segments, memory, x87
 * state, and of a fault its kind and address. A sequence comes from one number, its seed, and can be run again alone.
 * May import cpu/ and this folder.
 */
import { DecodeResult, decode } from "../../../cpu/decoder";
import { disassemble } from "../../../cpu/disassembler";
import { Instruction } from "../../../cpu/instruction";
import { ROWS, type Row, RowFlag } from "../../../cpu/isa";
import { Random } from "../../fuzz/random";
import { maskedFlags } from "../undefinedflags";
import { FaultPair } from "./faultpair";
import { fpuDifference, randomFpu } from "./fpu";
import { generate, runsStepped, runsStraight, type Surroundings, straightPiece, value } from "./generate";
import {
  CODE,
  CODE_BYTES,
  CODE16,
  CODE32,
  Control,
  DATA_SELECTORS,
  DATA32,
  FLAT_SELECTORS,
  STACK16,
  type Step,
} from "./layout";
import { type Native, type NativeOutcome, ranThrough, SI_KERNEL, tellsOf } from "./native";
import type { OurOutcome, Ours } from "./ours";
import { COMPARED } from "./rows";
import { type Aspect, tolerated } from "./tolerances";

/** Instructions of a stepped sequence, and of a straight run. */
const STEPS = 24;
const RUN = 10;
/** Most repetitions of a step. */
const LIMIT = 40;
/** CF PF AF ZF SF DF OF, IF, AC. ptrace sets neither NT nor ID, so that nothing here changes them. */
const COMPARED_FLAGS = 0x040ed5;
const ARITHMETIC = 0x8d5;
const DF = 0x400;
const INT3 = 0xcc;
const PAGE_FAULT = 14;

/** A step with what ours did, waiting for the host. */
interface Trial {
  step: Step;
  ours: OurOutcome;
  /** The seed of its sequence, and its number there. */
  seed: number;
  number: number;
  /** Its rows; one, or those of a straight run. */
  rows: readonly Row[];
  /** Flags that it leaves undefined, and in which we differ. */
  ignoredFlags: number;
}

export interface Mismatch {
  seed: number;
  number: number;
  text: string;
}

export interface Settings {
  native: Native;
  ours: Ours;
  /** Rows to take instructions from. */
  rows: readonly Row[];
  /** Called for each instruction that was compared. */
  counted?: (row: Row) => void;
}

function randomFlags(random: Random): number {
  return 0x202 | (random.next() & ARITHMETIC) | (random.oneIn(4) ? DF : 0);
}

/** ES CS SS DS FS GS: flat most of the time. */
function randomSelectors(random: Random): number[] {
  if (random.below(3) > 0) return [...FLAT_SELECTORS];
  const data = () => (random.oneIn(2) ? DATA32 : random.pick(DATA_SELECTORS));
  const selectors = [data(), CODE32, DATA32, data(), data(), data()];
  if (random.oneIn(2)) selectors[1] = CODE16;
  if (random.oneIn(2)) selectors[2] = STACK16;
  return selectors;
}

function at(random: Random, selector: number, codeBytes: number): { eip: number; codeAt: number } {
  // Now and then across the page, or into the page that is not there.
  const kind = random.below(24);
  let offset = 0x100 + random.below(0x800);
  if (kind === 0) offset = 0x1000 - random.below(16);
  else if (kind === 1) offset = CODE_BYTES - codeBytes + random.below(4) - 1;
  return { codeAt: CODE + offset, eip: selector === CODE16 ? offset : CODE + offset };
}

/** A sequence of single steps, run on ours as it is made: each instruction is fitted to the state that it will find. */
function stepped(seed: number, random: Random, { ours, rows }: Settings): Trial[] {
  const trials: Trial[] = [];
  let registers = Array.from({ length: 8 }, () => value(random));
  let eflags = randomFlags(random);
  let selectors: readonly number[] = randomSelectors(random);
  for (let number = 0; number < STEPS; number++) {
    for (let i = random.below(4); i > 0; i--) registers[random.below(8)] = value(random);
    if (random.oneIn(4)) eflags = (eflags & ~(ARITHMETIC | DF)) | randomFlags(random);
    // What loads segments brings the odd ones in; most of the time they go again.
    if (random.oneIn(4)) selectors = randomSelectors(random);
    const row = random.pick(rows);
    if (!runsStepped(row)) continue;
    const around: Surroundings = { registers, fixed: new Set(), selectors, pokes: [], straight: false };
    const generated = generate(row, random, around);
    if (generated === null) continue;
    const { code } = generated;
    const first = trials.length === 0;
    const control = (first ? Control.Fresh | Control.FpuSet : 0) | (row.flags & RowFlag.Fpu ? Control.FpuGet : 0);
    const step: Step = {
      ...(first ? { fpu: randomFpu(random) } : {}),
      ...{ control, seed, limit: LIMIT, eflags, pokes: around.pokes },
      ...{ registers: [...around.registers], selectors, shadows: generated.shadows },
      ...at(random, selectors[1], generated.invalid ? 16 : code.length),
      code: [...code, 0x90, 0x90],
    };
    const outcome = ours.run(step);
    trials.push({
      step,
      ours: outcome,
      seed,
      number,
      rows: [row],
      ignoredFlags: ignored(code, selectors[1], around.registers[1], row),
    });
    registers = [...outcome.registers];
    eflags = outcome.eflags;
    selectors = outcome.selectors;
    // ptrace sets no selector of another privilege level than 3.
    const odd = selectors.some((selector) => selector !== 0 && (selector & 3) !== 3);
    if (odd || (selectors[1] !== CODE16 && selectors[1] !== CODE32)) selectors = randomSelectors(random);
  }
  return trials;
}

/** A straight run: instructions with the moves that set up their registers, then INT3; one block for our processor. */
function straight(seed: number, random: Random, { ours, rows }: Settings): Trial[] {
  const selectors = randomSelectors(random);
  const usable = rows.filter(runsStraight);
  if (usable.length === 0) return [];
  const registers = Array.from({ length: 8 }, () => value(random));
  const code: number[] = [];
  const used: Row[] = [];
  for (let number = 0; number < RUN; number++) {
    const row = random.pick(usable);
    const piece = straightPiece(row, random, selectors);
    // An undefined flag would come through in a later SETcc or PUSHF.
    if (piece === null || ignored(piece.code, selectors[1], 2, row) !== 0) continue;
    const wide = selectors[1] === CODE16 ? [0x66] : [];
    for (const [register, to] of piece.registers)
      code.push(...wide, 0xb8 + register, ...[0, 8, 16, 24].map((shift) => (to >>> shift) & 0xff));
    code.push(...piece.code);
    used.push(row);
  }
  code.push(INT3);
  const step: Step = {
    ...{
      control: Control.Fresh | Control.Straight | Control.FpuSet | Control.FpuGet,
      fpu: randomFpu(random),
      seed,
      limit: 1,
      eflags: randomFlags(random),
      pokes: [],
    },
    ...{ registers, selectors, shadows: false, code, ...at(random, selectors[1], code.length) },
  };
  return [{ step, ours: ours.run(step), seed, number: 0, rows: used, ignoredFlags: 0 }];
}

const scratch = new Instruction();

/** Flags not to compare after the instruction of a row, with ECX as it is before. */
function ignored(code: readonly number[], codeSelector: number, ecx: number, row: Row): number {
  const size = codeSelector === CODE16 ? 2 : 4;
  if (decode(Uint8Array.from([...code, ...new Array(16).fill(0)]), 0, 16, size, scratch) !== DecodeResult.Ok) return 0;
  const kind = row.operands[row.operands.length - 1];
  const count = kind === "1" ? 1 : kind === "CL" ? ecx : scratch.immediate;
  const bits = row.operands.includes("Eb") ? 8 : 8 * scratch.operandSize;
  return maskedFlags(row.mnemonic, count & 31, bits, kind === "Ib");
}

/** The trials of the sequence that a seed stands for. */
function sequence(seed: number, settings: Settings): Trial[] {
  const random = new Random(seed);
  return random.oneIn(4) ? straight(seed, random, settings) : stepped(seed, random, settings);
}

const REGISTER_NAMES = "eax ecx edx ebx esp ebp esi edi".split(" ");
const SEGMENT_NAMES = "es cs ss ds fs gs".split(" ");

function hex(number: number): string {
  return (number >>> 0).toString(16);
}

/** LAR of 32 bits: these of the result are undefined (SDM volume 2, LAR). The host shows the descriptor's, ours are 0. */
const LAR_UNDEFINED = 0xf0000;

/** The bits of a general register that an instruction leaves undefined. */
function undefinedBits({ step, rows }: Trial, register: number): number {
  if (rows[0].mnemonic !== "lar" || !decodeAt(step, 0)) return 0;
  return scratch.operandSize === 4 && scratch.reg === register ? LAR_UNDEFINED : 0;
}

interface Difference {
  aspect: Aspect;
  text: string;
}

/** The differences between what the host and what ours did: of each aspect the first. */
function differences(trial: Trial, host: NativeOutcome): Difference[] {
  const { step, ours, ignoredFlags } = trial;
  const found: Difference[] = [];
  const differ = (aspect: Aspect, text: string): void => {
    if (found.every((difference) => difference.aspect !== aspect)) found.push({ aspect, text });
  };
  const cr2 = ours.vector === PAGE_FAULT && host.code !== SI_KERNEL ? host.address : ours.cr2;
  const told = `host: signal ${host.signal} (${host.code}) at ${hex(host.address)}, eip ${hex(host.eip)}; ours: vector ${ours.vector}, cr2 ${hex(ours.cr2)}, eip ${hex(ours.eip)}`;
  if (!tellsOf(host, ours.vector, cr2)) differ("vector", told);
  else if (!tellsOf(host, ours.vector, ours.cr2)) differ("cr2", told);
  if (host.eip !== ours.eip) differ("eip", `eip: host ${hex(host.eip)}, ours ${hex(ours.eip)}`);
  for (const [i, register] of host.registers.entries()) {
    if (((register ^ ours.registers[i]) & ~undefinedBits(trial, i)) !== 0)
      differ("registers", `${REGISTER_NAMES[i]}: host ${hex(register)}, ours ${hex(ours.registers[i])}`);
  }
  for (const [i, selector] of host.selectors.entries()) {
    if (selector !== ours.selectors[i])
      differ("selectors", `${SEGMENT_NAMES[i]}: host ${hex(selector)}, ours ${hex(ours.selectors[i])}`);
  }
  if (((host.eflags ^ ours.eflags) & COMPARED_FLAGS & ~ignoredFlags) !== 0)
    differ(
      "flags",
      `flags: host ${hex(host.eflags & COMPARED_FLAGS)}, ours ${hex(ours.eflags & COMPARED_FLAGS)}, before ${hex(step.eflags)}`,
    );
  const words = Math.max(host.changes.length, ours.changes.length);
  for (let i = 0; i < words; i += 2) {
    if (host.changes[i] === ours.changes[i] && host.changes[i + 1] === ours.changes[i + 1]) continue;
    const word = ({ changes }: { changes: number[] }) =>
      i < changes.length ? `${hex(changes[i])} = ${hex(changes[i + 1])}` : "none";
    differ("memory", `memory: host ${word(host)}, ours ${word(ours)}`);
  }
  if (host.fpu === undefined || ours.fpu === undefined) return found;
  const fpu = fpuDifference(host.fpu, ours.fpu);
  if (fpu !== undefined) differ("x87", fpu);
  return found;
}

/** Decodes the instruction at an offset of a step's code into `scratch`; false when it is none. */
function decodeAt({ code, selectors }: Step, offset: number): boolean {
  if (offset < 0 || offset >= code.length) return false;
  const bytes = Uint8Array.from([...code, ...new Array(16).fill(0)]);
  return decode(bytes, offset, 16, selectors[1] === CODE16 ? 2 : 4, scratch) === DecodeResult.Ok;
}

/** The instruction that faulted on both sides, or undefined: it did not, or is none. */
function faultPair({ step, ours }: Trial, host: NativeOutcome): FaultPair | undefined {
  if (ours.vector < 0 || ranThrough(host) || !decodeAt(step, ours.eip - step.eip)) return undefined;
  return new FaultPair(ROWS[scratch.row], scratch, ours, host);
}

/** The code of a step as text, one instruction a line. */
function listing({ code, selectors, eip }: Step, straightRun: boolean): string {
  const lines: string[] = [];
  const bytes = Uint8Array.from([...code, ...new Array(16).fill(0)]);
  for (let offset = 0; offset < code.length - (straightRun ? 1 : 2); offset += scratch.length) {
    const result = decode(bytes, offset, 16, selectors[1] === CODE16 ? 2 : 4, scratch);
    const text = result === DecodeResult.Ok ? disassemble(scratch, eip + offset) : "(bad)";
    lines.push(`    ${Buffer.from(bytes.subarray(offset, offset + scratch.length)).toString("hex")}  ${text}`);
    if (result !== DecodeResult.Ok) break;
  }
  return lines.join("\n");
}

function report(trial: Trial, what: string): Mismatch {
  const { step, seed, number } = trial;
  const registers = step.registers.map((register, i) => `${REGISTER_NAMES[i]}=${hex(register)}`).join(" ");
  const segments = step.selectors.map((selector, i) => `${SEGMENT_NAMES[i]}=${hex(selector)}`).join(" ");
  const text = [
    `${what}`,
    listing(step, (step.control & Control.Straight) !== 0),
    `  at eip=${hex(step.eip)} ${registers} eflags=${hex(step.eflags)} ${segments}`,
    ...(step.pokes.length > 0 ? [`  memory ${step.pokes.map(([a, v]) => `${hex(a)}=${hex(v)}`).join(" ")}`] : []),
  ].join("\n");
  return { seed, number, text };
}

export interface Batch {
  /** Instructions compared. */
  instructions: number;
  /** The first mismatch of each sequence that has one. */
  mismatches: Mismatch[];
}

/** Runs the sequences of seeds `first` to `first + count - 1`. */
export function runSequences(first: number, count: number, settings: Settings): Batch {
  const trials: Trial[] = [];
  for (let seed = first; seed < first + count; seed++) trials.push(...sequence(seed, settings));
  const outcomes = settings.native.run(trials.map(({ step }) => step));
  const batch: Batch = { instructions: 0, mismatches: [] };
  let failed = -1;
  for (const [index, trial] of trials.entries()) {
    batch.instructions += trial.rows.length;
    // Behind a mismatch memory is no longer the same.
    if (trial.seed === failed) continue;
    for (const row of trial.rows) settings.counted?.(row);
    const found = differences(trial, outcomes[index]);
    if (found.length === 0) continue;
    const pair = faultPair(trial, outcomes[index]);
    const what = found.find(({ aspect }) => pair === undefined || !tolerated(pair, aspect));
    if (what !== undefined) batch.mismatches.push(report(trial, what.text));
    // The state is still the same when only the fault's name differs.
    if (what !== undefined || found.some(({ aspect }) => aspect !== "vector" && aspect !== "cr2")) failed = trial.seed;
  }
  return batch;
}

/** Rows whose mnemonic matches, of those that the host judges. */
export function rowsNamed(pattern: RegExp): readonly Row[] {
  return COMPARED.filter((row) => pattern.test(row.mnemonic));
}
