/**
 * Hears a machine and writes down what happens, as records (eventrecords.ts). May import cpu's public face and registers, kernel/abi,
 * callmemory, eventrecords, faultoutcome, kernelview, pageentries, processes, sharedtables, traps.
 *
 * Where a mark says too little, the rest is read from memory at that very moment, by the layout of the kernel; for a kernel that is not ours
 * it is -1. What only a memory of the past can tell (which process runs, the table that was shared, what a process entered the kernel for) is
 * kept only while it is needed.
 *
 * Invariants: it changes nothing in the machine; it allocates nothing while no new process or deeper trap comes.
 */
import { EventKind, type Machine, type MachineEvent } from "../../cpu/index";
import { Register, Word } from "../../cpu/registers";
import { Mark } from "../../kernel/abi/marks";
import { Syscall } from "../../kernel/abi/syscalls";
import { ARGUMENT_REGISTERS, saveArguments, saveResults } from "./callmemory";
import { CallEnd, type EventLog, Kind, putNoOrigin, putOrigin } from "./eventrecords";
import { addOutcome, Outcome } from "./faultoutcome";
import type { KernelView } from "./kernelview";
import { frameOf, PageEntries } from "./pageentries";
import { Processes } from "./processes";
import { SharedTables } from "./sharedtables";
import { outcomeOf, type Trap } from "./traps";

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
const PAGE_SHIFT = 12;
const SLOT_SHIFT = 22;
const ARGUMENT_NAMES = ["ebx", "ecx", "edx", "esi", "edi", "ebp"];

/** What an EventWriter is to write down, and where. */
export interface Wanted {
  /** By Kind: not 0 for those that somebody wants. */
  readonly kinds: Uint8Array;
  /** Which traps processes are in; which tables they share. */
  traps: boolean;
  sharing: boolean;
  log: EventLog;
  /** A record has been written. */
  written(kind: Kind): void;
}

export class EventWriter {
  readonly processes: Processes;
  private readonly entries: PageEntries;
  private readonly tables: SharedTables | undefined;

  constructor(
    private readonly machine: Machine,
    private readonly kernel: KernelView | undefined,
    private readonly wanted: Wanted,
  ) {
    this.processes = new Processes(kernel);
    this.entries = new PageEntries(machine);
    this.tables = kernel && new SharedTables(this.entries, kernel);
  }

  /** The machine is at another moment, or more is wanted than before: what was remembered is read anew from its memory. */
  moved(): void {
    this.processes.readAll();
    if (this.wanted.sharing) this.tables?.readAll();
    if (this.kernel !== undefined && this.machine.cpu.cpl !== 3) this.recover();
  }

  private wants(kind: Kind): boolean {
    return this.wanted.kinds[kind] !== 0;
  }

  /** Begins the record of what an instruction did that has just run: EIP is behind it. */
  private begin(kind: Kind, event: Readonly<MachineEvent>): EventLog {
    const { r } = this.machine.cpu;
    return this.beginAt(kind, event, r[Word.Cpl], r[Word.Eip] - 1);
  }

  private beginAt(kind: Kind, { instret, cycles }: Readonly<MachineEvent>, ring: number, eip: number): EventLog {
    const { log } = this.wanted;
    log.begin(kind, instret, cycles, this.processes.current().pid, ring, eip);
    return log;
  }

  private end(kind: Kind): void {
    this.wanted.log.end();
    this.wanted.written(kind);
  }

  /** Writes an event of one word, if it is wanted. */
  private write(kind: Kind, event: Readonly<MachineEvent>, value: number): void {
    if (!this.wants(kind)) return;
    this.begin(kind, event).word(value);
    this.end(kind);
  }

  private writeTwo(kind: Kind, event: Readonly<MachineEvent>, first: number, second: number): void {
    if (!this.wants(kind)) return;
    const log = this.begin(kind, event);
    log.word(first);
    log.word(second);
    this.end(kind);
  }

  hear(event: Readonly<MachineEvent>): void {
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
        this.write(Kind.Cr3, event, a);
        return;
      case EventKind.TlbFlush:
        this.write(Kind.TlbFlush, event, a);
        return;
      case EventKind.Invlpg:
        this.write(Kind.Invlpg, event, a);
        return;
      case EventKind.Exit:
        this.write(Kind.End, event, a);
        return;
    }
  }

  private pageFault(event: Readonly<MachineEvent>, address: number, errorCode: number): void {
    const { r } = this.machine.cpu;
    const eip = r[Word.Eip] >>> 0;
    const ring = r[Word.Cpl];
    if (this.wanted.traps) {
      const trap = this.processes.current().enter(PAGE_FAULT, eip, ring, event.instret);
      trap.address = address;
      trap.errorCode = errorCode;
      trap.pde = this.entries.pde(address);
      trap.pte = this.entries.pte(trap.pde, address);
    }
    if (!this.wants(Kind.PageFault)) return;
    const log = this.beginAt(Kind.PageFault, event, ring, eip);
    log.word(address);
    log.word(errorCode);
    this.end(Kind.PageFault);
  }

  /** A handler has been entered: its stack holds what was interrupted. */
  private trap(event: Readonly<MachineEvent>, vector: number, errorCode: number): void {
    const { r } = this.machine.cpu;
    const top = r[Word.Base + SS] + r[Register.ESP] + (errorCode >= 0 ? 4 : 0);
    const eip = this.entries.linear(top);
    const ring = this.entries.linear(top + 4) & 3;
    const trap = this.wanted.traps ? this.processes.current().enter(vector, eip, ring, event.instret) : undefined;
    if (vector === SYSCALL_VECTOR) {
      if (trap !== undefined) this.syscall(event, trap);
    } else if (vector >= FIRST_IRQ && vector < FIRST_IRQ + IRQ_LINES) {
      if (!this.wants(Kind.Irq)) return;
      const log = this.beginAt(Kind.Irq, event, ring, eip);
      log.word(vector);
      log.word(this.kernel === undefined ? -1 : vector - FIRST_IRQ);
      this.end(Kind.Irq);
    } else if (this.wants(Kind.Exception)) {
      const log = this.beginAt(Kind.Exception, event, ring, eip);
      log.word(vector);
      log.word(errorCode);
      this.end(Kind.Exception);
    }
  }

  private syscall(event: Readonly<MachineEvent>, trap: Trap): void {
    const { r } = this.machine.cpu;
    trap.number = r[Register.EAX];
    for (let i = 0; i < ARGUMENT_REGISTERS.length; i++) trap.args[i] = r[ARGUMENT_REGISTERS[i]];
    this.save(trap);
    if (!this.wants(Kind.Syscall)) return;
    putCall(this.beginAt(Kind.Syscall, event, trap.ring, trap.eip - INT_BYTES), trap);
    this.end(Kind.Syscall);
  }

  /** Keeps what a call's arguments lead to, if somebody will want to know. */
  private save(trap: Trap): void {
    const isExec = trap.number === Syscall.Execve && this.wants(Kind.Exec);
    if (!this.wants(Kind.Syscall) && !this.wants(Kind.SyscallEnd) && !isExec) return;
    saveArguments(trap.memory, this.machine, trap.number, trap.args);
    trap.isSaved = true;
  }

  /** IRET: the innermost trap that came from this ring is over. */
  private returned(event: Readonly<MachineEvent>, eip: number, ring: number): void {
    const process = this.processes.current();
    // A fault's address is gone by now: of those that slept only calls are told.
    if (
      ring === 3 &&
      process.depth === 0 &&
      process.isStale &&
      this.kernel?.userFrameWord("vector") === SYSCALL_VECTOR
    ) {
      this.recover();
    }
    for (let trap = process.leave(); trap !== undefined; trap = process.leave()) {
      if (trap.ring !== ring) continue;
      if (trap.vector === PAGE_FAULT) this.faultOver(event, trap, eip, ring);
      else if (trap.vector === SYSCALL_VECTOR) this.syscallOver(event, trap, eip, ring);
      break;
    }
    if (ring === 3) process.isStale = false;
  }

  /** The running process is in a trap of which we have not seen the beginning: the kernel's frame tells of it. */
  private recover(): void {
    const { kernel, machine } = this;
    if (kernel === undefined || (kernel.userFrameWord("cs") & 3) !== 3) return;
    const vector = kernel.userFrameWord("vector");
    const trap = this.processes.current().enter(vector, kernel.userFrameWord("eip"), 3, -1);
    if (vector === SYSCALL_VECTOR) {
      // The handler's result takes EAX's place; the number is kept beside it once there is one.
      trap.number = kernel.userFrameWord("error") || kernel.userFrameWord("eax");
      ARGUMENT_NAMES.forEach((name, i) => {
        trap.args[i] = kernel.userFrameWord(name);
      });
      this.save(trap);
    } else if (vector === PAGE_FAULT) {
      trap.address = machine.cpu.r[Word.Cr2] >>> 0;
      trap.errorCode = kernel.userFrameWord("error");
      trap.pde = this.entries.pde(trap.address);
      trap.pte = this.entries.pte(trap.pde, trap.address);
    }
  }

  private faultOver(event: Readonly<MachineEvent>, trap: Trap, eip: number, ring: number): void {
    if (!this.wants(Kind.PageFaultEnd)) return;
    const { address } = trap;
    const log = this.beginAt(Kind.PageFaultEnd, event, ring, eip);
    log.word(address);
    log.word(trap.errorCode);
    log.word(trap.eip);
    log.count(trap.instret);
    log.word(outcomeOf(trap, this.entries, this.kernel, eip, ring));
    log.word(frameOf(this.entries.pte(this.entries.pde(address), address)));
    this.end(Kind.PageFaultEnd);
  }

  private syscallOver(event: Readonly<MachineEvent>, trap: Trap, eip: number, ring: number): void {
    if (!this.wants(Kind.SyscallEnd) || !trap.isSaved) return;
    const { number } = trap;
    const isSigreturn = number === Syscall.Sigreturn || number === Syscall.RtSigreturn;
    let end = CallEnd.Done;
    if (eip !== trap.eip && !trap.executed && !isSigreturn) {
      end = eip === trap.eip - INT_BYTES ? CallEnd.Restarts : CallEnd.Interrupted;
    }
    const result = trap.executed ? 0 : this.machine.cpu.r[Register.EAX];
    if (end === CallEnd.Done) saveResults(trap.memory, this.machine, number, trap.args, result);
    const log = this.beginAt(Kind.SyscallEnd, event, ring, eip);
    putCall(log, trap);
    log.count(trap.instret);
    log.word(end);
    log.word(result);
    this.end(Kind.SyscallEnd);
  }

  /** Puts what of the running process's own code led into the kernel. */
  private putOrigin(log: EventLog): void {
    const trap = this.processes.current().outermost;
    if (trap === undefined || trap.ring !== 3) putNoOrigin(log);
    else if (trap.vector === SYSCALL_VECTOR) putOrigin(log, trap.eip - INT_BYTES, trap.number);
    else putOrigin(log, trap.eip, -1);
  }

  /** The page fault that the running process is in, if the innermost thing that it is in is one. */
  private innermostFault(): Trap | undefined {
    const trap = this.processes.current().innermost;
    return trap?.vector === PAGE_FAULT ? trap : undefined;
  }

  private mark(event: Readonly<MachineEvent>, kind: number, argument: number): void {
    switch (kind) {
      case Mark.Switch:
        this.switched(event, argument);
        return;
      case Mark.Fork:
        this.forked(argument);
        this.write(Kind.Fork, event, argument);
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
        this.writeTwo(Kind.SwapOut, event, argument, this.kernel?.swapSlotOf(argument) ?? -1);
        return;
      case Mark.Panic:
        if (!this.wants(Kind.Panic)) return;
        this.begin(Kind.Panic, event);
        this.end(Kind.Panic);
        return;
      case Mark.RegionBegin:
        this.writeTwo(Kind.RegionBegin, event, argument >>> 16, argument & 0xffff);
        return;
      case Mark.RegionEnd:
        this.writeTwo(Kind.RegionEnd, event, argument >>> 16, argument & 0xffff);
        return;
      case Mark.Trace:
        this.writeTwo(Kind.TraceMark, event, argument >>> 16, argument & 0xffff);
        return;
    }
  }

  private switched(event: Readonly<MachineEvent>, pid: number): void {
    const from = this.processes.switchTo(pid);
    this.processes.current().directory = this.entries.directory;
    if (!this.wants(Kind.Switch)) return;
    const log = this.begin(Kind.Switch, event);
    log.word(from);
    if (this.kernel === undefined) log.name(0, 0, 0, 0);
    else this.kernel.putCurrentName(log);
    this.end(Kind.Switch);
  }

  /** A process has been made, with the tables that were shared for it. */
  private forked(pid: number): void {
    const child = this.processes.begin(pid);
    if (!this.wanted.sharing) return;
    child.directory = this.kernel?.directoryOf(pid) ?? -1;
    this.tables?.forked(child.directory);
  }

  private executed(event: Readonly<MachineEvent>, pid: number): void {
    const process = this.processes.of(pid);
    process.directory = this.entries.directory;
    const trap = process.outermost;
    if (trap !== undefined) trap.executed = true;
    if (!this.wants(Kind.Exec)) return;
    const log = this.begin(Kind.Exec, event);
    if (trap !== undefined && hasPath(trap)) log.firstPiece(trap.memory);
    else log.text(this.kernel?.currentName() ?? "");
    this.end(Kind.Exec);
  }

  private exited(event: Readonly<MachineEvent>, pid: number): void {
    this.processes.end(pid);
    if (this.wants(Kind.Exit)) this.write(Kind.Exit, event, this.kernel?.currentExitStatus() ?? -1);
  }

  private shared(event: Readonly<MachineEvent>, slot: number): void {
    const { directory } = this.entries;
    const table = this.kernel === undefined ? -1 : this.entries.inDirectory(directory, slot) >>> PAGE_SHIFT;
    if (this.wanted.sharing) this.tables?.share(directory, slot, table);
    if (!this.wants(Kind.Share)) return;
    const log = this.begin(Kind.Share, event);
    const after = this.usersOf(table);
    putUse(log, slot, table, after < 0 ? -1 : after - 1, after);
    this.putOrigin(log);
    this.end(Kind.Share);
  }

  private usersOf(table: number): number {
    return table < 0 ? -1 : (this.kernel?.usersOf(table) ?? -1);
  }

  private unshared(event: Readonly<MachineEvent>, slot: number, cause: number): void {
    addStep(this.innermostFault(), Outcome.Unshared);
    if (!this.wanted.sharing) return;
    const { directory } = this.entries;
    const table = this.tables?.take(directory, slot) ?? -1;
    if (!this.wants(Kind.Unshare)) return;
    const log = this.begin(Kind.Unshare, event);
    const after = this.usersOf(table);
    putUse(log, slot, table, after < 0 ? -1 : after + 1, after);
    log.word(this.kernel === undefined ? -1 : this.entries.inDirectory(directory, slot) >>> PAGE_SHIFT);
    log.word(cause);
    this.putOrigin(log);
    this.end(Kind.Unshare);
  }

  /** At exit and exec the directory that gives up its tables is not the one in CR3 any more. */
  private released(event: Readonly<MachineEvent>, slot: number): void {
    if (!this.wanted.sharing) return;
    const table = this.tables?.take(this.processes.current().directory, slot) ?? -1;
    if (!this.wants(Kind.Release)) return;
    const log = this.begin(Kind.Release, event);
    const after = this.usersOf(table);
    putUse(log, slot, table, after < 0 ? -1 : after + 1, after);
    this.putOrigin(log);
    this.end(Kind.Release);
  }

  private copied(event: Readonly<MachineEvent>, slot: number): void {
    const fault = this.innermostFault();
    addStep(fault, Outcome.Copied);
    if (!this.wants(Kind.CopyOnWrite)) return;
    const log = this.begin(Kind.CopyOnWrite, event);
    log.word(slot);
    if (fault !== undefined) {
      const { address } = fault;
      log.word(address >>> PAGE_SHIFT);
      log.word(fault.swappedIn >= 0 ? fault.swappedIn : frameOf(fault.pte));
      log.word(frameOf(this.entries.pte(this.entries.pde(address), address)));
    } else this.putForksCopy(log, slot);
    this.putOrigin(log);
    this.end(Kind.CopyOnWrite);
  }

  /** A copy that no fault asked for: fork makes one of the page under the stack pointer, for the child. The parent keeps the frame. */
  private putForksCopy(log: EventLog, slot: number): void {
    const call = this.processes.current().outermost?.number;
    const isFork = call === Syscall.Fork || call === Syscall.Vfork || call === Syscall.Clone;
    const stack = this.kernel?.userFrameWord("esp") ?? 0;
    const isKnown = isFork && stack >>> SLOT_SHIFT === slot;
    log.word(isKnown ? stack >>> PAGE_SHIFT : -1);
    log.word(isKnown ? frameOf(this.entries.pte(this.entries.pde(stack), stack)) : -1);
    log.word(-1);
  }

  private swappedIn(event: Readonly<MachineEvent>, frame: number): void {
    const fault = this.innermostFault();
    addStep(fault, Outcome.SwappedIn);
    if (fault !== undefined) fault.swappedIn = frame;
    this.writeTwo(Kind.SwapIn, event, frame, fault === undefined ? -1 : fault.address >>> PAGE_SHIFT);
  }
}

function addStep(fault: Trap | undefined, step: Outcome): void {
  if (fault !== undefined) fault.outcome = addOutcome(fault.outcome, step);
}

function putCall(log: EventLog, { number, args, memory }: Trap): void {
  log.word(number);
  for (let i = 0; i < args.length; i++) log.word(args[i]);
  log.memory(memory);
}

function putUse(log: EventLog, slot: number, table: number, before: number, after: number): void {
  log.word(slot);
  log.word(table);
  log.word(before);
  log.word(after);
}

/** Whether the path of an execve has been saved: it is the first argument. */
function hasPath({ args, memory, isSaved, number }: Trap): boolean {
  return isSaved && number === Syscall.Execve && args[0] !== 0 && memory.words[0] >= 0;
}
