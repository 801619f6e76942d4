/**
 * The kernel's own access to user memory under shared page tables: properties 47, 49 and 50. Tables are those of fork=share;
 * contents and errors are checked in both modes. May import lib and support/.
 */
import {
  close,
  cstr,
  Errno,
  exit,
  fork,
  fstat,
  getcwd,
  MAP_PRIVATE,
  mprotect,
  munmap,
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  open,
  PROT_READ,
  pipe,
  read,
  Stat64,
  same,
  streq,
  test,
  testBegin,
  testEnd,
  unlink,
  waitFor,
  waitpid,
  wExitStatus,
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
  wordOf,
  writePage,
  writePages,
} from "./support/memory";
import { tableHere, tableIs } from "./support/tables";
import { childEnd, hear, pairEnd, startChild, tell } from "./support/turns";

const PAGES: u32 = 16;
const WORD: u32 = 0x6b77a5a5;
const word: usize = memory.data(4, 4);
const ends: usize = memory.data(8, 4);
const block: usize = memory.data(8192);

/** A slot of private memory with some pages written. */
function prepare(): void {
  mapPages(0, PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(0, PAGES);
}

/** A child that has its own stack and data by now, with the tests' slot still shared; 0 in it. */
function startSharer(): i32 {
  const pid = startChild();
  if (pid == 0) countBegin();
  return pid;
}

/** In the child: the kernel wrote once to the tests' slot, which it had to unshare. */
function unsharedOnce(): void {
  countEnd();
  if (!sharing()) return;
  assert(same(countOf(cstr("tables_unshared")), 1), "the kernel's write unshares the table");
  assert(tableIs(tableHere(SLOT), 1, 1), "for who made the system call");
}

/** Ends the child's part; the parent's part checks that it saw nothing, and ends the pair. */
function childDone(): void {
  tell();
  hear();
  childEnd();
}
function otherSawNothing(pid: i32): void {
  hear();
  if (sharing()) assert(tableIs(tableHere(SLOT), 1, 0), "the other is left alone with the old table");
  assert(pagesIntact(0, PAGES), "and sees nothing of the write");
  tell();
  pairEnd(pid);
}

function readFromFile(): void {
  prepare();
  const fd = open(cstr("/kernelwrite"), O_RDWR | O_CREAT | O_TRUNC, 0o600);
  assert(fd >= 0, "a file can be made");
  store<u32>(word, WORD);
  assert(write(fd, word, 4) == 4, "and written");
  close(fd);
  const pid = startSharer();
  if (pid == 0) {
    const input = open(cstr("/kernelwrite"), O_RDONLY);
    assert(read(input, pageAt(2), 4) == 4, "read into memory under a shared table");
    unsharedOnce();
    assert(same(readPage(2), WORD), "brings the file's bytes");
    assert(same(readPage(3), wordOf(3)), "and nothing else");
    childDone();
  }
  otherSawNothing(pid);
  assert(unlink(cstr("/kernelwrite")) == 0, "the file can be removed");
}

function readFromPipe(): void {
  prepare();
  assert(pipe(ends) == 0, "there is a pipe");
  store<u32>(word, WORD);
  assert(write(load<i32>(ends + 4), word, 4) == 4, "it takes a word");
  const pid = startSharer();
  if (pid == 0) {
    assert(read(load<i32>(ends), pageAt(4), 4) == 4, "read from a pipe into memory under a shared table");
    unsharedOnce();
    assert(same(readPage(4), WORD), "brings the word");
    childDone();
  }
  otherSawNothing(pid);
}

/** The reader sleeps in read(2) while the table gets shared under its buffer. */
function sleepingReader(): void {
  prepare();
  assert(pipe(ends) == 0, "there is a pipe");
  const pid = startChild();
  if (pid == 0) {
    writePage(1, WORD);
    const grandchild = fork();
    if (grandchild == 0) {
      // The reader sleeps, or will; this one has the same table as it.
      store<u32>(word, WORD + 1);
      write(load<i32>(ends + 4), word, 4);
      exit(readPage(6) == wordOf(6) ? 0 : 1);
    }
    assert(read(load<i32>(ends), pageAt(6), 4) == 4, "read sleeps until there is something");
    assert(same(readPage(6), WORD + 1), "and brings it");
    assert(same(waitFor(grandchild), 0), "and no other process sees the write");
    assert(same(readPage(1), WORD), "nor loses its own");
    childDone();
  }
  otherSawNothing(pid);
}

function statusOfWait(): void {
  prepare();
  const pid = startSharer();
  if (pid == 0) {
    const grandchild = fork();
    if (grandchild == 0) exit(7);
    assert(waitpid(grandchild, pageAt(5)) == grandchild, "wait4 writes the status under a shared table");
    assert(same(wExitStatus(readPage(5)), 7), "it is the child's");
    if (sharing()) assert(tableIs(tableHere(SLOT), 1, 1), "in a table of the caller's own");
    childDone();
  }
  otherSawNothing(pid);
}

function descriptorsOfPipe(): void {
  prepare();
  const pid = startSharer();
  if (pid == 0) {
    assert(pipe(pageAt(1)) == 0, "pipe writes two descriptors under a shared table");
    unsharedOnce();
    assert(write(load<i32>(pageAt(1) + 4), word, 4) == 4, "which work");
    assert(read(load<i32>(pageAt(1)), word, 4) == 4, "both");
    childDone();
  }
  otherSawNothing(pid);
}

function structuresOfOthers(): void {
  prepare();
  const pid = startSharer();
  if (pid == 0) {
    assert(fstat(0, changetype<Stat64>(pageAt(3))) == 0, "fstat writes a structure under a shared table");
    unsharedOnce();
    assert(getcwd(pageAt(9), 64) > 0, "getcwd writes a string");
    assert(load<u8>(pageAt(9)) == 0x2f, "that begins with a slash");
    childDone();
  }
  otherSawNothing(pid);
}

function kernelReadsUnshareNothing(): void {
  prepare();
  const frame = tableHere(SLOT).frame;
  // A path at a page of the slot.
  store<u32>(pageAt(PAGES), 0x636f722f);
  store<u32>(pageAt(PAGES) + 4, 0x70);
  const pid = startSharer();
  if (pid == 0) {
    assert(pipe(ends) == 0, "there is a pipe");
    countBegin();
    assert(write(load<i32>(ends + 4), pageAt(0), 8) == 8, "write from memory under a shared table");
    assert(open(pageAt(PAGES), O_RDONLY) == -Errno.ENOENT, "a path under a shared table");
    assert(write(load<i32>(ends + 4), pageAt(PAGES + 1), 4) == 4, "and from a page that nobody touched");
    countEnd();
    assert(same(countOf(cstr("tables_unshared")), 0), "unshare nothing");
    assert(same(countOf(cstr("cow_copies")), 0), "and copy nothing");
    if (sharing()) assert(tableIs(tableHere(SLOT), 2, 0) && same(tableHere(SLOT).frame, frame), "the table is shared");
    assert(read(load<i32>(ends), block, 12) == 12, "what was written is in the pipe");
    assert(same(load<u32>(block), wordOf(0)) && same(load<u32>(block + 8), 0), "as it was in memory");
    childDone();
  }
  hear();
  assert(pagesIntact(0, PAGES), "the other's memory is as it was");
  tell();
  pairEnd(pid);
}

function badPointers(): void {
  prepare();
  assert(mprotect(pageAt(8), 4 * PAGE, PROT_READ) == 0, "part of the slot becomes read-only");
  assert(munmap(pageAt(12), PAGE) == 0, "and a page goes");
  assert(pipe(ends) == 0, "there is a pipe");
  store<u32>(word, WORD);
  const frame = tableHere(SLOT).frame;
  const pid = startSharer();
  if (pid == 0) {
    const input = load<i32>(ends);
    const output = load<i32>(ends + 4);
    write(output, word, 4);
    countBegin();
    assert(read(input, 0x10, 4) == -Errno.EFAULT, "read to where nothing is mapped is EFAULT");
    assert(read(input, 0xc0100000, 4) == -Errno.EFAULT, "to kernel memory too");
    assert(read(input, pageAt(8), 4) == -Errno.EFAULT, "to read-only memory too");
    assert(read(input, pageAt(12), 4) == -Errno.EFAULT, "to a page that was unmapped too");
    assert(write(output, pageAt(12), 4) == -Errno.EFAULT, "write from there too");
    assert(write(output, 0xfffffff0, 64) == -Errno.EFAULT, "from the end of the address space too");
    assert(open(0x10, O_RDONLY) == -Errno.EFAULT, "a path there too");
    assert(pipe(pageAt(8)) == -Errno.EFAULT, "and descriptors");
    countEnd();
    assert(same(countOf(cstr("tables_unshared")), 0), "and nothing is unshared");
    if (sharing()) assert(tableIs(tableHere(SLOT), 2, 0) && same(tableHere(SLOT).frame, frame), "the table is shared");
    assert(read(input, word, 4) == 4 && same(load<u32>(word), WORD), "the word is still in the pipe");
    childDone();
  }
  hear();
  assert(pagesIntact(0, 12), "the other's memory is as it was");
  tell();
  pairEnd(pid);
}

/** A buffer whose second half is not mapped: what was written before the end is all that may change. */
function halfBadPointer(): void {
  mapPages(0, 2 * PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(0, PAGES);
  writePages(PAGES_A_SLOT - 1, 1);
  writePages(PAGES_A_SLOT + 1, 2);
  assert(munmap(pageAt(PAGES_A_SLOT), PAGE) == 0, "the first page of the second slot goes");
  assert(pipe(ends) == 0, "there is a pipe");
  assert(write(load<i32>(ends + 4), block, 4096) == 4096, "it takes a page");
  const pid = startSharer();
  if (pid == 0) {
    const got = read(load<i32>(ends), pageAt(0) + SLOT_BYTES - 16, 4096);
    assert(got == -Errno.EFAULT || got == 16, "a buffer that is half mapped is EFAULT or a short count");
    if (sharing()) assert(tableIs(tableHere(SLOT + 1), 2, 0), "the slot where it failed is still shared");
    childDone();
  }
  hear();
  assert(pagesIntact(0, PAGES) && pagesIntact(PAGES_A_SLOT - 1, 1), "the other's memory is as it was");
  assert(pagesIntact(PAGES_A_SLOT + 1, 2), "on both sides");
  tell();
  pairEnd(pid);
}

function pathsCompare(): void {
  assert(getcwd(block, 64) == 2 && streq(block, cstr("/")), "the working directory is the root");
  assert(getcwd(block, 1) == -Errno.ERANGE, "one byte is too few for it");
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  testBegin(argc, argv);
  test(cstr("P47 read from a file under a shared table unshares it"), readFromFile);
  test(cstr("P47 read from a pipe under a shared table unshares it"), readFromPipe);
  test(cstr("P47 a reader that sleeps while its table is shared"), sleepingReader);
  test(cstr("P47 wait4's status under a shared table"), statusOfWait);
  test(cstr("P47 pipe's descriptors under a shared table"), descriptorsOfPipe);
  test(cstr("P47 fstat and getcwd under a shared table"), structuresOfOthers);
  test(cstr("P49 reads by the kernel never unshare"), kernelReadsUnshareNothing);
  test(cstr("P50 a bad pointer is EFAULT and unshares nothing"), badPointers);
  test(cstr("P50 a half bad buffer unshares only what it wrote"), halfBadPointer);
  test(cstr("getcwd says where it is and how much room it wants"), pathsCompare);
  return testEnd();
}
