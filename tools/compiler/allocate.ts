/**
 * Register allocation: liveness, interference graph, colouring, and spilling until everything that is left has a register.
 * The pass reads a MachineFunction and writes an Allocation; both are described in mir.ts, for the checker in the tests.
 * Imports allocate*, liveness, mir.
 */

import { type WorkFunction, type WorkItem, workingCopy } from "./allocatecode";
import { colourGraph } from "./allocatecolour";
import { buildGraph } from "./allocategraph";
import { removeDeadStores, spill } from "./allocatespill";
import { computeLiveness } from "./liveness";
import { type AllocatedInstruction, type Allocation, FIRST_VIRTUAL, type MachineFunction, Register, Role } from "./mir";

const CALLEE_SAVED = (1 << Register.EBX) | (1 << Register.ESI) | (1 << Register.EDI);

/** More rounds than any function needs: each spills something, and what spilling makes is never spilled again. */
const ROUNDS = 64;

/** Find a place for every virtual register. */
export function allocate(machine: MachineFunction): Allocation {
  const code = workingCopy(machine);
  for (let round = 0; round < ROUNDS; round++) {
    const graph = buildGraph(code, computeLiveness(code));
    const colouring = colourGraph(graph, code.temporaries);
    if (colouring.spilled.length === 0) {
      removeDeadStores(code);
      return result(code, colouring.colour);
    }
    if (colouring.stuck) break;
    spill(code, graph, colouring.spilled, colouring.representative);
  }
  throw new Error(`register allocation of ${machine.name} does not end`);
}

function result(code: WorkFunction, colour: Int8Array): Allocation {
  let saved = 0;
  const locate = (name: number) => (name < FIRST_VIRTUAL ? name : colour[name]);
  const allocated = (item: WorkItem): AllocatedInstruction => {
    const locations = item.names.map(locate);
    for (let k = 0; k < locations.length; k++) {
      if (item.roles[k] & Role.Def && locations[k] >= 0) saved |= 1 << locations[k];
    }
    saved |= item.fixedDefs;
    if (item.instruction === null) return { kind: "move", to: locations[0], from: locations[1] };
    return { kind: "original", instruction: item.instruction, locations };
  };
  const blocks = code.blocks.map(({ items }) => items.map(allocated));
  return { blocks, slots: code.slots, saved: saved & CALLEE_SAVED };
}
