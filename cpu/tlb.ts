/**
 * The charged TLB: the one the guest can see, by its hits and misses in `cycles` and by the staleness of what it keeps.
 * Set associative, separate entries for 4 KB and 4 MB pages, replacement in turn or by a seeded generator; a hit changes
 * nothing, so that engines which remember hits elsewhere stay exact. Its geometry is part of the cost table.
 *
 * An entry is two words, a tag (linear address >> 12, or >> 22 for a large page; -1 for none) and the translation:
 *
 *     31                      12 11             4    3    2    1    0
 *    +--------------------------+----------------+----+----+----+----+
 *    |  physical page address   |       0        | G  | D  | U  | W  |
 *    +--------------------------+----------------+----+----+----+----+
 *    W, U: both levels allow it. D: the dirty bit is set in memory. G: global, and CR4.PGE was set.
 *
 * In front of it stands the host TLB (registers.ts, Layout.HostTlb), by linear page number, 0 where there is no entry:
 *
 *    +--------------------------+----------------+----+----+----+----+
 *    | host offset of the page  |       0        | UW | SW | UR | SR |
 *    +--------------------------+----------------+----+----+----+----+
 *    SR, UR: supervisor, user may read. SW, UW: may write, and nothing needs to be seen to (clean page, decoded code).
 *
 * Invariant (with paging on): a host entry exists only while the charged TLB holds its page, so that a hit there is a hit
 * here. `touched` lists the host entries made under each large entry, so that they can be found again.
 * May import costs.ts and errors.ts. Source: Intel SDM volume 3, section 4.10.2.
 */
import type { TlbGeometry } from "./costs";
import { MachineError } from "./errors";

export const enum Entry {
  Writable = 1,
  User = 2,
  Dirty = 4,
  Global = 8,
  Frame = 0xfffff000 | 0,
}

export const enum HostTlb {
  SupervisorRead = 1,
  UserRead = 2,
  SupervisorWrite = 4,
  UserWrite = 8,
  Frame = 0xfffff000 | 0,
}

/** Host entries remembered one by one under a large entry; with more, all 1024 are dropped with it. */
const TOUCHED = 32;

function denyWrite(hostTlb: Int32Array, page: number, hostPage: number): void {
  const entry = hostTlb[page];
  if (entry !== 0 && (entry & HostTlb.Frame) === hostPage) {
    hostTlb[page] = entry & ~(HostTlb.SupervisorWrite | HostTlb.UserWrite);
  }
}

export class ChargedTlb {
  readonly smallTags: Int32Array;
  readonly smallEntries: Int32Array;
  readonly largeTags: Int32Array;
  readonly largeEntries: Int32Array;
  private readonly smallNext: Int32Array;
  private readonly largeNext: Int32Array;
  /** TOUCHED linear page numbers for each large entry, and how many there are (more than TOUCHED: uncounted). */
  private readonly touched: Int32Array;
  private readonly touchedCount: Int32Array;
  private seed: number;

  constructor(readonly geometry: TlbGeometry) {
    const { sets, ways, largeSets, largeWays, randomSeed } = geometry;
    this.smallTags = new Int32Array(sets * ways).fill(-1);
    this.smallEntries = new Int32Array(sets * ways);
    this.smallNext = new Int32Array(sets);
    this.largeTags = new Int32Array(largeSets * largeWays).fill(-1);
    this.largeEntries = new Int32Array(largeSets * largeWays);
    this.largeNext = new Int32Array(largeSets);
    this.touched = new Int32Array(largeSets * largeWays * TOUCHED);
    this.touchedCount = new Int32Array(largeSets * largeWays);
    this.seed = randomSeed;
  }

  /** Slot of the 4 KB entry for a linear address, or -1. */
  findSmall(linear: number): number {
    const page = linear >>> 12;
    const { sets, ways } = this.geometry;
    const first = (page & (sets - 1)) * ways;
    for (let slot = first; slot < first + ways; slot++) if (this.smallTags[slot] === page) return slot;
    return -1;
  }

  /** Slot of the 4 MB entry for a linear address, or -1. */
  findLarge(linear: number): number {
    const page = linear >>> 22;
    const { largeSets, largeWays } = this.geometry;
    const first = (page & (largeSets - 1)) * largeWays;
    for (let slot = first; slot < first + largeWays; slot++) if (this.largeTags[slot] === page) return slot;
    return -1;
  }

  /** The slot that a new 4 KB entry for a linear address goes to: an empty way, else the set's victim. */
  chooseSmall(linear: number): number {
    const { sets, ways } = this.geometry;
    return this.choose(this.smallTags, this.smallNext, (linear >>> 12) & (sets - 1), ways);
  }

  /** The same for a 4 MB entry. */
  chooseLarge(linear: number): number {
    const { largeSets, largeWays } = this.geometry;
    return this.choose(this.largeTags, this.largeNext, (linear >>> 22) & (largeSets - 1), largeWays);
  }

  private choose(tags: Int32Array, next: Int32Array, set: number, ways: number): number {
    const first = set * ways;
    for (let slot = first; slot < first + ways; slot++) if (tags[slot] === -1) return slot;
    if (this.geometry.randomSeed < 0) {
      const way = next[set];
      next[set] = way + 1 === ways ? 0 : way + 1;
      return first + way;
    }
    // Numerical Recipes' generator; its high bits are the good ones.
    this.seed = (Math.imul(this.seed, 1664525) + 1013904223) | 0;
    return first + ((this.seed >>> 8) % ways);
  }

  setSmall(slot: number, linear: number, entry: number): void {
    this.smallTags[slot] = linear >>> 12;
    this.smallEntries[slot] = entry;
  }

  setLarge(slot: number, linear: number, entry: number): void {
    this.largeTags[slot] = linear >>> 22;
    this.largeEntries[slot] = entry;
    this.touchedCount[slot] = 0;
  }

  /** Remembers that a host entry for a linear address was made under a large entry. */
  touch(slot: number, linear: number): void {
    const count = this.touchedCount[slot];
    if (count < TOUCHED) this.touched[slot * TOUCHED + count] = linear >>> 12;
    if (count <= TOUCHED) this.touchedCount[slot] = count + 1;
  }

  /** Clears the host entry behind a 4 KB slot; the slot stays. */
  dropHostSmall(slot: number, hostTlb: Int32Array): void {
    const page = this.smallTags[slot];
    if (page >= 0) hostTlb[page] = 0;
  }

  /** Clears the host entries behind a 4 MB slot; the slot stays. */
  dropHostLarge(slot: number, hostTlb: Int32Array): void {
    const count = this.touchedCount[slot];
    if (count > TOUCHED) {
      const first = this.largeTags[slot] << 10;
      hostTlb.fill(0, first, first + 1024);
    } else {
      for (let i = 0; i < count; i++) hostTlb[this.touched[slot * TOUCHED + i]] = 0;
    }
    this.touchedCount[slot] = 0;
  }

  /** Empties all entries, or all but the global ones, with the host entries behind them. */
  flush(hostTlb: Int32Array, keepGlobal: boolean): void {
    const keep = keepGlobal ? Entry.Global : 0;
    for (let slot = 0; slot < this.smallTags.length; slot++) {
      if (this.smallTags[slot] < 0 || (this.smallEntries[slot] & keep) !== 0) continue;
      this.dropHostSmall(slot, hostTlb);
      this.smallTags[slot] = -1;
    }
    for (let slot = 0; slot < this.largeTags.length; slot++) {
      if (this.largeTags[slot] < 0 || (this.largeEntries[slot] & keep) !== 0) continue;
      this.dropHostLarge(slot, hostTlb);
      this.largeTags[slot] = -1;
    }
  }

  /** Clears the host entries behind all slots; the slots stay. */
  dropHost(hostTlb: Int32Array): void {
    for (let slot = 0; slot < this.smallTags.length; slot++) this.dropHostSmall(slot, hostTlb);
    for (let slot = 0; slot < this.largeTags.length; slot++) {
      if (this.largeTags[slot] >= 0) this.dropHostLarge(slot, hostTlb);
    }
  }

  /** Takes the write bits from all host entries for a page at this host offset. */
  denyWrites(hostTlb: Int32Array, hostPage: number): void {
    for (let slot = 0; slot < this.smallTags.length; slot++) {
      if (this.smallTags[slot] >= 0) denyWrite(hostTlb, this.smallTags[slot], hostPage);
    }
    for (let slot = 0; slot < this.largeTags.length; slot++) {
      if (this.largeTags[slot] < 0) continue;
      const count = this.touchedCount[slot];
      const first = this.largeTags[slot] << 10;
      if (count > TOUCHED) for (let page = first; page < first + 1024; page++) denyWrite(hostTlb, page, hostPage);
      else for (let i = 0; i < count; i++) denyWrite(hostTlb, this.touched[slot * TOUCHED + i], hostPage);
    }
  }

  /** The state after reset. The host TLB must be cleared by the caller. */
  clear(): void {
    this.smallTags.fill(-1);
    this.largeTags.fill(-1);
    this.smallNext.fill(0);
    this.largeNext.fill(0);
    this.touchedCount.fill(0);
    this.seed = this.geometry.randomSeed;
  }

  private arrays(): Int32Array[] {
    const { smallTags, smallEntries, smallNext, largeTags, largeEntries, largeNext } = this;
    return [smallTags, smallEntries, smallNext, largeTags, largeEntries, largeNext];
  }

  /** All that decides later hits and victims, as one array. */
  save(): Int32Array {
    const { sets, ways, largeSets, largeWays } = this.geometry;
    return Int32Array.from([sets, ways, largeSets, largeWays, this.seed, ...this.arrays().flatMap((a) => [...a])]);
  }

  /** Takes over what save() gave. The host TLB must be cleared by the caller. Throws MachineError for another geometry. */
  restore(saved: Int32Array): void {
    const { sets, ways, largeSets, largeWays } = this.geometry;
    if (saved[0] !== sets || saved[1] !== ways || saved[2] !== largeSets || saved[3] !== largeWays) {
      throw new MachineError("saved state of another TLB geometry");
    }
    this.seed = saved[4];
    let at = 5;
    for (const array of this.arrays()) {
      array.set(saved.subarray(at, at + array.length));
      at += array.length;
    }
    this.touchedCount.fill(0);
  }
}
