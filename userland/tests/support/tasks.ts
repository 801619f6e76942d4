/**
 * Tasks in this process's memory, by clone, and how they take turns: by words that all see. A turn is waited for by looking and
 * yielding, so that waiting touches no table. May import lib, memory.
 */
import { CLONE_VM, clone, MAP_PRIVATE, mmapAnonymous, Signal, schedYield } from "../../lib/index";
import { PAGE, READ_WRITE } from "./memory";

/** Each task's stack, in bytes. */
const STACK_BYTES: usize = 8 * PAGE;
/** What setTurn said last; in memory of the process, so tasks of one share it and processes do not. */
const turn: usize = memory.data(4, 4);

/** Says that it is time for step `step`. */
export function setTurn(step: u32): void {
  atomic.store<u32>(turn, step);
}

/** Whether it is time for step `step`. */
export function isTurn(step: u32): bool {
  return atomic.load<u32>(turn) == step;
}

/** Waits for step `step`. */
export function awaitTurn(step: u32): void {
  while (!isTurn(step)) schedYield();
}

/** setTurn, then waits for the step after it. */
export function passTurn(step: u32): void {
  setTurn(step);
  awaitTurn(step + 1);
}

/** A new task that runs `entry` in this memory, on a stack of its own; `flags` as well as CLONE_VM and SIGCHLD. Its pid. */
export function startTask(entry: (argument: usize) => i32, argument: usize = 0, flags: u32 = 0): i32 {
  const stack = mmapAnonymous(0, STACK_BYTES, READ_WRITE, MAP_PRIVATE);
  const pid = clone(CLONE_VM | Signal.SIGCHLD | flags, stack + STACK_BYTES, entry, argument);
  assert(pid > 0, "there is room for a task");
  return pid;
}
