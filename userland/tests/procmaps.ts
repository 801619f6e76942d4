/**
 * What /proc tells of a process's memory: /proc/PID/maps line by line, and the sizes in /proc/PID/status (property 54 as far as
 * there is no swap). May import lib and support/.
 */
import {
  brk,
  close,
  cstr,
  MAP_PRIVATE,
  MAP_SHARED,
  mlock,
  munlock,
  O_RDONLY,
  open,
  PROT_NONE,
  PROT_READ,
  parseDec,
  printf,
  read,
  readFile,
  same,
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
  writePages,
} from "./support/memory";
import { procPath, tableHere, tableIs } from "./support/tables";
import { childEnd, hear, pairEnd, startChild, tell } from "./support/turns";

const TEXT_BYTES: i32 = 8192;
const text: usize = memory.data(8192);

/** Whether the text of /proc/self/maps has this line. */
function hasLine(line: usize): bool {
  if (strstr(text, line) != 0) return true;
  printf(cstr("# no line %s in\n%s"), line, text);
  return false;
}

function readMaps(): void {
  assert(readFile(procPath(0, cstr("/maps")), text, TEXT_BYTES) > 0, "the mappings can be read");
}

function mapsShowsMappings(): void {
  mapPages(0, 3, READ_WRITE, MAP_PRIVATE);
  mapPages(3, 1, PROT_READ, MAP_SHARED);
  mapPages(5, 1, PROT_NONE, MAP_PRIVATE);
  const heap = brk(0);
  brk(heap + PAGE);
  readMaps();
  assert(hasLine(cstr("\n60000000-60003000 rw-p 00000000 00:00 0\n")), "private memory");
  assert(hasLine(cstr("\n60003000-60004000 r--s 00000000 00:00 0\n")), "shared memory");
  assert(hasLine(cstr("\n60005000-60006000 ---p 00000000 00:00 0\n")), "memory that nobody may touch");
  assert(strstr(text, cstr("08048000-")) == text, "the program's text comes first");
  assert(same(load<u8>(text + 20), 0x78), "and can be executed");
  assert(hasLine(cstr("[heap]\n")) && hasLine(cstr("-c0000000 rw-p 00000000 00:00 0")), "heap and stack are there");
  const stack = strstr(text, cstr("[stack]\n"));
  assert(stack != 0 && stack + 8 == text + strlen(text), "the stack is the last");
  assert(same(load<u8>(stack - 74), 0x0a), "names begin in column 73");
  mapPages(3, 1, READ_WRITE, MAP_PRIVATE);
  readMaps();
  assert(hasLine(cstr("\n60000000-60004000 rw-p 00000000 00:00 0\n")), "mappings that continue each other are one");
  brk(heap);
}

function mapsInPieces(): void {
  readMaps();
  const fd = open(cstr("/proc/self/maps"), O_RDONLY);
  const piece = text + TEXT_BYTES / 2;
  let at: u32 = 0;
  while (true) {
    const got = read(fd, piece, 7);
    if (got <= 0) break;
    for (let i: i32 = 0; i < got; i++) assert(same(load<u8>(piece + i), load<u8>(text + at + i)), "piece by piece");
    at += got;
  }
  close(fd);
  assert(same(at, strlen(text)), "all of it");
}

/** A size of process `pid`, in pages. */
function pagesOf(pid: i32, name: usize): u32 {
  assert(readFile(procPath(pid, cstr("/status")), text, TEXT_BYTES) > 0, "the status of a process can be read");
  let at = strstr(text, name);
  assert(at != 0, "it tells this size");
  at += strlen(name);
  while (load<u8>(at) == 0x20 || load<u8>(at) == 0x09) at++;
  return parseDec(at) / 4;
}

function sizesAreExact(): void {
  pagesOf(0, cstr("VmSize:"));
  const size = pagesOf(0, cstr("VmSize:"));
  const resident = pagesOf(0, cstr("VmRSS:"));
  const tables = pagesOf(0, cstr("VmPTE:"));
  assert(same(pagesOf(0, cstr("VmLck:")), 0), "nothing is locked");
  mapPages(0, 2 * PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  assert(same(pagesOf(0, cstr("VmSize:")), size + 2 * PAGES_A_SLOT), "what is mapped counts for the size");
  assert(same(pagesOf(0, cstr("VmRSS:")), resident), "and not for the resident set");
  writePages(0, 100);
  readPage(PAGES_A_SLOT);
  assert(same(pagesOf(0, cstr("VmRSS:")), resident + 101), "each page that was used does");
  assert(same(pagesOf(0, cstr("VmPTE:")), tables + 2), "two slots take two tables");
  assert(mlock(pageAt(90), 20 * PAGE) == 0, "pages can be locked");
  assert(same(pagesOf(0, cstr("VmLck:")), 20), "which is told");
  assert(same(pagesOf(0, cstr("VmRSS:")), resident + 111), "and makes them resident");
  assert(munlock(pageAt(90), 20 * PAGE) == 0, "and unlocked");
  assert(same(pagesOf(0, cstr("VmLck:")), 0), "which is told too");
}

function sharersCountAlike(): void {
  mapPages(0, PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(0, 50);
  const pid = startChild();
  if (pid == 0) {
    tell();
    hear();
    childEnd();
  }
  hear();
  const before = pagesOf(pid, cstr("VmRSS:"));
  const tables = pagesOf(pid, cstr("VmPTE:"));
  for (let page: u32 = 50; page < 60; page++) readPage(page);
  if (sharing()) {
    assert(tableIs(tableHere(SLOT), 2, 0), "both use one table");
    assert(same(pagesOf(pid, cstr("VmRSS:")), before + 10), "what one fills is resident in the other");
  } else {
    assert(same(pagesOf(pid, cstr("VmRSS:")), before), "what one fills is its own");
  }
  assert(same(pagesOf(pid, cstr("VmPTE:")), tables), "its tables are as many as before");
  tell();
  pairEnd(pid);
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  testBegin(argc, argv);
  test(cstr("/proc/PID/maps shows each mapping"), mapsShowsMappings);
  test(cstr("/proc/PID/maps can be read in pieces"), mapsInPieces);
  test(cstr("P54 sizes in /proc/PID/status are exact"), sizesAreExact);
  test(cstr("P54 a page filled in a shared table counts for every sharer"), sharersCountAlike);
  return testEnd();
}
