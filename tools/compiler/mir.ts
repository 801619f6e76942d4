/**
 * The machine representation: i386 instructions over virtual registers, and what the register allocator says about them.
 * This is the documented seam that the independent allocation checker reads: the allocator gets a MachineFunction and
 * gives an Allocation; it never changes the instructions. May import variables' types.
 *
 * Register numbers: 0 to 7 are the physical EAX ECX EDX EBX ESP EBP ESI EDI; FIRST_VIRTUAL and up are virtual.
 * An instruction lists every register it names in `registers`, with a role each; its operands refer to positions in that list.
 * Fixed constraints are copies to and from physical registers next to the instruction, plus `fixedUses` and `fixedDefs`
 * (physical registers that it reads or changes without naming them). Every register that an instruction writes is written
 * after all it reads are read; physical registers carry values only within a block.
 */

import type { MachineVariable } from "./variables";

/** Physical registers, in the encoding of ModRM. */
export const enum Register {
  EAX = 0,
  ECX = 1,
  EDX = 2,
  EBX = 3,
  ESP = 4,
  EBP = 5,
  ESI = 6,
  EDI = 7,
}

export const REGISTER_NAMES = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"] as const;

/** The first virtual register number. */
export const FIRST_VIRTUAL = 8;

/** Registers that a call may change. */
export const CALL_CLOBBERS = (1 << Register.EAX) | (1 << Register.ECX) | (1 << Register.EDX);

/** What an instruction does with a register that it names; a set of bits. */
export const enum Role {
  Use = 1,
  Def = 2,
  /** Must be EAX, ECX, EDX or EBX: its low byte is accessed. */
  Byte = 4,
  /** A frame slot may stand here instead, if no other operand of the instruction is memory. */
  Memory = 8,
}

/** Condition codes, in the encoding of Jcc and SETcc. */
export const enum Condition {
  B = 2,
  AE = 3,
  E = 4,
  NE = 5,
  BE = 6,
  A = 7,
  S = 8,
  NS = 9,
  L = 12,
  GE = 13,
  LE = 14,
  G = 15,
}

export const CONDITION_NAMES: Readonly<Record<number, string>> = {
  ...{ 2: "b", 3: "ae", 4: "z", 5: "nz", 6: "be", 7: "a", 8: "s", 9: "ns", 12: "l", 13: "ge", 14: "le", 15: "g" },
};

/** An operand; `at`, `base` and `index` are positions in the instruction's `registers` (-1: none). */
export type Operand =
  | { kind: "register"; at: number; size: 1 | 2 | 4 }
  | { kind: "immediate"; value: number; symbol: string | null }
  | MemoryOperand;

/** [base + index << scale + displacement + symbol] */
export interface MemoryOperand {
  kind: "memory";
  base: number;
  index: number;
  scale: number;
  displacement: number;
  symbol: string | null;
  size: 1 | 2 | 4;
}

/**
 * One machine instruction, operands in Intel's order. `op` is the mnemonic, or one of the pseudo-operations:
 * `copy` (a move the allocator may remove), `jcc` and `setcc` (with `condition`), `switch` (jump through a table),
 * `callTable` (indirect call through the table of functions), `enter` (the prologue), `return`, and the expansions of emitexpand.ts.
 */
export class MachineInstruction {
  registers: number[] = [];
  roles: number[] = [];
  operands: Operand[] = [];
  /** Bit masks of physical registers. */
  fixedUses = 0;
  fixedDefs = 0;
  condition: Condition = Condition.E;
  /** Call target, or what a pseudo-operation needs to know. */
  symbol = "";

  constructor(
    readonly op: string,
    /** Byte offset in the wasm binary that it comes from. */
    readonly offset: number,
  ) {}
}

export class MachineBlock {
  code: MachineInstruction[] = [];
  successors: MachineBlock[] = [];
  /** Switch only: position in `successors` of each case, the default last. */
  cases: number[] = [];
  depth = 0;
  cold = false;

  constructor(readonly id: number) {}
}

export interface MachineFunction {
  name: string;
  /** The entry first, otherwise in reverse postorder; ids are positions in this list. */
  blocks: MachineBlock[];
  /** One more than the greatest virtual register number. */
  registerCount: number;
  /** Bytes of stack arguments that its calls need below the frame slots. */
  outgoingBytes: number;
  /** For debuggers. */
  variables: MachineVariable[];
}

/** Where a value is: 0 to 7 a physical register; negative a frame slot, ~location its number. */
export type Location = number;

/**
 * The code after allocation, instruction by instruction. Every instruction of the input occurs once, in order, in its block;
 * between them stand moves that the allocator added.
 */
export type AllocatedInstruction =
  | { kind: "original"; instruction: MachineInstruction; locations: Location[] }
  /** At least one of the two is a register. */
  | { kind: "move"; to: Location; from: Location };

export interface Allocation {
  /** Parallel to MachineFunction.blocks. A `copy` may have both its locations equal, even the same slot: it does nothing. */
  blocks: AllocatedInstruction[][];
  /** Frame slots of four bytes. */
  slots: number;
  /** Callee-saved registers written: a bit mask. */
  saved: number;
}
