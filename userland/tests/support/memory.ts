/**
 * The memory that tests share and unshare: slots (4 MB, one page table each) at a place that nothing else uses. No page has
 * the contents of another. May import lib.
 */
import {
  cstr,
  exit,
  flush,
  fork,
  forkShares,
  MAP_FIXED,
  mmapAnonymous,
  PROT_READ,
  PROT_WRITE,
  printf,
  waitFor,
} from "../../lib/index";

export const PAGE: usize = 4096;
export const SLOT_BYTES: usize = 0x400000;
export const PAGES_A_SLOT: u32 = 1024;
/** The tests' first slot: index in the page directory, and address. */
export const SLOT: u32 = 384;
export const PLACE: usize = 0x60000000;
export const READ_WRITE: u32 = PROT_READ | PROT_WRITE;

/** Address of page `index` of the tests' memory. */
export function pageAt(index: u32): usize {
  return PLACE + index * PAGE;
}

/** Maps `pages` of the tests' memory from page `index` on; `flags` is MAP_PRIVATE or MAP_SHARED. */
export function mapPages(index: u32, pages: u32, protection: u32, flags: u32): void {
  const address = mmapAnonymous(pageAt(index), pages * PAGE, protection, flags | MAP_FIXED);
  assert(address == pageAt(index), "the tests' memory can be mapped");
}

/** What the first word of page `index` is after writePages. */
export function wordOf(index: u32): u32 {
  return index * 0x9e3779b1 + 1;
}

/** Writes each of `pages` pages from page `index` on. */
export function writePages(index: u32, pages: u32): void {
  for (let i = index; i < index + pages; i++) store<u32>(pageAt(i), wordOf(i));
}

/** First word of a page, read whether or not the result is used. */
export function readPage(index: u32): u32 {
  return atomic.load<u32>(pageAt(index));
}

/** Changes the first word of a page, each time that it is called. */
export function writePage(index: u32, value: u32): void {
  atomic.store<u32>(pageAt(index), value);
}

/** Whether all of `pages` pages from page `index` on are as writePages left them; says which is not. */
export function pagesIntact(index: u32, pages: u32): bool {
  for (let i = index; i < index + pages; i++) {
    if (readPage(i) == wordOf(i)) continue;
    printf(cstr("# page %u reads 0x%x, not 0x%x\n"), i, readPage(i), wordOf(i));
    return false;
  }
  return true;
}

/** Wait status of a child that reads (or writes) at `address`: 0 when it may. */
export function statusOfAccess(address: usize, isWrite: bool): u32 {
  flush();
  const pid = fork();
  if (pid == 0) {
    const value = atomic.load<u32>(address);
    if (isWrite) atomic.store<u32>(address, value);
    exit(0);
  }
  return waitFor(pid);
}

let modeKnown: bool = false;
let mode: bool = false;

/** Whether fork shares page tables: what a test says of the mechanism holds only then. */
export function sharing(): bool {
  if (!modeKnown) {
    mode = forkShares();
    modeKnown = true;
  }
  return mode;
}
