/**
 * Signals, as section 2 of the manual has them. A handler is a function of the signal's number and, with SA_SIGINFO, of the
 * addresses of a Siginfo and a ucontext (else 0):
 *
 *     handle(Signal.SIGALRM, (_signal) => { store<u32>(expired, 1); }, SA_RESTART);
 *
 * Sets of signals are words: bit n - 1 is signal n. A handler may call all of this but handle and its kin. May import syscalls and kernel/abi.
 */
import { Errno } from "../../kernel/abi/errno";
import { syscall0, syscall1, syscall2, syscall3, syscall4 } from "../../kernel/abi/intrinsics";
import { SignalContext, UCONTEXT_CONTEXT } from "../../kernel/abi/sigframe";
import { NSIG, SIG_DFL, SIG_IGN } from "../../kernel/abi/signals";
import { Itimerval, Sigaction } from "../../kernel/abi/structs";
import { Syscall } from "../../kernel/abi/syscalls";
import { getpid, kill } from "./syscalls";

/** Bytes of the sets that rt_ calls take. */
const SIGSET_BYTES: u32 = 8;

/** signals.s. */
declare function signalEntry(): usize;
declare function changeMask(how: u32, signals: u32): u32;

export type SignalHandler = (signal: i32, info: usize, context: usize) => void;

const action: Sigaction = changetype<Sigaction>(memory.data(20, 4));
const set: usize = memory.data(8, 4);

/** The handler of each signal: address of its function object. */
const handlers: usize = memory.data(128, 4);

/** Where the kernel begins when it calls a handler. */
export function dispatchSignal(signal: i32, info: usize, context: usize): void {
  changetype<SignalHandler>(load<usize>(handlers + (signal << 2)))(signal, info, context);
}

/** The bit of a signal in a set. */
export function signalBit(signal: i32): u32 {
  return 1 << (signal - 1);
}

/** rt_sigaction: `next` and `old` are addresses of a Sigaction, or 0. */
export function rtSigaction(signal: i32, next: usize, old: usize): i32 {
  return syscall4(Syscall.RtSigaction, signal, next, old, SIGSET_BYTES);
}

function setAction(signal: i32, handler: usize, flags: u32, mask: u32): i32 {
  action.handler = handler;
  action.flags = flags;
  action.restorer = 0;
  action.mask = mask;
  action.maskHigh = 0;
  return rtSigaction(signal, changetype<usize>(action), 0);
}

/** Catches a signal; `flags` SA_…, `mask` what is held back besides while the handler runs. 0 or -errno. */
export function handle(signal: i32, handler: SignalHandler, flags: u32 = 0, mask: u32 = 0): i32 {
  if (signal <= 0 || u32(signal) >= NSIG) return -Errno.EINVAL;
  store<usize>(handlers + (signal << 2), changetype<usize>(handler));
  return setAction(signal, signalEntry(), flags, mask);
}

/** Gives a signal its default action again. */
export function defaultSignal(signal: i32): i32 {
  return setAction(signal, SIG_DFL, 0, 0);
}

/** Throws a signal away from now on. */
export function ignoreSignal(signal: i32): i32 {
  return setAction(signal, SIG_IGN, 0, 0);
}

/** Sends this process a signal; if it is not held back it has been taken when this returns. */
export function raise(signal: i32): i32 {
  return kill(getpid(), signal);
}

/** Changes what is held back: SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK and a set. The set before. */
export function sigprocmask(how: u32, signals: u32): u32 {
  return changeMask(how, signals);
}

/** The signals that wait because they are held back. */
export function sigpending(): u32 {
  syscall2(Syscall.RtSigpending, set, SIGSET_BYTES);
  return load<u32>(set);
}

/** Sleeps until a signal outside `signals`, which are held back meanwhile, has been caught: -EINTR. */
export function sigsuspend(signals: u32): i32 {
  return syscall3(Syscall.Sigsuspend, 0, 0, signals);
}

/** Sleeps until a signal has been caught: -EINTR. */
export function pause(): i32 {
  return syscall0(Syscall.Pause);
}

/** SIGALRM in `seconds`; 0 calls it off. The seconds that were left, rounded up. */
export function alarm(seconds: u32): u32 {
  return syscall1(Syscall.Alarm, seconds);
}

/** SIGALRM when the time is over, and then every interval. `old` may be null. */
export function setitimer(which: u32, timer: Itimerval, old: Itimerval | null): i32 {
  return syscall3(Syscall.Setitimer, which, changetype<usize>(timer), changetype<usize>(old));
}

/** What is left on the timer. */
export function getitimer(which: u32, timer: Itimerval): i32 {
  return syscall2(Syscall.Getitimer, which, changetype<usize>(timer));
}

/** The interrupted registers, from a handler's third argument: what it stores there is loaded when it returns. */
export function contextOf(ucontext: usize): SignalContext {
  return changetype<SignalContext>(ucontext + UCONTEXT_CONTEXT);
}
