/**
 * System calls about signals: kill, sigaction, sigprocmask. There are no handlers: a disposition is SIG_DFL or SIG_IGN.
 * Source: POSIX.1-2001; Linux 2.4 (kernel/signal.c).
 */
import { Errno } from "../abi/errno";
import { SIG_BLOCK, SIG_DFL, SIG_IGN, SIG_SETMASK, SIG_UNBLOCK, Signal } from "../abi/signals";
import { OldSigaction, Sigaction } from "../abi/structs";
import { TrapFrame } from "../arch/i386/trapframe";
import { copyFromUser } from "../mm/uaccess";
import { INIT_PID, isSignal, sendSignal, signalBit, signalGroup } from "../task/signal";
import { currentTask, findTask, nextTask, Task } from "../task/task";
import { giveStruct } from "./user";

/** Size of a signal set that rt_ calls pass. */
const SIGSET_BYTES: u32 = 8;
/** SIGKILL and SIGSTOP: can be neither ignored nor held back. */
const UNSTOPPABLE: u32 = (1 << (Signal.SIGKILL - 1)) | (1 << (Signal.SIGSTOP - 1));

/** A word of user memory, a set, or a sigaction on its way. */
const scratch: usize = memory.data(20);

/** kill(pid, signal). A pid of -1 means everyone but the caller and pid 1. Signal 0 only asks. */
export function sysKill(frame: TrapFrame): i32 {
  const pid = frame.ebx as i32;
  const signal = frame.ecx;
  if (signal != 0 && !isSignal(signal)) return -Errno.EINVAL;
  let found: u32 = 0;
  if (pid > 0) {
    const task = findTask(u32(pid));
    if (task === null) return -Errno.ESRCH;
    found = 1;
    if (signal != 0) sendSignal(task, signal);
  } else if (pid == -1) {
    found = signalOthers(signal);
  } else {
    found = signalGroup(pid == 0 ? currentTask().processGroup : u32(-pid), signal);
  }
  return found == 0 ? -Errno.ESRCH : 0;
}

function signalOthers(signal: u32): u32 {
  const caller = currentTask();
  let count: u32 = 0;
  let task = nextTask(INIT_PID + 1);
  while (task !== null) {
    const pid = task.pid;
    if (task !== caller) {
      count++;
      if (signal != 0) sendSignal(task, signal);
    }
    task = nextTask(pid + 1);
  }
  return count;
}

/** Sets a disposition, 0 or 1. What is pending of an ignored signal is dropped. 0, -EINVAL, -ENOSYS. */
function setDisposition(task: Task, signal: u32, handler: u32): i32 {
  const bit = signalBit(signal);
  if ((bit & UNSTOPPABLE) != 0) return -Errno.EINVAL;
  if (handler == SIG_DFL) {
    task.ignoredSignals &= ~bit;
    return 0;
  }
  if (handler != SIG_IGN) return -Errno.ENOSYS;
  task.ignoredSignals |= bit;
  task.pendingSignals &= ~bit;
  return 0;
}

/** Both sigactions: the handler is the first word of either structure, whose other fields mean nothing here. */
function changeAction(frame: TrapFrame, bytes: u32): i32 {
  const signal = frame.ebx;
  if (!isSignal(signal)) return -Errno.EINVAL;
  const task = currentTask();
  const old = (task.ignoredSignals & signalBit(signal)) != 0 ? SIG_IGN : SIG_DFL;
  if (frame.ecx != 0) {
    if (copyFromUser(scratch, frame.ecx, bytes) != 0) return -Errno.EFAULT;
    const result = setDisposition(task, signal, load<u32>(scratch));
    if (result < 0) return result;
  }
  if (frame.edx == 0) return 0;
  memory.fill(scratch, 0, bytes);
  store<u32>(scratch, old);
  return giveStruct(frame.edx, scratch, bytes);
}

/** sigaction(signal, action, old). */
export function sysSigaction(frame: TrapFrame): i32 {
  return changeAction(frame, offsetof<OldSigaction>());
}

/** rt_sigaction(signal, action, old, set size). */
export function sysRtSigaction(frame: TrapFrame): i32 {
  return frame.esi == SIGSET_BYTES ? changeAction(frame, offsetof<Sigaction>()) : -Errno.EINVAL;
}

/** rt_sigprocmask(how, set, old, set size). */
export function sysRtSigprocmask(frame: TrapFrame): i32 {
  if (frame.esi != SIGSET_BYTES) return -Errno.EINVAL;
  const task = currentTask();
  const old = task.blockedSignals;
  if (frame.ecx != 0) {
    if (copyFromUser(scratch, frame.ecx, SIGSET_BYTES) != 0) return -Errno.EFAULT;
    let blocked = load<u32>(scratch);
    if (frame.ebx == SIG_BLOCK) blocked |= old;
    else if (frame.ebx == SIG_UNBLOCK) blocked = old & ~blocked;
    else if (frame.ebx != SIG_SETMASK) return -Errno.EINVAL;
    task.blockedSignals = blocked & ~UNSTOPPABLE;
  }
  if (frame.edx == 0) return 0;
  store<u32>(scratch, old);
  store<u32>(scratch, 0, 4);
  return giveStruct(frame.edx, scratch, SIGSET_BYTES);
}
