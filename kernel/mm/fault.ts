/**
 * Page faults: who may do what, which table, which page, in the algorithm's order. First the mapping: is the access allowed at all (else
 * nothing is unshared)? Then the pde: a write under a shared table unshares it. Only then the pte. (The test "mapped once, so reuse
 * it" counts ptes, and would be wrong under a table that several processes see.)
 *
 * Nothing here sleeps. A page that must be read from the disk first is FaultResult.Waiting: the read is on its way, and whoever may
 * sleep does so and lets the instruction fault again; by then anything may have changed, and it is looked at again from the start.
 * Who may not sleep calls `resolveFault`, which drives the disk by polling. Allocation may reclaim, that is, empty ptes of any table, this one
 * too: what is read of a pte holds until the next allocation.
 *
 * There is no zero page: a read fault takes a frame too, so every present pte is counted and in an rmap.
 * The invariants are at the top of memory.ts and ptshare.ts. May import paging, pagetable, ptshare, forkpolicy, vmalist, page, pagealloc,
 * rmap, shmem, swap, the disk queue, marks. Source: Linux 2.4 (mm/memory.c: handle_mm_fault, do_wp_page, do_no_page, do_swap_page).
 */
import { Mark, UnshareCause } from "../abi/marks";
import {
  Entry,
  FAULT_PROTECTION,
  FAULT_WRITE,
  flushTlbPage,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_LOCKED,
  PTE_MAPPED,
  PTE_PRESENT,
  PTE_USER,
  PTE_WRITE,
} from "../arch/i386/paging";
import { diskPollBegin, diskPollEnd } from "../drivers/diskqueue";
import { mark } from "../lib/mark";
import { ForkPolicy } from "./forkpolicy";
import { PAGE_BYTES, PAGE_OFFSET, PAGE_SHIFT, SLOT_SHIFT, STACK_LIMIT, USER_LOWEST } from "./layout";
import { lruAdd } from "./lru";
import { releaseUnmapped } from "./memory";
import { FrameKind, Frames, Page, TablePage } from "./page";
import { allocFrame, clearPage, frameToVirt, freeFrame } from "./pagealloc";
import { putMappedPage, setPte } from "./pagetable";
import { countLocked, installTable, makeTableWritable, unshareRange } from "./ptshare";
import { chainReserve, chainUnreserve, pageAddRmap, pageRemoveRmap } from "./rmap";
import { objectFill, objectFind, SharedObject } from "./shmem";
import { ownPage, SwapIn, swapCachePage, swapFree, swapIn, swapWait } from "./swap";
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
  /** The page lies behind the end of its file, or cannot be read: SIGBUS. */
  NoPage = 3,
  /** The disk is reading it: swapWait, and then the access may be tried again. */
  Waiting = 4,
}

/**
 * Serves a page fault of an address space at a user address, from ring 3 or from the kernel's own access to user memory; the address
 * space is the one in CR3. `errorCode` is the CPU's. Never sleeps.
 */
export function handleMmFault(mm: Mm, address: usize, errorCode: u32): FaultResult {
  const write = (errorCode & FAULT_WRITE) != 0;
  const vma = findVma(mm, address);
  if (vma === null) return FaultResult.BadAccess;
  if ((vma.flags & (write ? VM_WRITE : VM_ACCESS)) == 0) return FaultResult.BadAccess;
  const bottom = vma.start;
  if (address < bottom) {
    const grown = growStack(mm, vma, address & ~PAGE_OFFSET);
    if (grown != FaultResult.Resolved) return grown;
  }
  const result = handleTableFault(mm, vma, address, errorCode);
  if (result == FaultResult.Resolved) vmstat.faults++;
  else if (result == FaultResult.Waiting) vmstat.faultsWaiting++;
  else if (vma.start != bottom) shrinkStack(mm, vma, bottom);
  return result;
}

/** The pde's part of a fault that the mapping allows, and then the pte's. */
function handleTableFault(mm: Mm, vma: Vma, address: usize, errorCode: u32): FaultResult {
  const write = (errorCode & FAULT_WRITE) != 0;
  const pdeAddress = Entry.pdeOf(mm.directory, address);
  let pde = Entry.load(pdeAddress);
  let mended = true;
  if ((pde & PTE_PRESENT) == 0) {
    if (!installTable(mm, pdeAddress)) return FaultResult.OutOfMemory;
  } else if (write && (pde & PTE_WRITE) == 0) {
    const cause = (errorCode & FAULT_PROTECTION) != 0 ? UnshareCause.Write : UnshareCause.NotPresentWrite;
    if (!makeTableWritable(mm, address, cause)) return FaultResult.OutOfMemory;
  } else {
    mended = false;
  }
  pde = Entry.load(pdeAddress);
  return handlePteFault(vma, address, pde, write, mended);
}

/** handleMmFault for who may not sleep: the disk is polled until the page is there. Never FaultResult.Waiting. */
export function resolveFault(mm: Mm, address: usize, errorCode: u32): FaultResult {
  diskPollBegin();
  let result = handleMmFault(mm, address, errorCode);
  while (result == FaultResult.Waiting) {
    swapWait();
    result = handleMmFault(mm, address, errorCode);
  }
  diskPollEnd();
  return result;
}

/** The pte's part of a fault. `mended`: the pde's part has changed something, which may have been all there was to do. */
function handlePteFault(vma: Vma, address: usize, pde: u32, write: bool, mended: bool): FaultResult {
  const pte = Entry.pteOf(pde, address);
  const entry = Entry.load(pte);
  if ((entry & PTE_MAPPED) == 0) {
    if (entry != 0) return doSwapPage(vma, address, pte, entry, write);
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

/** The Page of a data frame just taken: mapped by no pte, referred to by nobody, and reclaim may come for it. */
function newPage(frame: u32): Page {
  const page = Frames.page(frame);
  page.count = 0;
  page.rmap = 0;
  page.object = 0;
  lruAdd(page);
  return page;
}

/** What a fault comes to that has looked for a page on the disk and not found it Here. */
function withoutPage(found: SwapIn): FaultResult {
  if (found == SwapIn.OutOfMemory) return FaultResult.OutOfMemory;
  return found == SwapIn.Waiting ? FaultResult.Waiting : FaultResult.NoPage;
}

/**
 * First use, through this table, of a page of a shared mapping or a file; others may have it already. A private mapping
 * shows it without W, and a write copies it at once.
 */
function doObjectPage(vma: Vma, object: SharedObject, address: usize, pte: usize, write: bool): FaultResult {
  const index = vma.offset + ((address - vma.start) >> PAGE_SHIFT);
  if (index >= object.pages) return FaultResult.NoPage;
  if (!chainReserve(1)) return FaultResult.OutOfMemory;
  const isShared = (vma.flags & VM_SHARED) != 0;
  const found = objectFill(object, index);
  if (found == SwapIn.Here) {
    setPte(pte, objectFind(object, index)!, vma, isShared && (vma.flags & VM_WRITE) != 0);
    vmstat.pagesFilled++;
  }
  chainUnreserve(1);
  if (found != SwapIn.Here) return withoutPage(found);
  return write && !isShared ? doWpPage(vma, address, pte, Entry.load(pte)) : FaultResult.Resolved;
}

/**
 * A page that was evicted: its pte holds a swap entry. Under a shared table, where only reads come, it comes back for all users (P41). It
 * is not writable at first; a write then takes it out of the swap cache, or copies it where others refer to it.
 */
function doSwapPage(vma: Vma, address: usize, pte: usize, entry: u32, write: bool): FaultResult {
  const slot = entry >> PAGE_SHIFT;
  if (!chainReserve(1)) return FaultResult.OutOfMemory;
  const found = swapIn(slot);
  if (found == SwapIn.Here) {
    const page = swapCachePage(slot)!;
    setPte(pte, page, vma, false);
    mark(Mark.SwapIn, Frames.number(page));
    const table = changetype<TablePage>(Frames.ofAddress(pte));
    table.swapped--;
    swapFree(slot);
  }
  chainUnreserve(1);
  if (found != SwapIn.Here) return withoutPage(found);
  return write ? doWpPage(vma, address, pte, Entry.load(pte)) : FaultResult.Resolved;
}

/** swapoff: brings in the page whose swap entry the pte of an address holds, for all who use the table. As a read fault. */
export function bringIn(mm: Mm, address: usize, pte: usize): FaultResult {
  return doSwapPage(findVma(mm, address)!, address, pte, Entry.load(pte), false);
}

/**
 * A write to a page that is present but not writable, through a table that is this process's own. Nobody else's, or meant to be seen by
 * others: make it writable. Else copy it; the new page has one rmap entry, which takes no memory.
 */
function doWpPage(vma: Vma, address: usize, pte: usize, entry: u32): FaultResult {
  const page = Frames.ofEntry(entry);
  if ((vma.flags & VM_SHARED) != 0 || ownPage(page)) {
    Entry.store(pte, entry | PTE_WRITE | PTE_DIRTY);
    flushTlbPage(address);
    vmstat.cowReuses++;
    return FaultResult.Resolved;
  }
  const frame = allocFrame(FrameKind.Data);
  if (frame == 0) return FaultResult.OutOfMemory;
  if (Entry.load(pte) != entry) {
    // Reclaim has been at this very page: the access is tried again.
    freeFrame(frame);
    return FaultResult.Resolved;
  }
  memory.copy(frameToVirt(frame), Frames.virtual(page), PAGE_BYTES);
  const copy = newPage(frame);
  copy.count = 1;
  const bits = PTE_PRESENT | PTE_USER | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY | (entry & PTE_LOCKED);
  Entry.store(pte, (frame << PAGE_SHIFT) | bits);
  pageAddRmap(copy, pte);
  pageRemoveRmap(page, pte);
  ForkPolicy.diverged(changetype<TablePage>(Frames.ofAddress(pte)));
  putMappedPage(page, entry);
  flushTlbPage(address);
  vmstat.cowCopies++;
  mark(Mark.CopyOnWrite, address >> SLOT_SHIFT);
  return FaultResult.Resolved;
}

/**
 * fork=auto: parent and child write to the page under the user stack pointer as soon as they return, so that both faults are served at
 * once. The child has its own copy of the table; the parent is current. Where there is no memory, the faults come later.
 */
export function splitStackPage(parent: Mm, child: Mm, stackPointer: usize): void {
  const vma = findVma(parent, stackPointer);
  if (vma === null || stackPointer < vma.start || (vma.flags & (VM_WRITE | VM_SHARED)) != VM_WRITE) return;
  const pte = Entry.pteOf(Entry.load(Entry.pdeOf(child.directory, stackPointer)), stackPointer);
  const entry = Entry.load(pte);
  if ((entry & PTE_PRESENT) == 0 || doWpPage(vma, stackPointer, pte, entry) != FaultResult.Resolved) return;
  const left = Entry.pteOf(Entry.load(Entry.pdeOf(parent.directory, stackPointer)), stackPointer);
  const old = Entry.load(left);
  if ((old & PTE_PRESENT) != 0 && ownPage(Frames.ofEntry(old))) Entry.store(left, old | PTE_WRITE);
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

/** The stack that has just grown gets no page: it is as it was (I7). What grew is empty, but it may have got a table. */
function shrinkStack(mm: Mm, vma: Vma, bottom: usize): void {
  const start = vma.start;
  vma.start = bottom;
  releaseUnmapped(mm, start, bottom);
  countLocked(mm, start, bottom);
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
    if (resolveFault(mm, address, code) != FaultResult.Resolved) return false;
  }
  return true;
}
