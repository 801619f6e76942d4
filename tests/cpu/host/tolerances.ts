/**
 * Where the host may do otherwise than ours: all in instructions that fault, and none of it anything that a program can
 * rely on. May import nothing. docs/conformance.md prints this table.
 */

export type Aspect = "cr2" | "vector" | "memory" | "registers" | "flags";

export interface Tolerance {
  /** Mnemonics. */
  readonly rows: RegExp;
  /** What may differ when both fault. */
  readonly aspect: Aspect;
  readonly reason: string;
}

export const TOLERANCES: readonly Tolerance[] = [
  {
    rows: /^(push|pop|enter|call|jmp|ret|iret|movs|cmps|int)/,
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

/** Whether an aspect may differ for a mnemonic that faults on both sides. */
export function tolerated(mnemonic: string, aspect: Aspect): boolean {
  return TOLERANCES.some((tolerance) => tolerance.aspect === aspect && tolerance.rows.test(mnemonic));
}
