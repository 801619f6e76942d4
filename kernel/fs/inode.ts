/**
 * Inodes and what can be done with them: the centre of the small VFS. Every kind of file (ramfs, pipe, device, /proc)
 * fills one FileOperations and is never named here. Counts: `references` is held by open files, working directories,
 * children's `parent` and look-ups in progress; `links` by directory entries. An inode dies when both are 0.
 * User buffers in operations are user addresses; only kernel/mm/uaccess.ts touches them.
 * Imports kmalloc and the File's shape. Source: Linux 2.4 (include/linux/fs.h).
 */
import { S_IFDIR, S_IFMT } from "../abi/fcntl";
import { kfree, kmalloc } from "../mm/kmalloc";
import { File } from "./file";

@unmanaged
export class Inode {
  /** File type (S_IF…) and permission bits. */
  mode: u32 = 0;
  /** Inode number, unique among living ramfs inodes. */
  number: u32 = 0;
  references: u32 = 0;
  links: u32 = 0;
  /** Bytes of a regular file. */
  size: u32 = 0;
  /** Device number (major << 8 | minor) of a character device. */
  device: u32 = 0;
  operations: FileOperations = changetype<FileOperations>(0);
  /** Of a directory: the one above; holds a reference (the root is its own, without one). */
  parent: Inode | null = null;
  /** The owner's: first entry of a ramfs directory, contents of a file in the initrd, number of a /proc file. */
  data: usize = 0;
  /** The owner's second word. */
  extra: usize = 0;

  get isDirectory(): bool {
    return (this.mode & S_IFMT) == S_IFDIR;
  }
}

/** One entry on its way to getdents64 or getcwd. */
@unmanaged
export class DirectoryCursor {
  /** Where to look; after an entry was found, where to look for the next. Opaque, but 0 is the first. */
  position: u32 = 0;
  /** The name found: address and bytes, valid until the directory changes or the next call. */
  name: usize = 0;
  nameBytes: u32 = 0;
  inodeNumber: u32 = 0;
  /** DT_… */
  type: u32 = 0;
}

/** Called with a File just made; 0 or -errno (then the open fails). */
type OpenOperation = (file: File) => i32;
/** Bytes moved to or from the user address, or -errno. 0 from a read is the end of the file. */
type TransferOperation = (file: File, buffer: usize, bytes: u32) => i32;
/** The last reference to a File is gone. */
type ReleaseOperation = (file: File) => void;
/** Result or -errno; `argument` is the caller's third, unchecked. */
type ControlOperation = (file: File, request: u32, argument: u32) => i32;
/** The inode called `name` (a kernel address and a length), with a reference for the caller, or an error pointer. */
type LookupOperation = (directory: Inode, name: usize, bytes: u32) => usize;
/** Fills the cursor with the entry at or after its position; false when there is none. */
type EntryOperation = (directory: Inode, cursor: DirectoryCursor) => bool;
/** fsync: what was written is safe when it returns 0; or -errno. */
type SyncOperation = (file: File) => i32;
/** The SharedObject that mappings show: its address, or an error pointer. */
type ObjectOperation = (inode: Inode) => usize;
/** The inode's counts are 0: free what it owns, not the inode. */
type DestroyOperation = (inode: Inode) => void;

/** What a kind of file can do. A null entry: read, write and sync give EINVAL, control ENOTTY, look-up ENOTDIR, mmap ENODEV, the rest nothing. */
@unmanaged
export class FileOperations {
  open: OpenOperation | null = null;
  read: TransferOperation | null = null;
  write: TransferOperation | null = null;
  release: ReleaseOperation | null = null;
  control: ControlOperation | null = null;
  lookup: LookupOperation | null = null;
  nextEntry: EntryOperation | null = null;
  destroy: DestroyOperation | null = null;
  sync: SyncOperation | null = null;
  object: ObjectOperation | null = null;
}

/** Bytes of a FileOperations, for static storage. */
export const FILE_OPERATIONS_BYTES: i32 = 40;

let lastNumber: u32 = 0;

/** A new inode with one reference and no link, or null when there is no memory. */
export function createInode(mode: u32, operations: FileOperations): Inode | null {
  const address = kmalloc(offsetof<Inode>());
  if (address == 0) return null;
  const inode = changetype<Inode>(address);
  inode.mode = mode;
  inode.number = ++lastNumber;
  inode.references = 1;
  inode.links = 0;
  inode.size = 0;
  inode.device = 0;
  inode.operations = operations;
  inode.parent = null;
  inode.data = 0;
  inode.extra = 0;
  return inode;
}

/** Takes one more reference. */
export function inodeGet(inode: Inode): Inode {
  inode.references++;
  return inode;
}

/** Frees the inode if nothing holds it any more, and then its parent if that was all that held that one. */
export function inodeReap(inode: Inode): void {
  let dead: Inode | null = inode;
  while (dead !== null && dead.references == 0 && dead.links == 0) {
    const parent: Inode | null = dead.parent;
    const destroy = dead.operations.destroy;
    if (destroy !== null) destroy(dead);
    kfree(changetype<usize>(dead));
    if (parent !== null) parent.references--;
    dead = parent;
  }
}

/** Gives a reference back. */
export function inodePut(inode: Inode): void {
  inode.references--;
  if (inode.references == 0) inodeReap(inode);
}
