/**
 * spurious [host]. Property 17: a fault that finds the tables in order flushes and returns. On one CPU no program can bring
 * this about, so the host does (tests/guest/spurious.test.ts): this program has a translation without W in the TLB, marks the
 * place, and the host sets W in the pte behind the TLB's back. Without the argument `host` there is nobody to do that, and no
 * case. May import lib and support/.
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
import { mapPages, READ_WRITE, readPage, SLOT, sharing, wordOf, writePage, writePages } from "./support/memory";
import { tableHere, tableIs } from "./support/tables";

const NEW: u32 = 0x5eed0017;
/** Tag of the mark between reading and writing the page. */
const TAG: u32 = 17;

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

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  if (argc != 2 || !streq(argument(argv, 1), cstr("host"))) {
    printLine(cstr("# no host that helps"));
    printLine(cstr("1..0"));
    return 0;
  }
  testBegin(1, argv);
  test(cstr("P17 a spurious fault flushes and returns"), spuriousFault);
  return testEnd();
}
