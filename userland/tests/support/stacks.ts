/**
 * A system call on a stack of the test's choice, so that a signal's frame is the one thing written there. May import nothing.
 */

/** userland/lib/signals.s. */
declare function sigprocmaskOn(stack: usize, how: u32, set: usize): i32;

const set: usize = memory.data(8, 4);

/** sigprocmask made with `stack` as the stack pointer. */
export function runOnStack(stack: usize, how: u32, signals: u32): void {
  store<u32>(set, signals);
  sigprocmaskOn(stack, how, set);
}
