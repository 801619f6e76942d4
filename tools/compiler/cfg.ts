/**
 * The control-flow graph: cleaning, order, dominators, loop depth, cold blocks, critical edges. Imports ir.
 * `analyse` must run after any change of edges and before a pass that reads order, dominator, depth or cold.
 * Source: Cooper, Harvey and Kennedy, "A simple, fast dominance algorithm", 2001.
 */

import { type Block, End, type IrFunction, Op, resolve, resolveAll, type Value } from "./ir";

/** Put the reachable blocks in reverse postorder, drop the others, and compute dominators, loop depth and cold blocks. */
export function analyse(fn: IrFunction): void {
  reversePostorder(fn);
  dominators(fn);
  loopDepths(fn);
  coldBlocks(fn);
}

function reversePostorder(fn: IrFunction): void {
  for (const block of fn.blocks) block.order = -1;
  const done: Block[] = [];
  const stack: { block: Block; next: number }[] = [{ block: fn.entry, next: 0 }];
  fn.entry.order = 0;
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    // The last successor first: the reverse then lists the first one's blocks ahead of the others'.
    const { successors } = top.block;
    if (top.next === successors.length) {
      done.push(top.block);
      stack.pop();
      continue;
    }
    const successor = successors[successors.length - 1 - top.next++];
    if (successor.order < 0) {
      successor.order = 0;
      stack.push({ block: successor, next: 0 });
    }
  }
  done.reverse();
  for (const block of fn.blocks) if (block.order < 0) for (const s of block.successors) removeEdge(block, s);
  fn.blocks = done;
  for (let i = 0; i < done.length; i++) done[i].order = i;
}

/** Take `from` out of the predecessors of `to`, with its phi arguments. The successor list of `from` is the caller's. */
function removeEdge(from: Block, to: Block): void {
  const at = to.preds.indexOf(from);
  to.preds.splice(at, 1);
  for (const phi of to.phis) phi.args.splice(at, 1);
}

function dominators(fn: IrFunction): void {
  for (const block of fn.blocks) block.dominator = null;
  const { entry } = fn;
  entry.dominator = entry;
  for (let changed = true; changed; ) {
    changed = false;
    for (const block of fn.blocks) {
      if (block === entry) continue;
      let found: Block | null = null;
      for (const pred of block.preds) {
        if (pred.dominator === null) continue;
        found = found === null ? pred : commonDominator(pred, found);
      }
      if (found !== block.dominator) {
        block.dominator = found;
        changed = true;
      }
    }
  }
  entry.dominator = null;
}

function commonDominator(a: Block, b: Block): Block {
  let left = a;
  let right = b;
  while (left !== right) {
    while (left.order > right.order) left = left.dominator as Block;
    while (right.order > left.order) right = right.dominator as Block;
  }
  return left;
}

/** Whether every path from the entry to `b` passes `a`. */
export function dominates(a: Block, b: Block): boolean {
  let block: Block | null = b;
  while (block !== null && block.order > a.order) block = block.dominator;
  return block === a;
}

/** A natural loop: its header, and all its blocks, the header included. */
export interface Loop {
  header: Block;
  blocks: Set<Block>;
}

/** The loops of a function, outer ones before those inside. */
export function findLoops(fn: IrFunction): Loop[] {
  const loops: Loop[] = [];
  for (const header of fn.blocks) {
    const latches = header.preds.filter((pred) => dominates(header, pred));
    if (latches.length === 0) continue;
    const blocks = new Set<Block>([header]);
    const work = [...latches];
    for (let block = work.pop(); block !== undefined; block = work.pop()) {
      if (blocks.has(block)) continue;
      blocks.add(block);
      work.push(...block.preds);
    }
    loops.push({ header, blocks });
  }
  return loops;
}

function loopDepths(fn: IrFunction): void {
  for (const block of fn.blocks) block.depth = 0;
  for (const { blocks } of findLoops(fn)) for (const block of blocks) block.depth++;
}

function coldBlocks(fn: IrFunction): void {
  for (const block of fn.blocks) block.cold = block.end === End.Trap;
  for (let i = fn.blocks.length - 1; i >= 0; i--) {
    const block = fn.blocks[i];
    if (block.successors.length > 0 && block.successors.every((s) => s.cold && s.order > i)) block.cold = true;
  }
}

/**
 * Simplify the graph: branches on constants become jumps, empty blocks are bypassed, a block with one predecessor that has
 * one successor joins it. Leaves the function analysed.
 */
export function cleanGraph(fn: IrFunction): void {
  for (let changed = true; changed; ) {
    changed = false;
    for (const block of fn.blocks) changed = foldBranch(block) || changed;
    reversePostorder(fn);
    for (const block of fn.blocks) if (block.order >= 0) changed = bypass(fn, block) || changed;
    for (const block of fn.blocks) if (block.order >= 0) while (join(block)) changed = true;
    fn.blocks = fn.blocks.filter((block) => block.order >= 0);
    removeTrivialPhis(fn);
  }
  analyse(fn);
}

/** Keep only the edge to `target`. */
function keepOnly(block: Block, target: Block): void {
  for (const successor of block.successors) if (successor !== target) removeEdge(block, successor);
  block.successors = [target];
  block.end = End.Jump;
  block.control = null;
  block.cases = [];
}

function foldBranch(block: Block): boolean {
  if (block.end === End.Branch && block.successors.length === 2) {
    const condition = block.control as Value;
    if (condition.op === Op.Const) {
      keepOnly(block, block.successors[condition.imm !== 0 ? 0 : 1]);
      return true;
    }
    if (condition.op === Op.Eq && condition.args[1].op === Op.Const && condition.args[1].imm === 0) {
      block.control = condition.args[0];
      block.successors.reverse();
      return true;
    }
    if (condition.op === Op.Ne && condition.args[1].op === Op.Const && condition.args[1].imm === 0) {
      block.control = condition.args[0];
      return true;
    }
  }
  if (block.end === End.Switch && ((block.control as Value).op === Op.Const || block.successors.length === 1)) {
    const index = (block.control as Value).op === Op.Const ? (block.control as Value).imm >>> 0 : 0;
    keepOnly(block, block.successors[block.cases[Math.min(index, block.cases.length - 1)]]);
    return true;
  }
  return false;
}

/** A block that holds nothing but a jump: let its predecessors go to the target, where no phi tells the ways apart. */
function bypass(fn: IrFunction, block: Block): boolean {
  if (block === fn.entry || block.end !== End.Jump || block.body.length > 0 || block.phis.length > 0) return false;
  const target = block.successors[0];
  if (target === block) return false;
  const parallel = block.preds.some((pred) => target.preds.includes(pred));
  if (parallel && (target.phis.length > 0 || block.preds.length > 1)) return false;
  const at = target.preds.indexOf(block);
  const incoming = target.phis.map((phi) => phi.args[at]);
  removeEdge(block, target);
  for (const pred of block.preds) {
    const position = pred.successors.indexOf(block);
    if (target.preds.includes(pred)) dropParallel(pred, position, target);
    else {
      pred.successors[position] = target;
      target.preds.push(pred);
      for (let i = 0; i < incoming.length; i++) target.phis[i].args.push(incoming[i]);
    }
  }
  block.preds = [];
  block.successors = [];
  block.order = -1;
  return true;
}

/** The edge at `position` would go where another edge of the block goes already, and no phi tells them apart. */
function dropParallel(pred: Block, position: number, target: Block): void {
  const other = pred.successors.indexOf(target);
  if (pred.end === End.Branch) {
    pred.successors = [target];
    pred.end = End.Jump;
    pred.control = null;
    return;
  }
  pred.successors.splice(position, 1);
  pred.cases = pred.cases.map((c) => {
    const merged = c === position ? other : c;
    return merged > position ? merged - 1 : merged;
  });
}

/** Append the only successor, when this block is its only predecessor. */
function join(block: Block): boolean {
  if (block.end !== End.Jump) return false;
  const next = block.successors[0];
  if (next === block || next.preds.length !== 1) return false;
  for (const phi of next.phis) phi.replacement = phi.args[0];
  for (const value of next.body) {
    value.block = block;
    block.body.push(value);
  }
  block.end = next.end;
  block.control = next.control;
  block.endOffset = next.endOffset;
  block.cases = next.cases;
  block.successors = next.successors;
  for (const successor of next.successors) successor.preds[successor.preds.indexOf(next)] = block;
  next.successors = [];
  next.preds = [];
  next.order = -1;
  return true;
}

/** Give every edge from a block with several successors to one with several predecessors a block of its own. */
export function splitCriticalEdges(fn: IrFunction): void {
  for (const block of [...fn.blocks]) {
    if (block.successors.length < 2) continue;
    for (let i = 0; i < block.successors.length; i++) {
      const target = block.successors[i];
      if (target.preds.length < 2) continue;
      const middle = fn.block();
      middle.end = End.Jump;
      middle.endOffset = block.endOffset;
      middle.successors = [target];
      middle.preds = [block];
      block.successors[i] = middle;
      target.preds[target.preds.indexOf(block)] = middle;
      fn.blocks.push(middle);
    }
  }
  analyse(fn);
}

/** Replace phis whose arguments are all one value (or the phi itself) by that value, until there are none. */
export function removeTrivialPhis(fn: IrFunction): void {
  for (let changed = true; changed; ) {
    changed = false;
    for (const block of fn.blocks) {
      for (const phi of block.phis) {
        let only: Value | null = null;
        let trivial = true;
        for (const argument of phi.args) {
          const value = resolve(argument);
          if (value === phi || value === only) continue;
          if (only !== null) trivial = false;
          only = value;
        }
        if (trivial && only !== null) {
          phi.replacement = only;
          changed = true;
        }
      }
      if (changed) block.phis = block.phis.filter((phi) => phi.replacement === null);
    }
  }
  resolveAll(fn);
}
