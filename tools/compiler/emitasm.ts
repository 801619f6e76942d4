/**
 * Assembly after register allocation: instructions with physical operands, in blocks that know how they end. The later
 * emit passes (expansion, peephole, layout, encoding) work on this. May import nothing.
 */

import type { Condition } from "./mir";

export type AsmOperand =
  | { kind: "reg"; number: number; size: 1 | 2 | 4 }
  | { kind: "imm"; value: number; symbol: string | null }
  | AsmMemory
  | { kind: "creg"; number: number }
  /** A jump's target inside the function. */
  | { kind: "label"; label: number }
  /** A call's target, as ModuleLayout.callee names it. */
  | { kind: "function"; symbol: string };

/** base and index are register numbers, or -1. */
export interface AsmMemory {
  kind: "mem";
  base: number;
  index: number;
  scale: number;
  displacement: number;
  symbol: string | null;
  /** Bytes accessed; 0 where the instruction itself says how many. */
  size: 1 | 2 | 4 | 6;
}

export interface AsmInstruction {
  /** The encoder's, or "label": its one operand is the label that stands here. */
  mnemonic: string;
  operands: AsmOperand[];
  rep: boolean;
  /** Byte offset in the wasm binary. */
  offset: number;
  /** Which instruction of the allocation it was made of, counted over all blocks; absent on what layout adds. For debuggers. */
  note?: number;
}

/** How an AsmBlock ends; its code holds everything but the jumps. */
export type AsmEnd = "jump" | "branch" | "switch" | "stop";

export interface AsmBlock {
  id: number;
  code: AsmInstruction[];
  end: AsmEnd;
  /** branch: successors[0] is taken when it holds, else successors[1]. */
  condition: Condition;
  /** switch: register with the index. */
  register: number;
  /** switch: position in successors of each case, the default last. */
  cases: number[];
  successors: AsmBlock[];
  depth: number;
  cold: boolean;
  /** Byte offset in the wasm binary of what ends it. */
  endOffset: number;
}

/** Labels from here on are of instructions inside expansions; those below are blocks' ids. */
export const FIRST_INNER_LABEL = 1 << 20;

export function reg(number: number, size: 1 | 2 | 4 = 4): AsmOperand {
  return { kind: "reg", number, size };
}

export function imm(value: number, symbol: string | null = null): AsmOperand {
  return { kind: "imm", value, symbol };
}

export function mem(base: number, displacement: number, size: AsmMemory["size"] = 4): AsmMemory {
  return { kind: "mem", base, index: -1, scale: 0, displacement, symbol: null, size };
}
