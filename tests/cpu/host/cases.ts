/**
 * Random user-mode instructions for a lockstep with the host's processor, made from the rows of cpu/isa.ts: a new row is
 * tested without anyone remembering to. Every operand in memory lies in the data or stack window.
 */
import { DecodeResult, decode } from "../../../cpu/decoder";
import { Instruction, NO_REGISTER } from "../../../cpu/instruction";
import { hasModrm, INVALID_ROW, ROWS, type Row, RowFlag } from "../../../cpu/isa";
import type { Random } from "../../fuzz/random";

export const CODE = 0x100000;
export const DATA = 0x200000;
export const STACK = 0x300000;
export const AREA = 0x10000;
export const WINDOW = 2048;
export const WINDOW_START = AREA / 2 - WINDOW / 2;

export interface Case {
  code: number[];
  /** EAX ECX EDX EBX ESP EBP ESI EDI. */
  registers: number[];
  eflags: number;
  seed: number;
  /** The row of its last instruction. */
  row: Row;
}

/** Rows that a user program may run and whose result does not depend on the system around it. */
const FORBIDDEN =
  /^(push s|mov s|sgdt|sidt|sldt|str|smsw|lar|lsl|verr|verw|cpuid|popf|int|iret|retf|les|lds|lfs|lgs|lss|ud2|far)/;

function usable(row: Row): boolean {
  if (row.flags & (RowFlag.Privileged | RowFlag.IoSensitive | RowFlag.Fpu)) return false;
  if (row.operands.some((o) => ["Sw", "Cd", "Dd", "Ap", "Mp", "ES", "CS", "SS", "DS", "FS", "GS"].includes(o)))
    return false;
  if (row.flags & RowFlag.Terminates && !/^(j[a-z]+|loop.*|call)$/.test(row.mnemonic)) return false;
  // An indirect jump would have to find its way back.
  if (/^(call|jmp)$/.test(row.mnemonic) && row.operands[0] !== "Jb" && row.operands[0] !== "Jv") return false;
  return row !== ROWS[INVALID_ROW] && !FORBIDDEN.test(row.mnemonic);
}

export const USABLE: readonly Row[] = ROWS.filter(usable);

function isBranch(row: Row): boolean {
  return (row.operands[0] === "Jb" || row.operands[0] === "Jv") && row.mnemonic !== "call";
}

/** Values at which flags turn. */
const EDGES = [
  0, 1, -1, 2, 7, 8, 15, 16, 31, 32, 33, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff,
  0x80000000,
];

function value(random: Random): number {
  const edge = random.below(3);
  if (edge === 0) return EDGES[random.below(EDGES.length)] | 0;
  if (edge === 1) return ((random.next() & 1 ? -1 : 1) * random.below(300)) | 0;
  return random.next() | 0;
}

const [EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI] = [0, 1, 2, 3, 4, 5, 6, 7];

/** An address well inside the data window. */
function dataAddress(random: Random): number {
  return DATA + AREA / 2 - 512 + random.below(1024);
}

function stackAddress(random: Random): number {
  return STACK + AREA / 2 - 64 + random.below(128);
}

/** The bytes of a random instruction of a row. */
function encodeRow(row: Row, random: Random): number[] {
  const bytes: number[] = [];
  const repeats = (row.flags & RowFlag.RepAllowed) !== 0;
  const hasV =
    row.operands.some((o) => o.endsWith("v") || o === "Ibs" || o === "eAX") || row.mnemonic !== row.mnemonic16;
  // A 16-bit jump or call leaves the code; Jb is cut by the prefix too.
  const jumps = isBranch(row) || row.mnemonic === "call";
  if (!jumps && (hasV || /^(enter|leave)$/.test(row.mnemonic)) && random.below(3) === 0) bytes.push(0x66);
  if (repeats && random.below(2) === 0) bytes.push(random.below(2) ? 0xf3 : 0xf2);
  if (/^(loop|jecxz)/.test(row.mnemonic) && random.below(4) === 0) bytes.push(0x67);
  // A branch that is taken jumps over one byte, a call to the next instruction.
  const distance = row.mnemonic === "call" ? 0 : 1;
  const opcode = row.opcode + random.below(row.span);
  if (opcode > 0xff) bytes.push(0x0f);
  bytes.push(opcode & 0xff);
  if (hasModrm(row)) {
    const reg = row.digit >= 0 ? row.digit : random.below(8);
    const memoryOnly = row.operands.some((o) => o === "M" || o === "Ma");
    const mod = memoryOnly || random.below(2) ? [0, 1, 2][random.below(3)] : 3;
    const rm = random.below(8);
    bytes.push((mod << 6) | (reg << 3) | rm);
    if (mod !== 3) {
      let base = rm;
      if (rm === ESP) {
        const sib = random.below(256);
        base = sib & 7;
        bytes.push(sib);
      }
      if (mod === 1) bytes.push(random.below(256));
      else if (mod === 2 || base === EBP)
        for (const shift of [0, 8, 16, 24]) bytes.push((random.below(0x4000) >> shift) & 0xff);
    }
  }
  for (const operand of row.operands) {
    const wide = bytes[0] === 0x66 ? 2 : 4;
    if (operand === "Ib" || operand === "Ibs") bytes.push(random.below(4) ? value(random) & 0xff : random.below(256));
    else if (operand === "Iw") bytes.push(random.below(200), 0);
    else if (operand === "Iv") {
      const v = value(random);
      for (let i = 0; i < wide; i++) bytes.push((v >> (8 * i)) & 0xff);
    } else if (operand === "Jb") bytes.push(distance);
    else if (operand === "Jv") bytes.push(distance, 0, 0, 0);
    else if (operand === "Ob" || operand === "Ov") {
      const address = dataAddress(random);
      for (const shift of [0, 8, 16, 24]) bytes.push((address >> shift) & 0xff);
    }
  }
  return bytes;
}

/** Sets registers so that the instruction's memory operand lies in the data window; false when that cannot be. */
function aim(insn: Instruction, bytes: number[], registers: number[], random: Random): boolean {
  const row = ROWS[insn.row];
  const memory = hasModrm(row) && insn.rm < 0;
  const bits = /^bt/.test(row.mnemonic) && row.operands[1] === "Gv" && memory;
  if (bits) {
    if (insn.reg === insn.base || insn.reg === insn.index || insn.reg === ESP) return false;
    registers[insn.reg] = random.below(4000) - 2000;
  }
  if (!memory || row.mnemonic === "lea") return true;
  const address = dataAddress(random);
  if (insn.base === NO_REGISTER) {
    // The displacement is the address, less what the index adds. It is the 4 bytes before the immediate.
    if (insn.index !== NO_REGISTER) registers[insn.index] = random.below(16);
    const displacement = address - (insn.index === NO_REGISTER ? 0 : registers[insn.index] << insn.scale);
    const view = new DataView(Uint8Array.from(bytes).buffer);
    for (let offset = bytes.length - 4; offset > 0; offset--) {
      if (view.getInt32(offset, true) !== insn.displacement) continue;
      for (let i = 0; i < 4; i++) bytes[offset + i] = (displacement >> (8 * i)) & 0xff;
      return insn.index !== ESP;
    }
    return false;
  }
  if (insn.index === insn.base) {
    registers[insn.base] = Math.floor((address - insn.displacement) / (1 + (1 << insn.scale)));
    return true;
  }
  let indexed = 0;
  if (insn.index !== NO_REGISTER) {
    registers[insn.index] = random.below(16);
    indexed = registers[insn.index] << insn.scale;
  }
  registers[insn.base] = address - insn.displacement - indexed;
  return true;
}

/** Registers that an instruction uses without naming them. */
function prepare(row: Row, registers: number[], random: Random): void {
  const { mnemonic } = row;
  if (row.flags & RowFlag.RepAllowed) {
    registers[ESI] = dataAddress(random);
    registers[EDI] = dataAddress(random);
    registers[ECX] = random.below(24);
  }
  if (mnemonic === "xlatb") registers[EBX] = dataAddress(random) & ~0xff;
  if (mnemonic === "leave" || mnemonic === "enter") registers[EBP] = stackAddress(random);
  if (/div$/.test(mnemonic) && random.below(3))
    registers[EDX] = [0, -1, random.below(100), -random.below(100)][random.below(4)];
  if (/^(cmpxchg)$/.test(mnemonic) && random.below(2)) registers[EAX] = value(random);
}

/** A count of 1 defines OF of a shift or rotation; bytes and registers say what the count is. */
function countIsOne(one: Case): boolean {
  const kind = one.row.operands[one.row.operands.length - 1];
  const count = kind === "1" ? 1 : kind === "CL" ? one.registers[ECX] : one.code[one.code.length - 1];
  return (count & 31) === 1;
}

const OF = 0x800;

/** Flags that the manual leaves undefined and in which we differ from the host, for a case. */
export function undefinedFlags(one: Case): number {
  const { mnemonic } = one.row;
  if (/^(rol|ror|rcl|rcr|shl|shr|shld|shrd)$/.test(mnemonic)) return countIsOne(one) ? 0 : OF;
  // The host clears ZF.
  if (/^i?mul$/.test(mnemonic)) return 0x40;
  // All but ZF.
  return /^bs[fr]$/.test(mnemonic) ? 0x895 : 0;
}

const scratch = new Instruction();

/** One instruction of a random row with registers fit for it, or null when the draw was unlucky. */
function instruction(random: Random, registers: number[], row: Row): number[] | null {
  const bytes = encodeRow(row, random);
  const padded = Uint8Array.from([...bytes, ...new Array(16).fill(0)]);
  if (decode(padded, 0, 16, 4, scratch) !== DecodeResult.Ok || ROWS[scratch.row] !== row) return null;
  prepare(row, registers, random);
  if (!aim(scratch, bytes, registers, random)) return null;
  // A LOCK where it may stand.
  const lockable = (row.flags & RowFlag.Lockable) !== 0 && hasModrm(row) && scratch.rm < 0;
  if (lockable && random.below(8) === 0) bytes.unshift(0xf0);
  // INC EAX is what a branch jumps over.
  return isBranch(row) ? [...bytes, 0x40] : bytes;
}

function randomRegisters(random: Random): number[] {
  const registers = Array.from({ length: 8 }, () => value(random));
  registers[ESP] = stackAddress(random);
  return registers;
}

/**
 * A case: an instruction of `row` (random by default), sometimes behind a few that touch registers and flags only, so that
 * it finds flags in every lazy state.
 */
export function randomCase(random: Random, row: Row = USABLE[random.below(USABLE.length)]): Case {
  for (;;) {
    const registers = randomRegisters(random);
    const code = instruction(random, registers, row);
    if (code === null) continue;
    const eflags = 0x202 | (random.next() & 0x8d5) | (random.below(4) ? 0 : 0x400);
    return { code, registers, eflags, seed: random.next() >>> 0, row };
  }
}

/** Instructions that leave every flag defined and touch only EAX, by their bytes: states for the next one to find. */
const PRELUDES = [
  [0x04, 0x7f], // add al, 7f
  [0x05, 0xff, 0xff, 0xff, 0x7f], // add eax, 7fffffff
  [0x2c, 0x81], // sub al, 81
  [0x66, 0x2d, 0x00, 0x80], // sub ax, 8000
  [0x14, 0xff], // adc al, ff
  [0x1d, 0x01, 0x00, 0x00, 0x00], // sbb eax, 1
  [0x40], // inc eax
  [0x66, 0x48], // dec ax
  [0xf6, 0xd8], // neg al
  [0x3d, 0x00, 0x00, 0x00, 0x80], // cmp eax, 80000000
  [0xf9], // stc
  [0xf8], // clc
  [0xf5], // cmc
];

/** A case of `row` behind one to three preludes. */
export function preludedCase(random: Random, row: Row = USABLE[random.below(USABLE.length)]): Case {
  const one = randomCase(random, row);
  // The address must not hang on EAX, which the preludes change.
  const prelude: number[] = [];
  for (let i = random.below(3); i >= 0; i--) prelude.push(...PRELUDES[random.below(PRELUDES.length)]);
  const usesEax =
    decode(Uint8Array.from([...one.code, ...new Array(16).fill(0)]), 0, 16, 4, scratch) === DecodeResult.Ok &&
    (scratch.base === EAX || scratch.index === EAX || (/^bt/.test(row.mnemonic) && scratch.reg === EAX));
  return usesEax ? one : { ...one, code: [...prelude, ...one.code] };
}
