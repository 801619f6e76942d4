/**
 * Operations that need control flow on an i386: `select` becomes a branch and a phi (there is no conditional move), and a
 * signed remainder by a divisor that may be -1 goes around IDIV, which would fault on INT_MIN. Imports ir, cfg.
 */

import { analyse } from "./cfg";
import { type Block, End, type IrFunction, Op, resolveAll, type Value } from "./ir";

/** Expand all selects and unsafe remainders. Leaves the function analysed. */
export function expandOperations(fn: IrFunction): void {
  let changed = false;
  const made = new Set<Block>();
  for (let b = 0; b < fn.blocks.length; b++) {
    const block = fn.blocks[b];
    if (made.has(block)) continue;
    const at = block.body.findIndex((value) => value.op === Op.Select || needsGuard(value));
    if (at < 0) continue;
    const value = block.body[at];
    const rest = splitAfter(fn, block, at);
    if (value.op === Op.Select) expandSelect(fn, block, value, rest);
    else made.add(expandRemainder(fn, block, value, rest));
    changed = true;
  }
  if (!changed) return;
  resolveAll(fn);
  analyse(fn);
}

function needsGuard(value: Value): boolean {
  return value.op === Op.RemS && value.args[1].op !== Op.Const;
}

/** Move what follows `at`, and the end of the block, to a new block, which is returned; the value at `at` is taken out. */
function splitAfter(fn: IrFunction, block: Block, at: number): Block {
  const rest = fn.block();
  fn.blocks.push(rest);
  rest.body = block.body.splice(at);
  rest.body.shift();
  for (const value of rest.body) value.block = rest;
  rest.end = block.end;
  rest.control = block.control;
  rest.endOffset = block.endOffset;
  rest.cases = block.cases;
  rest.successors = block.successors;
  for (const successor of rest.successors) successor.preds[successor.preds.indexOf(block)] = rest;
  block.successors = [];
  return rest;
}

/** End `block` with a branch to `yes` or `rest`; `yes` goes on to `rest`. */
function diamond(block: Block, condition: Value, yes: Block, rest: Block, offset: number): void {
  block.end = End.Branch;
  block.control = condition;
  block.endOffset = offset;
  block.cases = [];
  block.successors = [yes, rest];
  yes.end = End.Jump;
  yes.endOffset = offset;
  yes.preds = [block];
  yes.successors = [rest];
  rest.preds = [yes, block];
}

/** Selects on one condition in a row share the branch. */
function expandSelect(fn: IrFunction, block: Block, select: Value, rest: Block): void {
  const yes = fn.block();
  fn.blocks.push(yes);
  const [condition] = select.args;
  diamond(block, condition, yes, rest, select.offset);
  const selects = [select];
  while (rest.body.length > 0 && rest.body[0].op === Op.Select && rest.body[0].args[0] === condition) {
    if (rest.body[0].args.some((argument) => selects.includes(argument))) break;
    selects.push(rest.body.shift() as Value);
  }
  for (const value of selects) {
    const phi = fn.phi(rest, value.offset);
    phi.args = [value.args[1], value.args[2]];
    value.replacement = phi;
  }
}

/** Returns the block that holds the division itself. */
function expandRemainder(fn: IrFunction, block: Block, remainder: Value, rest: Block): Block {
  const divide = fn.block();
  fn.blocks.push(divide);
  const condition = fn.value(Op.Ne, [remainder.args[1], fn.constant(-1)], remainder.offset);
  condition.block = block;
  block.body.push(condition);
  diamond(block, condition, divide, rest, remainder.offset);
  const division = fn.value(Op.RemS, remainder.args, remainder.offset);
  division.block = divide;
  divide.body.push(division);
  const phi = fn.phi(rest, remainder.offset);
  phi.args = [division, fn.constant(0)];
  remainder.replacement = phi;
  return divide;
}
