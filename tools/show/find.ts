/**
 * Finds a moment of a run, and the same moment of another run of the same program under another fork strategy. May import moments,
 * snapshot, target, tools/trace, cpu's public face.
 */
import { EventKind, type Machine, type StopReason } from "../../cpu/index";
import type { KernelLayout } from "../image/layout";
import { Events, type TraceEvent } from "../trace/events";
import type { EventSpec } from "../trace/eventspec";
import { type Drive, type Moment, MomentWatch, momentText, type Position } from "./moments";
import { type Snapshot, SnapshotReader } from "./snapshot";
import type { Target } from "./target";

/** A moment that was found, and memory then. */
export interface Found {
  snapshot: Snapshot;
  /** What happened then. */
  text: string;
  position: Position;
}

/** The run had no such moment. */
export interface NotFound {
  /** How the run ended. */
  stop: StopReason;
  instret: number;
}

const USER_RING = 3;
const INIT_PID = 1;

/**
 * Runs a machine up to a target. An event's moment is the return to user mode that follows it. Throws
 * LayoutError for a kernel that is not ours, SnapshotError for a moment at which there is nothing to see.
 */
export async function findMoment(
  machine: Machine,
  layout: KernelLayout,
  target: Target,
  drive: Drive,
): Promise<Found | NotFound> {
  const reader = new SnapshotReader(machine, layout);
  let last: Moment | undefined;
  const watch = new MomentWatch(machine, layout, (moment) => {
    last = moment;
  });
  const found = (text: string): Found => ({ snapshot: reader.take(), text, position: { ...watch.position } });
  const event = target.kind === "event" ? new EventWatch(machine, layout, target.spec) : undefined;
  const stop = await drive(target.kind === "instret" ? target.instret : undefined);
  watch.stop();
  event?.stop();
  if (event?.isFound && target.kind === "event") return found(event.isIn(last) ? momentText(last!) : target.text);
  if (target.kind === "instret" && machine.instret >= target.instret) {
    return found(machine.registers.cpl === USER_RING ? "in user mode" : "in the kernel");
  }
  // A machine that sleeps for good ends so too.
  if (target.kind === "end" && stop.reason !== "budget") return found("the run ends");
  return { stop, instret: machine.instret };
}

/** Stops a machine at the first return to user mode after an event of the program's; after a panic, at once. */
class EventWatch {
  /** It has happened, and the machine has been stopped. */
  isFound = false;
  private programRuns = false;
  private event: TraceEvent | undefined;
  private readonly unlisten: (() => void)[];

  constructor(
    private readonly machine: Machine,
    layout: KernelLayout,
    private readonly spec: EventSpec,
  ) {
    this.unlisten = [
      new Events(machine, layout).on((event) => this.hear(event), ["exec", "panic", spec.kind]),
      machine.onEvent(({ b }) => b === USER_RING && this.settle(), [EventKind.Iret]),
    ];
  }

  stop(): void {
    for (const end of this.unlisten) end();
  }

  /** Whether the event is one of those that make a moment. */
  isIn(moment: Moment | undefined): boolean {
    const { event } = this;
    return moment?.events.some(({ kind, instret }) => kind === event?.kind && instret === event.instret) ?? false;
  }

  private hear(event: TraceEvent): void {
    if (event.kind === "exec" && event.pid > INIT_PID) this.programRuns = true;
    if (this.event !== undefined || event.kind !== this.spec.kind) return;
    if (!this.programRuns && event.kind !== "panic") return;
    if (!this.spec.matches(event)) return;
    this.event = event;
    if (event.kind === "panic") this.settle();
  }

  private settle(): void {
    if (this.event === undefined || this.isFound) return;
    this.isFound = true;
    this.machine.cpu.requestStop();
  }
}

/** Runs a machine to the moment that is as far as `position`: the last one there with as many copies of pages, or less. */
export async function correspondingMoment(
  machine: Machine,
  layout: KernelLayout,
  position: Position,
  drive: Drive,
): Promise<Found> {
  const reader = new SnapshotReader(machine, layout);
  let found: Found | undefined;
  let watch: MomentWatch | undefined;
  const note = (moment: Moment): void => {
    found = { snapshot: reader.take(), text: momentText(moment), position: { ...watch!.position } };
  };
  watch = new MomentWatch(machine, layout, (moment) => {
    const { lives, copies } = watch!.position;
    if (lives > position.lives || (lives === position.lives && copies > position.copies)) machine.cpu.requestStop();
    else if (lives === position.lives) note(moment);
  });
  await drive();
  watch.stop();
  return found ?? { snapshot: reader.take(), text: "the run ends", position: { ...watch.position } };
}
