/**
 * How a debugger gets from a function's frame to its caller's: where the canonical frame address (CFA) is at each instruction, and where
 * what registers are saved. Made of compiled code by emitframe.ts, of assembly by asmframe.ts; written by dwarfframe.ts. May import nothing.
 *
 * The CFA of a call is the address behind the return address. Of a trap it is the address behind EFLAGS: where ESP was, if the trap
 * came from ring 0; if it came from ring 3, the interrupted ESP lies there.
 */

/** From `at` on, in bytes from the start of the section. */
export type FrameRule = { at: number } & (
  | { kind: "cfa"; register: number; offset: number }
  /** The caller's value lies at CFA - offset. */
  | { kind: "saved"; register: number; offset: number }
  /** The register holds the caller's value. */
  | { kind: "restored"; register: number }
);

/** What code is entered by: a call, a trap, or nothing that one could go back to. */
export type FrameEntry = "call" | "trap" | "outermost";

/** One function, or one stretch of assembly that is entered in one way. */
export interface FrameRecord {
  offset: number;
  size: number;
  entry: FrameEntry;
  /** Ascending. Before the first the CFA of a call is ESP + 4. */
  rules: FrameRule[];
}
