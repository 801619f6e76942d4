/**
 * What /proc tells of pages and frames: /proc/PID/pages against the binary records of /proc/PID/pagemap, a text that is longer than
 * the kernel's buffer, and /proc/meminfo, which adds up. May import lib and support/.
 */
import {
  close,
  counterIn,
  cstr,
  lseek,
  MAP_PRIVATE,
  mprotect,
  O_RDONLY,
  open,
  PROT_NONE,
  parseDec,
  parseHex,
  printf,
  read,
  readFile,
  SEEK_SET,
  same,
  startsWith,
  strchr,
  strlen,
  strstr,
  test,
  testBegin,
  testEnd,
} from "../lib/index";
import {
  mapPages,
  PAGE,
  PAGES_A_SLOT,
  pageAt,
  READ_WRITE,
  readPage,
  SLOT,
  sharing,
  writePage,
  writePages,
} from "./support/memory";
import { procPath, slotHere, slotPage, tableHere } from "./support/tables";
import { childEnd, hear, pairEnd, startChild, tell } from "./support/turns";

const TEXT_BYTES: i32 = 49152;
const text: usize = memory.data(49152);
const copy: usize = memory.data(49152);
const MEMINFO_BYTES: i32 = 1024;
const before: usize = memory.data(1024);
const after: usize = memory.data(1024);
/** Pages that one line each tells about. */
const SCATTERED: u32 = 400;

/** One line of /proc/PID/pages. */
@unmanaged
class PageRun {
  start: usize = 0;
  end: usize = 0;
  table: u32 = 0;
  users: u32 = 0;
  writable: u32 = 0;
  frame: u32 = 0;
  /** Address of the five letters. */
  flags: usize = 0;
}
const run: PageRun = changetype<PageRun>(memory.data(28, 4));

function pagesText(buffer: usize): void {
  assert(readFile(procPath(0, cstr("/pages")), buffer, TEXT_BYTES) > 0, "the pages of a process can be read");
}

/** Reads one line into `run`: the address of the next. */
function parseRun(line: usize): usize {
  let at = line;
  run.start = parseHex(at);
  at = strchr(at, 0x2d) + 1;
  run.end = parseHex(at);
  at = strchr(at, 0x20) + 1;
  run.table = parseHex(at);
  at = strchr(at, 0x20) + 1;
  run.users = parseDec(at);
  at = strchr(at, 0x20) + 1;
  run.writable = parseDec(at);
  at = strchr(at, 0x20) + 1;
  run.frame = parseHex(at);
  run.flags = strchr(at, 0x20) + 1;
  return strchr(at, 0x0a) + 1;
}

/** Reads the line about an address into `run`; it must be there. */
function findRun(address: usize): void {
  let line = text;
  while (load<u8>(line) != 0) {
    line = parseRun(line);
    if (run.start <= address && address < run.end) return;
  }
  printf(cstr("# no page at 0x%x in\n%s"), address, text);
  assert(false, "a line tells about the page");
}

/** Whether `run` shows these flags. */
function flagsAre(expected: usize): bool {
  if (startsWith(run.flags, expected)) return true;
  printf(cstr("# 0x%x: flags %s"), run.start, run.flags);
  return false;
}

/** Asserts that the lines about the tests' slot say what its records say, page by page. */
function pagesAgreeWithRecords(): void {
  slotHere(pageAt(0));
  const table = tableHere(SLOT);
  pagesText(text);
  pagesText(text);
  let line = text;
  let pages: u32 = 0;
  let last: usize = 0;
  while (load<u8>(line) != 0) {
    line = parseRun(line);
    assert(run.start >= last && run.end > run.start, "runs ascend and do not overlap");
    last = run.end;
    if (run.start < pageAt(0) || run.start >= pageAt(PAGES_A_SLOT)) continue;
    assert(same(run.table, table.frame) && same(run.users, table.users), "the table and who uses it");
    assert(same(run.writable, table.writable), "and its W");
    for (let address = run.start; address < run.end; address += PAGE) {
      const record = slotPage((address - pageAt(0)) / PAGE);
      assert(same(record.pte >> 12, run.frame + (address - run.start) / PAGE), "frames follow one another");
      const written = load<u8>(run.flags + 1) == 0x77;
      assert(((record.pte & 2) != 0) == written, "with the W of each pte");
      pages++;
    }
  }
  assert(same(pages, table.present), "every page that is there is in a run");
}

function pagesShowsPages(): void {
  mapPages(0, PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(0, 20);
  readPage(100);
  for (let page: u32 = 300; page > 200; page -= 7) writePage(page, page);
  pagesAgreeWithRecords();
  findRun(pageAt(3));
  assert(flagsAre(cstr("pwuad\n")), "a page that was written");
  assert(mprotect(pageAt(10), PAGE, PROT_NONE) == 0, "a page can be closed");
  pagesAgreeWithRecords();
  findRun(pageAt(10));
  assert(same(run.end - run.start, PAGE) && flagsAre(cstr("--uad\n")), "a page that is there and allows no access");
  findRun(pageAt(11));
  assert(flagsAre(cstr("pwuad\n")), "its neighbour allows what it did");
}

function pagesOfSharers(): void {
  mapPages(0, PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(0, 50);
  const pid = startChild();
  if (pid == 0) {
    hear();
    writePage(7, 1);
    tell();
    hear();
    childEnd();
  }
  pagesAgreeWithRecords();
  findRun(pageAt(7));
  assert(same(run.users, sharing() ? 2 : 1), "users of the table");
  const table = run.table;
  tell();
  hear();
  pagesAgreeWithRecords();
  findRun(pageAt(7));
  assert(same(run.users, 1) && same(run.table, table), "the parent keeps the table when the child has written");
  const frame = run.frame + (pageAt(7) - run.start) / PAGE;
  assert(readFile(procPath(pid, cstr("/pages")), text, TEXT_BYTES) > 0, "the pages of another process can be read");
  findRun(pageAt(7));
  assert(run.table != table, "the child has its own table");
  assert(run.frame + (pageAt(7) - run.start) / PAGE != frame, "and its own page");
  findRun(pageAt(8));
  assert(flagsAre(cstr("p-uad\n")), "the others are not writable");
  tell();
  pairEnd(pid);
}

/** Whether the text from byte `offset` on, read by `bytes` from an open file, is that of the whole. */
function readsAlike(fd: i32, offset: u32, bytes: i32): bool {
  assert(same(lseek(fd, offset, SEEK_SET), offset), "the text has positions");
  let at = offset;
  while (true) {
    const got = read(fd, copy, bytes);
    if (got <= 0) break;
    for (let i: i32 = 0; i < got; i++) {
      if (!same(load<u8>(copy + i), load<u8>(text + at + i))) return false;
    }
    at += got;
  }
  return same(at, strlen(text));
}

function longText(): void {
  mapPages(0, PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  for (let page: u32 = SCATTERED; page > 0; page--) writePage(page * 2, page);
  memory.fill(copy, 0, TEXT_BYTES);
  pagesText(text);
  pagesText(text);
  assert(strlen(text) > 12288, "the text is longer than three of the kernel's buffers");
  const fd = open(procPath(0, cstr("/pages")), O_RDONLY);
  assert(readsAlike(fd, 0, TEXT_BYTES), "at once");
  assert(readsAlike(fd, 0, 7), "in pieces, after going back to the beginning");
  assert(readsAlike(fd, 9001, 333), "from a place in the middle");
  assert(readsAlike(fd, 17, 5000), "going back");
  close(fd);
}

function readMemInfo(buffer: usize): void {
  assert(readFile(cstr("/proc/meminfo"), buffer, MEMINFO_BYTES) > 0, "/proc/meminfo can be read");
}

/** How many kB a line of meminfo went up from `before` to `after`. */
function grewBy(name: usize): u32 {
  return counterIn(after, name) - counterIn(before, name);
}

function memInfoAddsUp(): void {
  readMemInfo(before);
  readMemInfo(before);
  mapPages(0, PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(0, 25);
  readMemInfo(after);
  let used: u32 = counterIn(after, cstr("UserData")) + counterIn(after, cstr("KernelStack"));
  used += counterIn(after, cstr("Slab")) + counterIn(after, cstr("PageTables"));
  used += counterIn(after, cstr("ReverseMaps")) + counterIn(after, cstr("KernelOther"));
  const free = counterIn(after, cstr("MemFree"));
  assert(same(used + free, counterIn(after, cstr("MemTotal"))), "every frame is free or told of once");
  assert(same(grewBy(cstr("UserData")), 100), "25 pages are 100 kB");
  assert(same(grewBy(cstr("PageTables")), 4), "under one table");
  assert(same(grewBy(cstr("MemFree")), -104), "which are not free any more");
  assert(strstr(after, cstr("MemTotal:")) == after && strstr(after, cstr(" kB\nMemFree: ")) != 0, "in Linux's form");
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  testBegin(argc, argv);
  test(cstr("/proc/PID/pages shows each page as its records do"), pagesShowsPages);
  test(cstr("/proc/PID/pages tells tables and frames of sharers apart"), pagesOfSharers);
  test(cstr("/proc/PID/pages can be read in pieces, from anywhere"), longText);
  test(cstr("/proc/meminfo adds up"), memInfoAddsUp);
  return testEnd();
}
