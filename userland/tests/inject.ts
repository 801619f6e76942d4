/**
 * inject [host]. Properties 7, 51 and 52 and invariant I7: every allocation of every operation fails, one after another, in
 * processes that share their tables. Without the argument `host` there is nobody to let them fail (tests/guest/inject.ts), and no
 * case. May import lib and support/.
 */

import { readEsp } from "../../kernel/abi/intrinsics";
import {
  argument,
  brk,
  close,
  cstr,
  Errno,
  execve,
  exit,
  flush,
  fork,
  handle,
  InjectLeaves,
  isError,
  lseek,
  MADV_DONTNEED,
  MADV_NORMAL,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  madvise,
  mkdir,
  mlock,
  mmap,
  mmapAnonymous,
  mprotect,
  mremap,
  munlock,
  munmap,
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  open,
  PROT_READ,
  pipe,
  printLine,
  raise,
  read,
  rmdir,
  SEEK_SET,
  SIG_BLOCK,
  SIG_UNBLOCK,
  Signal,
  same,
  signalBit,
  sigprocmask,
  streq,
  test,
  testBegin,
  testEnd,
  unlink,
  waitFor,
  write,
} from "../lib/index";
import { inject, Sweep, sweepAllocations } from "./support/inject";
import {
  mapPages,
  PAGE,
  PAGES_A_SLOT,
  pageAt,
  pagesIntact,
  READ_WRITE,
  readPage,
  SLOT_BYTES,
  sharing,
  writePage,
  writePages,
} from "./support/memory";
import { vectorOf } from "./support/programs";
import { runOnStack } from "./support/stacks";

/** First slot: private pages, enough that their reverse map takes several frames; holes behind them, then shared memory. */
const PAGES: u32 = 140;
const HOLE: u32 = 160;
const MAPPED: u32 = 240;
const SHARED: u32 = 600;
/** Second slot: few private pages. Third: shared memory only. Fourth: a file, private and shared. The rest is empty. */
const SECOND: u32 = PAGES_A_SLOT;
const THIRD: u32 = 2 * PAGES_A_SLOT;
const FILE: u32 = 3 * PAGES_A_SLOT;
const EMPTY: u32 = 5 * PAGES_A_SLOT;
const FEW: u32 = 8;
const FILE_PAGES: u32 = 3;
const STACK_NEAR: usize = 200 << 10;
const STACK_FAR: usize = 5 << 20;

const ends: usize = memory.data(8, 4);
const word: usize = memory.data(8, 4);
const sweep: Sweep = changetype<Sweep>(memory.data(24, 4));
let caught: i32 = 0;
let file: i32 = -1;

/** Makes the memory that the operations are about. */
function makeWorld(): void {
  mapPages(0, MAPPED, READ_WRITE, MAP_PRIVATE);
  writePages(0, PAGES);
  mapPages(SHARED, FEW, READ_WRITE, MAP_SHARED);
  writePages(SHARED, FEW / 2);
  mapPages(SECOND, PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(SECOND, FEW);
  mapPages(THIRD, FEW, READ_WRITE, MAP_SHARED);
  writePages(THIRD, FEW / 2);
  file = open(cstr("/inject"), O_CREAT | O_RDWR | O_TRUNC, 0o600);
  assert(file >= 0, "a file can be made");
  for (let page: u32 = 0; page < FILE_PAGES; page++) {
    lseek(file, page * PAGE, SEEK_SET);
    assert(write(file, pageAt(page), 4) == 4, "and written");
  }
  mapFile(FILE, MAP_PRIVATE);
  mapFile(FILE + FEW, MAP_SHARED);
}

function mapFile(index: u32, flags: u32): void {
  const address = mmap(pageAt(index), FILE_PAGES * PAGE, READ_WRITE, flags | MAP_FIXED, file);
  assert(address == pageAt(index), "a file can be mapped");
}

function unmakeWorld(): void {
  close(file);
  assert(unlink(cstr("/inject")) == 0, "the file can be removed");
}

/** Asserts that the memory of makeWorld is as it was. */
function worldIntact(): void {
  assert(pagesIntact(0, PAGES) && pagesIntact(SHARED, FEW / 2), "the first slot is as it was");
  assert(pagesIntact(SECOND, FEW) && pagesIntact(THIRD, FEW / 2), "the second and the third");
}

/** Makes a sweep ready. */
function plan(operation: () => i32, leaves: InjectLeaves, kills: bool): void {
  sweep.prepare = worldIntact;
  sweep.operation = operation;
  sweep.intact = worldIntact;
  sweep.leaves = leaves;
  sweep.kills = kills;
  sweep.leavesForGood = false;
}

/** Sweeps an operation that tells of its failure. How many of its allocations there are. */
function fails(operation: () => i32, leaves: InjectLeaves = InjectLeaves.Nothing): u32 {
  plan(operation, leaves, false);
  return sweepAllocations(sweep);
}

/** Sweeps an operation whose failure kills. */
function kills(operation: () => i32, leaves: InjectLeaves = InjectLeaves.Nothing): u32 {
  plan(operation, leaves, true);
  return sweepAllocations(sweep);
}

/** What an mmap or the like gave, as 0 or -errno. */
function addressResult(address: usize): i32 {
  return isError(address) ? i32(address) : 0;
}

function doFork(): i32 {
  const pid = fork();
  if (pid == 0) exit(0);
  return pid < 0 ? pid : 0;
}

function forkFails(): void {
  makeWorld();
  // Task, address space, its directory and every mapping.
  assert(fails(doFork, InjectLeaves.Protection) >= 10, "fork allocates for each mapping");
  // A table with locked pages is copied in every mode.
  plan(doFork, InjectLeaves.Protection, false);
  sweep.prepare = lockSome;
  assert(sweepAllocations(sweep) >= 12, "and for a table that it copies");
  unmakeWorld();
}

function lockSome(): void {
  assert(mlock(pageAt(SECOND), 2 * PAGE) == 0, "some memory can be locked");
}

function writeShared(): i32 {
  writePage(5, readPage(5));
  return 0;
}
function writeHole(): i32 {
  writePage(HOLE, 0);
  return 0;
}
function readHole(): i32 {
  return readPage(HOLE + 1) == 0 ? 0 : -Errno.EIO;
}
function kernelWrites(): i32 {
  store<u32>(word, readPage(7));
  write(load<i32>(ends + 4), word, 4);
  const got = read(load<i32>(ends), pageAt(7), 4);
  if (got == 4) return 0;
  read(load<i32>(ends), word, 4);
  return got;
}
function note(_signal: i32, _info: usize, _context: usize): void {
  caught++;
}
function signalFrame(): i32 {
  handle(Signal.SIGUSR1, note);
  sigprocmask(SIG_BLOCK, signalBit(Signal.SIGUSR1));
  raise(Signal.SIGUSR1);
  runOnStack(pageAt(PAGES + 8), SIG_UNBLOCK, signalBit(Signal.SIGUSR1));
  return caught == 0 ? -Errno.EIO : 0;
}

function unshareFails(): void {
  makeWorld();
  assert(pipe(ends) == 0, "there is a pipe");
  const least: u32 = sharing() ? 3 : 1;
  // A table, frames for the reverse map of its pages, the page itself.
  assert(kills(writeShared) >= least, "a write under a shared table allocates");
  assert(kills(writeHole) >= least, "a write to a hole too");
  assert(fails(kernelWrites) >= least, "a write of the kernel's too");
  assert(kills(signalFrame) >= least, "and a signal's frame");
  assert(kills(readHole) >= 1, "a read of a hole takes a page");
  unmakeWorld();
}

function unmapMiddle(): i32 {
  return munmap(pageAt(100), 10 * PAGE);
}
function unmapAcross(): i32 {
  return munmap(pageAt(120), PAGES_A_SLOT * PAGE);
}
function protectMiddle(): i32 {
  return mprotect(pageAt(100), 10 * PAGE, PROT_READ);
}
function protectAcross(): i32 {
  return mprotect(pageAt(SECOND + 4), 4 * PAGE, PROT_READ);
}

function editsFailBefore(): void {
  makeWorld();
  assert(fails(unmapMiddle) >= 1, "cutting a mapping in two takes memory");
  fails(unmapAcross);
  assert(fails(protectMiddle) >= 2, "cutting it in three takes more");
  fails(protectAcross);
  // exit with the next allocation failing: it makes none.
  for (let k: u32 = 1; k < 4; k++) {
    flush();
    const pid = fork();
    if (pid == 0) {
      writePage(SECOND, 1);
      inject(k, InjectLeaves.Nothing);
      exit(7);
    }
    assert(same(waitFor(pid), 7 << 8), "exit cannot fail");
  }
  worldIntact();
  unmakeWorld();
}

function mapOver(): i32 {
  return addressResult(mmapAnonymous(pageAt(100), 10 * PAGE, READ_WRITE, MAP_PRIVATE | MAP_FIXED));
}
function mapSharedOver(): i32 {
  return addressResult(mmapAnonymous(pageAt(SECOND + 100), 10 * PAGE, READ_WRITE, MAP_SHARED | MAP_FIXED));
}
function mapFileNew(): i32 {
  return addressResult(mmap(pageAt(EMPTY), FILE_PAGES * PAGE, READ_WRITE, MAP_PRIVATE | MAP_FIXED, file));
}
function touchShared(): i32 {
  writePage(SHARED + FEW - 1, 1);
  return 0;
}
function touchSharedOnly(): i32 {
  writePage(THIRD + FEW - 1, 1);
  return 0;
}
function writeFilePrivate(): i32 {
  writePage(FILE + 1, 1);
  return 0;
}
function readFileShared(): i32 {
  return readPage(FILE + FEW + 2) != 0 ? 0 : -Errno.EIO;
}

function mapsFail(): void {
  makeWorld();
  assert(fails(mapOver) >= 2, "mmap takes a mapping, and another for what it cuts");
  assert(fails(mapSharedOver) >= 3, "and an object for shared memory");
  assert(fails(mapFileNew) >= 1, "and one of a file");
  assert(kills(touchShared, InjectLeaves.Pages) >= 1, "a page of shared memory takes a frame");
  assert(kills(touchSharedOnly, InjectLeaves.Pages) >= 1, "in a slot of its own too");
  assert(kills(writeFilePrivate, InjectLeaves.Pages) >= 1, "a file's page is copied");
  kills(readFileShared, InjectLeaves.Pages);
  unmakeWorld();
}

function growInPlace(): i32 {
  return addressResult(mremap(pageAt(0), MAPPED * PAGE, (MAPPED + 50) * PAGE, 0));
}
function shrinkInPlace(): i32 {
  return addressResult(mremap(pageAt(0), MAPPED * PAGE, (MAPPED - 50) * PAGE, 0));
}
function moveAway(): i32 {
  return addressResult(
    mremap(pageAt(PAGES + 10), 20 * PAGE, 400 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, pageAt(EMPTY + PAGES_A_SLOT - 8)),
  );
}
function moveOver(): i32 {
  const to = pageAt(SECOND + 512);
  return addressResult(mremap(pageAt(PAGES + 10), 20 * PAGE, 10 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
}

function movesFail(): void {
  makeWorld();
  fails(growInPlace);
  fails(shrinkInPlace);
  assert(fails(moveAway) >= 3, "a move takes mappings and tables");
  assert(fails(moveOver) >= 3, "and mappings for both places that it cuts");
  unmakeWorld();
}

function growHeap(): i32 {
  const end = brk(0);
  if (brk(end + 3 * SLOT_BYTES) == end) return -Errno.ENOMEM;
  // What the kernel says has grown is there.
  return madvise((end + PAGE - 1) & ~(PAGE - 1), 2 * SLOT_BYTES, MADV_NORMAL) == 0 ? 0 : -Errno.EIO;
}
function shrinkHeap(): i32 {
  const end = brk(0);
  return brk(end - 2 * PAGE) == end ? -Errno.ENOMEM : 0;
}
function growStack(): i32 {
  atomic.store<u32>(readEsp() - STACK_NEAR, 1);
  return 0;
}
function growStackFar(): i32 {
  atomic.store<u32>(readEsp() - STACK_FAR, 1);
  return 0;
}

function heapAndStackFail(): void {
  makeWorld();
  assert(brk(brk(0) + 8 * PAGE) != 0, "there is a heap");
  assert(fails(growHeap) >= 1, "a heap that grows takes a mapping");
  fails(shrinkHeap);
  assert(kills(growStack, InjectLeaves.Pages) >= 1, "a stack that grows takes a page");
  assert(kills(growStackFar, InjectLeaves.Pages) >= 2, "and a table");
  unmakeWorld();
}

function lockMiddle(): i32 {
  return mlock(pageAt(PAGES - 4), 10 * PAGE);
}
function unlockMiddle(): i32 {
  return munlock(pageAt(100), 10 * PAGE);
}
function dropMiddle(): i32 {
  return madvise(pageAt(SECOND + 100), 10 * PAGE, MADV_DONTNEED);
}

function locksFail(): void {
  makeWorld();
  assert(fails(lockMiddle, InjectLeaves.Pages) >= 8, "mlock takes the pages that are not there");
  fails(unlockMiddle);
  fails(dropMiddle);
  unmakeWorld();
}

function doExec(): i32 {
  return execve(cstr("/bin/true"), vectorOf(cstr("true")), vectorOf(0));
}

function execFails(): void {
  makeWorld();
  // The program runs as soon as exec has been able to: what fails then kills it.
  plan(doExec, InjectLeaves.Nothing, true);
  sweep.leavesForGood = true;
  assert(sweepAllocations(sweep) >= 10, "exec takes a directory, mappings, tables and pages");
  unmakeWorld();
}

function makePipe(): i32 {
  const error = pipe(ends);
  if (error == 0) {
    close(load<i32>(ends));
    close(load<i32>(ends + 4));
  }
  return error;
}
function openOld(): i32 {
  const fd = open(cstr("/inject"), O_RDONLY);
  if (fd >= 0) close(fd);
  return fd < 0 ? fd : 0;
}
function openProc(): i32 {
  const fd = open(cstr("/proc/self/status"), O_RDONLY);
  if (fd >= 0) close(fd);
  return fd < 0 ? fd : 0;
}
function makeFolder(): i32 {
  return mkdir(cstr("/injected"), 0o700);
}
function removeFolder(): void {
  rmdir(cstr("/injected"));
}

function filesFail(): void {
  makeWorld();
  assert(fails(makePipe) >= 4, "a pipe takes an inode, a ring, and two files");
  assert(fails(openOld) >= 2, "open takes room for the path, and a file");
  assert(fails(openProc) >= 3, "and of /proc a page for the text");
  plan(makeFolder, InjectLeaves.Nothing, false);
  sweep.prepare = removeFolder;
  assert(sweepAllocations(sweep) >= 2, "mkdir takes an inode");
  removeFolder();
  unmakeWorld();
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  if (argc < 2 || !streq(argument(argv, 1), cstr("host"))) {
    printLine(cstr("# no host that helps"));
    printLine(cstr("1..0"));
    return 0;
  }
  testBegin(argc - 1, argv + 4);
  test(cstr("P7 a fork that fails anywhere gives everything back"), forkFails);
  test(cstr("P51 unsharing fails at any allocation, and nothing has changed"), unshareFails);
  test(cstr("P52 munmap and mprotect fail before any edit, exit never"), editsFailBefore);
  test(cstr("I7 mmap, and faults in what it maps"), mapsFail);
  test(cstr("I7 mremap"), movesFail);
  test(cstr("I7 heap and stack"), heapAndStackFail);
  test(cstr("I7 mlock and madvise"), locksFail);
  test(cstr("I7 exec"), execFails);
  test(cstr("I7 pipes and files"), filesFail);
  return testEnd();
}
