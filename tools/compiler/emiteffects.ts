/**
 * What assembly instructions read and write: registers as bit masks, and flags. Unknown instructions count as reading
 * everything and writing nothing, which is safe for every use made of this. Imports emitasm, mir.
 */

import type { AsmBlock, AsmInstruction, AsmOperand } from "./emitasm";
import { CALL_CLOBBERS, Register } from "./mir";

export interface Effects {
  reads: number;
  writes: number;
  readsFlags: boolean;
  /** What the flags were does not matter after it: all that anyone reads are set, or nobody may count on them. */
  writesFlags: boolean;
  /** The flags may be others after it. */
  changesFlags: boolean;
}

const ALL = 0xff;
const EAX = 1 << Register.EAX;
const ECX = 1 << Register.ECX;
const EDX = 1 << Register.EDX;
const ESI = 1 << Register.ESI;
const EDI = 1 << Register.EDI;
const STACK = (1 << Register.ESP) | (1 << Register.EBP);
const RETURNED = EAX | (1 << Register.EBX) | ESI | EDI | STACK;

/** First operand written, others read. */
const WRITES_FIRST = new Set(["mov", "lea", "movzx", "movsx", "pop"]);
/** First operand read and written, others read; flags set. */
const UPDATES_FIRST = new Set([
  "add",
  "sub",
  "and",
  "or",
  "xor",
  "neg",
  "inc",
  "dec",
  "shl",
  "shr",
  "sar",
  "rol",
  "ror",
]);
/** Those of them that may have CL as their second operand. */
const SHIFTS = new Set(["shl", "shr", "sar", "rol", "ror"]);
/** All operands read; flags set. */
const COMPARES = new Set(["cmp", "test"]);

function maskOf(operand: AsmOperand): number {
  if (operand.kind === "reg") return 1 << operand.number;
  if (operand.kind !== "mem") return 0;
  return (operand.base < 0 ? 0 : 1 << operand.base) | (operand.index < 0 ? 0 : 1 << operand.index);
}

/** What an instruction does to flags. */
type FlagUse = "keeps" | "sets" | "mayset" | "reads";

function effects(reads: number, writes: number, flags: FlagUse): Effects {
  return {
    reads,
    writes,
    readsFlags: flags === "reads",
    writesFlags: flags === "sets",
    changesFlags: flags !== "keeps",
  };
}

const MOVES = ESI | EDI | ECX;
const STORES = EDI | ECX;

const OTHERS: ReadonlyMap<string, Effects> = new Map([
  ["cdq", effects(EAX, EDX, "keeps")],
  ["call", effects(EAX | EDX | ECX | STACK, CALL_CLOBBERS, "sets")],
  ["ret", effects(RETURNED, 0, "sets")],
  ["leave", effects(RETURNED, STACK, "keeps")],
  ["ud2", effects(STACK, 0, "sets")],
  ["push", effects(STACK, 0, "keeps")],
  ["div", effects(EAX | EDX, EAX | EDX, "sets")],
  ["idiv", effects(EAX | EDX, EAX | EDX, "sets")],
  ["movsd", effects(MOVES, MOVES, "keeps")],
  ["movsb", effects(MOVES, MOVES, "keeps")],
  ["stosd", effects(EAX | STORES, STORES, "keeps")],
  ["stosb", effects(EAX | STORES, STORES, "keeps")],
]);

/** The effects of one instruction. */
export function effectsOf({ mnemonic, operands }: AsmInstruction): Effects {
  const [first] = operands;
  let addresses = 0;
  let rest = 0;
  for (let k = 0; k < operands.length; k++) {
    if (operands[k].kind === "mem") addresses |= maskOf(operands[k]);
    else if (k > 0) rest |= maskOf(operands[k]);
  }
  const read = addresses | rest;
  const own = first?.kind === "reg" ? maskOf(first) : 0;
  if (WRITES_FIRST.has(mnemonic)) {
    // A write of part of a register keeps the rest, which counts as reading it.
    const partial = first.kind === "reg" && first.size !== 4 ? own : 0;
    return effects(read | partial | (mnemonic === "pop" ? STACK : 0), own, "keeps");
  }
  if (UPDATES_FIRST.has(mnemonic)) {
    // A shift by a variable count may leave the flags as they are; a rotation leaves ZF and SF.
    const byCount = operands[1]?.kind === "reg" && operands[1].size === 1 && SHIFTS.has(mnemonic);
    return effects(read | own, own, byCount || mnemonic === "rol" || mnemonic === "ror" ? "mayset" : "sets");
  }
  if (COMPARES.has(mnemonic)) return effects(read | own, 0, "sets");
  if (mnemonic === "imul") return effects(read | (operands.length === 2 ? own : 0), own, "sets");
  if (mnemonic === "not") return effects(read | own, own, "keeps");
  const other = OTHERS.get(mnemonic);
  if (other !== undefined) return { ...other, reads: other.reads | read | own };
  if (mnemonic.startsWith("set")) return effects(read | own, own, "reads");
  return effects(ALL, 0, "reads");
}

/** Registers live at the end of each block, by block id. */
export function liveAtEnds(blocks: readonly AsmBlock[]): Map<AsmBlock, number> {
  const liveIn = new Map<AsmBlock, number>();
  const liveOut = new Map<AsmBlock, number>();
  const summaries = new Map(
    blocks.map((block) => {
      let reads = 0;
      let writes = 0;
      for (const instruction of block.code) {
        const effects = effectsOf(instruction);
        reads |= effects.reads & ~writes;
        writes |= effects.writes;
      }
      if (block.end === "switch") reads |= (1 << block.register) & ~writes;
      return [block, { reads, writes }] as const;
    }),
  );
  for (let changed = true; changed; ) {
    changed = false;
    for (let i = blocks.length - 1; i >= 0; i--) {
      const block = blocks[i];
      let out = STACK;
      for (const successor of block.successors) out |= liveIn.get(successor) ?? 0;
      const { reads, writes } = summaries.get(block) as { reads: number; writes: number };
      const before = reads | (out & ~writes);
      if (liveIn.get(block) !== before) changed = true;
      liveIn.set(block, before);
      liveOut.set(block, block.end === "switch" ? out | (1 << block.register) : out);
    }
  }
  return liveOut;
}
