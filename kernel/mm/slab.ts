/**
 * Slabs: frames cut into objects of one size, with the free list inside the free objects and the book-keeping in struct
 * Page (page.ts, SlabPage), so that objects lie aligned to their size from the start of the frame. A slab with a free object is
 * in its cache's list; one without is in none; one whose last object is freed goes back to the buddy allocator at once,
 * unless its objects are reserved or are to be spare: then it waits at the list's end, where slabs without any object in use are.
 * kmalloc.ts and rmap.ts build on this. May import page and pagealloc.
 * Source: Bonwick, "The Slab Allocator" (USENIX 1994), without constructors and colouring.
 */
import { PAGE_BYTES } from "./layout";
import { FrameKind, Frames, Page, PageList, SlabPage } from "./page";
import { allocFrame, frameToVirt, freeFrame } from "./pagealloc";

/** The slabs of one object size. Static, made ready by slabCacheInit. The list head comes first, laid out as a Page. */
@unmanaged
export class Cache {
  flags: u32 = 0;
  inUse: u32 = 0;
  freeHead: usize = 0;
  /** Slabs with a free object. */
  first: usize = 0;
  last: usize = 0;
  /** Bytes of an object: a power of two, 16 to 2048. */
  bytes: u32 = 0;
  /** Objects in a frame. */
  perSlab: u32 = 0;
  kind: u32 = 0;
  /** Free objects in the slabs of the list. */
  free: u32 = 0;
  /** How many of the free objects are promised: `free` never falls below this but by those who were promised them. */
  reserved: u32 = 0;
  /** The last so many free objects are kept too, but promised to nobody. */
  spare: u32 = 0;
}

/** Makes a zeroed Cache ready to give objects of `bytes` out of frames of `kind`. */
export function slabCacheInit(cache: Cache, bytes: u32, kind: FrameKind): void {
  PageList.reset(changetype<usize>(cache));
  cache.bytes = bytes;
  cache.perSlab = PAGE_BYTES / bytes;
  cache.kind = kind;
}

/** Adds a slab of free objects, to be used after all others. False if there is no frame. */
export function slabGrow(cache: Cache): bool {
  const frame = allocFrame(cache.kind);
  if (frame == 0) return false;
  const bytes = cache.bytes;
  const first = frameToVirt(frame);
  const last = first + PAGE_BYTES - bytes;
  for (let object = first; object < last; object += bytes) store<usize>(object, object + bytes);
  store<usize>(last, 0);
  const slab = changetype<SlabPage>(Frames.page(frame));
  slab.inUse = 0;
  slab.freeHead = first;
  slab.cache = changetype<usize>(cache);
  PageList.push(cache.last, changetype<usize>(slab));
  cache.free += cache.perSlab;
  return true;
}

/** Allocation and freeing of objects; inlined into the rmap's loops. */
export class Slab {
  /** Takes an object. There must be one: cache.free > 0. */
  @inline
  static take(cache: Cache): usize {
    const slab = changetype<SlabPage>(cache.first);
    const object = slab.freeHead;
    const next = load<usize>(object);
    slab.freeHead = next;
    slab.inUse++;
    cache.free--;
    if (next == 0) PageList.remove(changetype<usize>(slab));
    return object;
  }

  /** Gives an object back. */
  @inline
  static give(cache: Cache, object: usize): void {
    const slab = changetype<SlabPage>(Frames.ofAddress(object));
    const next = slab.freeHead;
    store<usize>(object, next);
    slab.freeHead = object;
    slab.inUse--;
    cache.free++;
    if (next == 0) PageList.push(changetype<usize>(cache), changetype<usize>(slab));
    if (slab.inUse == 0) slabRelease(cache, slab);
  }
}

/** A slab has lost its last object in use: gives its frame back, or keeps it for those who reserved objects. */
function slabRelease(cache: Cache, slab: SlabPage): void {
  PageList.remove(changetype<usize>(slab));
  if (cache.free - cache.perSlab < cache.reserved + cache.spare) {
    PageList.push(cache.last, changetype<usize>(slab));
    return;
  }
  cache.free -= cache.perSlab;
  freeFrame(Frames.number(changetype<Page>(slab)));
}

/** Promises `objects` to the caller, who may then take as many without asking. False, and nothing promised: no memory. */
export function slabReserve(cache: Cache, objects: u32): bool {
  cache.reserved += objects;
  while (cache.free < cache.reserved) {
    if (!slabGrow(cache)) {
      slabUnreserve(cache, objects);
      return false;
    }
  }
  return true;
}

/** Ends a promise: what was not taken is anyone's again, and slabs that nobody uses are given back. */
export function slabUnreserve(cache: Cache, objects: u32): void {
  cache.reserved -= objects;
  let last = cache.last;
  while (last != changetype<usize>(cache)) {
    const slab = changetype<SlabPage>(last);
    if (slab.inUse != 0 || cache.free - cache.perSlab < cache.reserved + cache.spare) return;
    slabRelease(cache, slab);
    last = cache.last;
  }
}
