/**
 * The allocators: every free frame is in the buddy lists exactly once; slabs' free lists, counts of objects in use, the lists of
 * caches; nothing stays reserved (I7: an operation that failed, or ended, has given everything back). May import view.
 */
import { hex, type View } from "./view";

/** The buddy lists against the frames' kinds. */
export function auditFreeLists(view: View): void {
  const { Page } = view.model.fields;
  const { maxOrder, freeAreas, pageStructShift, buddy, free } = view.model.constants;
  const { words } = view;
  const listed = new Uint8Array(view.frames);
  for (let order = 0; order <= maxOrder; order++) {
    const head = freeAreas + (order << pageStructShift);
    let previous = head;
    let address = words[view.index(head) + Page.next];
    while (address !== head) {
      const first = view.frameOfPage(address);
      if (first < 0) {
        view.report("frames", `the free list of order ${order} leads to ${hex(address)}, which is no frame's`);
        break;
      }
      const page = view.page(first);
      const about = { frame: first };
      if (words[page + Page.previous] !== previous) {
        view.report("frames", `the free list of order ${order} is not linked backwards`, about);
      }
      const flags = words[page];
      if ((flags & buddy) === 0 || words[page + Page.order] !== order || first % 2 ** order !== 0) {
        const text = `in the free list of order ${order}, with flags ${hex(flags)} and order ${words[page + Page.order]}`;
        view.report("frames", text, about);
      }
      // A list that comes back to a frame has no end.
      if (!listBlock(view, listed, first, order)) break;
      previous = address;
      address = words[page + Page.next];
    }
  }
  for (let frame = 0; frame < view.frames; frame++) {
    const isFree = view.kind(frame) === free;
    if (isFree === (listed[frame] !== 0)) continue;
    if (isFree && listed[frame] === 0) view.report("frames", "a free frame in no free list", { frame });
    if (!isFree && listed[frame] !== 0) {
      const kind = view.model.kindNames[view.kind(frame)];
      view.report("frames", `a ${kind} frame in a free list`, { frame });
    }
  }
}

/** Marks the frames of a free block. False if one was marked already. */
function listBlock(view: View, listed: Uint8Array, first: number, order: number): boolean {
  const end = Math.min(first + 2 ** order, view.frames);
  if (end < first + 2 ** order) {
    view.report("frames", `a free block of order ${order} reaches beyond the end of memory`, { frame: first });
  }
  for (let frame = first; frame < end; frame++) {
    if (listed[frame] !== 0) {
      view.report("frames", `a free frame is in the free lists twice, now of order ${order}`, { frame });
      return false;
    }
    listed[frame] = 1;
  }
  return true;
}

/** Slabs and their caches. */
export function auditSlabs(view: View): void {
  const { SlabPage, Cache } = view.model.fields;
  const { slab, chain, chainCache } = view.model.constants;
  const { words } = view;
  const freeOf = new Map<number, number>([[chainCache, 0]]);
  const inList = new Set<number>();
  const listsRead = new Set<number>();
  for (const frame of [...view.framesOf(slab), ...view.framesOf(chain)]) {
    const page = view.page(frame);
    const address = words[page + SlabPage.cache];
    const cache = view.index(address);
    if (!listsRead.has(address)) {
      listsRead.add(address);
      readSlabList(view, address, inList);
    }
    const inUse = words[page + SlabPage.inUse];
    const perSlab = words[cache + Cache.perSlab];
    const free = countFree(view, frame, words[page + SlabPage.freeHead], words[cache + Cache.bytes], perSlab);
    if (inUse + free !== perSlab) {
      view.report("slabs", `inUse is ${inUse}, expected ${perSlab - free}: ${free} of ${perSlab} objects are free`, {
        frame,
      });
    }
    if (free > 0 !== inList.has(frame)) {
      view.report("slabs", `${free} objects are free, and the slab is ${free > 0 ? "not " : ""}in its cache's list`, {
        frame,
      });
    }
    freeOf.set(address, (freeOf.get(address) ?? 0) + free);
  }
  for (const [address, free] of freeOf) {
    const cache = view.index(address);
    const what = `the cache of ${words[cache + Cache.bytes]}-byte objects`;
    if (words[cache + Cache.free] !== free) {
      view.report("slabs", `${what} counts ${words[cache + Cache.free]} free, expected ${free}`);
    }
    const reserved = words[cache + Cache.reserved];
    if (reserved !== 0) view.report("I7", `${what} still has ${reserved} reserved, expected 0`);
  }
}

/** Adds the frames in a cache's list of slabs with free objects. */
function readSlabList(view: View, cache: number, inList: Set<number>): void {
  const { SlabPage, Cache } = view.model.fields;
  let address = view.words[view.index(cache) + Cache.first];
  while (address !== cache) {
    const frame = view.frameOfPage(address);
    if (frame < 0 || inList.has(frame)) {
      view.report("slabs", `the list of a cache leads to ${hex(address)}, ${frame < 0 ? "no frame's" : "again"}`);
      return;
    }
    inList.add(frame);
    address = view.words[view.page(frame) + SlabPage.next];
  }
}

/** Free objects of a slab by its own list. */
function countFree(view: View, frame: number, head: number, bytes: number, perSlab: number): number {
  let free = 0;
  let object = head;
  while (object !== 0 && free <= perSlab) {
    const index = view.index(object);
    if (index >>> 10 !== frame || (index * 4) % bytes !== 0) {
      view.report("slabs", `the free list of a slab leads to ${hex(object)}, which is no object of it`, { frame });
      break;
    }
    free++;
    object = view.words[index];
  }
  return free;
}
