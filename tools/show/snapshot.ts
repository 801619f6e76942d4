/**
 * Memory at one moment: processes, directories, tables, frames and the reverse map, read from the guest's raw memory by the layout
 * that its kernel's build exports. Everything that tools/show draws is drawn from this. Fit for JSON: SNAPSHOT_VERSION is raised
 * with every change of its shape. May import tools/audit, cpu.
 *
 * Invariant: read only. Between two returns to user mode the kernel is in the middle of something, and so is the snapshot.
 */
import type { Machine } from "../../cpu/index";
import { FrameEntries } from "../audit/entries";
import { readRmap } from "../audit/frames";
import { type Model, modelOf } from "../audit/model";
import { auditDirectories, readSpaces } from "../audit/spaces";
import { Broken, View } from "../audit/view";
import type { KernelLayout } from "../image/layout";

export const SNAPSHOT_VERSION = 1;

/** Frames are numbers: physical address >> 12. */
export interface Snapshot {
  version: typeof SNAPSHOT_VERSION;
  /** When it was taken. */
  instret: number;
  cycles: number;
  /** Lowest pid first. Threads of one address space are one process. */
  processes: ProcessSnapshot[];
  /** In the order in which the directories name them. */
  tables: TableSnapshot[];
  /** What each frame is used for, from frame 0 to the last: runs of frames of one kind. */
  frames: FrameRun[];
  /** Every frame that a pte maps, lowest first. */
  mapped: MappedFrame[];
}

export interface ProcessSnapshot {
  pid: number;
  name: string;
  /** Tasks that use the address space. */
  tasks: number;
  /** Frame of the page directory. */
  directory: number;
  /** Pages that are present in its tables, shared ones included. */
  resident: number;
  /** The user half of the directory, lowest slot first. A slot covers 4 MB. */
  slots: { slot: number; table: number; writable: boolean }[];
}

export interface TableSnapshot {
  frame: number;
  slot: number;
  /** As the kernel keeps them in struct Page. */
  users: number;
  present: number;
  swapped: number;
  locked: number;
  /** Pids of the processes whose directories name it. */
  sharers: number[];
}

export interface FrameRun {
  first: number;
  count: number;
  /** free, reserved, stack, kernel, slab, chain, directory, table, data or index. */
  kind: string;
}

/** An entry of a table. */
export interface PteName {
  /** Frame of the table. */
  table: number;
  /** 0 to 1023. */
  index: number;
}

export interface MappedFrame {
  frame: number;
  /** The ptes that map it, as the tables say. */
  ptes: PteName[];
  /** The ptes that map it, as the kernel's reverse map says; empty with rmap=off. */
  rmap: PteName[];
}

/** The guest's memory cannot be read as our kernel's. */
export class SnapshotError extends Error {}

/** Takes snapshots of one machine. */
export class SnapshotReader {
  private readonly model: Model;
  private readonly words: Uint32Array;
  private readonly entries: FrameEntries;

  /** Throws LayoutError for a kernel that is not one of ours. */
  constructor(
    private readonly machine: Machine,
    layout: KernelLayout,
  ) {
    this.model = modelOf(layout);
    const { ram } = machine.cpu;
    this.words = new Uint32Array(ram.buffer, ram.byteOffset, ram.byteLength >>> 2);
    this.entries = new FrameEntries(this.words);
  }

  /** Memory now. Throws SnapshotError, in one line, where it makes no sense: before the kernel has set it up, say. */
  take(): Snapshot {
    try {
      const view = new View(this.words, this.model, this.entries);
      readSpaces(view);
      auditDirectories(view);
      return this.describe(view);
    } catch (error) {
      if (error instanceof Broken) throw new SnapshotError(error.message);
      throw error;
    }
  }

  private describe(view: View): Snapshot {
    const { instret, cycles } = this.machine;
    const tables = view.tables.map(({ frame, slot, sharers }): TableSnapshot => {
      const { TablePage } = this.model.fields;
      const page = view.page(frame);
      const field = (name: keyof typeof TablePage): number => view.words[page + TablePage[name]];
      return {
        frame,
        slot,
        users: field("users"),
        present: field("present"),
        swapped: field("swapped"),
        locked: field("locked"),
        sharers: sharers.map(({ pid }) => pid),
      };
    });
    const present = new Map(tables.map((table) => [table.frame, table.present]));
    const processes = view.spaces.map(({ pid, name, tasks, directory }): ProcessSnapshot => {
      const slots = this.slotsOf(view, directory).filter(({ table }) => present.has(table));
      const resident = slots.reduce((sum, { table }) => sum + (present.get(table) ?? 0), 0);
      return { pid, name, tasks, directory, resident, slots };
    });
    return {
      version: SNAPSHOT_VERSION,
      instret,
      cycles,
      processes,
      tables,
      frames: this.runs(view),
      mapped: this.mapped(view),
    };
  }

  private slotsOf(view: View, directory: number): ProcessSnapshot["slots"] {
    const { userSlots, present, write } = this.model.constants;
    if (directory >= view.frames) return [];
    return view.entries.of(directory).flatMap((slot) => {
      const pde = view.words[(directory << 10) + slot];
      if (slot >= userSlots || (pde & present) === 0) return [];
      return [{ slot, table: pde >>> 12, writable: (pde & write) !== 0 }];
    });
  }

  private runs(view: View): FrameRun[] {
    const runs: FrameRun[] = [];
    for (let frame = 0; frame < view.frames; frame++) {
      const kind = this.model.kindNames[view.kind(frame)] ?? String(view.kind(frame));
      const last = runs.at(-1);
      if (last?.kind === kind) last.count++;
      else runs.push({ first: frame, count: 1, kind });
    }
    return runs;
  }

  private mapped(view: View): MappedFrame[] {
    const { mapped } = this.model.constants;
    const ptes = new Map<number, PteName[]>();
    for (const { frame: table } of view.tables) {
      for (const index of view.entries.of(table)) {
        const pte = view.words[(table << 10) + index];
        if ((pte & mapped) === 0) continue;
        const names = ptes.get(pte >>> 12);
        if (names === undefined) ptes.set(pte >>> 12, [{ table, index }]);
        else names.push({ table, index });
      }
    }
    const frames = [...ptes].filter(([frame]) => frame < view.frames).sort(([one], [two]) => one - two);
    return frames.map(([frame, names]) => ({ frame, ptes: names, rmap: this.rmapOf(view, frame, names.length) }));
  }

  private rmapOf(view: View, frame: number, expected: number): PteName[] {
    const { rmapKept } = this.model.variables;
    const { kernelBase, data } = this.model.constants;
    if (view.word(rmapKept) === 0 || view.kind(frame) !== data) return [];
    const { entries } = readRmap(view, view.words[view.page(frame) + this.model.fields.Page.rmap], expected + 8);
    return entries.map((pte) => ({ table: (pte - kernelBase) >>> 12, index: ((pte - kernelBase) >>> 2) & 1023 }));
  }
}
