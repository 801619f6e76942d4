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
  { rows: /^fbstp/, aspect: "memory", reason: "the host has stored the lower bytes before it faults" },
  {
    rows: /^(fst|fist|fbstp)/,
    aspect: "vector",
    oneSided: true,
    reason: "an unmasked exception that keeps the host from storing keeps it from looking at the address too",
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
  { rows: /^bound/, aspect: "vector", reason: "the host finds the lower bound passed before it reads the upper one" },
  {
    rows: /^retf/,
    aspect: "vector",
    oneSided: true,
    reason: "the host reads two bytes for CS, ours four: it shows where the upper two lie on a page that is not there",
  },
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
  {
    rows: /^(cmps|scas)/,
    aspect: "flags",
    reason:
      "the flags of a repeated comparison that faults are those of before the instruction; ours are those of its last repetition",
  },
];

/** Whether an aspect may differ for a mnemonic that faults on both sides, or on ours alone. */
export function tolerated(mnemonic: string, aspect: Aspect, both: boolean): boolean {
  return TOLERANCES.some(
    ({ rows, aspect: its, oneSided }) => its === aspect && rows.test(mnemonic) && (both || oneSided === true),
  );
}
