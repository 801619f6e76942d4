/**
 * Where the host may do otherwise than ours: all in instructions that fault on both, none of it anything that a program can rely
 * on, and each only as its condition has it, which names the very access or bytes. May import faultpair.ts.
 * docs/conformance.md prints this table.
 * Source for the order of checks: Intel SDM volume 2, "Operation" under each mnemonic; volume 3, 6.9 (within one instruction
 * the order of faults is the processor's own).
 */
import type { FaultPair } from "./faultpair";

export type Aspect = "vector" | "cr2" | "eip" | "registers" | "selectors" | "flags" | "memory" | "x87";

export interface Tolerance {
  /** Mnemonics. */
  readonly rows: RegExp;
  /** What may differ. */
  readonly aspects: readonly Aspect[];
  readonly only: (pair: FaultPair) => boolean;
  /** The same in words. */
  readonly condition: string;
  readonly reason: string;
}

const GENERAL_PROTECTION = 13;
/** EDI ESI EBP EBX EDX ECX EAX: the order in which POPA pops, with the word of ESP left out. */
const POPA_WORDS: Readonly<Record<number, number>> = { 7: 0, 6: 1, 5: 2, 3: 4, 2: 5, 1: 6, 0: 7 };

function isFar({ row }: FaultPair): boolean {
  return row.operands[0] === "Ap" || row.operands[0] === "Mp";
}

/** Bytes that CALL pushes. */
function callBytes(pair: FaultPair): number {
  return (isFar(pair) ? 2 : 1) * pair.insn.operandSize;
}

/** Bytes that ENTER pushes: the old frame pointer, those that it copies, and the new one. */
function enterBytes({ insn }: FaultPair): number {
  const level = insn.immediate2 & 31;
  return (level === 0 ? 1 : level + 1) * insn.operandSize;
}

function pushaBytes({ insn }: FaultPair): number {
  return 8 * insn.operandSize;
}

/** Bytes of a string instruction's element. */
function elementBytes({ row, insn }: FaultPair): number {
  return row.mnemonic.endsWith("b") ? 1 : insn.operandSize;
}

export const TOLERANCES: readonly Tolerance[] = [
  {
    rows: /^cmps.$/,
    aspects: ["vector", "cr2"],
    only: (pair) => pair.hostReadsDestination(elementBytes(pair)),
    condition: "the host's fault is that of ES:[EDI], ours that of DS:[ESI]",
    reason: "where both operands fault, the host reads the second one first; the manual says nothing",
  },
  {
    rows: /^retf$/,
    aspects: ["vector", "cr2"],
    only: (pair) => pair.hostPops(pair.insn.operandSize, 2),
    condition: "the host's fault is that of the two bytes of CS, ours that of EIP",
    reason: "the host reads CS first; the manual pops EIP first",
  },
  {
    rows: /^iretd$/,
    aspects: ["cr2"],
    only: (pair) => {
      const size = pair.insn.operandSize;
      return pair.hostPops(2 * size) || (pair.poppable(2 * size) && pair.hostPops(size));
    },
    condition:
      "the host's CR2 is the word of the flags, or of CS where that of the flags can be read; ours that of EIP",
    reason: "the host reads the flags first, then CS; the manual pops EIP first",
  },
  {
    rows: /^(pushad|call)$/,
    aspects: ["cr2"],
    only: (pair) =>
      pair.pushesAcrossPages(pair.row.mnemonic === "call" ? callBytes(pair) : pushaBytes(pair)) &&
      pair.hostPushesFirst(),
    condition:
      "the frame lies in two pages that both fault: the host's CR2 is the first push, ours is in the lower page",
    reason: "the frame is translated as one",
  },
  {
    rows: /^call$/,
    aspects: ["vector"],
    only: (pair) => !isFar(pair) && pair.ours.vector === GENERAL_PROTECTION && pair.hostPushesFirst(),
    condition: "near; the target is beyond the limit (ours #GP), and the host's fault is that of the push",
    reason: "the host pushes before it checks the target's limit; the manual has it the other way",
  },
  {
    rows: /^call$/,
    aspects: ["memory"],
    only: (pair) =>
      (isFar(pair) || pair.ours.vector === GENERAL_PROTECTION) &&
      pair.memoryDiffersIn(pair.belowStack(callBytes(pair))),
    condition:
      "the target is beyond the limit, or of the two pushes of a far one the second fails; only in the words that it pushes",
    reason: "the host has pushed some of them before it faults; ours leaves no trace",
  },
  {
    rows: /^enter$/,
    aspects: ["memory"],
    only: (pair) => pair.memoryDiffersIn(pair.belowStack(enterBytes(pair))),
    condition: "only in the words that it pushes",
    reason: "the host has pushed some of them before it faults; ours leaves no trace",
  },
  {
    rows: /^pushad$/,
    aspects: ["memory"],
    only: (pair) => pair.memoryDiffersIn(pair.belowStack(pushaBytes(pair))),
    condition: "only in the words that it pushes",
    reason: "the host has pushed some of them before it faults; ours leaves no trace",
  },
  {
    rows: /^popad$/,
    aspects: ["registers"],
    only: (pair) =>
      pair.differingRegisters.every((register) => pair.poppable(POPA_WORDS[register] * pair.insn.operandSize)),
    condition: "only in registers whose words can be read",
    reason: "the host has popped some of them before it faults; ours leaves no trace",
  },
  {
    rows: /^(fstp|fbstp)$/,
    aspects: ["memory"],
    only: (pair) => pair.row.operands[0] === "M10" && pair.memoryDiffersIn(pair.operand(8)),
    condition: "of ten bytes, only in the lower eight",
    reason: "the host has stored those before the upper two fault; ours leaves no trace",
  },
];

/** Whether an aspect may differ in an instruction that faults on both sides. */
export function tolerated(pair: FaultPair, aspect: Aspect): boolean {
  return TOLERANCES.some(
    ({ rows, aspects, only }) => aspects.includes(aspect) && rows.test(pair.row.mnemonic) && only(pair),
  );
}
