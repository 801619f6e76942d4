/**
 * Which values of the intermediate representation are live at the end of each block. A phi's argument is live at the end of
 * the predecessor that it comes from; the phi itself begins at its block. Imports ir.
 */

import { type Block, type IrFunction, Op, type Value } from "./ir";

export class IrLiveness {
  private readonly words: number;
  private readonly out: Uint32Array;

  constructor(fn: IrFunction) {
    this.words = (fn.valueCount + 31) >>> 5;
    const { words } = this;
    const count = fn.blocks.length;
    const uses = new Uint32Array(count * words);
    const defs = new Uint32Array(count * words);
    this.out = new Uint32Array(count * words);
    const { out } = this;
    const set = (bits: Uint32Array, row: number, value: Value) => {
      if (value.op !== Op.Const) bits[row * words + (value.id >>> 5)] |= 1 << (value.id & 31);
    };
    for (let b = 0; b < count; b++) {
      const block = fn.blocks[b];
      // Uses of what the block itself defines do no harm: the definition takes them out again.
      for (const value of block.body) for (const argument of value.args) set(uses, b, argument);
      if (block.control !== null) set(uses, b, block.control);
      for (const value of block.body) set(defs, b, value);
      for (const phi of block.phis) set(defs, b, phi);
      for (const successor of block.successors) {
        const at = successor.preds.indexOf(block);
        for (const phi of successor.phis) set(out, b, phi.args[at]);
      }
    }
    for (let changed = true; changed; ) {
      changed = false;
      for (let b = count - 1; b >= 0; b--) {
        for (const successor of fn.blocks[b].successors) {
          const from = successor.order * words;
          for (let w = 0; w < words; w++) {
            const at = b * words + w;
            const merged = (out[at] | ((uses[from + w] | out[from + w]) & ~defs[from + w])) >>> 0;
            if (merged === out[at]) continue;
            out[at] = merged;
            changed = true;
          }
        }
      }
    }
  }

  /** Whether a value is live at the end of a block. */
  isLiveOut(block: Block, value: Value): boolean {
    return ((this.out[block.order * this.words + (value.id >>> 5)] >>> (value.id & 31)) & 1) === 1;
  }
}
