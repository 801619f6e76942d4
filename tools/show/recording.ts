/**
 * A run as a sequence of moments: what happened, and memory then. For the page and for Perfetto. May import delta, moments, snapshot,
 * words, cpu's public face.
 */
import type { Machine, StopReason } from "../../cpu/index";
import type { KernelLayout } from "../image/layout";
import { type Delta, DeltaWriter } from "./delta";
import { type Drive, eventText, type Moment, MomentWatch, momentText } from "./moments";
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
  /** Moments that it stands for; memory is as after the last of them. */
  moments: number;
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
}

/** Steps of a page. More would make it slow: where a run has more moments, a step stands for several. */
export const MOST_STEPS = 2000;

/** Two steps as one: a difference after another is a difference. */
function joined(one: Step, two: Step): Step {
  return {
    ...two,
    moments: one.moments + two.moments,
    happenings: [...one.happenings, ...two.happenings],
    processes: [...one.processes, ...two.processes],
    tables: [...one.tables, ...two.tables],
    frames: [...one.frames, ...two.frames],
  };
}

/** Steps in the order of the run, at most so many: whenever they are full, each two become one. */
class Steps {
  all: Step[] = [];
  private spacing = 1;

  constructor(private readonly most: number) {}

  add(step: Step): void {
    const last = this.all.at(-1);
    if (last !== undefined && last.moments < this.spacing) {
      this.all[this.all.length - 1] = joined(last, step);
      return;
    }
    this.all.push(step);
    if (this.all.length <= this.most) return;
    this.spacing *= 2;
    const pairs: Step[] = [];
    for (let i = 0; i < this.all.length; i += 2) {
      const second = this.all[i + 1];
      pairs.push(second === undefined ? this.all[i] : joined(this.all[i], second));
    }
    this.all = pairs;
  }
}

/** Runs a machine and tells of each moment with memory then. Throws LayoutError for a kernel that is not ours. */
export async function watchSnapshots(
  machine: Machine,
  layout: KernelLayout,
  drive: Drive,
  listener: (moment: Moment, snapshot: Snapshot) => void,
): Promise<StopReason> {
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
    return await drive();
  } finally {
    watch.stop();
  }
}

/** Records a machine's run. */
export async function record(
  machine: Machine,
  layout: KernelLayout,
  drive: Drive,
  { title, fork, mostSteps = MOST_STEPS }: { title: string; fork: string; mostSteps?: number },
): Promise<{ recording: Recording; stop: StopReason }> {
  const writer = new DeltaWriter();
  const steps = new Steps(mostSteps);
  const stop = await watchSnapshots(machine, layout, drive, (moment, snapshot) => {
    const { tables, shared } = totalsOf(snapshot);
    steps.add({
      ...writer.add(snapshot),
      text: momentText(moment),
      happenings: moment.events.map((event) => ({ kind: event.kind, pid: event.pid, text: eventText(event) })),
      moments: 1,
      tableCount: tables,
      sharedCount: shared,
    });
  });
  return { recording: { version: RECORDING_VERSION, title, fork, kinds: writer.kinds, steps: steps.all }, stop };
}
