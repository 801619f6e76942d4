/**
 * From path names to inodes. Paths are NUL-terminated kernel strings (kernel/sys copies them in); there are no symbolic
 * links, and every process may search every directory. Imports inodes and the current task.
 * Source: Linux 2.4 (fs/namei.c).
 */
import { Errno } from "../abi/errno";
import { cstr } from "../abi/intrinsics";
import { errorPointer, isError } from "../lib/errptr";
import { spanEquals } from "../lib/string";
import { currentTask } from "../task/task";
import { DirectoryCursor, Inode, inodeGet, inodePut } from "./inode";
import { rootDirectory } from "./ramfs";

/** Longest path that a system call takes, NUL included. */
export const PATH_BYTES: u32 = 1024;

const SLASH: u32 = 0x2f;

/** What parentOf found out about the last component. */
@unmanaged
export class LastComponent {
  name: usize = 0;
  /** 0 if the path has no component that could be made or removed: "/", ".", "..". */
  bytes: u32 = 0;
}

function skipSlashes(path: usize): usize {
  let p = path;
  while (load<u8>(p) == SLASH) p++;
  return p;
}

function componentEnd(path: usize): usize {
  let p = path;
  while (load<u8>(p) != 0 && load<u8>(p) != SLASH) p++;
  return p;
}

/** One step down: gives up the caller's reference to `directory` for one to the component. Or an error, reference gone. */
function step(directory: Inode, name: usize, bytes: u32): usize {
  let next: usize = errorPointer(Errno.ENOTDIR);
  if (directory.isDirectory) {
    if (spanEquals(name, bytes, cstr("."))) return changetype<usize>(directory);
    const lookup = directory.operations.lookup;
    if (spanEquals(name, bytes, cstr(".."))) next = changetype<usize>(inodeGet(directory.parent!));
    else if (lookup !== null) next = lookup(directory, name, bytes);
  }
  inodePut(directory);
  return next;
}

function startOf(path: usize): Inode {
  return inodeGet(load<u8>(path) == SLASH ? rootDirectory() : currentTask().fs.directory!);
}

/** The inode that a path names, with a reference for the caller; or an error pointer. */
export function lookupPath(path: usize): usize {
  if (load<u8>(path) == 0) return errorPointer(Errno.ENOENT);
  let inode = startOf(path);
  let p = skipSlashes(path);
  while (load<u8>(p) != 0) {
    const end = componentEnd(p);
    const next = step(inode, p, end - p);
    if (isError(next)) return next;
    inode = changetype<Inode>(next);
    // A slash after the last component asks for a directory.
    if (load<u8>(end) == SLASH && !inode.isDirectory) {
      inodePut(inode);
      return errorPointer(Errno.ENOTDIR);
    }
    p = skipSlashes(end);
  }
  return changetype<usize>(inode);
}

/**
 * The directory in which the last component of a path lies or would lie, with a reference for the caller, or an error
 * pointer. `last` gets that component, slashes after it left off.
 */
export function lookupParent(path: usize, last: LastComponent): usize {
  if (load<u8>(path) == 0) return errorPointer(Errno.ENOENT);
  let inode = startOf(path);
  let p = skipSlashes(path);
  last.bytes = 0;
  while (load<u8>(p) != 0) {
    const end = componentEnd(p);
    const rest = skipSlashes(end);
    if (load<u8>(rest) == 0) {
      last.name = p;
      const isDots = spanEquals(p, end - p, cstr(".")) || spanEquals(p, end - p, cstr(".."));
      last.bytes = isDots ? 0 : u32(end - p);
      break;
    }
    const next = step(inode, p, end - p);
    if (isError(next)) return next;
    inode = changetype<Inode>(next);
    p = rest;
  }
  if (inode.isDirectory) return changetype<usize>(inode);
  inodePut(inode);
  return errorPointer(Errno.ENOTDIR);
}

/** Points the cursor's name at the entry for `child` in its parent. False if it has been removed from there. */
function findName(child: Inode, cursor: DirectoryCursor): bool {
  const parent = child.parent!;
  const nextEntry = parent.operations.nextEntry;
  if (nextEntry === null) return false;
  // Positions 0 and 1 are "." and "..".
  cursor.position = 2;
  while (nextEntry(parent, cursor)) {
    if (cursor.inodeNumber == child.number) return true;
  }
  return false;
}

const pathCursor: DirectoryCursor = changetype<DirectoryCursor>(memory.data(20));

/**
 * Writes the absolute path of a directory, NUL-terminated, to the end of a kernel buffer of `bytes` bytes. Returns where
 * it begins, or an error pointer: -ERANGE, or -ENOENT if it has been removed.
 */
export function directoryPath(directory: Inode, buffer: usize, bytes: u32): usize {
  let p = buffer + bytes - 1;
  store<u8>(p, 0);
  const root = rootDirectory();
  if (directory === root) {
    p--;
    store<u8>(p, u8(SLASH));
    return p;
  }
  for (let inode = directory; inode !== root; inode = inode.parent!) {
    if (!findName(inode, pathCursor)) return errorPointer(Errno.ENOENT);
    if (p - buffer < pathCursor.nameBytes + 1) return errorPointer(Errno.ERANGE);
    p -= pathCursor.nameBytes;
    memory.copy(p, pathCursor.name, pathCursor.nameBytes);
    p--;
    store<u8>(p, u8(SLASH));
  }
  return p;
}
