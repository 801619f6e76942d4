/**
 * The file system in memory: the tree, its directories and device nodes. Contents of regular files are in ramfile.ts.
 * A directory's `data` is the address of its first entry, `extra` the position that its next entry gets: positions only
 * grow, so that a reader of the directory meets every entry that stays exactly once. "." and ".." are not stored.
 * Imports inodes, kmalloc. Source: Linux's ramfs for what it does; the layout is our own.
 */
import { Errno } from "../abi/errno";
import { S_IFDIR, S_IFMT } from "../abi/fcntl";
import { errorPointer, isError } from "../lib/errptr";
import { kfree, kmalloc } from "../mm/kmalloc";
import {
  createInode,
  DirectoryCursor,
  FILE_OPERATIONS_BYTES,
  FileOperations,
  Inode,
  inodeGet,
  inodePut,
  inodeReap,
} from "./inode";

/** Longest name of an entry, in bytes. */
const NAME_MAX: u32 = 255;

/** An entry of a directory; its name, not terminated, follows it. */
@unmanaged
class DirectoryEntry {
  next: usize = 0;
  inode: Inode = changetype<Inode>(0);
  position: u32 = 0;
  nameBytes: u32 = 0;
}

/** Position of the first entry after "." and "..". */
const FIRST_POSITION: u32 = 2;
/** The names "." and "..": two dots. */
const dots: usize = memory.data(4);

/** Operations of ramfs directories. */
const directoryOperations: FileOperations = changetype<FileOperations>(memory.data(FILE_OPERATIONS_BYTES));

let root: Inode = changetype<Inode>(0);

/** The root directory. */
export function rootDirectory(): Inode {
  return root;
}

/** Makes the empty root. False if there is no memory. */
export function ramfsInit(): bool {
  store<u16>(dots, 0x2e2e);
  directoryOperations.lookup = ramfsLookup;
  directoryOperations.nextEntry = ramfsNextEntry;
  const inode = createInode(S_IFDIR | 0o755, directoryOperations);
  if (inode === null) return false;
  inode.parent = inode;
  inode.extra = FIRST_POSITION;
  inode.links = 1;
  root = inode;
  return true;
}

/** Whether entries can be made and removed in this directory. */
export function isRamfsDirectory(inode: Inode): bool {
  return inode.operations === directoryOperations;
}

/** Address of the link (a word) that holds the address of the entry `name`, or 0. */
function findLink(directory: Inode, name: usize, bytes: u32): usize {
  let link = changetype<usize>(directory) + offsetof<Inode>("data");
  while (true) {
    const entry = load<usize>(link);
    if (entry == 0) return 0;
    if (
      changetype<DirectoryEntry>(entry).nameBytes == bytes &&
      sameBytes(entry + offsetof<DirectoryEntry>(), name, bytes)
    )
      return link;
    link = entry + offsetof<DirectoryEntry>("next");
  }
}

function sameBytes(a: usize, b: usize, bytes: u32): bool {
  for (let i: u32 = 0; i < bytes; i++) {
    if (load<u8>(a + i) != load<u8>(b + i)) return false;
  }
  return true;
}

function ramfsLookup(directory: Inode, name: usize, bytes: u32): usize {
  const link = findLink(directory, name, bytes);
  if (link == 0) return errorPointer(Errno.ENOENT);
  return changetype<usize>(inodeGet(changetype<DirectoryEntry>(load<usize>(link)).inode));
}

/** Fills a cursor at position 0 or 1 with "." or "..", for any kind of directory. True if it did. */
export function dotEntry(directory: Inode, cursor: DirectoryCursor): bool {
  if (cursor.position >= FIRST_POSITION) return false;
  const named = cursor.position == 0 ? directory : directory.parent!;
  cursor.name = dots;
  cursor.nameBytes = cursor.position + 1;
  cursor.inodeNumber = named.number;
  cursor.type = S_IFDIR >> 12;
  cursor.position++;
  return true;
}

function ramfsNextEntry(directory: Inode, cursor: DirectoryCursor): bool {
  if (dotEntry(directory, cursor)) return true;
  let address = directory.data;
  while (address != 0) {
    const entry = changetype<DirectoryEntry>(address);
    if (entry.position >= cursor.position) {
      cursor.name = address + offsetof<DirectoryEntry>();
      cursor.nameBytes = entry.nameBytes;
      cursor.inodeNumber = entry.inode.number;
      cursor.type = (entry.inode.mode & S_IFMT) >> 12;
      cursor.position = entry.position + 1;
      return true;
    }
    address = entry.next;
  }
  return false;
}

/**
 * Adds an entry for `inode`, which gets one more link. 0, -EEXIST, -ENAMETOOLONG or -ENOMEM; -ENOENT in a directory that has
 * been removed, where nobody could ever remove the entry again.
 */
function addEntry(directory: Inode, name: usize, bytes: u32, inode: Inode): i32 {
  if (directory.links == 0) return -Errno.ENOENT;
  if (bytes > NAME_MAX) return -Errno.ENAMETOOLONG;
  if (findLink(directory, name, bytes) != 0) return -Errno.EEXIST;
  const address = kmalloc(offsetof<DirectoryEntry>() + bytes);
  if (address == 0) return -Errno.ENOMEM;
  const entry = changetype<DirectoryEntry>(address);
  entry.next = 0;
  entry.inode = inode;
  entry.position = directory.extra;
  entry.nameBytes = bytes;
  memory.copy(address + offsetof<DirectoryEntry>(), name, bytes);
  directory.extra++;
  let link = changetype<usize>(directory) + offsetof<Inode>("data");
  while (load<usize>(link) != 0) link = load<usize>(link) + offsetof<DirectoryEntry>("next");
  store<usize>(link, address);
  inode.links++;
  return 0;
}

/**
 * Makes an inode of `mode` called `name` (a kernel address and a length) in a ramfs directory. The inode with a reference
 * for the caller, or an error pointer.
 */
export function createNode(directory: Inode, name: usize, bytes: u32, mode: u32, operations: FileOperations): usize {
  const inode = createInode(mode, operations);
  if (inode === null) return errorPointer(Errno.ENOMEM);
  const result = addEntry(directory, name, bytes, inode);
  if (result < 0) {
    inodePut(inode);
    return usize(result);
  }
  return changetype<usize>(inode);
}

/** Makes a directory. The inode with a reference for the caller, or an error pointer. */
export function createDirectory(directory: Inode, name: usize, bytes: u32, mode: u32): usize {
  const result = createNode(directory, name, bytes, S_IFDIR | (mode & 0o777), directoryOperations);
  if (isError(result)) return result;
  const inode = changetype<Inode>(result);
  inode.parent = inodeGet(directory);
  inode.extra = FIRST_POSITION;
  return result;
}

/**
 * Removes the entry `name`: of a directory, which must be empty, if `wantDirectory`, else of anything else. The inode
 * lives on while something refers to it. 0 or -errno.
 */
export function removeEntry(directory: Inode, name: usize, bytes: u32, wantDirectory: bool): i32 {
  const link = findLink(directory, name, bytes);
  if (link == 0) return -Errno.ENOENT;
  const address = load<usize>(link);
  const inode = changetype<DirectoryEntry>(address).inode;
  if (inode.isDirectory != wantDirectory) return wantDirectory ? -Errno.ENOTDIR : -Errno.EISDIR;
  if (wantDirectory && !isRamfsDirectory(inode)) return -Errno.EBUSY;
  if (wantDirectory && inode.data != 0) return -Errno.ENOTEMPTY;
  store<usize>(link, changetype<DirectoryEntry>(address).next);
  kfree(address);
  inode.links--;
  if (inode.links == 0) inodeReap(inode);
  return 0;
}
