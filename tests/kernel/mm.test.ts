/** kernel/mm against its properties, one by one, in V8 (mmworld.ts). The same properties run on the machine in tests/guest. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { audit, rmapOf } from "./mmaudit";
import { EFAULT, EINVAL, ENOMEM, FAULT, MADV_DONTNEED, MAP, MREMAP, PAGE, PROT, PTE, SLOT, World } from "./mmworld";

const test = suite("kernel/mm");
const AREA = 0x40000000;

/** A world with one address space that has written `pages` pages from AREA on, in one private mapping of `bytes`. */
async function populated(share: boolean, pages = 8, bytes = 2 * SLOT): Promise<World> {
  const world = await World.boot({ megabytes: 20, share, poison: true });
  world.create();
  assert.is(world.mmap(AREA, bytes, PROT.rw, MAP.private | MAP.fixed), AREA);
  for (let i = 0; i < pages; i++) world.store(AREA + i * PAGE, i + 1);
  return world;
}

function tableBytes(world: World, mm: number, address: number): number[] {
  const table = world.pteAddress(world.pde(mm, address), 0);
  return Array.from({ length: 1024 }, (_, i) => world.read(table + i * 4));
}

function end(world: World): void {
  audit(world);
  for (const mm of [...world.spaces]) {
    world.destroy(mm);
    audit(world);
  }
  assert.is(world.freeFrames(), world.bootFree);
}

test("P1 P2 P4 fork takes one frame, protects both pdes, and leaves the table as it was", async () => {
  const world = await populated(true);
  const parent = world.current;
  const before = tableBytes(world, parent, AREA);
  const free = world.freeFrames() + world.kernel.framesOfKind(4);
  const rmap = world.counter("rmapAdded");
  const child = world.fork();
  assert.is(world.freeFrames() + world.kernel.framesOfKind(4), free - 1);
  assert.is(world.counter("rmapAdded"), rmap);
  assert.is(world.users(parent, AREA), 2);
  assert.is(world.pde(parent, AREA) & PTE.write, 0);
  assert.is(world.pde(child, AREA), world.pde(parent, AREA));
  assert.equal(tableBytes(world, child, AREA), before);
  world.fork();
  assert.is(world.users(parent, AREA), 3);
  end(world);
});

test("P3 a write right after fork is not seen by the child", async () => {
  for (const share of [false, true]) {
    const world = await populated(share);
    const child = world.fork();
    world.store(AREA, 1000);
    world.activate(child);
    assert.is(world.load(AREA), 1);
    end(world);
  }
});

test("P9 P10 P12 P37 unsharing gives the writer a table, clears W in both, and adds one rmap entry a page", async () => {
  const world = await populated(true);
  const parent = world.current;
  const child = world.fork();
  const oldPde = world.pde(parent, AREA);
  world.activate(child);
  world.store(AREA, 99);
  assert.is(world.pde(parent, AREA), oldPde);
  assert.is.not(world.pde(child, AREA) >>> 12, oldPde >>> 12);
  assert.is(world.users(parent, AREA), 1);
  assert.is(world.users(child, AREA), 1);
  for (let i = 1; i < 8; i++) {
    assert.is(world.pte(parent, AREA + i * PAGE) & PTE.write, 0);
    assert.is(world.pte(child, AREA + i * PAGE) & PTE.write, 0);
    assert.is(rmapOf(world, world.page(world.pte(parent, AREA + i * PAGE))).length, 2);
  }
  assert.is(world.counter("cowCopies"), 1);
  assert.is(world.load(AREA), 99);
  world.activate(parent);
  assert.is(world.load(AREA), 1);
  end(world);
});

test("P13 P14 the last sharer gets its pde back and copies nothing", async () => {
  const world = await populated(true);
  const child = world.fork();
  world.destroy(child);
  const free = world.freeFrames();
  world.store(AREA, 5);
  assert.is(world.freeFrames(), free);
  assert.is(world.counter("tablesReclaimed"), 1);
  assert.is(world.counter("tablesUnshared"), 0);
  const faults = world.counter("faults");
  world.store(AREA + PAGE, 6);
  assert.is(world.counter("faults"), faults);
  end(world);
});

test("P11 MAP_SHARED pages stay shared: alone in a slot without a fault, beside private ones through unsharing", async () => {
  for (const share of [false, true]) {
    const world = await populated(share);
    const parent = world.current;
    const alone = 0x50000000;
    world.mmap(alone, SLOT, PROT.rw, MAP.shared | MAP.fixed);
    world.mmap(AREA + PAGE, PAGE, PROT.rw, MAP.shared | MAP.fixed);
    world.store(alone, 1);
    world.store(AREA + PAGE, 2);
    const child = world.fork();
    const unshared = world.counter("tablesUnshared");
    world.store(alone, 3);
    world.store(alone + PAGE, 4);
    assert.is(world.counter("tablesUnshared"), unshared);
    world.activate(child);
    assert.is(world.load(alone), 3);
    assert.is(world.load(alone + PAGE), 4);
    assert.is(world.load(AREA + PAGE), 2);
    world.store(AREA + PAGE, 5);
    world.store(alone + 2 * PAGE, 6);
    assert.is(world.counter("faultsSpurious"), 0);
    for (const mm of [parent, child]) assert.is.not(world.pte(mm, AREA + PAGE) & PTE.write, 0);
    if (share) assert.is.not(world.pde(parent, alone) & PTE.write, 0);
    world.activate(parent);
    assert.is(world.load(AREA + PAGE), 5);
    assert.is(world.load(alone + 2 * PAGE), 6);
    end(world);
  }
});

test("P11 what is left of a shared mapping shows the same pages as before", async () => {
  for (const share of [false, true]) {
    const world = await World.boot({ megabytes: 20, share, poison: true });
    const parent = world.create();
    world.mmap(AREA, 4 * PAGE, PROT.rw, MAP.shared | MAP.fixed);
    const child = world.fork();
    // Another object, whose end would fit the rest of the first: pages 0 and 1 of one, then 2 and 3 of the other.
    world.mmap(AREA, 2 * PAGE, PROT.rw, MAP.shared | MAP.fixed);
    world.activate(child);
    for (let i = 0; i < 4; i++) world.store(AREA + i * PAGE, 10 + i);
    world.activate(parent);
    assert.equal(
      [0, 1, 2, 3].map((i) => world.load(AREA + i * PAGE)),
      [0, 0, 12, 13],
    );
    world.kernel.doMunmap(parent, AREA + 2 * PAGE, PAGE);
    world.store(AREA + 3 * PAGE, 23);
    world.activate(child);
    assert.is(world.load(AREA + 3 * PAGE), 23);
    end(world);
  }
});

test("P36 P37 chains of many blocks grow and shrink from any end", async () => {
  for (const share of [false, true]) {
    const world = await populated(share);
    const spaces = [world.current];
    for (let i = 1; i < 18; i++) {
      spaces.push(world.fork());
      // A write gives the child a table of its own, so that there is an entry for each.
      world.activate(spaces[i]);
      world.store(AREA, 100 + i);
      world.activate(spaces[0]);
    }
    const page = world.page(world.pte(spaces[0], AREA + PAGE));
    assert.is(rmapOf(world, page).length, 18);
    for (const at of [9, 17, 1, 16, 8, 2, 10, 3, 15, 4, 14]) {
      world.destroy(spaces[at]);
      audit(world);
    }
    assert.is(rmapOf(world, page).length, 7);
    end(world);
  }
});

test("P15 P23 holes: a write unshares and stays private, a read fills for all and is not writable", async () => {
  const world = await populated(true);
  const parent = world.current;
  const child = world.fork();
  const hole = AREA + 100 * PAGE;
  assert.is(world.load(hole), 0);
  assert.is(world.pte(parent, hole), world.pte(child, hole));
  assert.is(world.pte(child, hole) & PTE.write, 0);
  assert.is(world.users(parent, AREA), 2);
  world.activate(child);
  world.store(hole + PAGE, 7);
  assert.is(world.pte(parent, hole + PAGE), 0);
  end(world);
});

test("P18 P28 unsharers in a row, the owner first out", async () => {
  const world = await populated(true);
  const parent = world.current;
  const first = world.fork();
  const second = world.fork();
  world.activate(first);
  world.store(AREA, 11);
  world.activate(second);
  world.store(AREA, 12);
  assert.is(world.users(parent, AREA), 1);
  world.destroy(parent);
  audit(world);
  assert.is(world.load(AREA + PAGE), 2);
  world.activate(first);
  assert.is(world.load(AREA), 11);
  end(world);
});

test("P19 P24 P25 a mapping's own limits hold under a shared table", async () => {
  const world = await populated(true);
  const parent = world.current;
  world.mmap(AREA + 16 * PAGE, PAGE, PROT.read, MAP.private | MAP.fixed);
  const child = world.fork();
  assert.equal(world.access(AREA + 16 * PAGE, true), { fault: FAULT.badAccess });
  assert.is(world.counter("tablesUnshared"), 0);
  world.activate(child);
  world.kernel.doMunmap(child, AREA + 600 * PAGE, PAGE);
  assert.is(world.counter("tablesUnshared"), 1);
  world.activate(parent);
  assert.is(world.load(AREA + 600 * PAGE), 0);
  world.activate(child);
  assert.equal(world.access(AREA + 600 * PAGE, false), { fault: FAULT.badAccess });
  assert.is(world.mmap(AREA + 600 * PAGE, PAGE, PROT.rw, MAP.private | MAP.fixed), AREA + 600 * PAGE);
  world.store(AREA + 600 * PAGE, 8);
  world.activate(parent);
  assert.is(world.load(AREA + 600 * PAGE), 0);
  end(world);
});

test("P29 P30 munmap of shared slots: whole ones are released, edges unshared", async () => {
  const world = await populated(true, 8, 4 * SLOT);
  const parent = world.current;
  for (let slot = 1; slot < 4; slot++) world.store(AREA + slot * SLOT, slot);
  const child = world.fork();
  world.activate(child);
  const released = world.counter("tablesReleased");
  assert.is(world.kernel.doMunmap(child, AREA + PAGE, 3 * SLOT), 0);
  assert.is(world.counter("tablesUnshared"), 2);
  assert.is(world.counter("tablesReleased") - released, 2);
  assert.is(world.pde(child, AREA + SLOT), 0);
  assert.is(world.load(AREA), 1);
  world.activate(parent);
  assert.is(world.load(AREA + PAGE), 2);
  assert.is(world.load(AREA + 2 * SLOT), 2);
  end(world);
});

test("P33 tightening in one process leaves the other able to write; PROT_NONE keeps the pages", async () => {
  for (const share of [false, true]) {
    const world = await populated(share);
    const parent = world.current;
    const child = world.fork();
    world.activate(child);
    assert.is(world.kernel.doMprotect(child, AREA, 4 * PAGE, PROT.read), 0);
    assert.is(world.kernel.doMprotect(child, AREA + 4 * PAGE, PAGE, PROT.none), 0);
    assert.equal(world.access(AREA, true), { fault: FAULT.badAccess });
    assert.equal(world.access(AREA + 4 * PAGE, false), { fault: FAULT.badAccess });
    audit(world);
    assert.is(world.kernel.doMprotect(child, AREA, 8 * PAGE, PROT.rw), 0);
    assert.is(world.load(AREA + 4 * PAGE), 5);
    world.store(AREA + 4 * PAGE, 50);
    world.activate(parent);
    assert.is(world.load(AREA + 4 * PAGE), 5);
    world.store(AREA, 60);
    end(world);
  }
});

test("P26 brk and the stack unshare before they grow", async () => {
  const world = await World.boot({ megabytes: 16, share: true, poison: true });
  const parent = world.create();
  world.write(parent + 16, 0x08100000);
  world.write(parent + 20, 0x08100000);
  assert.is(world.kernel.doBrk(parent, 0x08102000) >>> 0, 0x08102000);
  assert.is(world.kernel.mapStack(parent, PAGE), 0);
  world.store(0x08100000, 1);
  world.store(0xbffff000, 2);
  const child = world.fork();
  assert.is(world.kernel.doBrk(parent, 0x08105000) >>> 0, 0x08105000);
  assert.is(world.counter("tablesUnshared"), 1);
  // A read, which would not unshare the table by itself.
  assert.is(world.load(0xbfff0000), 0);
  assert.is(world.counter("tablesUnshared"), 2);
  audit(world);
  world.activate(child);
  assert.equal(world.access(0x08103000, false), { fault: FAULT.badAccess });
  assert.equal(world.access(0xbf000000, true), { fault: FAULT.badAccess });
  assert.is(world.load(0xbffff000), 2);
  assert.is(world.kernel.doBrk(child, 0x08101000) >>> 0, 0x08101000);
  end(world);
});

test("P26 mremap: shrinks, grows in place, moves pages with their reverse map, over what is there", async () => {
  for (const share of [false, true]) {
    const world = await populated(share, 8, 16 * PAGE);
    const parent = world.current;
    const child = world.fork();
    const before = tableBytes(world, child, AREA).map((pte) => pte & ~0x62);
    const pages = [0, 1, 2, 3].map((i) => world.pte(parent, AREA + i * PAGE) >>> 12);
    const copies = world.counter("cowCopies");
    const far = 0x50000000 - PAGE;
    assert.is(world.mremap(AREA, 4 * PAGE, 6 * PAGE, MREMAP.mayMove | MREMAP.fixed, far), far);
    audit(world);
    assert.equal(
      [0, 1, 2, 3].map((i) => world.pte(parent, far + i * PAGE) >>> 12),
      pages,
    );
    assert.is(world.counter("cowCopies"), copies);
    for (let i = 0; i < 6; i++) assert.is(world.load(far + i * PAGE), i < 4 ? i + 1 : 0);
    assert.equal(world.access(AREA, false), { fault: FAULT.badAccess });
    assert.equal(
      tableBytes(world, child, AREA).map((pte) => pte & ~0x62),
      before,
    );
    // Within one mapping, over another part of it.
    assert.is(
      world.mremap(AREA + 4 * PAGE, PAGE, PAGE, MREMAP.mayMove | MREMAP.fixed, AREA + 6 * PAGE),
      AREA + 6 * PAGE,
    );
    assert.is(world.load(AREA + 6 * PAGE), 5);
    assert.is(world.load(AREA + 7 * PAGE), 8);
    assert.is(world.mremap(far, 6 * PAGE, PAGE, 0), far);
    assert.equal(world.access(far + PAGE, false), { fault: FAULT.badAccess });
    assert.is(world.mremap(far, PAGE, 3 * PAGE, 0), far);
    assert.is(world.load(far + PAGE), 0);
    world.mmap(far + 3 * PAGE, PAGE, PROT.read, MAP.private | MAP.fixed);
    assert.is(world.mremap(far, 3 * PAGE, 4 * PAGE, 0), ENOMEM);
    assert.is(world.mremap(far, 4 * PAGE, 5 * PAGE, MREMAP.mayMove), EFAULT);
    assert.is(world.mremap(far, PAGE, PAGE, MREMAP.mayMove | MREMAP.fixed, far), EINVAL);
    assert.is(world.mremap(far, 0, PAGE, MREMAP.mayMove), EINVAL);
    world.activate(child);
    for (let i = 0; i < 8; i++) assert.is(world.load(AREA + i * PAGE), i + 1);
    end(world);
  }
});

test("P26 madvise drops pages of one process only; whole slots are given up, edges unshared", async () => {
  for (const share of [false, true]) {
    const world = await populated(share, 8, 3 * SLOT);
    const parent = world.current;
    world.store(AREA + SLOT, 10);
    world.store(AREA + 2 * SLOT, 20);
    const child = world.fork();
    const unshared = world.counter("tablesUnshared");
    assert.is(world.kernel.doMadvise(parent, AREA + 4 * PAGE, 2 * SLOT - 3 * PAGE, MADV_DONTNEED), 0);
    assert.is(world.counter("tablesUnshared") - unshared, share ? 2 : 0);
    audit(world);
    assert.is(world.load(AREA + 3 * PAGE), 4);
    for (const gone of [4 * PAGE, SLOT, 2 * SLOT]) assert.is(world.load(AREA + gone), 0);
    world.activate(child);
    assert.is(world.load(AREA + 4 * PAGE), 5);
    assert.is(world.load(AREA + SLOT), 10);
    assert.is(world.load(AREA + 2 * SLOT), 20);
    assert.is(world.kernel.doMadvise(child, AREA - PAGE, 2 * PAGE, MADV_DONTNEED), ENOMEM);
    assert.is(world.kernel.doMadvise(child, AREA, PAGE, 77), EINVAL);
    end(world);
  }
});

test("P35 mlock faults in, and fork copies the tables that have locked pages; its child has them unlocked", async () => {
  for (const share of [false, true]) {
    const world = await populated(share, 2, 3 * SLOT);
    const parent = world.current;
    world.store(AREA + 2 * SLOT, 9);
    assert.is(world.kernel.doMlock(parent, AREA + SLOT - PAGE + 5, PAGE), 0);
    assert.is.not(world.pte(parent, AREA + SLOT) & PTE.write, 0);
    const child = world.fork();
    audit(world);
    for (const [at, shared] of [
      [AREA, false],
      [AREA + SLOT, false],
      [AREA + 2 * SLOT, share],
    ] as const) {
      assert.is(world.users(parent, at), shared ? 2 : 1);
      assert.is(world.pde(parent, at) === world.pde(child, at), shared);
    }
    world.store(AREA + SLOT, 7);
    world.activate(child);
    assert.is(world.load(AREA + SLOT), 0);
    assert.is(world.kernel.doMadvise(child, AREA + SLOT, PAGE, MADV_DONTNEED), 0);
    world.activate(parent);
    assert.is(world.kernel.doMadvise(parent, AREA + SLOT, PAGE, MADV_DONTNEED), EINVAL);
    assert.is(world.kernel.doMunlock(parent, AREA, 2 * SLOT), 0);
    assert.is(world.kernel.doMadvise(parent, AREA + SLOT, PAGE, MADV_DONTNEED), 0);
    const second = world.fork();
    assert.is(world.users(second, AREA), share ? 2 : 1);
    assert.is(world.kernel.doMlock(parent, AREA - PAGE, 2 * PAGE), ENOMEM);
    end(world);
  }
});

test("P7 P51 P52 any allocation may fail: fork, unshare, munmap, mprotect and mmap change nothing then", async () => {
  for (const share of [false, true]) {
    const acts: ((world: World, child: number) => boolean)[] = [
      (world) => world.fork() !== 0,
      (world) => !("fault" in world.access(AREA, true)),
      (world) => world.kernel.doMunmap(world.current, AREA + 3 * PAGE, PAGE) === 0,
      (world) => world.kernel.doMprotect(world.current, AREA + 3 * PAGE, PAGE, PROT.read) === 0,
      (world) => world.mmap(AREA + 3 * PAGE, PAGE, PROT.read, MAP.shared | MAP.fixed) > 0,
      (world) => !("fault" in world.access(AREA + 12 * PAGE, true)),
      (world) => world.mremap(AREA + 2 * PAGE, 3 * PAGE, 2 * PAGE, MREMAP.mayMove) === AREA + 2 * PAGE,
      (world) => world.mremap(AREA, 2 * SLOT, 2 * SLOT + PAGE, 0) === AREA,
      (world) => world.mremap(AREA + 2 * PAGE, 3 * PAGE, 8 * PAGE, MREMAP.mayMove) > 0,
      (world) => world.mremap(AREA, 3 * PAGE, 2 * PAGE, MREMAP.mayMove | MREMAP.fixed, AREA + 5 * PAGE) > 0,
      (world) => world.kernel.doMadvise(world.current, AREA + 3 * PAGE, PAGE, MADV_DONTNEED) === 0,
      (world) => world.kernel.doMlock(world.current, AREA + 3 * PAGE, PAGE) === 0,
    ];
    for (const act of acts) {
      let done = false;
      for (let n = 1; !done; n++) {
        const world = await populated(share);
        const child = world.fork();
        const free = world.freeFrames();
        const shapes = [world.current, child].map((mm) => tableBytes(world, mm, AREA).map((pte) => pte & ~0x62));
        world.kernel.failAllocation(n);
        done = act(world, child);
        world.kernel.failAllocation(0);
        audit(world);
        if (!done) {
          // A finished unshare may stay, and a page that mlock has copied.
          if (world.counter("tablesUnshared") + world.counter("cowCopies") === 0) assert.is(world.freeFrames(), free);
          const now = [world.current, child].map((mm) => tableBytes(world, mm, AREA).map((pte) => pte & ~0x62));
          if (world.counter("cowCopies") === 0) assert.equal(now, shapes);
          for (let i = 0; i < 8; i++) assert.is(world.load(AREA + i * PAGE), i + 1);
        }
        assert.ok(n < 30);
        end(world);
      }
    }
  }
});

test.run();
