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
 * Entries of one size are a Bank; its `slotOf` finds a page's slot at once, and its list of occupied slots is what a flush goes
 * through, so that neither depends on the geometry.
 * May import arena.ts, costs.ts and errors.ts. Source: Intel SDM volume 3, section 4.10.2.
 */
import type { Arena } from "./arena";
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

/** The entries of one page size. A slot is a way of a set; sets follow each other. Compiled code fills it too (compile/walk.ts). */
export class Bank {
  /** Page number, or -1 for none; translation. By slot. */
  readonly tags: Int32Array;
  readonly entries: Int32Array;
  /** By set: the way that is replaced next. */
  readonly next: Int32Array;
  /** By page number: its slot and 1, or 0. */
  readonly slotOf: Int32Array;
  /** All slots that have an entry, and some that had one; those in the list; how many there are (one word). */
  readonly occupied: Int32Array;
  readonly listed: Uint8Array;
  readonly count: Int32Array;

  /** `drop` clears the host entries behind a slot. */
  constructor(
    arena: Arena,
    readonly sets: number,
    readonly ways: number,
    pages: number,
    private readonly drop: (slot: number, hostTlb: Int32Array) => void,
  ) {
    this.tags = arena.words(sets * ways).fill(-1);
    this.entries = arena.words(sets * ways);
    this.next = arena.words(sets);
    this.slotOf = arena.words(pages);
    this.occupied = arena.words(sets * ways);
    this.listed = arena.bytes(sets * ways);
    this.count = arena.words(1);
  }

  find(page: number): number {
    return this.slotOf[page] - 1;
  }

  /** An empty way of the page's set, or -1. */
  emptyWay(page: number): number {
    const first = (page & (this.sets - 1)) * this.ways;
    for (let slot = first; slot < first + this.ways; slot++) if (this.tags[slot] === -1) return slot;
    return -1;
  }

  firstWay(page: number): number {
    return (page & (this.sets - 1)) * this.ways;
  }

  /** The way of the page's set whose turn it is. */
  takeTurn(page: number): number {
    const set = page & (this.sets - 1);
    const way = this.next[set];
    this.next[set] = way + 1 === this.ways ? 0 : way + 1;
    return set * this.ways + way;
  }

  /** Fills an empty slot. */
  set(slot: number, page: number, entry: number): void {
    this.tags[slot] = page;
    this.entries[slot] = entry;
    this.slotOf[page] = slot + 1;
    if (this.listed[slot] !== 0) return;
    this.listed[slot] = 1;
    this.occupied[this.count[0]++] = slot;
  }

  /** Empties a slot, with the host entries behind it. */
  empty(slot: number, hostTlb: Int32Array): void {
    const page = this.tags[slot];
    if (page < 0) return;
    this.drop(slot, hostTlb);
    this.slotOf[page] = 0;
    this.tags[slot] = -1;
  }

  /** Empties all slots whose entry has none of the bits in `keep`. */
  flush(keep: number, hostTlb: Int32Array): void {
    const { tags, entries, occupied, listed } = this;
    let kept = 0;
    for (let i = 0; i < this.count[0]; i++) {
      const slot = occupied[i];
      if (tags[slot] >= 0 && (entries[slot] & keep) !== 0) {
        occupied[kept++] = slot;
        continue;
      }
      listed[slot] = 0;
      this.empty(slot, hostTlb);
    }
    this.count[0] = kept;
  }

  /** Clears the host entries behind all slots; the slots stay. */
  dropHost(hostTlb: Int32Array): void {
    this.forEach((slot) => {
      this.drop(slot, hostTlb);
    });
  }

  /** Calls `visit` for each slot that has an entry. */
  forEach(visit: (slot: number) => void): void {
    for (let i = 0; i < this.count[0]; i++) if (this.tags[this.occupied[i]] >= 0) visit(this.occupied[i]);
  }

  clear(): void {
    this.forEach((slot) => {
      this.slotOf[this.tags[slot]] = 0;
      this.tags[slot] = -1;
    });
    this.listed.fill(0);
    this.count[0] = 0;
    this.next.fill(0);
  }

  /** Makes slotOf and the list anew, after the arrays were set from outside. */
  rebuild(): void {
    this.slotOf.fill(0);
    this.listed.fill(0);
    this.count[0] = 0;
    for (let slot = 0; slot < this.tags.length; slot++) {
      if (this.tags[slot] >= 0) this.set(slot, this.tags[slot], this.entries[slot]);
    }
  }
}

const SMALL_PAGES = 1 << 20;
const LARGE_PAGES = 1 << 10;

/** Bytes of an arena that a TLB of this geometry takes, and some to spare. */
export function tlbBytes({ sets, ways, largeSets, largeWays }: TlbGeometry): number {
  const slots = sets * ways + largeSets * largeWays;
  return 4 * (SMALL_PAGES + LARGE_PAGES + sets + largeSets) + slots * (16 + 4 * TOUCHED) + 256;
}

export class ChargedTlb {
  readonly small: Bank;
  readonly large: Bank;
  readonly smallTags: Int32Array;
  readonly smallEntries: Int32Array;
  readonly largeTags: Int32Array;
  readonly largeEntries: Int32Array;
  /** TOUCHED linear page numbers for each large entry, and how many there are (more than TOUCHED: uncounted). */
  private readonly touched: Int32Array;
  private readonly touchedCount: Int32Array;
  private seed: number;

  constructor(
    arena: Arena,
    readonly geometry: TlbGeometry,
  ) {
    const { sets, ways, largeSets, largeWays, randomSeed } = geometry;
    this.small = new Bank(arena, sets, ways, SMALL_PAGES, (slot, hostTlb) => {
      hostTlb[this.smallTags[slot]] = 0;
    });
    this.large = new Bank(arena, largeSets, largeWays, LARGE_PAGES, (slot, hostTlb) => this.dropTouched(slot, hostTlb));
    this.smallTags = this.small.tags;
    this.smallEntries = this.small.entries;
    this.largeTags = this.large.tags;
    this.largeEntries = this.large.entries;
    this.touched = arena.words(largeSets * largeWays * TOUCHED);
    this.touchedCount = arena.words(largeSets * largeWays);
    this.seed = randomSeed;
  }

  /** Slot of the 4 KB entry for a linear address, or -1. */
  findSmall(linear: number): number {
    return this.small.find(linear >>> 12);
  }

  /** Slot of the 4 MB entry for a linear address, or -1. */
  findLarge(linear: number): number {
    return this.large.find(linear >>> 22);
  }

  /** The slot that a new 4 KB entry for a linear address goes to: an empty way, else the set's victim. */
  chooseSmall(linear: number): number {
    return this.choose(this.small, linear >>> 12, this.geometry.ways);
  }

  /** The same for a 4 MB entry. */
  chooseLarge(linear: number): number {
    return this.choose(this.large, linear >>> 22, this.geometry.largeWays);
  }

  private choose(bank: Bank, page: number, ways: number): number {
    const empty = bank.emptyWay(page);
    if (empty >= 0) return empty;
    if (this.geometry.randomSeed < 0) return bank.takeTurn(page);
    // Numerical Recipes' generator; its high bits are the good ones.
    this.seed = (Math.imul(this.seed, 1664525) + 1013904223) | 0;
    return bank.firstWay(page) + ((this.seed >>> 8) % ways);
  }

  /** Fills a slot that is empty. */
  setSmall(slot: number, linear: number, entry: number): void {
    this.small.set(slot, linear >>> 12, entry);
  }

  setLarge(slot: number, linear: number, entry: number): void {
    this.large.set(slot, linear >>> 22, entry);
    this.touchedCount[slot] = 0;
  }

  /** Empties a slot, with the host entries behind it. */
  emptySmall(slot: number, hostTlb: Int32Array): void {
    this.small.empty(slot, hostTlb);
  }

  emptyLarge(slot: number, hostTlb: Int32Array): void {
    this.large.empty(slot, hostTlb);
  }

  /** Remembers that a host entry for a linear address was made under a large entry. */
  touch(slot: number, linear: number): void {
    const count = this.touchedCount[slot];
    if (count < TOUCHED) this.touched[slot * TOUCHED + count] = linear >>> 12;
    if (count <= TOUCHED) this.touchedCount[slot] = count + 1;
  }

  /** Clears the host entries that were made under a large entry. */
  private dropTouched(slot: number, hostTlb: Int32Array): void {
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
    this.small.flush(keep, hostTlb);
    this.large.flush(keep, hostTlb);
  }

  /** Clears the host entries behind all slots; the slots stay. */
  dropHost(hostTlb: Int32Array): void {
    this.small.dropHost(hostTlb);
    this.large.dropHost(hostTlb);
  }

  /** Takes the write bits from all host entries for a page at this host offset. */
  denyWrites(hostTlb: Int32Array, hostPage: number): void {
    this.small.forEach((slot) => {
      denyWrite(hostTlb, this.smallTags[slot], hostPage);
    });
    this.large.forEach((slot) => {
      const count = this.touchedCount[slot];
      const first = this.largeTags[slot] << 10;
      if (count > TOUCHED) for (let page = first; page < first + 1024; page++) denyWrite(hostTlb, page, hostPage);
      else for (let i = 0; i < count; i++) denyWrite(hostTlb, this.touched[slot * TOUCHED + i], hostPage);
    });
  }

  /** The state after reset. The host TLB must be cleared by the caller. */
  clear(): void {
    this.small.clear();
    this.large.clear();
    this.touchedCount.fill(0);
    this.seed = this.geometry.randomSeed;
  }

  private arrays(): Int32Array[] {
    const { small, large } = this;
    return [small, large].flatMap(({ tags, entries, next }) => [tags, entries, next]);
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
    this.small.rebuild();
    this.large.rebuild();
    this.touchedCount.fill(0);
  }
}
