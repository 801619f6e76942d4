/**
 * Instruction -> bytes, the inverse of decoder.ts, from the same rows. May import isa.ts, isa/ and instruction.ts.
 *
 *     const encoder = new Encoder();                      // 32-bit code; new Encoder(2) for 16-bit code
 *     encoder.encode("mov", [reg(Gpr.EAX), mem(4, { base: Gpr.EBP, displacement: -8 })]);
 *     code.set(encoder.bytes.subarray(0, encoder.length), at);
 *
 * Operands come from isa/values.ts (exported here too): `reg(EAX)`, `reg(EAX, 1)` is AL, `imm(5)`, `mem(size, parts)`,
 * `rel8(d)`/`rel32(d)`, `far(selector, offset)`, `sreg`, `creg`, `dreg`, `st`; in Intel's order, destination first. Mnemonics
 * are the rows' ("jz", "movsd", "pushad") or one of MNEMONIC_ALIASES ("je"). String instructions may be given without
 * operands; their size is in the name. The shortest form is chosen: sign-extended bytes, disp8, the short forms of EAX
 * and of registers in the opcode; the first row of isa.ts among equals. Jumps have the size of their operand.
 *
 * A field that a relocation shall be applied to: make the operand `wide` (`imm(0, true)`, `mem(4, { wide: true })`, or
 * `rel32`), encode, and read `immediateAt` or `displacementAt`: its offset in the instruction, −1 when there is none.
 * Memory of size 0 takes the size of the other operand; where no operand tells ("inc [eax]") the call fails.
 *
 * Every row but the aliases can be reached, and decode(encode(x)) = x (tested). Choosing rows is cached by
 * mnemonic and kinds of operands, so a call costs about as much as writing the bytes.
 * Source: Intel SDM volume 2, chapter 2.
 */
import { NO_REGISTER, Prefix } from "./instruction";
import { RowFlag } from "./isa";
import { admits, type Candidate, candidates, EncodeError, shapeOf } from "./isa/choice";
import { Field, OPERAND_INFO, type Operand } from "./isa/operands";
import { defaultSegment, Gpr, type MemoryValue, type OperandValue } from "./isa/values";

export { EncodeError, MNEMONIC_ALIASES } from "./isa/choice";
export * from "./isa/values";

export interface EncodeOptions {
  /** Bits of Prefix: LOCK, REP, REPNE. */
  prefixes?: number;
  /** Operand size in bytes of forms whose operands do not tell (PUSH imm, RET, LEAVE); default: that of the code. */
  operandSize?: 2 | 4;
  /** Address size in bytes of string and loop instructions; default: that of the code. */
  addressSize?: 2 | 4;
  /** Segment of the source of a string instruction or of XLAT given without operands. */
  segment?: number;
}

const SEGMENT_PREFIX = Uint8Array.of(0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65);

/** ModRM.rm of a 16-bit address by base and index; −1 where there is no such address. */
function rm16(base: number, index: number): number {
  const none = index === NO_REGISTER;
  if (base === Gpr.EBX) return index === Gpr.ESI ? 0 : index === Gpr.EDI ? 1 : none ? 7 : -1;
  if (base === Gpr.EBP) return index === Gpr.ESI ? 2 : index === Gpr.EDI ? 3 : none ? 6 : -1;
  if (!none) return -1;
  return base === Gpr.ESI ? 4 : base === Gpr.EDI ? 5 : base === NO_REGISTER ? 6 : -1;
}

const NO_OPTIONS: EncodeOptions = {};

/** Encodes into a buffer of its own, one instruction at a time. */
export class Encoder {
  /** The last instruction, in the first `length` bytes; overwritten by the next call. */
  readonly bytes = new Uint8Array(32);
  length = 0;
  /** Offset in the instruction of the last one's immediate, distance or far offset; −1 when it has none. */
  immediateAt = -1;
  /** Offset in the instruction of the last one's displacement; −1 when it has none. */
  displacementAt = -1;
  private readonly cache = new Map<string, Map<number, Candidate[]>>();

  /** `codeSize`: the default operand and address size of the code segment, in bytes. */
  constructor(readonly codeSize: 2 | 4 = 4) {}

  /**
   * Encodes one instruction; returns its length in bytes and leaves it in `bytes`.
   * Throws EncodeError when no form takes these operands.
   */
  encode(mnemonic: string, values: readonly OperandValue[] = [], options: EncodeOptions = NO_OPTIONS): number {
    for (const one of this.candidatesFor(mnemonic, values)) {
      const operandSize = one.operandSize || options.operandSize || this.codeSize;
      if (!this.admitsAll(one, values, operandSize)) continue;
      this.write(one, one.swapped ? [values[1], values[0]] : values, operandSize, mnemonic, options);
      return this.length;
    }
    throw new EncodeError(
      `no form of '${mnemonic}' takes these operands: ${values.map(describe).join(", ") || "none"}`,
    );
  }

  private candidatesFor(mnemonic: string, values: readonly OperandValue[]): Candidate[] {
    let shape = 0;
    for (const value of values) shape = shape * 32 + shapeOf(value) + 1;
    let byShape = this.cache.get(mnemonic);
    if (byShape === undefined) {
      byShape = new Map();
      this.cache.set(mnemonic, byShape);
    }
    let list = byShape.get(shape);
    if (list === undefined) {
      list = candidates(mnemonic, values);
      byShape.set(shape, list);
    }
    return list;
  }

  private admitsAll(one: Candidate, values: readonly OperandValue[], operandSize: number): boolean {
    for (let i = 0; i < values.length; i++) {
      const position = one.swapped ? values.length - 1 - i : i;
      if (!admits(one.row, position, values[i], operandSize)) return false;
    }
    return true;
  }

  private write(
    one: Candidate,
    values: readonly OperandValue[],
    operandSize: number,
    mnemonic: string,
    options: EncodeOptions,
  ): void {
    const { row } = one;
    this.length = 0;
    this.immediateAt = -1;
    this.displacementAt = -1;
    let memory: MemoryValue | undefined;
    let segment = options.segment ?? -1;
    let registerField = Math.max(row.digit, 0);
    let registerRm = row.rm;
    let opcode = row.opcode;
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      const { field } = OPERAND_INFO[row.operands[i]];
      if (value.kind === "mem") {
        if (field !== Field.StringDestination) {
          if (value.segment !== defaultSegment(value.base)) segment = value.segment;
          memory = value;
        } else memory ??= value;
      } else if (field === Field.Rm || field === Field.RmRegister || field === Field.FloatRm)
        registerRm = (value as { number: number }).number;
      else if (field >= Field.Reg && field <= Field.DebugReg) registerField = (value as { number: number }).number;
      else if (field === Field.OpcodeReg) opcode = (opcode & ~7) | (value as { number: number }).number;
    }

    const prefixes = options.prefixes ?? 0;
    if (prefixes & Prefix.Lock) {
      const lockable = row.flags & RowFlag.Lockable && memory !== undefined;
      if (!lockable) throw new EncodeError(`'${mnemonic}' with these operands cannot be locked`);
      this.byte(0xf0);
    }
    if (prefixes & Prefix.Rep) this.byte(0xf3);
    if (prefixes & Prefix.Repne) this.byte(0xf2);
    if (segment >= 0) this.byte(SEGMENT_PREFIX[segment]);
    const addressSize = memory?.addressSize ?? (one.addressSize || options.addressSize || this.codeSize);
    if (addressSize !== this.codeSize) this.byte(0x67);
    if (operandSize !== this.codeSize) this.byte(0x66);

    if (opcode > 0xff) this.byte(0x0f);
    this.byte(opcode & 0xff);
    if (one.modrm) {
      if (registerRm >= 0) this.byte(0xc0 | (registerField << 3) | registerRm);
      else if (memory === undefined) throw new EncodeError(`'${mnemonic}' needs an operand`);
      else if (addressSize === 4) this.memory32(memory, registerField);
      else this.memory16(memory, registerField);
    }
    for (let i = 0; i < values.length; i++) this.field(row.operands[i], values[i], operandSize);
    if (this.length > 15) throw new EncodeError(`'${mnemonic}' with these prefixes is longer than 15 bytes`);
  }

  /** Writes ModRM, SIB and displacement of a 32-bit address. */
  private memory32(value: MemoryValue, registerField: number): void {
    let { base, index } = value;
    if (index === Gpr.ESP) {
      if (value.scale !== 0 || base === Gpr.ESP) throw new EncodeError("ESP cannot be an index");
      [base, index] = [index, base];
    }
    // A displacement may be written as an unsigned number.
    const displacement = value.displacement | 0;
    const sib = index !== NO_REGISTER || base === Gpr.ESP;
    let mod = 2;
    if (base === NO_REGISTER) mod = 0;
    else if (!value.wide) {
      if (displacement === 0 && base !== Gpr.EBP) mod = 0;
      else if (displacement >= -128 && displacement <= 127) mod = 1;
    }
    // Without a base, mod 0 and 5 in its place mean a lone displacement.
    const baseBits = base === NO_REGISTER ? 5 : base;
    this.byte((mod << 6) | (registerField << 3) | (sib ? 4 : baseBits));
    if (sib) this.byte((value.scale << 6) | ((index === NO_REGISTER ? 4 : index) << 3) | baseBits);
    if (mod === 0 && base !== NO_REGISTER) return;
    this.displacementAt = this.length;
    this.bytesOf(displacement, mod === 1 ? 1 : 4);
  }

  /** Writes ModRM and displacement of a 16-bit address. */
  private memory16(value: MemoryValue, registerField: number): void {
    const rm = rm16(value.base, value.index);
    if (rm < 0 || value.scale !== 0) throw new EncodeError("no 16-bit address has these registers");
    const lone = value.base === NO_REGISTER;
    let mod = 2;
    if (lone) mod = 0;
    else if (!value.wide) {
      if (value.displacement === 0 && rm !== 6) mod = 0;
      else if (value.displacement >= -128 && value.displacement <= 127) mod = 1;
    }
    this.byte((mod << 6) | (registerField << 3) | rm);
    if (mod === 0 && !lone) return;
    this.displacementAt = this.length;
    this.bytesOf(value.displacement, mod === 1 ? 1 : 2);
  }

  /** Writes what an operand has after ModRM. */
  private field(operand: Operand, value: OperandValue, operandSize: number): void {
    const { field, size } = OPERAND_INFO[operand];
    if (field < Field.Immediate || field > Field.Offset) return;
    if (value.kind === "mem") {
      this.displacementAt = this.length;
      this.bytesOf(value.displacement, value.addressSize);
      return;
    }
    if (this.immediateAt < 0) this.immediateAt = this.length;
    if (value.kind === "imm") this.bytesOf(value.value, size > 0 ? size : operandSize);
    else if (value.kind === "rel") this.bytesOf(value.distance, value.size);
    else if (value.kind === "far") {
      this.bytesOf(value.offset, operandSize);
      this.bytesOf(value.selector, 2);
    }
  }

  private byte(value: number): void {
    this.bytes[this.length++] = value;
  }

  /** Writes the low `count` bytes, lowest first. */
  private bytesOf(value: number, count: number): void {
    for (let i = 0; i < count; i++) this.byte((value >> (i * 8)) & 0xff);
  }
}

const encoders = { 2: new Encoder(2), 4: new Encoder(4) };

/** One instruction as fresh bytes; for code in quantity use an Encoder. Throws EncodeError. */
export function encode(
  mnemonic: string,
  values: readonly OperandValue[] = [],
  options: EncodeOptions = NO_OPTIONS,
  codeSize: 2 | 4 = 4,
): Uint8Array {
  const encoder = encoders[codeSize];
  return encoder.bytes.slice(0, encoder.encode(mnemonic, values, options));
}

const SPECIAL_NAMES = { sreg: "segment", creg: "control", dreg: "debug", treg: "test" };

/** For messages: "eax", "imm 5", "4 bytes of memory". */
function describe(value: OperandValue): string {
  switch (value.kind) {
    case "reg":
      return `register ${value.number} of ${value.size} bytes`;
    case "imm":
      return `immediate ${value.value}`;
    case "mem":
      return value.size ? `${value.size} bytes of memory` : "memory";
    case "rel":
      return `distance ${value.distance} in ${value.size} bytes`;
    case "far":
      return "far pointer";
    case "st":
      return `st(${value.number})`;
    default:
      return `${SPECIAL_NAMES[value.kind]} register ${value.number}`;
  }
}
