/**
 * Whole costs of fork strategies: cycles of the machine between the marks of a region, whoever ran in between. May import
 * tests/guest and kernel/abi.
 */
import { Mark, type Region } from "../../kernel/abi/marks";
import type { BuiltAll } from "../../tools/image/build";
import { type Mode, runGuest } from "../guest/guest";

/** Cycles of each run of `region`, by its tag, and the console. Throws Error if the program does not end well. */
export function costsOf(
  built: BuiltAll,
  mode: Mode,
  program: string,
  region: Region,
): { costs: Map<number, number>; output: string } {
  const costs = new Map<number, number>();
  const argument = region << 16;
  const run = runGuest(built, {
    commandLine: `fork=${mode} -- ${program}`,
    onMark: (value, _instret, cycles) => {
      const kind = value >>> 24;
      if ((value & 0xff0000) !== argument) return;
      const tag = value & 0xffff;
      if (kind === Mark.RegionBegin) costs.set(tag, -cycles);
      else if (kind === Mark.RegionEnd) costs.set(tag, (costs.get(tag) ?? 0) + cycles);
    },
  });
  if (run.stop.reason !== "exit" || run.stop.value !== 0) throw new Error(`${program}, fork=${mode}: ${run.output}`);
  return { costs, output: run.output };
}
