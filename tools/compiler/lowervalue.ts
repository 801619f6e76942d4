/**
 * Machine instructions for each operation. A two-operand instruction is a copy of its first operand into the result and
 * the operation on that; the allocator removes the copy where the operand dies. Imports ir, mir, lowercontext,
 * lowercompare, lowercall, optfold.
 * Source: Intel SDM volume 2, the instruction of the name.
 */

import { Access, accessBytes, isComparison, Op, type Value } from "./ir";
import { lowerCall, lowerCallIndirect, lowerIntrinsic, lowerMemoryCopy, lowerMemoryFill } from "./lowercall";
import { lowerComparison } from "./lowercompare";
import {
  atRegister,
  atSymbol,
  define,
  immediate,
  type LoweringContext,
  type MemorySpec,
  type Spec,
  update,
  use,
} from "./lowercontext";
import { Register, Role } from "./mir";

const MNEMONICS = new Map<Op, string>([
  [Op.Add, "add"],
  [Op.Sub, "sub"],
  [Op.And, "and"],
  [Op.Or, "or"],
  [Op.Xor, "xor"],
  [Op.Mul, "imul"],
  [Op.Shl, "shl"],
  [Op.ShrS, "sar"],
  [Op.ShrU, "shr"],
  [Op.Rotl, "rol"],
  [Op.Rotr, "ror"],
]);

/** Emit one value of a block, that is needed or has an effect. */
export function lowerValue(context: LoweringContext, value: Value): void {
  const { op, args } = value;
  if (isComparison(op)) lowerFlag(context, value);
  else if (op >= Op.Shl && op <= Op.Rotr) lowerShift(context, value);
  else if (op >= Op.DivS && op <= Op.RemU) lowerDivision(context, value);
  else {
    switch (op) {
      case Op.Add:
        lowerAdd(context, value);
        break;
      case Op.Sub:
        lowerSub(context, value);
        break;
      case Op.And:
        lowerAnd(context, value);
        break;
      case Op.Or:
      case Op.Xor:
        lowerCommutative(context, value);
        break;
      case Op.Mul:
        lowerMul(context, value);
        break;
      case Op.Clz:
      case Op.Ctz:
        context.emit(
          op === Op.Clz ? "clz" : "ctz",
          define(context.registerOf(value)),
          bareUse(context.register(args[0])),
        );
        break;
      case Op.Extend8:
        context.emit("movsx", define(context.registerOf(value)), byteOf(context, args[0]));
        break;
      case Op.Extend16:
        context.emit("movsx", define(context.registerOf(value)), use(context.register(args[0]), 2));
        break;
      case Op.Load:
        lowerLoad(context, value);
        break;
      case Op.GlobalGet:
        context.emit("mov", define(context.registerOf(value)), atSymbol(context.layout.global(value.imm)));
        break;
      case Op.Store: {
        const bytes = accessBytes(value.access);
        lowerStore(context, value, args[1], bytes, () => context.address(args[0], value.imm, bytes));
        break;
      }
      case Op.GlobalSet:
        lowerStore(context, value, args[0], 4, () => atSymbol(context.layout.global(value.imm)));
        break;
      case Op.Call:
        lowerCall(context, value);
        break;
      case Op.CallIndirect:
        lowerCallIndirect(context, value);
        break;
      case Op.Intrinsic:
        lowerIntrinsic(context, value);
        break;
      case Op.MemoryCopy:
        lowerMemoryCopy(context, value);
        break;
      case Op.MemoryFill:
        lowerMemoryFill(context, value);
        break;
      case Op.CString:
      case Op.Barrier:
        break;
      default:
        throw new Error(`lowering: operation ${op} should have been expanded`);
    }
  }
}

/** A register that must be one, because the expansion reads it after writing other things. */
function bareUse(register: number): Spec {
  return { kind: "register", register, role: Role.Use, size: 4 };
}

function isConstant(value: Value): boolean {
  return value.op === Op.Const || value.op === Op.CString;
}

/** result = left; result op= right */
function twoOperand(context: LoweringContext, op: string, value: Value, left: Value, right: Spec): void {
  const result = context.registerOf(value);
  context.moveInto(result, left);
  context.emit(op, resultOperand(op, result), right);
}

/** IMUL alone cannot have its destination in memory. */
function resultOperand(op: string, register: number): Spec {
  return op === "imul" ? { kind: "register", register, role: Role.Use | Role.Def, size: 4 } : update(register);
}

/** For a commutative operation: the operand to copy first, then the other. */
function order(context: LoweringContext, value: Value): [Value, Value] {
  const [left, right] = value.args;
  if (isConstant(right)) return [left, right];
  const sinks = (v: Value) => context.isWord(v) && context.canSink(v);
  if (sinks(right)) return [left, right];
  if (sinks(left)) return [right, left];
  const [leftLives, rightLives] = [context.isLiveAfter(left), context.isLiveAfter(right)];
  // Of two that end here the phi goes first: the result is most often its next value.
  const prefersRight = leftLives === rightLives ? right.op === Op.Phi && left.op !== Op.Phi : leftLives;
  return prefersRight ? [right, left] : [left, right];
}

function lowerCommutative(context: LoweringContext, value: Value): void {
  const [left, right] = order(context, value);
  const op = MNEMONICS.get(value.op) as string;
  if (value.op === Op.Xor && right.op === Op.Const && right.imm === -1) {
    const result = context.registerOf(value);
    context.moveInto(result, left);
    context.emit("not", update(result));
  } else twoOperand(context, op, value, left, context.source(right));
}

function lowerAdd(context: LoweringContext, value: Value): void {
  const [left, right] = order(context, value);
  if (context.isWord(right) && context.canSink(right)) {
    twoOperand(context, "add", value, left, context.sink(right, 4));
    return;
  }
  // The address of the sum, its parts taken in as far as an addressing mode reaches. Only where that takes in more than
  // one operation: an ADD can have an operand in a slot, and the last pass makes LEA of a copy and an ADD.
  const result = context.registerOf(value);
  const memory = right.op === Op.Const ? context.address(left, right.imm, 4) : context.sum(left, right);
  const { base, index, scale, displacement, symbol } = memory;
  if (symbol === null && scale === 0 && base >= 0 && (index < 0 || displacement === 0)) {
    context.copy(result, base);
    context.emit("add", update(result), index < 0 ? immediate(displacement) : use(index));
  } else context.emit("lea", define(result), memory);
}

function lowerSub(context: LoweringContext, value: Value): void {
  const [left, right] = value.args;
  if (left.op === Op.Const && left.imm === 0) {
    const result = context.registerOf(value);
    context.moveInto(result, right);
    context.emit("neg", update(result));
  } else twoOperand(context, "sub", value, left, context.source(right));
}

function lowerAnd(context: LoweringContext, value: Value): void {
  const [left, right] = value.args;
  const result = context.registerOf(value);
  if (right.op === Op.Const && right.imm === 0xffff) {
    context.emit("movzx", define(result), use(context.register(left), 2));
  } else if (right.op === Op.Const && right.imm === 0xff && context.isLiveAfter(left)) {
    context.emit("movzx", define(result), byteOf(context, left));
  } else lowerCommutative(context, value);
}

/** The low byte of a value as an operand, by way of a copy that may be in a byte register. */
function byteOf(context: LoweringContext, value: Value): Spec {
  const temporary = context.newRegister();
  context.copy(temporary, context.register(value));
  return use(temporary, 1);
}

function lowerMul(context: LoweringContext, value: Value): void {
  const [left, right] = order(context, value);
  if (right.op !== Op.Const) {
    twoOperand(context, "imul", value, left, context.source(right));
    return;
  }
  const result = context.registerOf(value);
  const scale = [3, 5, 9].indexOf(right.imm) + 1;
  if (scale > 0) {
    const register = context.register(left);
    context.emit("lea", define(result), { ...atRegister(register, 0), index: register, scale });
  } else context.emit("imul", define(result), context.registerOrMemory(left), immediate(right.imm));
}

function lowerShift(context: LoweringContext, value: Value): void {
  const [left, right] = value.args;
  const op = MNEMONICS.get(value.op) as string;
  if (right.op === Op.Const) {
    twoOperand(context, op, value, left, immediate(right.imm & 31));
    return;
  }
  context.moveInto(Register.ECX, right);
  const result = context.registerOf(value);
  context.moveInto(result, left);
  context.emit(`${op}cl`, update(result)).fixedUses = 1 << Register.ECX;
}

function lowerDivision(context: LoweringContext, value: Value): void {
  const [left, right] = value.args;
  const signed = value.op === Op.DivS || value.op === Op.RemS;
  const divisor = context.registerOrMemory(right);
  context.moveInto(Register.EAX, left);
  const extend = context.emit(signed ? "cdq" : "zeroEdx");
  extend.fixedUses = signed ? 1 << Register.EAX : 0;
  extend.fixedDefs = 1 << Register.EDX;
  const divide = context.emit(signed ? "idiv" : "div", divisor);
  divide.fixedUses = (1 << Register.EAX) | (1 << Register.EDX);
  divide.fixedDefs = divide.fixedUses;
  if (!context.isDemanded(value)) return;
  const quotient = value.op === Op.DivS || value.op === Op.DivU;
  context.copy(context.registerOf(value), quotient ? Register.EAX : Register.EDX);
}

/** A comparison as the number 0 or 1. */
function lowerFlag(context: LoweringContext, value: Value): void {
  const result = context.registerOf(value);
  const [left, right] = value.args;
  if (value.op === Op.LtS && right.op === Op.Const && right.imm === 0) {
    context.moveInto(result, left);
    context.emit("shr", update(result), immediate(31));
    return;
  }
  const condition = lowerComparison(context, value);
  const flag = context.newRegister();
  context.emit("setcc", { kind: "register", register: flag, role: Role.Def | Role.Byte, size: 1 }).condition =
    condition;
  context.emit("movzx", define(result), { kind: "register", register: flag, role: Role.Use | Role.Byte, size: 1 });
}

function lowerLoad(context: LoweringContext, value: Value): void {
  const bytes = accessBytes(value.access);
  const op =
    value.access === Access.Word
      ? "mov"
      : value.access === Access.SignedByte || value.access === Access.SignedHalf
        ? "movsx"
        : "movzx";
  context.emit(op, define(context.registerOf(value)), context.address(value.args[0], value.imm, bytes));
}

function lowerStore(
  context: LoweringContext,
  store: Value,
  data: Value,
  bytes: 1 | 2 | 4,
  address: () => MemorySpec,
): void {
  if (isConstant(data)) {
    const constant = context.immediateOf(data);
    const shift = 32 - 8 * bytes;
    if (constant.symbol === null || bytes === 4) {
      const { symbol } = constant;
      context.emit("mov", address(), { kind: "immediate", value: (constant.value << shift) >> shift, symbol });
      return;
    }
  }
  if (!store.atomic && updateInPlace(context, store, data, bytes, address)) return;
  const source = storable(context, data, bytes);
  context.emit("mov", address(), source);
}

/** The register operand whose low bytes are to be stored. */
function storable(context: LoweringContext, data: Value, bytes: 1 | 2 | 4): Spec {
  if (bytes === 1 && !isConstant(data)) return byteOf(context, data);
  const register = context.register(data);
  return bytes === 1 ? use(register, 1) : use(register, bytes);
}

/** `memory = memory op x` as one instruction. */
function updateInPlace(
  context: LoweringContext,
  store: Value,
  data: Value,
  bytes: 1 | 2 | 4,
  address: () => MemorySpec,
): boolean {
  const { op } = data;
  const shift = (op === Op.Shl || op === Op.ShrU || op === Op.ShrS) && bytes === 4 && data.args[1].op === Op.Const;
  const plain = op === Op.Add || op === Op.Sub || op === Op.And || op === Op.Or || op === Op.Xor;
  if (!(shift || plain) || data.uses !== 1 || data.block !== context.block || context.isDemanded(data)) return false;
  const [left, right] = data.args;
  const readsHere = (v: Value) =>
    context.canSink(v) &&
    (store.op === Op.GlobalSet
      ? v.op === Op.GlobalGet && v.imm === store.imm
      : v.op === Op.Load && v.args[0] === store.args[0] && v.imm === store.imm && accessBytes(v.access) === bytes);
  let other: Value;
  if (readsHere(left)) other = right;
  else if (op !== Op.Sub && plain && readsHere(right)) other = left;
  else return false;
  const load = other === right ? left : right;
  const mnemonic = MNEMONICS.get(op) as string;
  let operand: Spec;
  if (other.op === Op.Const) {
    const narrow = 32 - 8 * bytes;
    operand = immediate(shift ? other.imm & 31 : (other.imm << narrow) >> narrow);
  } else operand = storable(context, other, bytes);
  context.markSunk(load);
  const memory = address();
  if (op === Op.Xor && other.op === Op.Const && other.imm === -1) context.emit("not", memory);
  else context.emit(mnemonic, memory, operand);
  return true;
}
