/**
 * Random edits, accesses, forks and ends of address spaces against a model of what programs may see, in fork=copy and fork=share, on a
 * machine so small that memory runs out, with allocations failing at random. After every step the invariants are recomputed. A failure
 * names its seed: `FUZZ_SEED=n FUZZ_SEEDS=1 node tests/run.mjs kernel/mmfuzz`.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../fuzz/random";
import { audit } from "./mmaudit";
import { ENOMEM, FAULT, KERNEL_BASE, MAP, PAGE, PROT, World } from "./mmworld";

const test = suite("kernel/mm fuzz");
const SEEDS = Number(process.env.FUZZ_SEEDS ?? 16);
const FIRST_SEED = Number(process.env.FUZZ_SEED ?? 1);
const STEPS = 120;
const MAX_SPACES = 5;
/** All mappings are made in this many pages, which end in the middle of a slot. */
const AREA = 0x40000000;
const AREA_PAGES = 2.5 * 1024;

/** Low memory that images are mapped from: its words are their own addresses. */
const SOURCE = KERNEL_BASE + 0x10000;
const SOURCE_PAGES = 64;

/** What a page holds: one word, at a place that depends on the page. A cell is one page, whoever sees it. */
interface Cell {
  value: number;
}
interface Mapping {
  prot: number;
  shared: boolean;
  cell: Cell;
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
    else if (act < 76) this.protect();
    else if (act < 84) this.fork();
    else if (act < 88) this.end();
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
      const at = this.address(page) + this.wordOf(page);
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
    for (let i = page; i < page + pages; i++) this.space.set(i, { prot, shared, cell: { value: 0 } });
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
      this.space.set(i, { prot, shared: false, cell: { value } });
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

  fork(): void {
    if (this.spaces.size >= MAX_SPACES) return;
    const child = this.world.fork();
    if (child === 0) return;
    const copy: Space = new Map();
    for (const [page, { prot, shared, cell }] of this.space) {
      copy.set(page, { prot, shared, cell: shared ? cell : { value: cell.value } });
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
        const found = this.world.access(this.address(page) + this.wordOf(page), false);
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

for (const share of [false, true]) {
  test(`${SEEDS} random runs, fork=${share ? "share" : "copy"}`, async () => {
    let unshared = 0;
    let shared = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const world = await World.boot({ megabytes: seed % 3 === 0 ? 12 : 18, share, poison: seed % 2 === 0 });
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
