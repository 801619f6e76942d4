/**
 * Ptes where no reverse map is kept (rmap=off): copying, emptying and searching them as Linux did before 2.5, with a reference
 * counted for each and nothing more. The loops stand apart from those of pagetable.ts, so that neither kind pays for the other.
 * Without the map, who maps a page is found out by looking at every pte of every table: each table once, whoever shares it.
 * There is no swap with it, so a pte maps a frame or is 0.
 * May import paging, page, pagealloc, shmem. Source: Linux 2.4 (mm/memory.c: copy_page_range, zap_pte_range).
 */
import { ENTRIES, Entry, flushTlb, PTE_DIRTY, PTE_MAPPED } from "../arch/i386/paging";
import { FrameKind, Frames, frameLimit, KIND_MASK, PAGE_DIRTY, TablePage } from "./page";
import { frameToVirt } from "./pagealloc";
import { putPage, SharedObject } from "./shmem";

/** Copies the ptes from address `first` up to `end` to where `distance` leads, with the bits in `keep`: as copyPtes. */
export function copyPlainPtes(first: usize, end: usize, distance: usize, keep: u32): void {
  for (let pte = first; pte < end; pte += 4) {
    const entry = Entry.load(pte);
    if ((entry & PTE_MAPPED) == 0) continue;
    Entry.store(pte, entry & keep);
    Entry.store(pte + distance, entry & keep);
    const page = Frames.ofEntry(entry);
    page.count++;
  }
}

/** Empties the ptes from address `first` up to `end`, all of `table`, which has some that map a frame: as zapPtes. */
export function zapPlainPtes(first: usize, end: usize, table: TablePage): void {
  let left = table.present;
  for (let pte = first; pte < end; pte += 4) {
    const entry = Entry.load(pte);
    if ((entry & PTE_MAPPED) == 0) continue;
    Entry.store(pte, 0);
    const page = Frames.ofEntry(entry);
    if (page.object != 0 && (entry & PTE_DIRTY) != 0) page.flags |= PAGE_DIRTY;
    if (page.count == 1) putPage(page);
    else page.count--;
    left--;
    if (left == 0) break;
  }
  table.present = left;
}

/**
 * Takes the pages of an object with index `from` and above out of every table that maps them, for all who use these. Private
 * copies are no pages of the object. Takes no memory. Flushes the TLB.
 */
export function unmapObject(object: SharedObject, from: u32): void {
  for (let frame: u32 = 0; frame < frameLimit; frame++) {
    const table = changetype<TablePage>(Frames.page(frame));
    if ((table.flags & KIND_MASK) != FrameKind.Table || table.present == 0) continue;
    const first = frameToVirt(frame);
    for (let pte = first; pte < first + ENTRIES * 4; pte += 4) {
      const entry = Entry.load(pte);
      if ((entry & PTE_MAPPED) == 0) continue;
      const page = Frames.ofEntry(entry);
      if (page.object != changetype<usize>(object) || page.index < from) continue;
      Entry.store(pte, 0);
      page.count--;
      table.present--;
    }
  }
  flushTlb();
}
