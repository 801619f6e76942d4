/**
 * pressure KILOBYTES CHILDREN PART: forked children on less RAM than they need. The parent has written so much private memory; its CHILDREN, all alive
 * at once, read every page and write one PART-th of them that lies together, each child another, in turns of some pages; when all have done so, they read every page again.
 * RAM is what the machine has; the rest is on the disk.
 *
 * Region Pressure goes from the first fork until the last child has ended. Lines say how far the kernel's counters moved meanwhile: faults and
 * those that waited for the disk, pages from and to swap, sectors, tables that were copied or unshared, and pages. Wants swap. May import lib and
 * support/.
 */
import { counted, cstr, hasSwap, Region, regionBegin, regionEnd, schedYield, takeSnapshot } from "../lib/index";
import { areaIntact, fillArea, MOST_KB, pageAt, wordOf } from "./support/area";
import { lastParameter, numberParameter, parameters } from "./support/parameters";
import { endChild, forkWell, pipeWell, readEnd, receive, send, waitWell, warmUp, writeEnd } from "./support/processes";
import { must, say } from "./support/results";

const before: usize = memory.data(4096);
const after: usize = memory.data(4096);

/** Pages after which a child lets the others have their turn. */
const TURN: u32 = 64;
/** Pipe ends: children to parent; parent to children, a token for each. */
const ready: usize = memory.data(8, 4);
const go: usize = memory.data(8, 4);
const tokens: usize = memory.data(1024);

/** A child waits until all have come so far. */
function meet(): void {
  send(writeEnd(ready), tokens, 1);
  must(receive(readEnd(go), tokens, 1), cstr("the parent lets its children go on"));
}

/** The parent waits for all children, and lets them go on. */
function meetAll(children: u32): void {
  must(receive(readEnd(ready), tokens, children), cstr("all children come"));
  send(writeEnd(go), tokens, children);
}

/** A child's life; never returns. */
function child(number: u32, pages: u32, part: u32): void {
  const count = pages / part;
  const first = (number % part) * count;
  meet();
  for (let page: u32 = 0; page < pages; page++) {
    if (page % TURN == 0) schedYield();
    must(load<u32>(pageAt(page)) == wordOf(page), cstr("a child's memory is as it inherited it"));
    if (page - first < count) store<u32>(pageAt(page), number ^ page);
  }
  meet();
  for (let page: u32 = 0; page < pages; page++) {
    if (page % TURN == 0) schedYield();
    const expected = page - first < count ? number ^ page : wordOf(page);
    must(load<u32>(pageAt(page)) == expected, cstr("a child sees its own writes, and else what it inherited"));
  }
  endChild();
}

function tell(name: usize, counter: usize): void {
  say(name, counted(before, after, counter));
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  parameters(argc, argv, cstr("pressure KILOBYTES CHILDREN PART"));
  const kilobytes = numberParameter(64, MOST_KB);
  const children = numberParameter(1, 1000);
  const part = numberParameter(1, 100000);
  lastParameter();
  must(hasSwap(), cstr("there is swap"));
  pipeWell(ready);
  pipeWell(go);
  warmUp(before);
  warmUp(after);
  const pages = fillArea(kilobytes);
  takeSnapshot(before);
  regionBegin(Region.Pressure, 0);
  for (let i: u32 = 0; i < children; i++) if (forkWell() == 0) child(i, pages, part);
  meetAll(children);
  meetAll(children);
  for (let i: u32 = 0; i < children; i++) waitWell(-1);
  regionEnd(Region.Pressure, 0);
  takeSnapshot(after);
  tell(cstr("faults"), cstr("faults"));
  tell(cstr("faultsWaiting"), cstr("faults_waiting"));
  tell(cstr("swapIns"), cstr("swap_ins"));
  tell(cstr("swapOuts"), cstr("swap_outs"));
  tell(cstr("sectorsRead"), cstr("disk_reads"));
  tell(cstr("sectorsWritten"), cstr("disk_writes"));
  tell(cstr("tablesCopied"), cstr("tables_copied"));
  tell(cstr("tablesUnshared"), cstr("tables_unshared"));
  tell(cstr("pagesCopied"), cstr("cow_copies"));
  must(areaIntact(pages, 1), cstr("the parent's memory is as it was"));
  return 0;
}
