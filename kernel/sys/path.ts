/**
 * System calls on names and inodes. Source: POSIX.1-2001; Linux 2.4 (fs/open.c, fs/namei.c, fs/stat.c, fs/readdir.c).
 */
import { Errno } from "../abi/errno";
import { O_CLOEXEC, O_CREAT, O_TRUNC, O_WRONLY, S_IFBLK, S_IFCHR, S_IFMT, X_OK } from "../abi/fcntl";
import { DIRENT64_NAME, Dirent64, Stat64 } from "../abi/structs";
import { TrapFrame } from "../arch/i386/trapframe";
import { descriptorAssign } from "../fs/fdtable";
import { File, filePut } from "../fs/file";
import { DirectoryCursor, Inode, inodePut } from "../fs/inode";
import { directoryPath } from "../fs/namei";
import { makeDirectory, openPath, removeName } from "../fs/open";
import { isError } from "../lib/errptr";
import { kfree, kmalloc } from "../mm/kmalloc";
import { PAGE_BYTES } from "../mm/layout";
import { copyToUser } from "../mm/uaccess";
import { currentTask } from "../task/task";
import { currentFile, giveStruct, inodeFromUser, pathFromUser, withParent } from "./user";

const EXECUTE_BITS: u32 = 0o111;
const MODE_BITS: u32 = 0o777;
const STAT_BLOCK_BYTES: u32 = 512;
const GETCWD_BYTES: u32 = 1024;

const status: Stat64 = changetype<Stat64>(memory.data(96));
/** One record of getdents64: header, the longest name, padding. */
const record: usize = memory.data(288);
const cursor: DirectoryCursor = changetype<DirectoryCursor>(memory.data(20));

/** Opens a path in user memory and gives it a descriptor. */
function openUser(address: usize, flags: u32, mode: u32): i32 {
  const path = pathFromUser(address);
  if (isError(path)) return i32(path);
  const opened = openPath(path, flags, mode);
  kfree(path);
  if (isError(opened)) return i32(opened);
  const table = currentTask().files;
  const descriptor = descriptorAssign(table, 0, changetype<File>(opened));
  if (descriptor < 0) filePut(changetype<File>(opened));
  else if ((flags & O_CLOEXEC) != 0) table.closeOnExec |= 1 << descriptor;
  return descriptor;
}

/** open(path, flags, mode). */
export function sysOpen(frame: TrapFrame): i32 {
  return openUser(frame.ebx, frame.ecx, frame.edx);
}

/** creat(path, mode). */
export function sysCreat(frame: TrapFrame): i32 {
  return openUser(frame.ebx, O_CREAT | O_WRONLY | O_TRUNC, frame.ecx);
}

/** unlink(path). */
export function sysUnlink(frame: TrapFrame): i32 {
  return withParent(frame.ebx, Errno.EISDIR, removeName, 0);
}

/** rmdir(path). */
export function sysRmdir(frame: TrapFrame): i32 {
  return withParent(frame.ebx, Errno.EBUSY, removeName, 1);
}

/** mkdir(path, mode). */
export function sysMkdir(frame: TrapFrame): i32 {
  return withParent(frame.ebx, Errno.EEXIST, makeDirectory, frame.ecx);
}

/** umask(mask): the old one. */
export function sysUmask(frame: TrapFrame): i32 {
  const task = currentTask();
  const old = task.fs.modeMask;
  task.fs.modeMask = frame.ebx & MODE_BITS;
  return old as i32;
}

/** chdir(path). */
export function sysChdir(frame: TrapFrame): i32 {
  const found = inodeFromUser(frame.ebx);
  if (isError(found)) return i32(found);
  const inode = changetype<Inode>(found);
  if (!inode.isDirectory) {
    inodePut(inode);
    return -Errno.ENOTDIR;
  }
  const task = currentTask();
  inodePut(task.fs.directory!);
  task.fs.directory = inode;
  return 0;
}

/** getcwd(buffer, bytes): the length of the path with its NUL. */
export function sysGetcwd(frame: TrapFrame): i32 {
  const block = kmalloc(GETCWD_BYTES);
  if (block == 0) return -Errno.ENOMEM;
  const path = directoryPath(currentTask().fs.directory!, block, GETCWD_BYTES);
  let result = i32(path);
  if (!isError(path)) {
    const bytes = block + GETCWD_BYTES - path;
    if (bytes > frame.ecx) result = -Errno.ERANGE;
    else result = copyToUser(frame.ebx, path, bytes) != 0 ? -Errno.EFAULT : i32(bytes);
  }
  kfree(block);
  return result;
}

/** access(path, mode): user 0 may do everything but execute what nobody may. */
export function sysAccess(frame: TrapFrame): i32 {
  const found = inodeFromUser(frame.ebx);
  if (isError(found)) return i32(found);
  const inode = changetype<Inode>(found);
  const refused = (frame.ecx & X_OK) != 0 && !inode.isDirectory && (inode.mode & EXECUTE_BITS) == 0;
  inodePut(inode);
  return refused ? -Errno.EACCES : 0;
}

/** Copies out what stat64 tells of an inode. Times are the beginning of time. */
function giveStatus(inode: Inode, destination: usize): i32 {
  memory.fill(changetype<usize>(status), 0, offsetof<Stat64>());
  status.inodeLow = inode.number;
  status.inode = inode.number;
  status.mode = inode.mode;
  status.links = inode.links;
  status.size = inode.size;
  status.blockSize = PAGE_BYTES;
  status.blocks = (inode.size + STAT_BLOCK_BYTES - 1) / STAT_BLOCK_BYTES;
  const type = inode.mode & S_IFMT;
  if (type == S_IFCHR || type == S_IFBLK) status.rdev = inode.device;
  return giveStruct(destination, changetype<usize>(status), offsetof<Stat64>());
}

/** stat64(path, buffer); lstat64 too, as there are no symbolic links. */
export function sysStat64(frame: TrapFrame): i32 {
  const found = inodeFromUser(frame.ebx);
  if (isError(found)) return i32(found);
  const result = giveStatus(changetype<Inode>(found), frame.ecx);
  inodePut(changetype<Inode>(found));
  return result;
}

/** fstat64(descriptor, buffer). */
export function sysFstat64(frame: TrapFrame): i32 {
  const file = currentFile(frame.ebx);
  return file === null ? -Errno.EBADF : giveStatus(file.inode, frame.ecx);
}

/** Makes the record of the entry in the cursor. Its bytes. */
function makeRecord(): u32 {
  const bytes = (DIRENT64_NAME + cursor.nameBytes + 1 + 7) & ~7;
  memory.fill(record, 0, bytes);
  const entry = changetype<Dirent64>(record);
  entry.inode = cursor.inodeNumber;
  entry.offset = cursor.position;
  entry.recordBytes = u16(bytes);
  entry.type = u8(cursor.type);
  memory.copy(record + DIRENT64_NAME, cursor.name, cursor.nameBytes);
  return bytes;
}

/** getdents64(descriptor, buffer, bytes): bytes written, 0 at the end; -EINVAL if not even one record fits. */
export function sysGetdents64(frame: TrapFrame): i32 {
  const file = currentFile(frame.ebx);
  if (file === null) return -Errno.EBADF;
  const nextEntry = file.inode.operations.nextEntry;
  if (nextEntry === null) return -Errno.ENOTDIR;
  let done: u32 = 0;
  while (true) {
    cursor.position = file.position;
    if (!nextEntry(file.inode, cursor)) return i32(done);
    const bytes = makeRecord();
    if (bytes > frame.edx - done) return done == 0 ? -Errno.EINVAL : i32(done);
    if (copyToUser(frame.ecx + done, record, bytes) != 0) return done == 0 ? -Errno.EFAULT : i32(done);
    done += bytes;
    file.position = changetype<Dirent64>(record).offset;
  }
}
