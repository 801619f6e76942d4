/**
 * Small kernel objects: eight sizes, 16 to 2,048 bytes, each from slabs of its own; more than that takes a buddy block.
 * What an address belongs to is read from the Page of its frame, so kfree needs no size. May import slab and pagealloc.
 * Source: Linux 2.4 (mm/slab.c, kmalloc).
 */
import { PAGE_OFFSET, PAGE_SHIFT } from "./layout";
import { FrameKind, Frames, KIND_MASK, SlabPage } from "./page";
import { allocationMustFail, allocPages, frameToVirt, freePages, MAX_ORDER } from "./pagealloc";
import { Cache, Slab, slabCacheInit, slabGrow } from "./slab";

const SMALLEST_SHIFT: u32 = 4;
const CLASSES: u32 = 8;
const LARGEST: u32 = 2048;
/** log2 of the bytes of static storage for each Cache. */
const CACHE_SHIFT: u32 = 6;

/** A Cache for each class. */
const caches: usize = memory.data(512, 16);

/** Makes the caches ready. Once, after pageAllocInit. */
export function kmallocInit(): void {
  assert(offsetof<Cache>() <= 1 << CACHE_SHIFT);
  for (let i: u32 = 0; i < CLASSES; i++) {
    slabCacheInit(changetype<Cache>(caches + (i << CACHE_SHIFT)), 1 << (SMALLEST_SHIFT + i), FrameKind.Slab);
  }
}

/** A block of at least `bytes` (not zeroed), aligned to 16 at least; 0 if there is no memory. */
export function kmalloc(bytes: u32): usize {
  if (allocationMustFail()) return 0;
  if (bytes > LARGEST) return allocLarge(bytes);
  let index: u32 = 0;
  while ((1 as u32) << (SMALLEST_SHIFT + index) < bytes) index++;
  const cache = changetype<Cache>(caches + (index << CACHE_SHIFT));
  if (cache.free == 0 && !slabGrow(cache)) return 0;
  return Slab.take(cache);
}

/** Gives a block of kmalloc back; 0 is nothing. */
export function kfree(address: usize): void {
  if (address == 0) return;
  const page = Frames.ofAddress(address);
  const kind = page.flags & KIND_MASK;
  if (kind == FrameKind.Kernel) {
    freePages(Frames.number(page), page.order);
    return;
  }
  assert(kind == FrameKind.Slab, "kfree of an address that kmalloc gave");
  Slab.give(changetype<Cache>(changetype<SlabPage>(page).cache), address);
}

function allocLarge(bytes: u32): usize {
  const frames = (bytes + PAGE_OFFSET) >> PAGE_SHIFT;
  let order: u32 = 0;
  while ((1 as u32) << order < frames) order++;
  if (order > MAX_ORDER) return 0;
  const frame = allocPages(order, FrameKind.Kernel);
  return frame == 0 ? 0 : frameToVirt(frame);
}
