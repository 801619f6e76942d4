/**
 * One machine of the fork figures: boots, runs a guest program, and gathers what it printed and what its marks say. The same run
 * gives the same numbers everywhere. May import cpu, kernel/abi, tools, tests/guest.
 */
import { Mark } from "../../kernel/abi/marks";
import { swapDisk } from "../../tools/disk/swaparea";
import type { BuiltAll } from "../../tools/image/build";
import { buildInitrd, readTar } from "../../tools/image/ustar";
import { type RegionCount, Regions } from "../../tools/lab/regions";
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

/** Instructions and cycles of the whole machine. */
export interface Cost {
  instructions: number;
  cycles: number;
}

export interface ForkResult {
  /** The console, with \n. */
  output: string;
  /** Regions in the order in which they began, counted whoever runs: each from its begin to its end. */
  regions: (Cost & { id: number; tag: number })[];
  /** Regions counted only while the process that began them runs. */
  own: RegionCount[];
  /** Taking pages out of tables for swap-out, while a region was open. */
  unmap: Cost & { pages: number };
  /** From the program's exec to its end. */
  program: Cost;
}

/** Instructions after which a run is taken to hang. */
const BUDGET = 2e11;

/** The settings of a run as a kernel command line. */
export function commandLineOf({ mode, plain, program, swapMB }: ForkRun): string {
  return `fork=${mode}${plain ? " rmap=off" : ""}${swapMB ? " swap=on" : ""} -- ${program}`;
}

/** Adds up what marks tell. */
class Gathering {
  readonly regions: ForkResult["regions"] = [];
  readonly own: RegionCount[] = [];
  readonly unmap = { pages: 0, instructions: 0, cycles: 0 };
  readonly program = { instructions: 0, cycles: 0 };
  private readonly byProcess = new Regions((region) => this.own.push(region));
  private readonly open = new Map<number, ForkResult["regions"][number]>();
  private started = false;

  mark(value: number, instructions: number, cycles: number): void {
    const kind = value >>> 24;
    const argument = value & 0xffffff;
    this.byProcess.mark(value, instructions, cycles);
    const count = (cost: Cost, sign: number): void => {
      cost.instructions += sign * instructions;
      cost.cycles += sign * cycles;
    };
    if (kind === Mark.RegionBegin) {
      const region = { id: argument >>> 16, tag: argument & 0xffff, instructions: 0, cycles: 0 };
      this.regions.push(region);
      this.open.set(argument, region);
      count(region, -1);
    } else if (kind === Mark.RegionEnd) {
      const region = this.open.get(argument);
      if (region) count(region, 1);
      this.open.delete(argument);
    } else if (kind === Mark.UnmapBegin && this.open.size > 0) {
      this.unmap.pages++;
      count(this.unmap, -1);
    } else if (kind === Mark.UnmapEnd && this.open.size > 0) count(this.unmap, 1);
    else if (kind === Mark.Exec && argument !== 1 && !this.started) {
      this.started = true;
      count(this.program, -1);
    } else if (kind === Mark.ProgramStatus) count(this.program, 1);
  }
}

function withScript(initrd: Uint8Array, script: string): Uint8Array {
  return buildInitrd([...readTar(initrd, "initrd"), { name: "script", data: Buffer.from(script), mode: 0o644 }]);
}

/** Runs to the end. Throws Error, with the console, if the program does not end well. */
export function forkRun(built: BuiltAll, run: ForkRun): ForkResult {
  const gathering = new Gathering();
  const { script, memoryMB = 64, swapMB } = run;
  const initrd = script === undefined ? built.initrd : withScript(built.initrd, script);
  const { output, stop } = runGuest(
    { ...built, initrd },
    {
      commandLine: commandLineOf(run),
      memoryMB,
      maxInstructions: BUDGET,
      ...(swapMB === undefined ? {} : { disk: swapDisk(swapMB) }),
      onMark: (value, instret, cycles) => gathering.mark(value, instret, cycles),
    },
  );
  if (stop.reason !== "exit" || stop.value !== 0) {
    throw new Error(`${commandLineOf(run)}: ended with ${JSON.stringify(stop)}\n${output}`);
  }
  const { regions, own, unmap, program } = gathering;
  return { output, regions, own, unmap, program };
}
