/**
 * Page tables as the kernel shows them. /proc/PID/tables has a line for each present user slot,
 *
 *     slot frame users writable present sum
 *
 * with frame and sum in hexadecimal, the rest in decimal; `sum` hashes the table's 4 KB. /proc/PID/pagemap has a record
 * of 32 bytes for each virtual page, PageMap. May import lib.
 */
import {
  close,
  cstr,
  lseek,
  O_RDONLY,
  open,
  parseDec,
  parseHex,
  printf,
  read,
  readFile,
  rmapKept,
  SEEK_SET,
  stpcpy,
  strchr,
  strlen,
  strstr,
} from "../../lib/index";

/** One slot of a process. */
@unmanaged
export class TableInfo {
  slot: u32 = 0;
  /** The table's frame; 0 when the slot has none. */
  frame: u32 = 0;
  /** Page directories that point at it. */
  users: u32 = 0;
  /** 1 when the pde grants writing. */
  writable: u32 = 0;
  /** Ptes that map a frame. */
  present: u32 = 0;
  /** Hash of the table's bytes. */
  sum: u32 = 0;
}

/** One virtual page of a process. */
@unmanaged
export class PageMap {
  pde: u32 = 0;
  pte: u32 = 0;
  /** Use count and number of present ptes of the table. */
  users: u32 = 0;
  present: u32 = 0;
  /** Entries in the reverse map of the frame, and how many of them are ptes that do map it. */
  rmapEntries: u32 = 0;
  rmapVerified: u32 = 0;
  /** References to the frame. */
  references: u32 = 0;
  reserved: u32 = 0;
}
const PAGE_MAP_BYTES: usize = 32;

export const PTE_PRESENT: u32 = 0x001;
export const PTE_WRITABLE: u32 = 0x002;
export const PTE_USER: u32 = 0x004;
export const PTE_ACCESSED: u32 = 0x020;
export const PTE_DIRTY: u32 = 0x040;
export const PTE_LARGE: u32 = 0x080;
export const PTE_GLOBAL: u32 = 0x100;

const TEXT_BYTES: i32 = 16384;
const text: usize = memory.data(16384);
const SLOT_RECORD_BYTES: u32 = 32768;
const slotRecords: usize = memory.data(32768, 4);
const STATUS_BYTES: i32 = 1024;
const status: usize = memory.data(1024);
const path: usize = memory.data(64);
const digits: usize = memory.data(16);
const ownTable: TableInfo = changetype<TableInfo>(memory.data(24, 4));
const otherTable: TableInfo = changetype<TableInfo>(memory.data(24, 4));
const ownPage: PageMap = changetype<PageMap>(memory.data(32, 4));
const otherPage: PageMap = changetype<PageMap>(memory.data(32, 4));

/** Path of a file of a process in /proc; it holds until the next call. Process 0 is this one. */
export function procPath(pid: i32, name: usize): usize {
  let digit = digits + 15;
  store<u8>(digit, 0);
  for (let rest = pid; rest != 0; rest /= 10) store<u8>(--digit, u8((rest % 10) + 0x30));
  const end = stpcpy(stpcpy(path, cstr("/proc/")), pid == 0 ? cstr("self") : digit);
  stpcpy(end, name);
  return path;
}

/** Text of a process's tables; it holds until the next call. 0 when there is no such process. */
export function tablesText(pid: i32): usize {
  return readFile(procPath(pid, cstr("/tables")), text, TEXT_BYTES) < 0 ? 0 : text;
}

/** Reads one line into `table`: the address of the next line, 0 after the last. */
export function parseTable(line: usize, table: TableInfo): usize {
  if (line == 0 || load<u8>(line) == 0) return 0;
  let at = line;
  table.slot = parseDec(at);
  at = strchr(at, 0x20) + 1;
  table.frame = parseHex(at);
  at = strchr(at, 0x20) + 1;
  table.users = parseDec(at);
  at = strchr(at, 0x20) + 1;
  table.writable = parseDec(at);
  at = strchr(at, 0x20) + 1;
  table.present = parseDec(at);
  at = strchr(at, 0x20) + 1;
  table.sum = parseHex(at);
  return strchr(at, 0x0a) + 1;
}

function readTable(pid: i32, slot: u32, table: TableInfo): TableInfo {
  let line = tablesText(pid);
  assert(line != 0, "the tables of a process can be read");
  while (true) {
    line = parseTable(line, table);
    if (line == 0) break;
    if (table.slot == slot) return table;
  }
  table.slot = slot;
  table.frame = 0;
  table.users = 0;
  table.writable = 0;
  table.present = 0;
  table.sum = 0;
  return table;
}

/** A slot of this process; it holds until the next call. */
export function tableHere(slot: u32): TableInfo {
  return readTable(0, slot, ownTable);
}

/** A slot of another process; it holds until the next call. */
export function tableOf(pid: i32, slot: u32): TableInfo {
  return readTable(pid, slot, otherTable);
}

/** Whether the slot's table has this many users and its pde this W; says what it has when not. */
export function tableIs(table: TableInfo, users: u32, writable: u32): bool {
  if (table.users == users && table.writable == writable) return true;
  const frame = table.frame;
  printf(cstr("# slot %u, frame 0x%x: users %u, W %u"), table.slot, frame, table.users, table.writable);
  printf(cstr("; expected users %u, W %u\n"), users, writable);
  return false;
}

function readPageMap(pid: i32, address: usize, record: PageMap): PageMap {
  const fd = open(procPath(pid, cstr("/pagemap")), O_RDONLY);
  assert(fd >= 0, "the page map of a process can be opened");
  const offset = (address >> 12) * PAGE_MAP_BYTES;
  assert(lseek(fd, offset, SEEK_SET) == i32(offset), "the page map has a record for each page");
  assert(read(fd, changetype<usize>(record), PAGE_MAP_BYTES) == PAGE_MAP_BYTES, "the record can be read");
  close(fd);
  return record;
}

/** A virtual page of this process; it holds until the next call. */
export function pageHere(address: usize): PageMap {
  return readPageMap(0, address, ownPage);
}

/** A virtual page of another process; it holds until the next call. */
export function pageOf(pid: i32, address: usize): PageMap {
  return readPageMap(pid, address, otherPage);
}

/** How many entries the reverse map has for a frame that `ptes` ptes map: none under rmap=off. */
export function rmapEntriesOf(ptes: u32): u32 {
  return rmapKept() ? ptes : 0;
}

/** Reads the records of all pages of the slot that begins at `start`, in this process, for slotPage(). */
export function slotHere(start: usize): void {
  readPages(0, start, SLOT_RECORD_BYTES / PAGE_MAP_BYTES);
}

/** Reads the records of `count` pages (1024 at most) from `start` on, of a process (0: this one), for slotPage(). */
export function readPages(pid: i32, start: usize, count: u32): void {
  const fd = open(procPath(pid, cstr("/pagemap")), O_RDONLY);
  assert(fd >= 0, "the page map of a process can be opened");
  lseek(fd, (start >> 12) * PAGE_MAP_BYTES, SEEK_SET);
  const bytes = count * PAGE_MAP_BYTES;
  assert(read(fd, slotRecords, bytes) == i32(bytes), "the records of pages can be read at once");
  close(fd);
}

/** Record `index` of what slotHere() or readPages() read last. */
export function slotPage(index: u32): PageMap {
  return changetype<PageMap>(slotRecords + index * PAGE_MAP_BYTES);
}

/** Resident pages of a process (0: this one) as the kernel counts them. */
export function residentPages(pid: i32): u32 {
  assert(readFile(procPath(pid, cstr("/status")), status, STATUS_BYTES) > 0, "the status of a process can be read");
  const field = strstr(status, cstr("VmRSS:"));
  assert(field != 0, "it has a resident size");
  let at = field + strlen(cstr("VmRSS:"));
  while (load<u8>(at) == 0x20 || load<u8>(at) == 0x09) at++;
  return parseDec(at) / 4;
}
