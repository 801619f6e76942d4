/**
 * What is left to do before the CPU goes back to user mode, whatever brought it into the kernel. Called by
 * kernel/arch/i386/trap.ts last of all, with IF = 0, for every frame that came from ring 3.
 */
import { TrapFrame } from "../arch/i386/trapframe";
import { evictionDue, evictNow } from "./reclaim";
import { needResched, schedule } from "./sched";
import { deliverSignals } from "./signal";

/** Lets others run if the slice is over, and takes pending signals, which may end the task (then it does not return). */
export function prepareUserReturn(frame: TrapFrame): void {
  if (evictionDue) evictNow();
  while (needResched) schedule();
  deliverSignals(frame);
}
