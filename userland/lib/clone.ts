/**
 * Processes in this one's memory: vfork and clone, as section 2 of the manual has them, but for the child's part, which is a function of
 * its own: compiled code keeps values in its frame, where a child that returned from vfork would change them under its parent.
 * What the child writes is seen by all, the buffer of printf included. May import syscalls and kernel/abi.
 */
import { Errno } from "../../kernel/abi/errno";
import { exit } from "./syscalls";

/** clone.s. */
declare function vforkCall(entry: usize, argument: usize): i32;
declare function cloneCall(flags: u32, stack: usize, tid: usize): i32;

/** What a child runs: its argument, and its exit status. */
export type ChildFunction = (argument: usize) => i32;

/** Where clone.s begins the child. Does not return. */
export function runClone(entry: usize, argument: usize): void {
  exit(changetype<ChildFunction>(entry)(argument));
}

/**
 * Runs `entry` in a child in this process's memory, on this stack. Returns when the child has executed a program or ended: its
 * pid, or -errno.
 */
export function vfork(entry: ChildFunction, argument: usize = 0): i32 {
  return vforkCall(changetype<usize>(entry), argument);
}

/**
 * Runs `entry` in a child as `flags` (kernel/abi/clone.ts) say, on the stack that ends at `stackEnd`, a multiple of 4. `tid` is where pids
 * go, if the flags want that. The child's pid, or -errno; EINVAL without a stack.
 */
export function clone(flags: u32, stackEnd: usize, entry: ChildFunction, argument: usize = 0, tid: usize = 0): i32 {
  if (stackEnd == 0) return -Errno.EINVAL;
  const stack = stackEnd - 8;
  store<usize>(stack, changetype<usize>(entry));
  store<usize>(stack, argument, 4);
  return cloneCall(flags, stack, tid);
}
