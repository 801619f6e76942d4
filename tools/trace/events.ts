/**
 * Decoded events of a run: what happened, to whom, with names and numbers instead of vectors and marks. May import cpu's public
 * face and registers, kernel/abi, eventtypes, kernelview, pageentries, sharedtables, strace, traps.
 *
 *     const events = new Events(machine, kernelLayout(kernel));
 *     const unlisten = events.on((event) => ..., ["fork", "unshare"]);
 *     machine.run(...);
 *     machine.takeOver(state);       // or History.seek: the machine is at another moment
 *     events.moved();
 *
 * All who want events of one machine share one of these. Only what somebody listens to is decoded, and what only a memory of the past can
 * tell (which process runs, the table that was shared, what a process entered the kernel for) is kept only while it is needed.
 * Where a mark says too little, the rest is read from memory at that very moment, by the layout of the kernel; for a kernel
 * that is not ours it is -1.
 *
 * Invariants: it changes nothing in the machine; the machine runs at full speed, compiled; what is told of a moment does not depend on when
 * one began to listen, but for calls and faults that were under way then in processes other than the one that ran.
 */
import { EventKind, type Machine, type MachineEvent } from "../../cpu/index";
import { Register, Word } from "../../cpu/registers";
import { Mark, UnshareCause } from "../../kernel/abi/marks";
import { Syscall } from "../../kernel/abi/syscalls";
import type { KernelLayout } from "../image/layout";
import type { EventBase, Origin, TraceEvent, TraceEventKind, TraceEventListener } from "./eventtypes";
import { EVENT_KINDS } from "./eventtypes";
import { KernelView } from "./kernelview";
import { frameOf, PageEntries } from "./pageentries";
import { SharedTables } from "./sharedtables";
import { ARGUMENT_REGISTERS, argumentTexts, callText, PATH_BYTES, readString, resultText, syscallName } from "./strace";

import { newProcess, newTrap, outcomeOf, type Process, type Trap } from "./traps";

export type { KernelLayout } from "../image/layout";
export * from "./eventtypes";

const SS = 2;
const PAGE_FAULT = 14;
const SYSCALL_VECTOR = 0x80;
const FIRST_IRQ = 32;
const IRQ_LINES = 16;
/** Bytes of INT 0x80. */
const INT_BYTES = 2;
const ARGUMENT_MASK = 0xffffff;
const SLOT_MASK = 0x3ff;
const CAUSE_SHIFT = 10;
/** Traps within traps that are remembered of a process; a kernel that is not ours may never come back from one. */
const MOST_TRAPS = 32;

/** Why a table was unshared, by name. */
export const UNSHARE_CAUSES: Readonly<Record<number, string>> = {
  [UnshareCause.Write]: "write",
  [UnshareCause.NotPresentWrite]: "write-not-present",
  [UnshareCause.Munmap]: "munmap",
  [UnshareCause.Mprotect]: "mprotect",
  [UnshareCause.Mmap]: "mmap",
  [UnshareCause.Brk]: "brk",
  [UnshareCause.StackGrowth]: "stack-growth",
  [UnshareCause.Mremap]: "mremap",
  [UnshareCause.Madvise]: "madvise",
  [UnshareCause.Mlock]: "mlock",
};

/** Kinds that need to know which traps a process is in. */
const NEED_TRAPS: ReadonlySet<TraceEventKind> = new Set<TraceEventKind>([
  "pageFaultEnd",
  "syscall",
  "syscallEnd",
  "exec",
  "share",
  "unshare",
  "release",
  "copyOnWrite",
  "swapIn",
]);
const NEED_SHARING: ReadonlySet<TraceEventKind> = new Set<TraceEventKind>(["unshare", "release"]);

export class Events {
  private readonly listeners = new Map<TraceEventListener, ReadonlySet<TraceEventKind>>();
  private readonly wanted = new Set<TraceEventKind>();
  private readonly byKind = new Map<TraceEventKind, TraceEventListener[]>();
  private needsTraps = false;
  private needsSharing = false;
  private unlisten: (() => void) | undefined;
  private readonly processes = new Map<number, Process>();
  private running: Process = newProcess(-1);
  /** Whom the last switch led to. */
  private lastPid = -1;
  private readonly entries: PageEntries;
  private readonly tables: SharedTables | undefined;
  /** What is read of the kernel; undefined where it is not ours. */
  readonly kernel: KernelView | undefined;

  /** `layout` is the kernel's; undefined for one that is not ours, of which only the processor's events are known. */
  constructor(
    readonly machine: Machine,
    layout: KernelLayout | undefined,
  ) {
    this.entries = new PageEntries(machine);
    this.kernel = KernelView.of(machine, layout);
    this.tables = this.kernel && new SharedTables(this.entries, this.kernel);
    this.moved();
  }

  /** Adds a listener to events of some kinds, all unless told; the result takes it away again. It must not throw or run the machine. */
  on(listener: TraceEventListener, kinds: readonly TraceEventKind[] = EVENT_KINDS): () => void {
    this.listeners.set(listener, new Set(kinds));
    this.update();
    return () => {
      this.listeners.delete(listener);
      this.update();
    };
  }

  /** The process that runs: 0 the kernel's own task, -1 not known. */
  get pid(): number {
    return this.current().pid;
  }

  /** The process that runs, as the kernel's memory says; of a kernel that is not ours, as its last switch said. */
  private current(): Process {
    if (this.kernel === undefined) return this.running;
    const pid = this.kernel.currentPid();
    if (pid !== this.running.pid) this.running = this.processOf(pid);
    return this.running;
  }

  /** To be called when the machine has been taken to another moment: what was remembered is read anew from its memory. */
  moved(): void {
    this.processes.clear();
    if (this.needsSharing) this.tables?.readAll();
    const { kernel } = this;
    this.lastPid = kernel?.currentPid() ?? -1;
    if (kernel === undefined) {
      this.running = newProcess(-1);
      return;
    }
    for (const { pid, directory, isNew } of kernel.tasks()) {
      this.processes.set(pid, { ...newProcess(pid), directory, isStale: !isNew });
    }
    this.running = this.processOf(kernel.currentPid());
    const inUserMode = this.machine.cpu.cpl === 3;
    this.running.isStale = false;
    if (!inUserMode) this.recover();
  }

  private update(): void {
    this.unlisten?.();
    this.unlisten = undefined;
    const { wanted } = this;
    const followed = wanted.size > 0;
    wanted.clear();
    this.byKind.clear();
    for (const [listener, kinds] of this.listeners) {
      for (const kind of kinds) {
        wanted.add(kind);
        this.byKind.set(kind, [...(this.byKind.get(kind) ?? []), listener]);
      }
    }
    const needsTraps = [...wanted].some((kind) => NEED_TRAPS.has(kind));
    const needsSharing = [...wanted].some((kind) => NEED_SHARING.has(kind));
    const grew = (needsTraps && !this.needsTraps) || (needsSharing && !this.needsSharing);
    this.needsTraps = needsTraps;
    this.needsSharing = needsSharing;
    if (wanted.size === 0) return;
    // What went by while nobody wanted to know of it.
    if (!followed || grew) this.moved();
    const kinds = [EventKind.Mark];
    const also = (kind: EventKind, when: boolean) => when && kinds.push(kind);
    also(EventKind.PageFault, needsTraps || wanted.has("pageFault"));
    also(EventKind.TrapEntry, needsTraps || wanted.has("irq") || wanted.has("exception"));
    also(EventKind.Iret, needsTraps);
    also(EventKind.Cr3Load, wanted.has("cr3"));
    also(EventKind.TlbFlush, wanted.has("tlbFlush"));
    also(EventKind.Invlpg, wanted.has("invlpg"));
    also(EventKind.Exit, wanted.has("end"));
    this.unlisten = this.machine.onEvent((event) => this.hear(event), kinds);
  }

  private emit(event: TraceEvent): void {
    for (const listener of this.byKind.get(event.kind) ?? []) listener(event);
  }

  private processOf(pid: number): Process {
    let process = this.processes.get(pid);
    if (process === undefined) {
      process = newProcess(pid);
      this.processes.set(pid, process);
    }
    return process;
  }

  private hear(event: Readonly<MachineEvent>): void {
    const { kind, a, b } = event;
    switch (kind) {
      case EventKind.Mark:
        this.mark(event, a >>> 24, a & ARGUMENT_MASK);
        return;
      case EventKind.PageFault:
        this.pageFault(event, a, b);
        return;
      case EventKind.TrapEntry:
        if (a !== PAGE_FAULT) this.trap(event, a, b);
        return;
      case EventKind.Iret:
        this.returned(event, a, b);
        return;
      case EventKind.Cr3Load:
        this.emit({ kind: "cr3", ...this.at(event), value: a });
        return;
      case EventKind.TlbFlush:
        this.emit({ kind: "tlbFlush", ...this.at(event), global: a !== 0 });
        return;
      case EventKind.Invlpg:
        this.emit({ kind: "invlpg", ...this.at(event), address: a });
        return;
      case EventKind.Exit:
        this.emit({ kind: "end", ...this.at(event), value: a });
        return;
    }
  }

  /** What every event has, for one that an instruction made which has just run: EIP is behind it. */
  private at(event: Readonly<MachineEvent>): EventBase {
    const { r } = this.machine.cpu;
    const eip = (r[Word.Eip] - 1) >>> 0;
    return { instret: event.instret, cycles: event.cycles, pid: this.current().pid, ring: r[Word.Cpl], eip };
  }

  private atTrap(event: Readonly<MachineEvent>, ring: number, eip: number): EventBase {
    return { instret: event.instret, cycles: event.cycles, pid: this.current().pid, ring, eip };
  }

  private enter(trap: Trap): void {
    if (!this.needsTraps) return;
    const { traps } = this.current();
    if (traps.length >= MOST_TRAPS) traps.shift();
    traps.push(trap);
  }

  private pageFault(event: Readonly<MachineEvent>, address: number, errorCode: number): void {
    const { r } = this.machine.cpu;
    const trap = newTrap(PAGE_FAULT, r[Word.Eip] >>> 0, r[Word.Cpl], event.instret);
    if (this.needsTraps) {
      trap.address = address;
      trap.errorCode = errorCode;
      trap.pde = this.entries.pde(address);
      trap.pte = this.entries.pte(trap.pde, address);
      this.enter(trap);
    }
    if (this.wanted.has("pageFault")) {
      this.emit({ kind: "pageFault", ...this.atTrap(event, trap.ring, trap.eip), address, errorCode });
    }
  }

  /** A handler has been entered: its stack holds what was interrupted. */
  private trap(event: Readonly<MachineEvent>, vector: number, errorCode: number): void {
    const { r } = this.machine.cpu;
    const top = r[Word.Base + SS] + r[Register.ESP] + (errorCode >= 0 ? 4 : 0);
    const eip = this.entries.linear(top);
    const trap = newTrap(vector, eip, this.entries.linear(top + 4) & 3, event.instret);
    if (vector === SYSCALL_VECTOR) {
      if (this.needsTraps) this.syscall(event, trap);
    } else if (vector >= FIRST_IRQ && vector < FIRST_IRQ + IRQ_LINES) {
      if (this.wanted.has("irq")) {
        const line = this.kernel === undefined ? -1 : vector - FIRST_IRQ;
        this.emit({ kind: "irq", ...this.atTrap(event, trap.ring, eip), vector, line });
      }
    } else if (this.wanted.has("exception")) {
      this.emit({ kind: "exception", ...this.atTrap(event, trap.ring, eip), vector, errorCode, why: "" });
    }
    this.enter(trap);
  }

  private syscall(event: Readonly<MachineEvent>, trap: Trap): void {
    const { r } = this.machine.cpu;
    const number = r[Register.EAX];
    trap.number = number;
    if (this.wanted.has("syscall") || this.wanted.has("syscallEnd")) {
      trap.args = ARGUMENT_REGISTERS.map((register) => r[register] >>> 0);
      trap.texts = argumentTexts(this.machine, number, trap.args);
    }
    if (number === Syscall.Execve && this.wanted.has("exec")) {
      trap.path = readString(this.machine, r[Register.EBX] >>> 0, PATH_BYTES);
    }
    if (trap.texts !== undefined && this.wanted.has("syscall")) {
      const name = syscallName(number);
      const text = callText(number, trap.texts);
      this.emit({ kind: "syscall", ...this.atTrap(event, trap.ring, trap.eip - INT_BYTES), number, name, text });
    }
  }

  /** IRET: the innermost trap that came from this ring is over. */
  private returned(event: Readonly<MachineEvent>, eip: number, ring: number): void {
    const { traps } = this.current();
    const { running } = this;
    // A fault's address is gone by now: of those that slept only calls are told.
    if (
      ring === 3 &&
      traps.length === 0 &&
      running.isStale &&
      this.kernel?.userFrameWord("vector") === SYSCALL_VECTOR
    ) {
      this.recover();
    }
    while (traps.length > 0) {
      const trap = traps.pop() as Trap;
      if (trap.ring !== ring) continue;
      if (trap.vector === PAGE_FAULT) this.faultOver(event, trap, eip, ring);
      else if (trap.vector === SYSCALL_VECTOR) this.syscallOver(event, trap, eip, ring);
      break;
    }
    if (ring === 3) running.isStale = false;
  }

  /** The running process is in a trap of which we have not seen the beginning: the kernel's frame tells of it. */
  private recover(): void {
    const { kernel, machine } = this;
    if (kernel === undefined || (kernel.userFrameWord("cs") & 3) !== 3) return;
    const vector = kernel.userFrameWord("vector");
    const trap = newTrap(vector, kernel.userFrameWord("eip"), 3, -1);
    if (vector === SYSCALL_VECTOR) {
      // The handler's result takes EAX's place; the number is kept beside it once there is one.
      trap.number = kernel.userFrameWord("error") || kernel.userFrameWord("eax");
      trap.args = ["ebx", "ecx", "edx", "esi", "edi", "ebp"].map((name) => kernel.userFrameWord(name));
      trap.texts = argumentTexts(machine, trap.number, trap.args);
    } else if (vector === PAGE_FAULT) {
      trap.address = machine.cpu.r[Word.Cr2] >>> 0;
      trap.errorCode = kernel.userFrameWord("error");
      trap.pde = this.entries.pde(trap.address);
      trap.pte = this.entries.pte(trap.pde, trap.address);
    }
    this.current().traps.push(trap);
  }

  private faultOver(event: Readonly<MachineEvent>, trap: Trap, eip: number, ring: number): void {
    if (!this.wanted.has("pageFaultEnd")) return;
    const { address, errorCode } = trap;
    this.emit({
      kind: "pageFaultEnd",
      ...this.atTrap(event, ring, eip),
      address,
      errorCode,
      faultEip: trap.eip,
      faultInstret: trap.instret,
      outcome: outcomeOf(trap, this.entries, this.kernel, eip, ring),
      frame: frameOf(this.entries.pte(this.entries.pde(address), address)),
    });
  }

  private syscallOver(event: Readonly<MachineEvent>, trap: Trap, eip: number, ring: number): void {
    if (!this.wanted.has("syscallEnd") || trap.texts === undefined) return;
    const { number, args, texts } = trap;
    const base = { kind: "syscallEnd", ...this.atTrap(event, ring, eip), number, name: syscallName(number) } as const;
    const beganAt = trap.instret;
    const isSigreturn = number === Syscall.Sigreturn || number === Syscall.RtSigreturn;
    if (eip !== trap.eip && !trap.executed && !isSigreturn) {
      const why = eip === trap.eip - INT_BYTES ? "ERESTARTSYS (To be restarted)" : "(a signal handler runs first)";
      this.emit({ ...base, text: `${callText(number, texts)} = ? ${why}`, result: undefined, beganAt });
      return;
    }
    const result = trap.executed ? 0 : this.machine.cpu.r[Register.EAX];
    this.emit({ ...base, text: resultText(this.machine, number, args, texts, result), result, beganAt });
  }

  /** What of the running process's own code led into the kernel. */
  private origin(): Origin | undefined {
    const trap = this.current().traps[0];
    if (trap === undefined || trap.ring !== 3) return undefined;
    if (trap.vector !== SYSCALL_VECTOR) return { eip: trap.eip, syscall: undefined };
    return { eip: trap.eip - INT_BYTES, syscall: syscallName(trap.number) };
  }

  /** The page fault that the running process is in, if the innermost thing that it is in is one. */
  private innermostFault(): Trap | undefined {
    const { traps } = this.current();
    const trap = traps[traps.length - 1];
    return trap?.vector === PAGE_FAULT ? trap : undefined;
  }

  private mark(event: Readonly<MachineEvent>, kind: number, argument: number): void {
    switch (kind) {
      case Mark.Switch:
        this.switched(event, argument);
        return;
      case Mark.Fork:
        this.forked(argument);
        if (this.wanted.has("fork")) this.emit({ kind: "fork", ...this.at(event), child: argument });
        return;
      case Mark.Exec:
        this.executed(event, argument);
        return;
      case Mark.TaskExit:
        this.exited(event, argument);
        return;
      case Mark.Share:
        this.shared(event, argument);
        return;
      case Mark.Unshare:
        this.unshared(event, argument & SLOT_MASK, argument >>> CAUSE_SHIFT);
        return;
      case Mark.Release:
        this.released(event, argument);
        return;
      case Mark.CopyOnWrite:
        this.copied(event, argument);
        return;
      case Mark.SwapIn:
        this.swappedIn(event, argument);
        return;
      case Mark.UnmapEnd:
        if (this.wanted.has("swapOut")) {
          const swapSlot = this.kernel?.swapSlotOf(argument) ?? -1;
          this.emit({ kind: "swapOut", ...this.at(event), frame: argument, swapSlot });
        }
        return;
      case Mark.Panic:
        if (this.wanted.has("panic")) this.emit({ kind: "panic", ...this.at(event) });
        return;
      case Mark.RegionBegin:
      case Mark.RegionEnd: {
        const name = kind === Mark.RegionBegin ? "regionBegin" : "regionEnd";
        if (!this.wanted.has(name)) return;
        this.emit({ kind: name, ...this.at(event), id: argument >>> 16, tag: argument & 0xffff });
        return;
      }
      case Mark.Trace:
        if (!this.wanted.has("traceMark")) return;
        this.emit({ kind: "traceMark", ...this.at(event), control: argument >>> 16, value: argument & 0xffff });
        return;
    }
  }

  private switched(event: Readonly<MachineEvent>, pid: number): void {
    const from = this.lastPid;
    this.lastPid = pid;
    this.running = this.processOf(pid);
    this.running.directory = this.entries.directory;
    if (!this.wanted.has("switch")) return;
    this.emit({ kind: "switch", ...this.at(event), from, name: this.kernel?.currentName() ?? "" });
  }

  /** A process has been made, with the tables that were shared for it. */
  private forked(pid: number): void {
    const child = newProcess(pid);
    this.processes.set(pid, child);
    if (!this.needsSharing) return;
    child.directory = this.kernel?.tasks().find((task) => task.pid === pid)?.directory ?? -1;
    this.tables?.forked(child.directory);
  }

  private executed(event: Readonly<MachineEvent>, pid: number): void {
    const process = this.processOf(pid);
    process.directory = this.entries.directory;
    const trap = process.traps[0];
    if (trap !== undefined) trap.executed = true;
    if (!this.wanted.has("exec")) return;
    const path = trap?.path ?? this.kernel?.currentName() ?? "";
    this.emit({ kind: "exec", ...this.at(event), path });
  }

  private exited(event: Readonly<MachineEvent>, pid: number): void {
    // Its number may be given to another.
    const process = newProcess(pid);
    this.processes.set(pid, process);
    if (this.running.pid === pid) this.running = process;
    if (!this.wanted.has("exit")) return;
    this.emit({ kind: "exit", ...this.at(event), status: this.kernel?.currentExitStatus() ?? -1 });
  }

  private shared(event: Readonly<MachineEvent>, slot: number): void {
    const { directory } = this.entries;
    const table = this.kernel === undefined ? -1 : this.entries.inDirectory(directory, slot) >>> 12;
    if (this.needsSharing) this.tables?.share(directory, slot, table);
    if (!this.wanted.has("share")) return;
    const after = this.usersOf(table);
    const before = after < 0 ? -1 : after - 1;
    this.emit({ kind: "share", ...this.at(event), slot, table, before, after, origin: this.origin() });
  }

  private usersOf(table: number): number {
    return table < 0 ? -1 : (this.kernel?.usersOf(table) ?? -1);
  }

  private unshared(event: Readonly<MachineEvent>, slot: number, cause: number): void {
    this.innermostFault()?.outcome.push("unshared");
    if (!this.needsSharing) return;
    const { directory } = this.entries;
    const table = this.tables?.take(directory, slot) ?? -1;
    if (!this.wanted.has("unshare")) return;
    const newTable = this.kernel === undefined ? -1 : this.entries.inDirectory(directory, slot) >>> 12;
    const after = this.usersOf(table);
    this.emit({
      kind: "unshare",
      ...this.at(event),
      slot,
      table,
      before: after < 0 ? -1 : after + 1,
      after,
      newTable,
      cause: UNSHARE_CAUSES[cause] ?? String(cause),
      origin: this.origin(),
    });
  }

  /** At exit and exec the directory that gives up its tables is not the one in CR3 any more. */
  private released(event: Readonly<MachineEvent>, slot: number): void {
    if (!this.needsSharing) return;
    const table = this.tables?.take(this.current().directory, slot) ?? -1;
    if (!this.wanted.has("release")) return;
    const after = this.usersOf(table);
    const before = after < 0 ? -1 : after + 1;
    this.emit({ kind: "release", ...this.at(event), slot, table, before, after, origin: this.origin() });
  }

  private copied(event: Readonly<MachineEvent>, slot: number): void {
    const fault = this.innermostFault();
    fault?.outcome.push("copied");
    if (!this.wanted.has("copyOnWrite")) return;
    const page = fault === undefined ? -1 : (fault.address & ~0xfff) >>> 0;
    const to = fault === undefined ? -1 : frameOf(this.entries.pte(this.entries.pde(page), page));
    const from = fault === undefined ? -1 : fault.swappedIn >= 0 ? fault.swappedIn : frameOf(fault.pte);
    this.emit({ kind: "copyOnWrite", ...this.at(event), slot, page, from, to, origin: this.origin() });
  }

  private swappedIn(event: Readonly<MachineEvent>, frame: number): void {
    const fault = this.innermostFault();
    if (fault !== undefined) {
      fault.swappedIn = frame;
      fault.outcome.push("swapped in");
    }
    if (!this.wanted.has("swapIn")) return;
    const page = fault === undefined ? -1 : (fault.address & ~0xfff) >>> 0;
    this.emit({ kind: "swapIn", ...this.at(event), frame, page });
  }
}
