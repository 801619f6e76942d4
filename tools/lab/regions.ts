/**
 * Measured regions: what passes between a guest's RegionBegin and RegionEnd marks, in instructions and cycles, counted
 * only while the process that began the region is current. May import kernel/abi only.
 *
 * Invariants: a region belongs to the process that was current when it began; it ends at the RegionEnd mark with the same
 * argument from that process, or when that process is gone (Mark.TaskExit). Source: kernel/abi/marks.ts.
 */
import { Mark } from "../../kernel/abi/marks";

/** One finished region. */
export interface RegionCount {
  /** Which region: kernel/abi/marks.ts, Region. */
  id: number;
  /** The tag that the guest gave; forkdemo's is a size in megabytes. */
  tag: number;
  pid: number;
  instructions: number;
  cycles: number;
}

interface OpenRegion extends RegionCount {
  argument: number;
}

/** Listens to marks and hands each finished region to `done`. */
export class Regions {
  private pid = 0;
  private open: OpenRegion[] = [];

  constructor(private readonly done: (region: RegionCount) => void) {}

  /** The process that runs now: pid of the last Mark.Switch, 0 before the first. */
  get currentPid(): number {
    return this.pid;
  }

  /** Takes one mark (the 32-bit value written) at the given instruction and cycle counts of the whole machine. */
  mark(value: number, instret: number, cycles: number): void {
    const kind = value >>> 24;
    const argument = value & 0xffffff;
    if (kind === Mark.RegionBegin) this.begin(argument, instret, cycles);
    else if (kind === Mark.RegionEnd) this.end((region) => region.argument === argument, instret, cycles);
    else if (kind === Mark.TaskExit) this.end(() => true, instret, cycles);
    else if (kind === Mark.Switch) this.switchTo(argument, instret, cycles);
  }

  private begin(argument: number, instret: number, cycles: number): void {
    // The counts run from minus the time of the last start, so that a stop adds the time of the stop.
    const counts = { instructions: -instret, cycles: -cycles };
    this.open.push({ argument, id: argument >>> 16, tag: argument & 0xffff, pid: this.pid, ...counts });
  }

  private end(which: (region: OpenRegion) => boolean, instret: number, cycles: number): void {
    const ended = this.open.filter((region) => region.pid === this.pid && which(region));
    this.open = this.open.filter((region) => !ended.includes(region));
    for (const { argument: _, ...region } of ended) {
      this.done({ ...region, instructions: region.instructions + instret, cycles: region.cycles + cycles });
    }
  }

  private switchTo(pid: number, instret: number, cycles: number): void {
    if (pid === this.pid) return;
    for (const region of this.open) {
      const sign = region.pid === this.pid ? 1 : region.pid === pid ? -1 : 0;
      region.instructions += sign * instret;
      region.cycles += sign * cycles;
    }
    this.pid = pid;
  }
}
