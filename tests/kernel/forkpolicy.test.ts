/** fork=auto: which tables are copied, which shared, and what becomes of it when there is no memory. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { audit } from "./mmaudit";
import { MAP, PAGE, PROT, PTE, SLOT, World } from "./mmworld";

const AREA = 0x60000000;
/** Forks in succession that make fork copy a table with so many pages: forkpolicy.ts. */
const copyAfter = (present: number): number => 44 + (present >> 1);
const COPY_AFTER = copyAfter(1);
const test = suite("kernel/forkpolicy");

/** A world with one process that has written a page in each of three slots. */
async function populated(): Promise<World> {
  const world = await World.boot({ megabytes: 20, share: true, auto: true, poison: true });
  world.create();
  world.mmap(AREA, 3 * SLOT, PROT.rw, MAP.private | MAP.fixed);
  for (let slot = 0; slot < 3; slot++) world.store(AREA + slot * SLOT, slot + 1);
  return world;
}

/** Users of the parent's three tables. */
const usersOf = (world: World): number[] => [0, 1, 2].map((slot) => world.users(world.current, AREA + slot * SLOT));

/** One fork, a write by parent or child to slot 1 if told, and the child's end. The users right after the fork. */
function forkOnce(world: World, writer: "parent" | "child" | "nobody"): number[] {
  const parent = world.current;
  const child = world.fork();
  const users = usersOf(world);
  audit(world);
  if (writer === "child") world.activate(child);
  if (writer !== "nobody") world.store(AREA + SLOT, users[0] ?? 0);
  audit(world);
  world.activate(parent);
  world.destroy(child);
  return users;
}

test("the table under the stack pointer is copied, the others are shared", async () => {
  const world = await populated();
  const parent = world.current;
  const child = world.fork(AREA + SLOT + 8 * PAGE);
  assert.equal(usersOf(world), [2, 1, 2]);
  assert.is(world.counter("tablesCopied"), 1);
  assert.is(world.counter("tablesShared"), 2);
  for (const mm of [parent, child]) {
    assert.is.not(world.pde(mm, AREA + SLOT) & PTE.write, 0);
    assert.is(world.pte(mm, AREA + SLOT) & PTE.write, 0);
    assert.is(world.pde(mm, AREA) & PTE.write, 0);
  }
  audit(world);
  world.store(AREA + SLOT, 7);
  world.activate(child);
  assert.is(world.load(AREA + SLOT), 2, "the parent's TLB was flushed, so the child does not see its write");
  audit(world);
});

test("P12 the page under the stack pointer is split at fork: parent and child write to their own at once", async () => {
  const world = await populated();
  const parent = world.current;
  const before = world.pte(parent, AREA + SLOT) >>> 12;
  const child = world.fork(AREA + SLOT + 100);
  assert.is(world.counter("cowCopies"), 1);
  const ptes = [parent, child].map((mm) => world.pte(mm, AREA + SLOT));
  for (const pte of ptes) assert.is.not(pte & PTE.write, 0);
  assert.is((ptes[0] ?? 0) >>> 12, before, "the parent keeps its page");
  assert.is.not((ptes[1] ?? 0) >>> 12, before);
  audit(world);
  world.store(AREA + SLOT, 7);
  world.activate(child);
  assert.is(world.load(AREA + SLOT), 2, "the child has what was there at fork");
  world.store(AREA + SLOT, 8);
  world.activate(parent);
  assert.is(world.load(AREA + SLOT), 7);
  audit(world);
  // A page that a third table maps stays protected in the parent.
  const second = world.fork(AREA + SLOT + 8 * PAGE);
  world.fork(AREA + SLOT + 100);
  assert.is(world.pte(parent, AREA + SLOT) & PTE.write, 0);
  audit(world);
  world.store(AREA + SLOT, 9);
  world.activate(second);
  assert.is(world.load(AREA + SLOT), 7);
});

test("a fuller table wants more evidence", async () => {
  const world = await populated();
  for (let page = 1; page < 32; page++) world.store(AREA + SLOT + page * PAGE, page);
  const forks = copyAfter(32);
  for (let fork = 0; fork < forks; fork++) assert.equal(forkOnce(world, "parent"), [2, 2, 2], `fork ${fork}`);
  assert.equal(forkOnce(world, "parent"), [2, 1, 2]);
});

for (const writer of ["parent", "child"] as const) {
  test(`a table is copied once it had to be copied after ${COPY_AFTER} forks, ${writer} writing`, async () => {
    const world = await populated();
    for (let fork = 0; fork < COPY_AFTER; fork++) assert.equal(forkOnce(world, writer), [2, 2, 2], `fork ${fork}`);
    assert.equal(forkOnce(world, writer), [2, 1, 2]);
    // The parent's writes to its copy are seen, a child's to its own are not.
    assert.equal(forkOnce(world, "nobody"), writer === "parent" ? [2, 1, 2] : [2, 2, 2]);
    assert.equal(forkOnce(world, "nobody"), [2, 2, 2], "one fork after which nobody wrote ends it");
  });
}

test("one fork without a write begins the count anew; a child inherits it", async () => {
  const world = await populated();
  for (let fork = 1; fork < COPY_AFTER; fork++) forkOnce(world, "parent");
  forkOnce(world, "nobody");
  assert.equal(forkOnce(world, "parent"), [2, 2, 2]);
  for (let fork = 1; fork < COPY_AFTER; fork++) forkOnce(world, "parent");
  const child = world.fork();
  assert.equal(usersOf(world), [2, 1, 2]);
  world.activate(child);
  world.store(AREA + SLOT, 9);
  assert.equal(forkOnce(world, "nobody"), [3, 1, 3]);
});

test("I7 where a frame to copy is missing, the table is shared", async () => {
  let done = false;
  for (let n = 1; !done; n++) {
    const world = await populated();
    world.kernel.failAllocation(n);
    const child = world.fork(AREA + SLOT);
    world.kernel.failAllocation(0);
    audit(world);
    done = child !== 0 && world.counter("tablesCopied") === 1;
    if (child !== 0 && !done) assert.equal(usersOf(world), [2, 2, 2]);
    if (child !== 0) {
      world.store(AREA + SLOT, 9);
      world.activate(child);
      assert.is(world.load(AREA + SLOT), 2);
      audit(world);
    }
    for (const mm of [...world.spaces]) world.destroy(mm);
    assert.is(world.freeFrames(), world.bootFree);
    assert.ok(n < 13);
  }
});

test.run();
