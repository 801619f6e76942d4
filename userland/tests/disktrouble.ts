/**
 * A disk in trouble, mapped. The argument says which:
 *
 *     bad            sector 300 cannot be read             evicted       the kernel evicts at random
 *     readonly       the disk cannot be written            unmapped      the kernel keeps no reverse map
 *     large          the disk, without a table, has        acknowledged  the host looks at the disk whenever something is said
 *                    more pages than memory                              to be on it
 *
 * The disk is that of diskmap.ts. May import lib and support/.
 */
import {
  argument,
  close,
  counter,
  cstr,
  Errno,
  exit,
  flush,
  fork,
  freeFrames,
  fsync,
  lseek,
  MAP_PRIVATE,
  MAP_SHARED,
  MS_SYNC,
  mlock,
  mmap,
  msync,
  munmap,
  O_WRONLY,
  open,
  PROT_READ,
  printf,
  read,
  SEEK_END,
  SEEK_SET,
  Signal,
  same,
  streq,
  test,
  testBegin,
  testEnd,
  waitSuccess,
  write,
} from "../lib/index";
import { mapDisk, onDisk, openDisk, original, readWord, writeWord } from "./support/disk";
import { mapPages, PAGE, pageAt, READ_WRITE, readPage, statusOfAccess, wordOf, writePage } from "./support/memory";
import { childEnd, pairEnd, startChild } from "./support/turns";

const NEW: u32 = 0x5eed0100;
const OTHER: u32 = 64;
const BAD_PAGE: u32 = 37;
const BLOCK_BYTES: i32 = 4096;
const EVICTED: u32 = 48;
const ROUNDS: u32 = 24;
const word: usize = memory.data(8, 4);
const block: usize = memory.data(4096, 4);

function badSector(): void {
  const fd = openDisk();
  mapDisk(fd, 0, READ_WRITE, MAP_SHARED, BAD_PAGE - 1, 3);
  assert(same(readPage(0), original(BAD_PAGE - 1)), "the page before a bad sector is good");
  assert(same(statusOfAccess(pageAt(1), false), Signal.SIGBUS), "its own is not: SIGBUS");
  assert(same(statusOfAccess(pageAt(1), true), Signal.SIGBUS), "each time");
  assert(same(readPage(2), original(BAD_PAGE + 1)), "the page behind it is good");
  lseek(fd, BAD_PAGE * PAGE, SEEK_SET);
  assert(same(read(fd, word, 4), -Errno.EIO), "for read(2) it is EIO");
  assert(same(write(fd, pageAt(1), 4), -Errno.EFAULT), "as an address for the kernel, EFAULT");
  assert(same(mlock(pageAt(1), PAGE), -Errno.ENOMEM), "and mlock fails");
  memory.fill(block, 0x66, BLOCK_BYTES);
  assert(same(write(fd, block, BLOCK_BYTES), BLOCK_BYTES), "all of it can be written");
  assert(same(readPage(1), 0x66666666), "and shows then");
  assert(same(fsync(fd), 0), "the disk takes it");
  assert(same(mlock(pageAt(0), 3 * PAGE), 0), "and mlock too");
}

function readOnly(): void {
  const fd = openDisk();
  mapDisk(fd, 0, READ_WRITE, MAP_SHARED, 5, 2);
  writePage(1, NEW);
  assert(same(msync(pageAt(0), 2 * PAGE, MS_SYNC), -Errno.EIO), "a disk that cannot be written says so");
  assert(same(msync(pageAt(0), 2 * PAGE, MS_SYNC), -Errno.EIO), "as long as it is so");
  assert(same(readPage(1), NEW), "what was written is kept");
  assert(same(msync(pageAt(0), PAGE, MS_SYNC), 0), "what was not changed is in order");
  munmap(pageAt(0), 2 * PAGE);
  close(fd);
  assert(same(onDisk(6), original(6)), "and lost when nobody uses it any more");
}

/** Each page is written, read by a child, changed, and read again. */
function largerThanMemory(): void {
  const fd = openDisk();
  const pages = u32(lseek(fd, 0, SEEK_END)) / PAGE;
  assert(pages > freeFrames(), "memory has not room for all");
  const before = counter(cstr("pages_reclaimed"));
  mapDisk(fd, 0, READ_WRITE, MAP_SHARED, 0, pages);
  for (let i: u32 = 0; i < pages; i++) writePage(i, wordOf(i));
  flush();
  const pid = fork();
  if (pid == 0) {
    for (let i: u32 = 0; i < pages; i++) {
      if (!same(readPage(i), wordOf(i))) exit(1);
      if (i % 3 == 0) writePage(i, ~wordOf(i));
    }
    exit(0);
  }
  waitSuccess(pid);
  for (let i: u32 = 0; i < pages; i++) assert(same(readPage(i), i % 3 == 0 ? ~wordOf(i) : wordOf(i)), "each is right");
  for (let i: u32 = 0; i < pages; i += 7) assert(same(readWord(fd, i * PAGE), readPage(i)), "by read(2) as well");
  assert(counter(cstr("pages_reclaimed")) - before > pages, "pages made room for others");
}

/** Has pages evicted, as many as can be of a few. */
function evict(): void {
  const fd = open(cstr("/proc/reclaim"), O_WRONLY);
  assert(write(fd, cstr("40"), 2) == 2, "pages can be evicted");
  close(fd);
}

/** Pages of hda1 and private memory, used again and again by two processes while pages are evicted. */
function evictedAtRandom(): void {
  const fd = openDisk(cstr("/dev/hda1"));
  mapDisk(fd, 0, READ_WRITE, MAP_SHARED, 0, EVICTED);
  mapPages(OTHER, EVICTED, READ_WRITE, MAP_PRIVATE);
  for (let i: u32 = 0; i < EVICTED; i++) writePage(i, wordOf(i));
  for (let i: u32 = 0; i < EVICTED; i++) writePage(OTHER + i, i);
  for (let round: u32 = 0; round < ROUNDS; round++) {
    const pid = startChild();
    for (let i: u32 = pid == 0 ? 0 : 1; i < EVICTED; i += 2) {
      if (i % 16 == round % 16) evict();
      assert(same(readPage(i), wordOf(i) + round), "a page of the disk is as it was left");
      assert(same(readPage(OTHER + i), i), "so is private memory");
      writePage(i, wordOf(i) + round + 1);
      if (pid == 0) writePage(OTHER + i, ~i);
    }
    if (pid == 0) childEnd();
    pairEnd(pid);
    if (round % 3 == 0) assert(same(msync(pageAt(0), EVICTED * PAGE, MS_SYNC), 0), "msync");
  }
  munmap(pageAt(0), EVICTED * PAGE);
  for (let i: u32 = 0; i < EVICTED; i++) assert(same(readWord(fd, i * PAGE), wordOf(i) + ROUNDS), "read(2) too");
  assert(counter(cstr("pages_reclaimed")) > 100, "many are evicted");
}

/** Says of each change when it is on the disk, for the host to look. */
function acknowledged(): void {
  const fd = openDisk();
  mapDisk(fd, 0, READ_WRITE, MAP_SHARED, 200, 4);
  for (let n: u32 = 1; n <= 32; n++) {
    const page = n & 3;
    if ((n & 8) == 0) writePage(page, n);
    else writeWord(fd, (200 + page) * PAGE, n);
    assert(same((n & 4) == 0 ? msync(pageAt(page), PAGE, MS_SYNC) : fsync(fd), 0), "it is on the disk");
    printf(cstr("# page %u is %u\n"), 200 + page, n);
    flush();
  }
}

function withoutMaps(): void {
  const fd = openDisk();
  assert(i32(mmap(0, PAGE, PROT_READ, MAP_SHARED, fd)) == -Errno.ENODEV, "no shared mapping");
  assert(i32(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, fd)) == -Errno.ENODEV, "nor a private one");
  writeWord(fd, 220 * PAGE, NEW);
  assert(same(fsync(fd), 0) && same(readWord(fd, 220 * PAGE), NEW), "write(2), fsync and read(2) are as ever");
  close(fd);
  assert(same(onDisk(220), NEW), "and reach the disk");
}

/** A change that nobody asks to be written, in a page that nobody has open or mapped: the end of the run writes it. */
function leaveDirty(): void {
  const fd = openDisk();
  mapDisk(fd, 0, READ_WRITE, MAP_SHARED, 210, 1);
  writePage(0, NEW);
  close(fd);
  munmap(pageAt(0), PAGE);
}

export function main(argc: i32, argv: usize): i32 {
  testBegin(1, argv);
  const kind = argc > 1 ? argument(argv, 1) : cstr("");
  if (streq(kind, cstr("bad"))) {
    test(cstr("a page that cannot be read is SIGBUS until it is written"), badSector);
  } else if (streq(kind, cstr("readonly"))) {
    test(cstr("msync says that a disk cannot be written"), readOnly);
  } else if (streq(kind, cstr("large"))) {
    test(cstr("a shared mapping of more than memory holds"), largerThanMemory);
  } else if (streq(kind, cstr("evicted"))) {
    test(cstr("pages of a disk that is evicted at random"), evictedAtRandom);
  } else if (streq(kind, cstr("unmapped"))) {
    test(cstr("without a reverse map a disk is read and written, and not mapped"), withoutMaps);
  } else if (streq(kind, cstr("acknowledged"))) {
    test(cstr("what is acknowledged is on the disk"), acknowledged);
    leaveDirty();
  }
  return testEnd();
}
