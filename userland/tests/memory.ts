/**
 * Memory as programs see it: brk, mmap, munmap, mprotect, the stack, the heap of malloc, and what happens when there is none left.
 * May import lib and support/.
 */
import {
  brk,
  calloc,
  cstr,
  Errno,
  exit,
  fork,
  free,
  freeFrames,
  isError,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  malloc,
  mmap,
  mmapAnonymous,
  mprotect,
  munmap,
  PROT_NONE,
  PROT_READ,
  realloc,
  Signal,
  same,
  test,
  testBegin,
  testEnd,
  waitFor,
  waitSuccess,
} from "../lib/index";
import {
  mapPages,
  PAGE,
  PLACE,
  pageAt,
  pagesIntact,
  READ_WRITE,
  readPage,
  SLOT_BYTES,
  statusOfAccess,
  wordOf,
  writePage,
  writePages,
} from "./support/memory";

const pointers: usize = memory.data(64 * 4, 4);

function heapMoves(): void {
  const start = brk(0);
  assert(same(brk(start + 3 * SLOT_BYTES), start + 3 * SLOT_BYTES), "the heap can grow over slots");
  assert(same(atomic.load<u32>(start + 2 * SLOT_BYTES), 0), "with zeros");
  for (let page: u32 = 0; page < 3 * 1024; page += 64) store<u32>((start & ~4095) + 4096 + page * PAGE, wordOf(page));
  assert(same(brk(start + 4096), start + 4096), "and shrink");
  assert(same(statusOfAccess(start + 2 * SLOT_BYTES, false), Signal.SIGSEGV), "what is beyond is gone");
  assert(same(brk(start + SLOT_BYTES), start + SLOT_BYTES), "and grow again");
  assert(same(atomic.load<u32>((start & ~4095) + 4096 + 64 * PAGE), 0), "with zeros, not with what was there");
  assert(same(brk(0x1000), start + SLOT_BYTES), "not below its beginning");
  assert(same(brk(0xc0000000), start + SLOT_BYTES), "nor into the kernel");
  assert(same(brk(start), start), "back to where it was");
}

function mmapErrors(): void {
  assert(same(mmapAnonymous(0, 0, READ_WRITE, MAP_PRIVATE), -Errno.EINVAL), "no bytes cannot be mapped");
  assert(same(mmapAnonymous(0, PAGE, READ_WRITE, 0), -Errno.EINVAL), "neither private nor shared");
  assert(same(mmapAnonymous(PLACE + 1, PAGE, READ_WRITE, MAP_PRIVATE | MAP_FIXED), -Errno.EINVAL), "not at a page");
  const kernel = mmapAnonymous(0xc0000000, PAGE, READ_WRITE, MAP_PRIVATE | MAP_FIXED);
  assert(kernel == usize(-Errno.ENOMEM) || kernel == usize(-Errno.EINVAL), "not in the kernel");
  const huge = mmapAnonymous(0, 0xfffff000, READ_WRITE, MAP_PRIVATE);
  assert(same(huge, -Errno.ENOMEM), "not more than there is room for");
  assert(isError(mmap(0, PAGE, READ_WRITE, MAP_PRIVATE, 99)), "no file of a descriptor that is none");
  assert(same(munmap(PLACE + 1, PAGE), -Errno.EINVAL), "not from the middle of a page");
  assert(same(munmap(PLACE, 0), -Errno.EINVAL), "nor no bytes");
  assert(same(munmap(PLACE, PAGE), 0), "but what is not mapped");
  assert(same(mprotect(PLACE, PAGE, PROT_READ), -Errno.ENOMEM), "protection needs a mapping");
  assert(MAP_ANONYMOUS != 0, "all of these are anonymous");
}

function mappingsLieApart(): void {
  const first = mmapAnonymous(0, 3 * PAGE, READ_WRITE, MAP_PRIVATE);
  const second = mmapAnonymous(0, 5 * PAGE, READ_WRITE, MAP_PRIVATE);
  assert(!isError(first) && !isError(second), "memory can be mapped anywhere");
  assert(first + 3 * PAGE <= second || second + 5 * PAGE <= first, "two mappings do not overlap");
  store<u32>(first + 2 * PAGE, 1);
  store<u32>(second, 2);
  assert(same(load<u32>(first + 2 * PAGE), 1) && same(load<u32>(second), 2), "and both hold");
  assert(munmap(first, 3 * PAGE) == 0 && munmap(second, 5 * PAGE) == 0, "both can be unmapped");
  mapPages(0, 8, READ_WRITE, MAP_PRIVATE);
  writePages(0, 8);
  mapPages(2, 3, READ_WRITE, MAP_PRIVATE);
  assert(pagesIntact(0, 2) && pagesIntact(5, 3), "a mapping over another leaves what it does not cover");
  for (let page: u32 = 2; page < 5; page++) assert(same(readPage(page), 0), "and zeros where it does");
}

function protections(): void {
  mapPages(0, 8, READ_WRITE, MAP_PRIVATE);
  writePages(0, 8);
  assert(mprotect(pageAt(2), 2 * PAGE, PROT_READ) == 0, "pages can be made read-only");
  assert(same(statusOfAccess(pageAt(2), true), Signal.SIGSEGV), "then writing is SIGSEGV");
  assert(same(statusOfAccess(pageAt(3), false), 0), "and reading is not");
  assert(
    same(statusOfAccess(pageAt(1), true), 0) && same(statusOfAccess(pageAt(4), true), 0),
    "next to them all is well",
  );
  assert(mprotect(pageAt(5), PAGE, PROT_NONE) == 0, "a page can be closed");
  assert(same(statusOfAccess(pageAt(5), false), Signal.SIGSEGV), "then reading is SIGSEGV too");
  assert(mprotect(pageAt(0), 8 * PAGE, READ_WRITE) == 0, "and all be opened again");
  assert(pagesIntact(0, 8), "with what was in them");
  writePage(5, 1);
  assert(same(readPage(5), 1), "writable");
}

function sharedMemory(): void {
  mapPages(0, 4, READ_WRITE, MAP_SHARED);
  writePage(0, 1);
  const pid = fork();
  if (pid == 0) {
    writePage(0, readPage(0) + 1);
    writePage(3, 7);
    exit(0);
  }
  waitSuccess(pid);
  assert(same(readPage(0), 2) && same(readPage(3), 7), "shared memory is seen by parent and child");
}

/** Takes at least 64 bytes of stack for each level. */
function descend(levels: u32): u32 {
  if (levels == 0) return 0;
  const below = descend(levels - 1);
  atomic.store<u32>(pointers, below);
  return below + 1;
}

function stackGrows(): void {
  assert(same(descend(100000), 100000), "the stack grows as far as it is used");
  const pid = fork();
  if (pid == 0) {
    assert(same(descend(50000), 50000), "in a child too");
    exit(0);
  }
  waitSuccess(pid);
}

function stackHasLimit(): void {
  const pid = fork();
  if (pid == 0) exit(descend(0xffffffff) == 1 ? 1 : 0);
  assert(same(waitFor(pid), Signal.SIGSEGV), "a stack without end is SIGSEGV");
}

function heapOfMalloc(): void {
  for (let i: u32 = 0; i < 64; i++) {
    const address = malloc(i * 37 + 1);
    assert(address != 0 && (address & 7) == 0, "blocks are aligned");
    memory.fill(address, u8(i), i * 37 + 1);
    store<usize>(pointers + i * 4, address);
  }
  for (let i: u32 = 0; i < 64; i += 2) free(load<usize>(pointers + i * 4));
  for (let i: u32 = 1; i < 64; i += 2) {
    const address = realloc(load<usize>(pointers + i * 4), i * 80);
    for (let j: u32 = 0; j < i * 37 + 1; j++) assert(load<u8>(address + j) == u8(i), "realloc keeps the bytes");
    free(address);
  }
  const end = brk(0);
  for (let round = 0; round < 100; round++) free(malloc(20000));
  assert(same(brk(0), end), "what was freed is used again");
  const zeroed = calloc(100, 10);
  for (let j: u32 = 0; j < 1000; j++) assert(load<u8>(zeroed + j) == 0, "calloc gives zeros");
  assert(same(malloc(0xfffffff0), 0) && same(calloc(0x10000, 0x10000), 0), "too much is refused");
}

/** A process that takes all memory there is: it alone is killed, and everything comes back. */
function memoryRunsOut(): void {
  const all = freeFrames() + 64;
  const pid = fork();
  if (pid == 0) {
    const piece: u32 = 1024;
    for (let page: u32 = 0; page < all; page += piece) {
      const start = mmapAnonymous(0, piece * PAGE, READ_WRITE, MAP_PRIVATE);
      if (isError(start)) exit(5);
      for (let i: u32 = 0; i < piece; i++) store<u32>(start + i * PAGE, i);
    }
    exit(0);
  }
  assert(same(waitFor(pid), Signal.SIGKILL), "who uses more memory than there is, is killed");
}

/** fork with almost no memory left: it fails cleanly or works, and takes nothing with it. */
function forkWithoutMemory(): void {
  const pid = fork();
  if (pid == 0) {
    const pages = freeFrames() - 24;
    const start = mmapAnonymous(PLACE, pages * PAGE, READ_WRITE, MAP_PRIVATE);
    assert(!isError(start), "almost all memory can be mapped");
    for (let i: u32 = 0; i + 40 < pages; i++) store<u32>(start + i * PAGE, i);
    const before = freeFrames();
    const child = fork();
    if (child == 0) exit(0);
    if (child < 0) {
      assert(child == -Errno.ENOMEM || child == -Errno.EAGAIN, "fork says that there is no memory");
      assert(same(freeFrames(), before), "and gives back what it took");
    } else {
      waitSuccess(child);
    }
    for (let i: u32 = 0; i + 40 < pages; i += 64) assert(same(load<u32>(start + i * PAGE), i), "nothing is lost");
    exit(0);
  }
  waitSuccess(pid);
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  testBegin(argc, argv);
  test(cstr("brk moves the end of the heap"), heapMoves);
  test(cstr("mmap, munmap and mprotect say what is wrong"), mmapErrors);
  test(cstr("mappings lie apart or over one another"), mappingsLieApart);
  test(cstr("protections hold"), protections);
  test(cstr("shared memory"), sharedMemory);
  test(cstr("the stack grows"), stackGrows);
  test(cstr("the stack has a limit"), stackHasLimit);
  test(cstr("malloc, free and realloc"), heapOfMalloc);
  test(cstr("out of memory kills who wants it, and nobody else"), memoryRunsOut);
  test(cstr("fork without memory fails cleanly"), forkWithoutMemory);
  return testEnd();
}
