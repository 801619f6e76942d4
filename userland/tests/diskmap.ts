/**
 * Mappings of a disk, with read(2), write(2), fsync and msync beside them, what fork makes of them, its end and its partitions: hda1 is 800
 * sectors from 64 on, hda2 512 from 1024 (type swap), hda3 13 from 2001; the fourth ends beyond the disk. May import lib and support/.
 */
import {
  close,
  counter,
  cstr,
  Errno,
  exit,
  flush,
  fork,
  fstat,
  fsync,
  isError,
  kill,
  lseek,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  MS_ASYNC,
  MS_SYNC,
  mmap,
  mremap,
  msync,
  munmap,
  O_RDONLY,
  O_RDWR,
  open,
  PROT_READ,
  read,
  SEEK_END,
  SEEK_SET,
  Signal,
  Stat64,
  same,
  schedYield,
  test,
  testBegin,
  testEnd,
  waitFor,
  waitSuccess,
  write,
} from "../lib/index";
import {
  mapDisk,
  onDisk,
  openDisk,
  original,
  originalWord,
  PAGE_SECTORS,
  pagesRead,
  readWord,
  sectorsWritten,
  writeWord,
} from "./support/disk";
import { mapPages, PAGE, pageAt, READ_WRITE, readPage, sharing, statusOfAccess, writePage } from "./support/memory";
import { awaitTurn, setTurn, startTask } from "./support/tasks";
import { childEnd, gateMake, gateOpen, gateWait, hear, pairEnd, startChild, tell } from "./support/turns";

const NEW: u32 = 0x5eed0100;
const SECTOR: u32 = 512;
const DISK_SECTORS: u32 = 4101;
/** The last page has 5 sectors. */
const LAST_PAGE: u32 = 512;
const OTHER: u32 = 64;
const BLOCK_BYTES: i32 = 4096;
const word: usize = memory.data(8, 4);
const block: usize = memory.data(4096, 4);
const information: Stat64 = changetype<Stat64>(memory.data(96, 4));

function coherence(): void {
  const fd = openDisk();
  mapDisk(fd, 0, READ_WRITE, MAP_SHARED, 8, 4);
  mapDisk(fd, OTHER, PROT_READ, MAP_SHARED, 9, 2);
  for (let i: u32 = 0; i < 4; i++) assert(same(readPage(i), original(8 + i)), "the disk shows");
  writePage(1, NEW);
  assert(same(readWord(fd, 9 * PAGE), NEW), "read(2) sees what the mapping wrote");
  assert(same(readPage(OTHER), NEW), "so does another mapping");
  writeWord(fd, 10 * PAGE, NEW + 1);
  assert(same(readPage(2), NEW + 1) && same(readPage(OTHER + 1), NEW + 1), "mappings see what write(2) wrote");
  writeWord(fd, 13 * PAGE, NEW + 4);
  mapDisk(fd, OTHER, PROT_READ, MAP_SHARED, 13, 1);
  assert(same(readPage(OTHER), NEW + 4), "also where they come later");
  const pid = startChild();
  if (pid == 0) {
    writePage(0, NEW + 2);
    tell();
    hear();
    assert(same(readPage(3), NEW + 3), "the child sees the parent's writes");
    childEnd();
  }
  hear();
  assert(same(readPage(0), NEW + 2), "the parent sees the child's writes");
  writePage(3, NEW + 3);
  tell();
  pairEnd(pid);
  const before = sectorsWritten();
  assert(same(fsync(fd), 0) && same(sectorsWritten(), before + 5 * PAGE_SECTORS), "five pages are written");
}

function privateMapping(): void {
  const before = sectorsWritten();
  const fd = openDisk();
  mapDisk(fd, 0, READ_WRITE, MAP_PRIVATE, 20, 4);
  writePage(0, NEW);
  assert(same(readPage(1), original(21)), "the disk shows");
  writePage(1, NEW + 1);
  assert(same(readPage(0), NEW) && same(readPage(1), NEW + 1), "the mapping has what was written to it");
  assert(same(load<u32>(pageAt(0) + 4), originalWord(20 * PAGE + 4)), "and the rest of the page");
  assert(same(readWord(fd, 20 * PAGE), original(20)) && same(readWord(fd, 21 * PAGE), original(21)), "the disk not");
  const pid = startChild();
  if (pid == 0) {
    writePage(2, NEW + 2);
    assert(same(load<u32>(pageAt(2) + 4), originalWord(22 * PAGE + 4)), "a write not present brings the page in");
    tell();
    hear();
    assert(same(readPage(2), NEW + 2), "the child keeps what it wrote");
    childEnd();
  }
  hear();
  assert(same(readPage(2), original(22)), "which is the child's only");
  tell();
  pairEnd(pid);
  assert(same(fsync(fd), 0) && same(msync(pageAt(0), 4 * PAGE, MS_SYNC), 0), "nothing is to be written");
  munmap(pageAt(0), 4 * PAGE);
  close(fd);
  assert(same(sectorsWritten(), before), "and nothing is");
}

function readFaultForAll(): void {
  const fd = openDisk();
  mapDisk(fd, 0, PROT_READ, MAP_PRIVATE, 30, 4);
  assert(same(readPage(0), original(30)), "there is a table");
  const pid = startChild();
  if (pid == 0) {
    const before = pagesRead();
    assert(same(readPage(2), original(32)), "the child reads a page");
    assert(same(pagesRead(), before + 1), "from the disk");
    tell();
    hear();
    childEnd();
  }
  hear();
  const faults = counter(cstr("faults"));
  const before = pagesRead();
  const value = readPage(2);
  const after = counter(cstr("faults"));
  assert(same(value, original(32)) && same(pagesRead(), before), "the parent has it from memory");
  assert(same(after - faults, sharing() ? 0 : 1), "without a fault of its own where they share the table");
  tell();
  pairEnd(pid);
}

function dirtyByMapping(): void {
  const fd = openDisk();
  mapDisk(fd, 0, READ_WRITE, MAP_SHARED, 50, 8);
  for (let i: u32 = 0; i < 4; i++) writePage(i, NEW + i);
  assert(same(readPage(5), original(55)), "another page is read");
  mapDisk(fd, OTHER, PROT_READ, MAP_SHARED, 50, 1);
  assert(same(readPage(OTHER), NEW), "one is mapped where it is not written, too");
  const before = sectorsWritten();
  assert(same(msync(pageAt(0), 8 * PAGE, MS_ASYNC), 0) && same(sectorsWritten(), before), "MS_ASYNC can wait");
  assert(same(msync(pageAt(1), PAGE, MS_SYNC), 0), "MS_SYNC of one page");
  assert(same(sectorsWritten(), before + 8), "writes that page");
  writePage(1, NEW + 9);
  assert(same(msync(pageAt(1), PAGE, MS_SYNC), 0), "MS_SYNC after another write");
  assert(same(sectorsWritten(), before + 16), "writes it again");
  assert(same(msync(pageAt(0), 8 * PAGE, MS_SYNC), 0), "MS_SYNC of all");
  assert(same(sectorsWritten(), before + 16 + 24), "writes the others that were changed");
  assert(same(msync(pageAt(0), 8 * PAGE, MS_SYNC), 0) && same(sectorsWritten(), before + 40), "once");
  writePage(6, NEW + 6);
  munmap(pageAt(6), PAGE);
  assert(same(fsync(fd), 0) && same(sectorsWritten(), before + 48), "what is not mapped any more is written too");
  writePage(7, NEW + 7);
  assert(mremap(pageAt(7), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, pageAt(OTHER)) == pageAt(OTHER), "a page moves");
  assert(same(msync(pageAt(OTHER), PAGE, MS_SYNC), 0) && same(sectorsWritten(), before + 56), "and is written there");
  munmap(pageAt(0), 8 * PAGE);
  munmap(pageAt(OTHER), PAGE);
  close(fd);
  assert(same(sectorsWritten(), before + 56), "nothing is left to write");
  assert(same(onDisk(51), NEW + 9) && same(onDisk(53), NEW + 3) && same(onDisk(56), NEW + 6), "all is on the disk");
  assert(same(onDisk(57), NEW + 7), "and what has moved");
}

function dirtyAcrossFork(): void {
  const fd = openDisk();
  mapDisk(fd, 0, READ_WRITE, MAP_SHARED, 70, 4);
  writePage(0, NEW);
  const pid = startChild();
  if (pid == 0) {
    writePage(1, NEW + 1);
    tell();
    hear();
    munmap(pageAt(0), 4 * PAGE);
    tell();
    hear();
    childEnd();
  }
  hear();
  writePage(2, NEW + 2);
  const before = sectorsWritten();
  assert(same(msync(pageAt(0), 4 * PAGE, MS_SYNC), 0), "msync in the parent");
  assert(same(sectorsWritten(), before + 24), "writes what either changed, before fork and after");
  tell();
  hear();
  assert(same(msync(pageAt(0), 4 * PAGE, MS_SYNC), 0) && same(sectorsWritten(), before + 24), "and only that");
  writePage(3, NEW + 3);
  tell();
  pairEnd(pid);
  munmap(pageAt(0), 4 * PAGE);
  close(fd);
  assert(same(sectorsWritten(), before + 32), "the last close writes the rest");
  for (let i: u32 = 0; i < 4; i++) assert(same(onDisk(70 + i), NEW + i), "all is on the disk");
}

function exitWrites(): void {
  flush();
  const pid = fork();
  if (pid == 0) {
    const fd = openDisk();
    mapDisk(fd, 0, READ_WRITE, MAP_SHARED, 80, 2);
    writePage(1, NEW);
    exit(0);
  }
  waitSuccess(pid);
  assert(same(onDisk(81), NEW), "what a process wrote before its end is on the disk");
}

function oneReadForMany(): void {
  const fd = openDisk();
  mapDisk(fd, 0, PROT_READ, MAP_SHARED, 90, 4);
  const before = pagesRead();
  gateMake();
  flush();
  for (let i: u32 = 0; i < 4; i++) {
    const pid = fork();
    if (pid == 0) {
      gateWait();
      exit(same(readPage(1), original(91)) ? 0 : 1);
    }
    store<i32>(block + 4 * i, pid);
  }
  gateOpen();
  for (let i: u32 = 0; i < 4; i++) waitSuccess(load<i32>(block + 4 * i));
  assert(same(pagesRead(), before + 1), "a page that four want is read once");
}

function killedWhileReading(): void {
  const fd = openDisk();
  mapDisk(fd, 0, PROT_READ, MAP_SHARED, 100, 4);
  gateMake();
  flush();
  const pid = fork();
  if (pid == 0) {
    gateWait();
    readPage(2);
    exit(0);
  }
  gateOpen();
  schedYield();
  kill(pid, Signal.SIGKILL);
  const status = waitFor(pid);
  assert(status == 0 || same(status, Signal.SIGKILL), "a process that waits for the disk can be killed");
  assert(same(readPage(2), original(102)), "the page is there for the others");
}

/** Reads a page of the disk that is not there yet; by then it may be another. What it read last. */
function readAway(index: usize): i32 {
  setTurn(1);
  return readPage(index) as i32;
}

function mappingGoesMeanwhile(): void {
  const fd = openDisk();
  mapDisk(fd, 0, PROT_READ, MAP_SHARED, 160, 4);
  let pid = startTask(readAway, 1);
  awaitTurn(1);
  munmap(pageAt(1), PAGE);
  assert(same(waitFor(pid), Signal.SIGSEGV), "a task that waits for a page that is unmapped is told");
  setTurn(0);
  pid = startTask(readAway, 2);
  awaitTurn(1);
  mapPages(2, 1, READ_WRITE, MAP_PRIVATE);
  assert(same(waitFor(pid), 0), "or finds what is there instead");
  assert(same(readWord(fd, 161 * PAGE), original(161)), "the pages are there for others");
  assert(same(readWord(fd, 162 * PAGE), original(162)), "both");
}

function theKernelsAccess(): void {
  const fd = openDisk();
  mapDisk(fd, 0, READ_WRITE, MAP_SHARED, 110, 4);
  lseek(fd, 120 * PAGE, SEEK_SET);
  assert(same(read(fd, pageAt(0), PAGE), PAGE), "read(2) into a mapping of the disk");
  assert(same(readPage(0), original(120)), "brings one page to the place of another");
  lseek(fd, 121 * PAGE, SEEK_SET);
  assert(same(write(fd, pageAt(1) + 8, PAGE), PAGE), "write(2) from one");
  assert(same(readWord(fd, 121 * PAGE), originalWord(111 * PAGE + 8)), "also");
  lseek(fd, 113 * PAGE + 100, SEEK_SET);
  assert(same(write(fd, pageAt(3), 4), 4), "from and to the same page, which is not there yet");
  assert(same(load<u32>(pageAt(3) + 100), original(113)), "too");
  lseek(fd, 114 * PAGE, SEEK_SET);
  mapDisk(fd, 0, PROT_READ, MAP_SHARED, 114, 1);
  assert(same(write(fd, pageAt(0), PAGE), PAGE) && same(readPage(0), original(114)), "all of it");
  mapDisk(fd, OTHER, READ_WRITE, MAP_PRIVATE, 130, 2);
  const pid = startChild();
  if (pid == 0) {
    assert(same(readWord(fd, 140 * PAGE), original(140)), "a page is in memory");
    lseek(fd, 140 * PAGE, SEEK_SET);
    assert(same(read(fd, pageAt(OTHER + 1), 4), 4), "read(2) into a private mapping");
    assert(same(readPage(OTHER + 1), original(140)), "changes the process's own");
    tell();
    hear();
    childEnd();
  }
  hear();
  assert(same(readPage(OTHER + 1), original(131)), "and no other");
  tell();
  pairEnd(pid);
}

function theEnd(): void {
  const fd = openDisk();
  assert(same(lseek(fd, 0, SEEK_END), DISK_SECTORS * SECTOR), "the disk ends within a page");
  mapDisk(fd, 0, READ_WRITE, MAP_SHARED, LAST_PAGE - 1, 3);
  const end = pageAt(1) + (DISK_SECTORS % PAGE_SECTORS) * SECTOR;
  assert(same(load<u32>(end - 4), originalWord(DISK_SECTORS * SECTOR - 4)), "the last word shows");
  assert(same(load<u32>(end), 0) && same(load<u32>(pageAt(2) - 4), 0), "then come zeros to the end of the page");
  store<u32>(end - 4, NEW);
  store<u32>(end, NEW);
  const before = sectorsWritten();
  assert(same(fsync(fd), 0) && same(sectorsWritten(), before + 5), "the sectors that there are are written");
  assert(same(statusOfAccess(pageAt(2), false), Signal.SIGBUS), "a read of the page behind is SIGBUS");
  assert(same(statusOfAccess(pageAt(2), true), Signal.SIGBUS), "a write too");
  lseek(fd, 0, SEEK_SET);
  assert(same(write(fd, pageAt(2), 4), -Errno.EFAULT), "for the kernel it is a bad address");
  assert(same(read(fd, pageAt(2), 4), -Errno.EFAULT), "in both directions");
  mapDisk(fd, 0, PROT_READ, MAP_SHARED, 5000, 1);
  assert(same(statusOfAccess(pageAt(0), false), Signal.SIGBUS), "far behind the end too");
}

function refusals(): void {
  const fd = open(cstr("/dev/hda"), O_RDONLY);
  assert(i32(mmap(0, PAGE, READ_WRITE, MAP_SHARED, fd)) == -Errno.EACCES, "no shared writing to what is read only");
  const address = mmap(0, PAGE, READ_WRITE, MAP_PRIVATE, fd, 150);
  assert(!isError(address), "private writing is allowed");
  store<u32>(address, NEW);
  const other = openDisk();
  assert(same(readWord(other, 150 * PAGE), original(150)), "and changes nothing");
  const sink = open(cstr("/dev/null"), O_RDWR);
  assert(same(fsync(sink), -Errno.EINVAL) && same(fsync(31), -Errno.EBADF), "fsync of what is no disk");
}

function partitions(): void {
  const first = openDisk(cstr("/dev/hda1"));
  assert(fstat(first, information) == 0 && same(information.rdev, 0x301), "a partition has a number of its own");
  assert(same(lseek(first, 0, SEEK_END), 800 * SECTOR), "and its end");
  assert(same(write(first, word, 4), -Errno.ENOSPC) && same(read(first, word, 4), 0), "behind which is nothing");
  assert(same(readWord(first, 3 * SECTOR), originalWord(67 * SECTOR)), "it begins at its first sector");
  mapDisk(first, 0, READ_WRITE, MAP_SHARED, 98, 4);
  assert(same(readPage(1), originalWord((64 + 99 * 8) * SECTOR)), "also in a mapping");
  writePage(1, NEW);
  assert(same(statusOfAccess(pageAt(2), false), Signal.SIGBUS), "which ends with it");
  munmap(pageAt(0), 4 * PAGE);
  close(first);
  assert(same(onDisk(8 + 99), NEW), "what it wrote is on the disk");
  const third = openDisk(cstr("/dev/hda3"));
  mapDisk(third, 0, READ_WRITE, MAP_SHARED, 0, 3);
  assert(same(readPage(1), originalWord(2009 * SECTOR)), "one need not begin at a page of the disk");
  assert(same(load<u32>(pageAt(1) + 5 * SECTOR), 0), "nor end at one");
  assert(same(statusOfAccess(pageAt(2), false), Signal.SIGBUS), "behind it is nothing");
  munmap(pageAt(0), 3 * PAGE);
  close(third);
  const again = openDisk(cstr("/dev/hda3"));
  memory.fill(block, 0x77, BLOCK_BYTES);
  const before = counter(cstr("disk_reads"));
  lseek(again, PAGE, SEEK_SET);
  assert(same(write(again, block, BLOCK_BYTES), 5 * SECTOR), "a write ends with it");
  assert(same(counter(cstr("disk_reads")), before), "its last page need not be read to be replaced");
  close(again);
  const fd = openDisk();
  assert(same(readWord(fd, 2013 * SECTOR), 0x77777777), "what it wrote is on the disk");
  assert(same(readWord(fd, 2014 * SECTOR), originalWord(2014 * SECTOR)), "and its neighbour as before");
  close(fd);
  assert(open(cstr("/dev/hda2"), O_RDONLY) >= 0, "there are three");
  assert(same(open(cstr("/dev/hda4"), O_RDONLY), -Errno.ENOENT), "and not one that ends beyond the disk");
}

export function main(argc: i32, argv: usize): i32 {
  testBegin(argc, argv);
  test(cstr("P11 mappings, read(2) and write(2) show the same pages"), coherence);
  test(cstr("P15 private mappings copy what is written"), privateMapping);
  test(cstr("P23 a page that one reads from the disk is there for all"), readFaultForAll);
  test(cstr("P21 what is written through a mapping reaches the disk"), dirtyByMapping);
  test(cstr("P21 also across fork"), dirtyAcrossFork);
  test(cstr("P21 also when the process just ends"), exitWrites);
  test(cstr("a page that many want is read once"), oneReadForMany);
  test(cstr("who waits for the disk can be killed"), killedWhileReading);
  test(cstr("a mapping that goes while a task waits for its page"), mappingGoesMeanwhile);
  test(cstr("P47 the kernel's own access"), theKernelsAccess);
  test(cstr("the end of the disk"), theEnd);
  test(cstr("mmap and fsync of a disk say what is wrong"), refusals);
  test(cstr("partitions"), partitions);
  return testEnd();
}
