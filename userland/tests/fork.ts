/**
 * fork and shared page tables: properties 1 to 6, and 55. What a test says of tables and counters it says of fork=share;
 * contents it checks in both modes. May import lib and support/.
 */
import {
  counter,
  cstr,
  exit,
  flush,
  fork,
  instructionsRetired,
  MAP_PRIVATE,
  MAP_SHARED,
  munmap,
  pipe,
  read,
  same,
  test,
  testBegin,
  testEnd,
  waitFor,
  waitpid,
  waitSuccess,
  within,
  write,
} from "../lib/index";
import { auditTables } from "./support/audit";
import { countBegin, countEnd, countOf } from "./support/counts";
import {
  mapPages,
  PAGE,
  PAGES_A_SLOT,
  pageAt,
  pagesIntact,
  READ_WRITE,
  readPage,
  SLOT,
  SLOT_BYTES,
  sharing,
  wordOf,
  writePage,
  writePages,
} from "./support/memory";
import { PTE_LARGE, PTE_PRESENT, PTE_WRITABLE, pageHere, pageOf, tableHere, tableIs, tableOf } from "./support/tables";
import { childEnd, gateMake, gateOpen, gateWait, hear, pairEnd, startChild, tell } from "./support/turns";

/** Slots of memory in the tests of fork's cost. */
const SLOTS: u32 = 4;
const ready: usize = memory.data(8, 4);
const token: usize = memory.data(4, 4);
const kernelPdes: usize = memory.data(256 * 4, 4);

/** A fork whose child only ends: frames that the fork took for directory, tables and reverse map. */
function framesOfFork(): u32 {
  countBegin();
  const pid = fork();
  if (pid == 0) exit(0);
  countEnd();
  waitSuccess(pid);
  return countOf(cstr("fork_frames"));
}

/**
 * Instructions of a fork in the parent: the least of some runs, as a tick of the clock may fall into one. Frames that were in use come
 * to the top of the free lists first: where freed frames are filled, taking them costs the same each time.
 */
function instructionsOfFork(): u32 {
  const scratch = 3 * SLOTS * PAGES_A_SLOT;
  mapPages(scratch, 64, READ_WRITE, MAP_PRIVATE);
  writePages(scratch, 64);
  munmap(pageAt(scratch), 64 * PAGE);
  let least: u32 = 0xffffffff;
  for (let run = 0; run < 4; run++) {
    const start = instructionsRetired();
    const pid = fork();
    if (pid == 0) exit(0);
    const taken = instructionsRetired() - start;
    waitSuccess(pid);
    if (taken < least) least = taken;
  }
  return least;
}

function forkAllocatesOneFrame(): void {
  mapPages(0, SLOTS * PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  for (let slot: u32 = 0; slot < SLOTS; slot++) writePages(slot * PAGES_A_SLOT, 1);
  framesOfFork();
  const sparse = framesOfFork();
  const sparseInstructions = instructionsOfFork();
  writePages(0, SLOTS * PAGES_A_SLOT);
  const dense = framesOfFork();
  const denseInstructions = instructionsOfFork();
  const hasClock = instructionsRetired() != 0xffffffff;
  assert(pagesIntact(0, SLOTS * PAGES_A_SLOT), "the parent keeps its memory");
  if (!sharing()) {
    assert(dense >= SLOTS + 1, "fork=copy allocates a directory and a table for each slot");
    return;
  }
  // fork=auto may copy the tables of the stack and the program: each a frame, and one for the reverse map of its few pages.
  const most: u32 = 1 + 2 * countOf(cstr("tables_copied"));
  assert(most <= 5 && within(sparse, 1, most), "fork of a page in each slot allocates the directory only");
  assert(within(dense, 1, most), "fork of all pages of each slot allocates the directory only");
  if (!hasClock) return;
  assert(
    within(denseInstructions, sparseInstructions - 200, sparseInstructions + 200),
    "fork's work is not that of pages",
  );
  writePages(SLOTS * PAGES_A_SLOT - 1, 1);
}

function forkWorkGrowsWithSlots(): void {
  mapPages(0, 2 * SLOTS * PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(0, 1);
  const one = instructionsOfFork();
  for (let slot: u32 = 0; slot < 2 * SLOTS; slot++) writePages(slot * PAGES_A_SLOT, 1);
  const many = instructionsOfFork();
  if (!sharing() || instructionsRetired() == 0xffffffff) return;
  assert(within((many - one) / (2 * SLOTS - 1), 1, 80), "each further slot costs fork tens of instructions");
}

function bothPdesReadOnly(): void {
  mapPages(0, PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  mapPages(PAGES_A_SLOT, PAGES_A_SLOT, READ_WRITE, MAP_SHARED);
  writePages(0, 300);
  writePages(PAGES_A_SLOT, 3);
  const table = tableHere(SLOT);
  const frame = table.frame;
  const sum = table.sum;
  assert(tableIs(table, 1, 1), "before fork the table is exclusive and writable");
  const sharedFrame = tableHere(SLOT + 1).frame;
  const sharedSum = tableHere(SLOT + 1).sum;

  const pid = startChild();
  if (pid == 0) {
    hear();
    assert(pagesIntact(0, 300) && pagesIntact(PAGES_A_SLOT, 3), "the child inherits all contents");
    childEnd();
  }
  if (sharing()) {
    assert(tableIs(tableHere(SLOT), 2, 0), "the parent's pde is read-only and the table has two users");
    assert(tableIs(tableOf(pid, SLOT), 2, 0), "so is the child's pde");
    assert(same(tableOf(pid, SLOT).frame, frame), "both point at the table of before");
    assert(same(tableHere(SLOT).sum, sum), "whose 4 KB are as they were");
    assert(tableIs(tableHere(SLOT + 1), 2, 1), "a slot of MAP_SHARED memory only stays writable in the parent");
    assert(tableIs(tableOf(pid, SLOT + 1), 2, 1), "and in the child");
    assert(same(tableHere(SLOT + 1).frame, sharedFrame), "with the table of before");
    assert(same(tableHere(SLOT + 1).sum, sharedSum), "and its contents");
  } else {
    assert(tableOf(pid, SLOT).frame != frame, "fork=copy gives the child a table of its own");
    assert(tableIs(tableHere(SLOT), 1, 1) && tableIs(tableOf(pid, SLOT), 1, 1), "and all are exclusive and writable");
  }
  tell();
  pairEnd(pid);
}

function parentsTlbIsFlushed(): void {
  mapPages(0, 64, READ_WRITE, MAP_PRIVATE);
  writePages(0, 64);
  gateMake();
  // The last write before fork and the first after it: nothing in between drops the translation from the TLB, but fork itself.
  writePage(63, wordOf(63));
  const pid = fork();
  if (pid != 0) writePage(63, ~wordOf(63));
  if (pid == 0) {
    gateWait();
    exit(pagesIntact(0, 64) ? 0 : 1);
  }
  for (let page: u32 = 0; page < 63; page++) writePage(page, ~wordOf(page));
  gateOpen();
  waitSuccess(pid);
  for (let page: u32 = 0; page < 64; page++)
    assert(same(readPage(page), ~wordOf(page)), "the parent sees its own writes");
}

function forkingAgainIncrements(): void {
  mapPages(0, 8, READ_WRITE, MAP_PRIVATE);
  writePages(0, 8);
  gateMake();
  const first = fork();
  if (first == 0) {
    gateWait();
    exit(pagesIntact(0, 8) ? 0 : 1);
  }
  const frame = tableHere(SLOT).frame;
  if (sharing()) assert(tableIs(tableHere(SLOT), 2, 0), "one child: two users");
  const second = fork();
  if (second == 0) {
    gateWait();
    exit(pagesIntact(0, 8) ? 0 : 1);
  }
  if (sharing()) {
    assert(tableIs(tableHere(SLOT), 3, 0), "forking a shared slot again only increments");
    assert(tableIs(tableOf(second, SLOT), 3, 0), "for the new child too");
    assert(same(tableOf(second, SLOT).frame, frame), "of the same table");
  }
  gateOpen();
  waitSuccess(first);
  waitSuccess(second);
  if (sharing()) assert(tableIs(tableHere(SLOT), 1, 0), "when the others have left, W stays 0");
  const third = startChild();
  if (third == 0) {
    hear();
    assert(pagesIntact(0, 8), "the third child inherits all contents");
    childEnd();
  }
  if (sharing()) {
    assert(tableIs(tableHere(SLOT), 2, 0), "users 1 and W = 0 becomes users 2 and W = 0");
    assert(tableIs(tableOf(third, SLOT), 2, 0), "in both");
    assert(same(tableHere(SLOT).frame, frame), "with the same table");
  }
  tell();
  pairEnd(third);
}

/** A process of a tree: forks two children unless `depth` is 0, writes a page if `id` is odd, and waits at the gate. */
function growTree(depth: i32, id: u32): void {
  let children: i32 = 0;
  if (depth != 0) {
    for (; children < 2; children++) {
      const pid = fork();
      assert(pid >= 0, "there is room for the tree");
      if (pid == 0) {
        growTree(depth - 1, id * 2 + children);
        exit(0);
      }
    }
  }
  if ((id & 1) != 0) writePage(id, id);
  write(load<i32>(ready + 4), token, 1);
  if (id == 1) return;
  gateWait();
  const seen = (id & 1) != 0 ? id : wordOf(id);
  assert(same(readPage(id), seen), "each process of the tree sees its own writes");
  while (children-- != 0) assert(waitpid(-1, token) > 0 && load<u32>(token) == 0, "the subtree ends well");
}

function usersInTree(): void {
  mapPages(0, 2 * PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(0, 32);
  writePages(PAGES_A_SLOT, 32);
  auditTables();
  assert(pipe(ready) == 0, "there is a pipe");
  gateMake();
  growTree(3, 1);
  for (let i = 0; i < 15; i++) assert(read(load<i32>(ready), token, 1) == 1, "each process of the tree is ready");
  auditTables();
  if (sharing()) {
    // Of 15 processes the 8 with odd numbers wrote to the first slot; nobody wrote to the second.
    assert(same(tableHere(SLOT + 1).users, 15), "a table that nobody writes under is everybody's");
  }
  gateOpen();
  for (let i = 0; i < 2; i++) assert(waitpid(-1, token) > 0 && load<u32>(token) == 0, "the tree ends well");
  auditTables();
}

function kernelSlotsStay(): void {
  let count: u32 = 0;
  for (; count < 256; count++) {
    const page = pageHere(0xc0000000 + count * SLOT_BYTES);
    if ((page.pde & PTE_PRESENT) == 0) break;
    store<u32>(kernelPdes + count * 4, page.pde & ~0x60);
  }
  assert(count > 0, "the kernel is mapped");
  assert((load<u32>(kernelPdes) & (PTE_LARGE | PTE_WRITABLE)) == (PTE_LARGE | PTE_WRITABLE), "by writable 4 MB pages");
  const pid = startChild();
  if (pid == 0) {
    hear();
    childEnd();
  }
  for (let i: u32 = 0; i < count; i++) {
    const pde = load<u32>(kernelPdes + i * 4);
    const address: usize = 0xc0000000 + i * SLOT_BYTES;
    assert(same(pageHere(address).pde & ~0x60, pde), "fork leaves the parent's kernel slots as they are");
    assert(same(pageOf(pid, address).pde & ~0x60, pde), "and gives the child the same");
    assert(same(pageHere(address).users, 0), "uncounted");
  }
  tell();
  pairEnd(pid);
}

function tablesAreReachable(): void {
  const before = auditTables();
  mapPages(0, 3 * PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  for (let slot: u32 = 0; slot < 3; slot++) writePages(slot * PAGES_A_SLOT, 2);
  assert(same(auditTables(), before + 3), "three more slots are three more tables");
  const pid = startChild();
  if (pid == 0) {
    writePage(0, 7);
    tell();
    hear();
    childEnd();
  }
  hear();
  auditTables();
  const whileShared = counter(cstr("frames_table"));
  tell();
  pairEnd(pid);
  assert(counter(cstr("frames_table")) < whileShared, "the child's tables are freed with it");
  assert(same(auditTables(), before + 3), "and no others");
}

function contentsAreEqual(): void {
  mapPages(0, 2 * PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(0, 2 * PAGES_A_SLOT);
  flush();
  const pid = fork();
  if (pid == 0) exit(pagesIntact(0, 2 * PAGES_A_SLOT) ? 42 : 1);
  assert(same(waitFor(pid), 42 << 8), "the child finds every page and ends with its own status");
  assert(pageAt(0) != 0 && pagesIntact(0, 2 * PAGES_A_SLOT), "so does the parent");
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  testBegin(argc, argv);
  test(cstr("fork gives the child the parent's memory"), contentsAreEqual);
  test(cstr("P1 fork allocates one frame, whatever the process maps"), forkAllocatesOneFrame);
  test(cstr("P1 fork's work grows with slots, by tens of instructions"), forkWorkGrowsWithSlots);
  test(cstr("P2 after fork both pdes are read-only and the table is as it was"), bothPdesReadOnly);
  test(cstr("P3 a write right after fork is not seen by the child"), parentsTlbIsFlushed);
  test(cstr("P4 forking again while a slot is shared only increments"), forkingAgainIncrements);
  test(cstr("P5 in a tree of forks users is the number of directories"), usersInTree);
  test(cstr("P6 kernel slots are never counted, protected or freed"), kernelSlotsStay);
  test(cstr("P55 frames in use as tables are the distinct tables reachable"), tablesAreReachable);
  return testEnd();
}
