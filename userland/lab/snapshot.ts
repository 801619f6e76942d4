/**
 * snapshot KILOBYTES SAVE_AT: an in-memory key-value server that forks to save itself, as Redis does with BGSAVE, while a client keeps
 * writing. The client, a small process, sends a write down a pipe and waits for the answer. When the SAVE_AT-th write has come, the server first
 * forks: the child puts the whole table out as it was then, giving the CPU away after each page; the server goes on serving.
 *
 * Region Fork is the server's pause at the fork; Save, tag 0, goes from the fork until the child has put all out, and tag 1 from then, when memory has
 * been counted, until the child has ended. Lines say, in cycles by the
 * time-stamp counter, how long the client's writes took: those before the save (idleP50, idleMax), those during it (writes, p50, p99, longest,
 * and `latency=`, the quantiles in steps of 0.5 %), and the longest while the child ended (endWrite); and the frames that were in use at the save's end besides those before it, by kind. The child checks that what it
 * saved is the table at the fork, the server that its table has every write. May import lib and support/.
 */
import {
  close,
  counted,
  cstr,
  exit,
  freeFrames,
  isError,
  MAP_SHARED,
  mmapAnonymous,
  O_WRONLY,
  open,
  PROT_READ,
  PROT_WRITE,
  Region,
  regionBegin,
  regionEnd,
  schedYield,
  takeSnapshot,
  WNOHANG,
  waitpid,
} from "../lib/index";
import { MOST_KB } from "./support/area";
import { ENTRY_BYTES, entriesIn, entryAt, setKey, tableFill, tableSum } from "./support/keyvalue";
import {
  cyclesNow,
  latenciesBegin,
  latenciesSort,
  latencyAdd,
  latencyCount,
  quantile,
  sayQuantiles,
} from "./support/latencies";
import { lastParameter, numberParameter, parameters } from "./support/parameters";
import {
  endChild,
  forkMeasured,
  forkWell,
  pipeWell,
  readEnd,
  receive,
  send,
  waitWell,
  warmUp,
  writeEnd,
} from "./support/processes";
import { must, say } from "./support/results";

const PAGE: u32 = 4096;
const before: usize = memory.data(4096);
const after: usize = memory.data(4096);
const output: usize = memory.data(4096);
/** Pipe ends: writes to the server, answers back. */
const requests: usize = memory.data(8, 4);
const answers: usize = memory.data(8, 4);
/** Server to child: it may end. */
const gate: usize = memory.data(8, 4);
/** A request: key and value. An answer: Saving. */
const request: usize = memory.data(8, 4);
const answer: usize = memory.data(4, 4);
const statusWord: usize = memory.data(4, 4);
/** A word, in a 4 MB slot of its own, that the child sets when it has put all out. */
const SHARED: usize = 0x50000000;
/** What a client sends instead of a key to have memory counted, which takes long. Draws of keys are even. */
const COUNT_MEMORY: u32 = 1;

let freeAtFork: u32 = 0;
let freeAtEnd: u32 = 0;
/** Of the client's last write, in cycles. */
let latency: u32 = 0;

const enum Saving {
  NotYet = 0,
  Now = 1,
  /** All is put out; the child is still there. */
  Done = 2,
  /** Memory has been counted. */
  Counted = 3,
  /** The child ends. */
  Ending = 4,
  Over = 5,
}

/** The child: puts the table out, a page at a time, and checks the sum of what it found; never returns. */
function save(sum: u32): void {
  const file = open(cstr("/dev/null"), O_WRONLY);
  let found: u32 = 0;
  const end = entryAt(entriesIn());
  for (let page = entryAt(0); page < end; page += PAGE) {
    memory.copy(output, page, PAGE);
    for (let at: u32 = 0; at < PAGE; at += ENTRY_BYTES) found += load<u32>(output + at, 4);
    send(file, output, PAGE);
    schedYield();
  }
  atomic.store<u32>(SHARED, 1);
  receive(readEnd(gate), statusWord, 1);
  exit(found == sum ? 0 : 1);
}

/** Forks the child that saves: its pid. */
function saveBegin(sum: u32): i32 {
  regionBegin(Region.Save, 0);
  const pid = forkMeasured(0);
  if (pid == 0) save(sum);
  return pid;
}

/** Counts memory while all copies are there. */
function countMemory(): void {
  freeAtEnd = freeFrames();
  takeSnapshot(after);
}

/** Lets the child end: it has its turn before the client gets the answer that comes next. */
function saveEnd(): void {
  regionBegin(Region.Save, 1);
  send(writeEnd(gate), answer, 1);
}

function server(kilobytes: u32, saveAt: u32): void {
  close(writeEnd(requests));
  close(readEnd(answers));
  tableFill(kilobytes);
  warmUp(before);
  warmUp(after);
  freeAtFork = freeFrames();
  takeSnapshot(before);
  let sum = tableSum();
  send(writeEnd(answers), answer, 4);
  let saving: Saving = Saving.NotYet;
  let count: u32 = 0;
  let pid: i32 = 0;
  while (receive(readEnd(requests), request, 8)) {
    count++;
    if (count == saveAt) {
      pid = saveBegin(sum);
      saving = Saving.Now;
    }
    if (load<u32>(request) == COUNT_MEMORY) {
      countMemory();
      saving = Saving.Counted;
    } else if (saving == Saving.Counted) {
      saveEnd();
      saving = Saving.Ending;
    }
    if (load<u32>(request) != COUNT_MEMORY) sum += setKey(load<u32>(request), load<u32>(request, 4));
    if (saving == Saving.Now && atomic.load<u32>(SHARED) != 0) {
      regionEnd(Region.Save, 0);
      saving = Saving.Done;
    } else if (saving == Saving.Ending && waitpid(pid, statusWord, WNOHANG) == pid) {
      regionEnd(Region.Save, 1);
      must(load<u32>(statusWord) == 0, cstr("what was saved is the table at the fork"));
      saving = Saving.Over;
    }
    store<u32>(answer, saving);
    send(writeEnd(answers), answer, 4);
  }
  must(tableSum() == sum, cstr("the table has every write"));
  tellMemory();
  endChild();
}

/** How many frames the save took at its end. */
function tellMemory(): void {
  say(cstr("peakFrames"), freeAtFork - freeAtEnd);
  const tables = counted(before, after, cstr("frames_table")) + counted(before, after, cstr("frames_directory"));
  say(cstr("peakTables"), tables);
  say(cstr("peakChains"), counted(before, after, cstr("frames_chain")));
  say(cstr("pagesCopied"), counted(before, after, cstr("cow_copies")));
  say(cstr("tablesUnshared"), counted(before, after, cstr("tables_unshared")));
}

/** Sends a request: the answer. */
function ask(draw: u32, value: u32): Saving {
  store<u32>(request, draw);
  store<u32>(request, value, 4);
  send(writeEnd(requests), request, 8);
  must(receive(readEnd(answers), answer, 4), cstr("the server answers"));
  return load<u32>(answer);
}

/** One write to a key, both drawn from `seed`: the answer. */
function writeKey(seed: u32): Saving {
  const start = cyclesNow();
  const saving = ask(seed & ~1, seed ^ 0x5bd1e995);
  latency = cyclesNow() - start;
  return saving;
}

/** The client's life: writes until the save is over. */
function client(kilobytes: u32, saveAt: u32): void {
  let seed: u32 = 1;
  let saving: Saving = Saving.NotYet;
  latenciesBegin(saveAt);
  for (let i: u32 = 1; i < saveAt; i++) {
    seed = seed * 1664525 + 1013904223;
    saving = writeKey(seed);
    latencyAdd(latency);
  }
  must(saving == Saving.NotYet, cstr("the save begins when it should"));
  latenciesSort();
  say(cstr("idleP50"), quantile(500));
  say(cstr("idleMax"), quantile(1000));
  // The child gives the CPU away after each page, so at most that many writes and some pass meanwhile.
  latenciesBegin(kilobytes / 2 + 4096);
  do {
    seed = seed * 1664525 + 1013904223;
    saving = writeKey(seed);
    latencyAdd(latency);
  } while (saving == Saving.Now);
  must(ask(COUNT_MEMORY, 0) == Saving.Counted, cstr("memory is counted"));
  let end: u32 = 0;
  while (saving != Saving.Over) {
    seed = seed * 1664525 + 1013904223;
    saving = writeKey(seed);
    end = max<u32>(end, latency);
  }
  say(cstr("writes"), latencyCount());
  sayQuantiles(cstr("latency"));
  say(cstr("p50"), quantile(500));
  say(cstr("p99"), quantile(990));
  say(cstr("longest"), quantile(1000));
  say(cstr("endWrite"), end);
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  parameters(argc, argv, cstr("snapshot KILOBYTES SAVE_AT"));
  const kilobytes = numberParameter(64, MOST_KB);
  const saveAt = numberParameter(2, 100000);
  lastParameter();
  const shared = mmapAnonymous(SHARED, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
  must(!isError(shared) && shared == SHARED, cstr("shared memory"));
  pipeWell(requests);
  pipeWell(answers);
  pipeWell(gate);
  warmUp(before);
  const pid = forkWell();
  if (pid == 0) server(kilobytes, saveAt);
  close(readEnd(requests));
  close(writeEnd(answers));
  must(receive(readEnd(answers), answer, 4), cstr("the server begins"));
  client(kilobytes, saveAt);
  close(writeEnd(requests));
  waitWell(pid);
  return 0;
}
