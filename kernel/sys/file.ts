/**
 * System calls on open files. Source: POSIX.1-2001; Linux 2.4 (fs/read_write.c, fs/fcntl.c, fs/ioctl.c, fs/pipe.c).
 */
import { Errno } from "../abi/errno";
import {
  F_DUPFD,
  F_GETFD,
  F_GETFL,
  F_SETFD,
  F_SETFL,
  FD_CLOEXEC,
  O_APPEND,
  O_NONBLOCK,
  S_IFCHR,
  S_IFIFO,
  S_IFMT,
  SEEK_CUR,
  SEEK_END,
  SEEK_SET,
} from "../abi/fcntl";
import { Iovec } from "../abi/structs";
import { TrapFrame } from "../arch/i386/trapframe";
import { syncDevices } from "../fs/blockdevice";
import { descriptorAssign, descriptorClose, descriptorSet, MAX_DESCRIPTORS } from "../fs/fdtable";
import { File, fileControl, fileGet, filePut, fileRead, fileSync, fileWrite } from "../fs/file";
import { createPipe, PipeEnds } from "../fs/pipe";
import { isRamFile, truncateFile } from "../fs/ramfile";
import { copyFromUser, copyToUser } from "../mm/uaccess";
import { currentTask } from "../task/task";
import { currentFile, giveStruct } from "./user";

const MAX_VECTORS: u32 = 1024;
/** Most bytes that one call moves: what can be returned, in whole pages. */
const MAX_TRANSFER: u32 = 0x7ffff000;
/** Flags that F_SETFL changes. */
const SETTABLE_FLAGS: u32 = O_APPEND | O_NONBLOCK;

const vector: Iovec = changetype<Iovec>(memory.data(8));
const ends: PipeEnds = changetype<PipeEnds>(memory.data(8));
/** Two words on their way to user memory. */
const words: usize = memory.data(8);

/** The file of a descriptor, held until filePut: a task that shares the descriptors may close it while this one sleeps. */
function heldFile(descriptor: u32): File | null {
  const file = currentFile(descriptor);
  return file === null ? null : fileGet(file);
}

/** read(descriptor, buffer, bytes). */
export function sysRead(frame: TrapFrame): i32 {
  const file = heldFile(frame.ebx);
  if (file === null) return -Errno.EBADF;
  const result = fileRead(file, frame.ecx, clampBytes(frame.edx));
  filePut(file);
  return result;
}

/** write(descriptor, buffer, bytes). */
export function sysWrite(frame: TrapFrame): i32 {
  const file = heldFile(frame.ebx);
  if (file === null) return -Errno.EBADF;
  const result = fileWrite(file, frame.ecx, clampBytes(frame.edx));
  filePut(file);
  return result;
}

/** A count that can be returned: more is moved in further calls. */
function clampBytes(bytes: u32): u32 {
  return min<u32>(bytes, MAX_TRANSFER);
}

type Transfer = (file: File, buffer: usize, bytes: u32) => i32;

/** Moves the pieces of a vector of `count` one after the other, up to the first that is not moved whole. */
function transferVector(file: File, address: usize, count: u32, transfer: Transfer): i32 {
  if (count > MAX_VECTORS) return -Errno.EINVAL;
  let done: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const at = address + i * offsetof<Iovec>();
    if (copyFromUser(changetype<usize>(vector), at, offsetof<Iovec>()) != 0)
      return done != 0 ? i32(done) : -Errno.EFAULT;
    const wanted = min<u32>(vector.bytes, MAX_TRANSFER - done);
    const result = transfer(file, vector.base, wanted);
    if (result < 0) return done != 0 ? i32(done) : result;
    done += u32(result);
    if (u32(result) < wanted) break;
  }
  return i32(done);
}

/** readv(descriptor, vector, count). */
export function sysReadv(frame: TrapFrame): i32 {
  const file = heldFile(frame.ebx);
  if (file === null) return -Errno.EBADF;
  const result = transferVector(file, frame.ecx, frame.edx, fileRead);
  filePut(file);
  return result;
}

/** writev(descriptor, vector, count). */
export function sysWritev(frame: TrapFrame): i32 {
  const file = heldFile(frame.ebx);
  if (file === null) return -Errno.EBADF;
  const result = transferVector(file, frame.ecx, frame.edx, fileWrite);
  filePut(file);
  return result;
}

/** close(descriptor). */
export function sysClose(frame: TrapFrame): i32 {
  return descriptorClose(currentTask().files, frame.ebx);
}

/** One more descriptor for a file, the lowest from `from` on. */
function duplicate(file: File, from: u32): i32 {
  const descriptor = descriptorAssign(currentTask().files, from, file);
  if (descriptor >= 0) fileGet(file);
  return descriptor;
}

/** dup(descriptor). */
export function sysDup(frame: TrapFrame): i32 {
  const file = currentFile(frame.ebx);
  return file === null ? -Errno.EBADF : duplicate(file, 0);
}

/** dup2(descriptor, wanted): what `wanted` named is closed first. */
export function sysDup2(frame: TrapFrame): i32 {
  const file = currentFile(frame.ebx);
  const wanted = frame.ecx;
  if (file === null || wanted >= MAX_DESCRIPTORS) return -Errno.EBADF;
  if (wanted == frame.ebx) return wanted as i32;
  const table = currentTask().files;
  fileGet(file);
  descriptorClose(table, wanted);
  descriptorSet(table, wanted, file);
  return wanted as i32;
}

/** pipe(descriptors): the end to read, the end to write. */
export function sysPipe(frame: TrapFrame): i32 {
  const table = currentTask().files;
  const result = createPipe(ends);
  if (result < 0) return result;
  const reader = ends.reader;
  const writer = ends.writer;
  const readEnd = descriptorAssign(table, 0, reader);
  if (readEnd < 0) {
    filePut(reader);
    filePut(writer);
    return readEnd;
  }
  const writeEnd = descriptorAssign(table, 0, writer);
  if (writeEnd < 0) {
    descriptorClose(table, u32(readEnd));
    filePut(writer);
    return writeEnd;
  }
  store<i32>(words, readEnd);
  store<i32>(words, writeEnd, 4);
  if (copyToUser(frame.ebx, words, 8) == 0) return 0;
  descriptorClose(table, u32(readEnd));
  descriptorClose(table, u32(writeEnd));
  return -Errno.EFAULT;
}

/** fcntl(descriptor, command, argument). */
export function sysFcntl(frame: TrapFrame): i32 {
  const descriptor = frame.ebx;
  const file = currentFile(descriptor);
  if (file === null) return -Errno.EBADF;
  const table = currentTask().files;
  const bit: u32 = 1 << descriptor;
  switch (frame.ecx) {
    case F_DUPFD:
      return duplicate(file, frame.edx);
    case F_GETFD:
      return (table.closeOnExec & bit) != 0 ? i32(FD_CLOEXEC) : 0;
    case F_SETFD:
      if ((frame.edx & FD_CLOEXEC) != 0) table.closeOnExec |= bit;
      else table.closeOnExec &= ~bit;
      return 0;
    case F_GETFL:
      return file.flags as i32;
    case F_SETFL:
      file.flags = (file.flags & ~SETTABLE_FLAGS) | (frame.edx & SETTABLE_FLAGS);
      return 0;
    default:
      return -Errno.EINVAL;
  }
}

/** fsync(descriptor); fdatasync is the same. */
export function sysFsync(frame: TrapFrame): i32 {
  const file = heldFile(frame.ebx);
  if (file === null) return -Errno.EBADF;
  const result = fileSync(file);
  filePut(file);
  return result;
}

/** sync(): writes what is dirty of any disk, and waits for it. */
export function sysSync(_frame: TrapFrame): i32 {
  syncDevices();
  return 0;
}

/** ioctl(descriptor, request, argument). */
export function sysIoctl(frame: TrapFrame): i32 {
  const file = currentFile(frame.ebx);
  return file === null ? -Errno.EBADF : fileControl(file, frame.ecx, frame.edx);
}

/** Moves a file's position. The new one, or -errno. */
function seek(file: File, offset: i32, whence: u32): i32 {
  const type = file.inode.mode & S_IFMT;
  if (type == S_IFIFO || type == S_IFCHR) return -Errno.ESPIPE;
  let base: u32 = 0;
  if (whence == SEEK_CUR) base = file.position;
  else if (whence == SEEK_END) base = file.inode.size;
  else if (whence != SEEK_SET) return -Errno.EINVAL;
  const position = i32(base) + offset;
  // Positions stay below 2^31; a sum that wraps is beyond that as well.
  if (position < 0) return offset > 0 ? -Errno.EOVERFLOW : -Errno.EINVAL;
  file.position = u32(position);
  return position;
}

/** lseek(descriptor, offset, whence). */
export function sysLseek(frame: TrapFrame): i32 {
  const file = currentFile(frame.ebx);
  return file === null ? -Errno.EBADF : seek(file, frame.ecx as i32, frame.edx);
}

/** _llseek(descriptor, offset high, offset low, result, whence): offsets that fit 32 bits. */
export function sysLlSeek(frame: TrapFrame): i32 {
  const file = currentFile(frame.ebx);
  if (file === null) return -Errno.EBADF;
  const offset = frame.edx as i32;
  if (frame.ecx != (offset < 0 ? 0xffffffff : 0)) return -Errno.EOVERFLOW;
  const position = seek(file, offset, frame.edi);
  if (position < 0) return position;
  store<i32>(words, position);
  store<u32>(words, 0, 4);
  return giveStruct(frame.esi, words, 8);
}

/** ftruncate(descriptor, bytes); ftruncate64 has the high word in EDX. */
function truncate(descriptor: u32, bytes: u32): i32 {
  const file = currentFile(descriptor);
  if (file === null) return -Errno.EBADF;
  if (!file.writable || !isRamFile(file.inode) || i32(bytes) < 0) return -Errno.EINVAL;
  return truncateFile(file.inode, bytes);
}

export function sysFtruncate(frame: TrapFrame): i32 {
  return truncate(frame.ebx, frame.ecx);
}

export function sysFtruncate64(frame: TrapFrame): i32 {
  return frame.edx == 0 ? truncate(frame.ebx, frame.ecx) : -Errno.EFBIG;
}
