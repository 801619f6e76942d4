/**
 * One executed instruction, as everything about it is known: what the capture fills in, and what text and binary traces are made of.
 * May import code's types.
 */
import type { Code } from "./code";

/** Registers of a step, in this order. */
export const REGISTERS = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eflags", "cr3"] as const;
export const ESP = 4;
export const EFLAGS = 8;
export const CR3 = 9;
/** Operands in memory that one instruction can have: a push of what lies in memory has two. */
export const MOST_ACCESSES = 4;

/** The step is reused for the next instruction. All numbers but register values are unsigned. */
export class Step {
  code!: Code;
  /** Retired before it. */
  instret = 0;
  /** How many it retired: repetitions of a string instruction; 0 when it faulted. */
  retired = 1;
  pid = -1;
  ring = 0;
  cs = 0;
  /** A fault or interrupt was delivered behind it, so that ESP and EFLAGS have changed twice. */
  interrupted = false;
  readonly before = new Int32Array(REGISTERS.length);
  readonly after = new Int32Array(REGISTERS.length);
  /** Operands in memory, as code.accesses has them: their addresses; physical -1: not mapped. */
  readonly linear = new Float64Array(MOST_ACCESSES);
  readonly physical = new Float64Array(MOST_ACCESSES);
  /** Values before and after; -1 where they are not told: more than four bytes, or not mapped. */
  readonly old = new Float64Array(MOST_ACCESSES);
  readonly now = new Float64Array(MOST_ACCESSES);
  /** 1: the charged TLB had the translation before. */
  readonly hit = new Uint8Array(MOST_ACCESSES);
}
