/**
 * Reclaim: finding frames that can be given back, and giving them back. Pages that were not used since they came to the end of the
 * inactive list (lru.ts) are unmapped from every table through their reverse map, whoever shares these tables (P38, P39: nothing
 * is unshared, nothing allocated), written to swap if they are not there yet, and freed. Pages of disks (filemap.ts) are written to
 * their place, without swap too.
 *
 * Watermarks, in frames:   0 ····· least ····· low ····· high ·····
 *
 *   below `low`     an allocation wakes the reclaim task (task/reclaim.ts), which sleeps for its writes and goes on up to `high`;
 *   below `least`   a page fault from user mode first waits for the reclaim task; any other allocation reclaims a batch itself before it
 *                   goes on, by polling the disk. So memory management never sleeps in the middle of something, and an allocation
 *                   fails only when reclaim has really failed.
 *
 * The watermarks are 0 while nothing can be evicted. Reclaim itself allocates nothing, and is never entered twice.
 * May import page, lru, pagetable, pagealloc, shmem, filemap, swap, the disk queue, marks. Source: Linux 2.4 (mm/vmscan.c: shrink_cache,
 * refill_inactive, try_to_free_pages; the balance of zones); try_to_unmap of Linux 2.5 (mm/rmap.c).
 */
import { Mark } from "../abi/marks";
import { diskPollBegin, diskPollEnd } from "../drivers/diskqueue";
import { mark } from "../lib/mark";
import { evictDiskPage, isDiskPage } from "./filemap";
import { PAGE_SHIFT } from "./layout";
import { activeFrames, inactiveFrames, lastActive, lastInactive, lruActivate, lruDeactivate } from "./lru";
import { FrameKind, Frames, frameLimit, KIND_MASK, PAGE_DIRTY, PAGE_LOCKED, PAGE_LRU, Page } from "./page";
import { freeFrames, setReclaimer, setWatermarks, totalFrames } from "./pagealloc";
import { pageIsLocked, pageReferenced, unmapPage } from "./pagetable";
import { diskPages, objectToSwap } from "./shmem";
import {
  isSwapCached,
  swapCacheAdd,
  swapDrop,
  swapHasRoom,
  swapHasSlot,
  swapIsOn,
  swapOut,
  swapSettle,
  swapTake,
  swapWait,
} from "./swap";
import { vmstat } from "./vmstat";

/** Frames that reclaim aims at when an allocation calls it. */
const BATCH: u32 = 16;
/** Of all frames, this part (2 to its power) is `least`; but at least LEAST_FRAMES. `low` is twice, `high` three times as much. */
const LEAST_SHIFT: u32 = 8;
const LEAST_FRAMES: u32 = 8;
/** Looks at each page before reclaim gives up: once to forget that it was used, once to take it, once more for those under I/O. */
const ROUNDS: u32 = 3;

export let leastWatermark: u32 = 0;
export let lowWatermark: u32 = 0;
/** Up to this many free frames the reclaim task goes on. */
export let highWatermark: u32 = 0;
/** Someone is reclaiming without sleeping. */
let isShrinking: bool = false;

/** Sets the watermarks by what can be evicted; `reclaimer` serves allocations from now on. After swapon and swapoff. */
export function reclaimConfigure(): void {
  const least = swapIsOn() ? max<u32>(LEAST_FRAMES, totalFrames() >> LEAST_SHIFT) : 0;
  leastWatermark = least;
  lowWatermark = 2 * least;
  highWatermark = 3 * least;
  setWatermarks(least, lowWatermark);
  setReclaimer(reclaimFor);
}

/** Makes room for an allocation of 2^order frames, by polling. False if nothing more can be done. */
function reclaimFor(order: u32): bool {
  if (isShrinking || !canEvict()) return false;
  if (order == 0) return shrinkNow(BATCH) != 0;
  return reclaimBlock(order);
}

/** Frees up to `wanted` frames by polling. How many it freed. */
export function shrinkNow(wanted: u32): u32 {
  if (isShrinking) return 0;
  isShrinking = true;
  diskPollBegin();
  const freed = shrinkLists(wanted);
  diskPollEnd();
  isShrinking = false;
  return freed;
}

/** Frees up to `wanted` frames, asleep or by polling. How many it freed: 0 only after every page was looked at several times. */
export function shrinkLists(wanted: u32): u32 {
  let freed: u32 = 0;
  let looks = ROUNDS * (activeFrames + inactiveFrames);
  while (freed < wanted && looks != 0 && activeFrames + inactiveFrames != 0 && canEvict()) {
    if (inactiveFrames == 0 || inactiveFrames < activeFrames >> 1) {
      looks--;
      ageActive();
      continue;
    }
    looks--;
    vmstat.pagesScanned++;
    const page = lastInactive();
    if ((page.flags & PAGE_LOCKED) != 0) {
      // Whoever waits for it may not run before we sleep: its I/O is taken to its end here.
      lruDeactivate(page);
      swapWait();
    } else if (pageReferenced(page) || pageIsLocked(page)) {
      lruActivate(page);
    } else if (evictPage(page)) {
      freed++;
    } else if ((page.flags & PAGE_LRU) != 0) {
      lruActivate(page);
    }
  }
  return freed;
}

/** The end of the active list: what was used lately stays, the rest comes to the inactive list. */
function ageActive(): void {
  const page = lastActive();
  if (pageReferenced(page)) lruActivate(page);
  else lruDeactivate(page);
}

/**
 * Takes a page out of all tables that map it, or out of none (P43): private pages leave swap entries, pages of shared memory and disks nothing. False
 * if it must stay: it lies under mlock, or there is no slot for it.
 */
function tryToUnmap(page: Page): bool {
  if (pageIsLocked(page)) return false;
  if (page.object == 0) {
    const slot = swapTake();
    if (slot == 0) return false;
    swapCacheAdd(page, slot);
    page.flags |= PAGE_DIRTY;
  }
  mark(Mark.UnmapBegin, Frames.number(page));
  unmapPage(page, isSwapCached(page) ? page.index << PAGE_SHIFT : 0);
  mark(Mark.UnmapEnd, Frames.number(page));
  return true;
}

/** Evicts a page that is in a list and not under I/O. True if its frame has been freed. May sleep, unless polling. */
export function evictPage(page: Page): bool {
  // What has no place to go stays mapped: to take it from who uses it would only make them fault, again and again.
  if (!hasPlace(page) || !tryToUnmap(page)) return false;
  if (isDiskPage(page)) return evicted(evictDiskPage(page));
  if (!isSwapCached(page) && !objectToSwap(page)) return false;
  const slot = page.index;
  if ((page.flags & PAGE_DIRTY) != 0 && !swapOut(page)) {
    swapSettle(slot);
    return false;
  }
  // After a sleep the page may be mapped again, or long gone.
  const dropped = swapDrop(slot);
  if (!dropped) swapSettle(slot);
  return evicted(dropped);
}

/** Whether a page can go: to its disk, or to swap, where it has a slot or there is one for it. */
function hasPlace(page: Page): bool {
  return isDiskPage(page) || (swapIsOn() && (isSwapCached(page) || swapHasSlot()));
}

/** Counts, if a page has been evicted. */
function evicted(isEvicted: bool): bool {
  if (isEvicted) vmstat.pagesReclaimed++;
  return isEvicted;
}

/** Whether there is anywhere to evict a page to. Without this a full swap area would have every page looked at in vain, for each fault. */
function canEvict(): bool {
  return swapHasRoom() || diskPages != 0;
}

/** Evicts what keeps some aligned block of 2^order frames from being free: single frames do not make one. False if there is none. */
function reclaimBlock(order: u32): bool {
  isShrinking = true;
  diskPollBegin();
  const frames: u32 = 1 << order;
  let done = false;
  for (let first: u32 = 0; first + frames <= frameLimit && !done; first += frames) {
    if (!blockIsEvictable(first, frames)) continue;
    done = true;
    for (let frame = first; frame < first + frames; frame++) {
      const page = Frames.page(frame);
      if ((page.flags & KIND_MASK) == FrameKind.Data && !evictPage(page)) done = false;
    }
  }
  diskPollEnd();
  isShrinking = false;
  return done;
}

/** Whether every frame of a block is free, or may be evicted; not all of them free. */
function blockIsEvictable(first: u32, frames: u32): bool {
  let inUse: u32 = 0;
  for (let frame = first; frame < first + frames; frame++) {
    const page = Frames.page(frame);
    const kind = page.flags & KIND_MASK;
    if (kind == FrameKind.Free) continue;
    if (kind != FrameKind.Data || !isEvictable(page)) return false;
    inUse++;
  }
  return inUse != 0;
}

function isEvictable(page: Page): bool {
  return (page.flags & (PAGE_LRU | PAGE_LOCKED)) == PAGE_LRU && !pageIsLocked(page);
}

/** Whether more than `frames` frames are free, after reclaim if need be. */
export function haveFrames(frames: u32): bool {
  while (freeFrames() <= frames) {
    if (!canEvict() || shrinkNow(frames + 1 - freeFrames()) == 0) return false;
  }
  return true;
}

/** Tests: evicts, by polling, up to `count` pages whose frames follow from `seed`, used or not. The next seed. */
export function evictAtRandom(seed: u32, count: u32): u32 {
  let state = seed;
  isShrinking = true;
  diskPollBegin();
  for (let i: u32 = 0; i < count && canEvict(); i++) {
    // xorshift32, Marsaglia 2003.
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    const page = Frames.page(state % frameLimit);
    if ((page.flags & KIND_MASK) == FrameKind.Data && isEvictable(page)) evictPage(page);
  }
  diskPollEnd();
  isShrinking = false;
  return state;
}
