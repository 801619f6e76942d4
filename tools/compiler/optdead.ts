/**
 * Dead code: values without effect that nothing uses, and phis that only feed each other. Imports ir.
 */

import { hasEffect, type IrFunction, Op, type Value } from "./ir";

/** Drop what is dead and leave `uses` exact. */
export function removeDead(fn: IrFunction): void {
  const live = new Set<Value>();
  const work: Value[] = [];
  const mark = (value: Value) => {
    if (live.has(value)) return;
    live.add(value);
    work.push(value);
  };
  for (const block of fn.blocks) {
    for (const value of block.body) if (hasEffect(value) || value.op === Op.Param) mark(value);
    if (block.control !== null) mark(block.control);
  }
  for (let value = work.pop(); value !== undefined; value = work.pop())
    for (const argument of value.args) mark(argument);
  for (const block of fn.blocks) {
    block.phis = block.phis.filter((phi) => live.has(phi));
    block.body = block.body.filter((value) => live.has(value));
  }
  countUses(fn);
}

function countUses(fn: IrFunction): void {
  const lists = fn.blocks.flatMap((block) => [block.phis, block.body]);
  for (const list of lists) {
    for (const value of list) {
      value.uses = 0;
      for (const argument of value.args) argument.uses = 0;
    }
  }
  for (const list of lists) for (const value of list) for (const argument of value.args) argument.uses++;
  for (const { control } of fn.blocks) if (control !== null) control.uses++;
}
