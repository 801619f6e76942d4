/** Runs the fuzzer's programs on our processor. May import cpu, compilerharness. */
import { Machine } from "../../cpu/index";
import { type Outcome, RESULT_BYTES, readOutcomes } from "./compilerharness";

const MEMORY_MB = 8;
const MAX_INSTRUCTIONS = 2e9;

/** Boots the program and lets it make its `count` calls; `resultsAt` is the physical address of `results`. */
export function runOnMachine(elf: Uint8Array, count: number, resultsAt: number): Outcome[] {
  const machine = new Machine({ memoryMB: MEMORY_MB });
  machine.loadMultiboot(elf);
  const stop = machine.run({ maxInstructions: MAX_INSTRUCTIONS });
  const outcomes = readOutcomes(machine.readPhysical(resultsAt, count * RESULT_BYTES), count);
  if (stop.reason !== "exit") outcomes.push({ kind: "broken", what: `the run ended: ${stop.reason}` });
  return outcomes;
}
