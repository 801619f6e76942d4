/**
 * The reverse map, resident sizes and switches under shared page tables: properties 36, 37, 44, 54 and 55. Entries in the
 * reverse map are checked in both modes: fork=copy has the same map, with other numbers. May import lib and support/.
 */
import {
  counter,
  cstr,
  exit,
  fork,
  kill,
  MAP_PRIVATE,
  MAP_SHARED,
  makeResident,
  munmap,
  parseDec,
  printf,
  readFile,
  Signal,
  same,
  strstr,
  test,
  testBegin,
  testEnd,
  waitFor,
  waitSuccess,
  within,
} from "../lib/index";
import { auditTables } from "./support/audit";
import {
  mapPages,
  PAGE,
  PAGES_A_SLOT,
  PLACE,
  pageAt,
  pagesIntact,
  READ_WRITE,
  readPage,
  SLOT,
  sharing,
  wordOf,
  writePage,
  writePages,
} from "./support/memory";
import {
  PageMap,
  PTE_GLOBAL,
  PTE_PRESENT,
  PTE_USER,
  pageHere,
  pageOf,
  parseTable,
  procPath,
  residentPages,
  slotHere,
  slotPage,
  TableInfo,
  tableHere,
  tableIs,
  tablesText,
} from "./support/tables";
import { childEnd, gateMake, gateOpen, gateWait, hear, pairClose, pairEnd, startChild, tell } from "./support/turns";

const PAGES: u32 = 64;
const NEW: u32 = 0x5eed0003;
const ROUNDS: u32 = 50;
/** Processes with a table of their own in the test of long chains: three blocks of entries. */
const CHAIN: u32 = 20;
/** Pages and children in the test of what chains take; of children not a multiple of 7. */
const COST_PAGES: u32 = 512;
const COST_CHILDREN: u32 = 50;
const STATUS_BYTES: i32 = 1024;
const status: usize = memory.data(1024);
const text: usize = memory.data(1024);
const line: TableInfo = changetype<TableInfo>(memory.data(24, 4));

/**
 * Whether a page's frame has this many entries in its reverse map, each a pte that maps it, and as many references, besides those
 * of its owner (`owners`: 1 for a page of shared memory).
 */
function entriesAre(page: PageMap, entries: u32, owners: u32 = 0): bool {
  if (page.rmapEntries == entries && page.rmapVerified == entries && page.references == entries + owners) return true;
  const references = page.references;
  printf(cstr("# rmap entries %u, verified %u, references %u"), page.rmapEntries, page.rmapVerified, references);
  printf(cstr("; expected %u\n"), entries);
  return false;
}

function oneEntryForAllSharers(): void {
  mapPages(0, PAGES, READ_WRITE, MAP_PRIVATE);
  writePages(0, PAGES);
  assert(entriesAre(pageHere(pageAt(0)), 1), "a page that one process maps has one entry");
  gateMake();
  for (let child = 0; child < 9; child++) {
    const pid = fork();
    assert(pid >= 0, "there is room for a child");
    if (pid == 0) {
      gateWait();
      exit(pagesIntact(0, PAGES) ? 0 : 1);
    }
    store<i32>(status + child * 4, pid);
    const expected = sharing() ? 1 : child + 2;
    assert(entriesAre(pageHere(pageAt(0)), expected), "one entry for each table that maps it, not for each process");
    assert(entriesAre(pageOf(pid, pageAt(PAGES - 1)), expected), "the same seen from the child");
  }
  gateOpen();
  for (let child = 0; child < 9; child++) waitSuccess(load<i32>(status + child * 4));
  for (let page: u32 = 0; page < PAGES; page++) {
    assert(entriesAre(pageHere(pageAt(page)), 1), "when all have left there is one entry again");
  }
}

function unshareAddsOneEntry(): void {
  mapPages(0, PAGES, READ_WRITE, MAP_PRIVATE);
  mapPages(PAGES, 4, READ_WRITE, MAP_SHARED);
  writePages(0, PAGES + 4);
  const pid = startChild();
  if (pid == 0) {
    writePage(3, NEW);
    tell();
    hear();
    munmap(pageAt(0), 2 * PAGE);
    tell();
    hear();
    childEnd();
  }
  hear();
  for (let page: u32 = 0; page < PAGES + 4; page++) {
    const expected: u32 = page == 3 ? 1 : 2;
    const owners = u32(page >= PAGES);
    assert(
      entriesAre(pageHere(pageAt(page)), expected, owners),
      "after unshare each page has one entry more, the written one not",
    );
    assert(entriesAre(pageOf(pid, pageAt(page)), expected, owners), "the same seen from the child");
    const isSame = pageHere(pageAt(page)).pte >> 12 == pageOf(pid, pageAt(page)).pte >> 12;
    assert(isSame == (page != 3), "both map the same frame, but for the page that was written");
  }
  tell();
  hear();
  assert(entriesAre(pageHere(pageAt(0)), 1) && entriesAre(pageHere(pageAt(1)), 1), "unmapping takes the entry out");
  assert(entriesAre(pageHere(pageAt(2)), 2), "of these pages only");
  tell();
  pairEnd(pid);
  for (let page: u32 = 0; page < PAGES + 4; page++) {
    assert(entriesAre(pageHere(pageAt(page)), 1, u32(page >= PAGES)), "the child's exit takes its entries out");
  }
}

/** Many tables that map one page: the reverse map grows to several blocks and shrinks again, out of order. */
function longChains(): void {
  mapPages(0, 16, READ_WRITE, MAP_PRIVATE);
  writePages(0, 16);
  gateMake();
  for (let child: u32 = 0; child < CHAIN; child++) {
    const pid = startChild();
    if (pid == 0) {
      writePage(0, child);
      tell();
      gateWait();
      exit(readPage(0) == child && pagesIntact(1, 15) ? 0 : 1);
    }
    hear();
    pairClose();
    store<i32>(status + child * 4, pid);
    assert(entriesAre(pageHere(pageAt(1)), child + 2), "one entry for each table");
  }
  for (let killed: u32 = 0; killed < CHAIN / 2; killed++) {
    const pid = load<i32>(status + ((killed * 7) % CHAIN) * 4);
    store<i32>(status + ((killed * 7) % CHAIN) * 4, 0);
    kill(pid, Signal.SIGKILL);
    assert(same(waitFor(pid), Signal.SIGKILL), "a child can be killed");
    assert(entriesAre(pageHere(pageAt(1)), CHAIN - killed), "one entry less when a table goes");
  }
  gateOpen();
  for (let child: u32 = 0; child < CHAIN; child++) {
    const pid = load<i32>(status + child * 4);
    if (pid != 0) waitSuccess(pid);
  }
  for (let page: u32 = 0; page < 16; page++) assert(entriesAre(pageHere(pageAt(page)), 1), "one entry is left");
}

/** Bytes of a chain of this many entries: 32 for each seven begun; one entry alone takes none. */
function chainBytesOf(entries: u32): u32 {
  return entries < 2 ? 0 : ((entries + 6) / 7) * 32;
}

/** Pages of this process, from its /proc/PID/status. */
function residentHere(): u32 {
  assert(readFile(procPath(0, cstr("/status")), text, STATUS_BYTES) > 0, "the status of a process can be read");
  let at = strstr(text, cstr("VmRSS:")) + 7;
  while (load<u8>(at) == 0x20) at++;
  return parseDec(at) / 4;
}

/**
 * Asserts what chains take while `tables` tables map COST_PAGES pages: their bytes, more or less as many for each of `others` pages
 * that are this program's own. Where the children share the table, nothing but the latter.
 */
function chainsTake(start: u32, tables: u32, others: u32, shared: bool): void {
  const expected = shared ? 0 : COST_PAGES * chainBytesOf(tables);
  // The parent of this process may map them too.
  const slack = others * chainBytesOf(tables + 1);
  const bytes = counter(cstr("rmap_chain_bytes")) - start + slack;
  assert(within(bytes, expected, expected + 2 * slack), "chains take 32 bytes for 7 entries begun");
}

/** n children, 1 to COST_CHILDREN, that all map the same pages, through tables of their own (`write`) or as fork left them; then back to none. */
function chainCost(write: bool): void {
  mapPages(0, COST_PAGES + 1, READ_WRITE, MAP_PRIVATE);
  writePages(0, COST_PAGES + 1);
  makeResident();
  const others = residentHere() - COST_PAGES;
  const shared = sharing() && !write;
  gateMake();
  const start = counter(cstr("rmap_chain_bytes"));
  for (let child: u32 = 0; child < COST_CHILDREN; child++) {
    const pid = startChild();
    if (pid == 0) {
      if (write) writePage(COST_PAGES, child);
      tell();
      gateWait();
      exit(0);
    }
    hear();
    pairClose();
    store<i32>(status + child * 4, pid);
    chainsTake(start, child + 2, others, shared);
  }
  for (let gone: u32 = 1; gone <= COST_CHILDREN; gone++) {
    const place = status + ((gone * 7) % COST_CHILDREN) * 4;
    kill(load<i32>(place), Signal.SIGKILL);
    assert(same(waitFor(load<i32>(place)), Signal.SIGKILL), "a child can be killed");
    chainsTake(start, COST_CHILDREN + 1 - gone, others, shared);
  }
  gateOpen();
}

function chainCostUnshared(): void {
  chainCost(true);
}

function chainCostAsForked(): void {
  chainCost(false);
}

function switchesReloadTables(): void {
  mapPages(0, PAGES, READ_WRITE, MAP_PRIVATE);
  writePages(0, PAGES);
  const pid = startChild();
  for (let round: u32 = 0; round < ROUNDS; round++) {
    if (pid == 0) hear();
    const mine: u32 = round * 2 + u32(pid == 0);
    writePage(round % PAGES, mine);
    assert(same(readPage(round % PAGES), mine), "a process sees what it wrote");
    if (round != 0) {
      const before: u32 = mine - 2;
      assert(
        same(readPage((round - 1) % PAGES), before),
        "and wrote before the switch, never what the other wrote there",
      );
    }
    tell();
    if (pid != 0) hear();
  }
  if (pid == 0) childEnd();
  for (let page: u32 = 0; page < PAGES; page++) {
    const entry = pageHere(pageAt(page));
    assert(
      same(entry.pte & (PTE_PRESENT | PTE_USER | PTE_GLOBAL), PTE_PRESENT | PTE_USER),
      "user entries are not global",
    );
    assert(same(entry.pde & PTE_GLOBAL, 0), "nor are their pdes");
  }
  pairEnd(pid);
}

/** Whether the resident size of a process is the sum of its tables' counts. */
function residentIsSum(pid: i32): bool {
  residentPages(pid);
  const resident = residentPages(pid);
  let sum: u32 = 0;
  let at = parseTable(tablesText(pid), line);
  while (at != 0) {
    sum += line.present;
    at = parseTable(at, line);
  }
  return same(resident, sum);
}

/** Whether the count of the tests' table is the number of its ptes that are present. */
function presentIsExact(): bool {
  let present: u32 = 0;
  slotHere(PLACE);
  for (let page: u32 = 0; page < PAGES_A_SLOT; page++) present += u32((slotPage(page).pte & PTE_PRESENT) != 0);
  return same(tableHere(SLOT).present, present);
}

function residentSizeIsExact(): void {
  mapPages(0, 2 * PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  residentPages(0);
  const before = residentPages(0);
  writePages(0, 300);
  for (let page: u32 = 300; page < 320; page++) readPage(page);
  assert(same(residentPages(0), before + 320), "each page touched counts once");
  assert(residentIsSum(0) && presentIsExact(), "the size is the number of ptes");
  const pid = startChild();
  if (pid == 0) {
    assert(residentIsSum(0) && presentIsExact(), "in the child it is too");
    writePage(1, NEW);
    readPage(330);
    assert(residentIsSum(0) && presentIsExact(), "and after unsharing");
    tell();
    hear();
    assert(munmap(pageAt(0), 100 * PAGE) == 0, "a part can be unmapped");
    mapPages(0, 50, READ_WRITE, MAP_PRIVATE);
    writePages(0, 25);
    assert(same(tableHere(SLOT).present, 320 - 100 + 25 + 1), "unmapping and mapping anew count");
    assert(residentIsSum(0) && presentIsExact(), "to the page");
    tell();
    hear();
    childEnd();
  }
  hear();
  assert(residentIsSum(0) && residentIsSum(pid) && presentIsExact(), "the parent's and the child's are exact");
  tell();
  hear();
  assert(residentIsSum(0) && residentIsSum(pid) && presentIsExact(), "after the child's edits too");
  tell();
  pairEnd(pid);
  assert(same(tableHere(SLOT).present, 320), "the parent's pages are all there");
}

function tablesAreFreedOnce(): void {
  const before = auditTables();
  mapPages(0, 4 * PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  for (let slot: u32 = 0; slot < 4; slot++) writePages(slot * PAGES_A_SLOT, 4);
  const pid = startChild();
  if (pid == 0) {
    writePage(0, NEW);
    assert(munmap(pageAt(PAGES_A_SLOT), PAGES_A_SLOT * PAGE) == 0, "the child gives up a slot");
    tell();
    hear();
    childEnd();
  }
  hear();
  auditTables();
  assert(munmap(pageAt(2 * PAGES_A_SLOT), PAGES_A_SLOT * PAGE) == 0, "the parent gives up another");
  auditTables();
  assert(munmap(pageAt(0), PAGES_A_SLOT * PAGE) == 0, "and the one that it has alone");
  auditTables();
  if (sharing()) assert(tableIs(tableHere(SLOT + 3), 2, 0), "the last slot is still shared");
  tell();
  pairEnd(pid);
  assert(same(readPage(3 * PAGES_A_SLOT), wordOf(3 * PAGES_A_SLOT)), "and its contents are right");
  assert(same(auditTables(), before + 2), "all tables are freed once, but those in use");
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  testBegin(argc, argv);
  test(cstr("P36 a page under a table with many sharers has one rmap entry"), oneEntryForAllSharers);
  test(cstr("P37 after unshare each page has exactly one entry more"), unshareAddsOneEntry);
  test(cstr("P37 long chains grow and shrink"), longChains);
  test(cstr("P37 chains take the bytes that they should, and give them back"), chainCostUnshared);
  test(cstr("P36 fork=share takes no bytes for chains, fork=copy what it should"), chainCostAsForked);
  test(cstr("P44 every switch reloads the tables, and user entries are not global"), switchesReloadTables);
  test(cstr("P54 the resident size is the number of present ptes"), residentSizeIsExact);
  test(cstr("P55 each table is freed exactly once"), tablesAreFreedOnce);
  return testEnd();
}
