/**
 * Edits of mappings that fork shares, other than munmap: mremap, madvise, mprotect, brk, mlock, and the stack (properties 26 and 35).
 * Tables and counters are those of fork=share; contents and signals are checked in both modes. May import lib and support/.
 */
import {
  brk,
  cstr,
  Errno,
  exit,
  isError,
  MADV_DONTNEED,
  MADV_WILLNEED,
  MAP_PRIVATE,
  MAP_SHARED,
  MCL_CURRENT,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  MS_ASYNC,
  MS_SYNC,
  madvise,
  mlock,
  mlockall,
  mprotect,
  mremap,
  msync,
  munlock,
  munlockall,
  munmap,
  PROT_READ,
  Signal,
  same,
  test,
  testBegin,
  testEnd,
} from "../lib/index";
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
  statusOfAccess,
  wordOf,
  writePage,
  writePages,
} from "./support/memory";
import { pageHere, rmapEntriesOf, tableHere, tableIs, tableOf } from "./support/tables";
import { childEnd, hear, pairEnd, startChild, tell } from "./support/turns";

const PAGES: u32 = 64;
const NEW: u32 = 0x5eed0003;

/** In fork=share: the edit has unshared so many tables, as countBegin() and countEnd() around it saw. */
function unshared(tables: u32): void {
  if (sharing()) assert(same(countOf(cstr("tables_unshared")), tables), "the edit unshares the tables that it reaches");
}

/** Runs `edit` in a child that shares slots 0 and 1 of the tests' memory, PAGES pages each; the parent's stays as it was. */
function inChild(edit: () => void): void {
  mapPages(0, 2 * PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(0, PAGES);
  writePages(PAGES_A_SLOT, PAGES);
  const pid = startChild();
  if (pid == 0) {
    edit();
    tell();
    hear();
    childEnd();
  }
  hear();
  if (sharing()) {
    assert(tableIs(tableHere(SLOT), 1, 0), "the other is left alone with the first table");
    assert(same(tableHere(SLOT).present, PAGES), "and all its pages");
  }
  assert(pagesIntact(0, PAGES) && pagesIntact(PAGES_A_SLOT, PAGES), "the other's memory is as it was");
  writePage(0, NEW);
  tell();
  pairEnd(pid);
}

/** mremap, which must succeed. */
function remap(page: u32, oldPages: u32, newPages: u32, flags: u32, target: u32): usize {
  const result = mremap(pageAt(page), oldPages * PAGE, newPages * PAGE, flags, pageAt(target));
  assert(!isError(result), "the mapping can be resized or moved");
  return result;
}

function moveInChild(): void {
  const frame = pageHere(pageAt(9)).pte >> 12;
  countBegin();
  remap(8, 8, 12, MREMAP_MAYMOVE | MREMAP_FIXED, PAGES_A_SLOT + 4);
  countEnd();
  unshared(2);
  assert(same(countOf(cstr("cow_copies")), 0), "a move copies no page");
  assert(same(pageHere(pageAt(PAGES_A_SLOT + 5)).pte >> 12, frame), "the frame is the same");
  const moved = pageHere(pageAt(PAGES_A_SLOT + 5));
  assert(
    same(moved.rmapEntries, moved.rmapVerified) && same(moved.rmapEntries, rmapEntriesOf(2)),
    "its reverse map names the new pte",
  );
  for (let i: u32 = 0; i < 8; i++) assert(same(readPage(PAGES_A_SLOT + 4 + i), wordOf(8 + i)), "contents move along");
  for (let i: u32 = 8; i < 12; i++) assert(same(readPage(PAGES_A_SLOT + 4 + i), 0), "what is new reads as zeros");
  assert(same(readPage(PAGES_A_SLOT + 16), wordOf(PAGES_A_SLOT + 16)), "what lies behind is as it was");
  assert(same(statusOfAccess(pageAt(8), false), Signal.SIGSEGV), "nothing is left where it was");
  assert(pagesIntact(0, 8) && pagesIntact(16, PAGES - 16), "but the rest around it");
  writePage(PAGES_A_SLOT + 5, NEW);
}

function mremapMoves(): void {
  inChild(moveInChild);
}

function resizeInChild(): void {
  countBegin();
  remap(PAGES_A_SLOT, PAGES_A_SLOT, PAGES_A_SLOT - 8, 0, 0);
  countEnd();
  unshared(1);
  assert(same(statusOfAccess(pageAt(2 * PAGES_A_SLOT - 8), false), Signal.SIGSEGV), "what is cut off is gone");
  remap(PAGES_A_SLOT, PAGES_A_SLOT - 8, PAGES_A_SLOT, 0, 0);
  writePage(2 * PAGES_A_SLOT - 8, NEW);
  assert(same(readPage(2 * PAGES_A_SLOT - 1), 0), "and comes back as zeros");
  writePage(0, NEW);
}

function mremapResizes(): void {
  inChild(resizeInChild);
  assert(same(readPage(2 * PAGES_A_SLOT - 8), 0), "what one sharer adds is not the other's");
}

/** Growing into a slot that is shared for the sake of another mapping: the other must not see what comes there. */
function growthUnshares(): void {
  mapPages(0, 8, READ_WRITE, MAP_PRIVATE);
  mapPages(32, 8, READ_WRITE, MAP_PRIVATE);
  writePages(0, 8);
  const pid = startChild();
  if (pid == 0) {
    hear();
    assert(same(statusOfAccess(pageAt(9), false), Signal.SIGSEGV), "the other's growth is not here");
    childEnd();
  }
  countBegin();
  remap(0, 8, 16, 0, 0);
  countEnd();
  unshared(1);
  assert(same(readPage(9), 0), "who grew the mapping can read it");
  tell();
  pairEnd(pid);
}

function errors(): void {
  mapPages(0, 8, READ_WRITE, MAP_PRIVATE);
  mapPages(8, 8, PROT_READ, MAP_PRIVATE);
  writePages(0, 8);
  const start = pageAt(0);
  const fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
  assert(i32(mremap(start, 8 * PAGE, 9 * PAGE, 0)) == -Errno.ENOMEM, "there is no room to grow");
  assert(i32(mremap(start, 9 * PAGE, 9 * PAGE, 0)) == -Errno.EFAULT, "two mappings at once");
  assert(i32(mremap(start + 1, PAGE, PAGE, 0)) == -Errno.EINVAL, "an address inside a page");
  assert(i32(mremap(start, PAGE, PAGE, fixed, start)) == -Errno.EINVAL, "onto itself");
  assert(i32(mremap(start, PAGE, PAGE, MREMAP_FIXED, start + SLOT_BYTES)) == -Errno.EINVAL, "fixed, but not moving");
  assert(i32(mremap(start, 0, PAGE, MREMAP_MAYMOVE)) == -Errno.EINVAL, "nothing");
  assert(i32(mremap(start + SLOT_BYTES, PAGE, PAGE, 0)) == -Errno.EFAULT, "a hole");
  const moved = mremap(start, 8 * PAGE, 9 * PAGE, MREMAP_MAYMOVE);
  assert(!isError(moved) && same(load<u32>(moved + 7 * PAGE), wordOf(7)), "it may move to where there is room");
  assert(munmap(moved, 9 * PAGE) == 0, "and be unmapped there");
  assert(madvise(start + 8 * PAGE, 8 * PAGE, MADV_WILLNEED) == 0, "advice is taken");
  assert(madvise(start + 8 * PAGE, PAGE, 99) == -Errno.EINVAL, "advice that nobody knows");
  assert(madvise(start, 9 * PAGE, MADV_DONTNEED) == -Errno.ENOMEM, "advice for a hole");
  assert(msync(start + 8 * PAGE, PAGE, MS_SYNC) == 0, "msync");
  assert(msync(start + 8 * PAGE, PAGE, MS_SYNC | MS_ASYNC) == -Errno.EINVAL, "msync at once and later");
  assert(msync(start, PAGE, MS_SYNC) == -Errno.ENOMEM, "msync of a hole");
  assert(mlock(start, PAGE) == -Errno.ENOMEM, "mlock of a hole");
  assert(mlockall(0) == -Errno.EINVAL, "mlockall of nothing");
  assert(mlockall(MCL_CURRENT) == 0 && munlockall() == 0, "mlockall and back");
}

function dropInChild(): void {
  countBegin();
  assert(madvise(pageAt(4), PAGES_A_SLOT * PAGE, MADV_DONTNEED) == 0, "pages of two slots can be dropped");
  countEnd();
  unshared(2);
  for (let i: u32 = 4; i < 12; i++) assert(same(readPage(i), 0), "what was dropped reads as zeros");
  assert(pagesIntact(0, 4) && pagesIntact(PAGES_A_SLOT + 4, PAGES - 4), "the rest is as it was");
  countBegin();
  assert(madvise(pageAt(PAGES_A_SLOT), SLOT_BYTES, MADV_DONTNEED) == 0, "a whole slot can be dropped");
  countEnd();
  unshared(0);
  assert(same(readPage(PAGES_A_SLOT + 8), 0), "and reads as zeros");
}

function madviseDrops(): void {
  inChild(dropInChild);
  mapPages(0, 8, READ_WRITE, MAP_SHARED);
  writePages(0, 8);
  assert(madvise(pageAt(0), 8 * PAGE, MADV_DONTNEED) == 0, "shared memory can be dropped");
  assert(pagesIntact(0, 8), "and keeps its contents");
}

function protectInChild(): void {
  countBegin();
  assert(mprotect(pageAt(0), 8 * PAGE, PROT_READ) == 0, "a part of a shared slot can be protected");
  countEnd();
  unshared(1);
  assert(same(statusOfAccess(pageAt(3), true), Signal.SIGSEGV), "and cannot be written then");
  assert(pagesIntact(0, PAGES), "only read");
}

function mprotectUnshares(): void {
  inChild(protectInChild);
}

function heapUnshares(): void {
  const heap = brk(0);
  // A slot that the heap has for itself: the program's own data would unshare that of the old end.
  const start = (heap + 2 * SLOT_BYTES) & ~(SLOT_BYTES - 1);
  assert(brk(start + 4 * PAGE) == start + 4 * PAGE, "the heap grows");
  store<u32>(start, NEW);
  const pid = startChild();
  if (pid == 0) {
    hear();
    assert(same(statusOfAccess(start + 5 * PAGE, false), Signal.SIGSEGV), "the parent's growth is not the child's");
    assert(brk(start) == start, "the child's heap shrinks");
    tell();
    hear();
    childEnd();
  }
  countBegin();
  assert(brk(start + 8 * PAGE) == start + 8 * PAGE, "the parent's heap grows");
  countEnd();
  unshared(1);
  assert(same(load<u32>(start + 5 * PAGE), 0), "and reads as zeros");
  tell();
  hear();
  assert(same(load<u32>(start), NEW), "the child's shrinking is not the parent's");
  tell();
  pairEnd(pid);
  brk(heap);
}

function lockedTableIsCopied(): void {
  mapPages(0, 2 * PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(PAGES_A_SLOT, PAGES);
  assert(mlock(pageAt(4), 8 * PAGE) == 0, "pages can be locked");
  assert(same(tableHere(SLOT).present, 8), "which faults them in");
  writePages(0, PAGES);
  const faults = pageHere(pageAt(5)).pte & 2;
  assert(same(faults, 2), "ready for writing");
  const pid = startChild();
  if (pid == 0) {
    tell();
    hear();
    assert(pagesIntact(0, PAGES) && pagesIntact(PAGES_A_SLOT, PAGES), "the child has its own, as they were");
    assert(madvise(pageAt(5), PAGE, MADV_DONTNEED) == 0, "the child's are not locked");
    childEnd();
  }
  hear();
  assert(tableIs(tableHere(SLOT), 1, 1), "fork copies a table with locked pages");
  assert(tableHere(SLOT).frame != tableOf(pid, SLOT).frame, "and does not share it");
  if (sharing()) assert(same(tableHere(SLOT + 1).frame, tableOf(pid, SLOT + 1).frame), "others are shared as ever");
  writePage(5, NEW);
  assert(madvise(pageAt(5), PAGE, MADV_DONTNEED) == -Errno.EINVAL, "locked pages cannot be dropped");
  tell();
  pairEnd(pid);
  assert(same(readPage(5), NEW), "the parent has what it wrote");
  assert(munlock(pageAt(0), SLOT_BYTES) == 0, "they can be unlocked");
  const second = startChild();
  if (second == 0) {
    tell();
    hear();
    exit(0);
  }
  hear();
  if (sharing()) assert(tableIs(tableHere(SLOT), 2, 0), "and then the table is shared again");
  tell();
  pairEnd(second);
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  testBegin(argc, argv);
  test(cstr("P26 mremap unshares source and destination"), mremapMoves);
  test(cstr("P26 mremap unshares what it cuts off"), mremapResizes);
  test(cstr("P26 mremap unshares what it grows into"), growthUnshares);
  test(cstr("mremap, madvise, mlock and msync say what is wrong"), errors);
  test(cstr("P26 madvise unshares what it drops in part"), madviseDrops);
  test(cstr("P26 mprotect unshares the slot"), mprotectUnshares);
  test(cstr("P26 brk unshares the slot"), heapUnshares);
  test(cstr("P35 fork copies a table with locked pages"), lockedTableIsCopied);
  return testEnd();
}
