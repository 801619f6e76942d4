/**
 * Snapshots of a run as differences, each to the one before, so that a whole run fits into a page: writing them, and going to any
 * of them. May import snapshot's types. Runs in the page too: nothing of Node.
 *
 * Invariant: what is read back is what was written, but for the reverse map, which is that of the ptes.
 */
import type { FrameRun, ProcessSnapshot, PteName, Snapshot, TableSnapshot } from "./snapshot";

/**
 * Frames that have changed and look alike: first frame, how many, index into `kinds`, step of the ptes' indices from one frame to the
 * next, then table and index of each pte of the first.
 */
export type FrameChange = number[];

/** What differs from the snapshot before; null: it is gone. */
export interface Delta {
  instret: number;
  cycles: number;
  processes: [pid: number, process: ProcessSnapshot | null][];
  tables: [frame: number, table: TableSnapshot | null][];
  frames: FrameChange[];
}

/** What a frame is: the index of its kind, and the ptes that map it. */
interface FrameState {
  kind: number;
  ptes: readonly PteName[];
}

const NO_PTES: readonly PteName[] = [];

function samePtes(one: readonly PteName[], two: readonly PteName[]): boolean {
  return (
    one.length === two.length && one.every(({ table, index }, i) => two[i].table === table && two[i].index === index)
  );
}

/** Whether `next` continues `first` after `distance` frames with indices that grow by `step`. */
function continues(first: FrameState, next: FrameState, distance: number, step: number): boolean {
  if (first.kind !== next.kind || first.ptes.length !== next.ptes.length) return false;
  return first.ptes.every(
    ({ table, index }, i) => next.ptes[i].table === table && next.ptes[i].index === index + distance * step,
  );
}

/** Joins changed frames, in ascending order, into runs. */
function runsOf(changed: readonly (readonly [number, FrameState])[]): FrameChange[] {
  const runs: FrameChange[] = [];
  let at = 0;
  while (at < changed.length) {
    const [frame, first] = changed[at];
    const next = changed[at + 1];
    const step =
      next?.[0] === frame + 1 && first.ptes.length > 0 && next[1].ptes.length > 0
        ? next[1].ptes[0].index - first.ptes[0].index
        : 0;
    let count = 1;
    while (changed[at + count]?.[0] === frame + count && continues(first, changed[at + count][1], count, step)) count++;
    runs.push([frame, count, first.kind, step, ...first.ptes.flatMap(({ table, index }) => [table, index])]);
    at += count;
  }
  return runs;
}

/** A sequence of snapshots of one machine, being written. */
export class DeltaWriter {
  /** Names of kinds of frames. */
  readonly kinds: string[] = [];
  private processes = new Map<number, ProcessSnapshot>();
  private tables = new Map<number, TableSnapshot>();
  private frames: FrameState[] = [];

  /** The difference of a snapshot to the one before; the first one's is to nothing. */
  add(snapshot: Snapshot): Delta {
    const processes = new Map(snapshot.processes.map((process) => [process.pid, process]));
    const tables = new Map(snapshot.tables.map((table) => [table.frame, table]));
    const frames = this.framesOf(snapshot);
    const changed: [number, FrameState][] = [];
    for (const [frame, state] of frames.entries()) {
      const before = this.frames[frame];
      if (before?.kind !== state.kind || !samePtes(before.ptes, state.ptes)) changed.push([frame, state]);
    }
    const delta = {
      instret: snapshot.instret,
      cycles: snapshot.cycles,
      processes: changesOf(this.processes, processes),
      tables: changesOf(this.tables, tables),
      frames: runsOf(changed),
    };
    Object.assign(this, { processes, tables, frames });
    return delta;
  }

  private framesOf({ frames, mapped }: Snapshot): FrameState[] {
    const states: FrameState[] = [];
    for (const { count, kind } of frames) {
      let index = this.kinds.indexOf(kind);
      if (index < 0) index = this.kinds.push(kind) - 1;
      for (let i = 0; i < count; i++) states.push({ kind: index, ptes: NO_PTES });
    }
    for (const { frame, ptes } of mapped) states[frame].ptes = ptes;
    return states;
  }
}

function changesOf<T>(before: ReadonlyMap<number, T>, after: ReadonlyMap<number, T>): [number, T | null][] {
  const changes: [number, T | null][] = [];
  for (const key of before.keys()) if (!after.has(key)) changes.push([key, null]);
  for (const [key, value] of after) {
    const old = before.get(key);
    if (old === undefined || JSON.stringify(old) !== JSON.stringify(value)) changes.push([key, value]);
  }
  return changes;
}

/** Snapshots between two that are kept whole. */
const KEPT_EVERY = 32;

interface State {
  processes: Map<number, ProcessSnapshot>;
  tables: Map<number, TableSnapshot>;
  frames: FrameState[];
}

/** The snapshots of a sequence of differences. */
export class DeltaReader {
  private readonly kept: State[] = [{ processes: new Map(), tables: new Map(), frames: [] }];

  constructor(
    private readonly deltas: readonly Delta[],
    private readonly kinds: readonly string[],
  ) {}

  /** Snapshot `index`, from 0. */
  at(index: number): Snapshot {
    const nearest = Math.min(this.kept.length - 1, Math.floor(index / KEPT_EVERY));
    const state = copyOf(this.kept[nearest]);
    for (let i = nearest * KEPT_EVERY; i <= index; i++) {
      if (i === this.kept.length * KEPT_EVERY) this.kept.push(copyOf(state));
      apply(state, this.deltas[i]);
    }
    const { instret, cycles } = this.deltas[index];
    return {
      version: 1,
      instret,
      cycles,
      processes: [...state.processes.values()].sort((one, two) => one.pid - two.pid),
      tables: [...state.tables.values()],
      frames: this.runs(state.frames),
      mapped: state.frames.flatMap(({ ptes }, frame) =>
        ptes.length === 0 ? [] : [{ frame, ptes: [...ptes], rmap: [...ptes] }],
      ),
    };
  }

  private runs(frames: readonly FrameState[]): FrameRun[] {
    const runs: FrameRun[] = [];
    for (const [frame, { kind }] of frames.entries()) {
      const last = runs.at(-1);
      if (last?.kind === this.kinds[kind]) last.count++;
      else runs.push({ first: frame, count: 1, kind: this.kinds[kind] });
    }
    return runs;
  }
}

function copyOf({ processes, tables, frames }: State): State {
  return { processes: new Map(processes), tables: new Map(tables), frames: [...frames] };
}

function apply(state: State, { processes, tables, frames }: Delta): void {
  for (const [pid, process] of processes) {
    if (process === null) state.processes.delete(pid);
    else state.processes.set(pid, process);
  }
  for (const [frame, table] of tables) {
    if (table === null) state.tables.delete(frame);
    else state.tables.set(frame, table);
  }
  for (const [first, count, kind, step, ...pairs] of frames) {
    for (let i = 0; i < count; i++) {
      const ptes: PteName[] = [];
      for (let at = 0; at < pairs.length; at += 2) ptes.push({ table: pairs[at], index: pairs[at + 1] + i * step });
      state.frames[first + i] = { kind, ptes: ptes.length === 0 ? NO_PTES : ptes };
    }
  }
}
