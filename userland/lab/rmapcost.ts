/**
 * rmapcost SHARERS KILOBYTES: what the reverse map costs a family that shares so much private memory: entries added at each fork, bytes for each page,
 * and the work of swapping out, by the number of processes that map a page. SHARERS - 1 children do nothing but be there; then half of all pages are
 * swapped out at once, by /proc/reclaim; then all read everything.
 *
 * Regions: Fork of each child, tag 0; SwapOut, within which the kernel marks the taking of pages out of tables; SwapIn, all reading, until the
 * children have ended. Lines: rmapAdds of all forks; chainBytes, chainFrames and tables of all children; pages of the area; swapOuts and swapIns.
 * Wants swap. May import lib and support/.
 */
import {
  close,
  counted,
  cstr,
  O_WRONLY,
  open,
  Region,
  regionBegin,
  regionEnd,
  strlen,
  takeSnapshot,
} from "../lib/index";
import { areaIntact, fillArea, MOST_KB } from "./support/area";
import { lastParameter, numberParameter, parameters } from "./support/parameters";
import {
  endChild,
  forkMeasured,
  pipeWell,
  readEnd,
  receive,
  send,
  waitWell,
  warmUp,
  writeEnd,
} from "./support/processes";
import { must, say } from "./support/results";

const before: usize = memory.data(4096);
const forked: usize = memory.data(4096);
const swapped: usize = memory.data(4096);
const over: usize = memory.data(4096);
/** Pipe ends: children to parent, and a gate that opens for all when the parent closes it. */
const ready: usize = memory.data(8, 4);
const gate: usize = memory.data(8, 4);
const token: usize = memory.data(4, 4);
const digits: usize = memory.data(12);

/** A child's life: says that it is there, waits for the gate, reads everything. */
function child(pages: u32): void {
  close(writeEnd(gate));
  send(writeEnd(ready), token, 1);
  must(!receive(readEnd(gate), token, 1), cstr("the gate opens"));
  must(areaIntact(pages, 1), cstr("a child's memory is as it inherited it"));
  endChild();
}

/** Has so many pages swapped out, whoever they belong to. */
function reclaim(pages: u32): void {
  const file = open(cstr("/proc/reclaim"), O_WRONLY);
  let digit = digits + 11;
  for (let rest = pages; rest != 0; rest /= 10) store<u8>(--digit, u8((rest % 10) + 0x30));
  regionBegin(Region.SwapOut, 0);
  send(file, digit, strlen(digit));
  regionEnd(Region.SwapOut, 0);
  close(file);
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  parameters(argc, argv, cstr("rmapcost SHARERS KILOBYTES"));
  const children = numberParameter(2, 1000) - 1;
  const kilobytes = numberParameter(64, MOST_KB);
  lastParameter();
  pipeWell(ready);
  pipeWell(gate);
  warmUp(before);
  warmUp(forked);
  warmUp(swapped);
  warmUp(over);
  const pages = fillArea(kilobytes);
  takeSnapshot(before);
  for (let i: u32 = 0; i < children; i++) {
    const pid = forkMeasured(0);
    if (pid == 0) child(pages);
    must(receive(readEnd(ready), token, 1), cstr("a child is there"));
  }
  takeSnapshot(forked);
  reclaim(pages / 2);
  takeSnapshot(swapped);
  regionBegin(Region.SwapIn, 0);
  close(writeEnd(gate));
  must(areaIntact(pages, 1), cstr("the parent's memory is as it was"));
  for (let i: u32 = 0; i < children; i++) waitWell(-1);
  regionEnd(Region.SwapIn, 0);
  takeSnapshot(over);
  say(cstr("pages"), pages);
  say(cstr("rmapAdds"), counted(before, forked, cstr("fork_rmap_added")));
  say(cstr("chainBytes"), counted(before, forked, cstr("rmap_chain_bytes")));
  say(cstr("chainFrames"), counted(before, forked, cstr("frames_chain")));
  say(cstr("tables"), counted(before, forked, cstr("frames_table")));
  say(cstr("swapOuts"), counted(forked, swapped, cstr("swap_outs")));
  say(cstr("swapIns"), counted(swapped, over, cstr("swap_ins")));
  must(counted(forked, swapped, cstr("pages_reclaimed")) != 0, cstr("pages were swapped out"));
  return 0;
}
