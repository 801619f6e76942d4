/**
 * Who hears of a machine's events. May import contract, cpu.
 *
 * Invariant: the processor tells of its events only while somebody wants one of them, so that marks alone cost no speed.
 */
import { EventKind, type EventListener, type MachineEvent } from "./contract";
import type { Cpu } from "./cpu";

const PROCESSOR_EVENTS: readonly EventKind[] = [
  EventKind.TrapEntry,
  EventKind.Iret,
  EventKind.Cr3Load,
  EventKind.TlbFlush,
  EventKind.Invlpg,
  EventKind.PageFault,
];
/** In the order of their numbers. */
const ALL_EVENTS: readonly EventKind[] = [...PROCESSOR_EVENTS, EventKind.Mark, EventKind.Exit];

export class Listeners {
  private readonly kindsOf = new Map<EventListener, ReadonlySet<EventKind>>();
  /** By EventKind. New lists each time that they change: they may while an event is told. */
  private heardBy: EventListener[][] = ALL_EVENTS.map(() => []);
  private readonly event: MachineEvent = { kind: EventKind.Mark, instret: 0, cycles: 0, a: 0, b: 0 };

  constructor(private readonly cpu: Cpu) {}

  /** Adds a listener; the result takes it away again. */
  add(listener: EventListener, kinds: readonly EventKind[] = ALL_EVENTS): () => void {
    this.kindsOf.set(listener, new Set(kinds));
    this.update();
    return () => {
      this.kindsOf.delete(listener);
      this.update();
    };
  }

  private update(): void {
    this.heardBy = ALL_EVENTS.map((kind) =>
      [...this.kindsOf].filter(([, kinds]) => kinds.has(kind)).map(([listener]) => listener),
    );
    const wanted = PROCESSOR_EVENTS.some((kind) => this.heardBy[kind].length > 0);
    this.cpu.listener = wanted ? (kind, a, b) => this.emit(kind as number as EventKind, a, b) : null;
  }

  /** Tells of an event that happens now. */
  emit(kind: EventKind, a: number, b: number): void {
    const listeners = this.heardBy[kind];
    if (listeners.length === 0) return;
    const { event } = this;
    event.kind = kind;
    event.instret = this.cpu.instret;
    event.cycles = this.cpu.cycles;
    event.a = a;
    event.b = b;
    for (const listener of listeners) listener(event);
  }
}
