/**
 * The allocator's working copy of a function: each instruction with the names that its registers have now. A name is a
 * physical register, a virtual register (spilling makes new ones), or negative: a frame slot. Imports mir.
 */

import type { MachineFunction, MachineInstruction } from "./mir";
import { Role } from "./mir";

/** An instruction of the input, or (`instruction` null) a move that the allocator added: names [to, from]. */
export interface WorkItem {
  instruction: MachineInstruction | null;
  names: number[];
  roles: readonly number[];
  fixedUses: number;
  fixedDefs: number;
  /** names[0] = names[1] is all it does. */
  isCopy: boolean;
}

export interface WorkBlock {
  items: WorkItem[];
  /** Positions in WorkFunction.blocks. */
  successors: number[];
  /** How often it is thought to run, relative to the entry. */
  weight: number;
}

export interface WorkFunction {
  blocks: WorkBlock[];
  nameCount: number;
  slots: number;
  /** Names that spilling made for one instruction: they are never spilled again. */
  temporaries: Set<number>;
  /** Names that spilling made for a stretch of a block, with the slot (negative) that holds the same value. */
  homes: Map<number, number>;
}

const MOVE_ROLES = [Role.Def | Role.Memory, Role.Use | Role.Memory];

/** The working copy of a function, before anything is allocated. */
export function workingCopy(machine: MachineFunction): WorkFunction {
  const blocks = machine.blocks.map((block) => ({
    items: block.code.map((instruction) => ({
      ...{ instruction, names: instruction.registers.slice(), roles: instruction.roles },
      ...{ fixedUses: instruction.fixedUses, fixedDefs: instruction.fixedDefs, isCopy: instruction.op === "copy" },
    })),
    successors: block.successors.map((successor) => successor.id),
    weight: block.cold ? 0.01 : 10 ** Math.min(block.depth, 6),
  }));
  return { blocks, nameCount: machine.registerCount, slots: 0, temporaries: new Set(), homes: new Map() };
}

/** A move to add. */
export function moveItem(to: number, from: number): WorkItem {
  return { instruction: null, names: [to, from], roles: MOVE_ROLES, fixedUses: 0, fixedDefs: 0, isCopy: true };
}
