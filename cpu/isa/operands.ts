/**
 * The kinds of operand that an instruction form can have, and where in the bytes each one lives.
 * May import nothing. Source: Intel SDM volume 2, appendix A.2 (key to abbreviations); codes not in the manual are marked.
 */

export type Operand =
  /** Register or memory by ModRM.mod and rm. */
  | "Eb"
  | "Ew"
  | "Ev"
  /** As Ev when a register, but 16 bits when memory (the manual's Rv/Mw): SLDT, STR, SMSW, MOV from a segment register. */
  | "RvMw"
  /** General register in ModRM.reg. */
  | "Gb"
  | "Gw"
  | "Gv"
  /**
   * Memory only; a register form is undefined. M: an address without a size; Mp: far pointer; Ma: two bounds; Ms: 6 bytes;
   * Mq: 8 bytes.
   */
  | "M"
  | "Mq"
  | "Mp"
  | "Ma"
  | "Ms"
  /** x87 memory by size in bytes; Me: environment, 14 or 28 bytes; Mf: full state, 94 or 108 (ours). */
  | "M2"
  | "M4"
  | "M8"
  | "M10"
  | "Me"
  | "Mf"
  /** x87 register: the top of the stack, and ST(i) by ModRM.rm with mod = 3. */
  | "ST"
  | "STi"
  /** General register in ModRM.rm, mod ignored. */
  | "Rd"
  /** Segment, control, debug or test register in ModRM.reg. */
  | "Sw"
  | "Cd"
  | "Dd"
  | "Td"
  /** General register in the opcode's low three bits. */
  | "Zb"
  | "Zv"
  /** Immediates: byte, byte sign-extended to the operand size (ours), word, operand size. */
  | "Ib"
  | "Ibs"
  | "Iw"
  | "Iv"
  /** Distance from the next instruction. */
  | "Jb"
  | "Jv"
  /** Far pointer in the instruction. */
  | "Ap"
  /** Memory at an offset in the instruction, no ModRM. */
  | "Ob"
  | "Ov"
  /** String source at (override or DS):[E]SI and destination at ES:[E]DI. */
  | "Xb"
  | "Xv"
  | "Yb"
  | "Yv"
  /** Fixed by the opcode. eAX is AX or EAX by operand size. */
  | "AL"
  | "CL"
  | "DX"
  | "AX"
  | "eAX"
  | "1"
  | "3"
  | "ES"
  | "CS"
  | "SS"
  | "DS"
  | "FS"
  | "GS";

/** Which part of the instruction holds an operand. */
export const enum Field {
  /** ModRM.rm, register or memory. */
  Rm,
  /** ModRM.rm, memory only. */
  Memory,
  /** ModRM.rm, register only. */
  RmRegister,
  /** ModRM.rm, an x87 register; the encoding with mod other than 3 is another form's. */
  FloatRm,
  /** ModRM.reg, a general register. */
  Reg,
  /** ModRM.reg, a segment register. */
  SegmentReg,
  /** ModRM.reg, a control register. */
  ControlReg,
  /** ModRM.reg, a test register. */
  TestReg,
  /** ModRM.reg, a debug register. */
  DebugReg,
  /** The opcode's low three bits. */
  OpcodeReg,
  Immediate,
  Relative,
  FarPointer,
  /** Offset without ModRM. */
  Offset,
  StringSource,
  StringDestination,
  /** Nowhere: a general register that the opcode implies. */
  FixedReg,
  /** Nowhere: a segment register that the opcode implies. */
  FixedSegment,
  /** Nowhere: the number 1 or 3. */
  Constant,
  /** Nowhere: ST(0). */
  FixedFloat,
}

/** Sizes of an operand that are not a plain number of bytes. */
export const enum Size {
  /** No size of its own: an address. */
  None = 0,
  /** The operand size, 2 or 4. */
  V = -1,
  /** 16-bit selector and an offset of operand size. */
  Far = -2,
  /** Two values of operand size. */
  Bounds = -3,
  /** Operand size as a register, 2 as memory. */
  VorW = -4,
  /** x87 environment and full state: 14 and 94 bytes with operand size 2, 28 and 108 with 4. */
  Environment = -5,
  FloatState = -6,
}

export interface OperandInfo {
  readonly field: Field;
  /** Bytes when positive, else a Size. For an immediate or a distance: as it stands in the instruction. */
  readonly size: number;
  /** Register number, or the constant, of a fixed operand. */
  readonly value: number;
}

function info(field: Field, size: number, value = 0): OperandInfo {
  return { field, size, value };
}

export const OPERAND_INFO: Readonly<Record<Operand, OperandInfo>> = {
  Eb: info(Field.Rm, 1),
  Ew: info(Field.Rm, 2),
  Ev: info(Field.Rm, Size.V),
  RvMw: info(Field.Rm, Size.VorW),
  Gb: info(Field.Reg, 1),
  Gw: info(Field.Reg, 2),
  Gv: info(Field.Reg, Size.V),
  M: info(Field.Memory, Size.None),
  Mp: info(Field.Memory, Size.Far),
  Ma: info(Field.Memory, Size.Bounds),
  Ms: info(Field.Memory, 6),
  M2: info(Field.Memory, 2),
  M4: info(Field.Memory, 4),
  M8: info(Field.Memory, 8),
  M10: info(Field.Memory, 10),
  Me: info(Field.Memory, Size.Environment),
  Mf: info(Field.Memory, Size.FloatState),
  ST: info(Field.FixedFloat, 10),
  STi: info(Field.FloatRm, 10),
  Mq: info(Field.Memory, 8),
  Rd: info(Field.RmRegister, 4),
  Sw: info(Field.SegmentReg, 2),
  Cd: info(Field.ControlReg, 4),
  Dd: info(Field.DebugReg, 4),
  Td: info(Field.TestReg, 4),
  Zb: info(Field.OpcodeReg, 1),
  Zv: info(Field.OpcodeReg, Size.V),
  Ib: info(Field.Immediate, 1),
  Ibs: info(Field.Immediate, 1),
  Iw: info(Field.Immediate, 2),
  Iv: info(Field.Immediate, Size.V),
  Jb: info(Field.Relative, 1),
  Jv: info(Field.Relative, Size.V),
  Ap: info(Field.FarPointer, Size.Far),
  Ob: info(Field.Offset, 1),
  Ov: info(Field.Offset, Size.V),
  Xb: info(Field.StringSource, 1),
  Xv: info(Field.StringSource, Size.V),
  Yb: info(Field.StringDestination, 1),
  Yv: info(Field.StringDestination, Size.V),
  AL: info(Field.FixedReg, 1, 0),
  CL: info(Field.FixedReg, 1, 1),
  DX: info(Field.FixedReg, 2, 2),
  AX: info(Field.FixedReg, 2, 0),
  eAX: info(Field.FixedReg, Size.V, 0),
  "1": info(Field.Constant, 0, 1),
  "3": info(Field.Constant, 0, 3),
  ES: info(Field.FixedSegment, 2, 0),
  CS: info(Field.FixedSegment, 2, 1),
  SS: info(Field.FixedSegment, 2, 2),
  DS: info(Field.FixedSegment, 2, 3),
  FS: info(Field.FixedSegment, 2, 4),
  GS: info(Field.FixedSegment, 2, 5),
};

/** Bytes of an x87 environment or full state at this operand size. */
export function floatImageBytes(size: Size.Environment | Size.FloatState, operandSize: number): number {
  return 7 * operandSize + (size === Size.FloatState ? 80 : 0);
}

/** Whether the operand is in a ModRM byte, so that the form has one. */
export function usesModrm(operand: Operand): boolean {
  return OPERAND_INFO[operand].field <= Field.DebugReg;
}
