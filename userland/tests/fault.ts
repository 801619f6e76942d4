/**
 * Faults under shared page tables: properties 9 to 19 and 23 (17 is in spurious.ts, which needs the host's help). Tables and
 * counters are those of fork=share; contents and signals are checked in both modes. May import lib and support/.
 */
import {
  cstr,
  exit,
  fork,
  MAP_PRIVATE,
  MAP_SHARED,
  mprotect,
  PROT_READ,
  Signal,
  same,
  test,
  testBegin,
  testEnd,
  waitFor,
  waitSuccess,
} from "../lib/index";
import { countBegin, countEnd, countOf, framesForMapping } from "./support/counts";
import {
  mapPages,
  PAGE,
  PAGES_A_SLOT,
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
import {
  PTE_PRESENT,
  PTE_WRITABLE,
  pageHere,
  pageOf,
  rmapEntriesOf,
  tableHere,
  tableIs,
  tableOf,
} from "./support/tables";
import { childEnd, gateMake, gateOpen, gateWait, hear, pairClose, pairEnd, startChild, tell } from "./support/turns";

/** Pages that the tests fill: fewer than a table has. */
const PAGES: u32 = 64;
const NEW: u32 = 0x5eed0001;

/** A slot of private memory with PAGES pages written. */
function prepare(): void {
  mapPages(0, PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(0, PAGES);
}

function writerGetsItsOwnTable(): void {
  prepare();
  const frame = tableHere(SLOT).frame;
  const pid = startChild();
  if (pid == 0) {
    countBegin();
    writePage(5, NEW);
    countEnd();
    if (sharing()) {
      assert(same(countOf(cstr("tables_unshared")), 1), "the write unshares one table");
      assert(same(countOf(cstr("allocated_table")), 1), "with one frame");
      assert(tableIs(tableHere(SLOT), 1, 1), "the writer's table is its own and writable");
      assert(tableHere(SLOT).frame != frame, "and another than before");
      assert(same(tableHere(SLOT).present, PAGES), "with as many pages");
    }
    assert(same(readPage(5), NEW), "the writer sees its write");
    assert(pagesIntact(0, 5) && pagesIntact(6, PAGES - 6), "and everything else as it was");
    tell();
    hear();
    childEnd();
  }
  hear();
  if (sharing()) {
    assert(same(tableHere(SLOT).frame, frame), "the other keeps its table");
    assert(tableIs(tableHere(SLOT), 1, 0), "and its pde");
    assert(same(tableHere(SLOT).present, PAGES), "and its pages");
    assert(tableOf(pid, SLOT).frame != frame, "and is its only user");
  }
  assert(pagesIntact(0, PAGES), "and its data");
  tell();
  pairEnd(pid);
}

function unshareProtectsBothTables(): void {
  prepare();
  const pid = startChild();
  if (pid == 0) {
    writePage(0, NEW);
    tell();
    hear();
    // The parent, by now the only user of the old table, has written to pages 1 and 2.
    assert(same(readPage(1), wordOf(1)) && same(readPage(2), wordOf(2)), "the parent's writes stay its own");
    childEnd();
  }
  hear();
  if (sharing()) {
    assert(same(pageOf(pid, pageAt(0)).pte & PTE_WRITABLE, PTE_WRITABLE), "the page that was written is writable");
    for (let page: u32 = 0; page < PAGES; page++) {
      assert(same(pageHere(pageAt(page)).pte & PTE_WRITABLE, 0), "W is clear in the table that was left");
      if (page != 0) assert(same(pageOf(pid, pageAt(page)).pte & PTE_WRITABLE, 0), "and in the copy");
    }
  }
  writePage(1, NEW);
  writePage(2, NEW);
  assert(same(readPage(0), wordOf(0)), "the child's write stays its own");
  tell();
  pairEnd(pid);
}

function sharedMappingsStayShared(): void {
  // One slot with private and shared pages, one with shared pages only.
  mapPages(0, PAGES, READ_WRITE, MAP_PRIVATE);
  mapPages(PAGES, PAGES, READ_WRITE, MAP_SHARED);
  mapPages(PAGES_A_SLOT, PAGES, READ_WRITE, MAP_SHARED);
  writePages(0, 2 * PAGES);
  writePages(PAGES_A_SLOT, PAGES);
  const pid = startChild();
  if (pid == 0) {
    writePage(0, NEW);
    if (sharing()) {
      assert(tableIs(tableHere(SLOT), 1, 1), "a write to a private page unshares the mixed slot");
      assert(same(pageHere(pageAt(PAGES)).pte & PTE_WRITABLE, PTE_WRITABLE), "where shared pages stay writable");
    }
    countBegin();
    writePage(PAGES_A_SLOT + 1, NEW);
    countEnd();
    if (sharing()) {
      assert(same(countOf(cstr("faults")), 0), "a write in a slot of shared memory only does not fault");
      assert(same(countOf(cstr("tables_unshared")), 0), "nor unshare");
      assert(tableIs(tableHere(SLOT + 1), 2, 1), "its table is shared and writable");
    }
    writePage(PAGES + 1, NEW);
    tell();
    hear();
    assert(same(readPage(PAGES + 2), NEW + 2), "the child sees the parent's write in the mixed slot");
    assert(same(readPage(PAGES_A_SLOT + 2), NEW + 2), "and in the other");
    childEnd();
  }
  hear();
  if (sharing()) {
    assert(
      same(pageHere(pageAt(PAGES)).pte & PTE_WRITABLE, PTE_WRITABLE),
      "shared pages stay writable in the old table",
    );
  }
  assert(same(readPage(PAGES + 1), NEW), "the parent sees the child's write in the mixed slot");
  assert(same(readPage(PAGES_A_SLOT + 1), NEW), "and in the other");
  assert(same(readPage(0), wordOf(0)), "but not the one to a private page");
  writePage(PAGES + 2, NEW + 2);
  writePage(PAGES_A_SLOT + 2, NEW + 2);
  tell();
  pairEnd(pid);
}

function unshareComesBeforeReuse(): void {
  prepare();
  const pid = startChild();
  if (pid == 0) {
    if (sharing())
      assert(
        same(pageHere(pageAt(3)).rmapEntries, rmapEntriesOf(1)),
        "the page is mapped by one pte, of a shared table",
      );
    countBegin();
    writePage(3, NEW);
    countEnd();
    assert(same(countOf(cstr("cow_copies")), 1), "the write copies the page");
    assert(same(countOf(cstr("cow_reuses")), 0), "and does not take it for its own");
    tell();
    hear();
    childEnd();
  }
  hear();
  assert(pagesIntact(0, PAGES), "the other's page is untouched");
  tell();
  pairEnd(pid);
}

function lastSharerCopiesNothing(): void {
  prepare();
  const pid = fork();
  if (pid == 0) exit(pagesIntact(0, PAGES) ? 0 : 1);
  waitSuccess(pid);
  const frame = tableHere(SLOT).frame;
  if (sharing()) assert(tableIs(tableHere(SLOT), 1, 0), "the last sharer's pde is read-only");
  countBegin();
  writePage(7, NEW);
  countEnd();
  if (sharing()) {
    assert(same(countOf(cstr("tables_reclaimed")), 1), "its write sets W in the pde");
    assert(same(countOf(cstr("tables_unshared")), 0), "and unshares nothing");
    assert(same(framesForMapping(), 0), "takes no frame");
    assert(same(countOf(cstr("rmap_added")), 0), "adds nothing to the reverse map");
    assert(tableIs(tableHere(SLOT), 1, 1), "the table has one user, and is writable");
    assert(same(tableHere(SLOT).frame, frame), "and is the same");
  }
  assert(same(countOf(cstr("cow_copies")), 0), "no page is copied");
  assert(same(readPage(7), NEW), "the write is there");
}

function writableEntriesFaultNoMore(): void {
  prepare();
  let pid = fork();
  if (pid == 0) exit(0);
  waitSuccess(pid);
  writePage(0, NEW);
  countBegin();
  for (let page: u32 = 1; page < PAGES; page++) writePage(page, NEW);
  countEnd();
  if (sharing()) assert(same(countOf(cstr("faults")), 0), "ptes that kept W fault no more once the pde has it");

  // A child that unshares leaves ptes without W behind.
  writePages(0, PAGES);
  pid = fork();
  if (pid == 0) {
    writePage(0, NEW);
    exit(0);
  }
  waitSuccess(pid);
  writePage(1, NEW);
  countBegin();
  writePage(2, NEW);
  countEnd();
  assert(same(countOf(cstr("faults")), 1), "a pte without W faults once");
  assert(same(countOf(cstr("cow_reuses")), 1), "and its page, mapped once, is made writable");
  assert(same(countOf(cstr("cow_copies")), 0), "not copied");
  countBegin();
  writePage(2, NEW + 1);
  countEnd();
  assert(same(countOf(cstr("faults")), 0), "the next write to it does not fault");
  assert(same(readPage(2), NEW + 1) && same(readPage(0), wordOf(0)), "contents are right");
}

function writeToHoleUnshares(): void {
  mapPages(0, 4, READ_WRITE, MAP_PRIVATE);
  writePages(0, 1);
  mapPages(PAGES_A_SLOT, 4, READ_WRITE, MAP_SHARED);
  writePages(PAGES_A_SLOT, 1);
  const frame = tableHere(SLOT).frame;
  const pid = startChild();
  if (pid == 0) {
    countBegin();
    writePage(1, NEW);
    countEnd();
    if (sharing()) assert(same(countOf(cstr("tables_unshared")), 1), "a write to a hole unshares before it fills");
    assert(same(readPage(1), NEW), "the writer sees its write");
    writePage(PAGES_A_SLOT + 1, NEW);
    if (sharing())
      assert(tableIs(tableHere(SLOT + 1), 2, 1), "a hole in a slot of shared memory only is filled for all");
    tell();
    hear();
    childEnd();
  }
  hear();
  if (sharing()) {
    assert(same(tableHere(SLOT).frame, frame), "the other keeps the old table");
    assert(same(pageHere(pageAt(1)).pte, 0), "and the hole in it");
    assert(same(tableHere(SLOT).present, 1), "and its count of pages");
    countBegin();
    readPage(PAGES_A_SLOT + 1);
    countEnd();
    assert(same(countOf(cstr("faults")), 0), "the page of shared memory is there without a fault");
  }
  assert(same(readPage(1), 0), "the other reads zeros in the hole");
  assert(same(readPage(PAGES_A_SLOT + 1), NEW), "and the writer's word in shared memory");
  tell();
  pairEnd(pid);
}

function oneFaultResolvesBoth(): void {
  prepare();
  let pid = fork();
  if (pid == 0) {
    writePage(0, NEW);
    exit(0);
  }
  waitSuccess(pid);
  // Now all ptes lack W. With a new child the pde does too.
  pid = startChild();
  if (pid == 0) {
    assert(same(pageHere(pageAt(4)).pte & PTE_WRITABLE, 0), "the pte is read-only");
    if (sharing()) assert(tableIs(tableHere(SLOT), 2, 0), "and so is the pde");
    countBegin();
    writePage(4, NEW);
    countEnd();
    assert(same(countOf(cstr("faults")), 1), "one fault resolves both, for the sharer that unshares");
    assert(same(countOf(cstr("cow_copies")), 1), "and copies the page");
    assert(same(readPage(4), NEW), "the write is there");
    tell();
    hear();
    childEnd();
  }
  hear();
  if (sharing()) assert(tableIs(tableHere(SLOT), 1, 0), "the last sharer's pde is read-only");
  countBegin();
  writePage(5, NEW);
  countEnd();
  assert(same(countOf(cstr("faults")), 1), "one fault resolves both, for the last sharer");
  assert(same(readPage(5), NEW) && same(readPage(4), wordOf(4)), "contents are right");
  tell();
  pairEnd(pid);
}

function twoUnsharersInARow(): void {
  prepare();
  const frame = tableHere(SLOT).frame;
  const first = startChild();
  if (first == 0) {
    hear();
    writePage(1, NEW);
    if (sharing()) assert(tableIs(tableHere(SLOT), 1, 1), "the first unsharer has its own table");
    tell();
    hear();
    assert(
      same(readPage(1), NEW) && same(readPage(2), wordOf(2)) && same(readPage(3), wordOf(3)),
      "first child's view",
    );
    childEnd();
  }
  gateMake();
  const second = fork();
  if (second == 0) {
    gateWait();
    writePage(2, NEW);
    if (sharing()) assert(tableIs(tableHere(SLOT), 1, 1), "the second unsharer has its own table");
    assert(
      same(readPage(1), wordOf(1)) && same(readPage(2), NEW) && same(readPage(3), wordOf(3)),
      "second child's view",
    );
    exit(0);
  }
  if (sharing()) assert(tableIs(tableHere(SLOT), 3, 0), "three share the table");
  tell();
  hear();
  if (sharing()) {
    assert(tableIs(tableHere(SLOT), 2, 0), "one unsharer later, two do");
    assert(tableIs(tableOf(second, SLOT), 2, 0), "the other two");
  }
  gateOpen();
  waitSuccess(second);
  if (sharing()) assert(tableIs(tableHere(SLOT), 1, 0), "two unsharers later, one does");
  countBegin();
  writePage(3, NEW);
  countEnd();
  if (sharing()) {
    assert(same(countOf(cstr("tables_unshared")), 0), "the last one unshares nothing");
    assert(tableIs(tableHere(SLOT), 1, 1) && same(tableHere(SLOT).frame, frame), "and keeps the table");
  }
  assert(same(readPage(1), wordOf(1)) && same(readPage(2), wordOf(2)) && same(readPage(3), NEW), "the parent's view");
  tell();
  pairEnd(first);
}

function readOnlyWriteUnsharesNothing(): void {
  prepare();
  assert(mprotect(pageAt(8), 8 * PAGE, PROT_READ) == 0, "part of the slot becomes read-only");
  const frame = tableHere(SLOT).frame;
  const pid = startChild();
  if (pid == 0) {
    // By now stack and data are this process's own; only the slot in question is shared.
    tell();
    hear();
    writePage(8, NEW);
    exit(1);
  }
  hear();
  countBegin();
  tell();
  assert(same(waitFor(pid), Signal.SIGSEGV), "a write to read-only memory under a shared table kills");
  countEnd();
  pairClose();
  assert(same(countOf(cstr("tables_unshared")), 0), "and unshares nothing");
  if (sharing()) assert(tableIs(tableHere(SLOT), 1, 0) && same(tableHere(SLOT).frame, frame), "the table is as it was");
  assert(pagesIntact(0, PAGES), "and all it maps");
  assert(same(statusOfAccess(pageAt(8), true), Signal.SIGSEGV), "the parent may not write there either");
  assert(same(statusOfAccess(pageAt(7), true), 0), "but next to it");
}

function readFillsSharedTable(): void {
  mapPages(0, 4, READ_WRITE, MAP_PRIVATE);
  writePages(0, 1);
  const frame = tableHere(SLOT).frame;
  const pid = startChild();
  if (pid == 0) {
    countBegin();
    assert(same(readPage(1), 0), "a page that was never written reads zero");
    countEnd();
    assert(same(countOf(cstr("pages_filled")), 1), "it is filled once");
    assert(same(countOf(cstr("tables_unshared")), 0), "and nothing is unshared");
    tell();
    hear();
    writePage(1, NEW);
    tell();
    hear();
    assert(same(readPage(1), NEW), "the child sees its write");
    childEnd();
  }
  hear();
  if (sharing()) {
    const page = pageHere(pageAt(1));
    assert(same(page.pte & (PTE_PRESENT | PTE_WRITABLE), PTE_PRESENT), "the page is there for all, not writable");
    assert(same(page.present, 2) && same(page.rmapEntries, rmapEntriesOf(1)), "counted once, mapped once");
    assert(tableIs(tableHere(SLOT), 2, 0) && same(tableHere(SLOT).frame, frame), "in the shared table");
    countBegin();
    readPage(1);
    countEnd();
    assert(same(countOf(cstr("faults")), 0), "another sharer reads it without a fault");
  }
  assert(same(readPage(1), 0), "as zero");
  tell();
  hear();
  assert(same(readPage(1), 0), "a write to such a page is not seen by the other");
  tell();
  pairEnd(pid);
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  testBegin(argc, argv);
  test(cstr("P9 a write under a shared table gives the writer its own"), writerGetsItsOwnTable);
  test(cstr("P10 unshare clears W in both tables"), unshareProtectsBothTables);
  test(cstr("P11 MAP_SHARED pages stay writable and shared"), sharedMappingsStayShared);
  test(cstr("P12 unshare comes before the reuse of a page mapped once"), unshareComesBeforeReuse);
  test(cstr("P13 last sharer re-enables the pde and copies nothing"), lastSharerCopiesNothing);
  test(cstr("P14 writable entries fault no more, others copy on write"), writableEntriesFaultNoMore);
  test(cstr("P15 a write to a hole unshares, and others still see the hole"), writeToHoleUnshares);
  test(cstr("P16 one fault resolves a read-only pde and pte"), oneFaultResolvesBoth);
  test(cstr("P18 two unsharers in a row, and the last user keeps the table"), twoUnsharersInARow);
  test(cstr("P19 a write to read-only memory is SIGSEGV and unshares nothing"), readOnlyWriteUnsharesNothing);
  test(cstr("P23 a read fault fills the shared table for all"), readFillsSharedTable);
  return testEnd();
}
