/**
 * Comparisons and conditions: CMP and TEST with the operands where they are, in memory too, and the condition code that
 * tells the outcome. Imports ir, mir, lowercontext.
 */

import { Access, accessBytes, isComparison, Op, swapComparison, type Value } from "./ir";
import { immediate, type LoweringContext, type Spec, use } from "./lowercontext";
import { Condition } from "./mir";

const CONDITIONS = new Map<Op, Condition>([
  [Op.Eq, Condition.E],
  [Op.Ne, Condition.NE],
  [Op.LtS, Condition.L],
  [Op.LtU, Condition.B],
  [Op.GtS, Condition.G],
  [Op.GtU, Condition.A],
  [Op.LeS, Condition.LE],
  [Op.LeU, Condition.BE],
  [Op.GeS, Condition.GE],
  [Op.GeU, Condition.AE],
]);

/** Emit what sets the flags for "value is not zero" and say which condition holds then. */
export function lowerCondition(context: LoweringContext, value: Value): Condition {
  if (isComparison(value.op) && value.uses === 1 && !context.isDemanded(value)) return lowerComparison(context, value);
  compareWithZero(context, value, true);
  return Condition.NE;
}

/** Emit CMP or TEST for a comparison and say which condition holds when it is true. */
export function lowerComparison(context: LoweringContext, comparison: Value): Condition {
  let { op } = comparison;
  let [left, right] = comparison.args;
  if (right.op === Op.Const) {
    if (right.imm === 0) {
      compareWithZero(context, left, op === Op.Eq || op === Op.Ne);
      if (op === Op.LtS) return Condition.S;
      if (op === Op.GeS) return Condition.NS;
      return CONDITIONS.get(op) as Condition;
    }
    if (narrowCompare(context, op, left, right.imm)) return CONDITIONS.get(op) as Condition;
  } else if (context.isWord(left) && context.canSink(left) && !(context.isWord(right) && context.canSink(right))) {
    // cmp [memory], register
    const memory = context.sink(left, 4);
    context.emit("cmp", memory, use(context.register(right)));
    return CONDITIONS.get(op) as Condition;
  }
  if (left.op === Op.Const || left.op === Op.CString) {
    [left, right] = [right, left];
    op = swapComparison(op);
  }
  const first: Spec =
    right.op === Op.Const || right.op === Op.CString ? context.registerOrMemory(left) : use(context.register(left));
  context.emit("cmp", first, context.source(right));
  return CONDITIONS.get(op) as Condition;
}

/** Emit the shortest comparison of a value with zero: flags as of CMP value, 0; of ZF alone where only equality counts. */
function compareWithZero(context: LoweringContext, value: Value, equality: boolean): void {
  const sinks = context.canSink(value);
  if (value.op === Op.And && value.uses === 1 && !context.isDemanded(value)) testBits(context, value);
  else if (context.isWord(value) && sinks) context.emit("cmp", context.sink(value, 4), immediate(0));
  else if (isNarrow(value, Access.Byte) && sinks && equality) context.emit("cmp", context.sink(value, 1), immediate(0));
  else if (isNarrow(value, Access.Half) && sinks && equality) context.emit("cmp", context.sink(value, 2), immediate(0));
  else context.emit("compareZero", use(context.register(value)));
}

function isNarrow(value: Value, access: Access): boolean {
  return value.op === Op.Load && value.access === access;
}

/** TEST of the operands of an AND that is used for its flags alone. */
function testBits(context: LoweringContext, and: Value): void {
  const [left, right] = and.args;
  if (right.op === Op.Const) {
    const mask = right.imm;
    const bytes = left.op === Op.Load && left.access !== Access.Word ? accessBytes(left.access) : 0;
    // The mask may not reach the bits that a narrow load fills in; nor the sign bit, which TEST takes from the byte.
    const narrow = bytes === 1 ? mask >>> 0 <= 0x7f : mask >>> 0 <= 0x7fff;
    if (bytes > 0 && narrow && context.canSink(left)) {
      context.emit("test", context.sink(left, bytes as 1 | 2), immediate(mask));
    } else context.emit("test", context.registerOrMemory(left), immediate(mask));
    return;
  }
  const first = context.registerOrMemory(left);
  context.emit("test", first, use(context.register(right)));
}

/** CMP of a byte or half in memory with a constant that it can hold, when the comparison reads the same there. */
function narrowCompare(context: LoweringContext, op: Op, left: Value, constant: number): boolean {
  if (left.op !== Op.Load || left.access === Access.Word || !context.canSink(left)) return false;
  const bits = accessBytes(left.access) * 8;
  const signed = left.access === Access.SignedByte || left.access === Access.SignedHalf;
  const equality = op === Op.Eq || op === Op.Ne;
  if (signed) {
    const signedOrder = op === Op.LtS || op === Op.GtS || op === Op.LeS || op === Op.GeS;
    if (!(equality || signedOrder) || (constant << (32 - bits)) >> (32 - bits) !== constant) return false;
  } else {
    const unsignedOrder = op === Op.LtU || op === Op.GtU || op === Op.LeU || op === Op.GeU;
    if (!(equality || unsignedOrder) || constant >>> 0 >= 2 ** bits) return false;
  }
  const memory = context.sink(left, accessBytes(left.access));
  context.emit("cmp", memory, immediate((constant << (32 - bits)) >> (32 - bits)));
  return true;
}
