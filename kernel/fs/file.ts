/**
 * Open files. A File is what open, pipe or the console makes: an inode, a position, and the access asked for. Descriptors
 * of several processes may hold the same one (dup, fork); `references` counts them. Imports inodes and kmalloc.
 * Source: Linux 2.4 (fs/read_write.c, fs/file_table.c).
 */
import { Errno } from "../abi/errno";
import { O_ACCMODE, O_RDONLY, O_WRONLY } from "../abi/fcntl";
import { errorPointer } from "../lib/errptr";
import { kfree, kmalloc } from "../mm/kmalloc";
import { Inode, inodePut } from "./inode";

/** Whether these flags of open ask to write. */
export function wantsWrite(flags: u32): bool {
  return (flags & O_ACCMODE) != O_RDONLY;
}

@unmanaged
export class File {
  references: u32 = 0;
  /** O_ACCMODE's bits, O_APPEND, O_NONBLOCK. */
  flags: u32 = 0;
  /** Byte offset of the next read or write; opaque in a directory. */
  position: u32 = 0;
  /** Holds a reference. */
  inode: Inode = changetype<Inode>(0);
  /** The owner's: a /proc file's text and its length. */
  data: usize = 0;
  extra: u32 = 0;

  get readable(): bool {
    return (this.flags & O_ACCMODE) != O_WRONLY;
  }

  get writable(): bool {
    return wantsWrite(this.flags);
  }
}

/**
 * A File over `inode`, whose reference it takes over, also when it fails: then the result is an error pointer.
 */
export function openInode(inode: Inode, flags: u32): usize {
  const address = kmalloc(offsetof<File>());
  if (address == 0) {
    inodePut(inode);
    return errorPointer(Errno.ENOMEM);
  }
  const file = changetype<File>(address);
  file.references = 1;
  file.flags = flags;
  file.position = 0;
  file.inode = inode;
  file.data = 0;
  file.extra = 0;
  const open = inode.operations.open;
  if (open !== null) {
    const result = open(file);
    if (result < 0) {
      inodePut(inode);
      kfree(address);
      return usize(result);
    }
  }
  return address;
}

/** Takes one more reference. */
export function fileGet(file: File): File {
  file.references++;
  return file;
}

/** Gives a reference back; the last one closes the file. */
export function filePut(file: File): void {
  file.references--;
  if (file.references != 0) return;
  const inode = file.inode;
  const release = inode.operations.release;
  if (release !== null) release(file);
  inodePut(inode);
  kfree(changetype<usize>(file));
}

/** Reads up to `bytes` to the user address. Bytes read (0 at the end), or -errno. May sleep. */
export function fileRead(file: File, buffer: usize, bytes: u32): i32 {
  if (!file.readable) return -Errno.EBADF;
  if (file.inode.isDirectory) return -Errno.EISDIR;
  const read = file.inode.operations.read;
  return read === null ? -Errno.EINVAL : read(file, buffer, bytes);
}

/** Writes up to `bytes` from the user address. Bytes written, or -errno. May sleep. */
export function fileWrite(file: File, buffer: usize, bytes: u32): i32 {
  if (!file.writable) return -Errno.EBADF;
  const write = file.inode.operations.write;
  return write === null ? -Errno.EINVAL : write(file, buffer, bytes);
}

/** fsync. 0 or -errno. May sleep. */
export function fileSync(file: File): i32 {
  const sync = file.inode.operations.sync;
  return sync === null ? -Errno.EINVAL : sync(file);
}

/** ioctl: `argument` is the program's, unchecked. Result, or -errno. */
export function fileControl(file: File, request: u32, argument: u32): i32 {
  const control = file.inode.operations.control;
  return control === null ? -Errno.ENOTTY : control(file, request, argument);
}
