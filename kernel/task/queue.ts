/**
 * First-in first-out queues of tasks: the run queue and every wait queue. A task is in at most one queue, so the links
 * are in the task itself; `task.queue` says which one it is in. Interrupts are off whenever a queue is touched (the whole
 * kernel runs with IF = 0 but for the idle loop). Imports the Task struct only.
 */
import { Task } from "./task";

/** Two words, embedded in whatever is waited for; all zero is empty. */
@unmanaged
export class TaskQueue {
  first: Task | null = null;
  last: Task | null = null;
}

/** Appends a task that is in no queue. */
export function queueAppend(queue: TaskQueue, task: Task): void {
  const last = queue.last;
  task.queue = changetype<usize>(queue);
  task.queuePrevious = last;
  task.queueNext = null;
  if (last !== null) last.queueNext = task;
  else queue.first = task;
  queue.last = task;
}

/** Inserts a task that is in no queue before `next`, which is in `queue`. */
export function queueInsertBefore(queue: TaskQueue, task: Task, next: Task): void {
  const previous = next.queuePrevious;
  task.queue = changetype<usize>(queue);
  task.queuePrevious = previous;
  task.queueNext = next;
  next.queuePrevious = task;
  if (previous !== null) previous.queueNext = task;
  else queue.first = task;
}

/** Takes a task out of the queue that it is in; nothing happens if it is in none. */
export function queueRemove(task: Task): void {
  if (task.queue == 0) return;
  const queue = changetype<TaskQueue>(task.queue);
  const previous = task.queuePrevious;
  const next = task.queueNext;
  if (previous !== null) previous.queueNext = next;
  else queue.first = next;
  if (next !== null) next.queuePrevious = previous;
  else queue.last = previous;
  task.queue = 0;
  task.queueNext = null;
  task.queuePrevious = null;
}

/** Takes the first task out, or null if the queue is empty. */
export function queueTakeFirst(queue: TaskQueue): Task | null {
  const task = queue.first;
  if (task !== null) queueRemove(task);
  return task;
}
