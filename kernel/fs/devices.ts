/**
 * Devices and their nodes in /dev: null and zero are here, the console is kernel/drivers/tty.ts, the disk blockfile.ts.
 * Imports ramfs. Source: Linux (Documentation/admin-guide/devices.txt for the numbers).
 */

import { Errno } from "../abi/errno";
import { S_IFCHR } from "../abi/fcntl";
import { cstr } from "../abi/intrinsics";
import { isError } from "../lib/errptr";
import { stringLength } from "../lib/string";
import { PAGE_BYTES } from "../mm/layout";
import { copyToUser } from "../mm/uaccess";
import { File } from "./file";
import { FILE_OPERATIONS_BYTES, FileOperations, Inode, inodePut } from "./inode";
import { zeroPage } from "./ramfile";
import { createNode, rootDirectory } from "./ramfs";
import { directoryIn } from "./ustar";

const NULL_DEVICE: u32 = 0x103;
const ZERO_DEVICE: u32 = 0x105;

/** Most bytes that one call reports. */
const MAX_COUNT: u32 = 0x7fffffff;

const nullOperations: FileOperations = changetype<FileOperations>(memory.data(FILE_OPERATIONS_BYTES));
const zeroOperations: FileOperations = changetype<FileOperations>(memory.data(FILE_OPERATIONS_BYTES));

function nullRead(_file: File, _buffer: usize, _bytes: u32): i32 {
  return 0;
}

function discardWrite(_file: File, _buffer: usize, bytes: u32): i32 {
  return i32(min<u32>(bytes, MAX_COUNT));
}

function zeroRead(_file: File, buffer: usize, bytes: u32): i32 {
  const wanted = min<u32>(bytes, MAX_COUNT);
  let done: u32 = 0;
  while (done < wanted) {
    const span = min<u32>(PAGE_BYTES, wanted - done);
    const left = copyToUser(buffer + done, zeroPage, span);
    done += span - left;
    if (left != 0) break;
  }
  return done == 0 && wanted != 0 ? -Errno.EFAULT : i32(done);
}

/** Makes the node /dev/`name` for a character device. */
export function registerDevice(name: usize, device: u32, operations: FileOperations): void {
  registerNode(name, S_IFCHR | 0o666, device, 0, operations);
}

/** Makes a node /dev/`name` of `size` bytes, of type and permission `mode`. A failure (no memory at boot) leaves it out. */
export function registerNode(name: usize, mode: u32, device: u32, size: u32, operations: FileOperations): void {
  const directory = directoryIn(rootDirectory(), cstr("dev"), 3);
  if (isError(directory)) return;
  const node = createNode(changetype<Inode>(directory), name, stringLength(name), mode, operations);
  inodePut(changetype<Inode>(directory));
  if (isError(node)) return;
  changetype<Inode>(node).device = device;
  changetype<Inode>(node).size = size;
  inodePut(changetype<Inode>(node));
}

/** Makes /dev with null and zero. Once, at boot, after the initrd. */
export function devicesInit(): void {
  nullOperations.read = nullRead;
  nullOperations.write = discardWrite;
  zeroOperations.read = zeroRead;
  zeroOperations.write = discardWrite;
  registerDevice(cstr("null"), NULL_DEVICE, nullOperations);
  registerDevice(cstr("zero"), ZERO_DEVICE, zeroOperations);
}
