/** Runs a test's machine in one go, as the functions that look at a run want it. May import cpu, types of tools/show. */
import type { Machine } from "../../cpu/index";
import type { Drive } from "../../tools/show/moments";

const BUDGET = 1e8;

export function driveOf(machine: Machine): Drive {
  return async (most = BUDGET) => machine.run({ maxInstructions: Math.min(most, BUDGET) });
}
