/**
 * From a decoded instruction to a ready operation: picks the handler by name and the shape of its operands, resolves register
 * numbers, and adds up the cost. May import isa.ts, isa/, operation.ts, costs.ts, registers.ts and the families in exec/.
 *
 * A handler's key is the mnemonic and one token an operand: r1 r2 r4 register, m1 m2 m4 memory (by size in bytes), m an
 * address without a size, mf2 mf4 far pointer in memory, mb2 mb4 two bounds, m6 table register, i immediate, s c d segment,
 * control and debug register, j distance, p far pointer, x y string source and destination with size, f x87 register; m14 m28
 * and m94 m108 are x87 environment and state. A string instruction
 * under REP or REPNE has the mnemonic "rep movsb". A form without a handler is #UD.
 */
import { type CostTable, STANDARD_COSTS } from "../costs";
import { Prefix, Segment } from "../instruction";
import { mnemonicOf, ROWS, type Row, RowFlag } from "../isa";
import { Field, floatImageBytes, OPERAND_INFO, type Operand, Size } from "../isa/operands";
import type { Handler, Operation } from "../operation";
import { byteRegister, Mode } from "../registers";
import { ALU_OPERATIONS, ARITHMETIC } from "./arith";
import { BIT_OPERATIONS, BITS } from "./bits";
import { CONDITIONAL_MOVES } from "./conditional";
import { CONTROL } from "./control";
import { DEBUG_REGISTERS } from "./debug";
import { DECIMAL } from "./decimal";
import { FLAGS } from "./flags";
import { IDENTITY } from "./identity";
import { LOGIC } from "./logic";
import { MOVES } from "./mov";
import { MULTIPLICATION } from "./multiply";
import { PORTS } from "./ports";
import { RETURNS } from "./return";
import { PRIVILEGE_CHECKS, SEGMENTS } from "./segment";
import { SHIFT_OPERATIONS, SHIFTS } from "./shift";
import { SOFTWARE_INTERRUPTS } from "./softint";
import { STACK } from "./stack";
import { STRINGS } from "./string";
import { invalidCode, SYSTEM } from "./system";
import { TEST_REGISTERS } from "./testregister";
import { TRANSFERS } from "./transfer";
import { X87_ARITHMETIC } from "./x87arith";
import { X87_CONTROL } from "./x87control";
import { X87_FUNCTIONS } from "./x87functions";
import { X87_LOADS } from "./x87load";

const HANDLERS: ReadonlyMap<string, Handler> = new Map(
  [
    MOVES,
    ARITHMETIC,
    LOGIC,
    MULTIPLICATION,
    DECIMAL,
    SHIFTS,
    BITS,
    CONDITIONAL_MOVES,
    CONTROL,
    STACK,
    STRINGS,
    FLAGS,
    PORTS,
    TRANSFERS,
    RETURNS,
    SOFTWARE_INTERRUPTS,
    SEGMENTS,
    PRIVILEGE_CHECKS,
    SYSTEM,
    X87_ARITHMETIC,
    X87_CONTROL,
    X87_FUNCTIONS,
    X87_LOADS,
    DEBUG_REGISTERS,
    TEST_REGISTERS,
    IDENTITY,
  ].flatMap((family) => Object.entries(family)),
);

/** Numbers for the families whose handlers serve several mnemonics: Operation.operation. */
const OPERATION_NUMBERS: ReadonlyMap<string, number> = new Map(
  [ALU_OPERATIONS, SHIFT_OPERATIONS, BIT_OPERATIONS].flatMap((names) =>
    names.map((name, number): [string, number] => [name, number]),
  ),
);

/** Byte immediates of these are signed like the operand that they meet. */
const SIGNED_BYTES: ReadonlySet<string> = new Set([...ALU_OPERATIONS, "test"]);

/** Mnemonics that access memory without naming it. */
const IMPLICIT_MEMORY = /^(push|pop|movs|cmps|scas|lods|stos|ins|outs|xlat|leave|call|ret|lar|lsl|verr|verw|lldt|ltr)/;

/** Memory destinations that are only read, or only written. The rest is both. */
const ONLY_READ: ReadonlySet<string> = new Set(
  "cmp test bt mul imul div idiv push call jmp lldt ltr verr verw lmsw lgdt lidt bound".split(" "),
);
const ONLY_WRITTEN = /^(mov|pop|set|sldt|str|smsw|sgdt|sidt|fn?st|fistp?$|fbstp|fnsave)/;

/** They must see the cycles at their own start. */
const READS_TIME: ReadonlySet<string> = new Set(["rdtsc", "rdmsr", "wrmsr"]);

/** Page walks of an instruction with one or two memory accesses (both may cross a page), and of ENTER with its 31. */
const WALKS = 4;
const ENTER_WALKS = 70;

function sizeOf(operand: Operand, op: Operation): number {
  const { size } = OPERAND_INFO[operand];
  if (size > 0) return size;
  return size === Size.VorW && op.rm < 0 ? 2 : op.operandSize;
}

function tokenOf(operand: Operand, op: Operation): string {
  const { field, size } = OPERAND_INFO[operand];
  switch (field) {
    case Field.Rm:
      return (op.rm >= 0 ? "r" : "m") + sizeOf(operand, op);
    case Field.Memory:
      if (size === Size.Far) return `mf${op.operandSize}`;
      if (size === Size.Bounds) return `mb${op.operandSize}`;
      if (size === Size.Environment || size === Size.FloatState) return `m${floatImageBytes(size, op.operandSize)}`;
      return size === Size.None ? "m" : `m${size}`;
    case Field.RmRegister:
    case Field.Reg:
    case Field.OpcodeReg:
    case Field.FixedReg:
      return `r${sizeOf(operand, op)}`;
    case Field.SegmentReg:
    case Field.FixedSegment:
      return "s";
    case Field.ControlReg:
      return "c";
    case Field.DebugReg:
      return "d";
    case Field.TestReg:
      return "t";
    case Field.FloatRm:
    case Field.FixedFloat:
      return "f";
    case Field.Relative:
      return "j";
    case Field.FarPointer:
      return "p";
    case Field.Offset:
      return `m${sizeOf(operand, op)}`;
    case Field.StringSource:
      return `x${sizeOf(operand, op)}`;
    case Field.StringDestination:
      return `y${sizeOf(operand, op)}`;
    default:
      return "i";
  }
}

function repeats(row: Row, op: Operation): boolean {
  return (row.flags & RowFlag.RepAllowed) !== 0 && (op.prefixes & (Prefix.Rep | Prefix.Repne)) !== 0;
}

function tokensOf(row: Row, op: Operation): string[] {
  return row.operands.map((operand) => tokenOf(operand, op));
}

function keyOf(row: Row, op: Operation): string {
  const name = mnemonicOf(row, op.operandSize, op.addressSize);
  return [repeats(row, op) ? `rep ${name}` : name, ...tokensOf(row, op)].join(" ");
}

/** Where a register operand's number comes from. */
const enum From {
  Nowhere = 0,
  Rm = 1,
  Reg = 2,
  Row = 3,
}

/** A register operand: where its number is, that number itself where the row says it, and the operand's size in bytes. */
interface RegisterOperand {
  readonly from: From;
  readonly value: number;
  readonly size: number;
}

const NO_REGISTER: RegisterOperand = { from: From.Nowhere, value: 0, size: 4 };

/** All about an instruction that does not depend on its registers, addresses and immediates. */
interface Form {
  readonly key: string;
  readonly run: Handler;
  readonly destination: RegisterOperand;
  readonly source: RegisterOperand;
  /** Operation.immediate and Operation.reg where the row says them; undefined where the instruction does. */
  readonly constant: number | undefined;
  readonly segment: number | undefined;
  /** By how much the immediate is moved up and down again, to sign-extend it. */
  readonly signShift: number;
  readonly operation: number;
  readonly selfCharging: number;
  readonly cycles: number;
  readonly repetition: number;
  readonly walks: number;
}

/** Bits of a form's number below its row's. */
const enum FormBit {
  Operand16 = 1,
  Address16 = 2,
  Memory = 4,
  Repeat = 8,
}
const FORM_BITS = 4;

/** The forms met so far, by number, for each cost table: code has few, and one costs as much to make as many to use. */
const FORMS = new WeakMap<CostTable, (Form | undefined)[]>();

function formOf(op: Operation, costs: CostTable): Form {
  let forms = FORMS.get(costs);
  if (forms === undefined) {
    forms = new Array<Form | undefined>(ROWS.length << FORM_BITS);
    FORMS.set(costs, forms);
  }
  let number = op.row << FORM_BITS;
  if (op.operandSize === 2) number |= FormBit.Operand16;
  if (op.addressSize === 2) number |= FormBit.Address16;
  if (op.rm < 0) number |= FormBit.Memory;
  if ((op.prefixes & (Prefix.Rep | Prefix.Repne)) !== 0) number |= FormBit.Repeat;
  const known = forms[number];
  if (known !== undefined) return known;
  const form = makeForm(op, costs);
  forms[number] = form;
  return form;
}

function makeForm(op: Operation, costs: CostTable): Form {
  const row = ROWS[op.row];
  const { operands, mnemonic, flags } = row;
  const [first, second] = operands;
  const tokens = tokensOf(row, op);
  const key = keyOf(row, op);
  const repeated = repeats(row, op);
  const waits = (flags & RowFlag.IoSensitive) !== 0 && mnemonic !== "cli" && mnemonic !== "sti";
  const touches = tokens.some((token) => token[0] === "m") || IMPLICIT_MEMORY.test(mnemonic);
  const inRow = (wanted: Field): number | undefined => {
    const operand = operands.find((one) => OPERAND_INFO[one].field === wanted);
    return operand && OPERAND_INFO[operand].value;
  };
  let signShift = 0;
  if (operands.includes("Iv") && op.operandSize === 2) signShift = 16;
  else if (operands.includes("Ib") && SIGNED_BYTES.has(mnemonic)) signShift = 24;
  return {
    key,
    run: HANDLERS.get(key) ?? invalidCode,
    destination: first === undefined ? NO_REGISTER : registerOperand(first, op),
    source: second === undefined ? NO_REGISTER : registerOperand(second, op),
    constant: inRow(Field.Constant),
    segment: inRow(Field.FixedSegment),
    signShift,
    operation: OPERATION_NUMBERS.get(mnemonic) ?? 0,
    selfCharging: repeated || waits || READS_TIME.has(mnemonic) ? 1 : 0,
    cycles: cyclesOf(row, tokens, costs),
    repetition: repeated ? costs.repetitions[mnemonic] : 0,
    walks: mnemonic === "enter" ? ENTER_WALKS : touches ? WALKS : 0,
  };
}

function registerOperand(operand: Operand, op: Operation): RegisterOperand {
  const { field, value } = OPERAND_INFO[operand];
  const size = sizeOf(operand, op);
  if (field === Field.Rm || field === Field.RmRegister || field === Field.FloatRm)
    return { from: From.Rm, value, size };
  if (field === Field.FixedReg || field === Field.FixedFloat) return { from: From.Row, value, size };
  return { from: From.Reg, value, size };
}

/** A register operand as an index into the view of its size. */
function registerIndex({ from, value, size }: RegisterOperand, op: Operation): number {
  if (from === From.Nowhere) return 0;
  const register = from === From.Rm ? op.rm : from === From.Reg ? op.reg : value;
  return size === 1 ? byteRegister(register) : size === 2 ? register << 1 : register;
}

/** The key of an instruction's handler. */
export function handlerKey(op: Operation): string {
  return formOf(op, STANDARD_COSTS).key;
}

/** Whether a form has a handler, so that it does what its row says. */
export function isImplemented(op: Operation): boolean {
  return HANDLERS.has(handlerKey(op));
}

/** Makes a decoded instruction ready to run in blocks of this Mode. */
export function bind(op: Operation, mode: number, costs: CostTable): void {
  const form = formOf(op, costs);
  op.destination = registerIndex(form.destination, op);
  op.source = registerIndex(form.source, op);
  if (form.constant !== undefined) op.immediate = form.constant;
  if (form.segment !== undefined) op.reg = form.segment;
  op.immediate = (op.immediate << form.signShift) >> form.signShift;
  op.operation = form.operation;
  const unchecked =
    (mode & Mode.Flat) !== 0 &&
    op.addressSize === 4 &&
    (op.segment === Segment.DS || op.segment === Segment.SS || op.segment === Segment.ES);
  op.checked = unchecked ? 0 : 1;
  op.selfCharging = form.selfCharging;
  op.cycles = form.cycles;
  op.repetition = form.repetition;
  op.walks = form.walks;
  op.run = form.run;
}

/** Cycles of a form by the cost table, memory operands included. */
function cyclesOf({ mnemonic, flags }: Row, tokens: readonly string[], costs: CostTable): number {
  const base = costs.instructions[costName(mnemonic, tokens)] ?? 1;
  const [destination, source] = tokens;
  // What only names an address, or has its access in its figure.
  if (mnemonic === "lea" || mnemonic === "invlpg" || mnemonic === "nop") return base;
  if (source !== undefined && source[0] === "m") return base + costs.memoryRead;
  if (destination === undefined || destination[0] !== "m") return base;
  const float = (flags & RowFlag.Fpu) !== 0 && !ONLY_WRITTEN.test(mnemonic);
  if (float || ONLY_READ.has(mnemonic)) return base + costs.memoryRead;
  return base + (ONLY_WRITTEN.test(mnemonic) ? costs.memoryWrite : costs.memoryModify);
}

function costName(mnemonic: string, tokens: readonly string[]): string {
  const far = tokens.length === 1 && (tokens[0] === "p" || tokens[0].startsWith("mf"));
  if (far) return `${mnemonic} far`;
  if (tokens.includes("s")) return `${mnemonic} sreg`;
  if (tokens.includes("d")) return `${mnemonic} dr`;
  if (tokens.includes("t")) return `${mnemonic} tr`;
  if (tokens[0] === "c") return `${mnemonic} to cr`;
  if (tokens[1] === "c") return `${mnemonic} from cr`;
  return mnemonic;
}
