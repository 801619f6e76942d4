/**
 * The two lists of data frames that reclaim may take, newest first. A frame comes into the inactive one; vmscan.ts looks at its
 * end, and moves what has been used since it came to the active list instead of taking it: the second chance. From the end of
 * the active list frames come back when the inactive one is short. What reclaim could do nothing with (pages of ramfs files) is in
 * neither. A frame leaves its list when it is freed. May import page.
 * Source: Linux 2.4 (mm/swap.c, refill_inactive in mm/vmscan.c); Johnson and Shasha's 2Q, VLDB 1994.
 */
import { PAGE_ACTIVE, PAGE_LRU, Page, PageList } from "./page";

const activeHead: usize = memory.data(32, 16);
const inactiveHead: usize = memory.data(32, 16);

/** Frames in each list. */
export let activeFrames: u32 = 0;
export let inactiveFrames: u32 = 0;

/** Empties the lists. Once, at boot. */
export function lruInit(): void {
  PageList.reset(activeHead);
  PageList.reset(inactiveHead);
}

/** Puts a frame that is in no list at the head of the inactive one. */
export function lruAdd(page: Page): void {
  page.flags |= PAGE_LRU;
  PageList.push(inactiveHead, changetype<usize>(page));
  inactiveFrames++;
}

/** Takes a frame out of its list. */
export function lruRemove(page: Page): void {
  PageList.remove(changetype<usize>(page));
  if ((page.flags & PAGE_ACTIVE) != 0) activeFrames--;
  else inactiveFrames--;
  page.flags &= ~(PAGE_LRU | PAGE_ACTIVE);
}

/** Moves a frame to the head of the active list. */
export function lruActivate(page: Page): void {
  lruRemove(page);
  page.flags |= PAGE_LRU | PAGE_ACTIVE;
  PageList.push(activeHead, changetype<usize>(page));
  activeFrames++;
}

/** Moves a frame to the head of the inactive list. */
export function lruDeactivate(page: Page): void {
  lruRemove(page);
  lruAdd(page);
}

/** The frame at the end of the active list. There must be one. */
export function lastActive(): Page {
  return changetype<Page>(PageList.last(activeHead));
}

/** The frame at the end of the inactive list. There must be one. */
export function lastInactive(): Page {
  return changetype<Page>(PageList.last(inactiveHead));
}
