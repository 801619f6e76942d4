/**
 * struct Page: 32 bytes for each physical frame, in one array, `memMap`. The first word says what the frame is used for;
 * the rest is read through the view for that kind:
 *
 *     word   0       1        2         3        4         5       6       7
 *     Page   flags   count    rmap      next     previous  object  index   order
 *     Table  flags   count    users     present  swapped   slot    locked  -
 *     Slab   flags   inUse    freeHead  next     previous  cache   -       -
 *
 * `next` and `previous` link free blocks in the buddy lists, partly used slabs in theirs, and data frames in those of lru.ts.
 * May import layout.ts only. Source: Linux 2.4 (struct page, mem_map); the use count of a table is Phillips'.
 */
import { KERNEL_BASE, PAGE_SHIFT } from "./layout";

/** What a frame is used for: bits 0–7 of `flags`. Frames in use are counted by kind. */
export const enum FrameKind {
  Free = 0,
  /** Not memory of ours to give: the kernel image, modules, low memory, memMap itself. */
  Reserved = 1,
  /** A task with its kernel stack. */
  Stack = 2,
  /** Buffers, and kmalloc blocks of more than half a page. */
  Kernel = 3,
  /** Cut into small objects: slab.ts. */
  Slab = 4,
  /** Cut into pte_chain blocks: rmap.ts. */
  Chain = 5,
  /** A page directory. */
  Directory = 6,
  /** A page table of user space. */
  Table = 7,
  /** User data. */
  Data = 8,
  /** An index of the frames of a shared object: shmem.ts. */
  Index = 9,
}

/** Number of kinds. */
export const FRAME_KINDS: u32 = 10;
/** The part of `flags` that holds the kind. */
export const KIND_MASK: u32 = 0xff;
/** In `flags`: first frame of a block in the buddy lists; `order` is its size. */
export const PAGE_BUDDY: u32 = 0x100;
/** In `flags` of a free frame: its bytes are all POISON, as freed. */
export const PAGE_POISONED: u32 = 0x200;

/** In `flags` of a data frame: its bytes are newer than those on the disk that it is read from and written to. */
export const PAGE_DIRTY: u32 = 0x400;
/** In `flags` of a data frame: the disk is reading or writing it. It is not freed and not taken out of its object meanwhile. */
export const PAGE_LOCKED: u32 = 0x800;
/** In `flags` of a data frame: it is in a list of lru.ts, the active one if PAGE_ACTIVE is set too. */
export const PAGE_LRU: u32 = 0x1000;
export const PAGE_ACTIVE: u32 = 0x2000;
/** In `flags` of a data frame: it could not be read. Its bytes mean nothing. */
export const PAGE_ERROR: u32 = 0x4000;
/** In `flags` of a locked data frame: it is being read. Its bytes mean nothing yet. */
export const PAGE_READING: u32 = 0x8000;

/** In `flags` of a table, from this bit up: what its last forks came to (forkpolicy.ts). 0 in a new table. */
export const HISTORY_SHIFT: u32 = 16;

/** log2 of the bytes of struct Page. */
export const PAGE_STRUCT_SHIFT: u32 = 5;

@unmanaged
export class Page {
  flags: u32 = 0;
  /** References: one for each pte that maps it, one for the object or the swap cache that holds it. */
  count: u32 = 0;
  /** Which ptes map it: rmap.ts draws the encoding. */
  rmap: usize = 0;
  next: usize = 0;
  previous: usize = 0;
  /** The shared object that holds it, or the swap cache (swap.ts); else 0. */
  object: usize = 0;
  /** Its place in that object, in pages; its swap slot. */
  index: u32 = 0;
  /** log2 of the frames of the block that it is the first of. */
  order: u32 = 0;
}

/** A frame that is a page table. Counts are of ptes. */
@unmanaged
export class TablePage {
  flags: u32 = 0;
  /** Transient references; none today, and never mixed with `users`. */
  count: u32 = 0;
  /** How many page directories point at it (I1). Only ptshare.ts touches it. */
  users: u32 = 0;
  /** How many of its ptes map a frame (I5). */
  present: u32 = 0;
  /** How many hold a swap entry. */
  swapped: u32 = 0;
  /** Index in the directories that point at it. */
  slot: u32 = 0;
  /** How many lie under mlock, whether they map a frame or not. With one, the table is never shared. */
  locked: u32 = 0;
}

/** A frame that is cut into objects of one size. */
@unmanaged
export class SlabPage {
  flags: u32 = 0;
  inUse: u32 = 0;
  /** First free object, whose first word is the address of the next; 0 if all are in use. */
  freeHead: usize = 0;
  next: usize = 0;
  previous: usize = 0;
  /** Address of the Cache that it belongs to. */
  cache: usize = 0;
}

/** Address of the Page of frame 0; set once at boot. */
export let memMap: usize = 0;
/** Frames that exist, from frame 0; set once at boot. */
export let frameLimit: u32 = 0;

/** Tells where memMap is and how many frames it describes. Once, at boot. */
export function setMemMap(address: usize, frames: u32): void {
  memMap = address;
  frameLimit = frames;
}

/** Conversions between a frame's number, its Page, and what it holds. Inlined: they are in every loop. */
export class Frames {
  @inline
  static page(frame: u32): Page {
    return changetype<Page>(memMap + (frame << PAGE_STRUCT_SHIFT));
  }

  /** Page of the frame that a pte or pde names. */
  @inline
  static ofEntry(entry: u32): Page {
    return changetype<Page>(memMap + ((entry & 0xfffff000) >> (PAGE_SHIFT - PAGE_STRUCT_SHIFT)));
  }

  /** Page of the frame that a kernel virtual address lies in. */
  @inline
  static ofAddress(address: usize): Page {
    return changetype<Page>(memMap + (((address - KERNEL_BASE) >> PAGE_SHIFT) << PAGE_STRUCT_SHIFT));
  }

  @inline
  static number(page: Page): u32 {
    return (changetype<usize>(page) - memMap) >> PAGE_STRUCT_SHIFT;
  }

  /** Kernel virtual address of the bytes of a page. */
  @inline
  static virtual(page: Page): usize {
    return ((changetype<usize>(page) - memMap) << (PAGE_SHIFT - PAGE_STRUCT_SHIFT)) + KERNEL_BASE;
  }
}

/**
 * Circular lists through `next` and `previous`, with a head that is a Page of its own and no frame's: no end to test for.
 */
export class PageList {
  /** Makes `head` an empty list. */
  @inline
  static reset(head: usize): void {
    changetype<Page>(head).next = head;
    changetype<Page>(head).previous = head;
  }

  /** First page of the list, or `head` itself if it is empty. */
  @inline
  static first(head: usize): usize {
    return changetype<Page>(head).next;
  }

  /** Last page of the list, or `head` itself if it is empty. */
  @inline
  static last(head: usize): usize {
    return changetype<Page>(head).previous;
  }

  @inline
  static push(head: usize, page: usize): void {
    const first = changetype<Page>(head).next;
    changetype<Page>(page).next = first;
    changetype<Page>(page).previous = head;
    changetype<Page>(first).previous = page;
    changetype<Page>(head).next = page;
  }

  @inline
  static remove(page: usize): void {
    const next = changetype<Page>(page).next;
    const previous = changetype<Page>(page).previous;
    changetype<Page>(next).previous = previous;
    changetype<Page>(previous).next = next;
  }
}
