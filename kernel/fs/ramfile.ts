/**
 * Contents of the regular files of ramfs. A file from the initrd is read where the boot loader put it (`data` is its
 * address) until it is first written or mapped; then, as a file made here from the start, it is a SharedObject (`extra`, or 0
 * while it is empty), whose pages read, write and mmap all see. Files are at most 4 MB unless they came larger.
 * A file that shrinks loses the pages behind its end from every mapping, where a use is SIGBUS then; a private mapping
 * keeps those that it has copied.
 * Imports inodes, frames, user access. Source: our own.
 */
import { Errno } from "../abi/errno";
import { O_APPEND, S_IFREG } from "../abi/fcntl";
import { errorPointer } from "../lib/errptr";
import { PAGE_BYTES, PAGE_OFFSET, PAGE_SHIFT } from "../mm/layout";
import { Frames, Page } from "../mm/page";
import { unmapPage } from "../mm/pagetable";
import { unmapObject } from "../mm/plainptes";
import { rmapKept } from "../mm/rmap";
import { newSharedObject, objectFind, objectForget, objectPage, objectPut, SharedObject } from "../mm/shmem";
import { copyFromUser, copyToUser } from "../mm/uaccess";
import { File } from "./file";
import { FILE_OPERATIONS_BYTES, FileOperations, Inode } from "./inode";
import { createNode } from "./ramfs";

/** Most pages of a file that is an object. */
const MAX_PAGES: u32 = 1024;
const MAX_BYTES: u32 = MAX_PAGES * PAGE_BYTES;

/** A page of zeros: what a hole reads as. Never written. */
export const zeroPage: usize = memory.data(4096, 16);

const fileOperations: FileOperations = changetype<FileOperations>(memory.data(FILE_OPERATIONS_BYTES));

/** Makes the operations ready. Once, at boot. */
export function ramfileInit(): void {
  fileOperations.read = ramfileRead;
  fileOperations.write = ramfileWrite;
  fileOperations.destroy = freeContents;
  fileOperations.sync = ramfileSync;
  fileOperations.object = fileObject;
}

/** Makes an empty regular file. The inode with a reference for the caller, or an error pointer. */
export function createFile(directory: Inode, name: usize, bytes: u32, mode: u32): usize {
  return createNode(directory, name, bytes, S_IFREG | (mode & 0o777), fileOperations);
}

/** Gives an empty file its first contents, which stay where they are and are not freed with it. */
export function fileFromMemory(inode: Inode, address: usize, bytes: u32): void {
  inode.data = address;
  inode.size = bytes;
}

/** The page with index `index` of a file that is an object; null for a hole. */
function filePage(inode: Inode, index: u32): Page | null {
  if (inode.extra == 0) return null;
  return objectFind(changetype<SharedObject>(inode.extra), index);
}

/** Address of byte `offset` of a file, which must be below its size; from there `contentSpan` bytes lie in a row. */
function contentAddress(inode: Inode, offset: u32): usize {
  if (inode.data != 0) return inode.data + offset;
  const page = filePage(inode, offset >> PAGE_SHIFT);
  return (page === null ? zeroPage : Frames.virtual(page)) + (offset & PAGE_OFFSET);
}

function contentSpan(inode: Inode, offset: u32): u32 {
  const left = inode.size - offset;
  return inode.data != 0 ? left : min<u32>(left, PAGE_BYTES - (offset & PAGE_OFFSET));
}

/** Whether this is a regular file of ramfs: what contentRead can read. */
export function isRamFile(inode: Inode): bool {
  return inode.operations === fileOperations;
}

/** Kernel address of the contents of a file that lie in a row and never move or change: those of the initrd. Else 0. */
export function stableContents(inode: Inode): usize {
  return inode.data;
}

/** Copies from a file to kernel memory. Bytes copied: fewer than asked for only at the end of the file. */
export function contentRead(inode: Inode, offset: u32, destination: usize, bytes: u32): u32 {
  let done: u32 = 0;
  while (done < bytes && offset + done < inode.size) {
    const span = min<u32>(bytes - done, contentSpan(inode, offset + done));
    memory.copy(destination + done, contentAddress(inode, offset + done), span);
    done += span;
  }
  return done;
}

/** Copies from a file to user memory. Bytes copied: fewer than asked for at the end of the file or at a bad address. */
export function contentToUser(inode: Inode, offset: u32, destination: usize, bytes: u32): u32 {
  let done: u32 = 0;
  while (done < bytes && offset + done < inode.size) {
    const span = min<u32>(bytes - done, contentSpan(inode, offset + done));
    const left = copyToUser(destination + done, contentAddress(inode, offset + done), span);
    done += span - left;
    if (left != 0) break;
  }
  return done;
}

function ramfileRead(file: File, buffer: usize, bytes: u32): i32 {
  const inode = file.inode;
  if (bytes == 0 || file.position >= inode.size) return 0;
  const wanted = min<u32>(bytes, inode.size - file.position);
  const done = contentToUser(inode, file.position, buffer, wanted);
  file.position += done;
  return done == 0 ? -Errno.EFAULT : i32(done);
}

/** A file in memory is nowhere else. */
function ramfileSync(_file: File): i32 {
  return 0;
}

/** The object that a file is, made if it has none yet: its address, or an error pointer. The inode keeps the reference. */
function fileObject(inode: Inode): usize {
  const result = makeWritable(inode, inode.size);
  if (result < 0) return errorPointer(-result as Errno);
  if (inode.extra == 0) {
    const object = newSharedObject();
    if (object === null) return errorPointer(Errno.ENOMEM);
    inode.extra = changetype<usize>(object);
    setSize(inode, inode.size);
  }
  return inode.extra;
}

/** Notes the size of a file, for its mappings too. */
function setSize(inode: Inode, bytes: u32): void {
  inode.size = bytes;
  if (inode.extra != 0) changetype<SharedObject>(inode.extra).pages = (bytes + PAGE_OFFSET) >> PAGE_SHIFT;
}

/** The page with index `page` of a file that is an object, made if it is a hole; 0 if there is no memory. */
function pageForWrite(inode: Inode, page: u32): usize {
  if (inode.extra == 0) {
    const object = newSharedObject();
    if (object === null) return 0;
    inode.extra = changetype<usize>(object);
    setSize(inode, inode.data == 0 ? inode.size : 0);
  }
  const found = objectPage(changetype<SharedObject>(inode.extra), page);
  return found === null ? 0 : Frames.virtual(found);
}

/** Frees the pages with index `from` and above, which go from all mappings. */
function freePagesFrom(inode: Inode, from: u32): void {
  if (inode.extra == 0) return;
  const object = changetype<SharedObject>(inode.extra);
  if (!rmapKept && object.users > 1) unmapObject(object, from);
  for (let index = from; index < MAX_PAGES; index++) {
    const page = objectFind(object, index);
    if (page === null) continue;
    unmapPage(page, 0);
    objectForget(object, index);
  }
  if (from == 0 && object.users == 1) freeContents(inode);
}

/** Gives up the object; mappings may keep it. */
function freeContents(inode: Inode): void {
  if (inode.extra == 0) return;
  objectPut(changetype<SharedObject>(inode.extra));
  inode.extra = 0;
}

/** Turns the first `bytes` of a file from the initrd into frames. 0, -EFBIG or -ENOMEM, and then nothing has changed. */
function makeWritable(inode: Inode, bytes: u32): i32 {
  if (inode.data == 0) return 0;
  if (bytes > MAX_BYTES) return -Errno.EFBIG;
  const size = inode.size;
  for (let offset: u32 = 0; offset < bytes; offset += PAGE_BYTES) {
    const page = pageForWrite(inode, offset >> PAGE_SHIFT);
    if (page == 0) {
      freePagesFrom(inode, 0);
      inode.size = size;
      return -Errno.ENOMEM;
    }
    memory.copy(page, inode.data + offset, min<u32>(PAGE_BYTES, bytes - offset));
  }
  inode.data = 0;
  setSize(inode, bytes);
  return 0;
}

function ramfileWrite(file: File, buffer: usize, bytes: u32): i32 {
  const inode = file.inode;
  if ((file.flags & O_APPEND) != 0) file.position = inode.size;
  if (bytes == 0) return 0;
  if (file.position >= MAX_BYTES) return -Errno.EFBIG;
  const wanted = min<u32>(bytes, MAX_BYTES - file.position);
  const result = makeWritable(inode, inode.size);
  if (result < 0) return result;
  let done: u32 = 0;
  let error: i32 = 0;
  while (done < wanted) {
    const offset = file.position;
    const span = min<u32>(wanted - done, PAGE_BYTES - (offset & PAGE_OFFSET));
    const page = pageForWrite(inode, offset >> PAGE_SHIFT);
    if (page == 0) {
      error = -Errno.ENOSPC;
      break;
    }
    const left = copyFromUser(page + (offset & PAGE_OFFSET), buffer + done, span);
    done += span - left;
    file.position = offset + span - left;
    if (span != left && file.position > inode.size) setSize(inode, file.position);
    if (left != 0) {
      error = -Errno.EFAULT;
      break;
    }
  }
  return done == 0 ? error : i32(done);
}

/** Sets the size of a regular file: what is cut off is freed, what is added reads as zeros. 0 or -errno. */
export function truncateFile(inode: Inode, bytes: u32): i32 {
  if (bytes > MAX_BYTES) return -Errno.EFBIG;
  const result = makeWritable(inode, min<u32>(bytes, inode.size));
  if (result < 0) return result;
  if (bytes < inode.size) {
    freePagesFrom(inode, (bytes + PAGE_OFFSET) >> PAGE_SHIFT);
    const tail = bytes & PAGE_OFFSET;
    if (tail != 0) {
      const page = filePage(inode, bytes >> PAGE_SHIFT);
      if (page !== null) memory.fill(Frames.virtual(page) + tail, 0, PAGE_BYTES - tail);
    }
  }
  setSize(inode, bytes);
  return 0;
}
