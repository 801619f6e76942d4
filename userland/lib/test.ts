/**
 * Guest tests: named cases, each run in a child of the test program, with the free frames of the machine counted before
 * and after it. The output is TAP: "ok 3 - NAME" or "not ok 3 - NAME", comments that say why before it, the plan last.
 *
 *     test(cstr("P13 last sharer re-enables the pde"), () => {
 *       assert(same(counter(cstr("tables_unshared")), 0), "nothing is unshared");
 *     });
 *
 * A case fails if an assert in it fails (the process ends with ABORT_STATUS), if it ends with any other status than 0, if
 * a signal kills it, or if it leaves fewer or more free frames than it found. May import print, resident, string, syscalls,
 * vmstat and kernel/abi. Source: TAP 13, the protocol; the manner of xv6's usertests.
 */
import { Errno } from "../../kernel/abi/errno";
import { cstr } from "../../kernel/abi/intrinsics";
import { wExitStatus, wifExited, wTermSig } from "../../kernel/abi/wait";
import { flush, printf } from "./print";
import { makeResident } from "./resident";
import { streq } from "./string";
import { close, exit, fork, kill, pipe, read, schedYield, waitpid, write } from "./syscalls";
import { freeFramesWithoutSwap } from "./vmstat";

/** Names of the cases to run, as strings; all when there are none. */
let wanted: usize = 0;
let wantedCount: i32 = 0;
let cases: i32 = 0;
let failures: i32 = 0;
const statusWord: usize = memory.data(4, 4);
const ends: usize = memory.data(8, 4);

/** Waits for child `pid`: its status word; the child must be there. */
export function waitFor(pid: i32): u32 {
  assert(pid > 0, "fork made a child");
  assert(waitpid(pid, statusWord) == pid, "the child can be waited for");
  return load<u32>(statusWord);
}

/** Waits for child `pid`, which must end with status 0: an assert that failed in a child fails its parent too. */
export function waitSuccess(pid: i32): void {
  assert(same(waitFor(pid), 0), "the child ends with status 0");
}

/** Whether two numbers are the same; says both, as a comment of the test, when they are not. */
export function same(actual: u32, expected: u32): bool {
  if (actual == expected) return true;
  printf(cstr("# got %u (0x%x), expected %u (0x%x)\n"), actual, actual, expected, expected);
  return false;
}

/** Whether `actual` lies from `least` to `most`; says all three when it does not. */
export function within(actual: u32, least: u32, most: u32): bool {
  if (actual >= least && actual <= most) return true;
  printf(cstr("# got %u, expected %u to %u\n"), actual, least, most);
  return false;
}

/** Leaves an orphan that ends at once, and says its pid on the pipe. */
function leaveOrphan(): void {
  store<i32>(statusWord, fork());
  if (load<i32>(statusWord) != 0) write(load<i32>(ends + 4), statusWord, 4);
}

/** Waits until process `pid`, which need not be a child, is gone, zombie and all. */
export function waitGone(pid: i32): void {
  while (kill(pid, 0) != -Errno.ESRCH) schedYield();
}

/** Runs `body` in a child: its status word. */
function runChild(body: () => void): u32 {
  flush();
  const pid = fork();
  if (pid == 0) {
    body();
    flush();
    exit(0);
  }
  return waitFor(pid);
}

/**
 * Takes the program's arguments: names of the cases to run. Comes first. All that is used for the first time once and for
 * all, here, in the kernel and in process 1, is used now, so that it is not counted to the first case.
 */
export function testBegin(argc: i32, argv: usize): void {
  wanted = argv + 4;
  wantedCount = argc - 1;
  makeResident();
  assert(pipe(ends) == 0, "there is a pipe");
  runChild(leaveOrphan);
  assert(read(load<i32>(ends), statusWord, 4) == 4, "there was an orphan");
  waitGone(load<i32>(statusWord));
  close(load<i32>(ends));
  close(load<i32>(ends + 4));
}

function isWanted(name: usize): bool {
  for (let i = 0; i < wantedCount; i++) {
    if (streq(name, load<usize>(wanted + i * 4))) return true;
  }
  return wantedCount == 0;
}

/** Runs one case. */
export function test(name: usize, body: () => void): void {
  if (!isWanted(name)) return;
  cases++;
  const before = freeFramesWithoutSwap();
  const status = runChild(body);
  const after = freeFramesWithoutSwap();
  if (!wifExited(status)) printf(cstr("# killed by signal %u\n"), wTermSig(status));
  else if (status != 0) printf(cstr("# ended with status %u\n"), wExitStatus(status));
  if (after != before) printf(cstr("# free frames: %u before, %u after\n"), before, after);
  const failed = status != 0 || after != before;
  if (failed) failures++;
  printf(cstr("%s %d - %s\n"), failed ? cstr("not ok") : cstr("ok"), cases, name);
}

/** Prints the plan. What main must return: 0 when every case passed and there was one, else 1. */
export function testEnd(): i32 {
  printf(cstr("1..%d\n"), cases);
  return failures == 0 && cases != 0 ? 0 : 1;
}
