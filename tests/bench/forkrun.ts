/**
 * One machine of the fork figures: boots, runs a guest program, and gathers what it printed and what its marks say. The same run
 * gives the same numbers everywhere. May import cpu, kernel/abi, tools, tests/guest.
 */
import { swapDisk } from "../../tools/disk/swaparea";
import type { BuiltAll } from "../../tools/image/build";
import { buildInitrd, readTar } from "../../tools/image/ustar";
import type { Cost, Seen, SeenRegion } from "../../tools/lab/experiment";
import { Observer } from "../../tools/lab/observe";
import { type Mode, runGuest } from "../guest/guest";

/** What to run. Plain data: it is sent to threads. */
export interface ForkRun {
  mode: Mode;
  /** Without a reverse map. */
  plain?: boolean;
  /** Words of init's program. */
  program: string;
  /** 64 unless told. */
  memoryMB?: number;
  /** Megabytes of a swap area; none unless told. */
  swapMB?: number;
  /** Contents of a file /script. */
  script?: string;
}

export interface ForkResult {
  /** The console, with \n. */
  output: string;
  /** Finished regions in the order in which they began. */
  regions: readonly SeenRegion[];
  /** Taking pages out of tables for swap-out, while a region was open. */
  unmap: Seen["unmap"];
  /** From the program's exec to its end. */
  program: Cost;
}

/** Instructions after which a run is taken to hang. */
const BUDGET = 2e11;

/** The settings of a run as a kernel command line. */
export function commandLineOf({ mode, plain, program, swapMB }: ForkRun): string {
  return `fork=${mode}${plain ? " rmap=off" : ""}${swapMB ? " swap=on" : ""} -- ${program}`;
}

function withScript(initrd: Uint8Array, script: string): Uint8Array {
  return buildInitrd([...readTar(initrd, "initrd"), { name: "script", data: Buffer.from(script), mode: 0o644 }]);
}

/** Runs to the end. Throws Error, with the console, if the program does not end well. */
export function forkRun(built: BuiltAll, run: ForkRun): ForkResult {
  const seen = new Observer(undefined);
  const { script, memoryMB = 64, swapMB } = run;
  const initrd = script === undefined ? built.initrd : withScript(built.initrd, script);
  const { output, stop } = runGuest(
    { ...built, initrd },
    {
      commandLine: commandLineOf(run),
      memoryMB,
      maxInstructions: BUDGET,
      ...(swapMB === undefined ? {} : { disk: swapDisk(swapMB) }),
      onMachine: (machine) => seen.listen(machine),
    },
  );
  if (stop.reason !== "exit" || stop.value !== 0) {
    throw new Error(`${commandLineOf(run)}: ended with ${JSON.stringify(stop)}\n${output}`);
  }
  const { finished: regions, unmap, program } = seen;
  return { output, regions, unmap, program };
}
