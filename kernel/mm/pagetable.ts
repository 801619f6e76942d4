/**
 * One page table, whoever uses it: making, copying, emptying and freeing it, and the entries of one pte. Here the counts of
 * I5 (`present`), the references to frames and their rmap entries (I4) are kept, one line from the pte that they belong to;
 * who may do what to a table that several directories see is ptshare.ts's affair.
 *
 * `copyTable` is the work that fork=copy does at fork and fork=share does at the first write: it is Linux 2.4's
 * copy_page_range for one table, with the rmap entry of Linux 2.5. Its loop is the most executed of the kernel.
 * May import paging, vmalist, page, pagealloc, rmap, shmem; plainptes for a kernel without reverse map.
 */
import {
  ENTRIES,
  Entry,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_FRAME,
  PTE_MAPPED,
  PTE_NONE,
  PTE_PRESENT,
  PTE_USER,
  PTE_WRITE,
} from "../arch/i386/paging";
import { PAGE_SHIFT, SLOT_BYTES, SLOT_SHIFT } from "./layout";
import { FrameKind, Frames, Page, TablePage } from "./page";
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
import { VM_ACCESS, VM_SHARED, VM_WRITE, Vma } from "./vmalist";
import { vmstat } from "./vmstat";

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
  const bits = protectionBits(vma) | PTE_ACCESSED | (writable ? PTE_WRITE : 0);
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
    // Every pte that maps a frame lies in a mapping, so all of them have been copied.
    table.present = reserve;
    if (rmapKept) vmstat.rmapAdded += reserve;
  }
  chainUnreserve(reserve);
  return frame;
}

/** Copies the ptes from address `first` up to `end` to where `distance` leads, with the bits in `keep`. */
function copyPtes(first: usize, end: usize, distance: usize, keep: u32): void {
  for (let pte = first; pte < end; pte += 4) {
    const entry = Entry.load(pte);
    if ((entry & PTE_MAPPED) == 0) continue;
    Entry.store(pte, entry & keep);
    Entry.store(pte + distance, entry & keep);
    const page = Frames.ofEntry(entry);
    page.count++;
    Rmap.addFurther(page, pte + distance);
  }
}

/**
 * Empties the ptes from address `first` up to `end`, all of one table: each page loses the rmap entry and the reference. Frames
 * are freed before the TLB is flushed: the caller flushes before anything can be allocated.
 */
export function zapPtes(first: usize, end: usize): void {
  const table = changetype<TablePage>(Frames.ofAddress(first));
  let left = table.present;
  if (left == 0) return;
  if (!rmapKept) {
    zapPlainPtes(first, end, table);
    return;
  }
  for (let pte = first; pte < end; pte += 4) {
    const entry = Entry.load(pte);
    if ((entry & PTE_MAPPED) == 0) continue;
    Entry.store(pte, 0);
    const page = Frames.ofEntry(entry);
    Rmap.remove(page, pte);
    if (page.count == 1) putPage(page);
    else page.count--;
    left--;
    if (left == 0) break;
  }
  vmstat.rmapRemoved += table.present - left;
  table.present = left;
}

/**
 * Moves what the ptes from address `first` up to `end` hold, all of one table, to the empty ptes from `to` on, all of one:
 * mremap. The rmap entries and the counts go along; references do not change. The caller flushes. Cannot fail.
 */
export function movePtes(first: usize, end: usize, to: usize): void {
  const from = changetype<TablePage>(Frames.ofAddress(first));
  const target = changetype<TablePage>(Frames.ofAddress(to));
  for (let pte = first; pte < end; pte += 4) {
    const entry = Entry.load(pte);
    if ((entry & PTE_MAPPED) == 0) continue;
    const place = to + (pte - first);
    Entry.store(place, entry);
    Entry.store(pte, 0);
    pageMoveRmap(Frames.ofEntry(entry), pte, place);
    from.present--;
    target.present++;
  }
}

/** Takes a page out of every table that maps it, for all who use these. Takes no memory. The caller flushes the TLB. */
export function unmapPage(page: Page): void {
  while (page.rmap != 0) {
    const pte = rmapEntry(rmapNext(page, 0));
    Entry.store(pte, 0);
    pageRemoveRmap(page, pte);
    page.count--;
    const table = changetype<TablePage>(Frames.ofAddress(pte));
    table.present--;
  }
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
    if ((entry & PTE_MAPPED) != 0) Entry.store(pte, (entry & (PTE_FRAME | PTE_ACCESSED | PTE_DIRTY)) | bits);
  }
}
