/**
 * /dev/hda, on a disk of DISK_SECTORS whose byte at position p is (7 p + 13 (p >> 9)) & 255. With an argument: `bad`, the
 * disk's sectors 100 and 200 cannot be read; `readonly`, it cannot be written; `none`, there is none. May import lib, support/.
 */
import {
  close,
  counter,
  cstr,
  Errno,
  exit,
  fork,
  fstat,
  fsync,
  lseek,
  O_RDONLY,
  O_RDWR,
  open,
  read,
  S_IFBLK,
  S_IFMT,
  SEEK_CUR,
  SEEK_END,
  SEEK_SET,
  Stat64,
  same,
  streq,
  test,
  testBegin,
  testEnd,
  waitSuccess,
  write,
} from "../lib/index";

const SECTOR: i32 = 512;
const DISK_SECTORS: i32 = 4096;
const DISK_BYTES: i32 = 4096 * 512;
const BLOCK_BYTES: i32 = 65536;
const ROUNDS: i32 = 12;
const block: usize = memory.data(65536);
const information: Stat64 = changetype<Stat64>(memory.data(96, 4));

function disk(): i32 {
  const fd = open(cstr("/dev/hda"), O_RDWR);
  assert(fd >= 0, "the disk can be opened");
  return fd;
}

/** What the disk holds at a position at first. */
function patternAt(position: u32): u32 {
  return (position * 7 + (position >> 9) * 13) & 0xff;
}

/** Whether `bytes` from the buffer on are what the disk held at `position` at first. */
function isPattern(buffer: usize, position: u32, bytes: i32): bool {
  for (let i: i32 = 0; i < bytes; i++) {
    if (load<u8>(buffer + i) != patternAt(position + i)) return same(load<u8>(buffer + i), patternAt(position + i));
  }
  return true;
}

function isFilled(buffer: usize, value: u32, bytes: i32): bool {
  for (let i: i32 = 0; i < bytes; i++) {
    if (load<u8>(buffer + i) != value) return same(load<u8>(buffer + i), value);
  }
  return true;
}

/** The result of reading so much there into `block`. */
function readAt(fd: i32, position: i32, bytes: i32): i32 {
  memory.fill(block, 0xee, bytes);
  assert(same(lseek(fd, position, SEEK_SET), position), "any position can be sought");
  return read(fd, block, bytes);
}

function writeAt(fd: i32, position: i32, value: u32, bytes: i32): i32 {
  memory.fill(block, value as u8, bytes);
  assert(same(lseek(fd, position, SEEK_SET), position), "any position can be sought");
  return write(fd, block, bytes);
}

function readsAt(position: i32, bytes: i32): void {
  const fd = disk();
  assert(same(readAt(fd, position, bytes), bytes), "all bytes are read");
  assert(isPattern(block, position, bytes), "and are those of the disk");
  assert(same(lseek(fd, 0, SEEK_CUR), position + bytes), "the position moves on");
  close(fd);
}

function sizeAndType(): void {
  const fd = disk();
  assert(same(lseek(fd, 0, SEEK_END), DISK_BYTES), "the end is that of the disk");
  assert(fstat(fd, information) == 0 && same(information.mode & S_IFMT, S_IFBLK), "it is a block device");
  close(fd);
}

function reads(): void {
  readsAt(0, SECTOR);
  readsAt(DISK_BYTES - SECTOR, SECTOR);
  readsAt(1000, 1);
  readsAt(511, 2);
  readsAt(3 * SECTOR + 100, 5000);
  readsAt(4095, BLOCK_BYTES);
  readsAt(700 * SECTOR, BLOCK_BYTES);
}

function theEnd(): void {
  const fd = disk();
  assert(same(readAt(fd, DISK_BYTES, 10), 0), "nothing lies behind the end");
  assert(same(readAt(fd, DISK_BYTES + 12345, 10), 0), "nor farther");
  assert(same(readAt(fd, DISK_BYTES - 10, 100), 10), "a read stops there");
  assert(isPattern(block, DISK_BYTES - 10, 10), "with what came before");
  assert(same(writeAt(fd, DISK_BYTES, 1, 1), -Errno.ENOSPC), "there is no room behind it");
  assert(same(write(fd, block, 0), 0), "for a byte");
  assert(same(writeAt(fd, DISK_BYTES - 3, 0x55, 100), 3), "a write stops there too");
  assert(same(readAt(fd, DISK_BYTES - 5, 100), 5) && isPattern(block, DISK_BYTES - 5, 2), "having kept what is before");
  assert(isFilled(block + 2, 0x55, 3), "and written the rest");
  close(fd);
}

/** Writes there, and looks at what was written and at what stands 600 bytes before and after it. */
function writesAt(fd: i32, position: i32, bytes: i32, value: u32): void {
  assert(same(writeAt(fd, position, value, bytes), bytes), "all bytes are written");
  assert(same(readAt(fd, position - 600, bytes + 1200), bytes + 1200), "and can be read");
  assert(isPattern(block, position - 600, 600), "nothing changes before them");
  assert(isFilled(block + 600, value, bytes), "they are there");
  assert(isPattern(block + 600 + bytes, position + bytes, 600), "nothing changes behind them");
}

function writes(): void {
  const fd = disk();
  writesAt(fd, 1000 * SECTOR, SECTOR, 0x11);
  writesAt(fd, 1010 * SECTOR + 7, 9, 0x22);
  writesAt(fd, 1020 * SECTOR + 500, 24, 0x33);
  writesAt(fd, 1030 * SECTOR + 1, 40000, 0x44);
  writesAt(fd, 1200 * SECTOR, 40 * SECTOR, 0x66);
  writesAt(fd, 1300 * SECTOR, 3 * SECTOR + 10, 0x77);
  writesAt(fd, 1310 * SECTOR - 10, 3 * SECTOR + 10, 0x88);
  close(fd);
}

function badAddress(): void {
  const fd = disk();
  assert(same(read(fd, 0x1000, SECTOR), -Errno.EFAULT), "a read to nowhere");
  assert(same(write(fd, 0x1000, SECTOR), -Errno.EFAULT), "a write from nowhere");
  assert(same(lseek(fd, 0, SEEK_CUR), 0), "moves nothing");
  close(fd);
}

function counters(): void {
  const fd = disk();
  const readsBefore = counter(cstr("disk_reads"));
  const writesBefore = counter(cstr("disk_writes"));
  assert(same(readAt(fd, 100 * SECTOR, 40 * SECTOR), 40 * SECTOR), "reading");
  assert(same(counter(cstr("disk_reads")), readsBefore + 48), "reads whole pages");
  assert(same(readAt(fd, 100 * SECTOR, 40 * SECTOR), 40 * SECTOR), "reading it again");
  assert(same(counter(cstr("disk_reads")), readsBefore + 48), "finds them in memory");
  assert(same(writeAt(fd, 1504 * SECTOR, 1, 24 * SECTOR), 24 * SECTOR), "writing");
  assert(same(counter(cstr("disk_writes")), writesBefore), "only changes them there");
  assert(same(counter(cstr("disk_reads")), readsBefore + 48), "and whole ones need not be read");
  assert(same(fsync(fd), 0), "fsync");
  assert(same(counter(cstr("disk_writes")), writesBefore + 24), "writes them");
  assert(same(fsync(fd), 0), "once more");
  assert(same(counter(cstr("disk_writes")), writesBefore + 24), "is nothing to do");
  assert(same(writeAt(fd, 1600 * SECTOR + 1, 1, 1), 1), "a byte");
  assert(same(counter(cstr("disk_reads")), readsBefore + 56), "is a page read");
  close(fd);
  assert(same(counter(cstr("disk_writes")), writesBefore + 32), "and written when the disk is closed");
}

/** One of several processes that use the disk at once, each in pages of its own, interleaved with the others'. */
function worker(number: i32, workers: i32): void {
  const fd = disk();
  for (let round: i32 = 0; round < ROUNDS; round++) {
    const turn = round * workers + number;
    const position = (2000 + 8 * turn) * SECTOR + 100;
    assert(same(writeAt(fd, position, 0x80 + number, 200), 200), "each writes a part of its sector");
    assert(same(fsync(fd), 0), "waits for it");
    assert(same(readAt(fd, position - 100, SECTOR), SECTOR), "and reads the sector");
    assert(isPattern(block, position - 100, 100) && isFilled(block + 100, 0x80 + number, 200), "which has it");
    readsAt((300 + 16 * turn) * SECTOR, 9 * SECTOR);
  }
  close(fd);
}

function atOnce(): void {
  const first = fork();
  if (first == 0) {
    worker(0, 3);
    exit(0);
  }
  const second = fork();
  if (second == 0) {
    worker(1, 3);
    exit(0);
  }
  worker(2, 3);
  waitSuccess(first);
  waitSuccess(second);
}

/** Two processes change bytes of the same sector: no change is lost. */
function sameSector(): void {
  const pid = fork();
  const fd = disk();
  const mine: i32 = pid == 0 ? 0 : 1;
  for (let i: i32 = 0; i < 64; i++)
    assert(same(writeAt(fd, 3000 * SECTOR + 2 * i + mine, 0x40 + mine, 1), 1), "a byte");
  if (pid == 0) exit(0);
  waitSuccess(pid);
  assert(same(readAt(fd, 3000 * SECTOR, 128), 128), "then all are read");
  for (let i: i32 = 0; i < 128; i++) assert(same(load<u8>(block + i), 0x40 + (i & 1)), "and are there");
  close(fd);
}

function badSectors(): void {
  const fd = disk();
  assert(same(readAt(fd, 95 * SECTOR, SECTOR), SECTOR) && isPattern(block, 95 * SECTOR, SECTOR), "one before is good");
  assert(same(readAt(fd, 100 * SECTOR + 17, 1), -Errno.EIO), "a bad one is not");
  assert(same(lseek(fd, 0, SEEK_CUR), 100 * SECTOR + 17), "and nothing moves");
  assert(same(readAt(fd, 104 * SECTOR, SECTOR), SECTOR) && isPattern(block, 104 * SECTOR, SECTOR), "one after is good");
  assert(same(readAt(fd, 96 * SECTOR, 20 * SECTOR), -Errno.EIO), "nor is it among others");
  assert(same(readAt(fd, 20 * SECTOR, 100 * SECTOR), 76 * SECTOR), "but whole pages before it are read");
  assert(isPattern(block, 20 * SECTOR, 76 * SECTOR), "rightly");
  assert(same(writeAt(fd, 200 * SECTOR + 1, 1, 1), -Errno.EIO), "a part of a bad page cannot be written");
  assert(same(writeAt(fd, 200 * SECTOR, 0x99, 8 * SECTOR), 8 * SECTOR), "all of it can");
  assert(same(fsync(fd), 0), "and comes to the disk");
  close(fd);
  const again = disk();
  assert(
    same(readAt(again, 200 * SECTOR, 8 * SECTOR), 8 * SECTOR) && isFilled(block, 0x99, 8 * SECTOR),
    "which mends it",
  );
  close(again);
}

function readOnlyDisk(): void {
  const fd = disk();
  assert(same(writeAt(fd, 5 * SECTOR, 1, SECTOR), SECTOR), "a write changes memory");
  assert(same(fsync(fd), -Errno.EIO), "but a disk that cannot be written says so");
  assert(same(fsync(fd), -Errno.EIO), "each time");
  assert(
    same(readAt(fd, 5 * SECTOR, SECTOR), SECTOR) && isFilled(block, 1, SECTOR),
    "what was written is kept meanwhile",
  );
  close(fd);
  const again = disk();
  assert(same(readAt(again, 4 * SECTOR, 3 * SECTOR), 3 * SECTOR), "the disk can be read");
  assert(isPattern(block, 4 * SECTOR, 3 * SECTOR), "unchanged");
  close(again);
}

function noDisk(): void {
  assert(same(open(cstr("/dev/hda"), O_RDONLY), -Errno.ENOENT), "there is no /dev/hda");
  assert(same(counter(cstr("disk_reads")), 0), "and nothing was read");
}

export function main(argc: i32, argv: usize): i32 {
  testBegin(1, argv);
  const kind = argc > 1 ? load<usize>(argv + 4) : cstr("good");
  if (streq(kind, cstr("bad"))) {
    test(cstr("bad sectors give EIO, and only they"), badSectors);
  } else if (streq(kind, cstr("readonly"))) {
    test(cstr("a read-only disk refuses writes"), readOnlyDisk);
  } else if (streq(kind, cstr("none"))) {
    test(cstr("without a disk there is no device"), noDisk);
  } else {
    assert(DISK_BYTES == DISK_SECTORS * SECTOR);
    test(cstr("size and type"), sizeAndType);
    test(cstr("reads at any position, of any length"), reads);
    test(cstr("the end of the disk"), theEnd);
    test(cstr("writes at any position leave their neighbours"), writes);
    test(cstr("addresses that are none"), badAddress);
    test(cstr("sectors are counted"), counters);
    test(cstr("three processes at once"), atOnce);
    test(cstr("two processes change one sector"), sameSector);
  }
  return testEnd();
}
