/**
 * manyforks [COUNT]: forks COUNT children, 1,000 unless told, one after another; each writes to memory that it shares with its
 * parent, and every fourth dies of a signal. The test harness then counts the free frames.
 * May import lib and support/.
 */
import {
  argument,
  cstr,
  exit,
  fork,
  isNumber,
  MAP_PRIVATE,
  parseDec,
  Signal,
  same,
  test,
  testBegin,
  testEnd,
  waitFor,
} from "../lib/index";
import { mapPages, pagesIntact, READ_WRITE, writePage, writePages } from "./support/memory";

let count: u32 = 1000;

function forks(): void {
  mapPages(0, 16, READ_WRITE, MAP_PRIVATE);
  writePages(0, 16);
  for (let i: u32 = 0; i < count; i++) {
    const pid = fork();
    assert(pid >= 0, "there is always room for one child");
    if (pid == 0) {
      if ((i & 1) == 0) writePage(i & 15, i);
      if ((i & 3) == 3) atomic.store<u32>(0, 1);
      exit(i & 255);
    }
    assert(same(waitFor(pid), (i & 3) == 3 ? Signal.SIGSEGV : (i & 255) << 8), "each child ends as it should");
  }
  assert(pagesIntact(0, 16), "the parent's memory is as it was");
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  if (argc > 1 && isNumber(argument(argv, 1))) count = parseDec(argument(argv, 1));
  testBegin(1, argv);
  test(cstr("many forks leave no frame behind"), forks);
  return testEnd();
}
