/**
 * System calls about signals: sending, actions, masks, waiting, and the way back from a handler. Sets are one word: the upper
 * word of those that rt_ calls pass is 0. Source: POSIX.1-2001; Linux 2.4 (kernel/signal.c; arch/i386/kernel/signal.c).
 */
import { Errno } from "../abi/errno";
import {
  SA_NODEFER,
  SA_RESETHAND,
  SI_KERNEL,
  SI_TKILL,
  SI_USER,
  SIG_BLOCK,
  SIG_DFL,
  SIG_IGN,
  SIG_SETMASK,
  SIG_UNBLOCK,
  Signal,
} from "../abi/signals";
import { OldSigaction, Sigaction } from "../abi/structs";
import { popSignalFrame } from "../arch/i386/sigframe";
import { TrapFrame } from "../arch/i386/trapframe";
import { copyFromUser } from "../mm/uaccess";
import { ERESTARTNOHAND, forgetCall } from "../task/restart";
import { sleepOn } from "../task/sched";
import {
  forceSignal,
  INIT_PID,
  isIgnored,
  isSignal,
  sendSignalInfo,
  signalBit,
  signalGroup,
  signalPending,
  UNSTOPPABLE,
} from "../task/signal";
import { currentTask, findTask, nextTask, Task } from "../task/task";
import { giveStruct } from "./user";

/** Size of a signal set that rt_ calls pass, and that others do. */
const SIGSET_BYTES: u32 = 8;
const OLD_SIGSET_BYTES: u32 = 4;

/** kill(pid, signal). A pid of -1 means everyone but the caller and pid 1. Signal 0 only asks. */
export function sysKill(frame: TrapFrame): i32 {
  const pid = frame.ebx as i32;
  const signal = frame.ecx;
  if (signal != 0 && !isSignal(signal)) return -Errno.EINVAL;
  const caller = currentTask();
  let found: u32 = 0;
  if (pid > 0) return signalOne(u32(pid), signal, SI_USER);
  if (pid == -1) found = signalOthers(signal);
  else found = signalGroup(pid == 0 ? caller.processGroup : u32(-pid), signal, SI_USER, caller.pid);
  return found == 0 ? -Errno.ESRCH : 0;
}

/** tkill(thread, signal): a process has one thread. */
export function sysTkill(frame: TrapFrame): i32 {
  const signal = frame.ecx;
  if (i32(frame.ebx) <= 0 || (signal != 0 && !isSignal(signal))) return -Errno.EINVAL;
  return signalOne(frame.ebx, signal, SI_TKILL);
}

function signalOne(pid: u32, signal: u32, code: i32): i32 {
  const task = findTask(pid);
  if (task === null) return -Errno.ESRCH;
  if (signal != 0) sendSignalInfo(task, signal, code, currentTask().pid, 0);
  return 0;
}

function signalOthers(signal: u32): u32 {
  const caller = currentTask();
  let count: u32 = 0;
  let task = nextTask(INIT_PID + 1);
  while (task !== null) {
    const pid = task.pid;
    if (task !== caller) {
      count++;
      if (signal != 0) sendSignalInfo(task, signal, SI_USER, caller.pid, 0);
    }
    task = nextTask(pid + 1);
  }
  return count;
}

/** Sets the action of a signal that may have one. What is pending and now ignored is dropped. */
function setAction(task: Task, signal: u32, handler: u32, flags: u32, mask: u32, restorer: u32): void {
  const bit = signalBit(signal);
  task.actions.ignored &= ~bit;
  task.actions.caught &= ~bit;
  if (handler == SIG_IGN) {
    task.actions.ignored |= bit;
  } else if (handler != SIG_DFL) {
    task.actions.caught |= bit;
    const action = task.actions.action(signal);
    action.handler = handler;
    action.flags = flags;
    action.mask = mask;
    action.restorer = restorer;
    return;
  }
  if (isIgnored(task, signal) || task.pid == INIT_PID) task.pendingSignals &= ~bit;
}

/** sa_handler as things stand. */
function handlerOf(task: Task, signal: u32): u32 {
  const bit = signalBit(signal);
  if ((task.actions.caught & bit) != 0) return task.actions.action(signal).handler;
  return (task.actions.ignored & bit) != 0 ? SIG_IGN : SIG_DFL;
}

function mayChange(signal: u32): bool {
  return isSignal(signal) && (signalBit(signal) & UNSTOPPABLE) == 0;
}

/** signal(signal, handler): the System V kind, which is for one signal. The old handler, or -errno. */
export function sysSignal(frame: TrapFrame): i32 {
  if (!mayChange(frame.ebx)) return -Errno.EINVAL;
  const task = currentTask();
  const old = handlerOf(task, frame.ebx);
  setAction(task, frame.ebx, frame.ecx, SA_RESETHAND | SA_NODEFER, 0, 0);
  return i32(old);
}

/** sigaction(signal, action, old). */
export function sysSigaction(frame: TrapFrame): i32 {
  const signal = frame.ebx;
  if (!isSignal(signal) || (frame.ecx != 0 && !mayChange(signal))) return -Errno.EINVAL;
  const task = currentTask();
  const given = changetype<OldSigaction>(task.signals.scratch);
  const bytes = offsetof<OldSigaction>();
  const old = changetype<OldSigaction>(changetype<usize>(given) + bytes);
  const oldHandler = handlerOf(task, signal);
  const oldAction = task.actions.action(signal);
  const wasCaught = (task.actions.caught & signalBit(signal)) != 0;
  old.handler = oldHandler;
  old.mask = wasCaught ? oldAction.mask : 0;
  old.flags = wasCaught ? oldAction.flags : 0;
  old.restorer = wasCaught ? oldAction.restorer : 0;
  if (frame.ecx != 0) {
    if (copyFromUser(changetype<usize>(given), frame.ecx, bytes) != 0) return -Errno.EFAULT;
    setAction(task, signal, given.handler, given.flags, given.mask, given.restorer);
  }
  return frame.edx == 0 ? 0 : giveStruct(frame.edx, changetype<usize>(old), bytes);
}

/** rt_sigaction(signal, action, old, set size). */
export function sysRtSigaction(frame: TrapFrame): i32 {
  const signal = frame.ebx;
  if (frame.esi != SIGSET_BYTES) return -Errno.EINVAL;
  if (!isSignal(signal) || (frame.ecx != 0 && !mayChange(signal))) return -Errno.EINVAL;
  const task = currentTask();
  const given = changetype<Sigaction>(task.signals.scratch);
  const bytes = offsetof<Sigaction>();
  const old = changetype<Sigaction>(changetype<usize>(given) + bytes);
  const oldAction = task.actions.action(signal);
  const wasCaught = (task.actions.caught & signalBit(signal)) != 0;
  old.handler = handlerOf(task, signal);
  old.mask = wasCaught ? oldAction.mask : 0;
  old.maskHigh = 0;
  old.flags = wasCaught ? oldAction.flags : 0;
  old.restorer = wasCaught ? oldAction.restorer : 0;
  if (frame.ecx != 0) {
    if (copyFromUser(changetype<usize>(given), frame.ecx, bytes) != 0) return -Errno.EFAULT;
    setAction(task, signal, given.handler, given.flags, given.mask, given.restorer);
  }
  return frame.edx == 0 ? 0 : giveStruct(frame.edx, changetype<usize>(old), bytes);
}

/** Writes a set of `bytes` to user memory: 0 or -EFAULT. */
function giveSet(address: usize, set: u32, bytes: u32): i32 {
  const scratch = currentTask().signals.scratch;
  store<u32>(scratch, set);
  store<u32>(scratch, 0, 4);
  return giveStruct(address, scratch, bytes);
}

function changeMask(frame: TrapFrame, bytes: u32): i32 {
  const task = currentTask();
  const old = task.blockedSignals;
  if (frame.ecx != 0) {
    const scratch = task.signals.scratch;
    if (copyFromUser(scratch, frame.ecx, bytes) != 0) return -Errno.EFAULT;
    let blocked = load<u32>(scratch);
    if (frame.ebx == SIG_BLOCK) blocked |= old;
    else if (frame.ebx == SIG_UNBLOCK) blocked = old & ~blocked;
    else if (frame.ebx != SIG_SETMASK) return -Errno.EINVAL;
    task.blockedSignals = blocked & ~UNSTOPPABLE;
  }
  return frame.edx == 0 ? 0 : giveSet(frame.edx, old, bytes);
}

/** sigprocmask(how, set, old). */
export function sysSigprocmask(frame: TrapFrame): i32 {
  return changeMask(frame, OLD_SIGSET_BYTES);
}

/** rt_sigprocmask(how, set, old, set size). */
export function sysRtSigprocmask(frame: TrapFrame): i32 {
  return frame.esi == SIGSET_BYTES ? changeMask(frame, SIGSET_BYTES) : -Errno.EINVAL;
}

/** What waits because it is held back. */
function heldBack(): u32 {
  const task = currentTask();
  return task.pendingSignals & task.blockedSignals;
}

/** sigpending(set). */
export function sysSigpending(frame: TrapFrame): i32 {
  return giveSet(frame.ebx, heldBack(), OLD_SIGSET_BYTES);
}

/** rt_sigpending(set, set size). */
export function sysRtSigpending(frame: TrapFrame): i32 {
  return frame.ecx == SIGSET_BYTES ? giveSet(frame.ebx, heldBack(), SIGSET_BYTES) : -Errno.EINVAL;
}

/** pause: sleeps until a signal has been caught. */
export function sysPause(_frame: TrapFrame): i32 {
  const task = currentTask();
  while (!signalPending(task)) sleepOn(task.childWait);
  return -ERESTARTNOHAND;
}

/** Pauses with another mask; the handler's frame, or deliverSignals, brings the old one back. */
function suspend(frame: TrapFrame, mask: u32): i32 {
  const task = currentTask();
  task.savedMask = task.blockedSignals;
  task.maskSaved = true;
  task.blockedSignals = mask & ~UNSTOPPABLE;
  return sysPause(frame);
}

/** sigsuspend(unused, unused, mask). */
export function sysSigsuspend(frame: TrapFrame): i32 {
  return suspend(frame, frame.edx);
}

/** rt_sigsuspend(mask, set size). */
export function sysRtSigsuspend(frame: TrapFrame): i32 {
  if (frame.ecx != SIGSET_BYTES) return -Errno.EINVAL;
  const scratch = currentTask().signals.scratch;
  if (copyFromUser(scratch, frame.ebx, SIGSET_BYTES) != 0) return -Errno.EFAULT;
  return suspend(frame, load<u32>(scratch));
}

/** Goes back by the signal frame at `base`; a bad one is SIGSEGV. The result is EAX as it was. */
function returnBy(frame: TrapFrame, base: usize, withInfo: bool): i32 {
  const task = currentTask();
  if (popSignalFrame(task, frame, base, withInfo)) {
    task.blockedSignals = load<u32>(task.signals.scratch) & ~UNSTOPPABLE;
  } else {
    forceSignal(task, Signal.SIGSEGV, SI_KERNEL, 0);
  }
  forgetCall(frame);
  return i32(frame.eax);
}

/** sigreturn: the handler's RET has taken the return address off the frame, and POP EAX the signal. */
export function sysSigreturn(frame: TrapFrame): i32 {
  return returnBy(frame, frame.esp - 8, false);
}

/** rt_sigreturn: the handler's RET has taken the return address off the frame. */
export function sysRtSigreturn(frame: TrapFrame): i32 {
  return returnBy(frame, frame.esp - 4, true);
}
