/**
 * Loop-invariant code: pure operations on values from outside a loop, which every round would do again, are done once in
 * front of it. Left where they are: what an addressing mode or a TEST does for nothing, and what only some rounds need.
 * Imports ir, cfg.
 */

import { analyse, dominates, findLoops, type Loop } from "./cfg";
import { type Block, End, type IrFunction, isComparison, isPure, Op, type Value } from "./ir";

/** Hoist from all loops, inner ones first. Leaves the function analysed. */
export function hoistInvariants(fn: IrFunction): void {
  const addresses = addressOnly(fn);
  const done = new Set<Block>();
  const next = () =>
    findLoops(fn)
      .reverse()
      .find(({ header }) => !done.has(header));
  for (let loop = next(); loop !== undefined; loop = next()) {
    done.add(loop.header);
    const found = invariantsOf(loop, addresses);
    if (found.length === 0) continue;
    const front = frontOf(fn, loop);
    const moved = new Set(found);
    for (const block of loop.blocks) block.body = block.body.filter((value) => !moved.has(value));
    for (const value of found) value.block = front;
    front.body.push(...found);
    // A new block in front is one of the loops around it: what was put there is theirs to hoist, and not from outside of them.
    analyse(fn);
  }
}

/** Values that are read as addresses and as nothing else. */
function addressOnly(fn: IrFunction): Set<Value> {
  const asAddress = new Set<Value>();
  const otherwise = new Set<Value>();
  for (const block of fn.blocks) {
    for (const phi of block.phis) for (const argument of phi.args) otherwise.add(argument);
    for (const value of block.body) {
      const isAccess = value.op === Op.Load || value.op === Op.Store;
      value.args.forEach((argument, i) => {
        (isAccess && i === 0 ? asAddress : otherwise).add(argument);
      });
    }
    if (block.control !== null) otherwise.add(block.control);
  }
  for (const value of otherwise) asAddress.delete(value);
  return asAddress;
}

/** What can be hoisted out of a loop and is worth it, in an order in which operands come first. */
function invariantsOf({ header, blocks }: Loop, addresses: ReadonlySet<Value>): Value[] {
  const latches = header.preds.filter((pred) => blocks.has(pred));
  const always = [...blocks].filter((block) => latches.every((latch) => dominates(block, latch)));
  always.sort((a, b) => a.order - b.order);
  const found: Value[] = [];
  const inside = new Set<Value>();
  for (const block of blocks) for (const value of [...block.phis, ...block.body]) inside.add(value);
  for (const block of always) {
    for (const value of block.body) {
      if (!isPure(value) || value.op === Op.Select || isFree(value, addresses)) continue;
      if (value.args.some((argument) => inside.has(argument))) continue;
      found.push(value);
      inside.delete(value);
    }
  }
  return found;
}

/** Costs nothing where it is used: part of an address, of a comparison and jump, of a TEST; or no instruction at all. */
function isFree(value: Value, addresses: ReadonlySet<Value>): boolean {
  const { op, args } = value;
  if (op === Op.CString || isComparison(op)) return true;
  const constant = args.length === 2 && args[1].op === Op.Const;
  if (op === Op.Add) return constant || addresses.has(value);
  if (op === Op.Shl) return constant && args[1].imm <= 3 && addresses.has(value);
  return op === Op.And && constant;
}

/** The block that leads into the loop and nowhere else; made if there is none. */
function frontOf(fn: IrFunction, { header, blocks }: Loop): Block {
  const outside = header.preds.filter((pred) => !blocks.has(pred));
  if (outside.length === 1 && outside[0].end === End.Jump) return outside[0];
  const front = fn.block();
  fn.blocks.push(front);
  front.end = End.Jump;
  front.endOffset = header.endOffset;
  front.successors = [header];
  front.preds = outside;
  for (const pred of outside) pred.successors[pred.successors.indexOf(header)] = front;
  const positions = outside.map((pred) => header.preds.indexOf(pred));
  for (const phi of header.phis) {
    const entering = positions.map((at) => phi.args[at]);
    const staying = phi.args.filter((_, at) => !positions.includes(at));
    let value = entering[0];
    if (entering.some((argument) => argument !== value)) {
      value = fn.phi(front, phi.offset);
      value.args = entering;
    }
    phi.args = [...staying, value];
  }
  header.preds = [...header.preds.filter((pred) => blocks.has(pred)), front];
  return front;
}
