/**
 * Random edits, accesses, forks and ends of address spaces against a model of what programs may see, in each fork mode, on a
 * machine so small that memory runs out, with allocations failing at random. After every step the invariants are recomputed. A failure
 * names its seed: `FUZZ_SEED=n FUZZ_SEEDS=1 node tests/run.mjs kernel/mmfuzz`.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../fuzz/random";
import { audit } from "./mmaudit";
import {
  EFAULT,
  EINVAL,
  ENOMEM,
  FAULT,
  KERNEL_BASE,
  MADV_DONTNEED,
  MAP,
  MREMAP,
  PAGE,
  PROT,
  PTE,
  World,
} from "./mmworld";

const test = suite("kernel/mm fuzz");
const SEEDS = Number(process.env.FUZZ_SEEDS ?? 16);
const FIRST_SEED = Number(process.env.FUZZ_SEED ?? 1);
const STEPS = 100;
const MAX_SPACES = 5;
/** All mappings are made in this many pages, which end in the middle of a slot. */
const AREA = 0x40000000;
const AREA_PAGES = 2.5 * 1024;

/** Low memory that images are mapped from: its words are their own addresses. */
const SOURCE = KERNEL_BASE + 0x10000;
const SOURCE_PAGES = 64;

/** What a page holds: one word, at offset `word`. A cell is one page, whoever sees it, wherever it moves to. */
interface Cell {
  value: number;
  word: number;
}
interface Mapping {
  prot: number;
  /** Of shared memory: all pages that it has, and which of them this is. */
  object: Map<number, Cell> | undefined;
  index: number;
  locked: boolean;
  cell: Cell;
  /** What private memory reads as when its page has been dropped. */
  initial: number;
}
type Space = Map<number, Mapping>;

/** One run: the kernel and the model side by side. */
class Run {
  readonly random: Random;
  readonly spaces = new Map<number, Space>();
  /** Pages that are likely to be touched: edges of slots and what mappings begin with. */
  private focus: number[] = [0, 1023, 1024, 1025, 2047, 2048];
  value = 1;

  constructor(
    readonly world: World,
    seed: number,
  ) {
    this.random = new Random(seed);
    this.spaces.set(world.create(), new Map());
    for (let at = SOURCE; at < SOURCE + SOURCE_PAGES * PAGE; at += 4) world.write(at, at);
  }

  get space(): Space {
    return this.spaces.get(this.world.current)!;
  }

  address(page: number): number {
    return AREA + page * PAGE;
  }

  /** Offset in a page of the word that is used. */
  wordOf(page: number): number {
    return (page % 1024) * 4;
  }

  somePage(): number {
    const { random } = this;
    return random.oneIn(3)
      ? random.below(AREA_PAGES)
      : Math.min(AREA_PAGES - 1, random.pick(this.focus) + random.below(4));
  }

  /** A range: pages, mostly few, at times slots. */
  range(): { page: number; pages: number } {
    const page = this.somePage();
    const wanted = this.random.oneIn(4) ? this.random.below(AREA_PAGES) : 1 + this.random.below(6);
    return { page, pages: Math.max(1, Math.min(wanted, AREA_PAGES - page)) };
  }

  step(): void {
    const { random } = this;
    const fails = random.oneIn(8) ? 1 + random.below(6) : 0;
    this.world.kernel.failAllocation(fails);
    const act = random.below(100);
    if (act < 45) this.touch();
    else if (act < 55) this.map();
    else if (act < 58) this.mapImage();
    else if (act < 68) this.unmap();
    else if (act < 74) this.protect();
    else if (act < 79) this.remap();
    else if (act < 82) this.drop();
    else if (act < 85) this.lock();
    else if (act < 90) this.fork();
    else if (act < 93) this.end();
    else this.activate();
    this.world.kernel.failAllocation(0);
    audit(this.world);
  }

  touch(): void {
    for (let times = 1 + this.random.below(12); times > 0; times--) {
      const page = this.somePage();
      const write = this.random.oneIn(2);
      const mapping = this.space.get(page);
      const allowed = mapping !== undefined && (mapping.prot & (write ? PROT.write : PROT.rw)) !== 0;
      const at = this.address(page) + (mapping?.cell.word ?? 0);
      const found = this.world.access(at, write);
      if ("fault" in found) {
        assert.is(found.fault, allowed ? FAULT.outOfMemory : FAULT.badAccess);
        continue;
      }
      assert.ok(allowed, `access to ${at.toString(16)} was let through`);
      if (!mapping) continue;
      assert.is(this.world.read(found.at), mapping.cell.value, `at ${at.toString(16)}`);
      if (write) {
        mapping.cell.value = this.value++;
        this.world.write(found.at, mapping.cell.value);
      }
    }
  }

  map(): void {
    const { page, pages } = this.range();
    const shared = this.random.oneIn(3);
    const prot = this.random.pick([PROT.rw, PROT.rw, PROT.read, PROT.none]);
    const flags = MAP.fixed | (shared ? MAP.shared : MAP.private);
    const result = this.world.mmap(this.address(page), pages * PAGE, prot, flags);
    if (result === ENOMEM) return;
    assert.is(result, this.address(page));
    this.focus.push(page);
    const object = shared ? new Map<number, Cell>() : undefined;
    for (let i = page; i < page + pages; i++) this.setMapping(i, prot, object, i - page, false);
  }

  /** The model of one page mapped: of an object, or fresh. */
  setMapping(page: number, prot: number, object: Map<number, Cell> | undefined, index: number, locked: boolean): void {
    const cell = object?.get(index) ?? { value: 0, word: this.wordOf(page) };
    object?.set(index, cell);
    this.space.set(page, { prot, object, index, locked, cell, initial: 0 });
  }

  /** exec's kind of mapping: some bytes of the source, not from a page boundary on, and zeros after them. */
  mapImage(): void {
    const { page, pages } = this.range();
    const lead = this.random.below(1000) * 4;
    const from = SOURCE + this.random.below(SOURCE_PAGES - 8) * PAGE;
    const bytes = pages * PAGE - lead;
    const fileBytes = Math.min(bytes, this.random.below(7 * 1024) * 4);
    const { world } = this;
    const prot = this.random.pick([PROT.rw, PROT.read]);
    const at = this.address(page);
    const result = world.kernel.mapImage(world.current, at + lead, bytes, from + lead, fileBytes, prot);
    if (result === ENOMEM) return;
    assert.is(result, 0);
    for (let i = page; i < page + pages; i++) {
      const offset = (i - page) * PAGE + this.wordOf(i);
      const value = fileBytes > 0 && offset < lead + fileBytes ? from + offset : 0;
      const cell = { value, word: this.wordOf(i) };
      this.space.set(i, { prot, object: undefined, index: 0, locked: false, cell, initial: value });
    }
  }

  unmap(): void {
    const { page, pages } = this.range();
    const result = this.world.kernel.doMunmap(this.world.current, this.address(page), pages * PAGE);
    if (result === ENOMEM) return;
    assert.is(result, 0);
    for (let i = page; i < page + pages; i++) this.space.delete(i);
  }

  protect(): void {
    const { page, pages } = this.range();
    const prot = this.random.pick([PROT.rw, PROT.read, PROT.none]);
    const result = this.world.kernel.doMprotect(this.world.current, this.address(page), pages * PAGE, prot);
    if (result === ENOMEM) return;
    assert.is(result, 0);
    for (let i = page; i < page + pages; i++) {
      const mapping = this.space.get(i);
      assert.ok(mapping, "mprotect of a hole");
      if (mapping) mapping.prot = prot;
    }
  }

  /** mremap in all its forms. Where the kernel says that it is several mappings, nothing has happened. */
  remap(): void {
    const { random, space } = this;
    const { page, pages } = this.range();
    const target = this.somePage();
    const flags = random.pick([0, MREMAP.mayMove, MREMAP.mayMove, MREMAP.mayMove | MREMAP.fixed]);
    const room = AREA_PAGES - (flags & MREMAP.fixed ? target : page);
    const wanted = Math.max(1, Math.min(room, random.oneIn(2) ? pages : pages + random.below(40) - 10));
    const from = this.address(page);
    const result = this.world.mremap(from, pages * PAGE, wanted * PAGE, flags, this.address(target));
    if (result === EFAULT || result === ENOMEM) return;
    if (result === EINVAL) {
      assert.ok(flags & MREMAP.fixed && target < page + pages && page < target + wanted);
      return;
    }
    const to = (result - AREA) / PAGE;
    if (flags & MREMAP.fixed) assert.is(to, target);
    if (!(flags & MREMAP.mayMove)) assert.is(to, page);
    const moved: Mapping[] = [];
    for (let i = page; i < page + pages; i++) {
      const mapping = space.get(i);
      assert.ok(mapping, "mremap of a hole");
      if (mapping) moved.push(mapping);
      space.delete(i);
    }
    const last = moved[pages - 1];
    for (let i = 0; i < wanted; i++) {
      const mapping = moved[i];
      if (mapping) space.set(to + i, mapping);
      else this.setMapping(to + i, last.prot, last.object, last.index + i - pages + 1, last.locked);
    }
  }

  /** madvise(MADV_DONTNEED). */
  drop(): void {
    const { page, pages } = this.range();
    const range = Array.from({ length: pages }, (_, i) => this.space.get(page + i));
    const result = this.world.kernel.doMadvise(this.world.current, this.address(page), pages * PAGE, MADV_DONTNEED);
    if (result === ENOMEM) return;
    assert.is(result, range.some((mapping) => mapping?.locked) ? EINVAL : 0);
    if (result !== 0) return;
    for (const mapping of range) {
      assert.ok(mapping, "madvise of a hole");
      if (mapping && !mapping.object) mapping.cell.value = mapping.initial;
    }
  }

  /** mlock or munlock of some pages. */
  lock(): void {
    const { page, pages } = this.range();
    const { world } = this;
    const wanted = Math.min(pages, 40);
    const locked = this.random.below(3) > 0;
    const call = locked ? world.kernel.doMlock : world.kernel.doMunlock;
    const result = call(world.current, this.address(page) + this.random.below(PAGE), (wanted - 1) * PAGE + 1);
    if (result === ENOMEM) return;
    assert.is(result, 0);
    for (let i = page; i < page + wanted; i++) {
      const mapping = this.space.get(i);
      assert.ok(mapping, "mlock of a hole");
      if (!mapping) continue;
      mapping.locked = locked;
      if (locked && mapping.prot !== PROT.none) assert.ok(world.pte(world.current, this.address(i)) & PTE.present);
    }
  }

  fork(): void {
    if (this.spaces.size >= MAX_SPACES) return;
    const child = this.world.fork(this.address(0));
    if (child === 0) return;
    const copy: Space = new Map();
    for (const [page, mapping] of this.space) {
      const { object, cell } = mapping;
      copy.set(page, { ...mapping, locked: false, cell: object ? cell : { ...cell } });
    }
    this.spaces.set(child, copy);
  }

  end(): void {
    if (this.spaces.size === 1) return;
    const victim = this.random.pick([...this.spaces.keys()]);
    this.world.destroy(victim);
    this.spaces.delete(victim);
    if (this.world.current === 0) this.activate();
  }

  activate(): void {
    this.world.activate(this.random.pick([...this.spaces.keys()]));
  }

  /** Every process reads all that it may, then ends; then all memory is free. */
  finish(): void {
    for (const [mm, space] of this.spaces) {
      this.world.activate(mm);
      for (const [page, { prot, cell }] of space) {
        const found = this.world.access(this.address(page) + cell.word, false);
        if ("fault" in found) assert.is(found.fault, prot === PROT.none ? FAULT.badAccess : FAULT.outOfMemory);
        else assert.is(this.world.read(found.at), cell.value);
      }
      audit(this.world);
    }
    for (const mm of this.spaces.keys()) this.world.destroy(mm);
    audit(this.world);
    assert.is(this.world.freeFrames(), this.world.bootFree);
    assert.is(this.world.counter("faultsSpurious"), 0, "a flush was left out");
  }
}

for (const mode of ["copy", "share", "auto"] as const) {
  const share = mode !== "copy";
  const auto = mode === "auto";
  test(`${SEEDS} random runs, fork=${mode}`, async () => {
    let unshared = 0;
    let shared = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const world = await World.boot({ megabytes: seed % 3 === 0 ? 12 : 18, share, auto, poison: seed % 2 === 0 });
      const run = new Run(world, seed);
      try {
        for (let step = 0; step < STEPS; step++) run.step();
        run.finish();
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
      unshared += world.counter("tablesUnshared");
      shared += world.counter("tablesShared");
    }
    assert.is(unshared > 0, share);
    assert.is(shared > 0, share);
  });
}

test.run();
