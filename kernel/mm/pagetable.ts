/**
 * One page table, whoever uses it: making, copying, emptying and freeing it, and the entries of one pte. Here the counts of
 * I5 (`present`, `swapped`), the references to frames and slots and the rmap entries (I4) are kept, one line from the pte that they belong to;
 * who may do what to a table that several directories see is ptshare.ts's affair.
 *
 * `copyTable` is the work that fork=copy does at fork and fork=share does at the first write: it is Linux 2.4's
 * copy_page_range for one table, with the rmap entry of Linux 2.5. Its loop is the most executed of the kernel.
 * May import paging, vmalist, page, pagealloc, rmap, shmem, swap; plainptes for a kernel without reverse map.
 */
import {
  ENTRIES,
  Entry,
  flushTlbPage,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_FRAME,
  PTE_LOCKED,
  PTE_MAPPED,
  PTE_NONE,
  PTE_PRESENT,
  PTE_USER,
  PTE_WRITE,
} from "../arch/i386/paging";
import { PAGE_OFFSET, PAGE_SHIFT, SLOT_BYTES, SLOT_SHIFT } from "./layout";
import { FrameKind, Frames, PAGE_DIRTY, Page, TablePage } from "./page";
import { allocZeroedFrame, frameToVirt, freeFrame } from "./pagealloc";
import { copyPlainPtes, zapPlainPtes } from "./plainptes";
import {
  chainReserve,
  chainUnreserve,
  pageAddRmap,
  pageMoveRmap,
  pageRemoveRmap,
  Rmap,
  rmapEntry,
  rmapKept,
  rmapNext,
} from "./rmap";
import { putPage } from "./shmem";
import { isSwapCached, swapDuplicate, swapFree, swapSettle } from "./swap";
import { VM_ACCESS, VM_LOCKED, VM_SHARED, VM_WRITE, Vma } from "./vmalist";
import { vmstat } from "./vmstat";

/** What a new protection leaves in a pte. */
const PTE_KEPT: u32 = PTE_FRAME | PTE_ACCESSED | PTE_DIRTY | PTE_LOCKED;
/** Bytes of a table. */
const TABLE_BYTES: usize = ENTRIES * 4;

/** An empty table for a slot; its frame, or 0 if there is none. `users` is for the caller to set. */
export function allocTable(slot: u32): u32 {
  const frame = allocZeroedFrame(FrameKind.Table);
  if (frame == 0) return 0;
  const table = changetype<TablePage>(Frames.page(frame));
  table.count = 0;
  table.users = 0;
  table.present = 0;
  table.swapped = 0;
  table.slot = slot;
  table.locked = 0;
  return frame;
}

/** The access bits of a pte for a mapping; W is added by who knows that a write may go through. */
function protectionBits(vma: Vma): u32 {
  return (vma.flags & VM_ACCESS) == 0 ? PTE_NONE | PTE_USER : PTE_PRESENT | PTE_USER;
}

/**
 * Maps a frame at an empty pte of a mapping and counts it: present, reference, rmap entry. If the page is mapped elsewhere, a
 * chain block must be reserved. `writable`: sets W, which for a private page means that nobody else has it.
 */
export function setPte(pte: usize, page: Page, vma: Vma, writable: bool): void {
  const locked = (vma.flags & VM_LOCKED) != 0 ? PTE_LOCKED : 0;
  const bits = protectionBits(vma) | PTE_ACCESSED | locked | (writable ? PTE_WRITE : 0);
  Entry.store(pte, (Frames.number(page) << PAGE_SHIFT) | bits);
  page.count++;
  pageAddRmap(page, pte);
  const table = changetype<TablePage>(Frames.ofAddress(pte));
  table.present++;
}

/**
 * A copy of the table at `from`, for its slot and the mappings from `first` on (the first that reaches into the slot): its
 * frame, or 0 if memory is short, and then nothing has changed. W goes from the ptes of private mappings in both tables; each
 * page gets a reference and an rmap entry more. All it needs is taken before the first pte is read.
 */
export function copyTable(from: usize, first: Vma | null): u32 {
  const old = changetype<TablePage>(Frames.ofAddress(from));
  // Taking may reclaim, and so lower `present`: it is read again below, and what was reserved is enough.
  const reserve = old.present;
  if (!chainReserve(reserve)) return 0;
  const frame = allocTable(old.slot);
  if (frame != 0) {
    const to = frameToVirt(frame);
    const slotStart = old.slot << SLOT_SHIFT;
    // The last slot's end is KERNEL_BASE at most: no wrap.
    const slotEnd = slotStart + SLOT_BYTES;
    let vma: Vma | null = first;
    while (vma !== null && vma.start < slotEnd) {
      const start = max<u32>(vma.start, slotStart);
      const end = min<u32>(vma.end, slotEnd);
      const firstPte = from + ((start - slotStart) >> 10);
      const endPte = from + ((end - slotStart) >> 10);
      const shared = (vma.flags & VM_SHARED) != 0;
      if (!rmapKept) copyPlainPtes(firstPte, endPte, to - from, shared ? 0xffffffff : ~PTE_WRITE);
      else if (shared) copyPtes(firstPte, endPte, to - from, 0xffffffff);
      else copyPtes(firstPte, endPte, to - from, ~PTE_WRITE);
      vma = vma.next;
    }
    const table = changetype<TablePage>(Frames.page(frame));
    // Every pte that is not empty lies in a mapping, so all of them have been copied.
    table.present = old.present;
    table.swapped = old.swapped;
    if (rmapKept) vmstat.rmapAdded += old.present;
    if (old.locked != 0) unlockAll(to);
  }
  chainUnreserve(reserve);
  return frame;
}

/** Copies the ptes from address `first` up to `end` to where `distance` leads, with the bits in `keep`. */
function copyPtes(first: usize, end: usize, distance: usize, keep: u32): void {
  for (let pte = first; pte < end; pte += 4) {
    const entry = Entry.load(pte);
    if ((entry & PTE_MAPPED) == 0) {
      if (entry != 0) copySwapEntry(entry, pte + distance);
      continue;
    }
    Entry.store(pte, entry & keep);
    Entry.store(pte + distance, entry & keep);
    const page = Frames.ofEntry(entry);
    page.count++;
    Rmap.addFurther(page, pte + distance);
  }
}

/** One pte more, empty till now, holds a swap entry. */
function copySwapEntry(entry: u32, pte: usize): void {
  Entry.store(pte, entry);
  swapDuplicate(entry >> PAGE_SHIFT);
}

/** Takes PTE_LOCKED from all ptes of a table: fork's copies are not locked. */
function unlockAll(table: usize): void {
  for (let pte = table; pte < table + TABLE_BYTES; pte += 4) {
    const entry = Entry.load(pte);
    if ((entry & PTE_LOCKED) != 0) Entry.store(pte, entry & ~PTE_LOCKED);
  }
}

/**
 * Empties the ptes from address `first` up to `end`, all of one table: each page loses the rmap entry and the reference. Frames
 * are freed before the TLB is flushed: the caller flushes before anything can be allocated.
 */
export function zapPtes(first: usize, end: usize): void {
  const table = changetype<TablePage>(Frames.ofAddress(first));
  const present = table.present;
  let left = present + table.swapped;
  if (left == 0) return;
  if (!rmapKept) {
    zapPlainPtes(first, end, table);
    return;
  }
  let swapped: u32 = 0;
  for (let pte = first; pte < end; pte += 4) {
    const entry = Entry.load(pte);
    if (entry == 0) continue;
    Entry.store(pte, 0);
    if ((entry & PTE_MAPPED) != 0) {
      const page = Frames.ofEntry(entry);
      Rmap.remove(page, pte);
      if (page.object != 0) putMappedPage(page, entry);
      else if (page.count == 1) putPage(page);
      else page.count--;
    } else {
      swapFree(entry >> PAGE_SHIFT);
      swapped++;
    }
    left--;
    if (left == 0) break;
  }
  const swappedLeft = table.swapped - swapped;
  vmstat.rmapRemoved += present + swappedLeft - left;
  table.present = left - swappedLeft;
  table.swapped = swappedLeft;
}

/** Gives up the reference of a pte, `entry`, that no longer maps a page. A page that its object keeps remembers whether it was written to. */
export function putMappedPage(page: Page, entry: u32): void {
  if (isSwapCached(page)) {
    page.count--;
    swapSettle(page.index);
    return;
  }
  if (page.object != 0) page.flags |= (entry & PTE_DIRTY) != 0 ? PAGE_DIRTY : 0;
  putPage(page);
}

/**
 * Moves what the ptes from address `first` up to `end` hold, all of one table, to the empty ptes from `to` on, all of one:
 * mremap. The rmap entries and the counts go along; references do not change. Swap entries too. The caller flushes. Cannot fail.
 */
export function movePtes(first: usize, end: usize, to: usize): void {
  const from = changetype<TablePage>(Frames.ofAddress(first));
  const target = changetype<TablePage>(Frames.ofAddress(to));
  for (let pte = first; pte < end; pte += 4) {
    const entry = Entry.load(pte);
    if (entry == 0) continue;
    const place = to + (pte - first);
    Entry.store(place, entry);
    Entry.store(pte, 0);
    if ((entry & PTE_MAPPED) != 0) {
      pageMoveRmap(Frames.ofEntry(entry), pte, place);
      from.present--;
      target.present++;
    } else {
      from.swapped--;
      target.swapped++;
    }
  }
}

/**
 * Takes a page out of every table that maps it, for all who use these; each pte holds `entry` then: 0, or the swap entry of the page's slot
 * (P38). No table is unshared and no memory taken, whoever shares it (P39). All users of a table see it at one address, so forgetting
 * that address leaves nothing stale (I6).
 */
export function unmapPage(page: Page, entry: u32): void {
  while (page.rmap != 0) {
    const pte = rmapEntry(rmapNext(page, 0));
    if ((Entry.load(pte) & PTE_DIRTY) != 0) page.flags |= PAGE_DIRTY;
    Entry.store(pte, entry);
    pageRemoveRmap(page, pte);
    page.count--;
    const table = changetype<TablePage>(Frames.ofAddress(pte));
    table.present--;
    if (entry != 0) {
      table.swapped++;
      swapDuplicate(entry >> PAGE_SHIFT);
    }
    flushTlbPage(addressOf(table, pte));
  }
}

/**
 * Takes D from every pte that maps a page over to the page, before it is written out: a later write sets D again, since no translation stays
 * that remembers it.
 */
export function takeDirty(page: Page): void {
  for (let cursor = rmapNext(page, 0); cursor != 0; cursor = rmapNext(page, cursor)) {
    const pte = rmapEntry(cursor);
    const entry = Entry.load(pte);
    if ((entry & PTE_DIRTY) == 0) continue;
    page.flags |= PAGE_DIRTY;
    Entry.store(pte, entry & ~PTE_DIRTY);
    flushTlbPage(addressOf(changetype<TablePage>(Frames.ofAddress(pte)), pte));
  }
}

/** The user address that a pte of a table is for. */
function addressOf(table: TablePage, pte: usize): usize {
  return (table.slot << SLOT_SHIFT) | ((pte & PAGE_OFFSET) << 10);
}

/** Whether a pte that maps the page lies under mlock: it must stay (P35). */
export function pageIsLocked(page: Page): bool {
  for (let cursor = rmapNext(page, 0); cursor != 0; cursor = rmapNext(page, cursor)) {
    if ((Entry.load(rmapEntry(cursor)) & PTE_LOCKED) != 0) return true;
  }
  return false;
}

/** Whether the page was used through any pte since this was asked last. Whoever uses it again will say so again. */
export function pageReferenced(page: Page): bool {
  let used = false;
  for (let cursor = rmapNext(page, 0); cursor != 0; cursor = rmapNext(page, cursor)) {
    const pte = rmapEntry(cursor);
    const entry = Entry.load(pte);
    if ((entry & PTE_ACCESSED) == 0) continue;
    used = true;
    Entry.store(pte, entry & ~PTE_ACCESSED);
    flushTlbPage(addressOf(changetype<TablePage>(Frames.ofAddress(pte)), pte));
  }
  return used;
}

/** Empties and frees a table that no directory points at any more. */
export function freeTable(table: usize): void {
  zapPtes(table, table + TABLE_BYTES);
  freeFrame(Frames.number(Frames.ofAddress(table)));
}

/**
 * Gives the ptes from address `first` up to `end` a mapping's new protection. A private page stays without W until a write
 * asks for it, since others may have it too.
 */
export function protectPtes(first: usize, end: usize, vma: Vma): void {
  const shared = (vma.flags & VM_SHARED) != 0;
  const bits = protectionBits(vma) | (shared && (vma.flags & VM_WRITE) != 0 ? PTE_WRITE : 0);
  for (let pte = first; pte < end; pte += 4) {
    const entry = Entry.load(pte);
    if ((entry & PTE_MAPPED) != 0) Entry.store(pte, (entry & PTE_KEPT) | bits);
  }
}

/** Sets PTE_LOCKED in the ptes from address `first` up to `end` that map a frame, or clears it. */
export function lockPtes(first: usize, end: usize, isLocked: bool): void {
  for (let pte = first; pte < end; pte += 4) {
    const entry = Entry.load(pte);
    if ((entry & PTE_MAPPED) != 0) Entry.store(pte, isLocked ? entry | PTE_LOCKED : entry & ~PTE_LOCKED);
  }
}
