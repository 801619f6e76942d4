/**
 * Signals with their default actions only: a signal either ends the process or is thrown away. A process may ignore
 * signals and hold them back (sigprocmask); handlers are refused by kernel/sys/signal.ts. Pid 1 dies of none that it did
 * not cause itself. Stopping and continuing do not exist: those signals are thrown away.
 * Source: Linux 2.4 (kernel/signal.c), POSIX.1-2001.
 */
import { NSIG, Signal } from "../abi/signals";
import { signaledStatus } from "../abi/wait";
import { exitTask } from "./exit";
import { wakeUp } from "./sched";
import { currentTask, nextTask, Task, TaskState } from "./task";

/** Pid 1: adopts orphans; the run ends with it. */
export const INIT_PID: u32 = 1;

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

/** Whether a process must leave what it sleeps for: a signal that it does not hold back is there. */
export function signalPending(task: Task): bool {
  return (task.pendingSignals & ~task.blockedSignals) != 0;
}

function post(task: Task, signal: u32): void {
  task.pendingSignals |= signalBit(signal);
  if (signalPending(task)) wakeUp(task);
}

/** Sends a signal 1 … NSIG - 1. It is taken when the task next returns to user mode. */
export function sendSignal(task: Task, signal: u32): void {
  if (task.state == TaskState.Zombie || task.pid == INIT_PID) return;
  if (ignoredByDefault(signal)) return;
  if ((task.ignoredSignals & signalBit(signal)) != 0 && signal != Signal.SIGKILL) return;
  post(task, signal);
}

/** A signal that the task's own instruction caused: it can be neither ignored nor held back, not even by pid 1. */
export function forceSignal(task: Task, signal: u32): void {
  task.ignoredSignals &= ~signalBit(signal);
  task.blockedSignals &= ~signalBit(signal);
  post(task, signal);
}

/** Sends to every process of a group but pid 1. Returns how many there are; signal 0 only counts. */
export function signalGroup(group: u32, signal: u32): u32 {
  let count: u32 = 0;
  let task = nextTask(INIT_PID + 1);
  while (task !== null) {
    const pid = task.pid;
    if (task.processGroup == group) {
      count++;
      if (signal != 0) sendSignal(task, signal);
    }
    task = nextTask(pid + 1);
  }
  return count;
}

/** Takes the lowest pending signal of the current task, if any: ends it. Then it does not return. */
export function deliverSignals(): void {
  const task = currentTask();
  const ready = task.pendingSignals & ~task.blockedSignals;
  if (ready != 0) exitTask(signaledStatus(ctz<u32>(ready) + 1));
}

/** Whether `signal` is one that kill and sigaction know. */
export function isSignal(signal: u32): bool {
  return signal - 1 < NSIG - 1;
}
