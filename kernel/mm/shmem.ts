/**
 * SharedObject: the pages of a MAP_SHARED anonymous mapping, or of a file or disk (its page cache), which every mapping of it and
 * every copy by fork shows. A page is made on first use, by whoever comes first, and found by the others, so it makes no difference
 * who faults when.
 *
 *     object.root ─> 1,024 addresses ─> 1,024 places each ─> frame number; SWAPPED | swap slot; 0: no page yet
 *
 * The object holds one reference to each page, a pte that maps it another. A page of anonymous memory that is evicted goes over to the
 * swap cache, and its place becomes a swap entry; ptes that showed it are empty then, since their mapping tells where to look. A page of
 * a disk is read when it is made, and given up by way of filemap.ts.
 * May import kmalloc, page, pagealloc, pageio, lru, swap. Source: Linux 2.4 (mm/shmem.c, shmem_writepage; mm/filemap.c).
 */
import { kfree, kmalloc } from "./kmalloc";
import { lruAdd, lruRemove } from "./lru";
import { FrameKind, Frames, PAGE_DIRTY, PAGE_ERROR, PAGE_LOCKED, PAGE_LRU, PAGE_READING, Page } from "./page";
import { allocZeroedFrame, frameToVirt, freeFrame, virtToFrame } from "./pagealloc";
import { PAGE_SECTORS, startPageRead } from "./pageio";
import {
  SwapIn,
  swapCacheAdd,
  swapCachePage,
  swapCacheRemove,
  swapDuplicate,
  swapFree,
  swapIn,
  swapTake,
} from "./swap";

const INDEX_SHIFT: u32 = 10;
const INDEX_ENTRIES: u32 = 1024;
/** In a place: the rest is a swap slot. */
export const SWAPPED: u32 = 0x80000000;
/** `pages` of anonymous memory. */
const UNLIMITED: u32 = 0xffffffff;

@unmanaged
export class SharedObject {
  /** Mappings that show it. */
  users: u32 = 0;
  /** Address of the frame of addresses, or 0 while there is no page. */
  root: usize = 0;
  /** Of a file: pages that it has; of anonymous memory as many as there can be. */
  pages: u32 = 0;
  /** Of a disk: where its contents begin, and how many sectors there are. 0: there is no disk behind it. */
  firstSector: u32 = 0;
  sectors: u32 = 0;

  /** Of a disk: the first sector of page `index`. */
  sectorOf(index: u32): u32 {
    return this.firstSector + index * PAGE_SECTORS;
  }

  /** Of a disk: how many sectors page `index` has. Only the last one's may be fewer than PAGE_SECTORS; the rest of that page is zeros. */
  sectorsOf(index: u32): u32 {
    return min<u32>(PAGE_SECTORS, this.sectors - index * PAGE_SECTORS);
  }
}

/** An index that no page has. */
export const NO_PAGE: u32 = 0xffffffff;
/** Pages of disks that are in memory. */
export let diskPages: u32 = 0;

/** An object without pages, with one user. Null if there is no memory. */
export function newSharedObject(): SharedObject | null {
  const address = kmalloc(offsetof<SharedObject>());
  if (address == 0) return null;
  const object = changetype<SharedObject>(address);
  object.users = 1;
  object.root = 0;
  object.pages = UNLIMITED;
  object.firstSector = 0;
  object.sectors = 0;
  return object;
}

/** One more mapping shows the object. */
export function objectGet(object: SharedObject): void {
  object.users++;
}

/** One mapping fewer; with the last the object goes, and each page as soon as no pte maps it. */
export function objectPut(object: SharedObject): void {
  object.users--;
  if (object.users != 0) return;
  if (object.root != 0) {
    for (let i: u32 = 0; i < INDEX_ENTRIES; i++) {
      const leaf = load<usize>(object.root + (i << 2));
      if (leaf == 0) continue;
      for (let j: u32 = 0; j < INDEX_ENTRIES; j++) {
        const place = load<u32>(leaf + (j << 2));
        if ((place & SWAPPED) != 0) swapFree(place ^ SWAPPED);
        else if (place != 0) dropPage(Frames.page(place));
      }
      freeFrame(virtToFrame(leaf));
    }
    freeFrame(virtToFrame(object.root));
  }
  kfree(changetype<usize>(object));
}

/** Gives up the object's reference to a page. */
function dropPage(page: Page): void {
  page.object = 0;
  putPage(page);
}

/** Gives up a reference to a data frame, which is freed with the last. */
export function putPage(page: Page): void {
  page.count--;
  if (page.count != 0) return;
  if ((page.flags & PAGE_LRU) != 0) lruRemove(page);
  freeFrame(Frames.number(page));
}

/** Address of the place of page `index`; 0 if there is none, and then no page. */
function placeOf(object: SharedObject, index: u32): usize {
  const leaf = object.root == 0 ? 0 : load<usize>(object.root + ((index >> INDEX_SHIFT) << 2));
  return leaf == 0 ? 0 : leaf + ((index & (INDEX_ENTRIES - 1)) << 2);
}

/** The same, made if need be. 0 if there is no memory. */
function makePlace(object: SharedObject, index: u32): usize {
  if (object.root == 0) {
    const root = allocZeroedFrame(FrameKind.Index);
    if (root == 0) return 0;
    object.root = frameToVirt(root);
  }
  const leafEntry = object.root + ((index >> INDEX_SHIFT) << 2);
  if (load<usize>(leafEntry) == 0) {
    const leaf = allocZeroedFrame(FrameKind.Index);
    if (leaf == 0) return 0;
    store<usize>(leafEntry, frameToVirt(leaf));
  }
  return placeOf(object, index);
}

/** Page `index` of the object if it has been made and is in memory, else null. */
export function objectFind(object: SharedObject, index: u32): Page | null {
  const address = placeOf(object, index);
  const place = address == 0 ? 0 : load<u32>(address);
  return place == 0 || (place & SWAPPED) != 0 ? null : Frames.page(place);
}

/** Takes page `index`, which has been made and is mapped by no pte, out of the object and frees it. */
export function objectForget(object: SharedObject, index: u32): void {
  const page = objectFind(object, index)!;
  if (object.sectors != 0) diskPages--;
  store<u32>(placeOf(object, index), 0);
  dropPage(page);
}

/** The object holds a page at `address`, the place of `index`. */
function holdPage(object: SharedObject, index: u32, address: usize, page: Page): void {
  store<u32>(address, Frames.number(page));
  page.count++;
  page.object = changetype<usize>(object);
  page.index = index;
}

/**
 * Sees to it that page `index` of the object is in memory, where objectFind finds it: makes it, or begins to read it. Never sleeps; may
 * reclaim, but not the page that is Here.
 */
export function objectFill(object: SharedObject, index: u32): SwapIn {
  const address = makePlace(object, index);
  if (address == 0) return SwapIn.OutOfMemory;
  const place = load<u32>(address);
  if ((place & SWAPPED) != 0) return swappedPage(object, index, address, place ^ SWAPPED);
  if (place != 0) return heldPage(object, index, Frames.page(place));
  const page = makePage(object, index, address);
  if (page === null) return SwapIn.OutOfMemory;
  if (object.sectors == 0) return SwapIn.Here;
  startPageRead(page, object.sectorOf(index), object.sectorsOf(index));
  return SwapIn.Waiting;
}

/** Makes the page of an empty place, of zeros. Null if there is no memory. */
function makePage(object: SharedObject, index: u32, address: usize): Page | null {
  const frame = allocZeroedFrame(FrameKind.Data);
  if (frame == 0) return null;
  const page = Frames.page(frame);
  page.count = 0;
  page.rmap = 0;
  holdPage(object, index, address, page);
  if (object.sectors != 0) diskPages++;
  if (object.pages == UNLIMITED || object.sectors != 0) lruAdd(page);
  return page;
}

/** Whether a page that the object holds has been read. One that could not be goes, so that it is tried again. */
function heldPage(object: SharedObject, index: u32, page: Page): SwapIn {
  if ((page.flags & (PAGE_READING | PAGE_ERROR)) == 0) return SwapIn.Here;
  if ((page.flags & PAGE_READING) != 0) return SwapIn.Waiting;
  objectForget(object, index);
  return SwapIn.Unreadable;
}

/** Page `index` of a disk that is not being read, made if need be; the caller fills all of it. Null if there is no memory. */
export function objectBlank(object: SharedObject, index: u32): Page | null {
  const address = makePlace(object, index);
  if (address == 0) return null;
  const place = load<u32>(address);
  return place != 0 ? Frames.page(place) : makePage(object, index, address);
}

/** Index of the first page from `from` on that is in memory; NO_PAGE: there is none. */
export function objectNext(object: SharedObject, from: u32): u32 {
  let index = from;
  while (object.root != 0 && index >> INDEX_SHIFT < INDEX_ENTRIES) {
    const leafEnd = ((index >> INDEX_SHIFT) + 1) << INDEX_SHIFT;
    const hasLeaf = load<usize>(object.root + ((index >> INDEX_SHIFT) << 2)) != 0;
    for (; hasLeaf && index < leafEnd; index++) {
      if (objectFind(object, index) !== null) return index;
    }
    index = leafEnd;
  }
  return NO_PAGE;
}

/** Frees the parts of a disk's index that lead to no page. */
export function objectTrim(object: SharedObject): void {
  for (let i: u32 = 0; i < INDEX_ENTRIES && object.root != 0; i++) {
    const leaf = load<usize>(object.root + (i << 2));
    if (leaf == 0 || objectNext(object, i << INDEX_SHIFT) >> INDEX_SHIFT == i) continue;
    freeFrame(virtToFrame(leaf));
    store<usize>(object.root + (i << 2), 0);
  }
  if (object.root == 0 || objectNext(object, 0) != NO_PAGE) return;
  freeFrame(virtToFrame(object.root));
  object.root = 0;
}

/** Brings a page back from its slot into the object. One that is being written out must wait for that. */
function swappedPage(object: SharedObject, index: u32, address: usize, slot: u32): SwapIn {
  const found = swapIn(slot);
  if (found != SwapIn.Here) return found;
  const page = swapCachePage(slot)!;
  if ((page.flags & PAGE_LOCKED) != 0) return SwapIn.Waiting;
  swapCacheRemove(page);
  holdPage(object, index, address, page);
  swapFree(slot);
  return SwapIn.Here;
}

/** Reclaim: a page of anonymous memory, mapped by no pte, goes over to the swap cache. False if there is no slot. */
export function objectToSwap(page: Page): bool {
  const slot = swapTake();
  if (slot == 0) return false;
  store<u32>(placeOf(changetype<SharedObject>(page.object), page.index), SWAPPED | slot);
  page.count--;
  swapCacheAdd(page, slot);
  swapDuplicate(slot);
  page.flags |= PAGE_DIRTY;
  return true;
}

/** swapoff: brings back the pages that are swapped out, until one must be waited for or cannot be had. Here: there is none left. */
export function objectBringIn(object: SharedObject): SwapIn {
  for (let i: u32 = 0; i < INDEX_ENTRIES && object.root != 0; i++) {
    const leaf = load<usize>(object.root + (i << 2));
    for (let j: u32 = 0; j < INDEX_ENTRIES && leaf != 0; j++) {
      if ((load<u32>(leaf + (j << 2)) & SWAPPED) == 0) continue;
      const found = objectFill(object, (i << INDEX_SHIFT) | j);
      if (found != SwapIn.Here) return found;
    }
  }
  return SwapIn.Here;
}

/** Page `index` of a file's object, made if need be. Null if there is no memory. The caller takes its own reference. */
export function objectPage(object: SharedObject, index: u32): Page | null {
  return objectFill(object, index) == SwapIn.Here ? objectFind(object, index) : null;
}
