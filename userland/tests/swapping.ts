/**
 * Swapping under shared page tables: properties 20, 21, 35, 38 to 43 and 46, and a disk that refuses. Wants a swap area (swap=on) and
 * a small memory; the last cases want a host whose disk can refuse (tests/guest/swapping.ts). What is said of tables is said
 * of fork=share; entries, contents and signals are checked in every mode. May import lib and support/.
 */
import {
  cstr,
  DiskRefusal,
  Errno,
  exit,
  fork,
  MAP_PRIVATE,
  mlock,
  munlock,
  munmap,
  O_WRONLY,
  open,
  pipe,
  read,
  Signal,
  same,
  test,
  testBegin,
  testEnd,
  waitSuccess,
  within,
  write,
} from "../lib/index";
import { countBegin, countEnd, countOf, framesForMapping } from "./support/counts";
import {
  mapPages,
  PAGE,
  pageAt,
  pagesIntact,
  READ_WRITE,
  readPage,
  SLOT,
  sharing,
  statusOfAccess,
  wordOf,
  writePage,
  writePages,
} from "./support/memory";
import { endSharers, SHARERS, sharer, startSharers } from "./support/sharers";
import {
  copyEntries,
  evict,
  evictAll,
  freeSlots,
  isSwapEntry,
  openReclaim,
  pinProgram,
  presentPages,
  refuseDisk,
  swapIns,
  swappedPages,
  swapsOff,
  swapsOn,
} from "./support/swapping";
import { pageHere, residentPages, tableHere, tableIs, tableOf } from "./support/tables";
import { childEnd, hear, pairEnd, startChild, tell } from "./support/turns";

const PAGES: u32 = 64;
const NEW: u32 = 0x5eed0006;
/** Evictions of a few pages, one after another. */
const STEPS: i32 = 30;
/** Pages of other processes that may move meanwhile. */
const OTHERS: u32 = 200;
/** Sizes of the sharers. */
const sizes: usize = memory.data(16, 4);
const ends: usize = memory.data(8, 4);
const word: usize = memory.data(8, 4);
/** Ptes of PAGES pages, of this process and of another. */
const entries: usize = memory.data(256, 4);
const others: usize = memory.data(256, 4);

/** Memory with PAGES pages written, and a program that is not itself evicted. */
function prepare(): void {
  mapPages(0, PAGES, READ_WRITE, MAP_PRIVATE);
  writePages(0, PAGES);
  openReclaim();
  pinProgram();
}

/** Whether pages from `first` on are swapped out for this process and another, by the same entries. */
function sameEntries(pid: i32, first: u32): bool {
  copyEntries(0, first, PAGES - first, entries);
  copyEntries(pid, first, PAGES - first, others);
  for (let page: u32 = 0; page < PAGES - first; page++) {
    const entry = load<u32>(entries + page * 4);
    if (!isSwapEntry(entry) || !same(load<u32>(others + page * 4), entry)) return same(entry, 0x1000);
  }
  return true;
}

/** Whether each page but the first is in swap for both, this process and another, or for neither. */
function goTogether(pid: i32): bool {
  copyEntries(0, 1, PAGES - 1, entries);
  copyEntries(pid, 1, PAGES - 1, others);
  for (let page: u32 = 0; page < PAGES - 1; page++) {
    const isOut = isSwapEntry(load<u32>(entries + page * 4));
    if (isSwapEntry(load<u32>(others + page * 4)) != isOut) return same(page, PAGES);
  }
  return true;
}

/** Whether they are for all sharers. */
function swappedForAll(first: u32): bool {
  for (let i: u32 = 0; i < SHARERS; i++) if (!sameEntries(sharer(i), first)) return false;
  return true;
}

/** In a sharer: the page of its number is not there at once, and is right. */
function faultsOnce(number: u32): void {
  countBegin();
  const value = readPage(number);
  countEnd();
  assert(same(value, wordOf(number)), "what was swapped out comes back as it was");
  assert(countOf(cstr("faults")) >= 1, "by a fault");
}

function oneEntryForAll(): void {
  prepare();
  startSharers(faultsOnce);
  countBegin();
  evictAll();
  countEnd();
  assert(
    within(countOf(cstr("swap_outs")), PAGES, PAGES + OTHERS),
    "each page is written once, however many processes show it",
  );
  assert(swappedForAll(0), "one swap entry for all");
  for (let page: u32 = 1; page < PAGES; page++) {
    assert(load<u32>(entries + page * 4) != load<u32>(entries + page * 4 - 4), "and another for each page");
  }
  if (sharing()) {
    assert(tableIs(tableHere(SLOT), SHARERS + 1, 0), "the table is shared as before");
    assert(same(tableHere(SLOT).present, 0), "and has no page any more");
  }
  faultsOnce(SHARERS);
  endSharers();
  assert(pagesIntact(0, PAGES), "and so do all pages");
}

function intact(_number: u32): void {
  assert(pagesIntact(0, PAGES), "a sharer finds all that it had");
}

function nothingAllocated(): void {
  prepare();
  startSharers(intact);
  const fails = open(cstr("/proc/failalloc"), O_WRONLY);
  assert(fails >= 0, "allocations can fail");
  countBegin();
  assert(write(fails, cstr("1"), 1) == 1, "the next one does");
  evictAll();
  assert(write(fails, cstr("0"), 1) == 1, "from here on none");
  countEnd();
  assert(same(countOf(cstr("allocations_failed")), 0), "but there was none");
  assert(same(framesForMapping() + countOf(cstr("allocated_data")), 0), "no frame was taken");
  assert(same(countOf(cstr("tables_unshared")), 0), "and nothing unshared");
  assert(same(swappedPages(0, 0, PAGES), PAGES), "though all is swapped out");
  endSharers();
  assert(pagesIntact(0, PAGES), "and comes back");
}

function residentFallsByOne(): void {
  prepare();
  startSharers(intact);
  // All that can be used again unnoticed is out of the way first: then the tests' pages go one by one.
  for (let round: u32 = 0; round < 3; round++) {
    const present = tableHere(SLOT).present;
    const own = residentPages(0);
    for (let i: u32 = 0; i < SHARERS; i++) store<u32>(sizes + i * 4, residentPages(sharer(i)));
    let tries = 0;
    while (presentPages(0, 0, PAGES) == present && tries < 2000) {
      evict(cstr("1"));
      tries++;
    }
    assert(same(presentPages(0, 0, PAGES), present - 1), "one page is swapped out");
    assert(same(tableHere(SLOT).present, present - 1), "the table says so");
    assert(same(residentPages(0), own - 1), "and the process's size");
    for (let i: u32 = 0; i < SHARERS; i++) {
      assert(same(tableOf(sharer(i), SLOT).present, present - 1), "the tables of the others too");
      const before = load<u32>(sizes + i * 4);
      assert(residentPages(sharer(i)) < before, "and their sizes");
    }
  }
  endSharers();
  assert(pagesIntact(0, PAGES), "all comes back");
}

function oneReadServesAll(): void {
  prepare();
  const pid = startChild();
  if (pid == 0) {
    hear();
    assert(pagesIntact(0, PAGES), "a reader gets what was swapped out");
    tell();
    hear();
    writePage(3, NEW);
    tell();
    hear();
    assert(same(readPage(3), NEW) && pagesIntact(4, PAGES - 4), "a writer has what it wrote");
    childEnd();
  }
  evictAll();
  const slots = freeSlots();
  tell();
  hear();
  const read = swapIns();
  assert(pagesIntact(0, PAGES), "the others get it too");
  assert(same(swapIns(), read), "without reading it again");
  tell();
  hear();
  assert(same(readPage(3), wordOf(3)), "and keep theirs when one writes");
  evictAll();
  assert(pagesIntact(0, PAGES), "also through swap");
  tell();
  pairEnd(pid);
  writePages(0, PAGES);
  assert(freeSlots() >= slots + PAGES, "with the last reference the slots are free");
}

function swapoffBringsBack(): void {
  prepare();
  startSharers(intact);
  evictAll();
  const total = freeSlots();
  assert(same(swappedPages(0, 0, PAGES), PAGES), "all is swapped out");
  const used = swapTotal() - total;
  countBegin();
  assert(swapsOff() == 0, "swap can be given up");
  countEnd();
  assert(within(countOf(cstr("swap_ins")), PAGES, used), "each page is read once, however many tables and processes");
  assert(same(presentPages(0, 0, PAGES), PAGES) && same(tableHere(SLOT).present, PAGES), "all is in memory");
  for (let i: u32 = 0; i < SHARERS; i++) {
    assert(same(presentPages(sharer(i), 0, PAGES), PAGES), "for the others too");
    assert(same(tableOf(sharer(i), SLOT).present, PAGES), "and counted so");
  }
  if (sharing()) assert(tableIs(tableHere(SLOT), SHARERS + 1, 0), "in tables that are shared as before");
  assert(same(pageHere(pageAt(1)).rmapEntries, sharing() ? 1 : SHARERS + 1), "with an rmap entry for each table");
  endSharers();
  assert(pagesIntact(0, PAGES), "and as it was");
  swapsOn();
}

/** Pages of the swap area, when nothing is in it: all that are free. */
function swapTotal(): u32 {
  // The area of the host's disk, without its header.
  return SWAP_PAGES - 1;
}
const SWAP_PAGES: u32 = (32 << 20) / 4096;

function allOrNone(): void {
  prepare();
  startSharers(intact);
  const pid = startChild();
  if (pid == 0) {
    // A table of its own, beside the one that the others share.
    writePage(0, NEW);
    tell();
    hear();
    assert(pagesIntact(1, PAGES - 1), "all comes back");
    assert(mlock(pageAt(8), 8 * PAGE) == 0, "some pages may be locked in one table");
    tell();
    hear();
    assert(munlock(pageAt(8), 8 * PAGE) == 0, "and unlocked");
    childEnd();
  }
  hear();
  for (let step = 0; step < STEPS; step++) {
    evict(cstr("6"));
    assert(goTogether(pid), "a page goes from all tables that show it, or from none");
  }
  evictAll();
  assert(swappedForAll(1) && sameEntries(pid, 1), "out of the shared table, and of the other");
  tell();
  hear();
  assert(pagesIntact(0, PAGES), "back in both");
  evictAll();
  // What was locked has been copied for that, and stays.
  assert(same(swappedPages(pid, 8, 8), 0), "what is locked in one table is out of none that has it");
  assert(sameEntries(pid, 16) && same(swappedPages(pid, 1, 7), 7), "the rest is out of both again");
  tell();
  pairEnd(pid);
  endSharers();
  assert(pagesIntact(0, PAGES), "nothing is lost");
}

function lockedStays(): void {
  prepare();
  const pid = startChild();
  if (pid == 0) {
    assert(mlock(pageAt(8), 8 * PAGE) == 0, "memory can be locked under a shared table");
    evictAll();
    assert(same(presentPages(0, 8, 8), 8), "what is locked stays");
    assert(same(swappedPages(0, 0, 8) + swappedPages(0, 16, PAGES - 16), PAGES - 8), "the rest goes");
    countBegin();
    assert(pagesIntact(8, 8), "it is there");
    countEnd();
    assert(same(countOf(cstr("faults")), 0), "without a fault");
    assert(munlock(pageAt(8), 8 * PAGE) == 0, "it can be unlocked");
    evictAll();
    assert(same(swappedPages(0, 8, 8), 8), "and goes then");
    tell();
    hear();
    childEnd();
  }
  hear();
  assert(pagesIntact(0, PAGES), "the other finds all that it had");
  tell();
  pairEnd(pid);
}

function unshareDuplicates(): void {
  prepare();
  startSharers(intact);
  const pid = startChild();
  if (pid == 0) {
    hear();
    writePage(2, NEW);
    if (sharing()) assert(tableIs(tableHere(SLOT), 1, 1), "a write under a table with swap entries unshares it");
    tell();
    hear();
    childEnd();
  }
  evictAll();
  tell();
  hear();
  assert(same(readPage(2), wordOf(2)), "the other does not see the write");
  assert(sameEntries(pid, 3), "both tables have the same entries");
  if (sharing()) assert(same(tableOf(pid, SLOT).present, 1), "of which none is counted as a page");
  tell();
  pairEnd(pid);
  assert(same(swappedPages(0, 3, PAGES - 3), PAGES - 3), "when one table goes, the entries of the other stay");
  const late = fork();
  if (late == 0) {
    intact(0);
    exit(0);
  }
  waitSuccess(late);
  endSharers();
  assert(pagesIntact(0, PAGES), "and their pages");
}

function tablesStay(): void {
  prepare();
  startSharers(intact);
  const frame = tableHere(SLOT).frame;
  countBegin();
  evictAll();
  countEnd();
  assert(same(countOf(cstr("frames_table")), 0), "no table goes");
  assert(same(tableHere(SLOT).frame, frame), "each stays where it is");
  if (sharing()) assert(same(tableOf(sharer(0), SLOT).frame, frame), "for all");
  assert(same(tableHere(SLOT).users, sharing() ? SHARERS + 1 : 1), "in use as before");
  endSharers();
  assert(pagesIntact(0, PAGES), "and what it maps comes back");
}

function dirtyUntilWritten(): void {
  prepare();
  evictAll();
  assert(pagesIntact(0, PAGES), "what was written comes back from swap");
  countBegin();
  evictAll();
  countEnd();
  assert(same(countOf(cstr("swap_outs")), 0), "what was read only is not written again");
  assert(same(swappedPages(0, 0, PAGES), PAGES), "to be swapped out");
  writePage(5, NEW);
  const pid = startChild();
  if (pid == 0) {
    // A reader beside the writer, and both leave the page to be evicted once more.
    assert(same(readPage(5), NEW), "the child has what was written");
    tell();
    hear();
    assert(same(readPage(5), NEW), "and still after it was swapped out");
    childEnd();
  }
  hear();
  countBegin();
  evictAll();
  countEnd();
  assert(countOf(cstr("swap_outs")) >= 1, "what was written is written out");
  assert(same(readPage(5), NEW), "and comes back");
  tell();
  pairEnd(pid);
}

function unreadable(): void {
  prepare();
  assert(pipe(ends) == 0, "there is a pipe");
  startSharers(intact);
  evictAll();
  refuseDisk(DiskRefusal.Reads);
  assert(same(statusOfAccess(pageAt(5), false), Signal.SIGBUS), "who touches a page that cannot be read gets SIGBUS");
  assert(write(load<i32>(ends + 4), pageAt(6), 4) == -Errno.EFAULT, "for the kernel it is a bad address");
  assert(swapsOff() == -Errno.EIO, "swap cannot be given up");
  refuseDisk(DiskRefusal.Nothing);
  assert(
    write(load<i32>(ends + 4), pageAt(6), 4) == 4 && read(load<i32>(ends), word, 4) == 4,
    "when it can be read again",
  );
  assert(same(load<u32>(word), wordOf(6)), "it is right");
  endSharers();
  assert(pagesIntact(0, PAGES), "and nobody else has noticed");
}

function unwritable(): void {
  prepare();
  startSharers(intact);
  const free = freeSlots();
  refuseDisk(DiskRefusal.Writes);
  evict(cstr("1"));
  refuseDisk(DiskRefusal.Reads | DiskRefusal.Writes);
  copyEntries(0, 0, PAGES, others);
  assert(pagesIntact(0, PAGES), "a page that cannot be written is still in memory");
  refuseDisk(DiskRefusal.Nothing);
  endSharers();
  assert(pagesIntact(0, PAGES), "for all");
  assert(munmap(pageAt(0), PAGES * PAGE) == 0, "the pages go");
  mapPages(0, PAGES, READ_WRITE, MAP_PRIVATE);
  writePages(0, PAGES);
  evictAll();
  assert(same(swappedPages(0, 0, PAGES), PAGES), "others can be written");
  copyEntries(0, 0, PAGES, entries);
  for (let page: u32 = 0; page < PAGES; page++) {
    for (let other: u32 = 0; other < PAGES; other++) {
      const isBad = load<u32>(entries + page * 4) == load<u32>(others + other * 4);
      assert(!isBad, "but never to a slot that could not be");
    }
  }
  assert(freeSlots() <= free - 2 * PAGES, "which are given up");
  assert(pagesIntact(0, PAGES), "and nothing is lost");
}
export function main(argc: i32, argv: usize, _envp: usize): i32 {
  testBegin(argc, argv);
  test(cstr("P38 a page that many show is swapped out by one entry, and all fault"), oneEntryForAll);
  test(cstr("P39 swapping out allocates nothing and unshares nothing"), nothingAllocated);
  test(cstr("P40 a page that goes counts for every process that showed it"), residentFallsByOne);
  test(cstr("P41 one read serves all, a writer leaves the others theirs"), oneReadServesAll);
  test(cstr("P42 swapoff brings each page back once, for all"), swapoffBringsBack);
  test(cstr("P43 entries in shared and unshared tables go together"), allOrNone);
  test(cstr("P35 a locked page is not swapped out"), lockedStays);
  test(cstr("P20 unshare duplicates swap entries"), unshareDuplicates);
  test(cstr("P46 tables are not swapped out"), tablesStay);
  test(cstr("P21 a dirty page is written out before it goes, a clean one is not"), dirtyUntilWritten);
  test(cstr("a page that cannot be read is SIGBUS, and nobody else's affair"), unreadable);
  test(cstr("a page that cannot be written stays, and its slot is given up"), unwritable);
  return testEnd();
}
