/**
 * A process's open files by number. It lies behind the Task in the same block (kernel/task/task.ts), so making one
 * cannot fail, or in a block of its own where tasks share it (kernel/task/parts.ts). Imports File. Source: Linux 2.4 (fs/file.c, fs/fcntl.c).
 */
import { Errno } from "../abi/errno";
import { File, fileGet, filePut } from "./file";

/** Descriptors are 0 … MAX_DESCRIPTORS - 1. One word of bits. */
export const MAX_DESCRIPTORS: u32 = 32;

/** Header of the table; MAX_DESCRIPTORS addresses of Files, 0 where closed, follow it. */
@unmanaged
export class FileTable {
  /** Tasks that use it, where it is shared. */
  users: u32 = 0;
  /** Bit n: exec closes descriptor n. */
  closeOnExec: u32 = 0;
  /** One more than the highest open descriptor, or more. */
  limit: u32 = 0;
}

/** Bytes of a table. */
export const FILE_TABLE_BYTES: u32 = 12 + MAX_DESCRIPTORS * 4;

function slot(table: FileTable, descriptor: u32): usize {
  return changetype<usize>(table) + offsetof<FileTable>() + descriptor * sizeof<usize>();
}

/** The file of a descriptor, without a reference of its own; null if it is not open. */
export function descriptorFile(table: FileTable, descriptor: u32): File | null {
  if (descriptor >= table.limit) return null;
  return changetype<File | null>(load<usize>(slot(table, descriptor)));
}

/** Gives `file`, whose reference it takes over if it succeeds, the lowest free descriptor from `from` on. Or -errno. */
export function descriptorAssign(table: FileTable, from: u32, file: File): i32 {
  if (from >= MAX_DESCRIPTORS) return -Errno.EINVAL;
  for (let descriptor = from; descriptor < MAX_DESCRIPTORS; descriptor++) {
    if (load<usize>(slot(table, descriptor)) != 0) continue;
    descriptorSet(table, descriptor, file);
    return i32(descriptor);
  }
  return -Errno.EMFILE;
}

/** Makes a closed descriptor name `file`, whose reference it takes over. */
export function descriptorSet(table: FileTable, descriptor: u32, file: File): void {
  store<usize>(slot(table, descriptor), changetype<usize>(file));
  table.closeOnExec &= ~(1 << descriptor);
  if (descriptor >= table.limit) table.limit = descriptor + 1;
}

/** Closes a descriptor. 0 or -EBADF. */
export function descriptorClose(table: FileTable, descriptor: u32): i32 {
  const file = descriptorFile(table, descriptor);
  if (file === null) return -Errno.EBADF;
  store<usize>(slot(table, descriptor), 0);
  if (descriptor + 1 == table.limit) table.limit = descriptor;
  filePut(file);
  return 0;
}

/** fork: `child`, which is empty, gets all of `parent`'s. */
export function descriptorsCopy(child: FileTable, parent: FileTable): void {
  const limit = parent.limit;
  for (let descriptor: u32 = 0; descriptor < limit; descriptor++) {
    const file = load<usize>(slot(parent, descriptor));
    if (file != 0) fileGet(changetype<File>(file));
    store<usize>(slot(child, descriptor), file);
  }
  child.limit = limit;
  child.closeOnExec = parent.closeOnExec;
}

/** exit: closes all. */
export function descriptorsClose(table: FileTable): void {
  for (let descriptor: u32 = 0; descriptor < MAX_DESCRIPTORS; descriptor++) descriptorClose(table, descriptor);
}

/** exec: closes those marked so. */
export function descriptorsCloseOnExec(table: FileTable): void {
  for (let descriptor: u32 = 0; descriptor < MAX_DESCRIPTORS; descriptor++) {
    if ((table.closeOnExec & (1 << descriptor)) != 0) descriptorClose(table, descriptor);
  }
  table.closeOnExec = 0;
}
