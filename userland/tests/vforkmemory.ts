/**
 * vfork where memory runs out: tasks of one address space are killed together, and a parent that sleeps in vfork cannot go first. May
 * import lib and support/.
 */
import {
  counter,
  cstr,
  exit,
  fork,
  freeFrames,
  getpid,
  kill,
  MAP_PRIVATE,
  mmapAnonymous,
  Signal,
  same,
  schedYield,
  test,
  testBegin,
  testEnd,
  vfork,
  waitFor,
  wTermSig,
} from "../lib/index";
import { PAGE, READ_WRITE } from "./support/memory";

let parentPid: i32 = 0;

/** Writes to more pages than are free. */
function useAllMemory(): void {
  const pages = freeFrames();
  for (let i = 0; i < 2; i++) {
    const place = mmapAnonymous(0, pages * PAGE, READ_WRITE, MAP_PRIVATE);
    for (let page: u32 = 0; page < pages; page++) store<u32>(place + page * PAGE, 1);
  }
}

/** Status of a process whose child by vfork uses all memory, after it has killed its parent or not. */
function statusOfParent(killsParent: i32): u32 {
  const directories = counter(cstr("frames_directory"));
  const parent = fork();
  if (parent == 0) {
    parentPid = getpid();
    vfork((killsFirst: usize): i32 => {
      if (killsFirst != 0) kill(parentPid, Signal.SIGKILL);
      useAllMemory();
      return 0;
    }, killsParent);
    exit(0);
  }
  const status = waitFor(parent);
  while (counter(cstr("frames_directory")) > directories) schedYield();
  return status;
}

function bothAreKilled(): void {
  assert(
    same(wTermSig(statusOfParent(0)), Signal.SIGKILL),
    "the parent is killed with its child, which has its memory",
  );
}

function childIsKilledFirst(): void {
  assert(
    same(wTermSig(statusOfParent(1)), Signal.SIGKILL),
    "a parent that is to die waits for its child, which is killed",
  );
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  testBegin(argc, argv);
  test(cstr("vfork ends with parent and child when memory runs out"), bothAreKilled);
  test(cstr("oom ends the child of a parent in vfork that is to die"), childIsKilledFirst);
  return testEnd();
}
