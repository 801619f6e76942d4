/**
 * Edits of an address space's mappings: mmap, munmap, mprotect, brk, and what exec maps. Each goes in one order:
 *
 *   1. look: is the request right at all?
 *   2. take: every mapping struct that the edit needs, and unshare every table that it reaches into and keeps (I3).
 *      Only this can fail, with ENOMEM, and then nothing that a program can see has changed.
 *   3. edit the list, then the tables; flush.
 *
 * mremap.ts and memlock.ts go on with it.
 *
 * Addresses are user addresses; sizes are bytes. May import the ABI, vmalist, memory, ptshare, pagetable, shmem.
 * Source: Linux 2.4 (mm/mmap.c, mm/mprotect.c).
 */
import { Errno } from "../abi/errno";
import { UnshareCause } from "../abi/marks";
import { MAP_FIXED, MAP_GROWSDOWN, MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE } from "../abi/mman";
import { Entry, flushTlb, PTE_PRESENT } from "../arch/i386/paging";
import {
  KERNEL_BASE,
  MMAP_BASE,
  PAGE_OFFSET,
  PAGE_SHIFT,
  pageAlign,
  SLOT_BYTES,
  STACK_LIMIT,
  STACK_TOP,
  USER_LOWEST,
} from "./layout";
import { zapPageRange } from "./memory";
import { totalFrames } from "./pagealloc";
import { protectPtes } from "./pagetable";
import { countLocked, unshareRange } from "./ptshare";
import { newSharedObject, objectGet, SharedObject } from "./shmem";
import { swapSlots } from "./swap";
import {
  copyVma,
  findVma,
  freeVma,
  insertVma,
  Mm,
  mergeVmas,
  newVma,
  removeVma,
  splitVma,
  trimVmaStart,
  VM_ACCESS,
  VM_GROWSDOWN,
  VM_READONLY,
  VM_SHARED,
  VM_WRITE,
  Vma,
} from "./vmalist";

/** mmap searches for room below this, so that the stack can grow to its limit. */
const MMAP_END: usize = STACK_TOP - STACK_LIMIT - SLOT_BYTES;

/** Whether a page-aligned range lies where programs may map. */
export function mappable(start: usize, bytes: u32): bool {
  return start >= USER_LOWEST && start <= KERNEL_BASE && bytes <= KERNEL_BASE - start;
}

/** More private memory than there are frames and swap could never be used: refused at once, not by killing somebody later. */
export function overcommits(bytes: u32, flags: u32): bool {
  return (flags & VM_WRITE) != 0 && bytes >> PAGE_SHIFT > totalFrames() + swapSlots;
}

/** The lowest room for `bytes` from `from` up, or 0. */
export function findRoom(mm: Mm, from: usize, bytes: u32): usize {
  let start = from;
  let vma: Vma | null = findVma(mm, start);
  while (vma !== null && vma.start < start + bytes) {
    start = vma.end;
    vma = vma.next;
    if (start > MMAP_END || bytes > MMAP_END - start) return 0;
  }
  return bytes <= MMAP_END - start ? start : 0;
}

/**
 * mmap of anonymous memory. `address` is a wish unless MAP_FIXED. Returns the address, or -EINVAL, -ENOMEM. An address is never in the
 * range of errors.
 */
export function doMmap(mm: Mm, address: usize, bytes: u32, prot: u32, flags: u32): i32 {
  return mapObject(mm, address, bytes, prot, flags, 0, null, 0);
}

/** mmap of a file's pages from `page` on; `extraFlags` is 0 or VM_READONLY. As doMmap. */
export function mapObject(
  mm: Mm,
  address: usize,
  bytes: u32,
  prot: u32,
  flags: u32,
  extraFlags: u32,
  object: SharedObject | null,
  page: u32,
): i32 {
  const sharing = flags & (MAP_SHARED | MAP_PRIVATE);
  if (bytes == 0 || (sharing != MAP_SHARED && sharing != MAP_PRIVATE)) return -Errno.EINVAL;
  const size = pageAlign(bytes);
  if (size == 0) return -Errno.ENOMEM;
  let vmFlags = (prot & VM_ACCESS) | extraFlags;
  if (sharing == MAP_SHARED) vmFlags |= VM_SHARED;
  else if ((flags & MAP_GROWSDOWN) != 0 && object === null) vmFlags |= VM_GROWSDOWN;
  let start = address;
  if ((flags & MAP_FIXED) != 0) {
    if ((start & PAGE_OFFSET) != 0) return -Errno.EINVAL;
    if (!mappable(start, size)) return -Errno.ENOMEM;
  } else {
    start = wish(mm, pageAlign(address), size);
    if (start == 0) return -Errno.ENOMEM;
  }
  // A disk takes back what memory has no room for.
  const isOnDisk = object !== null && object.sectors != 0 && sharing == MAP_SHARED;
  if (!isOnDisk && overcommits(size, vmFlags)) return -Errno.ENOMEM;
  const vma = newVma(start, start + size, vmFlags);
  if (vma === null) return -Errno.ENOMEM;
  if (object !== null) {
    objectGet(object);
    vma.object = object;
    vma.offset = page;
  } else if (sharing == MAP_SHARED) {
    vma.object = newSharedObject();
    if (vma.object === null) {
      freeVma(vma);
      return -Errno.ENOMEM;
    }
  }
  const error = mapVma(mm, vma, UnshareCause.Mmap);
  return error != 0 ? error : (start as i32);
}

/** Where to map `bytes` that a program would like at `address` (0: anywhere). 0: there is no room. */
function wish(mm: Mm, address: usize, bytes: u32): usize {
  if (address >= USER_LOWEST && address < MMAP_END && bytes <= MMAP_END - address) {
    const vma = findVma(mm, address);
    if (vma === null || vma.start >= address + bytes) return address;
  }
  return findRoom(mm, MMAP_BASE, bytes);
}

/** Puts a new mapping in place of whatever is in its range. 0; or -ENOMEM, and then it is freed. */
function mapVma(mm: Mm, vma: Vma, cause: UnshareCause): i32 {
  const start = vma.start;
  const end = vma.end;
  if (!unshareEdges(mm, start, end, cause) || unmap(mm, start, end, cause) != 0) {
    freeVma(vma);
    return -Errno.ENOMEM;
  }
  insertVma(mm, vma);
  mergeVmas(mm, start, end);
  return 0;
}

/** munmap. 0, -EINVAL, or -ENOMEM. Unmapping nothing is no error. */
export function doMunmap(mm: Mm, address: usize, bytes: u32): i32 {
  const size = pageAlign(bytes);
  if ((address & PAGE_OFFSET) != 0 || size == 0 || address > KERNEL_BASE || size > KERNEL_BASE - address) {
    return -Errno.EINVAL;
  }
  return unmap(mm, address, address + size, UnshareCause.Munmap);
}

function unmap(mm: Mm, start: usize, end: usize, cause: UnshareCause): i32 {
  const first = findVma(mm, start);
  if (first === null || first.start >= end) return 0;
  let upper: Vma | null = null;
  if (cutsMiddle(mm, start, end)) {
    upper = copyVma(first);
    if (upper === null) return -Errno.ENOMEM;
  }
  if (!unshareEdges(mm, start, end, cause)) {
    if (upper !== null) freeVma(upper);
    return -Errno.ENOMEM;
  }
  cutMappings(mm, start, end, upper);
  zapPageRange(mm, start, end);
  countLocked(mm, start, end);
  return 0;
}

/** Whether [start, end) lies in the middle of one mapping, so that cutting it out leaves two. */
export function cutsMiddle(mm: Mm, start: usize, end: usize): bool {
  const first = findVma(mm, start);
  return first !== null && first.start < start && first.end > end;
}

/** Cuts [start, end) out of the list of mappings. Where it cuts the middle out of one, `upper` is a copy of that one. */
export function cutMappings(mm: Mm, start: usize, end: usize, upper: Vma | null): void {
  const first = findVma(mm, start);
  if (first !== null && upper !== null) splitVma(mm, first, end, upper);
  let vma: Vma | null = first;
  while (vma !== null && vma.start < end) {
    const next: Vma | null = vma.next;
    if (vma.start < start) {
      vma.end = start;
    } else if (vma.end <= end) {
      removeVma(mm, vma);
    } else {
      trimVmaStart(vma, end);
    }
    vma = next;
  }
}

/**
 * Unshares the tables of the first and last slots of a range that is to be edited, where mappings outside of the range keep them.
 * A table that none keeps is given up when the range is unmapped.
 */
export function unshareEdges(mm: Mm, start: usize, end: usize, cause: UnshareCause): bool {
  const firstSlot = start & ~(SLOT_BYTES - 1);
  const lastSlot = (end - 1) & ~(SLOT_BYTES - 1);
  if (edgeKeeps(mm, firstSlot, start, end) && !unshareRange(mm, firstSlot, firstSlot + 1, cause)) return false;
  return !edgeKeeps(mm, lastSlot, start, end) || unshareRange(mm, lastSlot, lastSlot + 1, cause);
}

/** Whether a mapping has bytes in the slot that begins at `slot`, outside of [start, end). */
function edgeKeeps(mm: Mm, slot: usize, start: usize, end: usize): bool {
  const slotEnd = slot + SLOT_BYTES;
  let vma: Vma | null = findVma(mm, slot);
  while (vma !== null && vma.start < slotEnd) {
    if ((slot < start && vma.start < start) || (end < slotEnd && vma.end > end)) return true;
    vma = vma.next;
  }
  return false;
}

/** mprotect. 0; -EINVAL; -EACCES: writing to a shared file that is open for reading only; -ENOMEM also where something in the range is not mapped. */
export function doMprotect(mm: Mm, start: usize, bytes: u32, prot: u32): i32 {
  if ((start & PAGE_OFFSET) != 0 || (prot & ~VM_ACCESS) != 0) return -Errno.EINVAL;
  if (bytes == 0) return 0;
  const size = pageAlign(bytes);
  if (size == 0 || !mappable(start, size)) return -Errno.ENOMEM;
  const end = start + size;
  if ((prot & PROT_WRITE) != 0 && hasReadonly(mm, start, end)) return -Errno.EACCES;
  const first = isolateRange(mm, start, end, UnshareCause.Mprotect);
  if (first === null) return -Errno.ENOMEM;
  protectMappings(mm, first, end, prot);
  mergeVmas(mm, start, end);
  flushTlb();
  return 0;
}

/** Whether a mapping in [start, end) must not become writable. */
function hasReadonly(mm: Mm, start: usize, end: usize): bool {
  let vma: Vma | null = findVma(mm, start);
  while (vma !== null && vma.start < end) {
    if ((vma.flags & VM_READONLY) != 0) return true;
    vma = vma.next;
  }
  return false;
}

/** Whether all of [start, end) is mapped. */
export function wholeRangeMapped(mm: Mm, start: usize, end: usize): bool {
  let at = start;
  let vma: Vma | null = findVma(mm, start);
  while (vma !== null && vma.start <= at) {
    at = vma.end;
    if (at >= end) return true;
    vma = vma.next;
  }
  return false;
}

/**
 * Makes [start, end) begin and end where mappings do, so that these can be edited, and unshares its tables. The first of them, or null
 * if something in the range is not mapped or there is no memory.
 */
export function isolateRange(mm: Mm, start: usize, end: usize, cause: UnshareCause): Vma | null {
  if (!wholeRangeMapped(mm, start, end)) return null;
  const first = findVma(mm, start)!;
  let last = findVma(mm, end - 1)!;
  let middle: Vma | null = null;
  let upper: Vma | null = null;
  let taken = true;
  if (first.start < start) {
    middle = copyVma(first);
    taken = middle !== null;
  }
  if (taken && last.end > end) {
    upper = copyVma(last);
    taken = upper !== null;
  }
  if (!taken || !unshareRange(mm, start, end, cause)) {
    if (middle !== null) freeVma(middle);
    if (upper !== null) freeVma(upper);
    return null;
  }
  let vma: Vma = first;
  if (middle !== null) {
    splitVma(mm, first, start, middle);
    if (last === first) last = middle;
    vma = middle;
  }
  if (upper !== null) splitVma(mm, last, end, upper);
  return vma;
}

/** Gives the mappings from `first` up to `end`, none of whose tables is shared, a new protection. */
function protectMappings(mm: Mm, first: Vma, end: usize, prot: u32): void {
  let vma: Vma | null = first;
  while (vma !== null && vma.start < end) {
    vma.flags = (vma.flags & ~VM_ACCESS) | prot;
    let address = vma.start;
    while (address < vma.end) {
      const partEnd = min<u32>((address & ~(SLOT_BYTES - 1)) + SLOT_BYTES, vma.end);
      const pde = Entry.load(Entry.pdeOf(mm.directory, address));
      if ((pde & PTE_PRESENT) != 0) {
        const pte = Entry.pteOf(pde, address);
        protectPtes(pte, pte + ((partEnd - address) >> 10), vma);
      }
      address = partEnd;
    }
    vma = vma.next;
  }
}

/** brk: moves the end of the heap. Returns where it is then; unchanged if that is not possible (Linux's convention). */
export function doBrk(mm: Mm, address: usize): usize {
  const oldEnd = pageAlign(mm.brk);
  const newEnd = pageAlign(address);
  if (address < mm.startBrk || newEnd > MMAP_END || newEnd < mm.startBrk) return mm.brk;
  if (newEnd < oldEnd && unmap(mm, newEnd, oldEnd, UnshareCause.Brk) != 0) return mm.brk;
  if (newEnd > oldEnd && !growHeap(mm, oldEnd, newEnd)) return mm.brk;
  mm.brk = address;
  return address;
}

function growHeap(mm: Mm, start: usize, end: usize): bool {
  const above = findVma(mm, start);
  if (above !== null && above.start < end) return false;
  const flags = PROT_READ | PROT_WRITE;
  if (overcommits(end - mm.startBrk, flags)) return false;
  const vma = newVma(start, end, flags);
  return vma !== null && mapVma(mm, vma, UnshareCause.Brk) == 0;
}

/** exec: the stack, `bytes` of it at once, which grows when it is used. 0 or -ENOMEM. */
export function mapStack(mm: Mm, bytes: u32): i32 {
  const vma = newVma(STACK_TOP - pageAlign(bytes), STACK_TOP, PROT_READ | PROT_WRITE | VM_GROWSDOWN);
  return vma === null ? -Errno.ENOMEM : mapVma(mm, vma, UnshareCause.Mmap);
}

/**
 * exec: `memoryBytes` at `address`, the first `fileBytes` of them a program file's, which lies in kernel memory at `source` and stays there;
 * the rest is zero. Neither need be page-aligned, but what is before `source` up to a page boundary of `address` must be there to read,
 * as it is in an ELF file. 0, -EINVAL (not in user space), or -ENOMEM.
 */
export function mapImage(mm: Mm, address: usize, memoryBytes: u32, source: usize, fileBytes: u32, prot: u32): i32 {
  const lead = address & PAGE_OFFSET;
  const start = address - lead;
  if (memoryBytes == 0 || memoryBytes > KERNEL_BASE || fileBytes > memoryBytes) return -Errno.EINVAL;
  const size = pageAlign(memoryBytes + lead);
  if (!mappable(start, size)) return -Errno.EINVAL;
  if (overcommits(size, prot)) return -Errno.ENOMEM;
  const vma = newVma(start, start + size, prot & VM_ACCESS);
  if (vma === null) return -Errno.ENOMEM;
  if (fileBytes != 0) {
    vma.source = source - lead;
    vma.sourceBytes = fileBytes + lead;
  }
  return mapVma(mm, vma, UnshareCause.Mmap);
}
