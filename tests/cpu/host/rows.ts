/**
 * Which rows of cpu/isa.ts the host can judge, and why it cannot judge the others. A test holds that every row is either
 * generated or named here. May import cpu/isa.ts.
 */
import { INVALID_ROW, ROWS, type Row } from "../../../cpu/isa";

export interface Exclusion {
  readonly name: string;
  readonly excludes: (row: Row) => boolean;
  readonly reason: string;
}

function named(name: string, reason: string): Exclusion {
  const mnemonics = name.toLowerCase().split(" ");
  return { name, excludes: (row) => mnemonics.includes(row.mnemonic), reason };
}

export const EXCLUSIONS: readonly Exclusion[] = [
  {
    ...{ name: "no instruction", excludes: (row) => row === ROWS[INVALID_ROW] },
    reason: "the host has instructions that we do not have",
  },
  {
    ...{ name: "MOV of test registers", excludes: (row) => row.operands.includes("Td") },
    reason: "the host has none, and refuses the opcode before it looks at what follows: tests/cpu/models",
  },
  named("FSIN FCOS FSINCOS FPTAN FPATAN F2XM1 FYL2X FYL2XP1", "within an ulp of it: tests/cpu/fpu"),
  named("FNSTENV FNSAVE", "store what later processors keep less of: tests/cpu/fpu"),
  named("CPUID", "tells which processor it is"),
  named("RDTSC", "tells the time"),
  named("SGDT SIDT SLDT STR SMSW", "UMIP: the host's kernel forbids or emulates them"),
];

/** Why a row is not compared with the host, or undefined when it is. */
export function exclusionOf(row: Row): Exclusion | undefined {
  return EXCLUSIONS.find(({ excludes }) => excludes(row));
}

/** The rows that the host judges. */
export const COMPARED: readonly Row[] = ROWS.filter((row) => exclusionOf(row) === undefined);
