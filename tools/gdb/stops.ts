/**
 * Where a debugger wants the run to stop: breakpoints at linear addresses, and watchpoints on linear ranges. Asked at every instruction
 * boundary. May import cpu's public face, cpu/registers, access, tasks.
 *
 * A watchpoint for writes compares: whatever changed the bytes is found, also the kernel on a process's behalf. Bytes that come and go
 * with a mapping, or belong to another address space, do not count as changed. One for reads looks at the operands of instructions.
 *
 * User addresses mean the debugged program: a stop below the kernel counts only in processes of its name, unless `everywhere`.
 */
import type { Machine } from "../../cpu/index";
import { accessesOf } from "./access";
import type { Tasks } from "./tasks";

const KERNEL_BASE = 0xc0000000;

/** As the protocol numbers them: Z2 write, Z3 read, Z4 access. */
export type WatchKind = 2 | 3 | 4;

export interface Watch {
  kind: WatchKind;
  address: number;
  bytes: number;
}

export type Hit = { kind: "breakpoint"; hardware: boolean } | { kind: "watch"; watch: Watch };

/** A watchpoint with what it held at the last boundary. */
interface Watched extends Watch {
  directory: number;
  mapped: boolean;
  held: Uint8Array;
}

export class Stops {
  /** Stops at user addresses count in every process. */
  everywhere = false;
  /** Linear address -> whether each of software (0) and hardware (1) breakpoints is set there. */
  private readonly breakpoints = new Map<number, [boolean, boolean]>();
  private watches: Watched[] = [];
  /** A watchpoint that the instruction at the last boundary accesses, and instret there. */
  private access: { watch: Watch; instret: number } | undefined;

  constructor(
    private readonly machine: Machine,
    private readonly tasks: Tasks,
    /** Name of the debugged program's processes; undefined: of all. */
    private readonly program: string | undefined,
  ) {}

  /** Whether any boundary has to be looked at. */
  get any(): boolean {
    return this.breakpoints.size > 0 || this.watches.length > 0;
  }

  setBreakpoint(address: number, hardware: boolean, on: boolean): void {
    const set = this.breakpoints.get(address) ?? [false, false];
    set[hardware ? 1 : 0] = on;
    if (set[0] || set[1]) this.breakpoints.set(address, set);
    else this.breakpoints.delete(address);
  }

  addWatch(watch: Watch): void {
    if (this.watches.some((one) => sameWatch(one, watch))) return;
    this.watches.push({ ...watch, directory: 0, mapped: false, held: new Uint8Array(watch.bytes) });
  }

  removeWatch(watch: Watch): void {
    this.watches = this.watches.filter((one) => !sameWatch(one, watch));
  }

  clear(): void {
    this.breakpoints.clear();
    this.watches = [];
  }

  /** Takes the present moment as what watchpoints compare with. */
  rebase(): void {
    for (const watched of this.watches) this.compare(watched);
    this.look();
  }

  /** What the instruction before this boundary has hit; to be asked once a boundary. */
  passed(): Hit | undefined {
    if (this.watches.length === 0) return undefined;
    let hit: Watch | undefined;
    // An instruction that faulted has not accessed anything.
    if (this.access !== undefined && this.machine.instret > this.access.instret) hit = this.access.watch;
    for (const watched of this.watches) if (this.compare(watched) && watched.kind !== 3) hit = watched;
    this.look();
    return hit === undefined || !this.concerns(hit.address) ? undefined : { kind: "watch", watch: hit };
  }

  /** What the instruction at this boundary hits before it runs. */
  here(): Hit | undefined {
    if (this.breakpoints.size === 0) return undefined;
    const { cpu } = this.machine;
    const address = (cpu.segment(CS).base + cpu.eip) >>> 0;
    const set = this.breakpoints.get(address);
    return set === undefined || !this.concerns(address) ? undefined : { kind: "breakpoint", hardware: !set[0] };
  }

  /** Whether a process of that name is one of the debugged program's. */
  isProgram(name: string | undefined): boolean {
    return this.program !== undefined && this.program === name;
  }

  private concerns(address: number): boolean {
    if (this.everywhere || this.program === undefined || address >= KERNEL_BASE) return true;
    return this.tasks.currentName === this.program;
  }

  /** Takes the present bytes; whether they have changed in the same memory. */
  private compare(watched: Watched): boolean {
    const { cpu } = this.machine;
    const { held, address } = watched;
    const directory = cpu.control(3);
    let changed = false;
    let mapped = true;
    let physical = -1;
    for (let i = 0; i < held.length; i++) {
      const linear = (address + i) >>> 0;
      if (i === 0 || linear % 4096 === 0) physical = cpu.translate(linear);
      else physical++;
      if (physical < 0) mapped = false;
      const byte = physical < 0 ? 0 : (cpu.ram[physical] ?? 0xff);
      if (byte === held[i]) continue;
      held[i] = byte;
      changed = true;
    }
    const same = mapped && watched.mapped && (address >= KERNEL_BASE || directory === watched.directory);
    watched.mapped = mapped;
    watched.directory = directory;
    return changed && same;
  }

  /** Notes which watchpoint for reads the instruction at this boundary will access. */
  private look(): void {
    this.access = undefined;
    if (!this.watches.some(({ kind }) => kind !== 2)) return;
    for (const { address, bytes, write } of accessesOf(this.machine)) {
      const watch = this.watches.find(
        (one) =>
          one.kind !== 2 &&
          (one.kind === 4 || !write) &&
          address < one.address + one.bytes &&
          one.address < address + bytes,
      );
      if (watch !== undefined) this.access = { watch, instret: this.machine.instret };
    }
  }
}

const CS = 1;

function sameWatch(a: Watch, b: Watch): boolean {
  return a.kind === b.kind && a.address === b.address && a.bytes === b.bytes;
}
