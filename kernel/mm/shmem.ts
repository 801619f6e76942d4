/**
 * SharedObject: the pages of a MAP_SHARED anonymous mapping, or of a file (its page cache), which every mapping of it and every
 * copy by fork shows. A page is
 * made on first use, by whoever comes first, and found by the others, so it makes no difference who faults when.
 *
 *     object.root ─> 1,024 addresses ─> 1,024 frame numbers each (0: no page yet) ─> frame
 *
 * The object holds one reference to each page, a pte that maps it another. May import kmalloc, page, pagealloc.
 * Source: Linux 2.4 (mm/shmem.c), without swap; mm/filemap.c.
 */
import { kfree, kmalloc } from "./kmalloc";
import { FrameKind, Frames, Page } from "./page";
import { allocZeroedFrame, frameToVirt, freeFrame, virtToFrame } from "./pagealloc";

const INDEX_SHIFT: u32 = 10;
const INDEX_ENTRIES: u32 = 1024;

@unmanaged
export class SharedObject {
  /** Mappings that show it. */
  users: u32 = 0;
  /** Address of the frame of addresses, or 0 while there is no page. */
  root: usize = 0;
  /** Of a file: pages that it has; of anonymous memory as many as there can be. */
  pages: u32 = 0;
}

/** An object without pages, with one user. Null if there is no memory. */
export function newSharedObject(): SharedObject | null {
  const address = kmalloc(offsetof<SharedObject>());
  if (address == 0) return null;
  const object = changetype<SharedObject>(address);
  object.users = 1;
  object.root = 0;
  object.pages = 0xffffffff;
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
        const frame = load<u32>(leaf + (j << 2));
        if (frame != 0) dropPage(Frames.page(frame));
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
  if (page.count == 0) freeFrame(Frames.number(page));
}

/** Page `index` of the object if it has been made, else null. */
export function objectFind(object: SharedObject, index: u32): Page | null {
  const leaf = object.root == 0 ? 0 : load<usize>(object.root + ((index >> INDEX_SHIFT) << 2));
  const frame = leaf == 0 ? 0 : load<u32>(leaf + ((index & (INDEX_ENTRIES - 1)) << 2));
  return frame == 0 ? null : Frames.page(frame);
}

/** Takes page `index`, which has been made and is mapped by no pte, out of the object and frees it. */
export function objectForget(object: SharedObject, index: u32): void {
  const page = objectFind(object, index)!;
  const leaf = load<usize>(object.root + ((index >> INDEX_SHIFT) << 2));
  store<u32>(leaf + ((index & (INDEX_ENTRIES - 1)) << 2), 0);
  dropPage(page);
}

/** Page `index` of the object, made if need be. Null if there is no memory. The caller takes its own reference. */
export function objectPage(object: SharedObject, index: u32): Page | null {
  if (object.root == 0) {
    const root = allocZeroedFrame(FrameKind.Index);
    if (root == 0) return null;
    object.root = frameToVirt(root);
  }
  const leafEntry = object.root + ((index >> INDEX_SHIFT) << 2);
  if (load<usize>(leafEntry) == 0) {
    const leaf = allocZeroedFrame(FrameKind.Index);
    if (leaf == 0) return null;
    store<usize>(leafEntry, frameToVirt(leaf));
  }
  const entry = load<usize>(leafEntry) + ((index & (INDEX_ENTRIES - 1)) << 2);
  const known = load<u32>(entry);
  if (known != 0) return Frames.page(known);
  const frame = allocZeroedFrame(FrameKind.Data);
  if (frame == 0) return null;
  store<u32>(entry, frame);
  const page = Frames.page(frame);
  page.count = 1;
  page.rmap = 0;
  page.object = changetype<usize>(object);
  page.index = index;
  return page;
}
