/**
 * What system calls share: the current task's files by number, path names and small structures from user memory.
 * Imports namei, descriptors, user access.
 */
import { Errno } from "../abi/errno";
import { descriptorFile } from "../fs/fdtable";
import { File } from "../fs/file";
import { Inode, inodePut } from "../fs/inode";
import { LastComponent, lookupParent, lookupPath, PATH_BYTES } from "../fs/namei";
import { errorPointer, isError } from "../lib/errptr";
import { kfree, kmalloc } from "../mm/kmalloc";
import { copyToUser, strncpyFromUser } from "../mm/uaccess";
import { currentTask } from "../task/task";

/** The open file of a descriptor of the current task, or null. */
export function currentFile(descriptor: u32): File | null {
  return descriptorFile(currentTask().files, descriptor);
}

/** Copies a path name in. A block for kfree, or an error pointer: -EFAULT, -ENAMETOOLONG, -ENOMEM. */
export function pathFromUser(address: usize): usize {
  const block = kmalloc(PATH_BYTES);
  if (block == 0) return errorPointer(Errno.ENOMEM);
  const length = strncpyFromUser(block, address, PATH_BYTES);
  if (length >= 0 && u32(length) < PATH_BYTES) return block;
  kfree(block);
  return length < 0 ? usize(length) : errorPointer(Errno.ENAMETOOLONG);
}

/** The inode at a path in user memory, with a reference for the caller, or an error pointer. */
export function inodeFromUser(address: usize): usize {
  const path = pathFromUser(address);
  if (isError(path)) return path;
  const result = lookupPath(path);
  kfree(path);
  return result;
}

/** What to do with the last component of a path in its directory; 0 or -errno. */
type ParentAction = (directory: Inode, name: usize, bytes: u32, argument: u32) => i32;

const last: LastComponent = changetype<LastComponent>(memory.data(8));

/** Does `action` in the directory that a path in user memory leads to. A path without a last component is `noName`. */
export function withParent(address: usize, noName: Errno, action: ParentAction, argument: u32): i32 {
  const path = pathFromUser(address);
  if (isError(path)) return i32(path);
  const parent = lookupParent(path, last);
  let result = i32(parent);
  if (!isError(parent)) {
    const directory = changetype<Inode>(parent);
    result = last.bytes == 0 ? -(noName as i32) : action(directory, last.name, last.bytes, argument);
    inodePut(directory);
  }
  kfree(path);
  return result;
}

/** Copies a structure out: 0 or -EFAULT. */
export function giveStruct(destination: usize, source: usize, bytes: u32): i32 {
  return copyToUser(destination, source, bytes) == 0 ? 0 : -Errno.EFAULT;
}
