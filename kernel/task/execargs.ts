/**
 * exec's path, arguments and environment on their way from the old address space to the new: one kernel block of strings,
 * one after the other, each with its NUL: the path, then argc arguments, then envc of the environment.
 * Imports frames and user access. Source: Linux 2.4 (fs/exec.c, copy_strings), with a smaller limit.
 */
import { Errno } from "../abi/errno";
import { stringLength } from "../lib/string";
import { getUser32, strncpyFromUser } from "../mm/uaccess";

const BLOCK_BYTES: u32 = 32768;
/** Strings beyond this number are refused, so that their addresses fit on the new stack as well. */
const MAX_STRINGS: u32 = 4096;

@unmanaged
export class ExecArguments {
  block: usize = 0;
  /** Bytes of the block in use. */
  used: u32 = 0;
  argc: u32 = 0;
  envc: u32 = 0;
  /** A pointer read from user memory. */
  pointer: usize = 0;
}

/**
 * The block. Nothing sleeps while a program is being executed, so one serves all; and exec needs no frames in a row, which a small memory
 * may not have however much of it can be evicted.
 */
const block: usize = memory.data(32768, 16);

/** Makes the list empty. What it had holds no longer. */
export function argumentsBegin(list: ExecArguments): void {
  list.block = block;
  list.used = 0;
  list.argc = 0;
  list.envc = 0;
}

/** Adds a string of the kernel's own. 0 or -E2BIG. The caller counts it. */
export function argumentAdd(list: ExecArguments, text: usize): i32 {
  return argumentAddSpan(list, text, stringLength(text));
}

/** Adds `bytes` bytes of kernel memory as a string. 0 or -E2BIG. */
export function argumentAddSpan(list: ExecArguments, text: usize, bytes: u32): i32 {
  if (bytes >= BLOCK_BYTES - list.used) return -Errno.E2BIG;
  memory.copy(list.block + list.used, text, bytes);
  store<u8>(list.block + list.used + bytes, 0);
  list.used += bytes + 1;
  return 0;
}

/** Adds a string of user memory. 0, -E2BIG or -EFAULT. */
function addUserString(list: ExecArguments, address: usize): i32 {
  const room = BLOCK_BYTES - list.used;
  const length = strncpyFromUser(list.block + list.used, address, room);
  if (length < 0) return length;
  if (u32(length) == room) return -Errno.E2BIG;
  list.used += u32(length) + 1;
  return 0;
}

/** Adds the strings of a NULL-terminated vector of pointers in user memory (0: none). How many, or -E2BIG or -EFAULT. */
export function argumentsAddVector(list: ExecArguments, vector: usize): i32 {
  if (vector == 0) return 0;
  for (let count: u32 = 0; count < MAX_STRINGS; count++) {
    const pointer = changetype<usize>(list) + offsetof<ExecArguments>("pointer");
    if (getUser32(vector + count * 4, pointer) < 0) return -Errno.EFAULT;
    if (list.pointer == 0) return i32(count);
    const result = addUserString(list, list.pointer);
    if (result < 0) return result;
  }
  return -Errno.E2BIG;
}
