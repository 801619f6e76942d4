/**
 * Eviction when a test wants it, by /proc/reclaim, and a program that stays in memory meanwhile. May import lib and support/.
 */

import { outl, readEsp } from "../../../kernel/abi/intrinsics";
import {
  counter,
  cstr,
  Errno,
  MARK_PORT,
  Mark,
  mlock,
  O_WRONLY,
  open,
  parseDec,
  parseHex,
  readFile,
  strchr,
  strlen,
  strstr,
  swapoff,
  swapon,
  write,
} from "../../lib/index";
import { PAGE, pageAt } from "./memory";
import { PageMap, PTE_PRESENT, readPages, slotPage } from "./tables";

/** Programs and their heaps lie below this. */
const PROGRAM_END: usize = 0x10000000;
/** Stack that is kept in memory: the page in use, and some below. */
const STACK_BYTES: usize = 0x6000;
const INFO_BYTES: i32 = 2048;
const info: usize = memory.data(2048);
const MAPS_BYTES: i32 = 2048;
const maps: usize = memory.data(2048);

let reclaim: i32 = -1;

/** Keeps the program and its stack in memory from here on, so that nothing but the tests' memory moves. Not inherited by fork. */
export function pinProgram(): void {
  const stack = (readEsp() - STACK_BYTES) & ~(PAGE - 1);
  assert(mlock(stack, 0xc0000000 - stack) == 0, "the stack can be locked");
  assert(readFile(cstr("/proc/self/maps"), maps, MAPS_BYTES) > 0, "the mappings can be read");
  for (let line = maps; load<u8>(line) == 0x30; line = strchr(line, 0x0a) + 1) {
    const start = parseHex(line);
    if (start < PROGRAM_END) assert(mlock(start, parseHex(line + 9) - start) == 0, "the program can be locked");
  }
}

/** Opens /proc/reclaim, for processes forked afterwards too. */
export function openReclaim(): void {
  reclaim = open(cstr("/proc/reclaim"), O_WRONLY);
  assert(reclaim >= 0, "pages can be evicted");
}

/** Evicts up to `pages` pages, digits of a number; whoever they belong to. */
export function evict(pages: usize): void {
  assert(write(reclaim, pages, strlen(pages)) == i32(strlen(pages)), "reclaim takes a number");
}

/** Evicts all that can be evicted: what was used lately gets its second chance, and then goes too. */
export function evictAll(): void {
  for (let round = 0; round < 3; round++) evict(cstr("100000"));
}

/** Whether a pte is a swap entry. */
export function isSwapEntry(pte: u32): bool {
  return pte != 0 && (pte & 0xfff) == 0;
}

/** Whether a page's entry is one. */
export function isSwapped(page: PageMap): bool {
  return isSwapEntry(page.pte);
}

/** Pages of `count` from page `index` on that a process (0: this one) has in swap. */
export function swappedPages(pid: i32, index: u32, count: u32): u32 {
  readPages(pid, pageAt(index), count);
  let swapped: u32 = 0;
  for (let page: u32 = 0; page < count; page++) swapped += u32(isSwapped(slotPage(page)));
  return swapped;
}

/** And that it has in memory. */
export function presentPages(pid: i32, index: u32, count: u32): u32 {
  readPages(pid, pageAt(index), count);
  let present: u32 = 0;
  for (let page: u32 = 0; page < count; page++) present += u32((slotPage(page).pte & PTE_PRESENT) != 0);
  return present;
}

/** Copies the ptes of `count` pages from page `index` on, of a process (0: this one), to `into`. */
export function copyEntries(pid: i32, index: u32, count: u32, into: usize): void {
  readPages(pid, pageAt(index), count);
  for (let page: u32 = 0; page < count; page++) store<u32>(into + page * 4, slotPage(page).pte);
}

/** Pages of the swap area that are free. */
export function freeSlots(): u32 {
  assert(readFile(cstr("/proc/meminfo"), info, INFO_BYTES) > 0, "/proc/meminfo can be read");
  const field = strstr(info, cstr("SwapFree:"));
  assert(field != 0, "it says how much swap is free");
  let at = field + strlen(cstr("SwapFree:"));
  while (load<u8>(at) == 0x20) at++;
  return parseDec(at) / 4;
}

/** Pages read from swap since boot. */
export function swapIns(): u32 {
  return counter(cstr("swap_ins"));
}

/** Gives swap up. 0 or -errno. */
export function swapsOff(): i32 {
  return swapoff(cstr("/dev/hda"));
}

/** Puts it to use again. */
export function swapsOn(): void {
  assert(tryToSwapOn() == 0, "the swap area can be used again");
}

/** Puts it to use, if it is not. 0 or -errno. */
export function tryToSwapOn(): i32 {
  const error = swapon(cstr("/dev/hda"));
  return error == -Errno.EBUSY ? 0 : error;
}

/** From here on the disk refuses this, a sum of DiskRefusal. */
export function refuseDisk(refusal: u32): void {
  outl(MARK_PORT, (Mark.RefuseDisk << 24) | refusal);
}
