/** What a mutant is: a fault in the kernel's sources, and who must notice it. May import tests/guest's modes. */
import type { Mode } from "../guest/guest";

export interface Mutant {
  /** What is wrong then. */
  fault: string;
  /** File below kernel/. */
  file: string;
  /** Text that stands in the file exactly once, and what to put in its place. */
  edits: readonly (readonly [search: string, replacement: string])[];
  /** Guest program of userland/tests, and the beginnings of names of its cases (P13), of each of which one must fail. */
  program: string;
  fails: readonly string[];
  /** Properties that these cases guard, besides those that they are named by. */
  guards?: readonly string[];
  /** Fork modes in which the fault can show: all unless told. */
  modes?: readonly Mode[];
  /** What the audit must report in each of these modes: an invariant, or another name of docs/audit.md. */
  audit?: string;
  /** Settings of the kernel's command line. */
  settings?: string;
}

/** For faults in what only modes that share tables do. */
export const SHARING: readonly Mode[] = ["share", "auto"];
