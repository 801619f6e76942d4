/**
 * mremap: a mapping shrinks, grows where it is, or moves with its pages. It goes in mmap.ts's order: look, take, edit. A move takes
 * nothing for the pages themselves: ptes go from table to table, and their rmap entries with them, so nothing is copied and no
 * reference changes. Source and destination are unshared first, all of them: each pte of the one goes, each of the other may come.
 * May import the ABI, mmap, vmalist, memory, ptshare, pagetable. Source: Linux 2.4 (mm/mremap.c).
 */
import { Errno } from "../abi/errno";
import { UnshareCause } from "../abi/marks";
import { MREMAP_FIXED, MREMAP_MAYMOVE } from "../abi/mman";
import { Entry, PTE_PRESENT } from "../arch/i386/paging";
import { populateRange } from "./fault";
import { MMAP_BASE, PAGE_OFFSET, PAGE_SHIFT, pageAlign, SLOT_BYTES } from "./layout";
import { releaseUnmapped, zapPageRange } from "./memory";
import { cutMappings, cutsMiddle, doMunmap, findRoom, mappable, overcommits } from "./mmap";
import { movePtes } from "./pagetable";
import { countLocked, installTable, unshareRange } from "./ptshare";
import { copyVma, findVma, freeVma, insertVma, Mm, mergeVmas, trimVmaStart, VM_LOCKED, Vma } from "./vmalist";

/**
 * mremap of the `oldBytes` at `address`, which must lie in one mapping, to `newBytes`. Where the mapping is then, or -EINVAL, -EFAULT
 * (not mapped, or more than one mapping), -ENOMEM (no memory, or no room and it may not move). What is new reads as zeros, in shared
 * memory as the further pages of the object. `target` counts with MREMAP_FIXED only.
 */
export function doMremap(mm: Mm, address: usize, oldBytes: u32, newBytes: u32, flags: u32, target: usize): i32 {
  if ((flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED)) != 0 || (address & PAGE_OFFSET) != 0) return -Errno.EINVAL;
  const oldSize = pageAlign(oldBytes);
  const newSize = pageAlign(newBytes);
  if (oldSize == 0 || newSize == 0 || !mappable(address, oldSize)) return -Errno.EINVAL;
  const fixed = (flags & MREMAP_FIXED) != 0;
  if (fixed) {
    if ((flags & MREMAP_MAYMOVE) == 0 || (target & PAGE_OFFSET) != 0) return -Errno.EINVAL;
    if (!mappable(target, newSize)) return -Errno.EINVAL;
    if (target < address + oldSize && address < target + newSize) return -Errno.EINVAL;
  }
  const vma = findVma(mm, address);
  if (vma === null || vma.start > address || oldSize > vma.end - address) return -Errno.EFAULT;
  if (newSize > oldSize && overcommits(newSize, vma.flags)) return -Errno.ENOMEM;
  if (!fixed) {
    if (newSize <= oldSize) {
      const error = newSize < oldSize ? doMunmap(mm, address + newSize, oldSize - newSize) : 0;
      return error != 0 ? error : (address as i32);
    }
    const end = address + oldSize;
    const above = vma.next;
    const isFree = vma.end == end && mappable(address, newSize) && (above === null || above.start >= address + newSize);
    if (isFree) return growMapping(mm, vma, address + newSize) ? (address as i32) : -Errno.ENOMEM;
    if ((flags & MREMAP_MAYMOVE) == 0) return -Errno.ENOMEM;
  }
  const place = fixed ? target : findRoom(mm, MMAP_BASE, newSize);
  if (place == 0) return -Errno.ENOMEM;
  // What is beyond the new size is given up where it is; only the rest moves.
  const kept = min<u32>(oldSize, newSize);
  return moveMapping(mm, vma, address, oldSize, kept, place, newSize) ? (place as i32) : -Errno.ENOMEM;
}

/** Moves the end of a mapping up to `end`; what lies there is free. False if there is no memory. */
function growMapping(mm: Mm, vma: Vma, end: usize): bool {
  const start = vma.start;
  const oldEnd = vma.end;
  if (!unshareRange(mm, oldEnd, end, UnshareCause.Mremap)) return false;
  endFileAt(vma, oldEnd);
  vma.end = end;
  const isLocked = (vma.flags & VM_LOCKED) != 0;
  mergeVmas(mm, start, end);
  countLocked(mm, oldEnd, end);
  if (isLocked) populateRange(mm, oldEnd, end);
  return true;
}

/** An image shows its file only as far as it was mapped. */
function endFileAt(vma: Vma, end: usize): void {
  vma.sourceBytes = min<u32>(vma.sourceBytes, end - vma.start);
}

/**
 * Moves `kept` bytes of the `oldSize` at `from`, in `vma`, to `to`, where `newSize` become mapped in place of whatever is there; the rest
 * of the old ones goes. False if there is no memory.
 */
function moveMapping(mm: Mm, vma: Vma, from: usize, oldSize: u32, kept: u32, to: usize, newSize: u32): bool {
  const moved = copyVma(vma);
  if (moved === null) return false;
  let upperFrom: Vma | null = null;
  let upperTo: Vma | null = null;
  let taken = true;
  if (cutsMiddle(mm, from, from + oldSize)) {
    upperFrom = copyVma(vma);
    taken = upperFrom !== null;
  }
  if (taken && cutsMiddle(mm, to, to + newSize)) {
    upperTo = copyVma(findVma(mm, to)!);
    taken = upperTo !== null;
  }
  taken =
    taken &&
    unshareRange(mm, from, from + oldSize, UnshareCause.Mremap) &&
    unshareRange(mm, to, to + newSize, UnshareCause.Mremap) &&
    installTables(mm, from, kept, to);
  if (!taken) {
    freeVma(moved);
    if (upperFrom !== null) freeVma(upperFrom);
    if (upperTo !== null) freeVma(upperTo);
    releaseUnmapped(mm, to, to + newSize);
    return false;
  }
  trimVmaStart(moved, from);
  endFileAt(moved, from + kept);
  moved.start = to;
  moved.end = to + newSize;
  cutMappings(mm, to, to + newSize, upperTo);
  insertVma(mm, moved);
  // The new mapping is in the list, so the tables under it stay.
  zapPageRange(mm, to, to + newSize);
  moveTables(mm, from, kept, to);
  // The first cut may have left nothing to keep above the second.
  if (upperFrom !== null && !cutsMiddle(mm, from, from + oldSize)) {
    freeVma(upperFrom);
    upperFrom = null;
  }
  cutMappings(mm, from, from + oldSize, upperFrom);
  zapPageRange(mm, from, from + oldSize);
  const isLocked = (moved.flags & VM_LOCKED) != 0;
  mergeVmas(mm, to, to + newSize);
  countLocked(mm, from, from + oldSize);
  countLocked(mm, to, to + newSize);
  if (isLocked) populateRange(mm, to, to + newSize);
  return true;
}

/** Bytes from two addresses on, at most `most`, that lie in one slot each. */
function commonPart(from: usize, to: usize, most: u32): u32 {
  const fromLeft = SLOT_BYTES - (from & (SLOT_BYTES - 1));
  const toLeft = SLOT_BYTES - (to & (SLOT_BYTES - 1));
  return min<u32>(most, min<u32>(fromLeft, toLeft));
}

/** Sees to it that there is a table wherever a pte of the `bytes` at `from` may come to, from `to` on. False: no memory. */
function installTables(mm: Mm, from: usize, bytes: u32, to: usize): bool {
  let done: u32 = 0;
  while (done < bytes) {
    const part = commonPart(from + done, to + done, bytes - done);
    const target = Entry.pdeOf(mm.directory, to + done);
    const isNeeded = (Entry.load(Entry.pdeOf(mm.directory, from + done)) & PTE_PRESENT) != 0;
    if (isNeeded && (Entry.load(target) & PTE_PRESENT) == 0 && !installTable(mm, target)) return false;
    done += part;
  }
  return true;
}

/** Moves the ptes of the `bytes` at `from` to `to`; the tables are there, and nobody shares them. */
function moveTables(mm: Mm, from: usize, bytes: u32, to: usize): void {
  let done: u32 = 0;
  while (done < bytes) {
    const part = commonPart(from + done, to + done, bytes - done);
    const pde = Entry.load(Entry.pdeOf(mm.directory, from + done));
    if ((pde & PTE_PRESENT) != 0) {
      const first = Entry.pteOf(pde, from + done);
      const target = Entry.load(Entry.pdeOf(mm.directory, to + done));
      movePtes(first, first + ((part >> PAGE_SHIFT) << 2), Entry.pteOf(target, to + done));
    }
    done += part;
  }
}
