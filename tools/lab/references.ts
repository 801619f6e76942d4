/**
 * Memory references and TLB misses of a machine while it is measured, counted instruction by instruction: the machine is then on its single-step path,
 * slower, and its run is the same to the cycle. May import cpu, tools/trace (accesses, code).
 *
 * References are operands in memory, each of at most 4 bytes, those of instructions that retire; what the processor reads and writes by itself (tables,
 * descriptors, frames of traps) is not among them. A TLB miss is an entry that a page walk made, whoever asked for it; a walk that ends in a page fault
 * makes none.
 */
import { EventKind, type Machine } from "../../cpu/index";
import { Mode, Register, Word } from "../../cpu/registers";
import { AccessKind } from "../trace/accesses";
import { type Code, CodeCache, Translator } from "../trace/code";

const CS = 1;
const WORD_BYTES = 4;

/** What is counted. */
export interface Counts {
  reads: number;
  writes: number;
  /** Entries for pages of 4 KB, and for those of 4 MB. */
  tlbMisses: number;
  tlbMissesLarge: number;
  pageFaults: number;
}

export const NO_COUNTS: Readonly<Counts> = { reads: 0, writes: 0, tlbMisses: 0, tlbMissesLarge: 0, pageFaults: 0 };

/** One bank of the TLB as it was: tells what walks have entered since. */
class Bank {
  private readonly tags: Int32Array;
  private readonly entries: Int32Array;

  constructor(
    private readonly liveTags: Int32Array,
    private readonly liveEntries: Int32Array,
  ) {
    this.tags = liveTags.slice();
    this.entries = liveEntries.slice();
  }

  /** Entries made since the last call: another page's, or the same page's anew, as for its first write. */
  entered(): number {
    const { tags, entries, liveTags, liveEntries } = this;
    let entered = 0;
    for (let slot = 0; slot < tags.length; slot++) {
      if (liveTags[slot] === tags[slot] && liveEntries[slot] === entries[slot]) continue;
      if (liveTags[slot] >= 0) entered++;
      tags[slot] = liveTags[slot];
      entries[slot] = liveEntries[slot];
    }
    return entered;
  }
}

export class ReferenceCounter {
  readonly counts: Counts = { ...NO_COUNTS };
  private readonly codes: CodeCache;
  private small: Bank | undefined;
  private large: Bank | undefined;
  /** The instruction that runs, and the machine's count before it. */
  private pending: Code | undefined;
  private instret = 0;
  private repetitions = 0;
  private ignoreFaults: () => void = () => {};

  constructor(private readonly machine: Machine) {
    this.codes = new CodeCache(machine.cpu, new Translator(machine.cpu));
  }

  /** Counts from the next instruction on. */
  start(): void {
    const { tlb } = this.machine.cpu;
    this.small = new Bank(tlb.smallTags, tlb.smallEntries);
    this.large = new Bank(tlb.largeTags, tlb.largeEntries);
    this.machine.onInstruction(() => this.before());
    this.ignoreFaults = this.machine.onEvent(() => this.counts.pageFaults++, [EventKind.PageFault]);
  }

  /** No more. What the instruction that is under way has done so far counts. */
  stop(): void {
    this.update();
    this.pending = undefined;
    this.machine.onInstruction(null);
    this.ignoreFaults();
  }

  /** Brings the counts up to date, from within an event too. */
  update(): void {
    this.retire();
    this.counts.tlbMisses += this.small?.entered() ?? 0;
    this.counts.tlbMissesLarge += this.large?.entered() ?? 0;
  }

  private before(): void {
    this.update();
    const { cpu } = this.machine;
    const { r } = cpu;
    const eip = r[Word.Eip] >>> 0;
    const size = (r[Word.Mode] & Mode.Code32) !== 0 ? 4 : 2;
    this.pending = this.codes.at(eip, (r[Word.Base + CS] + eip) >>> 0, size, undefined);
    this.instret = cpu.instret;
    this.repetitions = r[Register.ECX] >>> 0;
  }

  /** Counts the pending instruction's operands as often as it has run: not at all where it faulted. */
  private retire(): void {
    const { pending, counts } = this;
    if (pending === undefined) return;
    const retired = this.machine.cpu.instret - this.instret;
    const times = pending.isRepeated ? Math.min(retired, this.repetitions) : Math.min(retired, 1);
    this.instret += retired;
    if (times === 0) return;
    for (const { kind, size } of pending.accesses) {
      const words = times * Math.max(1, Math.ceil(size / WORD_BYTES));
      if (kind !== AccessKind.Write) counts.reads += words;
      if (kind !== AccessKind.Read) counts.writes += words;
    }
  }
}
