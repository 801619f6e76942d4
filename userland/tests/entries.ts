/**
 * What sharing leaves in entries, counts and frames: properties 21, 33, 34, 53 and 56. Tables are those of fork=share; contents and
 * signals are checked in every mode. May import lib and support/.
 */
import {
  brk,
  cstr,
  Errno,
  exit,
  fork,
  MADV_DONTNEED,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_MAYMOVE,
  madvise,
  mlock,
  mprotect,
  mremap,
  munlock,
  munmap,
  PROT_NONE,
  PROT_READ,
  pipe,
  read,
  Signal,
  same,
  test,
  testBegin,
  testEnd,
  waitFor,
  waitSuccess,
  write,
} from "../lib/index";
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
  statusOfAccess,
  wordOf,
  writePage,
  writePages,
} from "./support/memory";
import {
  PTE_DIRTY,
  pageHere,
  pageOf,
  parseTable,
  TableInfo,
  tableHere,
  tableIs,
  tableOf,
  tablesText,
} from "./support/tables";
import { childEnd, gateMake, gateOpen, gateWait, hear, pairClose, pairEnd, startChild, tell } from "./support/turns";

const PAGES: u32 = 64;
const NEW: u32 = 0x5eed0005;
/** Pages that the TLB has translations for all at once. */
const NEAR: u32 = 6;
const READERS: u32 = 5;
const ends: usize = memory.data(8, 4);
const word: usize = memory.data(8, 4);
const line: TableInfo = changetype<TableInfo>(memory.data(24, 4));
const pids: usize = memory.data(32, 4);

/** Whether a page's pte, in the process (0: this one), has D as `expected` says. */
function dirtyIs(pid: i32, page: u32, expected: bool): bool {
  const entry = pid == 0 ? pageHere(pageAt(page)) : pageOf(pid, pageAt(page));
  return same(entry.pte & PTE_DIRTY, expected ? PTE_DIRTY : 0);
}

function dirtyBitsSurvive(): void {
  mapPages(0, PAGES, READ_WRITE, MAP_PRIVATE);
  writePages(0, PAGES / 2);
  for (let page = PAGES / 2; page < PAGES; page++) readPage(page);
  assert(dirtyIs(0, 1, true) && dirtyIs(0, PAGES - 1, false), "what was written is dirty, what was read is not");
  const pid = startChild();
  if (pid == 0) {
    writePage(0, NEW);
    tell();
    hear();
    assert(mprotect(pageAt(0), PAGES * PAGE, PROT_READ) == 0, "the child's memory can become read-only");
    for (let page: u32 = 1; page < PAGES / 2; page++) assert(dirtyIs(0, page, true), "a new protection keeps D");
    assert(mprotect(pageAt(0), PAGES * PAGE, PROT_NONE) == 0, "and no memory to use at all");
    for (let page: u32 = 1; page < PAGES / 2; page++) assert(dirtyIs(0, page, true), "no access keeps D");
    const moved = mremap(pageAt(0), PAGES * PAGE, (PAGES + PAGES_A_SLOT) * PAGE, MREMAP_MAYMOVE);
    assert(moved != 0 && same(pageHere(moved + PAGE).pte & PTE_DIRTY, PTE_DIRTY), "a page that moves keeps D");
    tell();
    hear();
    childEnd();
  }
  hear();
  for (let page: u32 = 1; page < PAGES; page++) {
    assert(dirtyIs(0, page, page < PAGES / 2), "the table that was left keeps D as it was");
    assert(dirtyIs(pid, page, page < PAGES / 2), "and so does the copy");
  }
  assert(dirtyIs(0, 0, true) && dirtyIs(pid, 0, true), "the page that was written is dirty for both");
  tell();
  hear();
  for (let page: u32 = 0; page < PAGES / 2; page++)
    assert(dirtyIs(0, page, true), "the other's edits take no D from here");
  tell();
  pairEnd(pid);
  assert(dirtyIs(0, 1, true) && pagesIntact(0, PAGES / 2), "nor does its exit");
}

function tightenedProtection(): void {
  mapPages(0, PAGES, READ_WRITE, MAP_PRIVATE);
  writePages(0, PAGES);
  const pid = startChild();
  if (pid == 0) {
    assert(mprotect(pageAt(0), 8 * PAGE, PROT_READ) == 0, "one process takes the right to write");
    assert(mprotect(pageAt(8), 8 * PAGE, PROT_NONE) == 0, "and the right to read");
    mapPages(16, 8, PROT_READ, MAP_PRIVATE);
    assert(same(statusOfAccess(pageAt(3), true), Signal.SIGSEGV), "and may not write there");
    assert(same(statusOfAccess(pageAt(9), false), Signal.SIGSEGV), "nor read");
    tell();
    hear();
    assert(same(readPage(3), wordOf(3)) && same(readPage(17), 0), "what the other writes is not seen");
    assert(mprotect(pageAt(0), 16 * PAGE, READ_WRITE) == 0, "the rights can come back");
    assert(pagesIntact(0, 16) && pagesIntact(24, PAGES - 24), "and all is as it was");
    childEnd();
  }
  hear();
  assert(pagesIntact(0, PAGES), "the other can still read");
  for (let page: u32 = 0; page < 24; page++) writePage(page, NEW + page);
  for (let page: u32 = 0; page < 24; page++) assert(same(readPage(page), NEW + page), "the other can still write");
  tell();
  pairEnd(pid);
}

/** Whether every table of a process (0: this one) that others use has a pde without W, but those of shared memory only. */
function sharedAreProtected(pid: i32): bool {
  let at = parseTable(tablesText(pid), line);
  while (at != 0) {
    if (line.users > 1 && line.writable != 0 && line.slot != SLOT + 2) return tableIs(line, line.users, 0);
    at = parseTable(at, line);
  }
  return true;
}

function noneIsSharedAndWritable(): void {
  mapPages(0, PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  mapPages(PAGES_A_SLOT, PAGES, READ_WRITE, MAP_PRIVATE);
  mapPages(2 * PAGES_A_SLOT, PAGES, READ_WRITE, MAP_SHARED);
  writePages(0, PAGES);
  writePages(PAGES_A_SLOT, PAGES);
  writePages(2 * PAGES_A_SLOT, PAGES);
  gateMake();
  const holder = fork();
  if (holder == 0) {
    gateWait();
    exit(pagesIntact(0, PAGES) ? 0 : 1);
  }
  const other = fork();
  if (other == 0) {
    gateWait();
    exit(pagesIntact(0, PAGES) ? 0 : 1);
  }
  for (let step = 0; step < 12; step++) {
    const pid = startChild();
    if (pid == 0) {
      edit(step);
      assert(sharedAreProtected(0), "no edit of a sharer's leaves it a writable pde of a table that others use");
      tell();
      hear();
      childEnd();
    }
    hear();
    assert(sharedAreProtected(0) && sharedAreProtected(pid), "nor the others");
    assert(sharedAreProtected(holder) && sharedAreProtected(other), "who do nothing");
    if (sharing()) assert(same(tableHere(SLOT + 2).writable, 1), "shared memory alone in its slot keeps W");
    tell();
    pairEnd(pid);
  }
  assert(pagesIntact(0, PAGES) && pagesIntact(PAGES_A_SLOT, PAGES), "and nobody sees anything of it");
  gateOpen();
  waitSuccess(holder);
  waitSuccess(other);
}

/** One edit or use of memory under shared tables. */
function edit(step: i32): void {
  const word = readPage(0);
  switch (step) {
    case 0:
      writePage(0, word);
      return;
    case 1:
      writePage(PAGES + 100, 1);
      return;
    case 2:
      readPage(PAGES + 101);
      return;
    case 3:
      mprotect(pageAt(0), PAGES * PAGE, PROT_READ);
      mprotect(pageAt(0), PAGES * PAGE, READ_WRITE);
      return;
    case 4:
      munmap(pageAt(4), PAGE);
      return;
    case 5:
      mapPages(4, 1, READ_WRITE, MAP_PRIVATE);
      return;
    case 6:
      mremap(pageAt(PAGES_A_SLOT), PAGES * PAGE, (PAGES + 10) * PAGE, 0);
      return;
    case 7:
      mremap(pageAt(PAGES_A_SLOT), PAGES * PAGE, 2 * SLOT_BYTES, MREMAP_MAYMOVE);
      return;
    case 8:
      madvise(pageAt(2), 2 * PAGE, MADV_DONTNEED);
      return;
    case 9:
      mlock(pageAt(0), 4 * PAGE);
      munlock(pageAt(0), 4 * PAGE);
      return;
    case 10:
      brk(brk(0) + 8 * PAGE);
      return;
    default:
      writePage(2 * PAGES_A_SLOT + PAGES - 1, wordOf(2 * PAGES_A_SLOT + PAGES - 1));
  }
}

/** Page references and table users, which have nothing to do with each other. */
function usersAreApart(): void {
  mapPages(0, PAGES, READ_WRITE, MAP_PRIVATE);
  writePages(0, PAGES);
  gateMake();
  for (let i: u32 = 0; i < READERS; i++) {
    const pid = fork();
    if (pid == 0) {
      gateWait();
      exit(pagesIntact(0, PAGES) ? 0 : 1);
    }
    store<i32>(pids + i * 4, pid);
  }
  if (sharing()) {
    assert(tableIs(tableHere(SLOT), READERS + 1, 0), "a table with many users");
    assert(same(pageHere(pageAt(1)).references, 1), "whose pages have one reference each");
  } else {
    assert(tableIs(tableHere(SLOT), 1, 1), "tables with one user");
    assert(same(pageHere(pageAt(1)).references, READERS + 1), "whose pages have a reference from each");
  }
  const pid = startChild();
  if (pid == 0) {
    writePage(0, NEW);
    tell();
    hear();
    childEnd();
  }
  hear();
  if (sharing()) {
    assert(tableIs(tableHere(SLOT), READERS + 1, 0), "who unshared is gone from the users");
    assert(tableIs(tableOf(pid, SLOT), 1, 1), "and has a table of its own");
    assert(same(pageHere(pageAt(1)).references, 2), "which is one reference more to each page");
    assert(same(pageHere(pageAt(0)).references, 1), "but to that which was copied");
  }
  // Looking at tables and pages from outside, and the kernel's own use of them, holds nothing.
  assert(pipe(ends) == 0, "there is a pipe");
  for (let i: u32 = 0; i < READERS; i++) {
    pageOf(load<i32>(pids + i * 4), pageAt(i));
    assert(
      write(load<i32>(ends + 4), pageAt(i), 8) == 8 && read(load<i32>(ends), word, 8) == 8,
      "a page goes through a pipe",
    );
  }
  if (sharing()) assert(tableIs(tableHere(SLOT), READERS + 1, 0), "references that come and go are no users");
  tell();
  pairEnd(pid);
  gateOpen();
  for (let i: u32 = 0; i < READERS; i++) waitSuccess(load<i32>(pids + i * 4));
  if (sharing()) assert(tableIs(tableHere(SLOT), 1, 0), "and in the end there is one");
  assert(pagesIntact(0, PAGES), "with all its pages");
}

/** In a process whose tables are its own, or shared: gives up a slot, uses its frames again, and looks through the old addresses. */
function reuseAfterUnmap(dropped: bool): void {
  for (let page: u32 = 0; page < NEAR; page++) readPage(page);
  if (dropped) assert(madvise(pageAt(0), SLOT_BYTES, MADV_DONTNEED) == 0, "a whole slot can be dropped");
  else assert(munmap(pageAt(0), SLOT_BYTES) == 0, "or unmapped");
  writePages(PAGES_A_SLOT, NEAR);
  for (let page: u32 = 0; page < NEAR; page++) {
    const got = write(load<i32>(ends + 4), pageAt(page), 4);
    if (!dropped) assert(same(got, -Errno.EFAULT), "the kernel sees nothing through the old addresses");
    else {
      assert(got == 4 && read(load<i32>(ends), word, 4) == 4, "the kernel sees");
      assert(same(load<u32>(word), 0), "zeros through the old addresses");
    }
  }
  assert(pagesIntact(PAGES_A_SLOT, NEAR), "what has the frames now is right");
}

/** Whether the second slot's table or a page of it lies in a frame. */
function isReused(frame: u32): bool {
  if (tableHere(SLOT + 1).frame == frame) return true;
  for (let page: u32 = 0; page < NEAR; page++) {
    if (pageHere(pageAt(PAGES_A_SLOT + page)).pte >> 12 == frame) return true;
  }
  return false;
}

function freedTablesAreNotWalked(): void {
  assert(pipe(ends) == 0, "there is a pipe");
  for (let round = 0; round < 4; round++) {
    mapPages(0, PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
    mapPages(PAGES_A_SLOT, PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
    writePages(0, PAGES);
    const frame = tableHere(SLOT).frame;
    const dropped = (round & 1) != 0;
    if (round < 2) {
      // The table is this process's own: it goes back to the allocator at once, and may come back as anything.
      reuseAfterUnmap(dropped);
      assert(isReused(frame), "the table's frame has been used again");
      if (!dropped) assert(same(statusOfAccess(pageAt(1), false), Signal.SIGSEGV), "nor does the program");
      continue;
    }
    const pid = startChild();
    if (pid == 0) {
      reuseAfterUnmap(dropped);
      if (dropped) childEnd();
      readPage(1);
      exit(1);
    }
    assert(same(waitFor(pid), dropped ? 0 : Signal.SIGSEGV), "a sharer that gives up a table sees nothing more of it");
    pairClose();
    assert(same(tableHere(SLOT).frame, frame) && pagesIntact(0, PAGES), "which the other goes on using");
  }
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  testBegin(argc, argv);
  test(cstr("P21 dirty bits survive fork, unsharing, protection and moves"), dirtyBitsSurvive);
  test(cstr("P33 tightened protection in one leaves the other able to write"), tightenedProtection);
  test(cstr("P34 no pde lets write while others use its table"), noneIsSharedAndWritable);
  test(cstr("P53 users counts directories, whatever refers to pages"), usersAreApart);
  test(cstr("P56 a freed table's frame is reused, and not seen through old addresses"), freedTablesAreNotWalked);
  return testEnd();
}
