/**
 * Real-time interval timers (alarm, setitimer): one for each task, in a list ordered by the tick at which it sends SIGALRM.
 * Imports signals. Source: POSIX.1-2001; Linux 2.4 (kernel/itimer.c).
 */
import { SI_KERNEL, Signal } from "../abi/signals";
import { sendSignalInfo } from "./signal";
import { Task } from "./task";

/** The task whose timer is the next to expire. */
let firstArmed: Task | null = null;

/** Stops the timer of a task, if it runs. */
export function clearAlarm(task: Task): void {
  if (!task.alarmArmed) return;
  task.alarmArmed = false;
  let previous: Task | null = null;
  let other = firstArmed;
  while (other !== null && other !== task) {
    previous = other;
    other = other.alarmNext;
  }
  if (previous === null) firstArmed = task.alarmNext;
  else previous.alarmNext = task.alarmNext;
  task.alarmNext = null;
}

/** Sets the timer of a task to tick `at` (less than 2^31 from now), then every `interval` ticks, or only once if that is 0. */
export function setAlarm(task: Task, at: u32, interval: u32): void {
  clearAlarm(task);
  task.alarmArmed = true;
  task.alarmTick = at;
  task.alarmInterval = interval;
  let previous: Task | null = null;
  let next = firstArmed;
  while (next !== null && i32(next.alarmTick - at) <= 0) {
    previous = next;
    next = next.alarmNext;
  }
  task.alarmNext = next;
  if (previous === null) firstArmed = task;
  else previous.alarmNext = task;
}

/** Sends SIGALRM to those whose time has come at tick `now`. From the timer's interrupt. */
export function expireAlarms(now: u32): void {
  let task = firstArmed;
  while (task !== null && i32(task.alarmTick - now) <= 0) {
    clearAlarm(task);
    if (task.alarmInterval != 0) setAlarm(task, now + task.alarmInterval, task.alarmInterval);
    sendSignalInfo(task, Signal.SIGALRM, SI_KERNEL, 0, 0);
    task = firstArmed;
  }
}
