/**
 * Memory that a task leaves at exec or exit, while others use it: the parent that sleeps in vfork is woken, and the word that
 * clone's CLONE_CHILD_CLEARTID named becomes 0. Nobody is woken for that word: there is no futex, who waits for it looks.
 *
 * A parent in vfork sleeps whatever signals come, also those that kill: its child runs on its stack, so it must not run, and must not
 * leave, before the child has gone. It takes the signals on its way back to user mode.
 * May import vma, uaccess, the scheduler. Source: Linux 2.4 (kernel/fork.c, mm_release; do_fork, CLONE_VFORK).
 */
import { putUser32 } from "../mm/uaccess";
import { Mm, mmActivate } from "../mm/vma";
import { sleepOn, wakeUp } from "./sched";
import { currentTask, Task } from "./task";

/** Sleeps until `child`, which uses the current task's memory, has left it. It may be gone altogether then. */
export function waitForVfork(child: Task): void {
  const parent = currentTask();
  child.vforkParent = parent;
  parent.inVfork = true;
  // A signal wakes too.
  while (parent.inVfork) sleepOn(parent.childWait);
}

/** The current task is about to leave `mm`, which it was made with, for another or for good. */
export function mmRelease(mm: Mm): void {
  const task = currentTask();
  if (task.clearChildTid != 0 && mm.users > 1) putUserOf(mm, task.clearChildTid, 0);
  task.clearChildTid = 0;
  const parent = task.vforkParent;
  if (parent === null) return;
  task.vforkParent = null;
  parent.inVfork = false;
  wakeUp(parent);
}

/** Writes a word to user memory of `mm`, which need not be current. Not at all, if it cannot be written. */
export function putUserOf(mm: Mm, address: usize, value: u32): void {
  const task = currentTask();
  const own = task.mm!;
  task.mm = mm;
  mmActivate(mm);
  putUser32(address, value);
  task.mm = own;
  mmActivate(own);
}
