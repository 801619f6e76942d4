/**
 * What a task does with each signal, and what is known of those that wait. Lies behind the Task in its block, so it costs no
 * allocation; fork copies the actions if there is a handler. An action means something only while the task's `caughtSignals`
 * has the signal's bit. May import the number of signals. Source: Linux 2.4 (struct signal_struct, siginfo).
 */
import { NSIG } from "../abi/signals";

/** How a signal is caught: sigaction's members. */
@unmanaged
export class SignalAction {
  /** User address of the handler. */
  handler: u32 = 0;
  /** SA_… */
  flags: u32 = 0;
  /** User address that the handler returns to, with SA_RESTORER. */
  restorer: u32 = 0;
  /** What is held back besides while it runs. */
  mask: u32 = 0;
}
const ACTION_BYTES: u32 = 16;

/** What siginfo tells of a pending signal. */
@unmanaged
export class SignalInfo {
  /** si_code. */
  code: i32 = 0;
  /** si_pid, or si_addr. */
  origin: u32 = 0;
  /** si_status. */
  status: u32 = 0;
}
const INFO_BYTES: u32 = 12;

/** Bytes of the scratch space: the largest part of a frame that is filled at once. */
const SCRATCH_BYTES: u32 = 260;

/** Elements of signal 0 are unused. */
@unmanaged
export class SignalTable {
  action(signal: u32): SignalAction {
    return changetype<SignalAction>(changetype<usize>(this) + signal * ACTION_BYTES);
  }

  info(signal: u32): SignalInfo {
    return changetype<SignalInfo>(changetype<usize>(this) + NSIG * ACTION_BYTES + signal * INFO_BYTES);
  }

  /** SCRATCH_BYTES for structures on their way between the task and its program: access to user memory may sleep. */
  get scratch(): usize {
    return changetype<usize>(this) + NSIG * (ACTION_BYTES + INFO_BYTES);
  }

  copyActions(from: SignalTable): void {
    memory.copy(changetype<usize>(this), changetype<usize>(from), NSIG * ACTION_BYTES);
  }
}

/** Bytes of a SignalTable. */
export const SIGNAL_TABLE_BYTES: u32 = NSIG * (ACTION_BYTES + INFO_BYTES) + SCRATCH_BYTES;
