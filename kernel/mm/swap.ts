/**
 * The swap area and the swap cache. A slot is a page of the disk; slot 0 is the area's header, so 0 is no slot. Two words are kept for
 * each, taken when the area is put to use, so that swapping out allocates nothing (P39):
 *
 *     count   swap entries that name the slot: ptes with P = 0 (arch/i386/paging.ts), and places of shared objects
 *     frame   the frame that holds the same page now, or is about to: the swap cache; 0 is none
 *
 * A slot is free when both are 0. A frame in the cache has `object` = swapCache() and `index` = its slot, and one reference for it.
 * No pte that lets write maps it: who writes takes it out of the cache first (`ownPage`) or copies it. So it is PAGE_DIRTY
 * from when reclaim put it there until it has been written, and clean from then on: it can be evicted again for nothing. Once no entry
 * names its slot, it stays in the cache for that as long as it is mapped, and slots are not short.
 * A frame under I/O (PAGE_LOCKED) stays in the cache until whoever waits for the I/O calls `swapSettle`.
 * May import page, lru, pagealloc, kmalloc, pageio, vmstat. Source: Linux 2.4 (mm/swapfile.c, mm/swap_state.c).
 */
import { PAGE_BYTES } from "./layout";
import { lruAdd } from "./lru";
import { FrameKind, Frames, PAGE_DIRTY, PAGE_ERROR, PAGE_LOCKED, PAGE_READING, Page } from "./page";
import { allocFrame, allocPages, frameToVirt, freePages, virtToFrame } from "./pagealloc";
import { PAGE_SECTORS, startPageRead, waitForPage, writePageOut } from "./pageio";
import { putPage } from "./shmem";
import { vmstat } from "./vmstat";

/** log2 of the bytes kept for each slot. */
const SLOT_WORDS_SHIFT: u32 = 3;
/** log2 of the sectors of a page. */
const PAGE_SECTORS_SHIFT: u32 = 3;
/** In a count: the slot could not be written, and is never given out again. */
const BAD: u32 = 0x80000000;
/** Slots that an entry can name. */
export const MAX_SLOTS: u32 = 1 << 19;

/** Slots, the header's included; 0: there is no swap area. */
export let swapSlots: u32 = 0;
/** Slots that can be given out. */
export let swapFreeSlots: u32 = 0;
/** Frames in the cache. */
let cachedFrames: u32 = 0;
/** No slot is given out while the area is being given up. */
let closing: bool = false;
/** There may be a slot that only a clean copy in the cache keeps. */
let mayReclaimSlot: bool = false;
/** Address of the words, and log2 of the frames that they take. */
let slotWords: usize = 0;
let slotWordsOrder: u32 = 0;
/** First sector of the area. */
export let swapSector: u32 = 0;
/** Where to look for a free slot first. */
let nextSlot: u32 = 1;

/** What `object` is of a frame in the cache: an address that no object has. */
const cacheMark: usize = memory.data(4, 4);

function wordsOf(slot: u32): usize {
  return slotWords + (slot << SLOT_WORDS_SHIFT);
}

/** Entries that name a slot. */
export function swapCount(slot: u32): u32 {
  return load<u32>(wordsOf(slot)) & ~BAD;
}

/** The frame that the cache has for a slot, or null. */
export function swapCachePage(slot: u32): Page | null {
  const frame = load<u32>(wordsOf(slot), 4);
  return frame == 0 ? null : Frames.page(frame);
}

/** Whether a frame is in the swap cache. */
export function isSwapCached(page: Page): bool {
  return page.object == cacheMark;
}

/** Whether swap is in use. */
export function swapIsOn(): bool {
  return swapSlots != 0 && !closing;
}

/** Whether a page can be evicted to swap: there is a slot for it, or it is one of those that have theirs. */
export function swapHasRoom(): bool {
  return swapIsOn() && (swapFreeSlots != 0 || cachedFrames != 0);
}

/** Whether a slot is worth more than the write that its clean copy in the cache would save. */
function slotsAreShort(): bool {
  return swapFreeSlots < swapSlots >> 1;
}

/** Puts an area of `slots` pages at `sector` to use, one at a time. False if there is no memory for its words. */
export function swapOpen(sector: u32, slots: u32): bool {
  const bytes = min<u32>(slots, MAX_SLOTS) << SLOT_WORDS_SHIFT;
  let order: u32 = 0;
  while ((PAGE_BYTES as u32) << order < bytes) order++;
  const frame = allocPages(order, FrameKind.Kernel);
  if (frame == 0) return false;
  slotWords = frameToVirt(frame);
  slotWordsOrder = order;
  memory.fill(slotWords, 0, bytes);
  swapSector = sector;
  nextSlot = 1;
  swapSlots = min<u32>(slots, MAX_SLOTS);
  swapFreeSlots = swapSlots - 1;
  return true;
}

/** No slot is given out from now on (true), or they are again. */
export function swapClosing(isClosing: bool): void {
  closing = isClosing;
}

/** Takes every frame out of the cache; no entry names a slot any more. Polls for those under I/O. */
export function swapEmptyCache(): void {
  for (let slot: u32 = 1; slot < swapSlots; slot++) {
    let page = swapCachePage(slot);
    while (page !== null && (page.flags & PAGE_LOCKED) != 0) {
      waitForPage();
      page = swapCachePage(slot);
    }
    if (page !== null) leaveCache(page);
  }
}

/** Ends the use of the area, no slot of which is in use. */
export function swapClose(): void {
  freePages(virtToFrame(slotWords), slotWordsOrder);
  swapSlots = 0;
  swapFreeSlots = 0;
  closing = false;
}

/** Whether swapTake has a slot to give. */
export function swapHasSlot(): bool {
  return swapIsOn() && (swapFreeSlots != 0 || reclaimSlot());
}

/** A free slot, which the caller puts to use at once; 0 if there is none. */
export function swapTake(): u32 {
  if (!swapHasSlot()) return 0;
  let slot = nextSlot;
  while (load<u32>(wordsOf(slot)) != 0 || load<u32>(wordsOf(slot), 4) != 0) slot = slot + 1 == swapSlots ? 1 : slot + 1;
  nextSlot = slot + 1 == swapSlots ? 1 : slot + 1;
  return slot;
}

/** Frees a slot that only a clean copy in the cache keeps. False if there is none. */
function reclaimSlot(): bool {
  if (!mayReclaimSlot) return false;
  for (let slot: u32 = 1; slot < swapSlots; slot++) {
    const page = swapCount(slot) == 0 ? swapCachePage(slot) : null;
    if (page === null || (page.flags & PAGE_LOCKED) != 0) continue;
    leaveCache(page);
    if (swapFreeSlots != 0) return true;
  }
  mayReclaimSlot = false;
  return false;
}

/** One entry more names a slot. */
export function swapDuplicate(slot: u32): void {
  const words = wordsOf(slot);
  store<u32>(words, load<u32>(words) + 1);
}

/** One entry fewer names a slot. With the last the slot is free, unless its frame is mapped or under I/O. */
export function swapFree(slot: u32): void {
  const words = wordsOf(slot);
  assert((load<u32>(words) & ~BAD) != 0, "an entry names the slot that it gives up");
  store<u32>(words, load<u32>(words) - 1);
  if (swapCount(slot) != 0) return;
  const page = swapCachePage(slot);
  if (page === null) slotIsFree(slot);
  else if (page.count == 1 || slotsAreShort()) swapSettle(slot);
  else mayReclaimSlot = true;
}

/** A slot has lost its last entry and its frame. */
function slotIsFree(slot: u32): void {
  if ((load<u32>(wordsOf(slot)) & BAD) == 0) swapFreeSlots++;
}

/**
 * Frees what nobody wants any more of a slot and its frame: a frame whose slot no entry names leaves the cache, if it is not mapped or
 * slots are short. To be called when the frame's I/O has ended, or it has lost a pte; nothing happens while it is under I/O.
 */
export function swapSettle(slot: u32): void {
  const page = slot < swapSlots ? swapCachePage(slot) : null;
  if (page === null || swapCount(slot) != 0 || (page.flags & PAGE_LOCKED) != 0) return;
  if (page.count == 1 || slotsAreShort()) leaveCache(page);
}

/** Takes a frame out of the cache, and frees it if nothing maps it. */
function leaveCache(page: Page): void {
  page.count++;
  swapCacheRemove(page);
  putPage(page);
}

/** Frees the frame that the cache has for a slot, if it is clean and nothing maps it or does I/O on it. Whether it did. */
export function swapDrop(slot: u32): bool {
  const page = slot < swapSlots ? swapCachePage(slot) : null;
  if (page === null || page.count != 1 || (page.flags & (PAGE_LOCKED | PAGE_DIRTY)) != 0) return false;
  leaveCache(page);
  return true;
}

/** Puts a frame that no object holds into the cache, for a slot from swapTake or one that entries name. Takes a reference. */
export function swapCacheAdd(page: Page, slot: u32): void {
  if (load<u32>(wordsOf(slot)) == 0) swapFreeSlots--;
  page.object = cacheMark;
  page.index = slot;
  page.count++;
  cachedFrames++;
  store<u32>(wordsOf(slot), Frames.number(page), 4);
}

/** Takes a frame that is not under I/O out of the cache: its bytes are nowhere else then. The reference goes; the frame is not freed. */
export function swapCacheRemove(page: Page): void {
  const slot = page.index;
  assert((page.flags & PAGE_LOCKED) == 0, "a frame under I/O stays in the swap cache");
  page.object = 0;
  page.flags &= ~(PAGE_DIRTY | PAGE_ERROR);
  page.count--;
  cachedFrames--;
  store<u32>(wordsOf(slot), 0, 4);
  if (swapCount(slot) == 0) slotIsFree(slot);
}

/**
 * Whether a private page, mapped by a pte of the caller's, is nobody else's: then it may be made writable, and is out of the cache. Not
 * while it is being written out; a copy is as good then.
 */
export function ownPage(page: Page): bool {
  if (page.object == 0) return page.count == 1;
  if (!isSwapCached(page) || page.count != 2 || swapCount(page.index) != 0 || (page.flags & PAGE_LOCKED) != 0)
    return false;
  swapCacheRemove(page);
  return true;
}

/** What became of looking for the page of a slot. */
export const enum SwapIn {
  /** It is in the cache: swapCachePage. */
  Here = 0,
  /** The disk is reading it, or writing it while it may not be: pageio.ts's waitForPage, then look again. */
  Waiting = 1,
  /** No frame for it. */
  OutOfMemory = 2,
  /** It cannot be read. Looking again tries again. */
  Unreadable = 3,
}

/**
 * Looks for the page of a slot that an entry names, and starts to read it if it is not in the cache. Never sleeps. May reclaim, but never
 * the page that is Here.
 */
export function swapIn(slot: u32): SwapIn {
  let page = swapCachePage(slot);
  if (page === null) {
    const frame = allocFrame(FrameKind.Data);
    if (frame == 0) return SwapIn.OutOfMemory;
    page = Frames.page(frame);
    page.count = 0;
    page.rmap = 0;
    swapCacheAdd(page, slot);
    lruAdd(page);
    startPageRead(page, sectorOf(slot), PAGE_SECTORS);
    vmstat.swapIns++;
    return SwapIn.Waiting;
  }
  if ((page.flags & PAGE_ERROR) != 0) {
    leaveCache(page);
    return SwapIn.Unreadable;
  }
  // A frame that is being written has its bytes.
  return (page.flags & PAGE_READING) != 0 ? SwapIn.Waiting : SwapIn.Here;
}

function sectorOf(slot: u32): u32 {
  return swapSector + (slot << PAGE_SECTORS_SHIFT);
}

/** Waits for a page that swapIn is waiting for, or any other: look again afterwards. */
export function swapWait(): void {
  const page = waitForPage();
  if (page !== null && isSwapCached(page)) swapSettle(page.index);
}

/** Writes a dirty frame of the cache, that is not under I/O, to its slot, asleep or by polling. Whether it is clean then. */
export function swapOut(page: Page): bool {
  const slot = page.index;
  vmstat.swapOuts++;
  const error = writePageOut(page, sectorOf(slot), PAGE_SECTORS);
  if (error != 0) store<u32>(wordsOf(slot), load<u32>(wordsOf(slot)) | BAD);
  return error == 0;
}
