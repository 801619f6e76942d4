/**
 * What the kernel and its tables say of one frame at a moment, in a few words that are read often: where they differ from one event to
 * the next, the frame has changed hands. May import tools/audit/model, cpu.
 *
 * Invariant: reads only; what lies outside of memory reads as nothing.
 */
import type { Machine } from "../../cpu/index";
import type { Model } from "../audit/model";

/** A directory's entry that names the frame. */
export interface PdeUse {
  pid: number;
  /** Frame of the directory. */
  directory: number;
  /** The entry, without the bits that the processor sets. */
  pde: number;
}

export interface Sample {
  /** FrameKind; -1 before the kernel has set up its memory. */
  kind: number;
  /** Words 1 and 2 of struct Page: of a table count and users, of data count and rmap. */
  count: number;
  third: number;
  /** Of a table: its slot; else -1. */
  slot: number;
  /** Of a table: who uses it. */
  uses: PdeUse[];
}

/** What is said of a frame that is neither a table nor data. */
export const NOTHING: Sample = { kind: -1, count: 0, third: 0, slot: -1, uses: [] };

const SLOT_MASK = 0x3ff;
/** Accessed and dirty. */
const PROCESSOR_BITS = 0x60;
const MOST_TASKS = 1 << 16;

export class FrameSampler {
  readonly words: Uint32Array;

  constructor(
    machine: Machine,
    readonly model: Model,
    readonly frame: number,
  ) {
    const { ram } = machine.cpu;
    this.words = new Uint32Array(ram.buffer, ram.byteOffset, ram.byteLength >>> 2);
  }

  private word(address: number): number {
    return this.words[(address - this.model.constants.kernelBase) >>> 2] ?? 0;
  }

  /** Index in `words` of the frame's struct Page; -1 before there is one. */
  get page(): number {
    const { variables, constants } = this.model;
    const memMap = this.word(variables.memMap);
    if (memMap === 0 || this.frame >= this.word(variables.frameLimit)) return -1;
    return (memMap - constants.kernelBase + this.frame * 2 ** constants.pageStructShift) >>> 2;
  }

  take(): Sample {
    const { page, words, model } = this;
    if (page < 0) return NOTHING;
    const kind = words[page] & model.constants.kindMask;
    const [count, third] = [words[page + 1], words[page + 2]];
    if (kind === model.constants.data) return { kind, count, third, slot: -1, uses: [] };
    if (kind !== model.constants.table) return { ...NOTHING, kind };
    const slot = words[page + model.fields.TablePage.slot] & SLOT_MASK;
    return { kind, count, third, slot, uses: this.uses(slot) };
  }

  /** The directories of all tasks whose entry for the table's slot names it; each once. */
  private uses(slot: number): PdeUse[] {
    const { taskHash, taskHashSize, kernelBase, present } = this.model.constants;
    const { Task, Mm } = this.model.fields;
    const uses = new Map<number, PdeUse>();
    let left = MOST_TASKS;
    for (let bucket = 0; bucket < taskHashSize; bucket++) {
      for (let task = this.word(taskHash + bucket * 4); task !== 0 && left > 0; left--) {
        const mm = this.word(task + 4 * Task.mm);
        const pid = this.word(task + 4 * Task.pid);
        const directory = mm === 0 ? 0 : (this.word(mm + 4 * Mm.directory) - kernelBase) >>> 12;
        const pde = directory === 0 ? 0 : (this.words[directory * 1024 + slot] ?? 0);
        if ((pde & present) !== 0 && pde >>> 12 === this.frame && (uses.get(directory)?.pid ?? pid) >= pid) {
          uses.set(directory, { pid, directory, pde: (pde & ~PROCESSOR_BITS) >>> 0 });
        }
        task = this.word(task + 4 * Task.hashNext);
      }
    }
    return [...uses.values()].sort((one, two) => one.pid - two.pid);
  }
}

/** Whether two samples say the same. */
export function sameSample(one: Sample, two: Sample): boolean {
  return (
    one.kind === two.kind &&
    one.count === two.count &&
    one.third === two.third &&
    one.uses.length === two.uses.length &&
    one.uses.every(({ directory, pde }, i) => two.uses[i].directory === directory && two.uses[i].pde === pde)
  );
}
