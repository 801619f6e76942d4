/**
 * A machine that runs fuzzed programs under one way to fork: it boots once, to where the guest program waits for its script; each
 * program begins from there. It ends a process's slice at chosen counts of that process's user-mode instructions, by letting
 * time pass until the timer has ticked often enough, and audits at returns to user mode.
 * May import cpu, tools/audit, tools/disk, tools/image, userland/fuzz/format, program.
 */
import {
  EventKind,
  Machine,
  type MachineEvent,
  type MachineState,
  STANDARD_TLB,
  type TlbGeometry,
} from "../../../cpu/index";
import { Mark } from "../../../kernel/abi/marks";
import { Auditor } from "../../../tools/audit/auditor";
import { swapDisk } from "../../../tools/disk/swaparea";
import type { KernelLayout } from "../../../tools/image/layout";
import { buildInitrd } from "../../../tools/image/ustar";
import { Say } from "../../../userland/fuzz/format";
import { encode, hasSwap, type Program, type Ticks, type Variant } from "./program";

export interface GuestImages {
  kernel: Uint8Array;
  layout: KernelLayout;
  /** The guest program, userland/fuzz/mm.ts. */
  program: Uint8Array;
}

/** What a process said: word index of the operation, value, and so on in turn. */
export type Said = readonly number[];

export interface Outcome {
  /** How the run ended: "done", or what went wrong in words. Compared like all else. */
  end: string;
  /** By process; the last one is pid 1. */
  said: readonly Said[];
  /** Differences that the audit found, in lines. */
  findings: readonly string[];
  /** What the kernel printed. */
  console: string;
  /** Frames in use by kind at the end. */
  frames: readonly number[];
  instructions: number;
}

/** RAM of most machines; programs use 0.8 MB at most. */
const MEMORY_MB = 4;
/** RAM of one on which they do not fit without swap, and bytes of it that the initrd takes up. */
const TIGHT_MB = 3;
const TIGHT_PADDING = 960 << 10;
const SWAP_MB = 4;
/** A TLB that hardly ever evicts: a translation that nobody flushes stays. */
const LARGE_TLB: TlbGeometry = { ...STANDARD_TLB, sets: 256 };

/** What differs from the standard machine: words of the kernel's command line, geometry of the TLB. */
const MACHINES: Readonly<Record<Variant, { settings: string; tlb: TlbGeometry; memoryMB: number }>> = {
  standard: { settings: "", tlb: STANDARD_TLB, memoryMB: MEMORY_MB },
  largeTlb: { settings: "", tlb: LARGE_TLB, memoryMB: MEMORY_MB },
  poison: { settings: "poison=on", tlb: STANDARD_TLB, memoryMB: MEMORY_MB },
  softwareWp: { settings: "wp=off", tlb: LARGE_TLB, memoryMB: MEMORY_MB },
  swap: { settings: "swap=on evict=1", tlb: LARGE_TLB, memoryMB: MEMORY_MB },
  tight: { settings: "swap=on evict=1", tlb: STANDARD_TLB, memoryMB: TIGHT_MB },
};
/** Instructions for the boot, and for a program, after which it is taken to hang. */
const BOOT_BUDGET = 2e8;
const BUDGET = 2e7;
/** A bit more than one period of the timer in cycles. */
const TICK_CYCLES = 1_000_016;
/** Sleeps of the whole machine, with nobody woken, after which all processes are taken to wait for each other. */
const MOST_SLEEPS = 40;
/** How a run ends that uses up its budget, or in which nobody can go on. */
export const ENDLESS = "does not end";
const ASLEEP = "all wait for each other";
const USER_RING = 3;
const PROCESS_MASK = 15;
const PAGE = 4096;

export class FuzzGuest {
  private readonly machine: Machine;
  private readonly checkpoint: MachineState;
  private readonly auditor: Auditor;
  private console = "";
  private said: number[][] = [];
  /** Of each process: the first half of what it says, since another may speak before the second. */
  private readonly halves = new Uint32Array(PROCESS_MASK + 1);
  private finished = false;
  /** The exit port was written: a panic, most likely. */
  private exited: number | undefined;
  private findings: string[] = [];
  private everyReturn = 1;
  private returns = 0;
  private scriptAddress = 0;
  /** Pid that runs, and the process of the program that it is. */
  private pid = 0;
  private readonly processOf = new Map<number, number>();
  /** Of each process: user-mode instructions retired, ticks that are still to come (the next ones last). */
  private retired: number[] = [];
  private points: Ticks[][] = [];
  private inUser = false;
  private userSince = 0;
  private stopAtReturn = false;

  /** Boots. `mode` is the fork= of the command line. Throws Error when the guest does not come up. */
  constructor(
    readonly mode: string,
    private readonly variant: Variant,
    private readonly images: GuestImages,
  ) {
    const { settings, tlb, memoryMB } = MACHINES[variant];
    this.machine = new Machine({
      memoryMB,
      tlb,
      ...(hasSwap(variant) ? { disk: swapDisk(SWAP_MB) } : {}),
      onSerial: (bytes) => (this.console += Buffer.from(bytes).toString("latin1")),
    });
    const commandLine = `quiet fork=${mode} ${settings} init=/bin/mm`;
    const padding = variant === "tight" ? TIGHT_PADDING : 0;
    const initrd = buildInitrd([
      { name: "bin/mm", data: images.program, mode: 0o755 },
      { name: "padding", data: new Uint8Array(padding), mode: 0o644 },
    ]);
    this.machine.loadMultiboot(images.kernel, { commandLine, modules: [initrd] });
    this.machine.onEvent((event) => this.heard(event));
    this.auditor = new Auditor(this.machine, images.layout);
    this.reset([], 0);
    this.machine.run({ maxInstructions: BOOT_BUDGET });
    const [, address] = this.said[Say.Supervisor];
    if (address === undefined) throw new Error(`the fuzzer's guest does not come up: ${this.console}`);
    this.scriptAddress = address;
    this.checkpoint = this.machine.save();
  }

  private reset(ticks: Program["ticks"], everyReturn: number): void {
    this.console = "";
    this.said = Array.from({ length: PROCESS_MASK + 1 }, () => []);
    this.finished = false;
    this.exited = undefined;
    this.findings = [];
    this.everyReturn = everyReturn;
    this.returns = 0;
    this.pid = 1;
    this.processOf.clear();
    this.processOf.set(1, Say.Supervisor);
    this.retired = this.said.map(() => 0);
    this.points = this.said.map((_, process) =>
      ticks.filter((one) => one.process === process).sort((a, b) => b.at - a.at),
    );
    this.stopAtReturn = ticks.length > 0;
    this.inUser = true;
    this.userSince = this.machine.instret;
  }

  /** Runs a program from the checkpoint, on this machine whatever it says; without an audit if `audited` is false. */
  run(program: Program, audited = true): Outcome {
    const { machine } = this;
    const { words } = encode(program);
    machine.takeOver(this.checkpoint);
    this.reset(program.ticks, audited ? program.auditEvery : 0);
    this.writeScript(new Uint8Array(words.buffer));
    if (hasSwap(this.variant)) this.seedEvictions(program.evict);
    const began = machine.instret;
    const end = this.runToEnd(began + BUDGET);
    // Nothing holds in the middle of the kernel.
    if (audited && this.findings.length === 0 && (end === "done" || end === ASLEEP)) this.audit();
    return {
      end,
      said: this.said,
      findings: this.findings,
      console: this.console,
      frames: this.framesInUse(),
      instructions: machine.instret - began,
    };
  }

  private writeScript(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; done += PAGE) {
      const physical = this.machine.translate(this.scriptAddress + done);
      this.machine.writePhysical(physical, bytes.subarray(done, done + PAGE));
    }
  }

  /** Where the command line's evict=SEED went; 0 would mean that nothing is evicted. */
  private seedEvictions(seed: number): void {
    const { variables, constants } = this.images.layout;
    const at = variables.evictSeed - constants["mm/layout/KERNEL_BASE"];
    this.machine.writePhysical(at, new Uint8Array(Uint32Array.of(seed | 1).buffer));
  }

  private runToEnd(lastInstret: number): string {
    const { machine } = this;
    let sleeps = 0;
    let sleptAt = -1;
    while (this.findings.length === 0 && !this.finished) {
      const left = lastInstret - machine.instret;
      const stop = machine.run({ maxInstructions: Math.min(left, this.untilPoint()), stopWhenIdle: true });
      if (stop.reason === "budget") {
        if (machine.instret >= lastInstret) return ENDLESS;
        if (this.untilPoint() === 0) this.tick();
      } else if (stop.reason === "idle") {
        sleeps = this.returns === sleptAt ? sleeps + 1 : 0;
        sleptAt = this.returns;
        if (sleeps > MOST_SLEEPS) return ASLEEP;
      } else if (stop.reason !== "exit" || this.exited !== undefined) return `ended with ${JSON.stringify(stop)}`;
    }
    return this.finished ? "done" : "stopped by the audit";
  }

  /** User-mode instructions that the present process may retire before its next preemption. */
  private untilPoint(): number {
    if (!this.inUser) return Number.POSITIVE_INFINITY;
    const process = this.processOf.get(this.pid);
    const point = process === undefined ? undefined : this.points[process].at(-1);
    if (process === undefined || point === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(0, point.at - this.retired[process] - (this.machine.instret - this.userSince));
  }

  /** The timer ticks as often as the point that has come says; no more once another process runs. */
  private tick(): void {
    const { machine, pid } = this;
    const count = this.points[this.processOf.get(pid) as number].pop()?.count ?? 0;
    for (let i = 0; i < count && this.pid === pid && this.findings.length === 0 && !this.finished; i++) {
      machine.passTime(TICK_CYCLES);
      const { returns } = this;
      // Until the interrupt is over, at the next return to user mode, or all sleep.
      while (this.returns === returns) {
        const stop = machine.run({ maxInstructions: BUDGET, stopWhenIdle: true });
        if (stop.reason !== "exit" || this.exited !== undefined) break;
      }
    }
  }

  private heard({ kind, a, b, instret }: Readonly<MachineEvent>): void {
    switch (kind) {
      case EventKind.TrapEntry:
        if (this.inUser) this.leftUser(instret);
        break;
      case EventKind.Iret:
        if (b === USER_RING) this.enteredUser(instret);
        break;
      case EventKind.Mark:
        this.marked(a, instret);
        break;
      case EventKind.Exit:
        this.exited = a;
        break;
      default:
    }
  }

  private leftUser(instret: number): void {
    this.inUser = false;
    const process = this.processOf.get(this.pid);
    if (process !== undefined) this.retired[process] += instret - this.userSince;
  }

  private enteredUser(instret: number): void {
    this.inUser = true;
    this.userSince = instret;
    this.returns++;
    if (this.stopAtReturn) this.machine.cpu.requestStop();
    if (this.everyReturn > 0 && this.returns % this.everyReturn === 0) this.audit();
  }

  private audit(): void {
    const found = this.auditor.audit();
    if (found.length === 0) return;
    this.findings = found.map((finding) => this.auditor.describe(finding));
    this.machine.cpu.requestStop();
  }

  private marked(value: number, instret: number): void {
    const kind = value >>> 24;
    if (kind === Mark.Switch) this.pid = value & 0xffffff;
    else if (kind >>> 4 === Say.Low >>> 4) this.halves[kind & PROCESS_MASK] = value & 0xffffff;
    else if (kind >>> 4 === Say.High >>> 4) this.hear(kind & PROCESS_MASK, value, instret);
  }

  private hear(process: number, value: number, instret: number): void {
    if (!this.processOf.has(this.pid)) {
      this.processOf.set(this.pid, process);
      this.retired[process] = 0;
      this.userSince = instret;
    }
    this.said[process].push(value & 0xffff, (this.halves[process] | (((value >>> 16) & 0xff) << 24)) >>> 0);
    // Pid 1 speaks when it is ready and when it is done.
    if (process !== Say.Supervisor) return;
    this.finished = true;
    this.machine.cpu.requestStop();
  }

  private framesInUse(): number[] {
    const { constants } = this.images.layout;
    const { ram } = this.machine.cpu;
    const at = constants["mm/vmstat/framesInUse"] - constants["mm/layout/KERNEL_BASE"];
    return [...new Uint32Array(ram.buffer, ram.byteOffset + at, constants["mm/page/FRAME_KINDS"])];
  }
}
