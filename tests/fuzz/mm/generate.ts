/**
 * Random programs over everything that memory management does: a function of the seed alone. Addresses are taken where it
 * matters, at the edges of slots and of what is mapped; sizes from a page to three slots, so that tables are shared, unshared, cut
 * and given up; memory that is used is little, so that every program fits in every mode.
 * May import program, order, random.
 */
import { Base, Keep, OnFault, Op } from "../../../userland/fuzz/format";
import { Random } from "../random";
import { type Maker, Order } from "./order";
import { baseOf, hasSwap, offsetOf, type Program, place, type Ticks, type Variant } from "./program";

const PAGE = 4096;
const SLOT_PAGES = 1024;
const SLOT = SLOT_PAGES * PAGE;
const ZONE_SLOTS = 3;
/** The kernel refuses to map more memory for writing than the machine has. */
const MOST_MAPPED = 6 << 20;

const READ = 1;
const WRITE = 2;
const SHARED = 1;
const PRIVATE = 2;
const FIXED = 0x10;
const GROWSDOWN = 0x100;
const MAYMOVE = 1;
const DONTNEED = 4;
const SIGKILL = 9;
const SIGTERM = 15;

/** Of so many programs each kind of machine runs. */
const VARIANT_WEIGHTS: Readonly<Record<Variant, number>> = {
  standard: 3,
  largeTlb: 2,
  poison: 1,
  softwareWp: 1,
  swap: 4,
  tight: 3,
};
/** An audit comes at every return to user mode, or at one of so many at least. */
const MOST_RETURNS = 8;
const MOST_PROCESSES = 9;
/** More timer ticks than a slice has. */
const SLICE_TICKS = 6;
const ZONES = [Base.Private, Base.Private, Base.Private, Base.Shared, Base.FileA, Base.FileB] as const;
/** Pages of a zone that are worth using: around the edges of its slots. */
const HOT_PAGES = [
  0, 1, 2, 3, 1020, 1021, 1022, 1023, 1024, 1025, 1026, 2045, 2046, 2047, 2048, 2049, 3068, 3070, 3071,
];
/** Pages on each side of a slot's edge that are mapped from the start. */
const EDGE_PAGES = 8;
/** Of the first file page that a mapping shows, so that the file's end lies in it. */
const FILE_PAGES = [0, 0, 1, 2, 5];
/** Bytes from the start of a page up to where a signal's frame of 892 bytes may end. */
const FRAME_ROOM = 1200;
const OFFSETS = [0, 0, 4, 64, 2048, 4088, 4092, 4094];

type Step = (maker: Maker) => void;

class Generator {
  private readonly order: Order;
  /** What a step may be, as often as its weight. */
  private readonly steps: Step[];

  constructor(private readonly random: Random) {
    this.order = new Order(random, () => this.usePlace(Base.Private));
    const weights: [number, Step][] = [
      [16, (maker) => this.write(maker)],
      [12, (maker) => this.read(maker)],
      [4, (maker) => this.copy(maker)],
      [3, (maker) => this.fill(maker)],
      [9, (maker) => this.fork(maker)],
      [3, (maker) => this.vfork(maker)],
      [7, (maker) => this.wait(maker)],
      [5, (maker) => this.end(maker)],
      [6, (maker) => this.map(maker)],
      [2, (maker) => this.mapAnywhere(maker)],
      [6, (maker) => this.order.add(maker, Op.Munmap, ...this.rangeToEdit(maker))],
      [7, (maker) => this.order.add(maker, Op.Mprotect, ...this.rangeToEdit(maker), this.protection())],
      [6, (maker) => this.remap(maker)],
      [5, (maker) => this.order.add(maker, Op.Madvise, ...this.range(), random.oneIn(6) ? random.below(7) : DONTNEED)],
      [2, (maker) => this.lock(maker)],
      [1, (maker) => this.order.add(maker, Op.Munlock, ...this.range())],
      [1, (maker) => this.order.add(maker, Op.Munlockall)],
      [1, (maker) => this.order.add(maker, Op.Msync, ...this.range(), random.below(5))],
      [3, (maker) => this.order.add(maker, Op.Brk, place(Base.Heap, this.heapEnd()))],
      [5, (maker) => this.file(maker)],
      [3, (maker) => this.order.message(maker, maker, 1 + random.below(500))],
      [3, (maker) => this.order.message(maker, random.pick(this.order.alive), 1 + random.below(300))],
      [3, (maker) => this.signal(maker)],
      [1, (maker) => this.order.add(maker, Op.Name, this.usePlace(Base.Private), random.pick([1, 2, 100]))],
      [1, (maker) => this.doom(maker)],
      [1, (maker) => this.exec(maker, this.usePlace(Base.Private))],
      [1, (maker) => this.kill(maker)],
      [3, (maker) => this.order.add(maker, Op.Reclaim, 1 + random.below(60))],
    ];
    this.steps = weights.flatMap(([weight, step]) => new Array<Step>(weight).fill(step));
  }

  make(): Program {
    const { random, order } = this;
    const variants = Object.entries(VARIANT_WEIGHTS).flatMap(([name, weight]) => new Array(weight).fill(name));
    const variant: Variant = random.pick(variants);
    this.begin(order.makers[0]);
    for (let left = 12 + random.below(45); left > 0; left--) random.pick(this.steps)(random.pick(order.alive));
    for (const maker of [...order.makers].reverse()) this.finish(maker);
    return {
      variant,
      evict: hasSwap(variant) ? random.next() : 1,
      auditEvery: 1 + random.below(MOST_RETURNS),
      processes: order.makers.map(({ operations }) => operations),
      ticks: order.makers.flatMap(({ number }) => this.ticksOf(number, hasSwap(variant))),
    };
  }

  /** Gives process 0 most of what it will use. */
  private begin(maker: Maker): void {
    const { random, order } = this;
    const map = (base: Base, page: number, pages: number, flags: number, file = 0) => {
      const start = place(base, page * PAGE);
      order.add(maker, Op.Mmap, start, pages * PAGE, READ | WRITE, flags | FIXED, file, 0, Keep.Nothing);
    };
    // Whole slots, in some programs; their ptes take time to look at, so mostly what lies around the edges.
    const wide = random.oneIn(6);
    const mapSlot = (base: Base, slot: number, flags: number) => {
      const first = slot * SLOT_PAGES;
      if (wide) map(base, first, SLOT_PAGES, flags);
      else for (const page of [first, first + SLOT_PAGES - EDGE_PAGES]) map(base, page, EDGE_PAGES, flags);
    };
    for (let slot = 0; slot < ZONE_SLOTS; slot++) mapSlot(Base.Private, slot, PRIVATE);
    maker.intact = new Set(HOT_PAGES);
    for (let slot = random.below(3); slot < 2; slot++) mapSlot(Base.Shared, slot, SHARED);
    if (random.oneIn(2)) map(Base.Shared, 2 * SLOT_PAGES, EDGE_PAGES, PRIVATE);
    if (random.oneIn(2)) map(Base.Shared, 3 * SLOT_PAGES - EDGE_PAGES, EDGE_PAGES, SHARED);
    for (const [file, base] of [Base.FileA, Base.FileB].entries()) {
      if (random.oneIn(3)) continue;
      order.add(maker, Op.Truncate, file, (1 + random.below(6)) * PAGE + random.pick(OFFSETS));
      map(base, 0, 8, random.oneIn(2) ? SHARED : PRIVATE, file + 1);
      map(base, SLOT_PAGES - 2, 8, random.oneIn(2) ? SHARED : PRIVATE, file + 1);
    }
    if (random.oneIn(2)) order.add(maker, Op.Brk, place(Base.Heap, this.heapEnd()));
    for (let i = random.below(4); i > 0; i--) this.write(maker);
  }

  /** Waits for what there is to wait for, most of the time, and ends. */
  private finish(maker: Maker): void {
    if (!maker.ended) {
      if (this.random.oneIn(3)) this.read(maker);
      for (const child of maker.children) {
        if (child.ended && !this.random.oneIn(6)) this.order.wait(maker, child, 0);
      }
      if (this.random.oneIn(3)) this.read(maker);
      this.order.exit(maker, this.random.below(64));
    }
  }

  private ticksOf(process: number, swap: boolean): Ticks[] {
    const { random } = this;
    return Array.from({ length: random.pick(swap ? [1, 2, 4, 6] : [0, 1, 1, 2, 3, 5]) }, () => ({
      process,
      at: 1 + random.below(2 ** (4 + random.below(10))),
      count: swap && random.oneIn(2) ? 1 + random.below(4) : SLICE_TICKS,
    }));
  }

  /** Where the heap is to end, in bytes from where it begins. */
  private heapEnd(): number {
    const { random } = this;
    return random.pick([0, 1, 3, 8, 900, 1000, 1100]) * PAGE + random.pick([0, 0, 5, 100]);
  }

  private protection(): number {
    return this.random.pick([READ | WRITE, READ | WRITE, READ, READ, 0, 5, 7, WRITE]);
  }

  /** The start of a page that may be mapped. */
  private pagePlace(): number {
    const { random } = this;
    if (random.oneIn(12)) return place(Base.Stack, -(3 + random.below(6)) * PAGE);
    if (random.oneIn(14)) return place(Base.Heap, random.pick([0, 1, 2, 940, 1000]) * PAGE);
    return place(random.pick(ZONES), random.pick(HOT_PAGES) * PAGE);
  }

  /** Bytes of a range: a few pages, most of the time; or so that it ends with its slot; or whole slots. */
  private bytes(word: number): number {
    const { random } = this;
    const page = (word & 0xfffffff) / PAGE;
    const choice = random.below(10);
    if (choice < 7) return (1 + random.below(choice < 4 ? 3 : 6)) * PAGE;
    if (choice === 7) return (SLOT_PAGES - (page % SLOT_PAGES)) * PAGE;
    return (1 + random.below(2)) * SLOT;
  }

  private range(): [word: number, bytes: number] {
    const word = this.pagePlace();
    return [word, this.bytes(word)];
  }

  /** A range whose mappings are about to change. */
  private rangeToEdit(maker: Maker): [word: number, bytes: number] {
    const [word, bytes] = this.range();
    this.edited(maker, word, bytes);
    return [word, bytes];
  }

  /** Base.Result may be the private zone. */
  private edited({ intact }: Maker, word: number, bytes: number): void {
    const base = baseOf(word);
    if (base !== Base.Private && base !== Base.Result) return;
    const first = offsetOf(word) / PAGE;
    for (const page of intact) if (page >= first && page < first + bytes / PAGE) intact.delete(page);
  }

  /** A place to use memory at, in a zone or near it. */
  private usePlace(base: number = this.random.pick(ZONES)): number {
    const { random } = this;
    return place(base, random.pick(HOT_PAGES) * PAGE + random.pick(OFFSETS));
  }

  /** A place of any kind that a process may use. */
  private anyPlace(): number {
    const { random } = this;
    if (random.oneIn(9)) return place(Base.Stack, -(3 + random.below(5)) * PAGE + random.pick(OFFSETS));
    if (random.oneIn(40)) return place(Base.Stack, -random.pick([1100, 2000, 2060]) * PAGE);
    if (random.oneIn(9)) return place(Base.Heap, random.pick([0, 1, 2, 900, 940, 999]) * PAGE + random.pick(OFFSETS));
    if (random.oneIn(10)) return place(Base.Result, random.below(3) * PAGE + random.pick(OFFSETS));
    return this.usePlace();
  }

  private words(): [words: number, stride: number] {
    const stride = this.random.pick([4, 4, 1024, PAGE, PAGE, PAGE + 4]);
    return [1 + this.random.below(stride >= PAGE ? 5 : 12), stride];
  }

  private write(maker: Maker): void {
    const word = this.anyPlace();
    const value = this.random.next();
    this.order.add(maker, Op.Write, word, ...this.words(), value);
  }

  private read(maker: Maker): void {
    this.order.add(maker, Op.Read, this.anyPlace(), ...this.words());
  }

  private copy(maker: Maker): void {
    const [to, from] = [this.anyPlace(), this.anyPlace()];
    const bytes = 1 + this.random.below(this.random.oneIn(3) ? 3 * PAGE : 300);
    this.order.add(maker, Op.Copy, to, from, bytes);
  }

  private fill(maker: Maker): void {
    const word = this.anyPlace();
    const bytes = 1 + this.random.below(this.random.oneIn(3) ? 3 * PAGE : 300);
    this.order.add(maker, Op.Fill, word, bytes, this.random.below(256));
  }

  private fork(maker: Maker): void {
    if (this.order.makers.length >= MOST_PROCESSES) return;
    const child = this.order.fork(maker);
    // What comes right after a fork matters most.
    for (let i = this.random.below(3); i > 0; i--) this.write(this.random.pick([maker, child]));
  }

  /** The child uses and edits its parent's memory, and ends or calls exec. */
  private vfork(maker: Maker): void {
    const { random, order } = this;
    if (order.makers.length >= MOST_PROCESSES) return;
    order.vfork(maker, (child) => {
      for (let i = random.below(6); i > 0; i--) {
        const step = random.below(8);
        if (step < 3) this.write(child);
        else if (step === 3) this.read(child);
        else if (step === 4) order.add(child, Op.Munmap, ...this.rangeToEdit(child));
        else if (step === 5) order.add(child, Op.Mprotect, ...this.rangeToEdit(child), this.protection());
        else if (step === 6) this.map(child);
        else this.file(child);
      }
      // An exec that fails would leave the parent waiting, so its string is one that can be read.
      if (random.oneIn(2) && child.intact.size > 0) this.exec(child, this.intactPlace(child));
      else order.exit(child, random.below(64));
    });
  }

  private wait(maker: Maker): void {
    const child = [...maker.children].find(({ ended }) => ended);
    if (child === undefined) return;
    this.order.wait(maker, child, this.random.oneIn(2) ? this.usePlace(Base.Private) : 0);
  }

  private end(maker: Maker): void {
    if (maker.number !== 0) this.order.exit(maker, this.random.below(64));
  }

  private map(maker: Maker): void {
    const { random } = this;
    const [word, range] = this.rangeToEdit(maker);
    const bytes = Math.min(range, MOST_MAPPED);
    const base = baseOf(word);
    const ofFile = base === Base.FileA || base === Base.FileB;
    const file = ofFile && !random.oneIn(4) ? base - Base.FileA + 1 : 0;
    const isShared = ofFile ? file > 0 && random.oneIn(2) : base === Base.Shared && random.oneIn(2);
    let flags = (isShared ? SHARED : PRIVATE) | FIXED;
    if (!isShared && file === 0 && random.oneIn(10)) flags |= GROWSDOWN;
    this.order.add(maker, Op.Mmap, word, bytes, this.protection(), flags, file, random.pick(FILE_PAGES), Keep.Nothing);
  }

  /** A mapping where the kernel likes. */
  private mapAnywhere(maker: Maker): void {
    const { random } = this;
    const bytes = random.pick([1, 3, 8, SLOT_PAGES, SLOT_PAGES + 2]) * PAGE;
    const file = random.oneIn(3) ? 1 + random.below(2) : 0;
    const isShared = random.oneIn(2);
    this.order.add(
      maker,
      Op.Mmap,
      random.oneIn(3) ? this.pagePlace() : place(Base.Null, 0),
      bytes,
      READ | WRITE,
      isShared ? SHARED : PRIVATE,
      file,
      0,
      Keep.Result,
    );
  }

  private remap(maker: Maker): void {
    const { random } = this;
    const useResult = random.oneIn(8);
    const from = useResult ? place(Base.Result, 0) : this.pagePlace();
    const old = this.bytes(from);
    let size = random.oneIn(3) ? old : (1 + random.below(8)) * PAGE;
    if (random.oneIn(5) && !maker.locks) size = old + random.pick([1, 2, SLOT_PAGES]) * PAGE;
    const fixed = !useResult && random.oneIn(2);
    const flags = fixed ? 3 : random.oneIn(4) ? 0 : MAYMOVE;
    // Within its zone, so that what a place shows stays known.
    const target = fixed ? place(baseOf(from), random.pick(HOT_PAGES) * PAGE) : place(Base.Null, 0);
    const keeps = useResult || (!fixed && flags === MAYMOVE && random.oneIn(2));
    this.edited(maker, from, old);
    this.edited(maker, target, size);
    this.order.add(maker, Op.Mremap, from, old, size, flags, target, keeps ? Keep.Result : Keep.Nothing);
  }

  /** Fills what it locks, so it uses what that shows. */
  private lock(maker: Maker): void {
    maker.locks = true;
    this.order.add(maker, Op.Mlock, this.pagePlace(), (1 + this.random.below(4)) * PAGE);
  }

  private file(maker: Maker): void {
    const { random } = this;
    const file = random.below(2);
    const offset = random.below(7) * PAGE + random.pick(OFFSETS);
    const bytes = 1 + random.below(random.oneIn(3) ? 2 * PAGE : 200);
    const word = random.oneIn(2) ? this.usePlace(Base.Private) : this.anyPlace();
    const op = random.pick([Op.FileRead, Op.FileRead, Op.FileWrite, Op.FileWrite, Op.Truncate]);
    if (op === Op.Truncate) this.order.add(maker, op, file, offset);
    else this.order.add(maker, op, file, offset, word, bytes);
  }

  /** Where its frame can be written: a process that has no place for one is killed, and others would wait for it. */
  private signal(maker: Maker): void {
    if (maker.intact.size === 0) return;
    this.order.add(maker, Op.Signal, this.intactPlace(maker) + FRAME_ROOM);
  }

  /** The start of a page that a process can read and write. */
  private intactPlace({ intact }: Maker): number {
    return place(Base.Private, this.random.pick([...intact]) * PAGE);
  }

  /** From here on faults end a process, or kill it; nobody hears of it any more but by its status. */
  private doom(maker: Maker): void {
    if (maker.number === 0) return;
    maker.doomed = true;
    this.order.add(maker, Op.Handle, this.random.pick([OnFault.Die, OnFault.Leave]));
    const bad = this.random.pick([place(Base.Null, 0), place(Base.Null, -4096), place(Base.Stack, 0x1000)]);
    if (this.random.oneIn(2)) this.order.add(maker, Op.Read, bad, 1, 4);
  }

  private exec(maker: Maker, text: number): void {
    this.order.exec(maker, text);
    this.map(maker);
    this.map(maker);
  }

  private kill(maker: Maker): void {
    const child = [...maker.children].find(({ ended, doomed }) => !ended && !doomed);
    if (child) this.order.kill(maker, child, this.random.pick([SIGKILL, SIGTERM]));
  }
}

/** The program of a seed. */
export function generate(seed: number): Program {
  return new Generator(new Random(seed)).make();
}
