/**
 * Why a frame is shared: the stays in the kernel that changed who uses it, each stepped through for the instructions that wrote the
 * tables' entries and the counts, and what does not agree afterwards. May import life, step, sample, tools/{audit,profile,replay,show,trace}.
 */
import { modelOf } from "../audit/model";
import type { KernelLayout } from "../image/layout";
import { CallStacks } from "../profile/callstack";
import { Images } from "../profile/code";
import type { History } from "../replay/history";
import { SnapshotError, SnapshotReader } from "../show/snapshot";
import { Events } from "../trace/events";
import { KernelView } from "../trace/kernelview";
import type { ProgramFile } from "../trace/programs";
import { type ChangingEntry, type FrameLife, lifeOf } from "./life";
import { FrameSampler, type Sample } from "./sample";
import { type Debugged, type Stay, stepThrough, type WatchedWord, type Write } from "./step";

/** A stay in the kernel, and what it did to the frame. */
export interface ExplainedStay extends Stay {
  entry: ChangingEntry;
  /** The frame when the kernel went back to user mode. */
  after: Sample;
  /** What does not agree then, in words; with the write after which something was left out, where there is one. */
  doubts: { text: string; write: Write | undefined }[];
}

/** A pte that maps a data frame, and the processes that share its table. */
export interface Mapper {
  table: number;
  address: number;
  sharers: number[];
}

export interface Explanation extends FrameLife {
  stays: ExplainedStay[];
  /** Of a data frame that is alive: where it is mapped. */
  mappers: Mapper[];
  /** Earlier stays that were not stepped through. */
  leftOut: number;
}

/** A run whose frames can be explained. */
export interface ExplainedRun {
  history: History;
  layout: KernelLayout;
  kernel: Uint8Array;
  programs: readonly ProgramFile[];
}

/** Stays that are stepped through at most: the last ones. */
const MOST_STAYS = 40;
const PRESENT = 1;
const WRITE = 2;
const PROCESSOR_BITS = 0x60;

/**
 * Explains a frame as it is where the machine of the history stands; leaves the machine there. Throws LayoutError for a kernel that is
 * not ours.
 */
export function explainFrame(run: ExplainedRun, frame: number): Explanation {
  const { history, layout, kernel, programs } = run;
  const { machine } = history;
  const here = machine.instret;
  const model = modelOf(layout);
  const life = lifeOf(history, model, frame);
  const view = KernelView.of(machine, layout);
  const stacks = new CallStacks(machine, new Images(machine, kernel, programs), view);
  const debugged = { history, stacks, events: new Events(machine, layout), kernel: view };
  const reader = new SnapshotReader(machine, layout);
  const mappers = mappersOf(reader, frame);
  const explainer = new Explainer(debugged, new FrameSampler(machine, model, frame), reader);
  const stays: ExplainedStay[] = [];
  for (const entry of life.entries.slice(-MOST_STAYS)) {
    // Where the kernel went from one process to another, the next entry's changes have been met already.
    if (entry.to > (stays.at(-1)?.end ?? -1)) stays.push(explainer.stay(entry));
  }
  stacks.stop();
  history.seek(here);
  return { ...life, stays, mappers, leftOut: Math.max(0, life.entries.length - MOST_STAYS) };
}

/** The ptes that map a frame now; none where memory makes no sense. */
function mappersOf(reader: SnapshotReader, frame: number): Mapper[] {
  try {
    const { mapped, tables } = reader.take();
    return (mapped.find((one) => one.frame === frame)?.ptes ?? []).map(({ table, index }) => {
      const { slot = 0, sharers = [] } = tables.find((one) => one.frame === table) ?? {};
      return { table, address: ((slot * 1024 + index) * 4096) >>> 0, sharers };
    });
  } catch (error) {
    if (error instanceof SnapshotError) return [];
    throw error;
  }
}

class Explainer {
  constructor(
    private readonly debugged: Debugged,
    private readonly sampler: FrameSampler,
    private readonly reader: SnapshotReader,
  ) {}

  stay(entry: ChangingEntry): ExplainedStay {
    const words = this.words(entry);
    const stay = stepThrough(this.debugged, words, entry);
    const isBirth = entry.before.kind !== entry.after.kind;
    const writes = stay.writes.filter((write) => this.matters(write) && !(isBirth && isFirstZero(write)));
    const after = this.sampler.take();
    return { ...stay, writes, entry, after, doubts: this.doubts(after, { ...stay, writes }) };
  }

  /** The words that say who uses the frame: of struct Page, and each entry that names it before or after. */
  private words({ before, after, from, to }: ChangingEntry): WatchedWord[] {
    const { sampler } = this;
    const { page, model } = sampler;
    if (page < 0) return [];
    const { table, data } = model.constants;
    const kinds = [before.kind, after.kind];
    const words: WatchedWord[] = [{ name: "kind", index: page }];
    if (kinds.includes(table)) {
      words.push({ name: "users", index: page + model.fields.TablePage.users });
      const slot = Math.max(before.slot, after.slot);
      const pids = new Map([...before.uses, ...after.uses].map(({ directory, pid }) => [directory, pid]));
      for (const [directory, pid] of pids) words.push({ name: `pde of pid ${pid}`, index: directory * 1024 + slot });
    }
    if (kinds.includes(data)) {
      words.push({ name: "count", index: page + model.fields.Page.count });
      words.push({ name: "rmap", index: page + model.fields.Page.rmap });
      words.push(...this.ptes(from, to));
    }
    return words;
  }

  /** The ptes that map the frame at either of two moments. */
  private ptes(...moments: number[]): WatchedWord[] {
    const words = new Map<number, WatchedWord>();
    for (const moment of moments) {
      this.debugged.history.seek(moment);
      for (const { table, address } of mappersOf(this.reader, this.sampler.frame)) {
        const index = table * 1024 + ((address >>> 12) & 1023);
        words.set(index, { name: `pte of 0x${address.toString(16)} in table 0x${table.toString(16)}`, index });
      }
    }
    return [...words.values()];
  }

  /** Whether a write changes who uses the frame: an entry must name it, and the processor's own bits do not count. */
  private matters({ word, before, after }: Write): boolean {
    const { frame, model } = this.sampler;
    if (word.name === "kind") return ((before ^ after) & model.constants.kindMask) !== 0;
    if (!/^p[dt]e /.test(word.name)) return true;
    return ((before ^ after) & ~PROCESSOR_BITS) !== 0 && [before, after].some((entry) => entry >>> 12 === frame);
  }

  private doubts(after: Sample, stay: Stay): ExplainedStay["doubts"] {
    const { table, data } = this.sampler.model.constants;
    const doubts: ExplainedStay["doubts"] = [];
    const writesOf = (pattern: RegExp): Write[] => stay.writes.filter(({ word }) => pattern.test(word.name));
    if (after.kind === table && after.third !== after.uses.length) {
      const [last] = writesOf(/^users|^pde/).slice(-1);
      doubts.push({
        text: `users is ${after.third}, but ${after.uses.length} directories name the table`,
        write: last,
      });
    }
    if (after.kind === table && after.uses.length > 1) {
      for (const { pid, pde } of after.uses.filter((use) => (use.pde & WRITE) !== 0)) {
        const [last] = writesOf(new RegExp(`^pde of pid ${pid}$`)).slice(-1);
        doubts.push({
          text: `the table is shared, and the pde of pid ${pid} is 0x${pde.toString(16)}, with W`,
          write: last,
        });
      }
    }
    const [count] = writesOf(/^count$/).slice(-1);
    if (after.kind === data && count !== undefined && writesOf(/^pte/).length > 0 && writesOf(/^rmap$/).length === 0) {
      doubts.push({ text: "a pte changed, but the reverse map was not written", write: count });
    }
    for (const write of writesOf(/^pde/)) {
      const lost = write.before & ~write.after & (PRESENT | WRITE);
      if (lost === 0 || write.directory !== write.word.index >>> 10) continue;
      if (stay.flushes.some(({ instret, address }) => address === undefined && instret >= write.instret)) continue;
      const what = (lost & PRESENT) !== 0 ? "is gone" : "lost W";
      doubts.push({ text: `the ${write.word.name} ${what}, and the TLB was not flushed before user mode`, write });
    }
    return doubts;
  }
}

/** Whether a write makes a count of a new frame 0. */
function isFirstZero({ word, before, after }: Write): boolean {
  return /^(users|count|rmap)$/.test(word.name) && after === 0 && before !== 1;
}
