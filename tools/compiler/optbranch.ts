/**
 * Conditions made of two comparisons: binaryen writes `a && b` as `a & b` when both are cheap, but on an i386 a comparison as
 * a number costs three instructions and as a jump two. So a branch on the AND or OR of comparisons becomes two branches.
 * Imports ir, cfg.
 */

import { analyse } from "./cfg";
import { type Block, End, type IrFunction, isComparison, isPure, Op, type Value, writesMemory } from "./ir";

/** Split the branches of a function, whose uses are counted. Leaves it analysed. */
export function splitConditions(fn: IrFunction): void {
  let changed = false;
  for (let b = 0; b < fn.blocks.length; b++) {
    while (splitCondition(fn, fn.blocks[b])) changed = true;
  }
  if (changed) analyse(fn);
}

/** A value that is 0 or 1 and that a branch would compute with its flags alone. */
function isCondition(value: Value): boolean {
  if (value.uses !== 1) return false;
  if (value.op === Op.And || value.op === Op.Or) return isCondition(value.args[0]) && isCondition(value.args[1]);
  return isComparison(value.op);
}

function splitCondition(fn: IrFunction, block: Block): boolean {
  const { control } = block;
  if (block.end !== End.Branch || control === null || !isCondition(control) || isComparison(control.op)) return false;
  const [first, second] = control.args;
  const [yes, no] = block.successors;
  const middle = fn.block();
  fn.blocks.push(middle);
  middle.end = End.Branch;
  middle.control = second;
  middle.endOffset = block.endOffset;
  middle.successors = [yes, no];
  middle.preds = [block];
  middle.cold = block.cold;
  const early = control.op === Op.And ? no : yes;
  const late = control.op === Op.And ? yes : no;
  // The outcome that the first comparison may decide has one predecessor more.
  late.preds[late.preds.indexOf(block)] = middle;
  early.preds.push(middle);
  const at = early.preds.indexOf(block);
  for (const phi of early.phis) phi.args.push(phi.args[at]);
  block.control = first;
  block.successors = control.op === Op.And ? [middle, no] : [yes, middle];
  block.body.splice(block.body.indexOf(control), 1);
  sinkOperands(block, middle, second);
  return true;
}

/** Move what only the second comparison needs to where it is. */
function sinkOperands(from: Block, to: Block, condition: Value): void {
  const wanted = new Set<Value>([condition]);
  const moved: Value[] = [];
  for (let i = from.body.length - 1; i >= 0; i--) {
    const value = from.body[i];
    if (wanted.has(value) && value.uses === 1 && (isPure(value) || (value.op === Op.Load && !value.atomic))) {
      from.body.splice(i, 1);
      value.block = to;
      moved.push(value);
      for (const argument of value.args) wanted.add(argument);
    } else if (writesMemory(value)) break;
  }
  to.body = moved.reverse();
}
