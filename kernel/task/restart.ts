/**
 * System calls that a signal interrupts. A call that slept answers one of the codes below, which no program ever sees: on the
 * way back to user mode they become -EINTR, or the program counter goes back onto the INT 0x80 and EAX gets the call's number
 * again. syscallDispatch keeps that number in the frame's `error`. May import errno, idt and trapframe.
 * Source: Linux 2.4 (arch/i386/kernel/signal.c, handle_signal and do_signal).
 */
import { Errno } from "../abi/errno";
import { SA_RESTART } from "../abi/signals";
import { Vector } from "../arch/i386/idt";
import { TrapFrame } from "../arch/i386/trapframe";

/** The call goes on after a handler with SA_RESTART, and where no handler runs; else it fails with EINTR. */
export const ERESTARTSYS: i32 = 512;
/** The call fails with EINTR after any handler, and goes on where none runs. */
export const ERESTARTNOHAND: i32 = 514;

/** Bytes of INT 0x80. */
const INT_BYTES: u32 = 2;
/** Instead of a system call's number: this frame's call is not to be restarted. */
const NO_CALL: u32 = 0xffffffff;

/** Whether the frame is that of a system call that a signal interrupted. */
export function isInterrupted(frame: TrapFrame): bool {
  const code = -i32(frame.eax);
  if (code != ERESTARTSYS && code != ERESTARTNOHAND) return false;
  return frame.vector == (Vector.Syscall as u32) && frame.error != NO_CALL;
}

/** The frame's registers are not the result of a system call, whatever EAX holds: after sigreturn. */
export function forgetCall(frame: TrapFrame): void {
  frame.error = NO_CALL;
}

/** The interrupted call of the frame is made again when the program goes on. */
export function restartCall(frame: TrapFrame): void {
  frame.eax = frame.error;
  frame.eip -= INT_BYTES;
}

/** A handler with these sa_flags is about to run: decides what becomes of the call that its signal interrupted, if any. */
export function settleCall(frame: TrapFrame, flags: u32): void {
  if (!isInterrupted(frame)) return;
  if (-i32(frame.eax) == ERESTARTSYS && (flags & SA_RESTART) != 0) restartCall(frame);
  else frame.eax = u32(-Errno.EINTR);
}
