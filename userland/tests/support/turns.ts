/**
 * Processes of one test in a fixed order: who may go on next is said over pipes, so that a test's outcome does not hang on
 * the scheduler. May import lib.
 *
 * A pair: startChild() forks; each side calls tell() to let the other go on and hear() to wait for that. A gate: any
 * number of processes wait in gateWait() until the one that called gateMake() calls gateOpen().
 */
import { close, exit, flush, fork, pipe, read, waitSuccess, write } from "../../lib/index";

const toParent: usize = memory.data(8, 4);
const toChild: usize = memory.data(8, 4);
const gate: usize = memory.data(8, 4);
const token: usize = memory.data(8, 4);

let inChild: bool = false;

/** A child that shares everything with this process and has a pair of pipes with it: fork's results. */
export function startChild(): i32 {
  assert(pipe(toParent) == 0 && pipe(toChild) == 0, "there are pipes for a pair of processes");
  flush();
  const pid = fork();
  assert(pid >= 0, "there is room for a child");
  inChild = pid == 0;
  close(load<i32>(inChild ? toParent : toParent + 4));
  close(load<i32>(inChild ? toChild + 4 : toChild));
  return pid;
}

/** Lets the other of the pair go on. */
export function tell(): void {
  assert(write(load<i32>((inChild ? toParent : toChild) + 4), token, 1) == 1, "the other process hears");
}

/** Waits until the other of the pair tells. False when it is gone. */
export function heard(): bool {
  return read(load<i32>(inChild ? toChild : toParent), token, 1) == 1;
}

/** Waits until the other of the pair tells; it must not be gone. */
export function hear(): void {
  assert(heard(), "the other process tells");
}

/** Ends the child of a pair well. */
export function childEnd(): void {
  flush();
  exit(0);
}

/** The parent's end of a pair: waits for the child, which must have ended well, and closes the pipes. */
export function pairEnd(pid: i32): void {
  waitSuccess(pid);
  pairClose();
}

/** Closes the parent's ends of the pipes, after a child that was waited for otherwise. */
export function pairClose(): void {
  close(load<i32>(toParent));
  close(load<i32>(toChild + 4));
}

/** Makes the gate. One at a time. */
export function gateMake(): void {
  assert(pipe(gate) == 0, "there is a pipe for a gate");
}

/** Waits at the gate, in a process forked since gateMake(). */
export function gateWait(): void {
  close(load<i32>(gate + 4));
  read(load<i32>(gate), token, 1);
  close(load<i32>(gate));
}

/** Lets all go on that wait at the gate, or ever will. */
export function gateOpen(): void {
  close(load<i32>(gate + 4));
  close(load<i32>(gate));
}
