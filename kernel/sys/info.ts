/**
 * System calls about the machine: its name, the time, its end. Time is ticks since boot: there is no clock on the wall.
 * Source: POSIX.1-2001; Linux 2.4 (kernel/sys.c, time.c, timer.c).
 */
import { Errno } from "../abi/errno";
import { cstr } from "../abi/intrinsics";
import { REBOOT_HALT, REBOOT_MAGIC1, REBOOT_MAGIC2, REBOOT_POWER_OFF, REBOOT_RESTART } from "../abi/reboot";
import { TICKS_PER_SECOND, Timespec, Timeval, UTSNAME_FIELD, UTSNAME_FIELDS } from "../abi/structs";
import { TrapFrame } from "../arch/i386/trapframe";
import { ticks } from "../drivers/pit";
import { stringCopy } from "../lib/string";
import { copyFromUser } from "../mm/uaccess";
import { endRun } from "../task/exit";
import { INIT_PID, signalPending } from "../task/signal";
import { currentTask } from "../task/task";
import { sleepUntil } from "../task/timer";
import { giveStruct } from "./user";

const NANOSECONDS_PER_TICK: u32 = 1000000000 / TICKS_PER_SECOND;
const MICROSECONDS_PER_TICK: u32 = 1000000 / TICKS_PER_SECOND;
/** Sleeps are cut to this, so that ticks can be compared by their difference. About half a year. */
const MAX_SLEEP_TICKS: u32 = 0x60000000;
/** clock_gettime's clocks: realtime, monotonic. */
const MAX_CLOCK: u32 = 1;

const names: usize = memory.data(390);
const time: Timespec = changetype<Timespec>(memory.data(8));
const timezone: usize = memory.data(8);

/** uname(buffer). The release is one that C libraries take for new enough. */
export function sysUname(frame: TrapFrame): i32 {
  stringCopy(names, cstr("Tine"));
  stringCopy(names + UTSNAME_FIELD, cstr("tine"));
  stringCopy(names + 2 * UTSNAME_FIELD, cstr("3.2.0"));
  stringCopy(names + 3 * UTSNAME_FIELD, cstr("#1"));
  stringCopy(names + 4 * UTSNAME_FIELD, cstr("i686"));
  stringCopy(names + 5 * UTSNAME_FIELD, cstr("(none)"));
  return giveStruct(frame.ebx, names, UTSNAME_FIELD * UTSNAME_FIELDS);
}

/** time(where): seconds since boot. */
export function sysTime(frame: TrapFrame): i32 {
  const seconds = ticks() / TICKS_PER_SECOND;
  time.seconds = seconds as i32;
  if (frame.ebx != 0 && giveStruct(frame.ebx, changetype<usize>(time), 4) < 0) return -Errno.EFAULT;
  return seconds as i32;
}

/** gettimeofday(time, timezone). */
export function sysGettimeofday(frame: TrapFrame): i32 {
  const now = ticks();
  time.seconds = (now / TICKS_PER_SECOND) as i32;
  time.nanoseconds = ((now % TICKS_PER_SECOND) * MICROSECONDS_PER_TICK) as i32;
  if (frame.ecx != 0 && giveStruct(frame.ecx, timezone, 8) < 0) return -Errno.EFAULT;
  return frame.ebx == 0 ? 0 : giveStruct(frame.ebx, changetype<usize>(time), offsetof<Timeval>());
}

/** clock_gettime(clock, time). */
export function sysClockGettime(frame: TrapFrame): i32 {
  if (frame.ebx > MAX_CLOCK) return -Errno.EINVAL;
  const now = ticks();
  time.seconds = (now / TICKS_PER_SECOND) as i32;
  time.nanoseconds = ((now % TICKS_PER_SECOND) * NANOSECONDS_PER_TICK) as i32;
  return giveStruct(frame.ecx, changetype<usize>(time), offsetof<Timespec>());
}

/** What is left of a sleep, for the program; or that it cannot be told. */
function giveRest(address: usize, left: u32): i32 {
  if (address != 0) {
    time.seconds = (left / TICKS_PER_SECOND) as i32;
    time.nanoseconds = ((left % TICKS_PER_SECOND) * NANOSECONDS_PER_TICK) as i32;
    if (giveStruct(address, changetype<usize>(time), offsetof<Timespec>()) < 0) return -Errno.EFAULT;
  }
  return -Errno.EINTR;
}

/** nanosleep(time, rest): at least so long, in whole ticks. A handler ends it; then the rest is told. */
export function sysNanosleep(frame: TrapFrame): i32 {
  if (copyFromUser(changetype<usize>(time), frame.ebx, offsetof<Timespec>()) != 0) return -Errno.EFAULT;
  const seconds = time.seconds;
  const nanoseconds = time.nanoseconds;
  if (seconds < 0 || nanoseconds < 0 || nanoseconds > 999999999) return -Errno.EINVAL;
  let wait = MAX_SLEEP_TICKS;
  // The tick in progress does not count.
  const part = (u32(nanoseconds) + NANOSECONDS_PER_TICK - 1) / NANOSECONDS_PER_TICK;
  if (u32(seconds) < MAX_SLEEP_TICKS / TICKS_PER_SECOND) wait = u32(seconds) * TICKS_PER_SECOND + part + 1;
  const until = ticks() + wait;
  while (i32(until - ticks()) > 0) {
    if (signalPending(currentTask())) return giveRest(frame.ecx, until - ticks());
    sleepUntil(until);
  }
  return 0;
}

/** reboot(magic, magic, command): pid 1 ends the run well. */
export function sysReboot(frame: TrapFrame): i32 {
  if (currentTask().pid != INIT_PID) return -Errno.EPERM;
  if (frame.ebx != REBOOT_MAGIC1 || frame.ecx != REBOOT_MAGIC2) return -Errno.EINVAL;
  const command = frame.edx;
  if (command != REBOOT_HALT && command != REBOOT_POWER_OFF && command != REBOOT_RESTART) return -Errno.EINVAL;
  endRun(0);
  return 0;
}
