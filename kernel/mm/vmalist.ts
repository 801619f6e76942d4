/**
 * Vma and Mm, and the list of an address space's mappings: sorted by address, not overlapping, page-aligned. It is the
 * list and nothing more: who edits it has unshared the tables it covers (I3, see mmap.ts) and puts the ptes right.
 *
 * A mapping is one of
 *     private   memory of its own, filled with zeros, or (image) with bytes of a program file in kernel memory
 *     shared    MAP_SHARED memory: its pages belong to a SharedObject (shmem.ts), anonymous or a file's
 *     file      MAP_PRIVATE of a file: shows the object's pages until they are written, and copies them then
 *
 * May import the ABI, kmalloc, shmem. Source: Linux 2.4 (mm/mmap.c; struct vm_area_struct, struct mm_struct).
 */
import { PROT_EXEC, PROT_READ, PROT_WRITE } from "../abi/mman";
import { kfree, kmalloc } from "./kmalloc";
import { PAGE_SHIFT } from "./layout";
import { objectGet, objectPut, SharedObject } from "./shmem";

/** Flags of a Vma: the PROT_ bits as they are, and these. */
export const VM_READ: u32 = PROT_READ;
export const VM_WRITE: u32 = PROT_WRITE;
export const VM_EXEC: u32 = PROT_EXEC;
export const VM_ACCESS: u32 = VM_READ | VM_WRITE | VM_EXEC;
/** Writes are seen by all who map it. */
export const VM_SHARED: u32 = 0x08;
/** A stack: accesses below it make it grow. */
export const VM_GROWSDOWN: u32 = 0x100;
/** A shared mapping of a file that is open for reading only: PROT_WRITE is refused. */
export const VM_READONLY: u32 = 0x10;
/** Under mlock: its pages stay. fork's copy of the mapping is not locked. */
export const VM_LOCKED: u32 = 0x2000;
/** While mlock is at work: it was not locked before. */
export const VM_LOCKING: u32 = 0x4000;

@unmanaged
export class Vma {
  /** First address. */
  start: usize = 0;
  /** First address after it; 0xC0000000 at most. */
  end: usize = 0;
  flags: u32 = 0;
  next: Vma | null = null;
  /** The pages of a mapping that is shared or of a file. Counts a reference. */
  object: SharedObject | null = null;
  /** Page of `object` that `start` is. */
  offset: u32 = 0;
  /** Image: kernel address of the byte that `start` shows, and how many bytes from there come from the file. */
  source: usize = 0;
  sourceBytes: u32 = 0;
}

@unmanaged
export class Mm {
  /** Kernel virtual address of the page directory. */
  directory: usize = 0;
  /** The mapping with the lowest addresses. */
  vmas: Vma | null = null;
  /** What findVma found last, or null. */
  recent: Vma | null = null;
  vmaCount: u32 = 0;
  /** Where the heap begins (exec sets it) and ends, to the byte. */
  startBrk: usize = 0;
  brk: usize = 0;
  /** 1 once anything has been locked: until then the tables' counts of locked pages are all 0. */
  locks: u32 = 0;
  /** Tasks that use it. */
  users: u32 = 0;
}

/** The first mapping that ends after `address`: it holds the address, or is the next above it. Null if there is none. */
export function findVma(mm: Mm, address: usize): Vma | null {
  const recent = mm.recent;
  if (recent !== null && recent.start <= address && address < recent.end) return recent;
  let vma: Vma | null = mm.vmas;
  while (vma !== null && vma.end <= address) vma = vma.next;
  if (vma !== null) mm.recent = vma;
  return vma;
}

/** As findVma, for who looks at the beginning of a slot for its own ends: what findVma found last stays remembered. */
export function firstVmaAbove(mm: Mm, address: usize): Vma | null {
  let vma: Vma | null = mm.vmas;
  while (vma !== null && vma.end <= address) vma = vma.next;
  return vma;
}

/** Pages of [start, end) that lie under mlock. */
export function lockedPages(mm: Mm, start: usize, end: usize): u32 {
  let pages: u32 = 0;
  let vma: Vma | null = findVma(mm, start);
  while (vma !== null && vma.start < end) {
    if ((vma.flags & VM_LOCKED) != 0) pages += (min<u32>(vma.end, end) - max<u32>(vma.start, start)) >> PAGE_SHIFT;
    vma = vma.next;
  }
  return pages;
}

/** A mapping in no list, with no object and no source. Null if there is no memory. */
export function newVma(start: usize, end: usize, flags: u32): Vma | null {
  const address = kmalloc(offsetof<Vma>());
  if (address == 0) return null;
  memory.fill(address, 0, offsetof<Vma>());
  const vma = changetype<Vma>(address);
  vma.start = start;
  vma.end = end;
  vma.flags = flags;
  return vma;
}

/** Frees a mapping that is in no list, and its use of an object. */
export function freeVma(vma: Vma): void {
  const object = vma.object;
  if (object !== null) objectPut(object);
  kfree(changetype<usize>(vma));
}

/** A copy of a mapping, in no list. Null if there is no memory. */
export function copyVma(vma: Vma): Vma | null {
  const address = kmalloc(offsetof<Vma>());
  if (address == 0) return null;
  memory.copy(address, changetype<usize>(vma), offsetof<Vma>());
  const copy = changetype<Vma>(address);
  copy.next = null;
  const object = copy.object;
  if (object !== null) objectGet(object);
  return copy;
}

/** Puts a mapping that overlaps no other into the list. */
export function insertVma(mm: Mm, vma: Vma): void {
  let previous: Vma | null = null;
  let next = mm.vmas;
  while (next !== null && next.start < vma.start) {
    previous = next;
    next = next.next;
  }
  vma.next = next;
  if (previous === null) mm.vmas = vma;
  else previous.next = vma;
  mm.vmaCount++;
}

/** Takes a mapping out of the list and frees it. */
export function removeVma(mm: Mm, vma: Vma): void {
  mm.recent = null;
  mm.vmaCount--;
  if (mm.vmas === vma) {
    mm.vmas = vma.next;
  } else {
    let previous = mm.vmas!;
    while (previous.next !== vma) previous = previous.next!;
    previous.next = vma.next;
  }
  freeVma(vma);
}

/** Moves the start of a mapping up to `address`, within it: what lies below is given up. */
export function trimVmaStart(vma: Vma, address: usize): void {
  const bytes = address - vma.start;
  vma.start = address;
  if (vma.object !== null) vma.offset += bytes >> PAGE_SHIFT;
  if (bytes < vma.sourceBytes) {
    vma.source += bytes;
    vma.sourceBytes -= bytes;
  } else {
    vma.sourceBytes = 0;
  }
}

/** Cuts a mapping in two at `address`, strictly within it. `upper`, from copyVma, becomes the part above. */
export function splitVma(mm: Mm, vma: Vma, address: usize, upper: Vma): void {
  upper.end = vma.end;
  trimVmaStart(upper, address);
  vma.end = address;
  upper.next = vma.next;
  vma.next = upper;
  mm.vmaCount++;
}

/** Whether `upper`, which begins where `lower` ends, could be one mapping with it. */
function continues(lower: Vma, upper: Vma): bool {
  if (lower.end != upper.start || lower.flags != upper.flags) return false;
  if ((lower.flags & VM_GROWSDOWN) != 0) return false;
  if (lower.sourceBytes != 0 || upper.sourceBytes != 0) return false;
  if (lower.object !== upper.object) return false;
  return lower.object === null || lower.offset + ((lower.end - lower.start) >> PAGE_SHIFT) == upper.offset;
}

/** Merges mappings that continue each other, among those that touch [start, end]. */
export function mergeVmas(mm: Mm, start: usize, end: usize): void {
  let vma: Vma | null = mm.vmas;
  while (vma !== null && vma.end < start) vma = vma.next;
  while (vma !== null && vma.end <= end) {
    const next = vma.next;
    if (next !== null && continues(vma, next)) {
      vma.end = next.end;
      removeVma(mm, next);
    } else {
      vma = next;
    }
  }
}
