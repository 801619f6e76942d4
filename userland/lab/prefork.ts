/**
 * prefork DEPTH WIDTH KILOBYTES FIRST: a tree of processes, all alive at once: each down to DEPTH forks WIDTH children. Depth 1 is a server that
 * has forked WIDTH workers. Pipes make a ring of them, in the order in which they were forked; a token goes round it. In the first round
 * each process looks at the memory that all inherited; then it writes a word to each 4 MB of it, and says how long that took: the `root`
 * before all others or after them, as FIRST says (`root` or `workers`); in the last round each ends.
 *
 * Regions: Fork of each process, its tag 0; Family from the first fork until all are there; Requests the round in which all write; Exit the
 * last one. Lines: processes; users, of the first table, before and after; frames of directories, tables and chains, of
 * everything, and bytes of chains, before and after; cycles of the writes: of the first process, the longest, the last, and all. May import lib and support/.
 */
import { close, counted, cstr, freeFrames, Region, regionBegin, regionEnd, takeSnapshot } from "../lib/index";
import { areaIntact, fillArea, MOST_KB, PAGES_A_TABLE, PLACE, pageAt } from "./support/area";
import { cyclesNow } from "./support/latencies";
import { choiceParameter, lastParameter, numberParameter, parameters } from "./support/parameters";
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
import { usersOf } from "./support/users";

/** Every so many pages are looked at. */
const STEP: u32 = 61;
const before: usize = memory.data(4096);
const built: usize = memory.data(4096);
const written: usize = memory.data(4096);

const enum Work {
  Look = 0,
  Write = 1,
  End = 2,
}

/** What goes round. */
@unmanaged
class Token {
  work: Work = Work.Look;
  /** Processes that it has passed. */
  visited: u32 = 0;
  /** Cycles of the writes to all tables, of the first process, of the longest, of the last, and of all together. */
  first: u32 = 0;
  longest: u32 = 0;
  last: u32 = 0;
  total: u32 = 0;
}
const TOKEN_BYTES: u32 = 24;
const token: Token = changetype<Token>(memory.data(24, 4));
const tokenAddress: usize = changetype<usize>(token);

/** Free frames at the moments of the snapshots. */
let freeBefore: u32 = 0;
let freeBuilt: u32 = 0;
let freeWritten: u32 = 0;
let pages: u32 = 0;
let width: u32 = 0;
/** Where this process gets the token, and where it goes. */
let input: i32 = -1;
let output: i32 = -1;
/** Children of this process. */
let children: u32 = 0;

/** Writes a word in each table, `visited`, and looks whether another's write is to be seen. */
function writeTables(): void {
  const start = cyclesNow();
  for (let page: u32 = 0; page < pages; page += PAGES_A_TABLE) {
    const seen = load<u32>(pageAt(page), 8);
    store<u32>(pageAt(page), token.visited, 8);
    must(seen == 0, cstr("nobody's write is seen by others"));
  }
  const cycles = cyclesNow() - start;
  if (token.first == 0) token.first = cycles;
  token.longest = max<u32>(token.longest, cycles);
  token.last = cycles;
  token.total += cycles;
}

/** Does what the token says. */
function work(): void {
  token.visited++;
  if (token.work == Work.Look) must(areaIntact(pages, STEP), cstr("a process has the memory that it inherited"));
  else if (token.work == Work.Write) writeTables();
}

function passOn(): void {
  send(output, tokenAddress, TOKEN_BYTES);
}

/** The life of all but the root, once they have their children; never returns. */
function serve(): void {
  while (receive(input, tokenAddress, TOKEN_BYTES)) {
    work();
    passOn();
    if (token.work != Work.End) continue;
    for (let i: u32 = 0; i < children; i++) waitWell(-1);
    endChild();
  }
  must(false, cstr("the ring ends with a token"));
}

/**
 * Forks the children of this process, which has `input` and `output`, and theirs. The token then comes to the first child, from the last
 * child of each to the next, and from the last to where `output` went. In a child it never returns.
 */
function grow(depth: u32): void {
  if (depth == 0) return;
  const end = output;
  // The pipe by which the token comes to the next child.
  const link: usize = memory.data(8, 4);
  pipeWell(link);
  output = writeEnd(link);
  for (let i: u32 = 0; i < width; i++) {
    const nextInput = readEnd(link);
    const isLast = i + 1 == width;
    if (!isLast) pipeWell(link);
    const pid = forkMeasured(0);
    if (pid == 0) {
      close(output);
      close(input);
      input = nextInput;
      if (!isLast) {
        close(readEnd(link));
        close(end);
      }
      output = isLast ? end : writeEnd(link);
      children = 0;
      grow(depth - 1);
      serve();
    }
    close(nextInput);
    if (!isLast) close(writeEnd(link));
    children++;
  }
  close(end);
}

/** One round of the ring. */
function round(kind: Work): void {
  token.work = kind;
  passOn();
  must(receive(input, tokenAddress, TOKEN_BYTES), cstr("the token comes back"));
}

function tell(snapshot: usize, directories: usize, tables: usize, chains: usize, bytes: usize): void {
  say(directories, counted(before, snapshot, cstr("frames_directory")));
  say(tables, counted(before, snapshot, cstr("frames_table")));
  say(chains, counted(before, snapshot, cstr("frames_chain")));
  say(bytes, counted(before, snapshot, cstr("rmap_chain_bytes")));
}

/** How many processes a tree has besides its root. */
function treeSize(depth: u32): u32 {
  let size: u32 = 0;
  for (let i: u32 = 0; i < depth; i++) size = (size + 1) * width;
  return size;
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  parameters(argc, argv, cstr("prefork DEPTH WIDTH KILOBYTES root|workers"));
  const depth = numberParameter(1, 1000);
  width = numberParameter(1, 1000);
  const kilobytes = numberParameter(4, MOST_KB);
  const rootLast = choiceParameter(cstr("root"), cstr("workers"));
  lastParameter();
  const ring: usize = memory.data(8, 4);
  pipeWell(ring);
  input = readEnd(ring);
  output = writeEnd(ring);
  warmUp(before);
  warmUp(built);
  warmUp(written);
  pages = fillArea(kilobytes);
  freeBefore = freeFrames();
  takeSnapshot(before);
  regionBegin(Region.Family, 0);
  grow(depth);
  token.visited = 0;
  round(Work.Look);
  regionEnd(Region.Family, 0);
  const processes = treeSize(depth);
  must(token.visited == processes, cstr("all processes are there"));
  say(cstr("processes"), processes);
  takeSnapshot(built);
  freeBuilt = freeFrames();
  say(cstr("users"), usersOf(PLACE));
  regionBegin(Region.Requests, 0);
  token.visited = 0;
  if (!rootLast) work();
  round(Work.Write);
  if (rootLast) writeTables();
  regionEnd(Region.Requests, 0);
  takeSnapshot(written);
  freeWritten = freeFrames();
  say(cstr("usersAfter"), usersOf(PLACE));
  say(cstr("firstWrite"), token.first);
  say(cstr("longestWrite"), token.longest);
  say(cstr("lastWrite"), token.last);
  say(cstr("allWrites"), token.total);
  tell(built, cstr("directories"), cstr("tables"), cstr("chains"), cstr("chainBytes"));
  say(cstr("frames"), freeBefore - freeBuilt);
  tell(written, cstr("directoriesAfter"), cstr("tablesAfter"), cstr("chainsAfter"), cstr("chainBytesAfter"));
  say(cstr("framesAfter"), freeBefore - freeWritten);
  regionBegin(Region.Exit, 0);
  round(Work.End);
  for (let i: u32 = 0; i < children; i++) waitWell(-1);
  regionEnd(Region.Exit, 0);
  return 0;
}
