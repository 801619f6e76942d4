/**
 * Random instructions for a lockstep with the host, made from the rows of cpu/isa.ts, with every prefix, size and
 * addressing form, and registers, selectors and memory that let most of them succeed and some fail in each way.
 * May import cpu/, layout.ts. Everything comes from the seed.
 */
import { DecodeResult, decode } from "../../../cpu/decoder";
import { Instruction, NO_REGISTER, Segment } from "../../../cpu/instruction";
import { hasModrm, ROWS, type Row, RowFlag } from "../../../cpu/isa";
import { OPERAND_INFO, Size } from "../../../cpu/isa/operands";
import type { Random } from "../../fuzz/random";
import {
  CODE,
  CODE_BYTES,
  CODE16,
  CODE32,
  DATA,
  DATA_BYTES,
  descriptorOf,
  FLAT_SELECTORS,
  PAGE,
  SELECTORS,
  STACK,
} from "./layout";

/** An instruction's surroundings: what it finds, and what the generator may change so that it fits. */
export interface Surroundings {
  /** Registers as they will be. Those in `fixed` have been chosen by the generator. */
  registers: number[];
  fixed: Set<number>;
  /** ES CS SS DS FS GS. */
  selectors: readonly number[];
  pokes: [number, number][];
  /** A straight run: registers are not known unless fixed, nothing leaves the path. */
  straight: boolean;
}

const [EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI] = [0, 1, 2, 3, 4, 5, 6, 7];
const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const LOCK = 0xf0;
const REPEATS = [0xf2, 0xf3];
/** CF PF AF ZF SF DF OF, AC: what POPF and IRET are given. TF would stop the oracle. */
const POPPED_FLAGS = 0x040cd5;

/** Values at which results and flags turn. */
const EDGES = [
  ...[0, 1, -1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 0x7f, 0x80, 0xff, 0x100, 0x99, 0x9a],
  ...[0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0x55555555, 0xaaaaaaaa, 0xffff8000],
];

/** A 32-bit value, often one at which something turns. */
export function value(random: Random): number {
  const kind = random.below(3);
  if (kind === 0) return random.pick(EDGES) >>> 0;
  if (kind === 1) return ((random.next() & 1 ? -1 : 1) * random.below(300)) >>> 0;
  return random.next();
}

/** A linear address in the data window: mostly well inside, now and then at an edge of a page or a segment. */
function dataAddress(random: Random, straight: boolean): number {
  const kind = straight ? 0 : random.below(16);
  const near = random.below(17) - 8;
  if (kind === 10) return DATA + PAGE + near;
  if (kind === 11) return DATA + 2 * PAGE + near;
  if (kind === 12) return DATA + random.pick([0x7ff, 0x17ff]) + near;
  if (kind === 13) return DATA + (random.next() & 1 ? DATA_BYTES : 0) + near;
  if (kind === 14) return DATA + 2 * PAGE + random.below(PAGE);
  const address = DATA + 0x900 + random.below(0x600);
  return random.next() & 1 ? address & ~3 : address;
}

function stackAddress(random: Random, straight: boolean): number {
  if (!straight && random.oneIn(16)) return STACK + random.pick([0, PAGE]) + random.below(33) - 16;
  return (STACK + PAGE / 4 + random.below(PAGE / 2)) & (random.oneIn(4) ? -1 : ~3);
}

/** An offset at which a jump may land. */
function codeOffset(random: Random, selector: number): number {
  if (random.oneIn(16)) return random.next() & (random.next() & 1 ? 0xffff : -1);
  return random.below(CODE_BYTES) + (selector === CODE16 ? 0 : CODE);
}

function baseOf(selector: number): number {
  return descriptorOf(selector)?.base ?? 0;
}

function touchesStack(row: Row): boolean {
  return /^(push|pop|call|ret|enter|leave|int|iret)/.test(row.mnemonic);
}

/** Whether a straight run may have it: it goes on behind it, whatever happens, and changes no segment. */
export function runsStraight(row: Row): boolean {
  if (/^(popf|lar)/.test(row.mnemonic)) return false;
  return (row.flags & (RowFlag.Terminates | RowFlag.Privileged | RowFlag.IoSensitive)) === 0 || isShortBranch(row);
}

/** Whether it may be single-stepped: PUSHF would push the TF of the oracle's own stepping. */
export function runsStepped(row: Row): boolean {
  return !/^pushf/.test(row.mnemonic);
}

function isShortBranch(row: Row): boolean {
  return (row.operands[0] === "Jb" || row.operands[0] === "Jv") && !/^(call|jmp)$/.test(row.mnemonic);
}

/** What a branch in a straight run jumps over: INC EAX. */
const SKIPPED = [0x40];

function littleEndian(number: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => (number >>> (8 * i)) & 0xff);
}

/** The bytes of an instruction of a row: prefixes, opcode, ModRM, SIB, displacement and immediates at random. */
function encode(row: Row, random: Random, around: Surroundings): number[] {
  const { straight } = around;
  const prefixes: number[] = [];
  let operandSize = around.selectors[Segment.CS] === CODE16 ? 2 : 4;
  let addressSize = operandSize;
  const escaped = row.opcode > 0xff;
  // A 16-bit jump leaves the flat code segment.
  if (random.oneIn(4) && !(straight && isShortBranch(row))) {
    prefixes.push(0x66);
    operandSize = 6 - operandSize;
  }
  if (random.oneIn(straight ? 16 : 6)) {
    prefixes.push(0x67);
    addressSize = 6 - addressSize;
  }
  if (random.oneIn(6)) prefixes.push(random.pick(SEGMENT_PREFIXES));
  const repeats = (row.flags & RowFlag.RepAllowed) !== 0;
  // Behind 0F, and on NOP and jumps, a repeat prefix means something to later processors.
  if (repeats ? random.oneIn(2) : !escaped && row.opcode !== 0x90 && random.oneIn(40))
    prefixes.push(random.pick(REPEATS));
  const lockable = (row.flags & RowFlag.Lockable) !== 0;
  const locked = random.oneIn(lockable ? 6 : 60) && !(straight && !lockable);
  if (locked) prefixes.push(LOCK);
  for (let i = prefixes.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [prefixes[i], prefixes[j]] = [prefixes[j], prefixes[i]];
  }
  // Prefixes said twice, now and then up to 15 bytes and beyond.
  if (!straight && prefixes.length > 0 && random.oneIn(24)) {
    const [again] = prefixes;
    for (let i = random.below(14); i > 0; i--) prefixes.unshift(again);
  }
  const opcode = row.opcode + random.below(row.span);
  const bytes = [...prefixes, ...(escaped ? [0x0f] : []), opcode & 0xff];
  if (hasModrm(row)) {
    const memoryOnly = row.operands.some((operand) => /^M/.test(operand));
    // An x87 row is for memory or for registers; of the others of its opcode there are other rows.
    const seldom = memoryOnly || (locked && lockable);
    let registerForm = seldom ? !straight && random.oneIn(30) : random.oneIn(2);
    if (row.flags & RowFlag.Fpu) registerForm = !memoryOnly;
    const mod = registerForm ? 3 : random.below(3);
    const rm = row.rm >= 0 ? row.rm : random.below(8);
    const reg = row.digit >= 0 ? row.digit : random.below(8);
    bytes.push((mod << 6) | (reg << 3) | rm);
    if (mod !== 3) {
      let displacement = mod === 1 ? 1 : mod === 2 ? addressSize : 0;
      if (addressSize === 4 && rm === ESP) {
        const sib = random.below(256);
        bytes.push(sib);
        if ((sib & 7) === EBP && mod === 0) displacement = 4;
      } else if (mod === 0 && rm === (addressSize === 4 ? EBP : 6)) displacement = addressSize;
      bytes.push(...littleEndian(random.oneIn(2) ? random.below(0x1000) : value(random), displacement));
    }
  }
  for (const operand of row.operands) {
    switch (operand) {
      case "Ib":
      case "Ibs":
        bytes.push(value(random) & 0xff);
        break;
      case "Iw":
        bytes.push(...littleEndian(random.oneIn(8) ? value(random) : random.below(200), 2));
        break;
      case "Iv":
        bytes.push(...littleEndian(value(random), operandSize));
        break;
      case "Jb":
        bytes.push(straight ? SKIPPED.length : random.below(256));
        break;
      case "Jv":
        bytes.push(
          ...littleEndian(
            straight ? SKIPPED.length : random.oneIn(8) ? random.next() : random.below(3000),
            operandSize,
          ),
        );
        break;
      case "Ap": {
        const selector = random.pick([CODE16, CODE32, random.pick(SELECTORS)]);
        bytes.push(...littleEndian(codeOffset(random, selector), operandSize), ...littleEndian(selector, 2));
        break;
      }
      case "Ob":
      case "Ov":
        bytes.push(...littleEndian(0, addressSize));
    }
  }
  return bytes;
}

/** Chooses a register's value. */
function fix(around: Surroundings, register: number, to: number): void {
  around.registers[register] = to >>> 0;
  around.fixed.add(register);
}

/** A register's value, chosen now if a straight run has not yet chosen it. */
function known(around: Surroundings, register: number, random: Random): number {
  if (around.straight && !around.fixed.has(register)) fix(around, register, random.below(0x800));
  return around.registers[register];
}

/** Gives registers used without being named what they need. `insn` is decoded. */
function prepare(row: Row, insn: Instruction, random: Random, around: Surroundings): void {
  const { mnemonic } = row;
  const { straight, selectors } = around;
  const stack = () => stackAddress(random, straight) - baseOf(selectors[Segment.SS]);
  if (touchesStack(row) && (straight ? random.oneIn(3) : random.oneIn(2))) {
    // With a 16-bit stack the upper half is anything.
    const upper = selectors[Segment.SS] === 0x27 && random.oneIn(2) ? random.next() & 0xffff0000 : 0;
    fix(around, ESP, stack() + upper);
  }
  if (/^(enter|leave)$/.test(mnemonic)) fix(around, EBP, stack());
  if (row.flags & RowFlag.RepAllowed) {
    const down = insn.segmentOverride ? insn.segment : Segment.DS;
    fix(around, ESI, dataAddress(random, straight) - baseOf(selectors[down]));
    fix(around, EDI, dataAddress(random, straight) - baseOf(selectors[Segment.ES]));
    if (insn.prefixes & 6) fix(around, ECX, random.below(24));
  }
  if (mnemonic === "xlatb") {
    const segment = insn.segmentOverride ? insn.segment : Segment.DS;
    fix(around, EBX, dataAddress(random, straight) - baseOf(selectors[segment]) - random.below(128));
  }
  if (/^i?div$/.test(mnemonic) && (straight || random.below(3) > 0)) {
    fix(around, EDX, random.pick([0, 0, -1, random.below(100), -random.below(100)]));
    if (random.oneIn(2)) fix(around, EAX, random.below(0x8000));
  }
  if (/^(aa[adms]|da[as])$/.test(mnemonic)) fix(around, EAX, random.next());
  if (/^(loop|j.?cxz)/.test(mnemonic) && random.oneIn(2)) fix(around, ECX, random.below(3));
  if (/^(shl|shr|sar|ro[lr]|rc[lr]|sh[lr]d)$/.test(mnemonic) && row.operands.includes("CL") && random.oneIn(2))
    fix(around, ECX, random.below(40));
  if (/^cmpxchg$/.test(mnemonic) && random.oneIn(2)) fix(around, EAX, value(random));
  // Selectors in a register.
  if (/^(lar|lsl|verr|verw|lldt|ltr)$/.test(mnemonic) || (row.operands[0] === "Sw" && mnemonic === "mov")) {
    if (insn.rm >= 0) fix(around, insn.rm, ((random.next() & 0xffff0000) | random.pick(SELECTORS)) >>> 0);
  }
  if (/^bt/.test(mnemonic) && insn.rm < 0 && row.operands[1] === "Gv" && (straight || random.below(8) > 0))
    if (insn.reg !== ESP) fix(around, insn.reg, random.below(8000) - 4000);
}

/** Linear addresses wrap at 4 GB, offsets of 16-bit addressing at 64 KB. Gives r with r * factor = wanted mod 2^32. */
function divide(wanted: number, factor: number): number {
  if (factor === 2) return (wanted >>> 1) >>> 0;
  let inverse = 1;
  for (let i = 0; i < 5; i++) inverse = Math.imul(inverse, 2 - Math.imul(factor, inverse));
  return Math.imul(wanted, inverse) >>> 0;
}

/** Sets a register, the low half alone under 16-bit addressing. */
function fixAddress(around: Surroundings, register: number, to: number, addressSize: number): void {
  const upper = addressSize === 4 ? to : around.registers[register];
  fix(around, register, ((upper & 0xffff0000) | (to & 0xffff)) >>> 0);
}

/** Leads the memory operand into the windows by its registers or displacement. Gives the linear address, or -1. */
function aim(row: Row, insn: Instruction, bytes: number[], random: Random, around: Surroundings): number {
  const offsetOnly = row.operands.some((operand) => operand === "Ob" || operand === "Ov");
  if (!offsetOnly && !(hasModrm(row) && insn.rm < 0)) return -1;
  const stacks = insn.segment === Segment.SS && around.selectors[Segment.SS] === 0x27;
  const target = stacks ? stackAddress(random, around.straight) : dataAddress(random, around.straight);
  const offset = target - baseOf(around.selectors[insn.segment]);
  const { base, index, scale, displacement, addressSize } = insn;
  if (base !== NO_REGISTER) {
    if (base === index) fix(around, base, divide(offset - displacement, 1 + (1 << scale)));
    else {
      const indexed = index === NO_REGISTER ? 0 : known(around, index, random) << scale;
      fixAddress(around, base, offset - displacement - indexed, addressSize);
    }
  } else {
    const indexed = index === NO_REGISTER ? 0 : known(around, index, random) << scale;
    const at = bytes.length - immediateBytes(row, insn) - addressSize;
    for (const [i, byte] of littleEndian(offset - indexed, addressSize).entries()) bytes[at + i] = byte;
  }
  return target;
}

/** Bytes behind the displacement. */
function immediateBytes(row: Row, insn: Instruction): number {
  let bytes = 0;
  for (const operand of row.operands) {
    if (operand === "Ap" || !/^[IJ]/.test(operand)) continue;
    const { size } = OPERAND_INFO[operand];
    bytes += size === Size.V ? insn.operandSize : size;
  }
  return bytes;
}

/** Pokes a word where the instruction reads, when it wants something special there. */
function pokeOperands(row: Row, insn: Instruction, target: number, random: Random, around: Surroundings): void {
  const { pokes, registers, selectors } = around;
  if (around.straight) return;
  const wide = insn.operandSize;
  if (target >= 0) {
    const selector = random.pick(SELECTORS);
    if (row.operands.includes("Mp") && random.below(8) > 0) {
      const chosen = /^(call|jmp)$/.test(row.mnemonic) ? random.pick([CODE16, CODE32, selector]) : selector;
      const offset = /^(call|jmp)$/.test(row.mnemonic) ? codeOffset(random, chosen) : value(random);
      pokes.push([target, offset]);
      pokes.push([target + wide, chosen | (random.next() << 16)]);
    } else if (/^(lar|lsl|verr|verw|arpl)$/.test(row.mnemonic) || row.operands[0] === "Sw")
      pokes.push([target, (selector | (random.next() << 16)) >>> 0]);
    else if (row.mnemonic === "bound" && random.below(4) > 0) {
      const half = registers[insn.reg] >> 1;
      pokes.push([target, half - 5], [target + wide, half + 5 + random.below(2) * 0x7fffff]);
    } else if (/^(call|jmp)$/.test(row.mnemonic) && random.below(4) > 0)
      pokes.push([target, codeOffset(random, selectors[Segment.CS])]);
  }
  const top =
    (baseOf(selectors[Segment.SS]) + (selectors[Segment.SS] === 0x27 ? registers[ESP] & 0xffff : registers[ESP])) >>> 0;
  const { mnemonic } = row;
  const code = random.pick([CODE16, CODE32, random.pick(SELECTORS)]);
  if (/^popf/.test(mnemonic)) pokes.push([top, random.next() & POPPED_FLAGS]);
  else if (mnemonic === "pop" && insn.rm < 0 && /^[CDEFGS]S$/.test(row.operands[0]))
    pokes.push([top, random.pick(SELECTORS)]);
  else if (mnemonic === "ret") pokes.push([top, codeOffset(random, selectors[Segment.CS])]);
  else if (/^(retf|iret)/.test(mnemonic)) {
    pokes.push([top, codeOffset(random, code)], [top + wide, code]);
    if (mnemonic !== "retf") pokes.push([top + 2 * wide, random.next() & POPPED_FLAGS]);
  }
}

const scratch = new Instruction();

/** Whether an instruction keeps the single-step trap off until the next is over. */
function shadows(row: Row, insn: Instruction): boolean {
  if (row.mnemonic === "pop") return row.operands[0] === "SS";
  return row.mnemonic === "mov" && row.operands[0] === "Sw" && insn.reg === Segment.SS;
}

/** LES, LDS and BOUND of a register are VEX and EVEX prefixes, and the group of 0F 01 is full of later instructions. */
function hasLaterMeaning(row: Row): boolean {
  return [0xc4, 0xc5, 0x62, 0x8f, 0x0f01].includes(row.opcode);
}

export interface Generated {
  code: number[];
  shadows: boolean;
  /** Not an instruction. */
  invalid: boolean;
}

/** An instruction of a row, with its surroundings changed to fit; null when the draw was unlucky. */
export function generate(row: Row, random: Random, around: Surroundings): Generated | null {
  const bytes = encode(row, random, around);
  const size = around.selectors[Segment.CS] === CODE16 ? 2 : 4;
  const padded = Uint8Array.from([...bytes, ...new Array(16).fill(0x90)]);
  const result = decode(padded, 0, 16, size, scratch);
  // A LOCK or a register that is not allowed, or too many bytes: worth a case, but not in a straight run.
  if (result !== DecodeResult.Ok) {
    if (around.straight || hasLaterMeaning(row)) return null;
    // Which fault an overlong one that is also invalid raises, the manual does not say.
    const tooLong = result === DecodeResult.TooLong;
    return tooLong || bytes.length < 12 ? { code: bytes, shadows: false, invalid: true } : null;
  }
  if (ROWS[scratch.row] !== row || scratch.length !== bytes.length) return null;
  if (row.mnemonic === "int" && scratch.immediate === 0x80) return null;
  prepare(row, scratch, random, around);
  const target = aim(row, scratch, bytes, random, around);
  pokeOperands(row, scratch, target, random, around);
  if (around.straight && isShortBranch(row)) bytes.push(...SKIPPED);
  return { code: bytes, shadows: shadows(row, scratch), invalid: false };
}

/** An instruction of a row in flat 32-bit code that goes on behind it, and the registers that lead it to its operands. */
export interface Piece {
  code: number[];
  registers: ReadonlyMap<number, number>;
}

/** A piece, or null when the draw was unlucky. */
export function straightPiece(row: Row, random: Random, selectors = FLAT_SELECTORS): Piece | null {
  const registers = Array.from({ length: 8 }, () => value(random));
  const around: Surroundings = { registers, fixed: new Set(), selectors, pokes: [], straight: true };
  const generated = generate(row, random, around);
  if (generated === null) return null;
  return {
    code: generated.code,
    registers: new Map([...around.fixed].map((register) => [register, registers[register]])),
  };
}
