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
