/**
 * The moments of a run at which memory has changed hands: forks, shared and unshared tables, copies on write, exits. May import cpu's
 * public face, tools/trace.
 *
 * What the kernel does between two returns to user mode is one moment, told at the end of it, where memory is in order again; only a
 * panic and the end of the run are told at once.
 */
import { EventKind, type Machine, type StopReason } from "../../cpu/index";
import type { KernelLayout } from "../image/layout";
import { Events, type TraceEvent, type TraceEventKind } from "../trace/events";
import { hex } from "./words";

/** Kinds of events that make a moment, in the order in which they are told. */
const KINDS = [
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
  "end",
] as const satisfies readonly TraceEventKind[];
type MomentKind = (typeof KINDS)[number];

export type MomentEvent = Extract<TraceEvent, { kind: MomentKind }>;

const USER_RING = 3;

/** Runs a machine on, until as many instructions have retired if a number is given, and says why it stopped. */
export type Drive = (most?: number) => Promise<StopReason>;

export interface Moment {
  instret: number;
  cycles: number;
  /** What happened since the last moment, in order. */
  events: MomentEvent[];
}

/** How far a run has come, whatever its fork strategy: births, ends and new programs, and copies of pages since the last of these. */
export interface Position {
  lives: number;
  copies: number;
}

/**
 * Tells of every moment of a machine, from now on. `listener` is called with the machine at the moment, and may stop it
 * (Cpu.requestStop).
 */
export class MomentWatch {
  readonly position: Position = { lives: 0, copies: 0 };
  private waiting: MomentEvent[] = [];
  private readonly unlisten: (() => void)[];

  constructor(
    private readonly machine: Machine,
    layout: KernelLayout,
    private readonly listener: (moment: Moment) => void,
  ) {
    const hear = (event: TraceEvent) => this.hear(event as MomentEvent);
    this.unlisten = [
      new Events(machine, layout).on(hear, KINDS),
      machine.onEvent(({ b }) => b === USER_RING && this.tell(), [EventKind.Iret]),
    ];
  }

  /** Ends listening. */
  stop(): void {
    for (const end of this.unlisten) end();
  }

  private hear(event: MomentEvent): void {
    const { kind } = event;
    if (kind === "fork" || kind === "exec" || kind === "exit") {
      this.position.lives++;
      this.position.copies = 0;
    } else if (kind === "copyOnWrite") this.position.copies++;
    this.waiting.push(event);
    if (kind === "panic" || kind === "end") this.tell();
  }

  private tell(): void {
    if (this.waiting.length === 0) return;
    const { instret, cycles } = this.machine;
    const events = this.waiting;
    this.waiting = [];
    this.listener({ instret, cycles, events });
  }
}

/** What an event says, in a few words. */
export function eventText(event: MomentEvent): string {
  const who = `pid ${event.pid}`;
  switch (event.kind) {
    case "fork":
      return `${who} forks pid ${event.child}`;
    case "share":
      return `${who} shares ${slotText(event.slot)}`;
    case "unshare":
      return `${who} unshares ${slotText(event.slot)} (${event.cause})`;
    case "release":
      return `${who} releases ${slotText(event.slot)}`;
    case "exec":
      return `${who} executes ${event.path}`;
    case "exit":
      return `${who} exits`;
    case "copyOnWrite":
      return `${who} copies a page${event.page < 0 ? "" : ` at ${hex(event.page)}`}`;
    case "swapOut":
      return `frame ${hex(event.frame)} is evicted`;
    case "swapIn":
      return `${who} gets frame ${hex(event.frame)} from swap`;
    case "panic":
      return "the kernel panics";
    case "end":
      return "the run ends";
  }
}

function slotText(slot: number): string {
  return `slot ${slot}`;
}

/** Kinds of which a moment may have many: they are counted. */
const PLURALS: Partial<Record<MomentKind, string>> = {
  share: "tables shared",
  release: "tables released",
  unshare: "tables unshared",
  copyOnWrite: "pages copied",
  swapOut: "frames evicted",
  swapIn: "frames from swap",
};

/** What a moment says: `pid 2 forks pid 3, 4 tables shared`. */
export function momentText({ events }: Pick<Moment, "events">): string {
  return KINDS.flatMap((kind) => {
    const list = events.filter((event) => event.kind === kind);
    const plural = PLURALS[kind];
    return plural !== undefined && list.length > 1 ? [`${list.length} ${plural}`] : list.map(eventText);
  }).join(", ");
}
