/**
 * What one audit works on: the guest's memory as words, what has been read of it so far, and the differences found. May import
 * model, entries.
 *
 * Invariants: read only, and it depends on no code of the kernel: a pointer that leads out of memory is a finding, never an
 * error of ours.
 */
import { FrameEntries } from "./entries";
import type { Model } from "./model";

/** One difference between what the kernel keeps and what its memory says. */
export interface Finding {
  /** I1 to I7 of the design, or what else must hold: `frames`, `slabs`, `mappings`, `swap`. */
  invariant: string;
  /** What it is about; undefined where there is no such thing. */
  pid: number | undefined;
  slot: number | undefined;
  frame: number | undefined;
  /** Expected and found, in words. */
  text: string;
}

/** One mapping, as in the kernel's Vma. */
export interface Mapping {
  start: number;
  end: number;
  flags: number;
  object: number;
  offset: number;
  source: number;
  sourceBytes: number;
}

/** An address space, and the process with the lowest pid of those that use it. */
export interface Space {
  mm: number;
  pid: number;
  name: string;
  /** How many tasks use it. */
  tasks: number;
  /** Frame of its directory. */
  directory: number;
  /** Lowest first. */
  mappings: Mapping[];
}

/** A page table that some directory points at. */
export interface Table {
  frame: number;
  /** Index in the first directory that was seen to point at it. */
  slot: number;
  /** Every address space with a pde that points at it. */
  sharers: Space[];
}

/** A pointer that leads out of the guest's memory, or a list without end. Ends the part of the audit that met it. */
export class Broken extends Error {}

/** Findings that are kept: the first ones say most. */
const MOST_FINDINGS = 40;
const MEMORY_END_TEXT = "lies outside of memory";

export class View {
  readonly findings: Finding[] = [];
  spaces: Space[] = [];
  tables: Table[] = [];
  /** Frame -> its index in `tables`, or -1. */
  readonly tableOf: Int32Array;
  /** How many ptes map a frame, and how many of them let write. */
  readonly mapCount: Uint32Array;
  readonly writableCount: Uint32Array;
  /** Swap slot -> how many entries name it. */
  readonly swapEntries = new Map<number, number>();
  /** The kind of each frame, and the frames of each kind that is not free, lowest first. */
  private readonly kinds: Uint8Array;
  private readonly byKind: number[][];
  /** Number of frames that exist. */
  readonly frames: number;
  /** Word index of struct Page of frame 0. */
  readonly pages: number;

  /** `words` is RAM. Throws Broken when the kernel has not set up its memory. */
  constructor(
    readonly words: Uint32Array,
    readonly model: Model,
    /** What earlier views of the same RAM have read of tables. */
    readonly entries = new FrameEntries(words),
  ) {
    this.frames = this.word(model.variables.frameLimit);
    const memMap = this.word(model.variables.memMap);
    if (memMap === 0) throw new Broken("the kernel has not set up its memory");
    if (this.frames > words.length >>> 10) throw new Broken(`frameLimit is ${this.frames}, beyond the end of memory`);
    this.pages = this.index(memMap);
    this.index(memMap + (this.frames << model.constants.pageStructShift) - 4);
    this.tableOf = new Int32Array(this.frames).fill(-1);
    this.mapCount = new Uint32Array(this.frames);
    this.writableCount = new Uint32Array(this.frames);
    this.kinds = new Uint8Array(this.frames);
    this.byKind = Array.from({ length: model.constants.kindMask + 1 }, () => []);
    this.readKinds();
  }

  private readKinds(): void {
    const { words, frames, pages, kinds, byKind } = this;
    const { kindMask, free, pageStructShift } = this.model.constants;
    const step = 2 ** (pageStructShift - 2);
    for (let frame = 0, page = pages; frame < frames; frame++, page += step) kinds[frame] = words[page] & kindMask;
    for (let frame = 0; frame < frames; frame++) if (kinds[frame] !== free) byKind[kinds[frame]].push(frame);
  }

  /** Index in `words` of a kernel virtual address. Throws Broken. */
  index(address: number): number {
    const index = (address - this.model.constants.kernelBase) / 4;
    if (!(index >= 0 && index < this.words.length && Number.isInteger(index))) {
      throw new Broken(`the address ${hex(address)} ${MEMORY_END_TEXT}`);
    }
    return index;
  }

  /** The word at a kernel virtual address. Throws Broken. */
  word(address: number): number {
    return this.words[this.index(address)];
  }

  /** Indices of the words that are not 0 in the frame that begins at a kernel virtual address. Throws Broken. */
  entriesAt(address: number): readonly number[] {
    const index = this.index(address);
    if (index % 1024 !== 0) throw new Broken(`the address ${hex(address)} is not that of a frame`);
    return this.entries.of(index >>> 10);
  }

  /** Word index of the struct Page of a frame. */
  page(frame: number): number {
    return this.pages + (frame << (this.model.constants.pageStructShift - 2));
  }

  /** The kind of a frame. */
  kind(frame: number): number {
    return this.kinds[frame];
  }

  /** The frames of a kind other than free, lowest first. */
  framesOf(kind: number): readonly number[] {
    return this.byKind[kind];
  }

  /** Frame of the struct Page at an address; -1 when there is none there. */
  frameOfPage(address: number): number {
    const { pageStructShift, kernelBase } = this.model.constants;
    const frame = (address - kernelBase - this.pages * 4) / 2 ** pageStructShift;
    return Number.isInteger(frame) && frame >= 0 && frame < this.frames ? frame : -1;
  }

  /** Notes an entry that names a swap slot. */
  swapEntry(slot: number): void {
    this.swapEntries.set(slot, (this.swapEntries.get(slot) ?? 0) + 1);
  }

  report(invariant: string, text: string, about: { space?: Space; slot?: number; frame?: number } = {}): void {
    if (this.findings.length >= MOST_FINDINGS) return;
    const { space, slot, frame } = about;
    this.findings.push({ invariant, pid: space?.pid, slot, frame, text });
  }
}

export function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
