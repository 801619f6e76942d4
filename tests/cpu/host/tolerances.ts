/**
 * Where the host may do otherwise than ours: all in instructions that fault, and none of it anything that a program can
 * rely on. May import nothing. docs/conformance.md prints this table.
 */

export type Aspect = "cr2" | "vector" | "memory" | "registers" | "flags" | "x87";

export interface Tolerance {
  /** Mnemonics. */
  readonly rows: RegExp;
  /** What may differ when both fault. */
  readonly aspect: Aspect;
  /** Also when ours alone faults. */
  readonly oneSided?: true;
  readonly reason: string;
}

export const TOLERANCES: readonly Tolerance[] = [
  {
    rows: /^(fbstp|fstp)/,
    aspect: "memory",
    reason: "of ten bytes the host has stored the lower ones before it faults; ours leaves no trace",
  },
  {
    rows: /^(push|pop|enter|call|jmp|ret|iret|movs|cmps|int|frstor|fldenv)/,
    aspect: "cr2",
    reason: "which of several accesses a page fault names is the microcode's choice",
  },
  {
    rows: /^(call|cmps|movs|enter|ret|iret)/,
    aspect: "vector",
    reason:
      "the host pushes before it checks the target's limit, and reads ES:[EDI] before DS:[ESI]; the manual has it the other way, or says nothing",
  },
  {
    rows: /^(les|lds|lss|lfs|lgs)/,
    aspect: "vector",
    reason:
      "the host reads the offset, or finds its page missing, before it checks that the selector is within the limit",
  },
  {
    rows: /^fbstp/,
    aspect: "vector",
    reason:
      "the host finds the page of the lower bytes missing before it checks that the upper ones are within the limit",
  },
  { rows: /^bound/, aspect: "vector", reason: "the host finds the lower bound passed before it reads the upper one" },
  {
    rows: /^(pusha|call|enter)/,
    aspect: "memory",
    reason: "the host has pushed some words below ESP before it faults; ours leaves no trace",
  },
  {
    rows: /^popa/,
    aspect: "registers",
    reason: "the host has popped some registers before it faults; ours leaves no trace",
  },
];

/** Whether an aspect may differ for a mnemonic that faults on both sides, or on ours alone. */
export function tolerated(mnemonic: string, aspect: Aspect, both: boolean): boolean {
  return TOLERANCES.some(
    ({ rows, aspect: its, oneSided }) => its === aspect && rows.test(mnemonic) && (both || oneSided === true),
  );
}
