/**
 * Shared page tables: the only file that knows that a table may have several users.
 *
 * A table's `users` counts the page directories whose slot points at it. It is 1 from `installTable`, goes up in `shareTables`
 * (fork) and down in `releaseTable` (exit, exec, munmap) and `unshareTable` (a sharer wants to differ). What must hold whenever
 * the kernel returns to user mode or sleeps:
 *
 *   I1  users is that count, and counts nothing else.
 *   I2  While users > 1 the pdes are read-only, so that no sharer can write through the table; its ptes keep their own W.
 *       Only where the slot holds nothing but MAP_SHARED mappings are they writable: writing is what those are for, and
 *       there every user may also fill the table for all.
 *   I3  All users have the same mappings over the slot. fork makes it so; whoever edits a mapping first calls
 *       `unshareRange`. So any user may serve a read fault for all. mlock is not inherited, so a table with locked pages,
 *       which `countLocked` keeps count of, is copied at fork.
 *   I7  Unsharing takes all its memory first. From there on it cannot fail, and nothing sleeps.
 *
 * I4–I6 (rmap, present, TLB) are at the top of memory.ts. W set in the pde of a table with one user says nothing new; W clear in
 * it is what fork left behind when the other users were gone first, and `makeTableWritable` mends that without copying.
 * May import paging, pagetable, forkpolicy, vmalist, marks. Source: Phillips, "Lazy page table instantiation", lkml, February 2002.
 */
import { Mark, UnshareCause } from "../abi/marks";
import { Entry, flushTlb, flushTlbPage, PDE_TABLE, PTE_PRESENT, PTE_WRITE } from "../arch/i386/paging";
import { mark } from "../lib/mark";
import { ForkPolicy } from "./forkpolicy";
import { PAGE_SHIFT, SLOT_BYTES, SLOT_SHIFT } from "./layout";
import { Frames, TablePage } from "./page";
import { allocTable, copyTable, freeTable } from "./pagetable";
import { firstVmaAbove, lockedPages, Mm, VM_SHARED, Vma } from "./vmalist";
import { vmstat } from "./vmstat";

/** UnshareCause lies above the slot in a mark. */
const CAUSE_SHIFT: u32 = 10;

/** Slot of the pde at an address. */
function slotOf(mm: Mm, pdeAddress: usize): u32 {
  return (pdeAddress - mm.directory) >> 2;
}

/** struct Page of the table that a pde points at. */
function tableOf(pde: u32): TablePage {
  return changetype<TablePage>(Frames.ofEntry(pde));
}

/** Puts `frame`, a table that nobody uses yet, into a slot, writable: one user. */
export function adoptTable(pdeAddress: usize, frame: u32): void {
  const table = changetype<TablePage>(Frames.page(frame));
  table.users = 1;
  Entry.store(pdeAddress, (frame << PAGE_SHIFT) | PDE_TABLE);
}

/** Gives an empty slot a table of its own. False if there is no memory. */
export function installTable(mm: Mm, pdeAddress: usize): bool {
  const frame = allocTable(slotOf(mm, pdeAddress));
  if (frame == 0) return false;
  adoptTable(pdeAddress, frame);
  const slotStart = slotOf(mm, pdeAddress) << SLOT_SHIFT;
  countLocked(mm, slotStart, slotStart + SLOT_BYTES);
  return true;
}

/** Counts anew what lies under mlock in each table that [start, end) reaches into, after an edit of its mappings. */
export function countLocked(mm: Mm, start: usize, end: usize): void {
  if (mm.locks == 0 || start >= end) return;
  const last = (end - 1) >> SLOT_SHIFT;
  for (let slot = start >> SLOT_SHIFT; slot <= last; slot++) {
    const pde = Entry.load(mm.directory + (slot << 2));
    if ((pde & PTE_PRESENT) == 0) continue;
    const table = tableOf(pde);
    // A table that others use has none, and an edit of its slot has unshared it.
    if (table.users == 1) table.locked = lockedPages(mm, slot << SLOT_SHIFT, (slot + 1) << SLOT_SHIFT);
  }
}

/** Whether the table in a slot has pages under mlock; false where there is no table. */
export function slotIsLocked(mm: Mm, slot: u32): bool {
  const pde = Entry.load(mm.directory + (slot << 2));
  return (pde & PTE_PRESENT) != 0 && tableOf(pde).locked != 0;
}

/** Whether nothing but MAP_SHARED mappings reach into the slot that ends at `slotEnd`; `first` is the first that does. */
function onlySharedMappings(first: Vma, slotEnd: usize): bool {
  let vma: Vma | null = first;
  while (vma !== null && vma.start < slotEnd) {
    if ((vma.flags & VM_SHARED) == 0) return false;
    vma = vma.next;
  }
  return true;
}

/**
 * fork of the tables in slots `first` up to `end`, all reached by `vma` and by no mapping before it: the child's empty pdes become the
 * same as the parent's, read-only unless the slot holds MAP_SHARED mappings only. Returns W if any of the parent's pdes lost it:
 * then its TLB must be flushed before it runs. Touches no pte; cannot fail.
 */
export function shareSlots(parent: Mm, child: Mm, vma: Vma, first: u32, end: u32): u32 {
  if ((vma.flags & VM_SHARED) == 0) return shareTables(parent.directory, child.directory, first, end, false);
  // Only into its last slot may other mappings reach.
  shareTables(parent.directory, child.directory, first, end - 1, true);
  const alone = onlySharedMappings(vma, end << SLOT_SHIFT);
  return shareTables(parent.directory, child.directory, end - 1, end, alone);
}

/** Shares the tables in slots `first` up to `end`, with W or without. Returns W if a pde of the parent's lost it. */
function shareTables(parent: usize, child: usize, first: u32, end: u32, writable: bool): u32 {
  const set = writable ? PTE_WRITE : 0;
  let seen: u32 = 0;
  let shared: u32 = 0;
  for (let slot = first; slot < end; slot++) {
    const pde = Entry.load(parent + (slot << 2));
    if ((pde & PTE_PRESENT) == 0) continue;
    const protectedPde = (pde & ~PTE_WRITE) | set;
    Entry.store(parent + (slot << 2), protectedPde);
    Entry.store(child + (slot << 2), protectedPde);
    const table = tableOf(pde);
    table.users++;
    shared++;
    seen |= pde;
    mark(Mark.Share, slot);
  }
  vmstat.tablesShared += shared;
  return seen & PTE_WRITE & ~set;
}

/**
 * A write to `address` wants through a read-only pde. The last user gets its W back: no table is copied and no count changes. With other
 * users, it gets its own copy. False if there is no memory, and then nothing has changed.
 */
export function makeTableWritable(mm: Mm, address: usize, cause: UnshareCause): bool {
  const pdeAddress = Entry.pdeOf(mm.directory, address);
  const pde = Entry.load(pdeAddress);
  if (tableOf(pde).users > 1) return unshareTable(mm, address, cause);
  Entry.store(pdeAddress, pde | PTE_WRITE);
  flushTlb();
  vmstat.tablesReclaimed++;
  return true;
}

/**
 * Gives `mm` its own copy of the table that it shares in the slot of `address`. False if there is no memory, and then nothing has
 * changed. Translations in the TLB stay: under a pde without W none lets write, and each leads where the copy leads too. What does
 * not stay is what the processor may keep of the pde, and that of `address`, to be used next (Intel SDM volume 3, 4.10.4.1).
 */
function unshareTable(mm: Mm, address: usize, cause: UnshareCause): bool {
  const pdeAddress = Entry.pdeOf(mm.directory, address);
  const pde = Entry.load(pdeAddress);
  const slot = slotOf(mm, pdeAddress);
  const frame = copyTable(Entry.target(pde), firstVmaAbove(mm, slot << SLOT_SHIFT));
  if (frame == 0) return false;
  adoptTable(pdeAddress, frame);
  const table = tableOf(pde);
  table.users--;
  ForkPolicy.diverged(table);
  ForkPolicy.inherit(changetype<TablePage>(Frames.page(frame)), table);
  flushTlbPage(address);
  vmstat.tablesUnshared++;
  mark(Mark.Unshare, (cause << CAUSE_SHIFT) | slot);
  return true;
}

/**
 * I3: to be called before any edit of the mappings of [start, end). No table that reaches into it is shared afterwards. False
 * if there is no memory: some are unshared, which nobody can see.
 */
export function unshareRange(mm: Mm, start: usize, end: usize, cause: UnshareCause): bool {
  if (start >= end) return true;
  const last = (end - 1) >> SLOT_SHIFT;
  for (let slot = start >> SLOT_SHIFT; slot <= last; slot++) {
    const pde = Entry.load(mm.directory + (slot << 2));
    if ((pde & PTE_PRESENT) == 0 || tableOf(pde).users == 1) continue;
    if (!unshareTable(mm, slot << SLOT_SHIFT, cause)) return false;
  }
  return true;
}

/**
 * The slot at `pdeAddress` holds no mapping any more: gives up its use of the table. Other users keep it as it is, no pte is
 * touched; with the last it is emptied and freed. The caller flushes before anything can be allocated.
 */
export function releaseTable(mm: Mm, pdeAddress: usize): void {
  const pde = Entry.load(pdeAddress);
  Entry.store(pdeAddress, 0);
  const table = tableOf(pde);
  table.users--;
  if (table.users == 0) {
    freeTable(Entry.target(pde));
    return;
  }
  vmstat.tablesReleased++;
  mark(Mark.Release, slotOf(mm, pdeAddress));
}
