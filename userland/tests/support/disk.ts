/**
 * A disk that tests read, write and map: the byte at position p is (7 p + 13 (p >> 9)) & 255 at first, but for a partition table in sector 0.
 * May import lib, memory.
 */
import {
  close,
  counter,
  cstr,
  lseek,
  MAP_FIXED,
  mmap,
  O_RDWR,
  open,
  read,
  SEEK_SET,
  same,
  write,
} from "../../lib/index";
import { PAGE, pageAt } from "./memory";

export const PAGE_SECTORS: u32 = 8;
const word: usize = memory.data(8, 4);

export function openDisk(name: usize = cstr("/dev/hda")): i32 {
  const fd = open(name, O_RDWR);
  assert(fd >= 0, "the disk can be opened");
  return fd;
}

/** What a word of the disk is at first. */
export function originalWord(position: u32): u32 {
  let value: u32 = 0;
  for (let i: u32 = 0; i < 4; i++) {
    const at = position + i;
    value |= ((at * 7 + (at >> 9) * 13) & 0xff) << (8 * i);
  }
  return value;
}

/** The same, of the first word of page `page`. */
export function original(page: u32): u32 {
  return originalWord(page * PAGE);
}

/** Maps `pages` of the disk from `page` on at page `index` of the tests' memory. */
export function mapDisk(fd: i32, index: u32, protection: u32, flags: u32, page: u32, pages: u32): void {
  const address = mmap(pageAt(index), pages * PAGE, protection, flags | MAP_FIXED, fd, page);
  assert(address == pageAt(index), "the disk can be mapped");
}

export function readWord(fd: i32, position: u32): u32 {
  lseek(fd, position, SEEK_SET);
  assert(same(read(fd, word, 4), 4), "a word is read");
  return load<u32>(word);
}

export function writeWord(fd: i32, position: u32, value: u32): void {
  store<u32>(word, value);
  lseek(fd, position, SEEK_SET);
  assert(same(write(fd, word, 4), 4), "a word is written");
}

/** Pages read from the disk, and written to it, since the machine started. */
export function pagesRead(): u32 {
  return counter(cstr("disk_reads")) / PAGE_SECTORS;
}

export function sectorsWritten(): u32 {
  return counter(cstr("disk_writes"));
}

/** The first word of a page on the disk itself: nobody has the disk open or mapped. */
export function onDisk(page: u32): u32 {
  const before = counter(cstr("disk_reads"));
  const fd = openDisk();
  const value = readWord(fd, page * PAGE);
  close(fd);
  assert(same(counter(cstr("disk_reads")), before + PAGE_SECTORS), "it comes from the disk");
  return value;
}
