/**
 * Opening, making and removing files by path: between namei and the file systems. Paths are kernel strings. Everything
 * runs as user 0, so permission bits restrict nobody but exec. Source: POSIX.1-2001 open; Linux 2.4 (fs/open.c, fs/namei.c).
 */
import { Errno } from "../abi/errno";
import { O_CREAT, O_DIRECTORY, O_EXCL, O_TRUNC } from "../abi/fcntl";
import { errorPointer, isError } from "../lib/errptr";
import { currentTask } from "../task/task";
import { openInode, wantsWrite } from "./file";
import { Inode, inodePut } from "./inode";
import { LastComponent, lookupParent, lookupPath } from "./namei";
import { createFile, isRamFile, truncateFile } from "./ramfile";
import { createDirectory, isRamfsDirectory, removeEntry } from "./ramfs";

const last: LastComponent = changetype<LastComponent>(memory.data(8));

/** Makes the regular file that a path, which names nothing yet, asks for. Its inode with a reference, or an error. */
function createByPath(path: usize, mode: u32): usize {
  const parent = lookupParent(path, last);
  if (isError(parent)) return parent;
  const directory = changetype<Inode>(parent);
  let result = errorPointer(Errno.EACCES);
  if (last.bytes == 0) result = errorPointer(Errno.EISDIR);
  else if (isRamfsDirectory(directory)) {
    result = createFile(directory, last.name, last.bytes, mode & ~currentTask().fs.modeMask);
  }
  inodePut(directory);
  return result;
}

/** What stands against opening this inode with these flags: 0 or -errno. */
function openRefusal(inode: Inode, flags: u32): i32 {
  if (inode.isDirectory) return wantsWrite(flags) || (flags & O_CREAT) != 0 ? -Errno.EISDIR : 0;
  return (flags & O_DIRECTORY) != 0 ? -Errno.ENOTDIR : 0;
}

/** open: a new File for the path, or an error pointer. `mode`: permission bits of a file that is made. */
export function openPath(path: usize, flags: u32, mode: u32): usize {
  let found = lookupPath(path);
  if (isError(found)) {
    if (found != errorPointer(Errno.ENOENT) || (flags & O_CREAT) == 0) return found;
    found = createByPath(path, mode);
    if (isError(found)) return found;
    return openInode(changetype<Inode>(found), flags);
  }
  const inode = changetype<Inode>(found);
  const refusal: i32 = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) ? -Errno.EEXIST : openRefusal(inode, flags);
  if (refusal < 0) {
    inodePut(inode);
    return usize(refusal);
  }
  const opened = openInode(inode, flags);
  if (isError(opened) || (flags & O_TRUNC) == 0 || !wantsWrite(flags) || !isRamFile(inode)) return opened;
  // To no bytes: that takes no memory. With the File in hand nothing is left to fail.
  truncateFile(inode, 0);
  return opened;
}

/** mkdir in a directory found already. 0 or -errno. */
export function makeDirectory(directory: Inode, name: usize, bytes: u32, mode: u32): i32 {
  if (!isRamfsDirectory(directory)) return -Errno.EACCES;
  const result = createDirectory(directory, name, bytes, mode & ~currentTask().fs.modeMask);
  if (isError(result)) return i32(result);
  inodePut(changetype<Inode>(result));
  return 0;
}

/** unlink (or rmdir, if `wantDirectory` is not 0) in a directory found already. 0 or -errno. */
export function removeName(directory: Inode, name: usize, bytes: u32, wantDirectory: u32): i32 {
  if (!isRamfsDirectory(directory)) return -Errno.EACCES;
  return removeEntry(directory, name, bytes, wantDirectory != 0);
}
