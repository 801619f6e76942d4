/**
 * Operands with their values: what the encoder takes, what the disassembler prints, and how a decoded instruction's
 * operands read. May import isa.ts, isa/ and instruction.ts. Invariant: objects made here are never changed.
 */
import { type Instruction, NO_REGISTER, Segment } from "../instruction";
import { ROWS } from "../isa";
import { Field, floatImageBytes, OPERAND_INFO, type Operand, Size } from "./operands";

/** General registers, in the encoding of ModRM. As byte registers 4 to 7 are AH CH DH BH. */
export const enum Gpr {
  EAX = 0,
  ECX = 1,
  EDX = 2,
  EBX = 3,
  ESP = 4,
  EBP = 5,
  ESI = 6,
  EDI = 7,
}

/** A general register of 1, 2 or 4 bytes. */
export interface RegisterValue {
  readonly kind: "reg";
  readonly size: 1 | 2 | 4;
  readonly number: number;
}

/** A segment, control, debug or test register, or ST(number). */
export interface SpecialValue {
  readonly kind: "sreg" | "creg" | "dreg" | "treg" | "st";
  readonly number: number;
}

export interface ImmediateValue {
  readonly kind: "imm";
  /** −2^31 to 2^32 − 1. */
  readonly value: number;
  /** Take a field of the full operand size even if a byte would do, because a relocation will be applied to it. */
  readonly wide: boolean;
}

export interface MemoryValue {
  readonly kind: "mem";
  /** Bytes accessed: 1, 2, 4, 6 (far pointer, descriptor), 8 (bounds), x87's; 0 when another operand tells. */
  readonly size: number;
  /** Gpr or NO_REGISTER. */
  readonly base: number;
  readonly index: number;
  /** Left shift of the index, 0 to 3. */
  readonly scale: number;
  readonly displacement: number;
  /** Segment, or −1 for the default of the base register. */
  readonly segment: number;
  /** Take the full displacement field even if a byte or none would do, because a relocation will be applied to it. */
  readonly wide: boolean;
  /** 2 or 4. */
  readonly addressSize: number;
  /** It holds a far pointer: CALL and JMP need to know. */
  readonly far: boolean;
}

/** A jump's distance from the end of the instruction. The size of the field, in bytes, is the caller's choice. */
export interface RelativeValue {
  readonly kind: "rel";
  readonly size: 1 | 2 | 4;
  readonly distance: number;
}

export interface FarValue {
  readonly kind: "far";
  readonly selector: number;
  readonly offset: number;
}

export type OperandValue = RegisterValue | SpecialValue | ImmediateValue | MemoryValue | RelativeValue | FarValue;

function registers(size: 1 | 2 | 4): readonly RegisterValue[] {
  return Array.from({ length: 8 }, (_, number) => Object.freeze({ kind: "reg" as const, size, number }));
}

const REGISTERS_BY_SIZE = [[], registers(1), registers(2), [], registers(4)];

/** The general register of this number and size in bytes. The same object each time. */
export function reg(number: number, size: 1 | 2 | 4 = 4): RegisterValue {
  return REGISTERS_BY_SIZE[size][number];
}

export function sreg(number: number): SpecialValue {
  return { kind: "sreg", number };
}

export function creg(number: number): SpecialValue {
  return { kind: "creg", number };
}

export function dreg(number: number): SpecialValue {
  return { kind: "dreg", number };
}

export function treg(number: number): SpecialValue {
  return { kind: "treg", number };
}

/** ST(number). */
export function st(number: number): SpecialValue {
  return { kind: "st", number };
}

/** An immediate; `wide` when a relocation will be applied to its field. */
export function imm(value: number, wide = false): ImmediateValue {
  return { kind: "imm", value, wide };
}

/** The parts of a memory operand that differ from `[displacement 0]` in the default segment, of 32-bit addressing. */
export type MemoryParts = Partial<Omit<MemoryValue, "kind" | "size">>;

/** Memory of `size` bytes (0: another operand tells): `mem(4, { base: Gpr.EBP, displacement: -8 })`. */
export function mem(size: number, parts: MemoryParts): MemoryValue {
  return {
    kind: "mem",
    size,
    base: parts.base ?? NO_REGISTER,
    index: parts.index ?? NO_REGISTER,
    scale: parts.scale ?? 0,
    displacement: parts.displacement ?? 0,
    segment: parts.segment ?? -1,
    wide: parts.wide ?? false,
    addressSize: parts.addressSize ?? 4,
    far: parts.far ?? false,
  };
}

/** A distance in a field of one byte. */
export function rel8(distance: number): RelativeValue {
  return { kind: "rel", size: 1, distance };
}

/** A distance in a field of four bytes. */
export function rel32(distance: number): RelativeValue {
  return { kind: "rel", size: 4, distance };
}

export function far(selector: number, offset: number): FarValue {
  return { kind: "far", selector, offset };
}

/** The segment that a memory operand with this base uses without override. */
export function defaultSegment(base: number): number {
  return base === Gpr.EBP || base === Gpr.ESP ? Segment.SS : Segment.DS;
}

/** Bytes of a memory operand; 0 where it has no size. */
function memoryBytes(operand: Operand, operandSize: number): number {
  const { size } = OPERAND_INFO[operand];
  switch (size) {
    case Size.V:
      return operandSize;
    case Size.Far:
      return operandSize + 2;
    case Size.Bounds:
      return operandSize * 2;
    case Size.VorW:
      return 2;
    case Size.Environment:
    case Size.FloatState:
      return floatImageBytes(size, operandSize);
    default:
      return size;
  }
}

/** General register of an operand: v and the two-sized kinds follow the operand size. */
function register(operand: Operand, number: number, operandSize: number): RegisterValue {
  const { size } = OPERAND_INFO[operand];
  return reg(number, (size > 0 ? size : operandSize) as 1 | 2 | 4);
}

function memory(insn: Instruction, operand: Operand): MemoryValue {
  return {
    kind: "mem",
    size: memoryBytes(operand, insn.operandSize),
    base: insn.base,
    index: insn.index,
    scale: insn.scale,
    displacement: insn.displacement,
    segment: insn.segmentOverride ? insn.segment : -1,
    wide: false,
    addressSize: insn.addressSize,
    far: operand === "Mp",
  };
}

function resolve(insn: Instruction, operand: Operand, position: number): OperandValue {
  const { field, value } = OPERAND_INFO[operand];
  const { operandSize, addressSize } = insn;
  switch (field) {
    case Field.Rm:
    case Field.Memory:
    case Field.RmRegister:
      if (insn.rm >= 0) return register(operand, insn.rm, operandSize);
      return memory(insn, operand);
    case Field.Reg:
    case Field.OpcodeReg:
      return register(operand, insn.reg, operandSize);
    case Field.SegmentReg:
      return sreg(insn.reg);
    case Field.ControlReg:
      return creg(insn.reg);
    case Field.DebugReg:
      return dreg(insn.reg);
    case Field.TestReg:
      return treg(insn.reg);
    case Field.FixedReg:
      return register(operand, value, operandSize);
    case Field.FixedSegment:
      return sreg(value);
    case Field.FloatRm:
      return st(insn.rm);
    case Field.FixedFloat:
      return st(value);
    case Field.Constant:
      return imm(value);
    case Field.Immediate:
      // ENTER's level is its second immediate.
      return imm(position === 1 && ROWS[insn.row].operands[0] === "Iw" ? insn.immediate2 : insn.immediate);
    case Field.Relative:
      return { kind: "rel", size: operand === "Jb" ? 1 : (operandSize as 2 | 4), distance: insn.immediate };
    case Field.FarPointer:
      return far(insn.immediate2, insn.immediate);
    case Field.Offset:
      return memory(insn, operand);
    case Field.StringSource: {
      const segment = insn.segmentOverride ? insn.segment : -1;
      return mem(memoryBytes(operand, operandSize), { base: Gpr.ESI, segment, addressSize });
    }
    default:
      return mem(memoryBytes(operand, operandSize), { base: Gpr.EDI, segment: Segment.ES, addressSize });
  }
}

/** The operands of a decoded instruction, in Intel's order. Allocates: not for the hot path. */
export function operandValues(insn: Instruction): OperandValue[] {
  return ROWS[insn.row].operands.map((operand, position) => resolve(insn, operand, position));
}
