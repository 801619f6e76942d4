/**
 * spurious [host]. What no program can bring about on one CPU, so the host does (tests/guest/spurious.ts). Property 17: a fault that finds
 * the tables in order flushes and returns. This program has a translation without W in the TLB, marks the place, and the host
 * sets W in the pte behind the TLB's back. Property 22: accessed bits. The host clears those of a table at another mark. Without the
 * argument `host` there is nobody to do that, and no case. May import lib and support/.
 */
import {
  argument,
  cstr,
  exit,
  fork,
  MAP_PRIVATE,
  printLine,
  Region,
  regionBegin,
  regionEnd,
  same,
  streq,
  test,
  testBegin,
  testEnd,
  waitSuccess,
} from "../lib/index";
import { countBegin, countEnd, countOf, framesForMapping } from "./support/counts";
import {
  mapPages,
  pageAt,
  pagesIntact,
  READ_WRITE,
  readPage,
  SLOT,
  sharing,
  wordOf,
  writePage,
  writePages,
} from "./support/memory";
import { PTE_ACCESSED, pageHere, tableHere, tableIs } from "./support/tables";
import { childEnd, hear, pairEnd, startChild, tell } from "./support/turns";

const NEW: u32 = 0x5eed0017;
/** Tags of marks: between reading and writing the page, and where no page of a table is to be accessed. */
const TAG: u32 = 17;
const TAG_ACCESSED: u32 = 22;
const PAGES: u32 = 64;

function spuriousFault(): void {
  mapPages(0, 8, READ_WRITE, MAP_PRIVATE);
  writePages(0, 8);
  const pid = fork();
  if (pid == 0) {
    writePage(0, NEW);
    exit(0);
  }
  waitSuccess(pid);
  // The child unshared, or fork copied: the pte of page 1 has no W. The first write makes the pde writable.
  writePage(2, NEW);
  if (sharing()) assert(tableIs(tableHere(SLOT), 1, 1), "the table is this process's own and writable");
  countBegin();
  assert(same(readPage(1), wordOf(1)), "the translation is in the TLB");
  regionBegin(Region.FirstWrite, TAG);
  writePage(1, NEW);
  regionEnd(Region.FirstWrite, TAG);
  countEnd();
  assert(same(countOf(cstr("faults_spurious")), 1), "the write faults, and the kernel finds nothing to do");
  assert(same(countOf(cstr("faults")), 1), "once");
  assert(same(countOf(cstr("cow_copies")) + countOf(cstr("cow_reuses")), 0), "no page is copied or reused");
  assert(same(countOf(cstr("tables_unshared")) + countOf(cstr("tables_reclaimed")), 0), "no table either");
  assert(same(countOf(cstr("rmap_added")) + framesForMapping(), 0), "no count changes");
  assert(same(readPage(1), NEW), "and the write is there");
  if (sharing()) assert(tableIs(tableHere(SLOT), 1, 1), "in the same table");
}

/** Pages of the tests' memory that the table says somebody has used. */
function accessedPages(): u32 {
  let count: u32 = 0;
  for (let page: u32 = 0; page < PAGES; page++) count += u32((pageHere(pageAt(page)).pte & PTE_ACCESSED) != 0);
  return count;
}

function accessedBits(): void {
  mapPages(0, PAGES, READ_WRITE, MAP_PRIVATE);
  writePages(0, PAGES);
  const pid = startChild();
  if (pid == 0) {
    regionBegin(Region.FirstWrite, TAG_ACCESSED);
    regionEnd(Region.FirstWrite, TAG_ACCESSED);
    // The parent runs, and with it the TLB forgets what this process has used.
    tell();
    hear();
    assert(same(accessedPages(), 0), "no page of the table has been used");
    countBegin();
    assert(pagesIntact(0, PAGES), "all can be read");
    countEnd();
    assert(same(countOf(cstr("faults")), 0), "without a fault");
    assert(same(countOf(cstr("allocated_data")) + framesForMapping(), 0), "and without memory");
    assert(same(accessedPages(), PAGES), "though each now says that it has been used");
    tell();
    hear();
    childEnd();
  }
  hear();
  tell();
  hear();
  if (sharing()) {
    assert(tableIs(tableHere(SLOT), 2, 0), "the table is still shared");
    assert(same(accessedPages(), PAGES), "and says so to both");
  }
  countBegin();
  assert(pagesIntact(0, PAGES), "the other reads them");
  countEnd();
  assert(same(countOf(cstr("faults")), 0), "without a fault too");
  tell();
  pairEnd(pid);
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  if (argc != 2 || !streq(argument(argv, 1), cstr("host"))) {
    printLine(cstr("# no host that helps"));
    printLine(cstr("1..0"));
    return 0;
  }
  testBegin(1, argv);
  test(cstr("P17 a spurious fault flushes and returns"), spuriousFault);
  test(cstr("P22 accessed bits fault nobody and allocate nothing"), accessedBits);
  return testEnd();
}
