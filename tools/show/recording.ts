/**
 * A run as a sequence of moments: what happened, and memory then. For the page and for Perfetto. May import delta, moments, snapshot,
 * words, cpu's public face.
 */
import type { Machine, StopReason } from "../../cpu/index";
import type { KernelLayout } from "../image/layout";
import { type Delta, DeltaWriter } from "./delta";
import { eventText, type Moment, MomentWatch, momentText } from "./moments";
import { type Snapshot, SnapshotError, SnapshotReader } from "./snapshot";
import { totalsOf } from "./words";

export const RECORDING_VERSION = 1;

/** What happened to a process. */
export interface Happening {
  kind: string;
  pid: number;
  text: string;
}

export interface Step extends Delta {
  text: string;
  happenings: Happening[];
  /** Frames that are page tables; those of them with several users. */
  tableCount: number;
  sharedCount: number;
}

/** A run, fit for JSON. */
export interface Recording {
  version: typeof RECORDING_VERSION;
  title: string;
  fork: string;
  /** Names of kinds of frames, by index. */
  kinds: string[];
  steps: Step[];
  /** Moments that were left out because there were too many. */
  leftOut: number;
}

/** Moments of a page. More would make it slow, and nobody looks at them all. */
export const MOST_STEPS = 2000;

/** Runs a machine and tells of each moment with memory then. Throws LayoutError for a kernel that is not ours. */
export function watchSnapshots(
  machine: Machine,
  layout: KernelLayout,
  budget: number,
  listener: (moment: Moment, snapshot: Snapshot) => void,
): StopReason {
  const reader = new SnapshotReader(machine, layout);
  const watch = new MomentWatch(machine, layout, (moment) => {
    try {
      listener(moment, reader.take());
    } catch (error) {
      // A kernel that has panicked may leave nothing to see.
      if (!(error instanceof SnapshotError)) throw error;
    }
  });
  try {
    return machine.run({ maxInstructions: budget });
  } finally {
    watch.stop();
  }
}

/** Records a machine's run. */
export function record(
  machine: Machine,
  layout: KernelLayout,
  { budget, title, fork, mostSteps = MOST_STEPS }: { budget: number; title: string; fork: string; mostSteps?: number },
): { recording: Recording; stop: StopReason } {
  const writer = new DeltaWriter();
  const steps: Step[] = [];
  let waiting: Happening[] = [];
  let leftOut = 0;
  const stop = watchSnapshots(machine, layout, budget, (moment, snapshot) => {
    const happenings = moment.events.map((event) => ({ kind: event.kind, pid: event.pid, text: eventText(event) }));
    const ends = moment.events.some(({ kind }) => kind === "end" || kind === "panic");
    if (steps.length >= mostSteps - 1 && !ends) {
      // What happened is still told, at the next moment that is kept.
      if (waiting.length < MOST_STEPS) waiting.push(...happenings);
      leftOut++;
      return;
    }
    const { tables, shared } = totalsOf(snapshot);
    steps.push({
      ...writer.add(snapshot),
      text: momentText(moment),
      happenings: [...waiting, ...happenings],
      tableCount: tables,
      sharedCount: shared,
    });
    waiting = [];
  });
  return { recording: { version: RECORDING_VERSION, title, fork, kinds: writer.kinds, steps, leftOut }, stop };
}
