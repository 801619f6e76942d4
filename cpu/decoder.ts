/**
 * Bytes -> decoded instruction, by tables made from isa.ts. Holds no CPU state and allocates nothing.
 * May import isa.ts, isa/ and instruction.ts.
 *
 * What the decoder finds undefined (DecodeResult.Invalid): an opcode or ModRM digit without a row; LOCK on a form that
 * cannot be locked or whose destination is a register; a register form of an operand that must be memory; segment
 * registers 6 and 7, and CS as a destination; control registers 1 and 5 to 7. DR4 and DR5 depend on CR4.DE and are left
 * to execution. When several prefixes of a group occur, the last one counts; REP where it means nothing is ignored.
 * Source: Intel SDM volume 2, chapter 2 (format, ModRM and SIB tables) and LOCK; volume 3A 6.15 (#UD, #GP: 15 bytes).
 */
import { type Instruction, NO_REGISTER, Prefix, Segment } from "./instruction";
import { hasModrm, INVALID_ROW, ROWS, type Row, RowFlag } from "./isa";
import { Field, OPERAND_INFO, type Operand } from "./isa/operands";
import { isX87Opcode } from "./isa/x87";

export const enum DecodeResult {
  Ok = 0,
  /** More bytes are needed than are available: the caller raises the fetch fault of the first missing byte. */
  NeedMore = 1,
  /** No instruction: #UD. `length` is the number of bytes looked at, `row` is INVALID_ROW. */
  Invalid = 2,
  /** Longer than 15 bytes: #GP(0). */
  TooLong = 3,
}

/** An instruction longer than this is #GP(0). */
export const MAX_INSTRUCTION_BYTES = 15;

/** What a row's bytes after ModRM look like, and what it demands of mod. One word per row. */
const enum Shape {
  /** Low bits: the immediate. */
  ImmediateMask = 15,
  None = 0,
  Ib = 1,
  Ibs = 2,
  Iw = 3,
  Iv = 4,
  Jb = 5,
  Jv = 6,
  Ap = 7,
  Offset = 8,
  /** ENTER: word, then byte. */
  IwIb = 9,
  /** mod = 3 is undefined. */
  MemoryOnly = 16,
  /** mod is ignored, rm is a register. */
  RegisterOnly = 32,
  Lockable = 64,
}

const IMMEDIATE_SHAPE: Partial<Record<Operand, Shape>> = {
  Ib: Shape.Ib,
  Ibs: Shape.Ibs,
  Iw: Shape.Iw,
  Iv: Shape.Iv,
  Jb: Shape.Jb,
  Jv: Shape.Jv,
  Ap: Shape.Ap,
  Ob: Shape.Offset,
  Ov: Shape.Offset,
};

function shapeOf(row: Row): number {
  let shape: number = row.flags & RowFlag.Lockable ? Shape.Lockable : 0;
  for (const operand of row.operands) {
    const { field } = OPERAND_INFO[operand];
    if (field === Field.Memory) shape |= Shape.MemoryOnly;
    if (field === Field.RmRegister) shape |= Shape.RegisterOnly;
    const immediate = IMMEDIATE_SHAPE[operand];
    if (immediate === undefined) continue;
    if (shape & Shape.ImmediateMask) shape = (shape & ~Shape.ImmediateMask) | Shape.IwIb;
    else shape |= immediate;
  }
  return shape;
}

/** The values of ModRM.reg for which a row without digit is defined, as a mask of 8 bits. */
function regMask(row: Row): number {
  if (row.digit >= 0) return 1 << row.digit;
  for (const [position, operand] of row.operands.entries()) {
    // ES CS SS DS FS GS; nothing loads CS this way.
    if (operand === "Sw") return position === 0 ? 0b00111101 : 0b00111111;
    // CR0 CR2 CR3 CR4.
    if (operand === "Cd") return 0b00011101;
    // TR3 to TR7.
    if (operand === "Td") return 0b11111000;
  }
  return 0xff;
}

/** Row by opcode (0F xx from 256 up) << 3 | ModRM.reg; INVALID_ROW where there is none. */
const rowTable = new Uint16Array(512 << 3);
/** Row by x87 opcode & 7 << 6 | ModRM & 63, with mod = 3. */
const floatTable = new Uint16Array(8 << 6);
/** 1 where the opcode is followed by a ModRM byte, 2 where it is undefined. */
const opcodeKind = new Uint8Array(512).fill(2);
const shapeTable = new Uint8Array(ROWS.length);

/** The values of ModRM.rm for which a row is defined with mod = 3 alone, as a mask; 0 for other rows. */
function floatMask(row: Row): number {
  if (row.rm >= 0) return 1 << row.rm;
  return row.operands.includes("STi") ? 0xff : 0;
}

function claim(table: Uint16Array, at: number, row: number): void {
  if (table[at] !== INVALID_ROW) throw new Error(`isa: two rows for one encoding: ${ROWS[row].mnemonic}`);
  table[at] = row;
}

for (const [index, row] of ROWS.entries()) {
  if (index === INVALID_ROW) continue;
  const modrm = hasModrm(row);
  const mask = regMask(row);
  const float = floatMask(row);
  shapeTable[index] = shapeOf(row);
  for (let i = 0; i < row.span; i++) {
    const slot = (row.opcode & 0xff) + (row.opcode > 0xff ? 256 : 0) + i;
    const kind = modrm ? 1 : 0;
    if (opcodeKind[slot] !== 2 && opcodeKind[slot] !== kind) throw new Error(`isa: ModRM or not? ${row.mnemonic}`);
    opcodeKind[slot] = kind;
    for (let reg = 0; reg < 8; reg++) {
      if (!(mask & (1 << reg))) continue;
      if (float === 0) claim(rowTable, (slot << 3) | reg, index);
      for (let rm = 0; float >>> rm !== 0; rm++)
        if (float & (1 << rm)) claim(floatTable, ((slot & 7) << 6) | (reg << 3) | rm, index);
    }
  }
}

/** What a byte is before the opcode. */
const enum Lead {
  Opcode = 0,
  Segment = 1,
  OperandSize = 2,
  AddressSize = 3,
  Lock = 4,
  Repne = 5,
  Rep = 6,
  Escape = 7,
}

const leadTable = new Uint8Array(256);
leadTable[0x26] = Lead.Segment;
leadTable[0x2e] = Lead.Segment;
leadTable[0x36] = Lead.Segment;
leadTable[0x3e] = Lead.Segment;
leadTable[0x64] = Lead.Segment;
leadTable[0x65] = Lead.Segment;
leadTable[0x66] = Lead.OperandSize;
leadTable[0x67] = Lead.AddressSize;
leadTable[0xf0] = Lead.Lock;
leadTable[0xf2] = Lead.Repne;
leadTable[0xf3] = Lead.Rep;
leadTable[0x0f] = Lead.Escape;

/** 26 2E 36 3E are ES CS SS DS in bits 3 and 4; 64 65 are FS GS. */
function segmentOfPrefix(byte: number): number {
  return byte >= 0x64 ? byte - 0x60 : (byte >> 3) & 3;
}

/** Base, index and default segment of a 16-bit address by ModRM.rm. */
const BASE16 = Uint8Array.of(3, 3, 5, 5, 6, 7, 5, 3);
const INDEX16 = Uint8Array.of(6, 7, 6, 7, NO_REGISTER, NO_REGISTER, NO_REGISTER, NO_REGISTER);
const EBP = 5;
const ESP = 4;

/**
 * Decodes the instruction at bytes[offset], of which `available` bytes may be read (16 are always enough).
 * `defaultSize` is the code segment's operand and address size in bytes. All fields of `out` are set when the result is
 * Ok; otherwise row is INVALID_ROW and length is the number of bytes read.
 *
 * Immediates: Ib and 16-bit values are zero-extended, Ibs and the distances Jb and Jv sign-extended to 32 bits, Iv of 32
 * bits is an int32. A 16-bit displacement is sign-extended (the sum is cut to 16 bits anyway), a lone offset is not.
 */
export function decode(
  bytes: Uint8Array,
  offset: number,
  available: number,
  defaultSize: 2 | 4,
  out: Instruction,
): DecodeResult {
  const start = offset;
  // The end of what may be read; past 15 bytes the answer is TooLong and no longer NeedMore.
  const limited = available >= MAX_INSTRUCTION_BYTES;
  const end = offset + (limited ? MAX_INSTRUCTION_BYTES : available);
  const outOfBytes = limited ? DecodeResult.TooLong : DecodeResult.NeedMore;

  let operandSize: number = defaultSize;
  let addressSize: number = defaultSize;
  let prefixes = 0;
  let override = -1;
  let opcode = 0;
  out.row = INVALID_ROW;

  for (;;) {
    if (offset >= end) return stop(out, end - start, outOfBytes);
    opcode = bytes[offset++];
    const lead = leadTable[opcode];
    if (lead === Lead.Opcode) break;
    if (lead === Lead.Escape) {
      if (offset >= end) return stop(out, end - start, outOfBytes);
      opcode = 256 + bytes[offset++];
      break;
    }
    switch (lead) {
      case Lead.Segment:
        override = segmentOfPrefix(opcode);
        break;
      case Lead.OperandSize:
        operandSize = 6 - defaultSize;
        break;
      case Lead.AddressSize:
        addressSize = 6 - defaultSize;
        break;
      case Lead.Lock:
        prefixes |= Prefix.Lock;
        break;
      case Lead.Repne:
        prefixes = (prefixes & Prefix.Lock) | Prefix.Repne;
        break;
      default:
        prefixes = (prefixes & Prefix.Lock) | Prefix.Rep;
    }
  }

  out.operandSize = operandSize;
  out.addressSize = addressSize;
  out.prefixes = prefixes;
  out.segmentOverride = override < 0 ? 0 : 1;
  out.base = NO_REGISTER;
  out.index = NO_REGISTER;
  out.scale = 0;
  out.displacement = 0;
  out.immediate = 0;
  out.immediate2 = 0;
  out.reg = opcode & 7;
  out.rm = -1;

  const kind = opcodeKind[opcode];
  if (kind === 2) return stop(out, offset - start, DecodeResult.Invalid);
  let segment: number = Segment.DS;
  let row: number;
  let shape: number;

  if (kind === 0) {
    row = rowTable[opcode << 3];
    shape = shapeTable[row];
    if (prefixes & Prefix.Lock) return stop(out, offset - start, DecodeResult.Invalid);
  } else {
    if (offset >= end) return stop(out, end - start, outOfBytes);
    const modrm = bytes[offset++];
    const mod = modrm >> 6;
    const rm = modrm & 7;
    out.reg = (modrm >> 3) & 7;
    if (isX87Opcode(opcode)) {
      out.immediate2 = ((opcode & 7) << 8) | modrm;
      row = mod === 3 ? floatTable[((opcode & 7) << 6) | (modrm & 63)] : rowTable[(opcode << 3) | out.reg];
    } else row = rowTable[(opcode << 3) | out.reg];
    shape = shapeTable[row];
    if (row === INVALID_ROW) return stop(out, offset - start, DecodeResult.Invalid);

    if (mod === 3 || shape & Shape.RegisterOnly) {
      if (shape & Shape.MemoryOnly || prefixes & Prefix.Lock) return stop(out, offset - start, DecodeResult.Invalid);
      out.rm = rm;
    } else {
      if (prefixes & Prefix.Lock && !(shape & Shape.Lockable)) return stop(out, offset - start, DecodeResult.Invalid);
      // Bytes of displacement: 0, 1, or the address size.
      let size = mod === 1 ? 1 : mod === 2 ? addressSize : 0;
      if (addressSize === 4) {
        let base = rm;
        if (rm === ESP) {
          if (offset >= end) return stop(out, end - start, outOfBytes);
          const sib = bytes[offset++];
          base = sib & 7;
          const index = (sib >> 3) & 7;
          // The scale of a missing index means nothing, but stands in the bytes.
          if (index !== ESP) {
            out.index = index;
            out.scale = sib >> 6;
          }
        }
        if (base === EBP && mod === 0) size = 4;
        else {
          out.base = base;
          if (base === EBP || base === ESP) segment = Segment.SS;
        }
      } else if (rm === 6 && mod === 0) size = 2;
      else {
        out.base = BASE16[rm];
        out.index = INDEX16[rm];
        if (out.base === EBP) segment = Segment.SS;
      }
      if (size !== 0) {
        if (offset + size > end) return stop(out, end - start, outOfBytes);
        if (size === 1) out.displacement = (bytes[offset] << 24) >> 24;
        else if (size === 4) out.displacement = read32(bytes, offset);
        else {
          const word = bytes[offset] | (bytes[offset + 1] << 8);
          out.displacement = mod === 0 ? word : (word << 16) >> 16;
        }
        offset += size;
      }
    }
  }
  out.segment = override < 0 ? segment : override;

  const immediate = shape & Shape.ImmediateMask;
  if (immediate !== Shape.None) {
    let size = 1;
    switch (immediate) {
      case Shape.Iw:
        size = 2;
        break;
      case Shape.Iv:
      case Shape.Jv:
        size = operandSize;
        break;
      case Shape.Ap:
        size = operandSize + 2;
        break;
      case Shape.Offset:
        size = addressSize;
        break;
      case Shape.IwIb:
        size = 3;
        break;
    }
    if (offset + size > end) return stop(out, end - start, outOfBytes);
    const byte = bytes[offset];
    switch (immediate) {
      case Shape.Ib:
        out.immediate = byte;
        break;
      case Shape.Ibs:
      case Shape.Jb:
        out.immediate = (byte << 24) >> 24;
        break;
      case Shape.Iw:
        out.immediate = read16(bytes, offset);
        break;
      case Shape.Iv:
        out.immediate = size === 4 ? read32(bytes, offset) : read16(bytes, offset);
        break;
      case Shape.Jv:
        out.immediate = size === 4 ? read32(bytes, offset) : (read16(bytes, offset) << 16) >> 16;
        break;
      case Shape.Ap:
        out.immediate = size === 6 ? read32(bytes, offset) : read16(bytes, offset);
        out.immediate2 = read16(bytes, offset + operandSize);
        break;
      case Shape.Offset:
        out.displacement = size === 4 ? read32(bytes, offset) : read16(bytes, offset);
        break;
      default:
        out.immediate = read16(bytes, offset);
        out.immediate2 = bytes[offset + 2];
    }
    offset += size;
  }
  out.length = offset - start;
  out.row = row;
  return DecodeResult.Ok;
}

function stop(out: Instruction, length: number, result: DecodeResult): DecodeResult {
  out.length = length;
  return result;
}

function read16(bytes: Uint8Array, offset: number): number {
  return bytes[offset] | (bytes[offset + 1] << 8);
}

function read32(bytes: Uint8Array, offset: number): number {
  return bytes[offset] | (bytes[offset + 1] << 8) | (bytes[offset + 2] << 16) | (bytes[offset + 3] << 24);
}
