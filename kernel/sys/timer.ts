/**
 * System calls about the real-time interval timer, which counts in ticks: whatever is asked for is rounded up.
 * Source: POSIX.1-2001 alarm, setitimer; Linux 2.4 (kernel/itimer.c, timer.c).
 */
import { Errno } from "../abi/errno";
import { ITIMER_REAL } from "../abi/signals";
import { Itimerval, TICKS_PER_SECOND } from "../abi/structs";
import { TrapFrame } from "../arch/i386/trapframe";
import { ticks } from "../drivers/pit";
import { copyFromUser } from "../mm/uaccess";
import { clearAlarm, setAlarm } from "../task/alarm";
import { currentTask, Task } from "../task/task";
import { giveStruct } from "./user";

const MICROSECONDS: u32 = 1000000;
const MICROSECONDS_PER_TICK: u32 = MICROSECONDS / TICKS_PER_SECOND;
/** Times are cut to this, so that ticks can be compared by their difference. About half a year. */
const MAX_SECONDS: u32 = 0x60000000 / TICKS_PER_SECOND;

/** Whole ticks until the task's timer expires, at least 1; 0 if it does not run. */
function ticksLeft(task: Task): u32 {
  return task.alarmArmed ? u32(max<i32>(i32(task.alarmTick - ticks()) - 1, 1)) : 0;
}

/** Starts the timer of the current task; a delay of 0 ticks stops it. The tick in progress does not count. */
function start(delay: u32, interval: u32): void {
  const task = currentTask();
  if (delay == 0) clearAlarm(task);
  else setAlarm(task, ticks() + delay + 1, interval);
}

/** alarm(seconds): the seconds, rounded up, that the timer still had. */
export function sysAlarm(frame: TrapFrame): i32 {
  const left = ticksLeft(currentTask());
  start(min<u32>(frame.ebx, MAX_SECONDS) * TICKS_PER_SECOND, 0);
  return i32((left + TICKS_PER_SECOND - 1) / TICKS_PER_SECOND);
}

function toTicks(seconds: u32, microseconds: u32): u32 {
  if (seconds >= MAX_SECONDS) return MAX_SECONDS * TICKS_PER_SECOND;
  return seconds * TICKS_PER_SECOND + (microseconds + MICROSECONDS_PER_TICK - 1) / MICROSECONDS_PER_TICK;
}

function giveTimer(address: usize): i32 {
  const task = currentTask();
  const left = ticksLeft(task);
  const interval = left == 0 ? 0 : task.alarmInterval;
  const timer = changetype<Itimerval>(task.signals.scratch);
  timer.seconds = left / TICKS_PER_SECOND;
  timer.microseconds = (left % TICKS_PER_SECOND) * MICROSECONDS_PER_TICK;
  timer.intervalSeconds = interval / TICKS_PER_SECOND;
  timer.intervalMicroseconds = (interval % TICKS_PER_SECOND) * MICROSECONDS_PER_TICK;
  return giveStruct(address, changetype<usize>(timer), offsetof<Itimerval>());
}

/** getitimer(which, timer): ITIMER_REAL only. */
export function sysGetitimer(frame: TrapFrame): i32 {
  return frame.ebx == ITIMER_REAL ? giveTimer(frame.ecx) : -Errno.EINVAL;
}

/** setitimer(which, timer, old): ITIMER_REAL only. Without a timer it is stopped. */
export function sysSetitimer(frame: TrapFrame): i32 {
  if (frame.ebx != ITIMER_REAL) return -Errno.EINVAL;
  let delay: u32 = 0;
  let interval: u32 = 0;
  if (frame.ecx != 0) {
    const timer = changetype<Itimerval>(currentTask().signals.scratch);
    if (copyFromUser(changetype<usize>(timer), frame.ecx, offsetof<Itimerval>()) != 0) return -Errno.EFAULT;
    if (timer.microseconds >= MICROSECONDS || timer.intervalMicroseconds >= MICROSECONDS) return -Errno.EINVAL;
    if (i32(timer.seconds) < 0 || i32(timer.intervalSeconds) < 0) return -Errno.EINVAL;
    delay = toTicks(timer.seconds, timer.microseconds);
    interval = toTicks(timer.intervalSeconds, timer.intervalMicroseconds);
  }
  if (frame.edx != 0 && giveTimer(frame.edx) < 0) return -Errno.EFAULT;
  start(delay, interval);
  return 0;
}
