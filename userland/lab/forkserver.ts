/**
 * forkserver KILOBYTES RUNS PAGES: a fuzzer's fork server, as American Fuzzy Lop has it. The fuzzer, a small process, sends a test case down a
 * pipe; the server, with so much private memory, forks a child for it, which reads and writes PAGES pages that the case chooses and ends with a
 * status that depends on it; the server sends the status back.
 *
 * Region ForkServer, in the fuzzer, is all RUNS. A line says how many cases "crashed". May import lib and support/.
 */
import { close, cstr, exit, Region, regionBegin, regionEnd, waitpid, wExitStatus, wifExited } from "../lib/index";
import { areaIntact, fillArea, MOST_KB, pageAt, wordOf } from "./support/area";
import { lastParameter, numberParameter, parameters } from "./support/parameters";
import { endChild, forkWell, pipeWell, readEnd, receive, send, waitWell, warmUp, writeEnd } from "./support/processes";
import { must, say } from "./support/results";

/** Runs before those that are measured. */
const WARM_RUNS: u32 = 5;
const snapshot: usize = memory.data(4096);
/** Pipe ends: test cases to the server, statuses back. */
const cases: usize = memory.data(8, 4);
const statuses: usize = memory.data(8, 4);
const message: usize = memory.data(4, 4);
const statusWord: usize = memory.data(4, 4);

/** The next of a sequence of pseudorandom numbers. */
function next(seed: u32): u32 {
  return seed * 1664525 + 1013904223;
}

/** What the program under test answers to a case: 1, a "crash", for one case in sixteen. */
function expected(seed: u32): u32 {
  return seed >> 28 == 7 ? 1 : 0;
}

/** The program under test; never returns. */
function child(seed: u32, pages: u32, count: u32): void {
  let place = seed;
  for (let i: u32 = 0; i < count; i++) {
    place = next(place);
    const page = (place >> 8) % pages;
    // A page that the case chose twice holds what was written before.
    const word = load<u32>(pageAt(page));
    if (word != wordOf(page) && word != seed) exit(2);
    store<u32>(pageAt(page), seed);
  }
  exit(expected(seed));
}

function server(kilobytes: u32, count: u32): void {
  close(writeEnd(cases));
  close(readEnd(statuses));
  warmUp(snapshot);
  const pages = fillArea(kilobytes);
  while (receive(readEnd(cases), message, 4)) {
    const pid = forkWell();
    if (pid == 0) child(load<u32>(message), pages, count);
    must(waitpid(pid, statusWord) == pid && wifExited(load<u32>(statusWord)), cstr("the child can be waited for"));
    store<u32>(message, wExitStatus(load<u32>(statusWord)));
    send(writeEnd(statuses), message, 4);
  }
  must(areaIntact(pages, 1), cstr("the server's memory is as it was"));
  endChild();
}

/** One test case: its status. */
function runCase(seed: u32): u32 {
  store<u32>(message, seed);
  send(writeEnd(cases), message, 4);
  must(receive(readEnd(statuses), message, 4), cstr("the server answers"));
  must(load<u32>(message) == expected(seed), cstr("the child's status is that of its case"));
  return load<u32>(message);
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  parameters(argc, argv, cstr("forkserver KILOBYTES RUNS PAGES"));
  const kilobytes = numberParameter(4, MOST_KB);
  const runs = numberParameter(1, 1000000);
  const pages = numberParameter(0, kilobytes / 4);
  lastParameter();
  pipeWell(cases);
  pipeWell(statuses);
  warmUp(snapshot);
  const pid = forkWell();
  if (pid == 0) server(kilobytes, pages);
  close(readEnd(cases));
  close(writeEnd(statuses));
  let seed: u32 = 1;
  for (let i: u32 = 0; i < WARM_RUNS; i++) {
    seed = next(seed);
    runCase(seed);
  }
  let crashes: u32 = 0;
  regionBegin(Region.ForkServer, 0);
  for (let i: u32 = 0; i < runs; i++) {
    seed = next(seed);
    crashes += runCase(seed);
  }
  regionEnd(Region.ForkServer, 0);
  close(writeEnd(cases));
  waitWell(pid);
  say(cstr("crashes"), crashes);
  return 0;
}
