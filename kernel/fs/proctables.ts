/**
 * What /proc shows of a process's page tables, for tests and for people who look. It reads directories, tables, struct
 * Page and the reverse map, and changes none of them: no fault, no unsharing, no allocation.
 *
 *     /proc/PID/tables    a line for each present user slot: `slot frame users writable present sum`, frame and sum in
 *                         hexadecimal; `sum` depends on every bit of the table's 1024 entries and on their order
 *     /proc/PID/pages     a line for each run of pages that follow one another in memory as in one table, with the same flags:
 *                         `start-end table users writable frame flags`, with the first frame, or
 *                         `start-end table users writable swap:slot -----` of pages that are swapped out, with the first slot
 *     /proc/PID/pagemap   a PageMapRecord for each virtual page of the 4 GB, by page number
 *
 * The flags of a pte are p (the CPU may use it; without it, the mapping allows no access), w, u, a (accessed) and d (dirty).
 * May import proctext, tasks, paging, page, rmap, vmalist, format, uaccess.
 */
import { Errno } from "../abi/errno";
import { cstr } from "../abi/intrinsics";
import {
  ENTRIES,
  Entry,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_MAPPED,
  PTE_PRESENT,
  PTE_USER,
  PTE_WRITE,
  USER_SLOTS,
} from "../arch/i386/paging";
import { bufferByte, formatText, TextBuffer } from "../lib/format";
import { PAGE_BYTES, PAGE_SHIFT, SLOT_SHIFT } from "../mm/layout";
import { Frames, TablePage } from "../mm/page";
import { rmapEntry, rmapNext } from "../mm/rmap";
import { copyToUser } from "../mm/uaccess";
import { Mm } from "../mm/vmalist";
import { Task } from "../task/task";
import { File } from "./file";
import { END_OF_TEXT } from "./proctext";

/** One page of /proc/PID/pagemap. */
@unmanaged
class PageMapRecord {
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
const PAGE_MAP_RECORD_BYTES: u32 = 32;
const record: PageMapRecord = changetype<PageMapRecord>(memory.data(32, 4));
/** Virtual pages that there are. */
const PAGES: u32 = 1 << 20;
/** Bit 7 of a pde: it maps 4 MB and points at no table. */
const PDE_LARGE: u32 = 0x80;

/** A hash of the table at a kernel virtual address: h = rotl(h, 5) ^ entry, over all entries. */
function tableSum(table: usize): u32 {
  let sum: u32 = 0;
  for (let entry = table; entry < table + ENTRIES * 4; entry += 4) sum = rotl<u32>(sum, 5) ^ Entry.load(entry);
  return sum;
}

/** The first slot from `slot` on that has a table; USER_SLOTS if there is none. */
function nextSlot(mm: Mm, slot: u32): u32 {
  let at = slot;
  while (at < USER_SLOTS && (Entry.load(mm.directory + (at << 2)) & PTE_PRESENT) == 0) at++;
  return at;
}

/** /proc/PID/tables: the line of the first table from slot `cursor` on. */
export function printTables(text: TextBuffer, task: Task, cursor: u32): u32 {
  const mm = task.mm;
  if (mm === null) return END_OF_TEXT;
  const slot = nextSlot(mm, cursor);
  if (slot == USER_SLOTS) return END_OF_TEXT;
  const pde = Entry.load(mm.directory + (slot << 2));
  const table = changetype<TablePage>(Frames.ofEntry(pde));
  const context = changetype<usize>(text);
  formatText(bufferByte, context, cstr("%u %x %u %u "), slot, pde >> PAGE_SHIFT, table.users, (pde >> 1) & 1);
  formatText(bufferByte, context, cstr("%u %x\n"), table.present, tableSum(Entry.target(pde)), 0, 0);
  return slot + 1;
}

/** /proc/PID/pages: the line of the first run of pages from page number `cursor` on, if its slot has one left. */
export function printPages(text: TextBuffer, task: Task, cursor: u32): u32 {
  const mm = task.mm;
  if (mm === null) return END_OF_TEXT;
  const slot = nextSlot(mm, cursor >> (SLOT_SHIFT - PAGE_SHIFT));
  if (slot == USER_SLOTS) return END_OF_TEXT;
  const slotPage = slot << (SLOT_SHIFT - PAGE_SHIFT);
  const pde = Entry.load(mm.directory + (slot << 2));
  const table = Entry.target(pde);
  let index = max<u32>(cursor, slotPage) - slotPage;
  while (index < ENTRIES && Entry.load(table + (index << 2)) == 0) index++;
  if (index == ENTRIES) return slotPage + ENTRIES;
  const first = Entry.load(table + (index << 2));
  let pages: u32 = 1;
  while (index + pages < ENTRIES && Entry.load(table + ((index + pages) << 2)) == first + (pages << PAGE_SHIFT))
    pages++;
  const address = (slotPage + index) << PAGE_SHIFT;
  const context = changetype<usize>(text);
  const users = changetype<TablePage>(Frames.ofEntry(pde)).users;
  formatText(bufferByte, context, cstr("%p-%p "), address, address + pages * PAGE_BYTES, 0, 0);
  formatText(bufferByte, context, cstr("%x %u %u "), pde >> PAGE_SHIFT, users, (pde >> 1) & 1, 0);
  const place = (first & PTE_MAPPED) != 0 ? cstr("%x ") : cstr("swap:%x ");
  formatText(bufferByte, context, place, first >> PAGE_SHIFT, 0, 0, 0);
  printFlags(text, (first & PTE_MAPPED) != 0 ? first : 0);
  return slotPage + index + pages;
}

function printFlags(text: TextBuffer, entry: u32): void {
  const context = changetype<usize>(text);
  bufferByte(context, (entry & PTE_PRESENT) != 0 ? 0x70 : 0x2d);
  bufferByte(context, (entry & PTE_WRITE) != 0 ? 0x77 : 0x2d);
  bufferByte(context, (entry & PTE_USER) != 0 ? 0x75 : 0x2d);
  bufferByte(context, (entry & PTE_ACCESSED) != 0 ? 0x61 : 0x2d);
  bufferByte(context, (entry & PTE_DIRTY) != 0 ? 0x64 : 0x2d);
  bufferByte(context, 0x0a);
}

/** /proc/PID/pagemap: records from the file's position on; the position may lie inside one. */
export function readPageMap(file: File, task: Task, buffer: usize, bytes: u32): i32 {
  const mm = task.mm;
  if (mm === null) return 0;
  let done: u32 = 0;
  while (done < bytes && file.position / PAGE_MAP_RECORD_BYTES < PAGES) {
    fillPageMap(record, mm, file.position / PAGE_MAP_RECORD_BYTES);
    const offset = file.position % PAGE_MAP_RECORD_BYTES;
    const wanted = min<u32>(bytes - done, PAGE_MAP_RECORD_BYTES - offset);
    const missing = copyToUser(buffer + done, changetype<usize>(record) + offset, wanted);
    done += wanted - missing;
    file.position += wanted - missing;
    if (missing != 0) return done == 0 ? -Errno.EFAULT : i32(done);
  }
  return i32(done);
}

/** Fills the record for virtual page number `page` of an address space. */
function fillPageMap(record: PageMapRecord, mm: Mm, page: u32): void {
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
