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
  /** All of ZF SF CF OF are set, or nobody may count on what they were. */
  writesFlags: boolean;
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
/** All operands read; flags set. */
const COMPARES = new Set(["cmp", "test"]);

function maskOf(operand: AsmOperand): number {
  if (operand.kind === "reg") return 1 << operand.number;
  if (operand.kind !== "mem") return 0;
  return (operand.base < 0 ? 0 : 1 << operand.base) | (operand.index < 0 ? 0 : 1 << operand.index);
}

const OTHERS: ReadonlyMap<string, Effects> = new Map([
  ["cdq", { reads: EAX, writes: EDX, readsFlags: false, writesFlags: false }],
  ["call", { reads: EAX | EDX | ECX | STACK, writes: CALL_CLOBBERS, readsFlags: false, writesFlags: true }],
  ["ret", { reads: RETURNED, writes: 0, readsFlags: false, writesFlags: true }],
  ["leave", { reads: RETURNED, writes: STACK, readsFlags: false, writesFlags: false }],
  ["ud2", { reads: STACK, writes: 0, readsFlags: false, writesFlags: true }],
  ["push", { reads: STACK, writes: 0, readsFlags: false, writesFlags: false }],
  ["movsd", { reads: ESI | EDI | ECX, writes: ESI | EDI | ECX, readsFlags: false, writesFlags: false }],
  ["movsb", { reads: ESI | EDI | ECX, writes: ESI | EDI | ECX, readsFlags: false, writesFlags: false }],
  ["stosd", { reads: EAX | EDI | ECX, writes: EDI | ECX, readsFlags: false, writesFlags: false }],
  ["stosb", { reads: EAX | EDI | ECX, writes: EDI | ECX, readsFlags: false, writesFlags: false }],
]);

/** The effects of one instruction. */
export function effectsOf({ mnemonic, operands }: AsmInstruction): Effects {
  let reads = 0;
  for (const operand of operands) if (operand.kind === "mem") reads |= maskOf(operand);
  const [first] = operands;
  const rest = operands.slice(1).reduce((mask, operand) => mask | maskOf(operand), 0);
  const isRegister = first?.kind === "reg";
  if (WRITES_FIRST.has(mnemonic)) {
    // A write of part of a register keeps the rest, which counts as reading it.
    const partial = isRegister && first.size !== 4 ? maskOf(first) : 0;
    const writes = isRegister ? maskOf(first) : 0;
    return {
      reads: reads | rest | partial | (mnemonic === "pop" ? STACK : 0),
      writes,
      readsFlags: false,
      writesFlags: false,
    };
  }
  if (UPDATES_FIRST.has(mnemonic)) {
    const own = isRegister ? maskOf(first) : 0;
    // A shift by a variable count may leave the flags as they are.
    const certain = operands[1]?.kind !== "reg" || !/^(sh|sa|ro)/.test(mnemonic);
    return { reads: reads | rest | own, writes: own, readsFlags: false, writesFlags: certain };
  }
  if (COMPARES.has(mnemonic)) {
    return { reads: reads | rest | maskOf(first), writes: 0, readsFlags: false, writesFlags: true };
  }
  if (mnemonic === "imul") {
    const own = operands.length === 2 ? maskOf(first) : 0;
    return { reads: reads | rest | own, writes: maskOf(first), readsFlags: false, writesFlags: true };
  }
  if (mnemonic === "not") {
    return {
      reads: reads | maskOf(first),
      writes: isRegister ? maskOf(first) : 0,
      readsFlags: false,
      writesFlags: false,
    };
  }
  if (mnemonic === "div" || mnemonic === "idiv") {
    return { reads: reads | EAX | EDX | maskOf(first), writes: EAX | EDX, readsFlags: false, writesFlags: true };
  }
  const other = OTHERS.get(mnemonic);
  if (other !== undefined) return { ...other, reads: other.reads | reads | (first ? maskOf(first) : 0) };
  if (mnemonic.startsWith("set")) {
    return {
      reads: reads | maskOf(first),
      writes: isRegister ? maskOf(first) : 0,
      readsFlags: true,
      writesFlags: false,
    };
  }
  return { reads: ALL, writes: 0, readsFlags: true, writesFlags: false };
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
