/**
 * Sleeps that time ends: one queue, ordered by the tick at which they end. Imports the scheduler.
 */
import { queueAppend, queueInsertBefore, TaskQueue } from "./queue";
import { schedule, wakeUp } from "./sched";
import { currentTask, Task, TaskState } from "./task";

const sleepers: TaskQueue = changetype<TaskQueue>(memory.data(8));

/** Sleeps until tick `until` (less than 2^31 from now), or a signal. */
export function sleepUntil(until: u32): void {
  const task = currentTask();
  task.wakeTick = until;
  task.state = TaskState.Sleeping;
  let next: Task | null = sleepers.first;
  while (next !== null && i32(next.wakeTick - until) <= 0) next = next.queueNext;
  if (next === null) queueAppend(sleepers, task);
  else queueInsertBefore(sleepers, task, next);
  schedule();
}

/** Wakes those whose time has come at tick `now`. From the timer's interrupt. */
export function wakeSleepers(now: u32): void {
  for (let task = sleepers.first; task !== null && i32(task.wakeTick - now) <= 0; task = sleepers.first) wakeUp(task);
}
