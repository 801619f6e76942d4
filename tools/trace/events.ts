/**
 * Decoded events of a run: what happened, to whom, with names and numbers instead of vectors and marks. May import cpu's public
 * face, eventrecords, eventtypes, eventwriter, kernelview.
 *
 *     const events = new Events(machine, kernelLayout(kernel));
 *     const unlisten = events.on((event) => ..., ["fork", "unshare"]);
 *     machine.run(...);
 *     machine.takeOver(state);       // or History.seek: the machine is at another moment
 *     events.moved();
 *
 * All who want events of one machine share one of these. Only what somebody listens to is written down (eventwriter.ts), and read back for those
 * who listen; who wants the records themselves, to have them read by another thread, gives a log.
 *
 * Invariants: the machine runs at full speed, compiled; what is told of a moment does not depend on when one began to listen, but for calls
 * and faults that were under way then in processes other than the one that ran.
 */
import { EventKind, type Machine } from "../../cpu/index";
import type { KernelLayout } from "../image/layout";
import { EventLog, Kind, readEvent } from "./eventrecords";
import { EVENT_KINDS, type TraceEventKind, type TraceEventListener } from "./eventtypes";
import { EventWriter } from "./eventwriter";
import { KernelView } from "./kernelview";
import type { Wanted } from "./recorder";

export type { KernelLayout } from "../image/layout";
export * from "./eventtypes";

/** Kinds that need to know which traps a process is in. */
const NEED_TRAPS: readonly Kind[] = [
  Kind.PageFaultEnd,
  Kind.Syscall,
  Kind.SyscallEnd,
  Kind.Exec,
  Kind.Share,
  Kind.Unshare,
  Kind.Release,
  Kind.CopyOnWrite,
  Kind.SwapIn,
];
const NEED_SHARING: readonly Kind[] = [Kind.Unshare, Kind.Release];

/** Numbers of the kinds of a list; those that others make are left out. */
function numbersOf(kinds: readonly TraceEventKind[]): Kind[] {
  return kinds.map((kind) => (EVENT_KINDS as readonly string[]).indexOf(kind)).filter((number) => number >= 0);
}

export class Events {
  /** The kinds that each listener wants. */
  private readonly listeners = new Map<TraceEventListener, readonly Kind[]>();
  /** A new list each time that it changes: one may change while an event is told. */
  private byKind: TraceEventListener[][] = EVENT_KINDS.map(() => []);
  private logged: readonly Kind[] = [];
  private unlisten: (() => void) | undefined;
  private readonly wanted: Wanted;
  private readonly writer: EventWriter;
  /** What is read of the kernel; undefined where it is not ours. */
  readonly kernel: KernelView | undefined;

  /** `layout` is the kernel's; undefined for one that is not ours, of which only the processor's events are known. */
  constructor(
    readonly machine: Machine,
    layout: KernelLayout | undefined,
  ) {
    this.kernel = KernelView.of(machine, layout);
    this.wanted = {
      kinds: new Uint8Array(EVENT_KINDS.length),
      traps: false,
      sharing: false,
      log: new EventLog(),
      written: (kind) => this.written(kind),
    };
    this.writer = new EventWriter(machine, this.kernel, this.wanted);
    this.moved();
  }

  /** Adds a listener to events of some kinds, all unless told; the result takes it away again. It must not throw or run the machine. */
  on(listener: TraceEventListener, kinds: readonly TraceEventKind[] = EVENT_KINDS): () => void {
    this.listeners.set(listener, numbersOf(kinds));
    this.update();
    return () => {
      this.listeners.delete(listener);
      this.update();
    };
  }

  /** From now on the records of some kinds, and of those that somebody listens to, go to a log. */
  logTo(log: EventLog, kinds: readonly TraceEventKind[]): void {
    this.wanted.log = log;
    this.logged = numbersOf(kinds);
    this.update();
  }

  /** The process that runs: 0 the kernel's own task, -1 not known. */
  get pid(): number {
    return this.writer.processes.current().pid;
  }

  /** To be called when the machine has been taken to another moment: what was remembered is read anew from its memory. */
  moved(): void {
    this.writer.moved();
  }

  private written(kind: Kind): void {
    const listeners = this.byKind[kind];
    if (listeners.length === 0) return;
    const { log } = this.wanted;
    const event = readEvent(log.words, log.start);
    for (const listener of listeners) listener(event);
  }

  private update(): void {
    this.unlisten?.();
    this.unlisten = undefined;
    const { wanted } = this;
    const { kinds } = wanted;
    const followed = kinds.includes(1);
    kinds.fill(0);
    this.byKind = EVENT_KINDS.map(() => []);
    for (const kind of this.logged) kinds[kind] = 1;
    for (const [listener, its] of this.listeners) {
      for (const kind of its) {
        kinds[kind] = 1;
        this.byKind[kind].push(listener);
      }
    }
    const wants = (kind: Kind) => kinds[kind] !== 0;
    const traps = NEED_TRAPS.some(wants);
    const sharing = NEED_SHARING.some(wants);
    const grew = (traps && !wanted.traps) || (sharing && !wanted.sharing);
    wanted.traps = traps;
    wanted.sharing = sharing;
    if (!kinds.includes(1)) return;
    // What went by while nobody wanted to know of it.
    if (!followed || grew) this.moved();
    const heard = [EventKind.Mark];
    const also = (kind: EventKind, when: boolean) => when && heard.push(kind);
    also(EventKind.PageFault, traps || wants(Kind.PageFault));
    also(EventKind.TrapEntry, traps || wants(Kind.Irq) || wants(Kind.Exception));
    also(EventKind.Iret, traps);
    also(EventKind.Cr3Load, wants(Kind.Cr3));
    also(EventKind.TlbFlush, wants(Kind.TlbFlush));
    also(EventKind.Invlpg, wants(Kind.Invlpg));
    also(EventKind.Exit, wants(Kind.End));
    this.unlisten = this.machine.onEvent((event) => this.writer.hear(event), heard);
  }
}
