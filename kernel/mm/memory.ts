/**
 * The heart of memory management: what fork, unmapping and faults do to page tables, in Linux 2.4's functions and Phillips'
 * order. What must hold whenever the kernel returns to user mode or sleeps (I1–I3 and I7 are in ptshare.ts):
 *
 *   I4  The rmap of a frame names exactly the ptes that map it: one for each pte in a table, however many share the table.
 *   I5  A table's `present` is the number of its ptes that map a frame, so rss is a sum over tables.
 *   I6  The TLB grants nothing that the tables do not. There is one CPU and every switch loads CR3, so only the current
 *       directory's translations can be stale, and whoever takes a right away flushes before it returns.
 *   and: a slot has a table only while a mapping reaches into it, so walks go by mappings; a table has one directory and slot,
 *        that is, all its users see it at the same address.
 *
 * There is no zero page: a read fault takes a frame too, so every present pte is counted and in an rmap.
 * May import paging, pagetable, ptshare, forkpolicy, vmalist, page, pagealloc, rmap, shmem, marks.
 * Source: Linux 2.4 (mm/memory.c); Phillips, lkml, February 2002.
 */
import { Mark, UnshareCause } from "../abi/marks";
import {
  Entry,
  FAULT_PROTECTION,
  FAULT_WRITE,
  flushTlb,
  flushTlbPage,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_MAPPED,
  PTE_PRESENT,
  PTE_USER,
  PTE_WRITE,
} from "../arch/i386/paging";
import { mark } from "../lib/mark";
import { COPY_AFTER, ForkPolicy } from "./forkpolicy";
import { PAGE_BYTES, PAGE_OFFSET, PAGE_SHIFT, SLOT_BYTES, SLOT_SHIFT, STACK_LIMIT, USER_LOWEST } from "./layout";
import { FrameKind, Frames, Page, TablePage } from "./page";
import { allocFrame, clearPage, frameToVirt } from "./pagealloc";
import { copyTable, setPte, zapPtes } from "./pagetable";
import {
  adoptTable,
  countLocked,
  installTable,
  makeTableWritable,
  releaseTable,
  shareSlots,
  slotIsLocked,
  unshareRange,
} from "./ptshare";
import { chainReserve, chainUnreserve, pageAddRmap, pageRemoveRmap } from "./rmap";
import { objectPage, putPage, SharedObject } from "./shmem";
import { findVma, Mm, VM_ACCESS, VM_GROWSDOWN, VM_SHARED, VM_WRITE, Vma } from "./vmalist";
import { vmstat } from "./vmstat";

/** What became of a page fault. */
export const enum FaultResult {
  /** The access may be tried again. */
  Resolved = 0,
  /** No mapping allows it: SIGSEGV. */
  BadAccess = 1,
  /** There is no memory for it; nothing has changed. */
  OutOfMemory = 2,
  /** The page lies behind the end of its file: SIGBUS. */
  BeyondEnd = 3,
}

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
      } else if (forkMode == ForkMode.Share) {
        lost |= PTE_WRITE;
        done = shareUnlockedSlots(parent, child, vma, first, next);
      } else if (forkMode == ForkMode.Auto) {
        lost |= PTE_WRITE;
        done = chooseSlots(parent, child, vma, first, next, stackPointer >> SLOT_SHIFT);
      } else {
        lost |= PTE_WRITE;
        done = copySlots(parent, child, vma, first, next);
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
function chooseSlots(parent: Mm, child: Mm, vma: Vma, first: u32, end: u32, stackSlot: u32): bool {
  /** First slot of those before `slot` that are to be shared and are not yet. */
  let run = first;
  for (let slot = first; slot < end; slot++) {
    const pde = Entry.load(parent.directory + (slot << 2));
    if ((pde & PTE_PRESENT) == 0) continue;
    const table = changetype<TablePage>(Frames.ofEntry(pde));
    const streak = ForkPolicy.begin(table);
    if (slot != stackSlot && streak < COPY_AFTER && table.locked == 0) continue;
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

/**
 * mlock: faults in the pages of [start, end), all of it mapped and the address space current, each as it will be used: copied where
 * a write would copy it. Pages that allow no access stay as they are. False if there is no memory.
 */
export function populateRange(mm: Mm, start: usize, end: usize): bool {
  for (let address = start; address < end; address += PAGE_BYTES) {
    const vma = findVma(mm, address)!;
    if ((vma.flags & VM_ACCESS) == 0) continue;
    const wanted = (vma.flags & VM_WRITE) != 0 ? PTE_PRESENT | PTE_WRITE : PTE_PRESENT;
    const pde = Entry.load(Entry.pdeOf(mm.directory, address));
    const entry = (pde & PTE_PRESENT) != 0 ? Entry.load(Entry.pteOf(pde, address)) : 0;
    if ((pde & entry & wanted) == wanted) continue;
    const code = (entry & PTE_PRESENT) | (wanted & PTE_WRITE);
    if (handleMmFault(mm, address, code) != FaultResult.Resolved) return false;
  }
  return true;
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

/**
 * Serves a page fault of the current address space at a user address, from ring 3 or from the kernel's own access to user memory.
 * `errorCode` is the CPU's. The order is the algorithm's: may the mapping do this at all? then the pde; only then the pte. (The test
 * "mapped once, so reuse it" counts ptes, and would be wrong under a table that several processes see.)
 */
export function handleMmFault(mm: Mm, address: usize, errorCode: u32): FaultResult {
  const write = (errorCode & FAULT_WRITE) != 0;
  const vma = findVma(mm, address);
  if (vma === null) return FaultResult.BadAccess;
  if ((vma.flags & (write ? VM_WRITE : VM_ACCESS)) == 0) return FaultResult.BadAccess;
  if (address < vma.start) {
    const grown = growStack(mm, vma, address & ~PAGE_OFFSET);
    if (grown != FaultResult.Resolved) return grown;
  }
  const pdeAddress = Entry.pdeOf(mm.directory, address);
  let pde = Entry.load(pdeAddress);
  let mended = true;
  if ((pde & PTE_PRESENT) == 0) {
    if (!installTable(mm, pdeAddress)) return FaultResult.OutOfMemory;
  } else if (write && (pde & PTE_WRITE) == 0) {
    const cause = (errorCode & FAULT_PROTECTION) != 0 ? UnshareCause.Write : UnshareCause.NotPresentWrite;
    if (!makeTableWritable(mm, pdeAddress, cause)) return FaultResult.OutOfMemory;
  } else {
    mended = false;
  }
  pde = Entry.load(pdeAddress);
  const result = handlePteFault(vma, address, pde, write, mended);
  if (result == FaultResult.Resolved) vmstat.faults++;
  return result;
}

/** The pte's part of a fault. `mended`: the pde's part has changed something, which may have been all there was to do. */
function handlePteFault(vma: Vma, address: usize, pde: u32, write: bool, mended: bool): FaultResult {
  const pte = Entry.pteOf(pde, address);
  const entry = Entry.load(pte);
  if ((entry & PTE_MAPPED) == 0) {
    const object = vma.object;
    if (object !== null) return doObjectPage(vma, object, address, pte, write);
    return doPrivatePage(vma, address, pte, write || (pde & PTE_WRITE) != 0);
  }
  if (write && (entry & PTE_WRITE) == 0) return doWpPage(vma, address, pte, entry);
  if (mended) return FaultResult.Resolved;
  // The tables allow it already: the TLB had not heard of it.
  vmstat.faultsSpurious++;
  flushTlbPage(address);
  return FaultResult.Resolved;
}

/**
 * First use of a page of a private mapping: zeros, or the program file's bytes. Under a table that is shared, where only reads come,
 * the page appears for all its users and is not writable.
 */
function doPrivatePage(vma: Vma, address: usize, pte: usize, exclusive: bool): FaultResult {
  const frame = allocFrame(FrameKind.Data);
  if (frame == 0) return FaultResult.OutOfMemory;
  fillPage(vma, (address & ~PAGE_OFFSET) - vma.start, frameToVirt(frame));
  setPte(pte, newPage(frame), vma, exclusive && (vma.flags & VM_WRITE) != 0);
  vmstat.pagesFilled++;
  return FaultResult.Resolved;
}

/** Fills the page at `offset` of a private mapping. */
function fillPage(vma: Vma, offset: u32, target: usize): void {
  if (offset >= vma.sourceBytes) {
    clearPage(target);
    return;
  }
  const bytes = min<u32>(vma.sourceBytes - offset, PAGE_BYTES);
  memory.copy(target, vma.source + offset, bytes);
  memory.fill(target + bytes, 0, PAGE_BYTES - bytes);
}

/** The Page of a data frame just taken: mapped by no pte, referred to by nobody. */
function newPage(frame: u32): Page {
  const page = Frames.page(frame);
  page.count = 0;
  page.rmap = 0;
  page.object = 0;
  return page;
}

/**
 * First use, through this table, of a page of a shared mapping or a file; others may have it already. A private mapping
 * shows it without W, and a write copies it at once.
 */
function doObjectPage(vma: Vma, object: SharedObject, address: usize, pte: usize, write: bool): FaultResult {
  const index = vma.offset + ((address - vma.start) >> PAGE_SHIFT);
  if (index >= object.pages) return FaultResult.BeyondEnd;
  if (!chainReserve(1)) return FaultResult.OutOfMemory;
  const isShared = (vma.flags & VM_SHARED) != 0;
  const page = objectPage(object, index);
  if (page !== null) {
    setPte(pte, page, vma, isShared && (vma.flags & VM_WRITE) != 0);
    vmstat.pagesFilled++;
  }
  chainUnreserve(1);
  if (page === null) return FaultResult.OutOfMemory;
  return write && !isShared ? doWpPage(vma, address, pte, Entry.load(pte)) : FaultResult.Resolved;
}

/**
 * A write to a page that is present but not writable, through a table that is this process's own. Mapped once, or meant to be seen by
 * others: make it writable. Else copy it; the new page has one rmap entry, which takes no memory.
 */
function doWpPage(vma: Vma, address: usize, pte: usize, entry: u32): FaultResult {
  const page = Frames.ofEntry(entry);
  if (page.count == 1 || (vma.flags & VM_SHARED) != 0) {
    Entry.store(pte, entry | PTE_WRITE | PTE_DIRTY);
    flushTlbPage(address);
    vmstat.cowReuses++;
    return FaultResult.Resolved;
  }
  const frame = allocFrame(FrameKind.Data);
  if (frame == 0) return FaultResult.OutOfMemory;
  memory.copy(frameToVirt(frame), Frames.virtual(page), PAGE_BYTES);
  const copy = newPage(frame);
  copy.count = 1;
  Entry.store(pte, (frame << PAGE_SHIFT) | PTE_PRESENT | PTE_USER | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY);
  pageAddRmap(copy, pte);
  pageRemoveRmap(page, pte);
  ForkPolicy.diverged(changetype<TablePage>(Frames.ofAddress(pte)));
  putPage(page);
  flushTlbPage(address);
  vmstat.cowCopies++;
  mark(Mark.CopyOnWrite, address >> SLOT_SHIFT);
  return FaultResult.Resolved;
}

/** An access below a mapping: if that is a stack with room to grow, moves its start down to `start` (a page). */
function growStack(mm: Mm, vma: Vma, start: usize): FaultResult {
  if ((vma.flags & VM_GROWSDOWN) == 0 || vma.end - start > STACK_LIMIT || start < USER_LOWEST) {
    return FaultResult.BadAccess;
  }
  if (!unshareRange(mm, start, vma.start, UnshareCause.StackGrowth)) return FaultResult.OutOfMemory;
  const bottom = vma.start;
  vma.start = start;
  countLocked(mm, start, bottom);
  return FaultResult.Resolved;
}
