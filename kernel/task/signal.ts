/**
 * Signals: who gets one, and what a task does with those that wait when it goes back to user mode: end, call a handler
 * (kernel/arch/i386/sigframe.ts builds its frame), or nothing. One of each kind waits at most; the first one's siginfo is
 * told. Pid 1 gets only what it catches, and dies only of what its own instruction causes. Stopping and continuing do not
 * exist: those signals are thrown away unless they are caught, and SIGSTOP always.
 * Source: Linux 2.4 (kernel/signal.c; arch/i386/kernel/signal.c, do_signal), POSIX.1-2001; the signal of an instruction whose
 * handler is held back or ignored kills, as in Linux 2.6 (force_sig_info).
 */
import { NSIG, SA_NODEFER, SA_RESETHAND, SI_KERNEL, Signal } from "../abi/signals";
import { signaledStatus } from "../abi/wait";
import { pushSignalFrame } from "../arch/i386/sigframe";
import { TrapFrame } from "../arch/i386/trapframe";
import { exitTask } from "./exit";
import { isInterrupted, restartCall, settleCall } from "./restart";
import { wakeUp } from "./sched";
import { currentTask, nextTask, Task, TaskState } from "./task";

/** Pid 1: adopts orphans; the run ends with it. */
export const INIT_PID: u32 = 1;

/** SIGKILL and SIGSTOP: can be neither caught, ignored nor held back. */
export const UNSTOPPABLE: u32 = (1 << (Signal.SIGKILL - 1)) | (1 << (Signal.SIGSTOP - 1));

/** Signals of the task's own instruction: taken first, so that their frame shows that instruction. */
const SYNCHRONOUS: u32 =
  (1 << (Signal.SIGSEGV - 1)) |
  (1 << (Signal.SIGBUS - 1)) |
  (1 << (Signal.SIGILL - 1)) |
  (1 << (Signal.SIGTRAP - 1)) |
  (1 << (Signal.SIGFPE - 1));

/** The bit of a signal in a set. Signals count from 1. */
export function signalBit(signal: u32): u32 {
  return 1 << (signal - 1);
}

/** Default action: none. Those that would stop or continue a process are among them. */
function ignoredByDefault(signal: u32): bool {
  switch (signal) {
    case Signal.SIGCHLD:
    case Signal.SIGCONT:
    case Signal.SIGSTOP:
    case Signal.SIGTSTP:
    case Signal.SIGTTIN:
    case Signal.SIGTTOU:
    case Signal.SIGURG:
    case Signal.SIGWINCH:
      return true;
    default:
      return false;
  }
}

/** Whether a task throws this signal away, as things stand. */
export function isIgnored(task: Task, signal: u32): bool {
  const bit = signalBit(signal);
  if ((task.actions.caught & bit) != 0) return false;
  return (task.actions.ignored & bit) != 0 || ignoredByDefault(signal);
}

/** Whether a process must leave what it sleeps for: a signal that it does not hold back is there. */
export function signalPending(task: Task): bool {
  return (task.pendingSignals & ~task.blockedSignals) != 0;
}

function post(task: Task, signal: u32, code: i32, origin: u32, status: u32): void {
  const info = task.signals.info(signal);
  info.code = code;
  info.origin = origin;
  info.status = status;
  task.pendingSignals |= signalBit(signal);
  if (signalPending(task)) wakeUp(task);
}

/**
 * Sends a signal 1 … NSIG - 1 with what siginfo is to tell: si_code, the sender's or child's pid, si_status. It is taken when
 * the task next returns to user mode. One that is ignored waits only if it is held back: it may be caught by then.
 */
export function sendSignalInfo(task: Task, signal: u32, code: i32, pid: u32, status: u32): void {
  const bit = signalBit(signal);
  if (task.state == TaskState.Zombie || (task.pendingSignals & bit) != 0) return;
  if (task.pid == INIT_PID && (task.actions.caught & bit) == 0) return;
  if ((task.blockedSignals & bit) == 0 && isIgnored(task, signal)) return;
  post(task, signal, code, pid, status);
}

/** Sends a signal 1 … NSIG - 1 from the kernel. */
export function sendSignal(task: Task, signal: u32): void {
  sendSignalInfo(task, signal, SI_KERNEL, 0, 0);
}

/**
 * A signal that the task's own instruction caused at `address`: it can be neither ignored nor held back, not even by pid 1;
 * who tries is killed by it.
 */
export function forceSignal(task: Task, signal: u32, code: i32, address: usize): void {
  const bit = signalBit(signal);
  if (((task.actions.ignored | task.blockedSignals) & bit) != 0) task.actions.caught &= ~bit;
  task.actions.ignored &= ~bit;
  task.blockedSignals &= ~bit;
  post(task, signal, code, address, 0);
}

/** Sends to every process of a group but pid 1. Returns how many there are; signal 0 only counts. */
export function signalGroup(group: u32, signal: u32, code: i32, pid: u32): u32 {
  let count: u32 = 0;
  let task = nextTask(INIT_PID + 1);
  while (task !== null) {
    const next = task.pid + 1;
    if (task.processGroup == group) {
      count++;
      if (signal != 0) sendSignalInfo(task, signal, code, pid, 0);
    }
    task = nextTask(next);
  }
  return count;
}

/** Makes the frame one that enters the handler of a signal. What cannot be done ends in SIGSEGV. */
function callHandler(task: Task, frame: TrapFrame, signal: u32): void {
  const bit = signalBit(signal);
  const action = task.actions.action(signal);
  settleCall(frame, action.flags);
  const mask = task.maskSaved ? task.savedMask : task.blockedSignals;
  task.maskSaved = false;
  if (!pushSignalFrame(task, frame, signal, mask)) {
    task.blockedSignals = mask;
    if (signal == Signal.SIGSEGV) task.actions.caught &= ~bit;
    forceSignal(task, Signal.SIGSEGV, SI_KERNEL, 0);
    return;
  }
  if ((action.flags & SA_RESETHAND) != 0) task.actions.caught &= ~bit;
  let blocked = task.blockedSignals | action.mask;
  if ((action.flags & SA_NODEFER) == 0) blocked |= bit;
  task.blockedSignals = blocked & ~UNSTOPPABLE;
}

/** Takes one of these signals, of which there is one. May end the task; then it does not return. */
function takeSignal(task: Task, frame: TrapFrame, ready: u32): void {
  const first = ready & SYNCHRONOUS;
  const signal = ctz<u32>(first != 0 ? first : ready) + 1;
  const bit = signalBit(signal);
  task.pendingSignals &= ~bit;
  if ((task.actions.caught & bit) != 0) callHandler(task, frame, signal);
  else if (!isIgnored(task, signal)) exitTask(signaledStatus(signal));
}

/**
 * The current task goes back to user mode by this frame: it takes what signals wait, the last one's handler to run first, and
 * a system call that was interrupted for none that has a handler is made again.
 */
export function deliverSignals(frame: TrapFrame): void {
  const task = currentTask();
  let ready = task.pendingSignals & ~task.blockedSignals;
  if (ready == 0 && !isInterrupted(frame)) return;
  while (ready != 0) {
    takeSignal(task, frame, ready);
    ready = task.pendingSignals & ~task.blockedSignals;
    if (ready == 0 && task.maskSaved) {
      // sigsuspend was woken for nothing: what its mask let through was ignored.
      task.maskSaved = false;
      task.blockedSignals = task.savedMask;
      ready = task.pendingSignals & ~task.blockedSignals;
    }
  }
  if (isInterrupted(frame)) restartCall(frame);
}

/** Whether `signal` is one that kill and sigaction know. */
export function isSignal(signal: u32): bool {
  return signal - 1 < NSIG - 1;
}
