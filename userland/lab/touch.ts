/**
 * touch KILOBYTES ORDER WRITER COUNT: the whole cost of a fork after which the child or the parent writes to COUNT of the pages that were there:
 * `in-order`, at `random` (seeded, each page once) or `spread` (one page in each table, then the next in each). Up to 4 MB lie in one table;
 * more must be whole tables. The number of pages must be a power of two.
 *
 * Region Touch goes from the parent's fork to the return of its wait, so that it holds fork, faults and exit. Lines say what it took: faults,
 * pages copied, tables that were copied at fork or later. May import lib and support/.
 */
import { close, counted, cstr, exit, Region, regionBegin, regionEnd, streq, takeSnapshot } from "../lib/index";
import { areaIntact, fillArea, MOST_KB, PAGES_A_TABLE, pageAt, wordOf } from "./support/area";
import { choiceParameter, lastParameter, numberParameter, parameters, wordParameter } from "./support/parameters";
import { forkWell, pipeWell, readEnd, receive, send, waitWell, warmUp, writeEnd } from "./support/processes";
import { must, say } from "./support/results";

const before: usize = memory.data(4096);
const after: usize = memory.data(4096);
/** Pipe ends: parent to child. */
const turn: usize = memory.data(8, 4);
const token: usize = memory.data(4, 4);

const enum Order {
  InOrder,
  Random,
  Spread,
}

let order: Order = Order.InOrder;
let pages: u32 = 0;
let tables: u32 = 0;

function orderOf(word: usize): Order {
  if (streq(word, cstr("in-order"))) return Order.InOrder;
  if (streq(word, cstr("random"))) return Order.Random;
  must(streq(word, cstr("spread")), cstr("the order is in-order, random or spread"));
  return Order.Spread;
}

/** The page that comes at `step`. A multiplier that is odd visits each number below a power of two once. */
function pageOf(step: u32): u32 {
  if (order == Order.Spread) return (step % tables) * PAGES_A_TABLE + step / tables;
  return order == Order.InOrder ? step : (step * 0x9e3779b1 + 0x7f4a7c15) % pages;
}

/** Writes to `count` pages. */
function touch(count: u32, byParent: bool): void {
  for (let step: u32 = 0; step < count; step++) store<u32>(pageAt(pageOf(step)), byParent ? ~step : step);
}

/** Whether this process sees its own writes, and else what was there. */
function right(count: u32, byParent: bool): bool {
  for (let step: u32 = 0; step < pages; step++) {
    const page = pageOf(step);
    const expected = step >= count ? wordOf(page) : byParent ? ~step : step;
    if (load<u32>(pageAt(page)) != expected) return false;
  }
  return true;
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  parameters(argc, argv, cstr("touch KILOBYTES in-order|random|spread child|parent COUNT"));
  const kilobytes = numberParameter(4, MOST_KB);
  order = orderOf(wordParameter());
  const byParent = choiceParameter(cstr("child"), cstr("parent"));
  const count = numberParameter(0, kilobytes / 4);
  lastParameter();
  pages = kilobytes / 4;
  must((pages & (pages - 1)) == 0, cstr("the number of pages is a power of two"));
  tables = (pages + PAGES_A_TABLE - 1) / PAGES_A_TABLE;
  warmUp(before);
  warmUp(after);
  fillArea(kilobytes);
  pipeWell(turn);
  takeSnapshot(before);
  regionBegin(Region.Touch, 0);
  const pid = forkWell();
  if (pid == 0) {
    if (!byParent) touch(count, false);
    // Until the parent has done its part: a child that is gone is no reason to copy anything.
    else receive(readEnd(turn), token, 1);
    exit(0);
  }
  if (byParent) {
    touch(count, true);
    send(writeEnd(turn), token, 1);
  }
  waitWell(pid);
  regionEnd(Region.Touch, 0);
  takeSnapshot(after);
  close(readEnd(turn));
  close(writeEnd(turn));
  say(cstr("faults"), counted(before, after, cstr("faults")));
  say(cstr("pagesCopied"), counted(before, after, cstr("cow_copies")));
  say(cstr("tablesCopied"), counted(before, after, cstr("tables_copied")));
  say(cstr("tablesUnshared"), counted(before, after, cstr("tables_unshared")));
  must(right(byParent ? count : 0, byParent), cstr("parent and child see their own writes only"));
  must(byParent || areaIntact(pages, 1), cstr("the parent's memory is as it was"));
  return 0;
}
