/**
 * Constant folding and algebraic identities, applied wherever a value is made: irbuild and the later passes ask `fold`
 * before they create one. Constants end up on the right, `x - c` becomes `x + -c`, `x == 0` stands for eqz. Imports ir.
 * Source: WebAssembly core specification 2.0, section 4.3.2 (integer operations).
 */

import { type IrFunction, invertComparison, isComparison, Op, swapComparison, type Value } from "./ir";

/** The result of an operation on two constants, or undefined where it traps. One-operand operations ignore `b`. */
export function evaluate(op: Op, a: number, b: number): number | undefined {
  switch (op) {
    case Op.Add:
      return (a + b) | 0;
    case Op.Sub:
      return (a - b) | 0;
    case Op.Mul:
      return Math.imul(a, b);
    case Op.DivS:
      return b === 0 || (a === -0x80000000 && b === -1) ? undefined : (a / b) | 0;
    case Op.DivU:
      return b === 0 ? undefined : ((a >>> 0) / (b >>> 0)) | 0;
    case Op.RemS:
      return b === 0 ? undefined : (a % b) | 0;
    case Op.RemU:
      return b === 0 ? undefined : ((a >>> 0) % (b >>> 0)) | 0;
    case Op.And:
      return a & b;
    case Op.Or:
      return a | b;
    case Op.Xor:
      return a ^ b;
    case Op.Shl:
      return a << b;
    case Op.ShrS:
      return a >> b;
    case Op.ShrU:
      return (a >>> b) | 0;
    case Op.Rotl:
      return (b & 31) === 0 ? a : (a << b) | (a >>> -b);
    case Op.Rotr:
      return (b & 31) === 0 ? a : (a >>> b) | (a << -b);
    case Op.Eq:
      return Number(a === b);
    case Op.Ne:
      return Number(a !== b);
    case Op.LtS:
      return Number(a < b);
    case Op.LtU:
      return Number(a >>> 0 < b >>> 0);
    case Op.GtS:
      return Number(a > b);
    case Op.GtU:
      return Number(a >>> 0 > b >>> 0);
    case Op.LeS:
      return Number(a <= b);
    case Op.LeU:
      return Number(a >>> 0 <= b >>> 0);
    case Op.GeS:
      return Number(a >= b);
    case Op.GeU:
      return Number(a >>> 0 >= b >>> 0);
    case Op.Clz:
      return Math.clz32(a);
    case Op.Ctz:
      return a === 0 ? 32 : 31 - Math.clz32(a & -a);
    case Op.Extend8:
      return (a << 24) >> 24;
    case Op.Extend16:
      return (a << 16) >> 16;
    default:
      return undefined;
  }
}

/** Whether the two operands of an operation may be exchanged. */
export function isCommutative(op: Op): boolean {
  return (
    op === Op.Add || op === Op.Mul || op === Op.And || op === Op.Or || op === Op.Xor || op === Op.Eq || op === Op.Ne
  );
}

/**
 * Simplify an operation before it is made. `create` makes a new value in place when the simpler form is another operation.
 * Returns the value to use instead, or undefined: then make `op` of `args`, which may have been reordered in place.
 */
export function fold(
  fn: IrFunction,
  op: Op,
  args: Value[],
  create: (op: Op, args: Value[]) => Value,
): Value | undefined {
  if (op === Op.Select) return foldSelect(args, create);
  const unary = args.length === 1;
  if (args[0].op === Op.Const && (unary || args[1].op === Op.Const)) {
    const result = evaluate(op, args[0].imm, unary ? 0 : args[1].imm);
    return result === undefined ? undefined : fn.constant(result);
  }
  if (unary) return undefined;
  if (args[0].op === Op.Const && isCommutative(op)) args.reverse();
  if (args[0].op === Op.Const && isComparison(op)) return create(swapComparison(op), [args[1], args[0]]);
  if (args[1].op === Op.Const) return foldRight(fn, op, args[0], args[1].imm, create);
  if (args[0] === args[1]) return foldSame(fn, op, args[0]);
  return undefined;
}

function foldSelect(args: Value[], create: (op: Op, args: Value[]) => Value): Value | undefined {
  const [condition, yes, no] = args;
  if (condition.op === Op.Const) return condition.imm !== 0 ? yes : no;
  if (yes === no) return yes;
  if (condition.op === Op.Eq && isZero(condition.args[1])) return create(Op.Select, [condition.args[0], no, yes]);
  if (yes.op === Op.Const && no.op === Op.Const && isComparison(condition.op)) {
    if (yes.imm === 1 && no.imm === 0) return condition;
    if (yes.imm === 0 && no.imm === 1) return create(invertComparison(condition.op), [...condition.args]);
  }
  return undefined;
}

function isZero(value: Value): boolean {
  return value.op === Op.Const && value.imm === 0;
}

/** Both operands are the same value. */
function foldSame(fn: IrFunction, op: Op, value: Value): Value | undefined {
  switch (op) {
    case Op.Sub:
    case Op.Xor:
    case Op.Ne:
    case Op.LtS:
    case Op.LtU:
    case Op.GtS:
    case Op.GtU:
      return fn.constant(0);
    case Op.And:
    case Op.Or:
      return value;
    case Op.Eq:
    case Op.LeS:
    case Op.LeU:
    case Op.GeS:
    case Op.GeU:
      return fn.constant(1);
    default:
      return undefined;
  }
}

/** The right operand is the constant `c`. */
function foldRight(
  fn: IrFunction,
  op: Op,
  left: Value,
  c: number,
  create: (op: Op, args: Value[]) => Value,
): Value | undefined {
  const inner = left.args.length === 2 && left.args[1].op === Op.Const ? left.args[1].imm : undefined;
  const power = c !== 0 && (c & (c - 1)) === 0 ? 31 - Math.clz32(c) : -1;
  switch (op) {
    case Op.Sub:
      return create(Op.Add, [left, fn.constant(-c)]);
    case Op.Add:
      if (c === 0) return left;
      if (left.op === Op.Add && inner !== undefined) return create(Op.Add, [left.args[0], fn.constant(inner + c)]);
      return undefined;
    case Op.Or:
    case Op.Xor:
      return c === 0 ? left : undefined;
    case Op.And:
      if (c === 0) return fn.constant(0);
      if (c === -1) return left;
      if (left.op === Op.And && inner !== undefined) return create(Op.And, [left.args[0], fn.constant(inner & c)]);
      if ((c & 1) === 1 && isComparison(left.op)) return left;
      return undefined;
    case Op.Shl:
    case Op.ShrS:
    case Op.ShrU:
    case Op.Rotl:
    case Op.Rotr: {
      if ((c & 31) === 0) return left;
      const total = inner === undefined || left.op !== op ? 32 : (inner & 31) + (c & 31);
      return total < 32 ? create(op, [left.args[0], fn.constant(total)]) : undefined;
    }
    case Op.Mul:
      if (c === 0) return fn.constant(0);
      if (power >= 0) return create(Op.Shl, [left, fn.constant(power)]);
      return undefined;
    case Op.DivU:
      return power >= 0 ? create(Op.ShrU, [left, fn.constant(power)]) : undefined;
    case Op.RemU:
      return power >= 0 ? create(Op.And, [left, fn.constant(c - 1)]) : undefined;
    case Op.DivS:
      return c === 1 ? left : undefined;
    case Op.RemS:
      return c === 1 || c === -1 ? fn.constant(0) : undefined;
    default:
      return isComparison(op) ? foldComparison(fn, op, left, c, create) : undefined;
  }
}

function foldComparison(
  fn: IrFunction,
  op: Op,
  left: Value,
  c: number,
  create: (op: Op, args: Value[]) => Value,
): Value | undefined {
  const zero = () => fn.constant(0);
  if (op === Op.LtU && c === 1) return create(Op.Eq, [left, zero()]);
  if (op === Op.GeU && c === 1) return create(Op.Ne, [left, zero()]);
  if (c !== 0) {
    const addend = left.op === Op.Add && left.args[1].op === Op.Const ? left.args[1].imm : 0;
    if (addend !== 0 && (op === Op.Eq || op === Op.Ne)) return create(op, [left.args[0], fn.constant(c - addend)]);
    return undefined;
  }
  switch (op) {
    case Op.GtU:
      return create(Op.Ne, [left, zero()]);
    case Op.LeU:
      return create(Op.Eq, [left, zero()]);
    case Op.LtU:
      return fn.constant(0);
    case Op.GeU:
      return fn.constant(1);
    case Op.Eq:
      if (isComparison(left.op)) return create(invertComparison(left.op), [...left.args]);
      if (left.op === Op.Sub || left.op === Op.Xor) return create(Op.Eq, [...left.args]);
      return undefined;
    case Op.Ne:
      if (isComparison(left.op)) return left;
      if (left.op === Op.Sub || left.op === Op.Xor) return create(Op.Ne, [...left.args]);
      return undefined;
    default:
      return undefined;
  }
}
