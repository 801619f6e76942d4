/**
 * Hears a machine and writes down what happens, as records (eventrecords.ts). May import cpu's public face and registers, kernel/abi,
 * callmemory, eventrecords, kernelview, pageentries, processes, recorder, tablemarks, traps.
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
import { CallEnd, type EventLog, Kind } from "./eventrecords";
import type { KernelView } from "./kernelview";
import { frameOf, PageEntries } from "./pageentries";
import { Processes } from "./processes";
import { Recorder, type Wanted } from "./recorder";
import { TableMarks } from "./tablemarks";
import { INT_BYTES, outcomeOf, PAGE_FAULT, SYSCALL_VECTOR, type Trap } from "./traps";

const SS = 2;
const FIRST_IRQ = 32;
const IRQ_LINES = 16;
const ARGUMENT_MASK = 0xffffff;
const SLOT_MASK = 0x3ff;
const CAUSE_SHIFT = 10;
const ARGUMENT_NAMES = ["ebx", "ecx", "edx", "esi", "edi", "ebp"];

export class EventWriter {
  readonly processes: Processes;
  private readonly entries: PageEntries;
  private readonly recorder: Recorder;
  private readonly marks: TableMarks;
  /** The running process is in a trap that has not been recovered yet: its frame was not whole. */
  private isBehind = false;

  constructor(
    private readonly machine: Machine,
    private readonly kernel: KernelView | undefined,
    wanted: Wanted,
  ) {
    this.processes = new Processes(kernel);
    this.entries = new PageEntries(machine);
    this.recorder = new Recorder(machine, this.processes, wanted);
    this.marks = new TableMarks(this.recorder, this.processes, this.entries, kernel);
  }

  /** The machine is at another moment, or more is wanted than before: what was remembered is read anew from its memory. */
  moved(): void {
    this.processes.readAll();
    this.marks.readAll();
    this.isBehind = this.kernel !== undefined && this.machine.cpu.cpl !== 3;
    this.catchUp();
    // If it sleeps before anything is heard of it, its call is recovered when it goes back.
    if (this.isBehind) this.processes.current().isStale = true;
  }

  private catchUp(): void {
    if (!this.kernel?.hasUserFrame(this.machine.cpu.r[Register.ESP] >>> 0)) return;
    this.isBehind = false;
    this.recover();
  }

  hear(event: Readonly<MachineEvent>): void {
    if (this.isBehind) this.catchUp();
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
        this.recorder.write(Kind.Cr3, event, a);
        return;
      case EventKind.TlbFlush:
        this.recorder.write(Kind.TlbFlush, event, a);
        return;
      case EventKind.Invlpg:
        this.recorder.write(Kind.Invlpg, event, a);
        return;
      case EventKind.Exit:
        this.recorder.write(Kind.End, event, a);
        return;
    }
  }

  private pageFault(event: Readonly<MachineEvent>, address: number, errorCode: number): void {
    const { r } = this.machine.cpu;
    const eip = r[Word.Eip] >>> 0;
    const ring = r[Word.Cpl];
    if (this.recorder.wanted.traps) {
      const trap = this.processes.current().enter(PAGE_FAULT, eip, ring, event.instret);
      trap.address = address;
      trap.errorCode = errorCode;
      trap.pde = this.entries.pde(address);
      trap.pte = this.entries.pte(trap.pde, address);
    }
    if (!this.recorder.wants(Kind.PageFault)) return;
    const log = this.recorder.beginAt(Kind.PageFault, event, ring, eip);
    log.word(address);
    log.word(errorCode);
    this.recorder.end(Kind.PageFault);
  }

  /** A handler has been entered: its stack holds what was interrupted. */
  private trap(event: Readonly<MachineEvent>, vector: number, errorCode: number): void {
    const { r } = this.machine.cpu;
    const top = r[Word.Base + SS] + r[Register.ESP] + (errorCode >= 0 ? 4 : 0);
    const eip = this.entries.linear(top);
    const ring = this.entries.linear(top + 4) & 3;
    const trap = this.recorder.wanted.traps
      ? this.processes.current().enter(vector, eip, ring, event.instret)
      : undefined;
    if (vector === SYSCALL_VECTOR) {
      if (trap !== undefined) this.syscall(event, trap);
    } else if (vector >= FIRST_IRQ && vector < FIRST_IRQ + IRQ_LINES) {
      if (!this.recorder.wants(Kind.Irq)) return;
      const log = this.recorder.beginAt(Kind.Irq, event, ring, eip);
      log.word(vector);
      log.word(this.kernel === undefined ? -1 : vector - FIRST_IRQ);
      this.recorder.end(Kind.Irq);
    } else if (this.recorder.wants(Kind.Exception)) {
      const log = this.recorder.beginAt(Kind.Exception, event, ring, eip);
      log.word(vector);
      log.word(errorCode);
      this.recorder.end(Kind.Exception);
    }
  }

  private syscall(event: Readonly<MachineEvent>, trap: Trap): void {
    const { r } = this.machine.cpu;
    trap.number = r[Register.EAX];
    for (let i = 0; i < ARGUMENT_REGISTERS.length; i++) trap.args[i] = r[ARGUMENT_REGISTERS[i]];
    this.save(trap);
    if (!this.recorder.wants(Kind.Syscall)) return;
    putCall(this.recorder.beginAt(Kind.Syscall, event, trap.ring, trap.eip - INT_BYTES), trap);
    this.recorder.end(Kind.Syscall);
  }

  /** Keeps what a call's arguments lead to, if somebody will want to know. */
  private save(trap: Trap): void {
    const isExec = trap.number === Syscall.Execve && this.recorder.wants(Kind.Exec);
    if (!this.recorder.wants(Kind.Syscall) && !this.recorder.wants(Kind.SyscallEnd) && !isExec) return;
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
    if (!this.recorder.wants(Kind.PageFaultEnd)) return;
    const { address } = trap;
    const log = this.recorder.beginAt(Kind.PageFaultEnd, event, ring, eip);
    log.word(address);
    log.word(trap.errorCode);
    log.word(trap.eip);
    log.count(trap.instret);
    log.word(outcomeOf(trap, this.entries, this.kernel, eip, ring));
    log.word(frameOf(this.entries.pte(this.entries.pde(address), address)));
    this.recorder.end(Kind.PageFaultEnd);
  }

  private syscallOver(event: Readonly<MachineEvent>, trap: Trap, eip: number, ring: number): void {
    if (!this.recorder.wants(Kind.SyscallEnd) || !trap.isSaved) return;
    const { number } = trap;
    const isSigreturn = number === Syscall.Sigreturn || number === Syscall.RtSigreturn;
    let end = CallEnd.Done;
    if (eip !== trap.eip && !trap.executed && !isSigreturn) {
      end = eip === trap.eip - INT_BYTES ? CallEnd.Restarts : CallEnd.Interrupted;
    }
    const result = trap.executed ? 0 : this.machine.cpu.r[Register.EAX];
    if (end === CallEnd.Done) saveResults(trap.memory, this.machine, number, trap.args, result);
    const log = this.recorder.beginAt(Kind.SyscallEnd, event, ring, eip);
    putCall(log, trap);
    log.count(trap.instret);
    log.word(end);
    log.word(result);
    this.recorder.end(Kind.SyscallEnd);
  }

  private mark(event: Readonly<MachineEvent>, kind: number, argument: number): void {
    switch (kind) {
      case Mark.Switch:
        this.switched(event, argument);
        return;
      case Mark.Fork:
        this.marks.forked(argument);
        this.recorder.write(Kind.Fork, event, argument);
        return;
      case Mark.Exec:
        this.executed(event, argument);
        return;
      case Mark.TaskExit:
        this.exited(event, argument);
        return;
      case Mark.Share:
        this.marks.shared(event, argument);
        return;
      case Mark.Unshare:
        this.marks.unshared(event, argument & SLOT_MASK, argument >>> CAUSE_SHIFT);
        return;
      case Mark.Release:
        this.marks.released(event, argument);
        return;
      case Mark.CopyOnWrite:
        this.marks.copied(event, argument);
        return;
      case Mark.SwapIn:
        this.marks.swappedIn(event, argument);
        return;
      case Mark.UnmapEnd:
        this.recorder.writeTwo(Kind.SwapOut, event, argument, this.kernel?.swapSlotOf(argument) ?? -1);
        return;
      case Mark.Panic:
        if (!this.recorder.wants(Kind.Panic)) return;
        this.recorder.begin(Kind.Panic, event);
        this.recorder.end(Kind.Panic);
        return;
      case Mark.RegionBegin:
        this.recorder.writeTwo(Kind.RegionBegin, event, argument >>> 16, argument & 0xffff);
        return;
      case Mark.RegionEnd:
        this.recorder.writeTwo(Kind.RegionEnd, event, argument >>> 16, argument & 0xffff);
        return;
      case Mark.Trace:
        this.recorder.writeTwo(Kind.TraceMark, event, argument >>> 16, argument & 0xffff);
        return;
    }
  }

  private switched(event: Readonly<MachineEvent>, pid: number): void {
    const from = this.processes.switchTo(pid);
    this.processes.current().directory = this.entries.directory;
    if (!this.recorder.wants(Kind.Switch)) return;
    const log = this.recorder.begin(Kind.Switch, event);
    log.word(from);
    if (this.kernel === undefined) log.name(0, 0, 0, 0);
    else this.kernel.putCurrentName(log);
    this.recorder.end(Kind.Switch);
  }

  private executed(event: Readonly<MachineEvent>, pid: number): void {
    const process = this.processes.of(pid);
    process.directory = this.entries.directory;
    const trap = process.outermost;
    if (trap !== undefined) trap.executed = true;
    if (!this.recorder.wants(Kind.Exec)) return;
    const log = this.recorder.begin(Kind.Exec, event);
    if (trap !== undefined && hasPath(trap)) log.firstPiece(trap.memory);
    else log.text(this.kernel?.currentName() ?? "");
    this.recorder.end(Kind.Exec);
  }

  private exited(event: Readonly<MachineEvent>, pid: number): void {
    this.processes.end(pid);
    if (this.recorder.wants(Kind.Exit)) this.recorder.write(Kind.Exit, event, this.kernel?.currentExitStatus() ?? -1);
  }
}

function putCall(log: EventLog, { number, args, memory }: Trap): void {
  log.word(number);
  for (let i = 0; i < args.length; i++) log.word(args[i]);
  log.memory(memory);
}

/** Whether the path of an execve has been saved: it is the first argument. */
function hasPath({ args, memory, isSaved, number }: Trap): boolean {
  return isSaved && number === Syscall.Execve && args[0] !== 0 && memory.words[0] >= 0;
}
