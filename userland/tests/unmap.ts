/**
 * Unmapping, mapping over, exit and exec under shared page tables: properties 24, 25 and 27 to 32. Tables and counters are
 * those of fork=share; contents and signals are checked in both modes. May import lib and support/.
 */
import {
  cstr,
  execve,
  exit,
  flush,
  fork,
  getpid,
  MAP_PRIVATE,
  munmap,
  PROT_READ,
  pipe,
  read,
  Signal,
  same,
  test,
  testBegin,
  testEnd,
  waitFor,
  waitGone,
  waitSuccess,
  within,
  write,
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
import {
  pageHere,
  parseTable,
  rmapEntriesOf,
  TableInfo,
  tableHere,
  tableIs,
  tableOf,
  tablesText,
} from "./support/tables";
import { childEnd, hear, heard, pairClose, pairEnd, startChild, tell } from "./support/turns";

const PAGES: u32 = 64;
const NEW: u32 = 0x5eed0002;
const message: usize = memory.data(8, 4);
const ends: usize = memory.data(8, 4);
const execArguments: usize = memory.data(8, 4);
const line: TableInfo = changetype<TableInfo>(memory.data(24, 4));

function newMappingIsNotTheOthers(): void {
  mapPages(0, PAGES, READ_WRITE, MAP_PRIVATE);
  writePages(0, PAGES);
  const pid = startChild();
  if (pid == 0) {
    tell();
    hear();
    // The parent has mapped this page and read it by now, so that its table has it; here there is still nothing.
    readPage(513);
    exit(1);
  }
  hear();
  countBegin();
  mapPages(512, 4, READ_WRITE, MAP_PRIVATE);
  countEnd();
  if (sharing()) {
    assert(same(countOf(cstr("tables_unshared")), 1), "mapping something new in a shared slot unshares it");
    assert(tableIs(tableOf(pid, SLOT), 1, 0), "the other is left alone with its table");
  }
  assert(same(readPage(513), 0), "who mapped it can read it");
  tell();
  assert(same(waitFor(pid), Signal.SIGSEGV), "another's access there is still SIGSEGV");
  pairClose();
  writePage(512, NEW);
  assert(same(readPage(512), NEW), "and write it");
  assert(pagesIntact(0, PAGES), "the rest of the slot is as it was");
}

/** Wait status of a child that reads a page, unmaps the slot that it is in, and reads it again at once. */
function statusAfterUnmap(page: u32): u32 {
  flush();
  const pid = fork();
  if (pid == 0) {
    readPage(page);
    if (munmap(pageAt(page) & ~(SLOT_BYTES - 1), SLOT_BYTES) != 0) exit(2);
    readPage(page);
    exit(1);
  }
  return waitFor(pid);
}

function unmapOfHoleUnshares(): void {
  mapPages(0, 8, READ_WRITE, MAP_PRIVATE);
  writePages(0, 1);
  const pid = startChild();
  if (pid == 0) {
    countBegin();
    assert(munmap(pageAt(4), 2 * PAGE) == 0, "a range that was never used can be unmapped");
    countEnd();
    if (sharing()) assert(same(countOf(cstr("tables_unshared")), 1), "which unshares the slot");
    tell();
    hear();
    // The parent has read the page, so that its table has it now.
    readPage(4);
    exit(1);
  }
  hear();
  assert(same(readPage(4), 0) && same(readPage(5), 0), "the other still has the range");
  tell();
  assert(same(waitFor(pid), Signal.SIGSEGV), "what the other fills does not appear where it was unmapped");
  pairClose();
  writePage(4, NEW);
  assert(same(readPage(4), NEW) && pagesIntact(0, 1), "the other goes on using it");
}

function exitTouchesNoEntry(): void {
  mapPages(0, 2 * PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(0, 2 * PAGES_A_SLOT);
  const pid = startChild();
  if (pid == 0) {
    tell();
    hear();
    exit(0);
  }
  hear();
  countBegin();
  tell();
  waitSuccess(pid);
  countEnd();
  pairClose();
  assert(pagesIntact(0, 2 * PAGES_A_SLOT), "the other's memory is as it was");
  if (!sharing()) {
    assert(
      within(countOf(cstr("rmap_removed")), rmapEntriesOf(2 * PAGES_A_SLOT), 3 * PAGES_A_SLOT),
      "fork=copy takes every page down",
    );
    return;
  }
  assert(countOf(cstr("tables_released")) >= 2, "exit gives up its use of shared tables");
  assert(within(countOf(cstr("rmap_removed")), 0, 100), "and takes down only the pages that were its own");
  assert(tableIs(tableHere(SLOT), 1, 0) && tableIs(tableHere(SLOT + 1), 1, 0), "the other is left alone with them");
  assert(same(tableHere(SLOT).present, PAGES_A_SLOT), "as full as they were");
}

/** exit leaves the table bit for bit: apart, as reading the memory sets accessed bits. */
function exitLeavesTable(): void {
  mapPages(0, PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(0, PAGES_A_SLOT);
  const pid = startChild();
  if (pid == 0) {
    hear();
    exit(0);
  }
  const sum = tableHere(SLOT).sum;
  tell();
  waitSuccess(pid);
  pairClose();
  assert(same(tableHere(SLOT).sum, sum), "after a sharer's exit the table is what it was, bit for bit");
}

function ownerExitsFirst(): void {
  assert(pipe(ends) == 0, "there is a pipe");
  flush();
  const owner = fork();
  if (owner == 0) {
    mapPages(0, 2 * PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
    writePages(0, 2 * PAGES_A_SLOT);
    const ownersPid = getpid();
    for (let child: u32 = 0; child < 2; child++) {
      if (fork() == 0) {
        waitGone(ownersPid);
        writePage(child, NEW + child);
        const other: u32 = 1 - child;
        const right =
          readPage(child) == NEW + child && readPage(other) == wordOf(other) && pagesIntact(2, 2 * PAGES_A_SLOT - 2);
        store<i32>(message, right ? getpid() : 0);
        write(load<i32>(ends + 4), message, 4);
        exit(0);
      }
    }
    exit(0);
  }
  waitSuccess(owner);
  for (let child = 0; child < 2; child++) {
    assert(read(load<i32>(ends), message, 4) == 4, "a child outlives its parent");
    assert(load<i32>(message) != 0, "and finds all that it inherited");
    waitGone(load<i32>(message));
  }
}

function unmapOfWholeSlot(): void {
  mapPages(0, 2 * PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(0, 2 * PAGES_A_SLOT);
  const pid = startChild();
  if (pid == 0) {
    countBegin();
    assert(munmap(pageAt(0), SLOT_BYTES) == 0, "a whole slot can be unmapped");
    countEnd();
    if (sharing()) {
      assert(same(countOf(cstr("tables_released")), 1), "a shared table that covers it is given up");
      assert(same(countOf(cstr("tables_unshared")), 0), "and not copied");
      assert(same(countOf(cstr("rmap_removed")), 0), "nor touched");
    }
    assert(same(tableHere(SLOT).frame, 0), "the slot has no table");
    assert(pagesIntact(PAGES_A_SLOT, PAGES_A_SLOT), "the next slot is as it was");
    tell();
    hear();
    readPage(PAGES_A_SLOT - 1);
    exit(1);
  }
  const frame = tableHere(SLOT).frame;
  hear();
  if (sharing()) {
    assert(tableIs(tableHere(SLOT), 1, 0) && same(tableHere(SLOT).frame, frame), "the other keeps the table");
    assert(same(tableHere(SLOT).present, PAGES_A_SLOT), "with all its pages");
  }
  assert(pagesIntact(0, 2 * PAGES_A_SLOT), "and their contents");
  tell();
  assert(same(waitFor(pid), Signal.SIGSEGV), "there is nothing where the slot was unmapped");
  pairClose();
  assert(same(statusAfterUnmap(5), Signal.SIGSEGV), "nor is there in the TLB");
  assert(pagesIntact(0, PAGES_A_SLOT), "the other still has the slot");
  assert(munmap(pageAt(0), SLOT_BYTES) == 0, "until it unmaps it too");
  assert(same(statusOfAccess(pageAt(5), false), Signal.SIGSEGV), "and cannot read it any more");
}

function partialUnmap(): void {
  mapPages(0, 4 * PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(0, 4 * PAGES_A_SLOT);
  const pid = startChild();
  if (pid == 0) {
    countBegin();
    assert(munmap(pageAt(PAGES_A_SLOT / 2), 3 * SLOT_BYTES) == 0, "from the middle of a slot to that of another");
    countEnd();
    if (sharing()) {
      assert(same(countOf(cstr("tables_unshared")), 2), "the first and the last slot are unshared");
      assert(same(countOf(cstr("tables_released")), 2), "those between are given up whole");
    }
    assert(pagesIntact(0, PAGES_A_SLOT / 2), "what lies before is as it was");
    assert(pagesIntact((PAGES_A_SLOT * 7) / 2, PAGES_A_SLOT / 2), "and what lies behind");
    const beyond = statusOfAccess(pageAt((PAGES_A_SLOT * 7) / 2 - 1), false);
    assert(same(beyond, Signal.SIGSEGV), "the last page of the hole is gone");
    assert(same(statusOfAccess(pageAt(PAGES_A_SLOT / 2), true), Signal.SIGSEGV), "and the first");
    assert(same(statusOfAccess(pageAt(PAGES_A_SLOT + 1), false), Signal.SIGSEGV), "and those between");
    tell();
    hear();
    childEnd();
  }
  hear();
  if (sharing()) {
    for (let slot: u32 = 0; slot < 4; slot++) {
      assert(tableIs(tableHere(SLOT + slot), 1, 0), "the other is left alone with each table");
      assert(same(tableHere(SLOT + slot).present, PAGES_A_SLOT), "and all its pages");
    }
  }
  assert(pagesIntact(0, 4 * PAGES_A_SLOT), "and their contents");
  tell();
  pairEnd(pid);
}

/** Tables that this process has. */
function tableCount(): u32 {
  let count: u32 = 0;
  let at = parseTable(tablesText(0), line);
  while (at != 0) {
    count++;
    at = parseTable(at, line);
  }
  return count;
}

function oneTableManyMappings(): void {
  // Four mappings in one slot, with holes and different protections, and one that reaches into the next slot.
  mapPages(0, 8, READ_WRITE, MAP_PRIVATE);
  mapPages(16, 8, PROT_READ, MAP_PRIVATE);
  mapPages(24, 8, READ_WRITE, MAP_PRIVATE);
  mapPages(PAGES_A_SLOT - 8, 16, READ_WRITE, MAP_PRIVATE);
  writePages(0, 8);
  assert(same(readPage(16), 0), "the read-only mapping reads zero");
  writePages(24, 8);
  writePages(PAGES_A_SLOT - 8, 16);
  tableCount();
  const tables = tableCount();
  countBegin();
  const pid = fork();
  if (pid == 0) {
    countBegin();
    assert(munmap(pageAt(0), 8 * PAGE) == 0, "the first mapping goes");
    assert(munmap(pageAt(24), 8 * PAGE) == 0, "the third goes");
    countEnd();
    if (sharing()) assert(same(countOf(cstr("tables_unshared")), 1), "a table under several mappings is unshared once");
    assert(same(tableHere(SLOT).present, 9), "the other mappings keep their pages");
    assert(munmap(pageAt(0), 2 * SLOT_BYTES) == 0, "the rest goes at once");
    assert(same(tableHere(SLOT).frame, 0) && same(tableHere(SLOT + 1).frame, 0), "and the tables with it");
    exit(0);
  }
  waitSuccess(pid);
  countEnd();
  if (sharing()) {
    const each = countOf(cstr("tables_shared")) + countOf(cstr("tables_copied"));
    assert(same(each, tables), "fork shares each table once, or copies it once");
    assert(tableIs(tableHere(SLOT), 1, 0) && tableIs(tableHere(SLOT + 1), 1, 0), "each is released once");
  }
  assert(pagesIntact(0, 8) && pagesIntact(24, 8) && pagesIntact(PAGES_A_SLOT - 8, 16), "contents are as they were");
  assert(same(pageHere(pageAt(0)).references, 1), "every page is the parent's alone");
}

function execCopiesNoTable(): void {
  mapPages(0, 4 * PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(0, 4 * PAGES_A_SLOT);
  const pid = startChild();
  if (pid == 0) {
    store<usize>(execArguments, cstr("/bin/true"));
    store<usize>(execArguments + 4, 0);
    tell();
    hear();
    execve(cstr("/bin/true"), execArguments, execArguments + 4);
    exit(1);
  }
  hear();
  countBegin();
  tell();
  waitSuccess(pid);
  countEnd();
  pairClose();
  assert(same(countOf(cstr("tables_unshared")), 0), "exec unshares nothing");
  assert(within(countOf(cstr("allocated_table")), 1, 3), "and takes tables for the new image only");
  if (sharing()) {
    assert(countOf(cstr("tables_released")) >= 4, "it gives up the shared tables");
    assert(within(countOf(cstr("rmap_removed")), 0, 200), "and touches no page of theirs");
    for (let slot: u32 = 0; slot < 4; slot++) assert(tableIs(tableHere(SLOT + slot), 1, 0), "the other keeps them");
  }
  assert(pagesIntact(0, 4 * PAGES_A_SLOT), "the other's memory is as it was");
}

function tightenedProtection(): void {
  mapPages(0, PAGES, READ_WRITE, MAP_PRIVATE);
  writePages(0, PAGES);
  const pid = startChild();
  if (pid == 0) {
    mapPages(0, 8, PROT_READ, MAP_PRIVATE);
    tell();
    hear();
    assert(same(readPage(3), 0), "what was mapped over reads zero");
    assert(pagesIntact(8, PAGES - 8), "the rest is as it was");
    tell();
    writePage(3, NEW);
    exit(1);
  }
  hear();
  writePage(3, NEW);
  assert(same(readPage(3), NEW), "mapping over a range in one process leaves the other able to write");
  tell();
  assert(heard(), "the child finds what it mapped");
  assert(same(waitFor(pid), Signal.SIGSEGV), "and may not write there");
  pairClose();
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  testBegin(argc, argv);
  test(cstr("P24 what one sharer maps anew is not there for another"), newMappingIsNotTheOthers);
  test(cstr("P25 unmapping a hole in a shared slot unshares it"), unmapOfHoleUnshares);
  test(cstr("P27 exit of a sharer touches no pte and frees no page"), exitTouchesNoEntry);
  test(cstr("P27 exit of a sharer leaves the table bit for bit"), exitLeavesTable);
  test(cstr("P28 the original owner may exit first"), ownerExitsFirst);
  test(cstr("P29 unmapping a whole shared slot gives up the table"), unmapOfWholeSlot);
  test(cstr("P30 a partial unmap unshares the first and last slot only"), partialUnmap);
  test(cstr("P31 a table under several mappings counts once"), oneTableManyMappings);
  test(cstr("P32 exec right after fork copies no table"), execCopiesNoTable);
  test(cstr("mapping over a shared slot leaves the other's memory alone"), tightenedProtection);
  return testEnd();
}
