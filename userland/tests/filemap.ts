/**
 * Mappings of files: shared and private, with read(2) and write(2) beside them, the end of the file, truncation, and what fork makes
 * of them. May import lib and support/.
 */
import {
  close,
  cstr,
  Errno,
  ftruncate,
  isError,
  lseek,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  mmap,
  mprotect,
  munmap,
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  open,
  PROT_READ,
  read,
  SEEK_SET,
  Signal,
  same,
  test,
  testBegin,
  testEnd,
  unlink,
  write,
} from "../lib/index";
import { PAGE, pageAt, READ_WRITE, readPage, SLOT_BYTES, statusOfAccess, writePage } from "./support/memory";
import { childEnd, hear, pairEnd, startChild, tell } from "./support/turns";

const NEW: u32 = 0x5eed0004;
const PAGES: u32 = 5;
const OTHER: u32 = 32;
const word: usize = memory.data(8, 4);

/** A file whose pages begin with 100, 101 … and whose last has 8 bytes. */
function makeFile(): i32 {
  const fd = open(cstr("/mapped"), O_CREAT | O_RDWR | O_TRUNC);
  assert(fd >= 0, "a file can be made");
  for (let page: u32 = 0; page < PAGES; page++) writeWord(fd, page * PAGE, 100 + page);
  writeWord(fd, (PAGES - 1) * PAGE + 4, 7);
  return fd;
}

function writeWord(fd: i32, offset: u32, value: u32): void {
  store<u32>(word, value);
  lseek(fd, offset, SEEK_SET);
  assert(write(fd, word, 4) == 4, "a word is written");
}

function readWord(fd: i32, offset: u32): u32 {
  lseek(fd, offset, SEEK_SET);
  assert(read(fd, word, 4) == 4, "a word is read");
  return load<u32>(word);
}

/** Maps pages of the file at page `index` of the tests' memory. */
function mapFile(fd: i32, index: u32, protection: u32, flags: u32, page: u32, pages: u32): void {
  const address = mmap(pageAt(index), pages * PAGE, protection, flags | MAP_FIXED, fd, page);
  assert(address == pageAt(index), "a file can be mapped");
}

function fileEnd(fd: i32): void {
  close(fd);
  munmap(pageAt(0), SLOT_BYTES);
  assert(unlink(cstr("/mapped")) == 0, "the file goes");
}

function sharedMapping(): void {
  const fd = makeFile();
  mapFile(fd, 0, READ_WRITE, MAP_SHARED, 0, PAGES);
  mapFile(fd, OTHER, PROT_READ, MAP_SHARED, 2, 2);
  for (let page: u32 = 0; page < PAGES; page++) assert(same(readPage(page), 100 + page), "the file shows");
  writePage(2, NEW);
  assert(same(readWord(fd, 2 * PAGE), NEW), "read(2) sees what the mapping wrote");
  assert(same(readPage(OTHER), NEW), "so does another mapping");
  writeWord(fd, 3 * PAGE, NEW + 1);
  assert(same(readPage(3), NEW + 1) && same(readPage(OTHER + 1), NEW + 1), "mappings see what write(2) wrote");
  const pid = startChild();
  if (pid == 0) {
    writePage(0, NEW + 2);
    tell();
    hear();
    assert(same(readPage(1), NEW + 3), "the child sees the parent's writes");
    childEnd();
  }
  hear();
  assert(same(readPage(0), NEW + 2), "the parent sees the child's writes");
  writePage(1, NEW + 3);
  tell();
  pairEnd(pid);
  close(fd);
  assert(unlink(cstr("/mapped")) == 0, "a mapped file can be unlinked");
  assert(same(readPage(4), 104), "and is there as long as it is mapped");
  munmap(pageAt(0), SLOT_BYTES);
}

function privateMapping(): void {
  const fd = makeFile();
  mapFile(fd, 0, READ_WRITE, MAP_PRIVATE, 0, PAGES);
  assert(same(readPage(0), 100), "the file shows");
  writePage(0, NEW);
  writePage(1, NEW + 1);
  assert(same(load<u32>(pageAt(4) + 4), 7) && same(load<u32>(pageAt(4) + 8), 0), "zeros follow the end");
  assert(same(readPage(0), NEW) && same(readPage(1), NEW + 1), "the mapping has what was written to it");
  assert(same(readWord(fd, 0), 100) && same(readWord(fd, PAGE), 101), "the file has not");
  writeWord(fd, 0, NEW + 5);
  writeWord(fd, 2 * PAGE, NEW + 6);
  assert(same(readPage(0), NEW), "nor has the mapping what the file gets afterwards");
  assert(same(readPage(2), NEW + 6), "where it was not written");
  const pid = startChild();
  if (pid == 0) {
    writePage(2, NEW + 7);
    writePage(0, NEW + 8);
    tell();
    hear();
    assert(same(readPage(2), NEW + 7) && same(readPage(0), NEW + 8), "the child keeps what it wrote");
    childEnd();
  }
  hear();
  assert(same(readPage(2), NEW + 6) && same(readPage(0), NEW), "which is the child's only");
  assert(same(readWord(fd, 2 * PAGE), NEW + 6), "and not the file's");
  tell();
  pairEnd(pid);
  fileEnd(fd);
}

function endOfFile(): void {
  const fd = makeFile();
  mapFile(fd, 0, READ_WRITE, MAP_SHARED, 0, PAGES + 2);
  assert(same(statusOfAccess(pageAt(PAGES), false), Signal.SIGBUS), "a read behind the last page is SIGBUS");
  assert(same(statusOfAccess(pageAt(PAGES), true), Signal.SIGBUS), "a write too");
  lseek(fd, 0, SEEK_SET);
  assert(write(fd, pageAt(PAGES), 4) == -Errno.EFAULT, "for the kernel it is a bad address");
  writeWord(fd, PAGES * PAGE, NEW);
  assert(same(readPage(PAGES), NEW), "when the file grows, it shows");
  mapFile(fd, OTHER, READ_WRITE, MAP_PRIVATE, 0, PAGES);
  writePage(OTHER + 3, NEW + 1);
  assert(same(readPage(OTHER + 2), 102), "a private mapping beside it");
  assert(ftruncate(fd, PAGE + 2) == 0, "a mapped file can be truncated");
  assert(write(fd, pageAt(OTHER + 2), 4) == -Errno.EFAULT, "what was just seen of it is gone at once");
  assert(same(statusOfAccess(pageAt(2), false), Signal.SIGBUS), "what is cut off is gone from the mapping");
  assert(same(statusOfAccess(pageAt(OTHER + 2), false), Signal.SIGBUS), "from a private one too");
  assert(same(readPage(OTHER + 3), NEW + 1), "but not what that has copied");
  assert(same(readPage(1), 101), "what is left begins as before");
  assert(ftruncate(fd, 3 * PAGE) == 0 && same(readPage(2), 0), "what comes back is zeros");
  fileEnd(fd);
}

function errors(): void {
  const fd = makeFile();
  close(fd);
  const reader = open(cstr("/mapped"), O_RDONLY);
  const writer = open(cstr("/mapped"), O_WRONLY);
  assert(i32(mmap(0, PAGE, READ_WRITE, MAP_SHARED, reader)) == -Errno.EACCES, "no shared writing to what is read only");
  assert(i32(mmap(0, PAGE, PROT_READ, MAP_SHARED, writer)) == -Errno.EACCES, "no mapping of what cannot be read");
  assert(i32(mmap(0, PAGE, PROT_READ, MAP_SHARED, 31)) == -Errno.EBADF, "no file");
  const console = open(cstr("/dev/null"), O_RDONLY);
  assert(i32(mmap(0, PAGE, PROT_READ, MAP_SHARED, console)) == -Errno.ENODEV, "no mapping of devices");
  close(console);
  mapFile(reader, 0, PROT_READ, MAP_SHARED, 0, 1);
  assert(mprotect(pageAt(0), PAGE, READ_WRITE) == -Errno.EACCES, "nor by mprotect");
  mapFile(reader, 0, READ_WRITE, MAP_PRIVATE, 0, 1);
  writePage(0, NEW);
  assert(same(readWord(reader, 0), 100), "private writing is allowed");
  close(writer);
  fileEnd(reader);
}

/** A file from the initrd: it lies in the boot loader's memory until it is mapped. */
function initrdFile(): void {
  const fd = open(cstr("/bin/true"), O_RDONLY);
  const magic = readWord(fd, 0);
  const address = mmap(0, PAGE, READ_WRITE, MAP_PRIVATE, fd);
  assert(!isError(address) && same(load<u32>(address), magic), "a program's file can be mapped");
  store<u32>(address, NEW);
  assert(same(readWord(fd, 0), magic), "and is not changed by that");
  munmap(address, PAGE);
  close(fd);
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  testBegin(argc, argv);
  test(cstr("shared mappings of a file"), sharedMapping);
  test(cstr("private mappings of a file"), privateMapping);
  test(cstr("behind the end of a file is SIGBUS"), endOfFile);
  test(cstr("mmap of files says what is wrong"), errors);
  // Twice: the first time takes memory for good.
  initrdFile();
  test(cstr("a file of the initrd can be mapped"), initrdFile);
  return testEnd();
}
