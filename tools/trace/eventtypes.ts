/**
 * What can be heard of a run, decoded: one type for each kind of event. Types, and the names of the kinds in one list. May import
 * nothing. events.ts makes them.
 */

/** What every event has. One object is made for each event: it may be kept. */
export interface EventBase {
  /** Instructions retired before it, and the cycles until it. */
  instret: number;
  cycles: number;
  /** The process that runs; 0 is the kernel's own task, -1 is not known. */
  pid: number;
  /** Privilege level of the code at `eip`. */
  ring: number;
  /** An address in the instruction that it happens at; of an interrupt, that of the instruction which waits. */
  eip: number;
}

/** Why a process entered the kernel: what of its own code led to an event. */
export interface Origin {
  /** The user instruction that faulted or made the system call. */
  eip: number;
  /** Name of the system call; undefined: a fault. */
  syscall: string | undefined;
}

/** What a page fault came to, in the order in which the kernel does it. */
export type FaultOutcome =
  /** The process got its own copy of a shared table. */
  | "unshared"
  /** The last user of a table got its pde writable again: no copy. */
  | "table made writable"
  | "swapped in"
  /** A page of zeros was mapped; one of a file or of a shared object; one with a program's bytes. */
  | "mapped zero"
  | "mapped object"
  | "mapped file"
  | "copied"
  /** Nobody else has the page: its pte got W. */
  | "page made writable"
  /** The tables allowed it already: the TLB had not heard of it. */
  | "spurious"
  /** The kernel's own access to user memory goes on at its fixup: -EFAULT. */
  | "fixup"
  /** The access was not allowed, or there was no memory: a signal. */
  | "signal"
  /** It waited for the disk and is tried again. */
  | "waited";

export interface PageFaultEvent extends EventBase {
  kind: "pageFault";
  address: number;
  errorCode: number;
}

/** The kernel goes back from a page fault; `ring` and `eip` are where the process goes on. */
export interface PageFaultEndEvent extends EventBase {
  kind: "pageFaultEnd";
  address: number;
  errorCode: number;
  /** Instruction that faulted, and when. */
  faultEip: number;
  faultInstret: number;
  outcome: FaultOutcome[];
  /** Frame of the page that the address leads to now; -1 for none. */
  frame: number;
}

export interface Cr3Event extends EventBase {
  kind: "cr3";
  value: number;
}

export interface TlbFlushEvent extends EventBase {
  kind: "tlbFlush";
  /** Global entries too. */
  global: boolean;
}

export interface InvlpgEvent extends EventBase {
  kind: "invlpg";
  address: number;
}

/** A device's interrupt. */
export interface IrqEvent extends EventBase {
  kind: "irq";
  vector: number;
  /** Line of the PIC, where the kernel is ours. */
  line: number;
}

/** A trap that is neither a page fault nor a device's interrupt nor a system call. */
export interface ExceptionEvent extends EventBase {
  kind: "exception";
  vector: number;
  /** -1 for none. */
  errorCode: number;
  /** Of an invalid opcode, what is wrong with it, where the instruction has been seen; else "". */
  why: string;
}

export interface SyscallEvent extends EventBase {
  kind: "syscall";
  number: number;
  name: string;
  /** As strace prints it: `write(1, "hi\n", 3)`. What the call is to fill in is an address yet. */
  text: string;
}

/** A system call is over; `ring` and `eip` are where the process goes on. */
export interface SyscallEndEvent extends EventBase {
  kind: "syscallEnd";
  number: number;
  name: string;
  /** The whole line, with what the call filled in: `read(0, "hi\n", 64) = 3`. */
  text: string;
  /** What the program gets in EAX, signed; undefined where a signal handler runs first. */
  result: number | undefined;
  /** instret of its `syscall`. */
  beganAt: number;
}

/** Another process goes on: `pid` is that one. */
export interface SwitchEvent extends EventBase {
  kind: "switch";
  from: number;
  /** Its name, where it is known. */
  name: string;
}

export interface ForkEvent extends EventBase {
  kind: "fork";
  child: number;
}

export interface ExecEvent extends EventBase {
  kind: "exec";
  /** As the system call gave it; where the kernel did it itself, the last component. */
  path: string;
}

export interface ExitEvent extends EventBase {
  kind: "exit";
  /** Status word as wait gives it; -1 where it is not known. */
  status: number;
}

/** Numbers of frames are physical addresses >> 12; -1 where they are not known. `before` and `after` are users of the table. */
interface TableEvent extends EventBase {
  slot: number;
  table: number;
  before: number;
  after: number;
  /** What of the process's own code led to it. */
  origin: Origin | undefined;
}

/** fork has made one more directory use a table. */
export interface ShareEvent extends TableEvent {
  kind: "share";
}

/** The process has got `newTable`, its own copy, instead of `table`. */
export interface UnshareEvent extends TableEvent {
  kind: "unshare";
  newTable: number;
  cause: string;
}

/** The process gave up its use of a table that others go on using. */
export interface ReleaseEvent extends TableEvent {
  kind: "release";
}

export interface CopyOnWriteEvent extends EventBase {
  kind: "copyOnWrite";
  slot: number;
  /** First address of the page; -1 where no fault tells it. */
  page: number;
  /** Frame that was shared, and the process's own copy. */
  from: number;
  to: number;
  origin: Origin | undefined;
}

/** Reclaim has taken a page out of all tables that mapped it. */
export interface SwapOutEvent extends EventBase {
  kind: "swapOut";
  frame: number;
  /** Where it goes; -1: it is no private page, and has its place in a file or a shared object. */
  swapSlot: number;
}

export interface SwapInEvent extends EventBase {
  kind: "swapIn";
  frame: number;
  /** First address of the page; -1 where no fault tells it. */
  page: number;
}

export interface PanicEvent extends EventBase {
  kind: "panic";
}

/** Region of a measurement, as the guest names it. */
interface RegionEvent extends EventBase {
  id: number;
  tag: number;
}
export interface RegionBeginEvent extends RegionEvent {
  kind: "regionBegin";
}
export interface RegionEndEvent extends RegionEvent {
  kind: "regionEnd";
}

/** The guest speaks to whoever traces it: kernel/abi/marks.ts, TraceControl. */
export interface TraceMarkEvent extends EventBase {
  kind: "traceMark";
  control: number;
  value: number;
}

/** The guest ends the run. */
export interface EndEvent extends EventBase {
  kind: "end";
  value: number;
}

/** Frames allocated and freed: only from whoever sees every instruction (frames.ts). */
export interface FrameEvent extends EventBase {
  kind: "frameAlloc" | "frameFree";
  /** First frame; 0: there was none. */
  frame: number;
  /** log2 of the number of frames. */
  order: number;
  /** What for, by the kernel's name. */
  use: string;
  /** Return address of the call. */
  caller: number;
}

/** A word that is watched has been written: only from whoever sees every instruction. */
export interface WatchEvent extends EventBase {
  kind: "watch";
  /** As it is watched: linear, or physical. */
  address: number;
  physical: number;
  old: number;
  now: number;
}

export type TraceEvent =
  | PageFaultEvent
  | PageFaultEndEvent
  | Cr3Event
  | TlbFlushEvent
  | InvlpgEvent
  | IrqEvent
  | ExceptionEvent
  | SyscallEvent
  | SyscallEndEvent
  | SwitchEvent
  | ForkEvent
  | ExecEvent
  | ExitEvent
  | ShareEvent
  | UnshareEvent
  | ReleaseEvent
  | CopyOnWriteEvent
  | SwapOutEvent
  | SwapInEvent
  | PanicEvent
  | RegionBeginEvent
  | RegionEndEvent
  | TraceMarkEvent
  | EndEvent
  | FrameEvent
  | WatchEvent;

export type TraceEventKind = TraceEvent["kind"];

/** All kinds that events.ts makes; the others come from whoever sees every instruction. */
export const EVENT_KINDS = [
  "pageFault",
  "pageFaultEnd",
  "cr3",
  "tlbFlush",
  "invlpg",
  "irq",
  "exception",
  "syscall",
  "syscallEnd",
  "switch",
  "fork",
  "exec",
  "exit",
  "share",
  "unshare",
  "release",
  "copyOnWrite",
  "swapOut",
  "swapIn",
  "panic",
  "regionBegin",
  "regionEnd",
  "traceMark",
  "end",
] as const satisfies readonly TraceEventKind[];

export type TraceEventListener = (event: TraceEvent) => void;
