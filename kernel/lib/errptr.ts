/**
 * A pointer or an error in one word, as Linux's ERR_PTR: no kernel object lies in the last page of the address space, so
 * a word there is -errno. Imports the ABI only.
 */
import { Errno, MAX_ERRNO } from "../abi/errno";

/** The error `errno` as a pointer-or-error. */
export function errorPointer(errno: Errno): usize {
  return usize(-(errno as i32));
}

/** Whether `value` is an error rather than the address of an object. */
export function isError(value: usize): bool {
  return value > 0xffffffff - MAX_ERRNO;
}
