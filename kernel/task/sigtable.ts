/**
 * What a task does with each signal, and what is known of those that wait. Both lie behind the Task in its block, so they cost no
 * allocation; fork copies the actions if there is a handler. An action means something only while `caught` has the signal's
 * bit. Tasks may share actions (kernel/task/parts.ts), never what waits. May import the number of signals. Source: Linux 2.4 (struct signal_struct, siginfo).
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

/** Header of the actions; those of signals 0 (unused) to NSIG - 1 follow. */
@unmanaged
export class SignalActions {
  /** Tasks that use them, where they are shared. */
  users: u32 = 0;
  /** Bit n - 1: the action of signal n is SIG_IGN. Inherited by fork, kept by exec. */
  ignored: u32 = 0;
  /** Bit n - 1: signal n has a handler. Inherited by fork; exec resets them. Neither bit: SIG_DFL. */
  caught: u32 = 0;

  action(signal: u32): SignalAction {
    return changetype<SignalAction>(changetype<usize>(this) + offsetof<SignalActions>() + signal * ACTION_BYTES);
  }

  /** The actions of another task, for one of its own. */
  copy(from: SignalActions): void {
    this.ignored = from.ignored;
    this.caught = from.caught;
    if (from.caught != 0)
      memory.copy(changetype<usize>(this.action(0)), changetype<usize>(from.action(0)), NSIG * ACTION_BYTES);
  }
}

/** Bytes of SignalActions with all actions. */
export const SIGNAL_ACTIONS_BYTES: u32 = 12 + NSIG * ACTION_BYTES;

/** Elements of signal 0 are unused. */
@unmanaged
export class SignalTable {
  info(signal: u32): SignalInfo {
    return changetype<SignalInfo>(changetype<usize>(this) + signal * INFO_BYTES);
  }

  /** SCRATCH_BYTES for structures on their way between the task and its program: access to user memory may sleep. */
  get scratch(): usize {
    return changetype<usize>(this) + NSIG * INFO_BYTES;
  }
}

/** Bytes of a SignalTable. */
export const SIGNAL_TABLE_BYTES: u32 = NSIG * INFO_BYTES + SCRATCH_BYTES;
