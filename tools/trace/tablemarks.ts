/**
 * What the kernel's marks say of page tables and pages: shared, unshared, released, copied, swapped in; with what memory says of them at that
 * moment. May import cpu's public face, kernel/abi, eventrecords, faultoutcome, kernelview, pageentries, processes, recorder, sharedtables, traps.
 */
import type { MachineEvent } from "../../cpu/index";
import { Syscall } from "../../kernel/abi/syscalls";
import { type EventLog, Kind, putNoOrigin, putOrigin } from "./eventrecords";
import { addOutcome, Outcome } from "./faultoutcome";
import type { KernelView } from "./kernelview";
import { frameOf, type PageEntries } from "./pageentries";
import type { Processes } from "./processes";
import type { Recorder } from "./recorder";
import { SharedTables } from "./sharedtables";
import { INT_BYTES, PAGE_FAULT, SYSCALL_VECTOR, type Trap } from "./traps";

const PAGE_SHIFT = 12;
const SLOT_SHIFT = 22;

export class TableMarks {
  private readonly tables: SharedTables | undefined;

  constructor(
    private readonly recorder: Recorder,
    private readonly processes: Processes,
    private readonly entries: PageEntries,
    private readonly kernel: KernelView | undefined,
  ) {
    this.tables = kernel && new SharedTables(entries, kernel);
  }

  /** Reads anew which tables are shared. */
  readAll(): void {
    if (this.recorder.wanted.sharing) this.tables?.readAll();
  }

  /** A process has been made, with the tables that were shared for it. */
  forked(pid: number): void {
    const child = this.processes.begin(pid);
    if (!this.recorder.wanted.sharing) return;
    child.directory = this.kernel?.directoryOf(pid) ?? -1;
    this.tables?.forked(child.directory);
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

  shared(event: Readonly<MachineEvent>, slot: number): void {
    const { directory } = this.entries;
    const table = this.kernel === undefined ? -1 : this.entries.inDirectory(directory, slot) >>> PAGE_SHIFT;
    if (this.recorder.wanted.sharing) this.tables?.share(directory, slot, table);
    if (!this.recorder.wants(Kind.Share)) return;
    const log = this.recorder.begin(Kind.Share, event);
    const after = this.usersOf(table);
    putUse(log, slot, table, after < 0 ? -1 : after - 1, after);
    this.putOrigin(log);
    this.recorder.end(Kind.Share);
  }

  private usersOf(table: number): number {
    return table < 0 ? -1 : (this.kernel?.usersOf(table) ?? -1);
  }

  unshared(event: Readonly<MachineEvent>, slot: number, cause: number): void {
    addStep(this.innermostFault(), Outcome.Unshared);
    if (!this.recorder.wanted.sharing) return;
    const { directory } = this.entries;
    const table = this.tables?.take(directory, slot) ?? -1;
    if (!this.recorder.wants(Kind.Unshare)) return;
    const log = this.recorder.begin(Kind.Unshare, event);
    const after = this.usersOf(table);
    putUse(log, slot, table, after < 0 ? -1 : after + 1, after);
    log.word(this.kernel === undefined ? -1 : this.entries.inDirectory(directory, slot) >>> PAGE_SHIFT);
    log.word(cause);
    this.putOrigin(log);
    this.recorder.end(Kind.Unshare);
  }

  /** At exit and exec the directory that gives up its tables is not the one in CR3 any more. */
  released(event: Readonly<MachineEvent>, slot: number): void {
    if (!this.recorder.wanted.sharing) return;
    const table = this.tables?.take(this.processes.current().directory, slot) ?? -1;
    if (!this.recorder.wants(Kind.Release)) return;
    const log = this.recorder.begin(Kind.Release, event);
    const after = this.usersOf(table);
    putUse(log, slot, table, after < 0 ? -1 : after + 1, after);
    this.putOrigin(log);
    this.recorder.end(Kind.Release);
  }

  copied(event: Readonly<MachineEvent>, slot: number): void {
    const fault = this.innermostFault();
    addStep(fault, Outcome.Copied);
    if (!this.recorder.wants(Kind.CopyOnWrite)) return;
    const log = this.recorder.begin(Kind.CopyOnWrite, event);
    log.word(slot);
    if (fault !== undefined) {
      const { address } = fault;
      log.word(address >>> PAGE_SHIFT);
      log.word(fault.swappedIn >= 0 ? fault.swappedIn : frameOf(fault.pte));
      log.word(frameOf(this.entries.pte(this.entries.pde(address), address)));
    } else this.putForksCopy(log, slot);
    this.putOrigin(log);
    this.recorder.end(Kind.CopyOnWrite);
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

  swappedIn(event: Readonly<MachineEvent>, frame: number): void {
    const fault = this.innermostFault();
    addStep(fault, Outcome.SwappedIn);
    if (fault !== undefined) fault.swappedIn = frame;
    this.recorder.writeTwo(Kind.SwapIn, event, frame, fault === undefined ? -1 : fault.address >>> PAGE_SHIFT);
  }
}

function addStep(fault: Trap | undefined, step: Outcome): void {
  if (fault !== undefined) fault.outcome = addOutcome(fault.outcome, step);
}

function putUse(log: EventLog, slot: number, table: number, before: number, after: number): void {
  log.word(slot);
  log.word(table);
  log.word(before);
  log.word(after);
}
