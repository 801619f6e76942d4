/**
 * Which virtual registers are live at the end of each block, by backward iteration to a fixed point. Imports allocatecode, mir.
 * Source: any text on data-flow analysis; live-out(b) = union of live-in of its successors.
 */

import type { WorkFunction } from "./allocatecode";
import { FIRST_VIRTUAL, Role } from "./mir";

/** One bit a register; row b is block b. */
export interface LiveSets {
  words: number;
  out: Uint32Array;
}

/** Compute live-out of every block. */
export function computeLiveness(code: WorkFunction): LiveSets {
  const count = code.blocks.length;
  const words = (code.nameCount + 31) >>> 5;
  const uses = new Uint32Array(count * words);
  const defs = new Uint32Array(count * words);
  const out = new Uint32Array(count * words);
  for (let b = 0; b < count; b++) {
    const row = b * words;
    const { items } = code.blocks[b];
    for (let i = items.length - 1; i >= 0; i--) {
      const { names, roles } = items[i];
      for (let k = 0; k < names.length; k++) {
        const name = names[k];
        if (name < FIRST_VIRTUAL || !(roles[k] & Role.Def)) continue;
        uses[row + (name >>> 5)] &= ~(1 << (name & 31));
        defs[row + (name >>> 5)] |= 1 << (name & 31);
      }
      for (let k = 0; k < names.length; k++) {
        const name = names[k];
        if (name >= FIRST_VIRTUAL && roles[k] & Role.Use) uses[row + (name >>> 5)] |= 1 << (name & 31);
      }
    }
  }
  for (let changed = true; changed; ) {
    changed = false;
    for (let b = count - 1; b >= 0; b--) {
      const row = b * words;
      for (const successor of code.blocks[b].successors) {
        const from = successor * words;
        for (let w = 0; w < words; w++) {
          const merged = out[row + w] | uses[from + w] | (out[from + w] & ~defs[from + w]);
          if (merged >>> 0 !== out[row + w]) {
            out[row + w] = merged;
            changed = true;
          }
        }
      }
    }
  }
  return { words, out };
}

/** The members of a row, appended to `into`. */
export function membersOf(sets: LiveSets, block: number, into: number[]): void {
  for (let w = 0; w < sets.words; w++) {
    let word = sets.out[block * sets.words + w];
    while (word !== 0) {
      const bit = 31 - Math.clz32(word);
      into.push(w * 32 + bit);
      word &= ~(1 << bit);
    }
  }
}
