/**
 * What /proc shows of a process's page tables, for tests and for people who look. It reads directories, tables, struct
 * Page and the reverse map, and changes none of them: no fault, no unsharing, no allocation.
 *
 *     /proc/PID/tables    a line for each present user slot: `slot frame users writable present sum`, frame and sum in
 *                         hexadecimal; `sum` depends on every bit of the table's 1024 entries and on their order
 *     /proc/PID/pagemap   a PageMapRecord for each virtual page of the 4 GB, by page number
 *
 * May import paging, page, rmap, vmalist, format.
 */
import { cstr } from "../abi/intrinsics";
import { ENTRIES, Entry, PTE_MAPPED, PTE_PRESENT, USER_SLOTS } from "../arch/i386/paging";
import { bufferByte, formatText, TextBuffer } from "../lib/format";
import { PAGE_SHIFT, SLOT_SHIFT } from "../mm/layout";
import { Frames, TablePage } from "../mm/page";
import { rmapEntry, rmapNext } from "../mm/rmap";
import { Mm } from "../mm/vmalist";

/** One page of /proc/PID/pagemap. */
@unmanaged
export class PageMapRecord {
  pde: u32 = 0;
  /** 0 where there is no table; of a 4 MB page the pde. */
  pte: u32 = 0;
  /** Of the table: directories that point at it, and ptes that map a frame. 0 without a table. */
  users: u32 = 0;
  present: u32 = 0;
  /** Of the frame that the pte maps: entries in its reverse map, and how many of them are ptes that map it. */
  rmapEntries: u32 = 0;
  rmapVerified: u32 = 0;
  /** References to that frame. */
  references: u32 = 0;
  reserved: u32 = 0;
}
export const PAGE_MAP_RECORD_BYTES: u32 = 32;
/** Bit 7 of a pde: it maps 4 MB and points at no table. */
const PDE_LARGE: u32 = 0x80;

/** A hash of the table at a kernel virtual address: h = rotl(h, 5) ^ entry, over all entries. */
function tableSum(table: usize): u32 {
  let sum: u32 = 0;
  for (let entry = table; entry < table + ENTRIES * 4; entry += 4) sum = rotl<u32>(sum, 5) ^ Entry.load(entry);
  return sum;
}

/** Prints the lines of /proc/PID/tables. */
export function printTables(text: TextBuffer, mm: Mm): void {
  for (let slot: u32 = 0; slot < USER_SLOTS; slot++) {
    const pde = Entry.load(mm.directory + (slot << 2));
    if ((pde & PTE_PRESENT) == 0) continue;
    const table = changetype<TablePage>(Frames.ofEntry(pde));
    const context = changetype<usize>(text);
    formatText(bufferByte, context, cstr("%u %x %u %u "), slot, pde >> PAGE_SHIFT, table.users, (pde >> 1) & 1);
    formatText(bufferByte, context, cstr("%u %x\n"), table.present, tableSum(Entry.target(pde)), 0, 0);
  }
}

/** Fills the record for virtual page number `page` of an address space. */
export function fillPageMap(record: PageMapRecord, mm: Mm, page: u32): void {
  memory.fill(changetype<usize>(record), 0, PAGE_MAP_RECORD_BYTES);
  const address = page << PAGE_SHIFT;
  const pde = Entry.load(Entry.pdeOf(mm.directory, address));
  record.pde = pde;
  if ((pde & PTE_PRESENT) == 0) return;
  if ((pde & PDE_LARGE) != 0) {
    record.pte = pde;
    return;
  }
  const table = changetype<TablePage>(Frames.ofEntry(pde));
  if (address >> SLOT_SHIFT < USER_SLOTS) {
    record.users = table.users;
    record.present = table.present;
  }
  const pte = Entry.load(Entry.pteOf(pde, address));
  record.pte = pte;
  if ((pte & PTE_MAPPED) == 0) return;
  const frame = Frames.ofEntry(pte);
  record.references = frame.count;
  for (let cursor = rmapNext(frame, 0); cursor != 0; cursor = rmapNext(frame, cursor)) {
    const entry = Entry.load(rmapEntry(cursor));
    record.rmapEntries++;
    if ((entry & PTE_MAPPED) != 0 && entry >> PAGE_SHIFT == pte >> PAGE_SHIFT) record.rmapVerified++;
  }
}
