/**
 * The status word of wait4 and its options: Linux (include/linux/wait.h, bits/waitstatus.h).
 *
 *     15        8 7    6           0
 *    +-----------+------+-----------+
 *    | exit code | core | signal, 0 |
 *    +-----------+------+-----------+
 *
 * May import nothing.
 */

/** wait4 option: do not sleep; answer 0 when no child has ended. */
export const WNOHANG: u32 = 1;
/** wait4 option: children that stop as well. None ever does. */
export const WUNTRACED: u32 = 2;
/** wait4 option: only the caller's own children, not those of other threads. There are no others. */
export const WNOTHREAD: u32 = 0x20000000;
/** wait4 option: children by clone, with or without SIGCHLD at their end. */
export const WALL: u32 = 0x40000000;
/** wait4 option: only children that end without SIGCHLD, which are not waited for else. */
export const WCLONE: u32 = 0x80000000;

/** Status of a process that called exit(code). */
export function exitedStatus(code: u32): u32 {
  return (code & 0xff) << 8;
}

/** Status of a process that a signal killed. */
export function signaledStatus(signal: u32): u32 {
  return signal & 0x7f;
}

/** Whether the process ended by exit. */
export function wifExited(status: u32): bool {
  return (status & 0x7f) == 0;
}

/** Its exit code, 0 … 255. */
export function wExitStatus(status: u32): u32 {
  return (status >> 8) & 0xff;
}

/** Whether a signal killed the process. */
export function wifSignaled(status: u32): bool {
  return (status & 0x7f) != 0;
}

/** The signal that killed it. */
export function wTermSig(status: u32): u32 {
  return status & 0x7f;
}
