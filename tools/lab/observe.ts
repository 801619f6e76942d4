/**
 * Watches one machine for the laboratory: gathers what the guest prints, its regions and what its marks and disk tell, as the `Seen` that figures
 * are read from. Listening costs the guest nothing. May import cpu's public face, kernel/abi, ./experiment, ./regions, ./references.
 */
import { type BufferDisk, EventKind, type Machine } from "../../cpu/index";
import { Mark, type Region } from "../../kernel/abi/marks";
import type { Cost, Seen, SeenRegion } from "./experiment";
import { type Counts, NO_COUNTS, type ReferenceCounter } from "./references";
import { type RegionCount, Regions } from "./regions";

/** A region while it is open: its counts are minus those of the machine at its begin. */
interface OpenRegion {
  seen: SeenRegion;
  done: boolean;
}

function zero(): Cost {
  return { instructions: 0, cycles: 0 };
}

/** Counts sectors that a disk in memory moves. */
function countSectors(disk: BufferDisk): Seen["disk"] {
  const counts = { sectorsRead: 0, sectorsWritten: 0 };
  const { read, write } = disk;
  disk.read = (sector, target) => {
    counts.sectorsRead++;
    return read.call(disk, sector, target);
  };
  disk.write = (sector, source) => {
    counts.sectorsWritten++;
    return write.call(disk, sector, source);
  };
  return counts;
}

export class Observer implements Seen {
  readonly program = zero();
  readonly unmap = { ...zero(), pages: 0 };
  readonly disk: Seen["disk"];
  /** The program's wait status as init saw it; undefined while it runs. */
  programStatus: number | undefined;
  panicked = false;
  private text = "";
  /** All regions in the order of their begins, and those that are open, likewise. */
  private readonly all: OpenRegion[] = [];
  private readonly openNow: OpenRegion[] = [];
  private readonly own: Regions;
  private started = false;
  private now = zero();

  private counter: ReferenceCounter | undefined;

  constructor(disk: BufferDisk | undefined) {
    this.disk = disk === undefined ? { sectorsRead: 0, sectorsWritten: 0 } : countSectors(disk);
    this.own = new Regions((region) => this.close(region));
  }

  /** For the machine's onSerial. */
  serial(bytes: Uint8Array): void {
    this.text += Buffer.from(bytes).toString("latin1");
  }

  /** Begins to listen; once. With `counter` it is on while a region is open. */
  listen(machine: Machine, counter?: ReferenceCounter): void {
    this.counter = counter;
    machine.onEvent(({ a, instret, cycles }) => this.mark(a, instret, cycles), [EventKind.Mark]);
  }

  /** The regions that are open now. */
  get open(): SeenRegion[] {
    return this.openNow.map(({ seen }) => seen);
  }

  get output(): string {
    return this.text.replaceAll("\r\n", "\n");
  }

  values(name: string): number[] {
    const pattern = new RegExp(`(?:^|\\s)${name}=(-?\\d+(?:\\.\\d+)?)(?=\\s|$)`, "gm");
    return [...this.output.matchAll(pattern)].map(([, value]) => Number(value));
  }

  value(name: string): number {
    const value = this.values(name).at(-1);
    if (value === undefined) throw new Error(`the guest never printed ${name}=`);
    return value;
  }

  /** All regions that have ended, in the order of their begins. */
  get finished(): SeenRegion[] {
    return this.all.filter(({ done }) => done).map(({ seen }) => seen);
  }

  regions(id: Region, tag?: number): SeenRegion[] {
    return this.finished.filter((seen) => seen.id === id && (tag === undefined || seen.tag === tag));
  }

  region(id: Region, tag?: number): SeenRegion {
    const region = this.regions(id, tag)[0];
    if (region === undefined)
      throw new Error(`the guest never measured region ${id}${tag === undefined ? "" : `, tag ${tag}`}`);
    return region;
  }

  private mark(value: number, instructions: number, cycles: number): void {
    const kind = value >>> 24;
    const argument = value & 0xffffff;
    this.now = { instructions, cycles };
    const measuring = this.openNow.length > 0;
    if (kind === Mark.RegionBegin) this.begin(argument);
    this.own.mark(value, instructions, cycles);
    if (kind === Mark.Unshare) for (const seen of this.open) seen.unshares++;
    else if (kind === Mark.CopyOnWrite) for (const seen of this.open) seen.pagesCopied++;
    else if (kind === Mark.UnmapBegin && measuring) {
      this.unmap.pages++;
      this.count(this.unmap, -1);
    } else if (kind === Mark.UnmapEnd && measuring) this.count(this.unmap, 1);
    else if (kind === Mark.Exec && argument !== 1 && !this.started) {
      this.started = true;
      this.count(this.program, -1);
    } else if (kind === Mark.ProgramStatus) {
      this.count(this.program, 1);
      this.programStatus = argument & 0xffff;
    } else if (kind === Mark.Panic) this.panicked = true;
    if (this.counter === undefined || measuring === this.openNow.length > 0) return;
    if (measuring) this.counter.stop();
    else this.counter.start();
  }

  private count(cost: Cost, sign: number): void {
    cost.instructions += sign * this.now.instructions;
    cost.cycles += sign * this.now.cycles;
  }

  private begin(argument: number): void {
    const counts = { own: zero(), unshares: 0, pagesCopied: 0, ...zero() };
    const seen: SeenRegion = { id: argument >>> 16, tag: argument & 0xffff, pid: this.own.currentPid, ...counts };
    this.count(seen, -1);
    if (this.counter) this.countReferences(seen, -1);
    const region = { seen, done: false };
    this.all.push(region);
    this.openNow.push(region);
  }

  /** Regions with the same argument from the same process close in the order in which they began. */
  private close({ id, tag, pid, instructions, cycles }: RegionCount): void {
    const region = this.openNow.find(
      ({ seen }) => seen.id === id && seen.tag === tag && seen.pid === pid,
    ) as OpenRegion;
    this.openNow.splice(this.openNow.indexOf(region), 1);
    region.done = true;
    region.seen.own = { instructions, cycles };
    this.count(region.seen, 1);
    if (this.counter) this.countReferences(region.seen, 1);
  }

  private countReferences(seen: SeenRegion, sign: number): void {
    const { counter } = this;
    counter?.update();
    const before = seen.references ?? NO_COUNTS;
    const names = Object.keys(NO_COUNTS) as (keyof Counts)[];
    const now = names.map((name) => [name, before[name] + sign * (counter?.counts[name] ?? 0)] as const);
    seen.references = Object.fromEntries(now) as Record<keyof Counts, number>;
  }
}
