/**
 * Which forms of an instruction take given operands: the encoder's choice, without the writing of bytes.
 * May import isa.ts, isa/ and instruction.ts. `candidates` looks at kinds and sizes only, so that its answer can be
 * cached by mnemonic and shape; `admits` looks at the values.
 */
import { NO_REGISTER, Segment } from "../instruction";
import { hasModrm, ROWS, type Row, RowFlag } from "../isa";
import { Field, floatImageBytes, OPERAND_INFO, type Operand, Size } from "./operands";
import { Gpr, type OperandValue } from "./values";

/** No form of the instruction takes these operands; the message says which instruction and why. */
export class EncodeError extends Error {}

/** Other names that programmers use -> the rows' names. */
export const MNEMONIC_ALIASES: Readonly<Record<string, string>> = {
  ...conditionAliases("j"),
  ...conditionAliases("set"),
  ...conditionAliases("cmov"),
  sal: "shl",
  icebp: "int1",
  wait: "fwait",
  xlat: "xlatb",
  loopz: "loope",
  loopnz: "loopne",
};

/** Names without a size -> the 32-bit name: they have the operand size of the options or else of the code. */
const UNSIZED_NAMES: Readonly<Record<string, string>> = {
  pusha: "pushad",
  popa: "popad",
  pushf: "pushfd",
  popf: "popfd",
  iret: "iretd",
};

function conditionAliases(stem: string): Record<string, string> {
  const same = "e z ne nz c b nae b nc ae nb ae na be nbe a pe p po np nge l nl ge ng le nle g".split(" ");
  const aliases: Record<string, string> = {};
  for (let i = 0; i < same.length; i += 2) aliases[stem + same[i]] = stem + same[i + 1];
  return aliases;
}

/** A row that fits the kinds of the operands, and what they say about sizes. */
export interface Candidate {
  readonly row: Row;
  /** The operand size that the operands or the name ask for; 0 when they leave it open or it does not matter. */
  readonly operandSize: number;
  /** From the name, for JCXZ; else 0. */
  readonly addressSize: number;
  /** The operands are given in the other order (TEST and XCHG are symmetric). */
  readonly swapped: boolean;
  /** Bytes without prefixes and displacement: fewest first. */
  readonly cost: number;
  readonly modrm: boolean;
}

const ROWS_BY_NAME = new Map<string, Row[]>();
for (const row of ROWS) {
  if (row.opcode < 0 || row.flags & RowFlag.Alias) continue;
  for (const name of new Set([row.mnemonic, row.mnemonic16])) {
    const list = ROWS_BY_NAME.get(name);
    if (list) list.push(row);
    else ROWS_BY_NAME.set(name, [row]);
  }
}

/** Sizes of memory operands, by which shapes are told apart. */
const MEMORY_SIZES = [0, 1, 2, 4, 6, 8, 10, 14, 28, 94, 108];

/** What the choice of rows depends on in an operand; an integer below 31. */
export function shapeOf(value: OperandValue): number {
  switch (value.kind) {
    case "reg":
      return value.size;
    case "imm":
      return 5;
    case "mem":
      return value.far ? 24 + (value.size >> 1) : 6 + MEMORY_SIZES.indexOf(value.size);
    case "rel":
      return 17 + (value.size >> 1);
    case "sreg":
      return 20;
    case "creg":
      return 21;
    case "dreg":
      return 22;
    case "treg":
      return 29;
    case "st":
      return 30;
    default:
      return 23;
  }
}

/** Whether an operand's kind and size fit, whatever its value; memory of size 0 fits any memory. */
function fits(row: Row, operand: Operand, value: OperandValue): boolean {
  const { field, size } = OPERAND_INFO[operand];
  switch (value.kind) {
    case "reg":
      switch (field) {
        case Field.Rm:
          // A selector in a 32-bit register: its low half is meant.
          if (operand === "Ew" && row.operands[0] === "Sw") return value.size !== 1;
          return size > 0 ? value.size === size : value.size !== 1;
        case Field.Reg:
        case Field.RmRegister:
        case Field.OpcodeReg:
        case Field.FixedReg:
          return size > 0 ? value.size === size : value.size !== 1;
        default:
          return false;
      }
    case "mem":
      switch (field) {
        case Field.Rm:
        case Field.Memory:
        case Field.Offset:
        case Field.StringSource:
        case Field.StringDestination:
          // CALL [x] is near unless the operand says far; LES [x] cannot be.
          if (row.operands.length === 1 && value.far !== (size === Size.Far)) return false;
          if (value.size === 0) return true;
          if (size === Size.V) return value.size === 2 || value.size === 4;
          if (size === Size.VorW) return value.size === 2;
          if (size === Size.Far) return value.size === 4 || value.size === 6;
          if (size === Size.Bounds) return value.size === 4 || value.size === 8;
          if (size === Size.Environment || size === Size.FloatState) {
            return value.size === floatImageBytes(size, 2) || value.size === floatImageBytes(size, 4);
          }
          return size === Size.None || size === value.size;
        default:
          return false;
      }
    case "imm":
      return field === Field.Immediate || field === Field.Constant;
    case "rel":
      return field === Field.Relative && (value.size === 1) === (operand === "Jb");
    case "sreg":
      return field === Field.SegmentReg || field === Field.FixedSegment;
    case "creg":
      return field === Field.ControlReg;
    case "dreg":
      return field === Field.DebugReg;
    case "treg":
      return field === Field.TestReg;
    case "st":
      return field === Field.FloatRm || field === Field.FixedFloat;
    default:
      return field === Field.FarPointer;
  }
}

/** The operand size that a fitting operand asks for; 0 when it says nothing. */
function impliedSize(operand: Operand, value: OperandValue): number {
  const { size } = OPERAND_INFO[operand];
  if (value.kind === "reg") return size === Size.V || size === Size.VorW ? value.size : 0;
  if (value.kind === "rel") return operand === "Jv" ? value.size : 0;
  if (value.kind !== "mem" || value.size === 0) return 0;
  if (size === Size.V) return value.size;
  if (size === Size.Far) return value.size - 2;
  if (size === Size.Environment || size === Size.FloatState) {
    return value.size === floatImageBytes(size, 2) ? 2 : 4;
  }
  return size === Size.Bounds ? value.size / 2 : 0;
}

const BYTES_OF_FIELD: Partial<Record<Operand, number>> = { Ib: 1, Ibs: 1, Jb: 1, Iw: 2, Iv: 4, Jv: 4, Ap: 6 };

/** Strings may be given by name alone. */
function isString(row: Row): boolean {
  return row.operands.some((operand) => operand[0] === "X" || operand[0] === "Y");
}

/** The row with what these operands, and the name it goes by, say about sizes; undefined when it does not fit them. */
function candidate(row: Row, name: string, values: readonly OperandValue[], swapped: boolean): Candidate | undefined {
  const byName = values.length === 0 && isString(row);
  if (!byName && values.length !== row.operands.length) return undefined;
  const byAddress = (row.flags & RowFlag.NamedByAddressSize) !== 0;
  const named = row.mnemonic === row.mnemonic16 || UNSIZED_NAMES[name] ? 0 : name === row.mnemonic ? 4 : 2;
  let operandSize = byAddress ? 0 : named;
  for (const [i, value] of values.entries()) {
    if (!fits(row, row.operands[i], value)) return undefined;
    const implied = impliedSize(row.operands[i], value);
    if (implied !== 0 && operandSize !== 0 && implied !== operandSize) return undefined;
    operandSize ||= implied;
  }
  const modrm = hasModrm(row);
  let cost = (row.opcode > 0xff ? 2 : 1) + (modrm ? 1 : 0);
  for (const operand of row.operands) cost += BYTES_OF_FIELD[operand] ?? 0;
  return { row, operandSize, addressSize: byAddress ? named : 0, swapped, cost, modrm };
}

const SYMMETRIC = new Set(["test", "xchg"]);

/** All rows that fit the kinds of operands, shortest first. */
export function candidates(mnemonic: string, values: readonly OperandValue[]): Candidate[] {
  const alias = MNEMONIC_ALIASES[mnemonic] ?? mnemonic;
  const rows = ROWS_BY_NAME.get(UNSIZED_NAMES[alias] ?? alias);
  if (rows === undefined) throw new EncodeError(`no instruction is called '${mnemonic}'`);
  const found = rows.map((row) => candidate(row, alias, values, false));
  if (SYMMETRIC.has(alias)) found.push(...rows.map((row) => candidate(row, alias, [...values].reverse(), true)));
  const fitting = found.filter((one) => one !== undefined);
  const unsized = values.some((value) => value.kind === "mem" && value.size === 0);
  if (unsized && new Set(fitting.map(memorySize)).size > 1) {
    throw new EncodeError(`${mnemonic}: the size of the memory operand is not known`);
  }
  return fitting.sort((a, b) => a.cost - b.cost);
}

/** Size that a candidate would give its memory operand; 0 is that of the code. */
function memorySize({ row, operandSize }: Candidate): number {
  for (const operand of row.operands) {
    const { field, size } = OPERAND_INFO[operand];
    if (field === Field.Rm || field === Field.Offset || (field === Field.Memory && size > 0))
      return size === Size.V ? operandSize : size;
  }
  return 0;
}

/** Whether the value fits a field of so many bytes, signed or unsigned. */
function inRange(value: number, bytes: number): boolean {
  return value >= -(2 ** (bytes * 8 - 1)) && value < 2 ** (bytes * 8);
}

/** Whether the operand's value fits the form: fixed registers, the width of immediates, registers that exist. */
export function admits(row: Row, position: number, value: OperandValue, operandSize: number): boolean {
  const operand = row.operands[position];
  const { field, value: fixed } = OPERAND_INFO[operand];
  switch (value.kind) {
    case "reg":
      // XCHG EAX, EAX is no form of 91–97: it would be NOP.
      if (field === Field.OpcodeReg) return value.number >= (row.opcode & 7);
      return field !== Field.FixedReg || value.number === fixed;
    case "sreg":
      if (field === Field.FixedSegment) return value.number === fixed;
      return value.number <= Segment.GS && !(position === 0 && value.number === Segment.CS);
    case "creg":
      return value.number <= 4 && value.number !== 1;
    case "dreg":
      return value.number <= 7;
    case "treg":
      return value.number >= 3 && value.number <= 7;
    case "st":
      return field === Field.FixedFloat ? value.number === fixed : value.number <= 7;
    case "imm": {
      if (field === Field.Constant) return value.value === fixed && !value.wide;
      if (operand === "Iv") return inRange(value.value, operandSize);
      if (operand === "Iw") return inRange(value.value, 2);
      if (value.wide) return false;
      if (operand === "Ib") return inRange(value.value, 1);
      if (!inRange(value.value, operandSize)) return false;
      const extended = operandSize === 4 ? value.value | 0 : (value.value << 16) >> 16;
      return extended >= -128 && extended <= 127;
    }
    case "rel":
      return value.size === 4 || inRangeSigned(value.distance, value.size);
    case "far":
      return inRange(value.offset, operandSize) && inRange(value.selector, 2);
    default:
      if (field === Field.Offset) return value.base === NO_REGISTER && value.index === NO_REGISTER;
      if (field === Field.StringSource) return value.base === Gpr.ESI && value.index === NO_REGISTER;
      if (field === Field.StringDestination) return value.base === Gpr.EDI && value.segment === Segment.ES;
      return true;
  }
}

function inRangeSigned(value: number, bytes: number): boolean {
  return value >= -(2 ** (bytes * 8 - 1)) && value < 2 ** (bytes * 8 - 1);
}
