/**
 * Jump threading: where a block only tests a phi, and a predecessor brings a constant that decides the test, that
 * predecessor goes straight to the outcome; one that brings a comparison branches on that itself. So `if (a && b)`, which
 * comes as a phi of 0 and b, becomes two branches.
 * Imports ir, cfg, optfold.
 *
 * Phis of the tested block that are read below it need new phis where the ways come together; it is only done when all
 * such reads are below one of the two outcomes, each of which then gets its own.
 */

import { analyse, dominates } from "./cfg";
import { type Block, End, hasEffect, type IrFunction, isComparison, Op, resolveAll, type Value } from "./ir";
import { evaluate } from "./optfold";

/** Thread all jumps that can be. Leaves the function analysed; the graph wants cleaning afterwards. */
export function threadJumps(fn: IrFunction): boolean {
  let changed = false;
  for (const block of [...fn.blocks]) {
    if (block.order < 0 || !thread(fn, block)) continue;
    changed = true;
    resolveAll(fn);
    analyse(fn);
  }
  return changed;
}

function thread(fn: IrFunction, block: Block): boolean {
  if (block.end !== End.Branch || block.phis.length === 0 || block.body.some(hasEffect)) return false;
  // A loop's header stays one: a second way into the loop would leave no header.
  if (block.preds.some((pred) => dominates(block, pred))) return false;
  const [yes, no] = block.successors;
  if (yes === no || yes === block || no === block) return false;
  const redirected: { pred: Block; target: Block }[] = [];
  const branching: { pred: Block; condition: Value }[] = [];
  for (const pred of block.preds) {
    const at = block.preds.indexOf(pred);
    const outcome = decide(block, at);
    const target = outcome !== 0 ? yes : no;
    if (outcome === undefined) {
      const condition = block.body.length === 0 ? (block.control as Value).args[at] : undefined;
      if (pred.end === End.Jump && condition?.block === pred && isComparison(condition.op))
        branching.push({ pred, condition });
    } else if (!pred.successors.includes(target)) redirected.push({ pred, target });
  }
  if (redirected.length + branching.length === 0) return false;
  const uses = outsideUses(fn, block);
  if (uses === null) return false;
  for (const target of [yes, no]) {
    const preds = redirected.filter((edge) => edge.target === target).map(({ pred }) => pred);
    preds.push(...branching.map(({ pred }) => pred));
    if (preds.length > 0) enter(fn, block, target, preds, uses);
  }
  for (const { pred, target } of redirected) {
    pred.successors[pred.successors.indexOf(block)] = target;
    leave(block, pred);
  }
  for (const { pred, condition } of branching) {
    pred.end = End.Branch;
    pred.control = condition;
    pred.successors = [yes, no];
    leave(block, pred);
  }
  return true;
}

/** Take a predecessor away from the tested block. */
function leave(block: Block, pred: Block): void {
  const position = block.preds.indexOf(pred);
  block.preds.splice(position, 1);
  for (const phi of block.phis) phi.args.splice(position, 1);
}

/** The value of the block's condition when it is entered by a predecessor, if that is a constant. */
function decide(block: Block, predecessor: number): number | undefined {
  const known = (value: Value): number | undefined => {
    if (value.op === Op.Const) return value.imm;
    if (value.block !== block) return undefined;
    if (value.op === Op.Phi) {
      const argument = value.args[predecessor];
      return argument.op === Op.Const ? argument.imm : undefined;
    }
    if (value.op < Op.Add || value.op > Op.Extend16) return undefined;
    const a = known(value.args[0]);
    const b = value.args.length > 1 ? known(value.args[1]) : 0;
    return a === undefined || b === undefined ? undefined : evaluate(value.op, a, b);
  };
  return known(block.control as Value);
}

/** A place where a phi of the block is read: which outcome it is below. */
interface OutsideUse {
  phi: Value;
  reader: Value | Block;
  position: number;
  target: Block;
}

/** Reads of the block's phis outside of it, or null when one is not below a single outcome, or another value is read. */
function outsideUses(fn: IrFunction, block: Block): OutsideUse[] | null {
  const uses: OutsideUse[] = [];
  const below = (place: Block): Block | undefined =>
    block.successors.find((target) => target.preds.length === 1 && dominates(target, place));
  for (const other of fn.blocks) {
    if (other === block) continue;
    const check = (argument: Value, reader: Value | Block, position: number, place: Block): boolean => {
      if (argument.block !== block) return true;
      const target = below(place);
      if (argument.op !== Op.Phi || target === undefined) return false;
      uses.push({ phi: argument, reader, position, target });
      return true;
    };
    for (const phi of other.phis) {
      for (let i = 0; i < phi.args.length; i++) {
        const pred = other.preds[i];
        // The edge from the block itself carries its phis as they are.
        if (
          pred === block ? phi.args[i].block === block && phi.args[i].op !== Op.Phi : !check(phi.args[i], phi, i, pred)
        ) {
          return null;
        }
      }
    }
    for (const value of other.body) {
      for (let i = 0; i < value.args.length; i++) if (!check(value.args[i], value, i, other)) return null;
    }
    if (other.control !== null && !check(other.control, other, 0, other)) return null;
  }
  return uses;
}

/** Make predecessors of the block those of `target`, one of its successors, with all that its phis need. */
function enter(
  fn: IrFunction,
  block: Block,
  target: Block,
  preds: readonly Block[],
  uses: readonly OutsideUse[],
): void {
  const at = target.preds.indexOf(block);
  const carried = (value: Value, pred: Block) =>
    value.op === Op.Phi && value.block === block ? value.args[block.preds.indexOf(pred)] : value;
  for (const phi of target.phis) phi.args.push(...preds.map((pred) => carried(phi.args[at], pred)));
  const renamed = new Map<Value, Value>();
  for (const use of uses) {
    if (use.target !== target) continue;
    let phi = renamed.get(use.phi);
    if (phi === undefined) {
      phi = fn.phi(target, use.phi.offset);
      phi.args = [use.phi, ...preds.map((pred) => carried(use.phi, pred))];
      renamed.set(use.phi, phi);
    }
    if ("args" in use.reader) use.reader.args[use.position] = phi;
    else use.reader.control = phi;
  }
  target.preds.push(...preds);
}
