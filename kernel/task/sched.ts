/**
 * The scheduler: round robin over one run queue. One CPU; ring 0 is never preempted and runs with IF = 0 (interrupts are
 * taken in user mode and in the idle loop only), so no data of the kernel needs a lock. A task gives up the CPU when it
 * sleeps, ends, or returns to user mode with its slice used up (kernel/task/usermode.ts).
 * Source: Linux 2.4 (kernel/sched.c), with the policy reduced to round robin.
 */
import { cli, stiHlt } from "../abi/intrinsics";
import { Mark } from "../abi/marks";
import { switchContext } from "../arch/i386/assembly";
import { setKernelStack } from "../arch/i386/gdt";
import { mark } from "../lib/mark";
import { mmActivate, mmActivateKernel } from "../mm/vma";
import { queueAppend, queueRemove, queueTakeFirst, TaskQueue } from "./queue";
import { checkStackGuard, currentTask, idleTask, setCurrentTask, Task, TaskState } from "./task";

/** Ticks (10 ms) that a task may run in user mode while others wait. */
const SLICE_TICKS: i32 = 5;

const runQueue: TaskQueue = changetype<TaskQueue>(memory.data(8));

/** Set by the timer when the current task's slice is over; cleared by schedule. */
export let needResched: bool = false;

/**
 * Gives the CPU to the next runnable task and returns when the caller's turn comes again. A caller that is Runnable goes to
 * the end of the queue; one that is Sleeping must be in a wait queue; a Zombie never returns.
 */
export function schedule(): void {
  const previous = currentTask();
  needResched = false;
  if (previous.state == TaskState.Runnable && previous.pid != 0) queueAppend(runQueue, previous);
  let next = queueTakeFirst(runQueue);
  if (next === null) next = idleTask();
  next.ticksLeft = SLICE_TICKS;
  if (next === previous) return;
  switchTo(previous, next);
}

/** Directory first, then the mark, then the stack: the mark's time is the first that counts for `next`. */
function switchTo(previous: Task, next: Task): void {
  checkStackGuard(previous);
  setCurrentTask(next);
  const mm = next.mm;
  if (mm !== null) mmActivate(mm);
  else mmActivateKernel();
  mark(Mark.Switch, next.pid);
  if (next.pid != 0) setKernelStack(next.stackTop);
  switchContext(changetype<usize>(previous) + offsetof<Task>("kernelEsp"), next.kernelEsp);
}

/** Makes a task runnable: out of its wait queue, to the end of the run queue. Nothing happens unless it sleeps. */
export function wakeUp(task: Task): void {
  if (task.state != TaskState.Sleeping) return;
  queueRemove(task);
  task.state = TaskState.Runnable;
  queueAppend(runQueue, task);
}

/** Puts a new task, which is in no queue, into the run queue. */
export function startTask(task: Task): void {
  task.state = TaskState.Runnable;
  queueAppend(runQueue, task);
}

/** Wakes everyone in a wait queue. Each must look again at what it waited for. */
export function wakeAll(queue: TaskQueue): void {
  for (let task = queue.first; task !== null; task = queue.first) wakeUp(task);
}

/**
 * Sleeps in `queue` until woken: by wakeUp, wakeAll, or a signal (the caller then asks signalPending and returns -ERESTARTSYS).
 * May also return for nothing: loop on the condition.
 */
export function sleepOn(queue: TaskQueue): void {
  const task = currentTask();
  task.state = TaskState.Sleeping;
  queueAppend(queue, task);
  schedule();
}

/** Lets whoever is in the run queue have its turn before the current task goes back to user mode. */
export function requestReschedule(): void {
  needResched = true;
}

/** The timer's tick hit user mode or the idle loop: charge the current task's slice. */
export function schedulerTick(): void {
  const task = currentTask();
  if (task.pid == 0) return;
  task.ticksLeft--;
  if (task.ticksLeft <= 0) needResched = true;
}

/** The idle task's life: sleep with interrupts on until one comes, then see who can run. Never returns. */
export function idleLoop(): void {
  for (;;) {
    schedule();
    if (runQueue.first === null) stiHlt();
    cli();
  }
}
