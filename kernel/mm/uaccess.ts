/**
 * The kernel's access to user memory. An address is only compared with KERNEL_BASE beforehand; whether it is mapped, the CPU says: the copy
 * loops of stubs.s fault like the program itself would (CR0.WP = 1, so a write also unshares tables and copies pages), and where
 * the fault cannot be resolved they stop with what is left. The address space is the one in CR3.
 * May import assembly.ts and layout. Source: Linux 2.4 (arch/i386/lib/usercopy.c).
 */
import { Errno } from "../abi/errno";
import { userCopy, userStringCopy } from "../arch/i386/assembly";
import { KERNEL_BASE } from "./layout";

/** Whether [address, address + bytes) lies in user space. */
function inUserSpace(address: usize, bytes: u32): bool {
  return address <= KERNEL_BASE && bytes <= KERNEL_BASE - address;
}

/** Copies to user memory. Returns the bytes not copied: 0 is success. */
export function copyToUser(destination: usize, source: usize, bytes: u32): u32 {
  return inUserSpace(destination, bytes) ? userCopy(destination, source, bytes) : bytes;
}

/** Copies from user memory. Returns the bytes not copied: 0 is success. */
export function copyFromUser(destination: usize, source: usize, bytes: u32): u32 {
  return inUserSpace(source, bytes) ? userCopy(destination, source, bytes) : bytes;
}

/**
 * Copies a string from user memory, with its NUL, into `max` bytes. Returns its length without the NUL; `max` if it has no NUL within
 * `max` bytes (then there is none in the copy either); -EFAULT.
 */
export function strncpyFromUser(destination: usize, source: usize, max: u32): i32 {
  if (source >= KERNEL_BASE) return -Errno.EFAULT;
  const room = min<u32>(max, KERNEL_BASE - source);
  const length = userStringCopy(destination, source, room);
  // The string ran into the end of user space before its NUL came.
  return room < max && u32(length) == room ? -Errno.EFAULT : length;
}

/** Writes a word to user memory: 0 or -EFAULT. */
export function putUser32(address: usize, value: u32): i32 {
  store<u32>(word, value);
  return copyToUser(address, word, 4) == 0 ? 0 : -Errno.EFAULT;
}

/** Reads a word of user memory into a kernel word at `into`: 0 or -EFAULT. */
export function getUser32(address: usize, into: usize): i32 {
  return copyFromUser(into, address, 4) == 0 ? 0 : -Errno.EFAULT;
}

/** What putUser32 copies from; it does not sleep in between. */
const word: usize = memory.data(4, 4);
