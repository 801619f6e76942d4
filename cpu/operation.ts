/**
 * An operation: an Instruction made ready to run. Blocks are arrays of them; exec/ holds what they do.
 * May import instruction.ts, and the type of the processor. All fields are int32 and always present: one hidden class.
 */
import type { Cpu } from "./cpu";
import { Instruction } from "./instruction";

/**
 * What an operation does. It either does all of it, or raises a fault (faults.ts) and changes nothing.
 * The processor's Eip word already holds the address of the next instruction when it is the last of its block.
 */
export type Handler = (cpu: Cpu, op: Operation) => void;

export class Operation extends Instruction {
  run: Handler;
  /** 1 when the memory operand needs segmentation.ts: a segment that is not flat, or 16-bit addressing. */
  checked = 0;
  /** Register numbers as indices into the byte, 16-bit or 32-bit view of the register file, by the operand's size. */
  source = 0;
  destination = 0;
  /** Which of several operations a shared handler does: exec/bind.ts. */
  operation = 0;
  /** Cycles of each repetition under REP. */
  repetition = 0;
  /** Cycles, apart from TLB misses, taken branches and what a self-charging operation adds for itself. */
  cycles = 0;
  /** Bytes from the start of the block to this operation and to the next one. */
  start = 0;
  end = 0;
  /** Bytes from this operation to the end of its block: Eip - toEnd is its address while it runs. */
  toEnd = 0;
  /** Cycles of the block's operations before this one. */
  cyclesBefore = 0;
  /** 1: the handler adds its own cycles and instret when it succeeds, because it reads time or repeats. */
  selfCharging = 0;
  /** Most page walks that it can need. */
  walks = 0;

  constructor(run: Handler) {
    super();
    this.run = run;
  }
}
