/**
 * The heart of memory management: what fork and unmapping do to page tables, in Linux 2.4's functions and Phillips'
 * order; faults are in fault.ts. What must hold whenever the kernel returns to user mode or sleeps (I1–I3 and I7 are in ptshare.ts):
 *
 *   I4  The rmap of a frame names exactly the ptes that map it: one for each pte in a table, however many share the table.
 *   I5  A table's `present` is the number of its ptes that map a frame, `swapped` of those that hold a swap entry, so rss is a sum over
 *       tables.
 *   I6  The TLB grants nothing that the tables do not. There is one CPU and every switch loads CR3, so only the current
 *       directory's translations can be stale, and whoever takes a right away flushes before it returns.
 *   and: a slot has a table only while a mapping reaches into it, so walks go by mappings; a table has one directory and slot,
 *        that is, all its users see it at the same address.
 *
 * May import paging, pagetable, ptshare, forkpolicy, vmalist, page.
 * Source: Linux 2.4 (mm/memory.c); Phillips, lkml, February 2002.
 */
import { Entry, flushTlb, PTE_PRESENT, PTE_WRITE } from "../arch/i386/paging";
import { splitStackPage } from "./fault";
import { ForkPolicy } from "./forkpolicy";
import { SLOT_BYTES, SLOT_SHIFT } from "./layout";
import { Frames, TablePage } from "./page";
import { copyTable, zapPtes } from "./pagetable";
import { adoptTable, releaseTable, shareSlots, slotIsLocked } from "./ptshare";
import { findVma, Mm, Vma } from "./vmalist";
import { vmstat } from "./vmstat";

/** What fork does with page tables. */
export const enum ForkMode {
  /** Copies each, as Linux 2.4 does. */
  Copy = 0,
  /** Shares each until it is written under. */
  Share = 1,
  /** Shares, but copies where a write is nearly certain: forkpolicy.ts. */
  Auto = 2,
}

let forkMode: ForkMode = ForkMode.Auto;

/** Sets what fork does from now on. */
export function setForkMode(mode: ForkMode): void {
  forkMode = mode;
}

/**
 * fork's page tables: makes the child's directory, which is empty in user space and whose mappings are already copies of the
 * parent's, show what the parent's shows. The parent is current, with its user stack at `stackPointer`. False if there is no
 * memory: the child has then part of the tables, which mmDestroy gives back. The parent's TLB is flushed in any case.
 */
export function copyPageRange(child: Mm, parent: Mm, stackPointer: usize): bool {
  let next: u32 = 0;
  let lost: u32 = 0;
  let done = true;
  let vma: Vma | null = parent.vmas;
  while (vma !== null && done) {
    const first = max<u32>(vma.start >> SLOT_SHIFT, next);
    next = ((vma.end - 1) >> SLOT_SHIFT) + 1;
    if (first < next) {
      if (forkMode == ForkMode.Share && parent.locks == 0) {
        lost |= shareSlots(parent, child, vma, first, next);
      } else {
        lost = PTE_WRITE;
        if (forkMode == ForkMode.Auto) done = chooseSlots(parent, child, vma, first, next, stackPointer);
        else if (forkMode == ForkMode.Copy) done = copySlots(parent, child, vma, first, next);
        else done = shareUnlockedSlots(parent, child, vma, first, next);
      }
    }
    vma = vma.next;
  }
  if (lost != 0) flushTlb();
  return done;
}

/** As shareSlots, of a process that uses mlock: copies the tables that have locked pages. False: no memory. */
function shareUnlockedSlots(parent: Mm, child: Mm, vma: Vma, first: u32, end: u32): bool {
  for (let slot = first; slot < end; slot++) {
    if (!slotIsLocked(parent, slot)) shareSlots(parent, child, vma, slot, slot + 1);
    else if (!copySlots(parent, child, vma, slot, slot + 1)) return false;
  }
  return true;
}

/** Copies the tables in slots `first` up to `end`, all reached by `vma` and by no mapping before it. False: no memory. */
function copySlots(parent: Mm, child: Mm, vma: Vma, first: u32, end: u32): bool {
  for (let slot = first; slot < end; slot++) {
    const pde = Entry.load(parent.directory + (slot << 2));
    if ((pde & PTE_PRESENT) == 0) continue;
    const frame = copyTable(Entry.target(pde), vma);
    if (frame == 0) return false;
    adoptTable(child.directory + (slot << 2), frame);
    vmstat.tablesCopied++;
  }
  return true;
}

/**
 * fork=auto's part of copyPageRange, with the arguments of copySlots: copies the tables that forkpolicy.ts names and shares
 * the others; shares too what there is no memory to copy (I7). False: no memory to copy a table with locked pages.
 */
function chooseSlots(parent: Mm, child: Mm, vma: Vma, first: u32, end: u32, stackPointer: usize): bool {
  /** First slot of those before `slot` that are to be shared and are not yet. */
  let run = first;
  const stackSlot = stackPointer >> SLOT_SHIFT;
  for (let slot = first; slot < end; slot++) {
    const pde = Entry.load(parent.directory + (slot << 2));
    if ((pde & PTE_PRESENT) == 0) continue;
    const table = changetype<TablePage>(Frames.ofEntry(pde));
    // The stack's table has no history: nothing is to be learned of it.
    if (slot != stackSlot && !ForkPolicy.begin(table) && table.locked == 0) continue;
    const frame = copyTable(Entry.target(pde), vma);
    if (frame == 0) {
      if (table.locked != 0) return false;
      continue;
    }
    if (run < slot) shareSlots(parent, child, vma, run, slot);
    run = slot + 1;
    ForkPolicy.inherit(changetype<TablePage>(Frames.page(frame)), table);
    adoptTable(child.directory + (slot << 2), frame);
    vmstat.tablesCopied++;
    if (slot == stackSlot) splitStackPage(parent, child, stackPointer);
  }
  if (run < end) shareSlots(parent, child, vma, run, end);
  return true;
}

/**
 * Unmaps [start, end), from which the mappings are gone already and whose edge slots nobody shares any more if they keep other
 * mappings. A slot that keeps none just gives up its table. Flushes the TLB. Cannot fail.
 */
export function zapPageRange(mm: Mm, start: usize, end: usize): void {
  let address = start;
  while (address < end) {
    const slotEnd = (address & ~(SLOT_BYTES - 1)) + SLOT_BYTES;
    const partEnd = min<u32>(slotEnd, end);
    const pdeAddress = Entry.pdeOf(mm.directory, address);
    const pde = Entry.load(pdeAddress);
    if ((pde & PTE_PRESENT) != 0) {
      if (slotKeepsMapping(mm, address)) {
        const first = Entry.pteOf(pde, address);
        zapPtes(first, first + ((partEnd - address) >> 10));
      } else {
        releaseTable(mm, pdeAddress);
      }
    }
    address = partEnd;
  }
  flushTlb();
}

/** Gives up the tables in the slots of [start, end) that no mapping reaches into: an edit that failed had made them. */
export function releaseUnmapped(mm: Mm, start: usize, end: usize): void {
  const last = (end - 1) >> SLOT_SHIFT;
  for (let slot = start >> SLOT_SHIFT; slot <= last; slot++) {
    const pdeAddress = mm.directory + (slot << 2);
    if ((Entry.load(pdeAddress) & PTE_PRESENT) != 0 && !slotKeepsMapping(mm, slot << SLOT_SHIFT)) {
      releaseTable(mm, pdeAddress);
    }
  }
  flushTlb();
}

/** Whether any mapping reaches into the slot of an address. */
function slotKeepsMapping(mm: Mm, address: usize): bool {
  const slotStart = address & ~(SLOT_BYTES - 1);
  const vma = findVma(mm, slotStart);
  return vma !== null && vma.start < slotStart + SLOT_BYTES;
}

/**
 * MADV_DONTNEED: the pages of [start, end) go, the mappings stay. No table that the range covers in part is shared any more; one that
 * it covers whole is given up. Flushes the TLB. Cannot fail.
 */
export function dropPageRange(mm: Mm, start: usize, end: usize): void {
  let address = start;
  while (address < end) {
    const slotEnd = (address & ~(SLOT_BYTES - 1)) + SLOT_BYTES;
    const partEnd = min<u32>(slotEnd, end);
    const pdeAddress = Entry.pdeOf(mm.directory, address);
    const pde = Entry.load(pdeAddress);
    if ((pde & PTE_PRESENT) != 0) {
      if (partEnd - address == SLOT_BYTES) {
        releaseTable(mm, pdeAddress);
      } else {
        const first = Entry.pteOf(pde, address);
        zapPtes(first, first + ((partEnd - address) >> 10));
      }
    }
    address = partEnd;
  }
  flushTlb();
}

/** Gives up every table of an address space that is not in CR3: the end of its user half. */
export function zapAll(mm: Mm): void {
  let next: u32 = 0;
  let vma: Vma | null = mm.vmas;
  while (vma !== null) {
    const last = (vma.end - 1) >> SLOT_SHIFT;
    for (let slot = max<u32>(vma.start >> SLOT_SHIFT, next); slot <= last; slot++) {
      const pdeAddress = mm.directory + (slot << 2);
      if ((Entry.load(pdeAddress) & PTE_PRESENT) != 0) releaseTable(mm, pdeAddress);
    }
    next = last + 1;
    vma = vma.next;
  }
}
