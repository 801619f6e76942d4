/**
 * What programs say about memory that is mapped: madvise, mlock and its kin, msync. mmap.ts's order holds: look, take, edit.
 *
 * Locking a range marks its mappings, and then faults all its pages in, with a copy of their own where a write would make one. Each pte of a
 * page under mlock says so (PTE_LOCKED), by which reclaim knows that it must leave the page; each table counts such pages (ptshare.ts,
 * countLocked), by which fork knows that it must copy the table. A process that maps, moves or unmaps locked memory keeps the counts right in mmap.ts and mremap.ts.
 * May import the ABI, mmap, vmalist, memory, ptshare, filemap. Source: Linux 2.4 (mm/mlock.c, mm/filemap.c).
 */
import { Errno } from "../abi/errno";
import { UnshareCause } from "../abi/marks";
import { MADV_DONTNEED, MCL_CURRENT, MS_ASYNC, MS_INVALIDATE, MS_SYNC } from "../abi/mman";
import { Entry, PTE_PRESENT } from "../arch/i386/paging";
import { populateRange } from "./fault";
import { syncPages } from "./filemap";
import { KERNEL_BASE, PAGE_OFFSET, PAGE_SHIFT, pageAlign, SLOT_BYTES, USER_LOWEST } from "./layout";
import { dropPageRange } from "./memory";
import { isolateRange, mappable, wholeRangeMapped } from "./mmap";
import { totalFrames } from "./pagealloc";
import { lockPtes } from "./pagetable";
import { countLocked, unshareRange } from "./ptshare";
import { findVma, lockedPages, Mm, mergeVmas, VM_LOCKED, VM_LOCKING, VM_SHARED, Vma } from "./vmalist";

/** Of all frames, this part (2 to its power) is the most that a process may lock. */
const LOCK_LIMIT_SHIFT: u32 = 1;

/** What is wrong with a range of pages that a program names: 0; -EINVAL (not aligned), -ENOMEM (not all of it is mapped). */
function checkRange(mm: Mm, start: usize, bytes: u32): i32 {
  if ((start & PAGE_OFFSET) != 0) return -Errno.EINVAL;
  if (bytes == 0) return 0;
  const size = pageAlign(bytes);
  if (size == 0 || !mappable(start, size)) return -Errno.ENOMEM;
  return wholeRangeMapped(mm, start, start + size) ? 0 : -Errno.ENOMEM;
}

/**
 * madvise. MADV_DONTNEED: private memory reads as when it was mapped, shared memory keeps its contents; -EINVAL for locked memory. The
 * other advice of Linux 2.4 changes nothing. -EINVAL for any else; as checkRange; -ENOMEM. Nothing is done of what fails.
 */
export function doMadvise(mm: Mm, start: usize, bytes: u32, advice: u32): i32 {
  if (advice > MADV_DONTNEED) return -Errno.EINVAL;
  const error = checkRange(mm, start, bytes);
  if (error != 0 || bytes == 0 || advice != MADV_DONTNEED) return error;
  const end = start + pageAlign(bytes);
  if (lockedPages(mm, start, end) != 0) return -Errno.EINVAL;
  if (!unshareEnds(mm, start, end)) return -Errno.ENOMEM;
  dropPageRange(mm, start, end);
  return 0;
}

/** Unshares the tables that [start, end) covers in part. False if there is no memory. */
function unshareEnds(mm: Mm, start: usize, end: usize): bool {
  const slotMask = SLOT_BYTES - 1;
  if ((start & slotMask) != 0 && !unshareRange(mm, start, start + 1, UnshareCause.Madvise)) return false;
  return (end & slotMask) == 0 || unshareRange(mm, end - 1, end, UnshareCause.Madvise);
}

/** mlock: locks every page that the range touches. 0; -ENOMEM: not all is mapped, no memory, or more than half of all. */
export function doMlock(mm: Mm, address: usize, bytes: u32): i32 {
  return setLocked(mm, address, bytes, VM_LOCKED);
}

/** munlock. 0; -ENOMEM: not all is mapped, or there is no memory. */
export function doMunlock(mm: Mm, address: usize, bytes: u32): i32 {
  return setLocked(mm, address, bytes, 0);
}

/** Makes VM_LOCKED in the mappings of every page that the range touches what `locked` says. */
function setLocked(mm: Mm, address: usize, bytes: u32, locked: u32): i32 {
  if (bytes == 0) return 0;
  const start = address & ~PAGE_OFFSET;
  const size = bytes <= KERNEL_BASE ? pageAlign(bytes + (address & PAGE_OFFSET)) : 0;
  if (size == 0 || !mappable(start, size)) return -Errno.ENOMEM;
  const end = start + size;
  if (!wholeRangeMapped(mm, start, end)) return -Errno.ENOMEM;
  if (locked != 0) {
    const others = lockedPages(mm, USER_LOWEST, KERNEL_BASE) - lockedPages(mm, start, end);
    if (others + (size >> PAGE_SHIFT) > totalFrames() >> LOCK_LIMIT_SHIFT) return -Errno.ENOMEM;
  }
  const first = isolateRange(mm, start, end, UnshareCause.Mlock);
  if (first === null) return -Errno.ENOMEM;
  markLocked(mm, first, end, locked);
  // From here on what is in memory stays there, so the pages can be faulted in one after the other.
  const failed = locked != 0 && !populateRange(mm, start, end);
  settleLocked(mm, first, end, failed);
  if (locked != 0) mm.locks = 1;
  mergeVmas(mm, start, end);
  countLocked(mm, start, end);
  return failed ? -Errno.ENOMEM : 0;
}

/** Sets VM_LOCKED in the mappings from `first` up to `end`, and VM_LOCKING where it was not; or takes it away. */
function markLocked(mm: Mm, first: Vma, end: usize, locked: u32): void {
  let vma: Vma | null = first;
  while (vma !== null && vma.start < end) {
    if ((vma.flags & VM_LOCKED) != locked) {
      vma.flags ^= VM_LOCKED | (locked != 0 ? VM_LOCKING : 0);
      lockPresent(mm, vma, locked != 0);
    }
    vma = vma.next;
  }
}

/** The end of an mlock: VM_LOCKING goes, and if it failed, VM_LOCKED with it. */
function settleLocked(mm: Mm, first: Vma, end: usize, failed: bool): void {
  let vma: Vma | null = first;
  while (vma !== null && vma.start < end) {
    if ((vma.flags & VM_LOCKING) != 0) {
      vma.flags &= failed ? ~(VM_LOCKING | VM_LOCKED) : ~VM_LOCKING;
      if (failed) lockPresent(mm, vma, false);
    }
    vma = vma.next;
  }
}

/** Locks the pages of a mapping that are in memory, or unlocks them; none of its tables is shared. */
function lockPresent(mm: Mm, vma: Vma, isLocked: bool): void {
  let address = vma.start;
  while (address < vma.end) {
    const partEnd = min<u32>((address & ~(SLOT_BYTES - 1)) + SLOT_BYTES, vma.end);
    const pde = Entry.load(Entry.pdeOf(mm.directory, address));
    if ((pde & PTE_PRESENT) != 0) {
      const pte = Entry.pteOf(pde, address);
      lockPtes(pte, pte + ((partEnd - address) >> 10), isLocked);
    }
    address = partEnd;
  }
}

/**
 * mlockall with MCL_CURRENT: locks each mapping. 0, -EINVAL for other flags (mappings to come are not locked by themselves), or
 * -ENOMEM, and then those below the one that failed are locked.
 */
export function doMlockall(mm: Mm, flags: u32): i32 {
  return flags == MCL_CURRENT ? setAllLocked(mm, VM_LOCKED) : -Errno.EINVAL;
}

/** munlockall. 0 or -ENOMEM. */
export function doMunlockall(mm: Mm): i32 {
  return setAllLocked(mm, 0);
}

function setAllLocked(mm: Mm, locked: u32): i32 {
  let vma: Vma | null = mm.vmas;
  while (vma !== null) {
    const start = vma.start;
    const end = vma.end;
    const error = setLocked(mm, start, end - start, locked);
    if (error != 0) return error;
    // It may have become one with its neighbours.
    vma = findVma(mm, end);
  }
  return 0;
}

/**
 * msync. What is shared is so at once, so that only disks can be behind: MS_SYNC writes what the range shows of them. 0, -EINVAL, -ENOMEM
 * where nothing is mapped, -EIO.
 */
export function doMsync(mm: Mm, start: usize, bytes: u32, flags: u32): i32 {
  if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) != 0) return -Errno.EINVAL;
  if ((flags & MS_ASYNC) != 0 && (flags & MS_SYNC) != 0) return -Errno.EINVAL;
  const error = checkRange(mm, start, bytes);
  return error != 0 || (flags & MS_SYNC) == 0 ? error : syncRange(mm, start, start + pageAlign(bytes));
}

/** Writes what the shared mappings in [start, end) show of disks. They may change while that takes its time. 0 or -EIO. */
function syncRange(mm: Mm, start: usize, end: usize): i32 {
  let result: i32 = 0;
  let address = start;
  while (address < end) {
    const vma = findVma(mm, address);
    if (vma === null || vma.start >= end) break;
    const from = max<u32>(vma.start, address);
    address = min<u32>(vma.end, end);
    const object = vma.object;
    if (object === null || object.sectors == 0 || (vma.flags & VM_SHARED) == 0) continue;
    const first = vma.offset + ((from - vma.start) >> PAGE_SHIFT);
    if (syncPages(object, first, first + ((address - from) >> PAGE_SHIFT)) != 0) result = -Errno.EIO;
  }
  return result;
}
