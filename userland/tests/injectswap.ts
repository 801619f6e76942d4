/**
 * injectswap [host]. Property 51 and invariant I7 where pages are swapped out: every allocation fails of swapping in, of unsharing a table
 * that has swap entries, of swapoff and swapon. Wants swap=on, and the host of tests/guest/inject.ts; without the argument `host` there is
 * no case. May import lib and support/.
 */
import {
  argument,
  cstr,
  InjectLeaves,
  MAP_PRIVATE,
  MAP_SHARED,
  pipe,
  printLine,
  read,
  streq,
  test,
  testBegin,
  testEnd,
  write,
} from "../lib/index";
import { Sweep, sweepAllocations } from "./support/inject";
import {
  mapPages,
  PAGES_A_SLOT,
  pageAt,
  pagesIntact,
  READ_WRITE,
  readPage,
  sharing,
  writePage,
  writePages,
} from "./support/memory";
import { evict, evictAll, openReclaim, pinProgram, swappedPages, swapsOff, tryToSwapOn } from "./support/swapping";

/** Private pages, whose reverse map takes several frames, and shared memory in a slot of its own. */
const PAGES: u32 = 140;
const SHARED: u32 = PAGES_A_SLOT;
const FEW: u32 = 8;

const ends: usize = memory.data(8, 4);
const word: usize = memory.data(8, 4);
const sweep: Sweep = changetype<Sweep>(memory.data(24, 4));

function makeWorld(): void {
  mapPages(0, PAGES, READ_WRITE, MAP_PRIVATE);
  writePages(0, PAGES);
  mapPages(SHARED, FEW, READ_WRITE, MAP_SHARED);
  writePages(SHARED, FEW);
  assert(pipe(ends) == 0, "there is a pipe");
  openReclaim();
}

function worldIntact(): void {
  assert(pagesIntact(0, PAGES) && pagesIntact(SHARED, FEW), "all comes back as it was");
}

/** Before each operation: nothing of the tests' memory is in memory, and all of the program. */
function swapOut(): void {
  tryToSwapOn();
  pinProgram();
  evictAll();
  assert(swappedPages(0, 0, PAGES) == PAGES, "all is swapped out");
}

/** Some pages, whoever they belong to. */
function swapSomeOut(): void {
  tryToSwapOn();
  pinProgram();
  evict(cstr("12"));
}

/** The same with half of it read back: a table with pages and swap entries. */
function swapHalfOut(): void {
  swapOut();
  assert(pagesIntact(0, PAGES / 2), "a half comes back");
}

/** Sweeps an operation. How many of its allocations there are. */
function allocationsOf(prepare: () => void, operation: () => i32, kills: bool): u32 {
  sweep.prepare = prepare;
  sweep.operation = operation;
  sweep.intact = worldIntact;
  sweep.leaves = InjectLeaves.Pages;
  sweep.kills = kills;
  sweep.leavesForGood = false;
  return sweepAllocations(sweep);
}

function kernelReads(): i32 {
  const put = write(load<i32>(ends + 4), pageAt(5), 4);
  if (put != 4) return put;
  return read(load<i32>(ends), word, 4) == 4 ? 0 : -1;
}
function programReads(): i32 {
  readPage(5);
  return 0;
}
function programReadsShared(): i32 {
  readPage(SHARED + 2);
  return 0;
}
function programWrites(): i32 {
  writePage(5, readPage(5));
  return 0;
}
/** A page of the half that is in memory: unsharing copies swap entries and pages. */
function kernelWrites(): i32 {
  store<u32>(word, readPage(3));
  write(load<i32>(ends + 4), word, 4);
  const got = read(load<i32>(ends), pageAt(3), 4);
  if (got == 4) return 0;
  read(load<i32>(ends), word, 4);
  return got;
}

function swapInFails(): void {
  makeWorld();
  assert(allocationsOf(swapOut, kernelReads, false) >= 1, "a page that the kernel reads takes a frame");
  assert(allocationsOf(swapOut, programReads, true) >= 1, "and one that the program reads");
  assert(allocationsOf(swapOut, programReadsShared, true) >= 1, "and one of shared memory");
}

function unshareFails(): void {
  makeWorld();
  const least: u32 = sharing() ? 2 : 1;
  assert(allocationsOf(swapHalfOut, kernelWrites, false) >= least, "a write under a table with swap entries allocates");
  assert(allocationsOf(swapOut, programWrites, true) >= 1, "and one to a page that is swapped out");
}

function swapoffFails(): void {
  makeWorld();
  assert(allocationsOf(swapSomeOut, swapsOff, false) >= 4, "swapoff takes a frame for each page that is not in memory");
  tryToSwapOn();
  assert(swapsOff() == 0, "swap can be given up");
  assert(allocationsOf(swapOffFirst, tryToSwapOn, false) >= 2, "swapon takes the header's page, and the slots' counts");
  tryToSwapOn();
}

function swapOffFirst(): void {
  pinProgram();
  swapsOff();
}

/** Reclaim makes no allocation that could fail. */
function swapOutFailsNever(): void {
  makeWorld();
  assert(allocationsOf(pinProgram, doEvict, false) == 0, "swapping out takes no memory");
}
function doEvict(): i32 {
  evictAll();
  return 0;
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  if (argc < 2 || !streq(argument(argv, 1), cstr("host"))) {
    printLine(cstr("# no host that helps"));
    printLine(cstr("1..0"));
    return 0;
  }
  testBegin(argc - 1, argv + 4);
  test(cstr("I7 swapping in fails at any allocation, and nothing is lost"), swapInFails);
  test(cstr("P51 unsharing a table with swap entries fails at any allocation"), unshareFails);
  test(cstr("I7 swapoff and swapon fail at any allocation"), swapoffFails);
  test(cstr("P39 swapping out makes no allocation that could fail"), swapOutFailsNever);
  return testEnd();
}
