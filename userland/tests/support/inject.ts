/**
 * Operations of which allocation k fails, for k = 1, 2, … until one goes by without any failing. The host lets them fail and compares
 * the machine before and after (tests/guest/inject.ts); here the program's own view is checked. May import lib and support/.
 */

import { outl, readEsp } from "../../../kernel/abi/intrinsics";
import {
  counter,
  cstr,
  Errno,
  exit,
  flush,
  fork,
  InjectLeaves,
  MARK_PORT,
  Mark,
  parseHex,
  printf,
  readFile,
  Signal,
  same,
  strchr,
  waitFor,
  waitpid,
  waitSuccess,
} from "../../lib/index";
import { PAGE } from "./memory";

/** More allocations than any operation here makes. */
const MOST: u32 = 80;
const LEAVES_SHIFT: u32 = 16;
/** Pages of stack that an operation may use. */
const STACK_PAGES: usize = 4;
const MAPS_BYTES: i32 = 2048;
const maps: usize = memory.data(2048);
const word: usize = memory.data(4, 4);

/** What a sweep is about. */
@unmanaged
export class Sweep {
  /** What comes first, with no allocation failing. */
  prepare: () => void = changetype<() => void>(0);
  /** Does it: 0 or -errno. */
  operation: () => i32 = changetype<() => i32>(0);
  /** Asserts that the process's memory is as it was before the operation. */
  intact: () => void = changetype<() => void>(0);
  leaves: InjectLeaves = InjectLeaves.Nothing;
  /** A failure kills the process instead of being told to it. */
  kills: bool = false;
  /** If it succeeds there is nothing to go back to. */
  leavesForGood: bool = false;
}

/** Makes all that this process writes to its own, so that nothing but the operation allocates. */
function ownMemory(): void {
  const stack = readEsp();
  for (let i: usize = 0; i <= STACK_PAGES; i++) atomic.store<u32>(stack - i * PAGE - 64, 0);
  assert(readFile(cstr("/proc/self/maps"), maps, MAPS_BYTES) > 0, "the mappings can be read");
  // start-end rwxp ...: of those below the first 64 MB of the program, what can be written.
  for (let line = maps; load<u8>(line) == 0x30; line = strchr(line, 0x0a) + 1) {
    const start = parseHex(line);
    const end = parseHex(line + 9);
    if (load<u8>(line + 19) != 0x77 || end > 0x0c000000) continue;
    for (let page = start; page < end; page += PAGE) atomic.store<u32>(page, atomic.load<u32>(page));
  }
}

/** The k-th allocation from here on fails. */
export function inject(k: u32, leaves: InjectLeaves): void {
  outl(MARK_PORT, (Mark.Inject << 24) | (leaves << LEAVES_SHIFT) | k);
}

/** From here on none fails. */
export function injected(failed: bool): void {
  outl(MARK_PORT, (Mark.Injected << 24) | u32(failed));
}

/** In a child: does the operation with allocation k failing. Ends it. */
function attempt(sweep: Sweep, k: u32): void {
  const operation = sweep.operation;
  const intact = sweep.intact;
  const prepare = sweep.prepare;
  ownMemory();
  prepare();
  inject(k, sweep.leaves);
  const result = operation();
  injected(result != 0);
  if (result != 0) {
    const isSaid = result == -Errno.ENOMEM || result == -Errno.EFAULT || result == -Errno.ENOSPC;
    assert(isSaid || same(-result, Errno.ENOMEM), "it fails for want of memory, and says so");
    intact();
    if (!sweep.leavesForGood) assert(same(operation(), 0), "the next time it succeeds");
  }
  while (waitpid(-1, word) > 0) assert(same(load<u32>(word), 0), "its children end well");
  flush();
  exit(0);
}

/** A fork after which nobody writes: fork=auto forgets that the last ones were followed by unsharing. */
function quietFork(): void {
  const pid = fork();
  if (pid == 0) exit(0);
  waitSuccess(pid);
}

/** Sweeps over all allocations of an operation, in children that share this process's tables. How many there are. */
export function sweepAllocations(sweep: Sweep): u32 {
  const intact = sweep.intact;
  let failed = counter(cstr("allocations_failed"));
  let k: u32 = 1;
  for (; k < MOST; k++) {
    quietFork();
    flush();
    const pid = fork();
    if (pid == 0) attempt(sweep, k);
    const status = waitFor(pid);
    const now = counter(cstr("allocations_failed"));
    const used = now != failed;
    failed = now;
    intact();
    const isKilled = status == Signal.SIGKILL || status == Signal.SIGSEGV;
    if (!(isKilled && used && sweep.kills)) assert(same(status, 0), "allocation k fails as it may");
    if (!used) break;
  }
  assert(k < MOST, "there is an end to its allocations");
  printf(cstr("# each of %u allocations has failed\n"), k - 1);
  return k - 1;
}
