/**
 * Which rows of cpu/isa.ts the host can judge, and why it cannot judge the others. A test holds that every row is either
 * generated or named here. May import cpu/isa.ts.
 */
import { INVALID_ROW, ROWS, type Row, RowFlag } from "../../../cpu/isa";

export interface Exclusion {
  readonly excludes: (row: Row) => boolean;
  readonly reason: string;
}

function named(pattern: RegExp): (row: Row) => boolean {
  return (row) => pattern.test(row.mnemonic);
}

export const EXCLUSIONS: readonly Exclusion[] = [
  { excludes: (row) => row === ROWS[INVALID_ROW], reason: "the host has instructions that we do not have" },
  { excludes: named(/^cpuid$/), reason: "tells which processor it is" },
  { excludes: named(/^(rdtsc|rdpmc)$/), reason: "tells the time" },
  { excludes: named(/^(sgdt|sidt|sldt|str|smsw)$/), reason: "UMIP: the host's kernel forbids or emulates them" },
  {
    excludes: (row) => (row.flags & RowFlag.Fpu) !== 0,
    reason: "fpu/conform.test.ts compares them, with all their state",
  },
];

/** Why a row is not compared with the host, or undefined when it is. */
export function exclusionOf(row: Row): Exclusion | undefined {
  return EXCLUSIONS.find(({ excludes }) => excludes(row));
}

/** The rows that the host judges. */
export const COMPARED: readonly Row[] = ROWS.filter((row) => exclusionOf(row) === undefined);
