/**
 * The initrd: a ustar archive that the boot loader put into memory, unpacked into the ramfs tree. Contents are not
 * copied. A header that is not one ends the archive with a message; what came before it stays.
 * Imports ramfs. Source: POSIX.1-2001, pax, "ustar Interchange Format".
 *
 *     0     100   108  116  124   136    148       156   157    257    263          345     500
 *     name  mode  uid  gid  size  mtime  checksum  type  link   magic  (others)     prefix
 */
import { Errno } from "../abi/errno";
import { cstr } from "../abi/intrinsics";
import { errorPointer, isError } from "../lib/errptr";
import { printk } from "../lib/printk";
import { spanEquals } from "../lib/string";
import { Inode, inodePut } from "./inode";
import { createFile, fileFromMemory } from "./ramfile";
import { createDirectory, rootDirectory } from "./ramfs";

const BLOCK_BYTES: u32 = 512;
const NAME_BYTES: u32 = 100;
const MODE_AT: u32 = 100;
const SIZE_AT: u32 = 124;
const CHECKSUM_AT: u32 = 148;
const CHECKSUM_BYTES: u32 = 8;
const TYPE_AT: u32 = 156;
const MAGIC_AT: u32 = 257;
const PREFIX_AT: u32 = 345;
const PREFIX_BYTES: u32 = 155;

const SLASH: u32 = 0x2f;

/** An octal number in a field that blanks or a NUL end. */
function octal(address: usize, bytes: u32): u32 {
  let value: u32 = 0;
  for (let i: u32 = 0; i < bytes; i++) {
    const digit = u32(load<u8>(address + i)) - 0x30;
    if (digit < 8) value = (value << 3) | digit;
    else if (value != 0) break;
  }
  return value;
}

/** Whether a block is a header whose checksum (the sum of its bytes, the field itself taken as blanks) is right. */
function isHeader(block: usize): bool {
  if (!spanEquals(block + MAGIC_AT, 5, cstr("ustar"))) return false;
  let sum: u32 = 0;
  for (let i: u32 = 0; i < BLOCK_BYTES; i++) {
    const inField = i - CHECKSUM_AT < CHECKSUM_BYTES;
    sum += inField ? 0x20 : u32(load<u8>(block + i));
  }
  return sum == octal(block + CHECKSUM_AT, CHECKSUM_BYTES);
}

/** Bytes of a text field: up to a NUL, at most `limit`. */
function fieldBytes(address: usize, limit: u32): u32 {
  let bytes: u32 = 0;
  while (bytes < limit && load<u8>(address + bytes) != 0) bytes++;
  return bytes;
}

/** The directory at the path of `bytes` bytes below `from`, made where it is missing; with a reference, or an error. */
function makePath(from: Inode, path: usize, bytes: u32): usize {
  let directory = from;
  directory.references++;
  let start: u32 = 0;
  while (start < bytes) {
    let end = start;
    while (end < bytes && load<u8>(path + end) != SLASH) end++;
    if (end != start && !spanEquals(path + start, end - start, cstr("."))) {
      const next = directoryIn(directory, path + start, end - start);
      inodePut(directory);
      if (isError(next)) return next;
      directory = changetype<Inode>(next);
    }
    start = end + 1;
  }
  return changetype<usize>(directory);
}

/** The directory `name` in `directory`, made if it is missing; with a reference, or an error. */
export function directoryIn(directory: Inode, name: usize, bytes: u32): usize {
  const lookup = directory.operations.lookup;
  if (lookup === null) return errorPointer(Errno.ENOTDIR);
  const found = lookup(directory, name, bytes);
  if (isError(found)) return createDirectory(directory, name, bytes, 0o755);
  if (changetype<Inode>(found).isDirectory) return found;
  inodePut(changetype<Inode>(found));
  return errorPointer(Errno.ENOTDIR);
}

/** Bytes of `path` before its last component, the slash included. */
function directoryBytes(path: usize, bytes: u32): u32 {
  let end = bytes;
  while (end > 0 && load<u8>(path + end - 1) != SLASH) end--;
  return end;
}

/** Makes the file or directory that a header describes. False when there is no memory or the name is no good. */
function unpackEntry(block: usize, contents: usize, size: u32): bool {
  const type: u32 = load<u8>(block + TYPE_AT);
  const isDirectory = type == 0x35;
  if (!isDirectory && type != 0x30 && type != 0) return true;
  const prefix = makePath(rootDirectory(), block + PREFIX_AT, fieldBytes(block + PREFIX_AT, PREFIX_BYTES));
  if (isError(prefix)) return false;
  const bytes = fieldBytes(block, NAME_BYTES);
  const above = isDirectory ? bytes : directoryBytes(block, bytes);
  const parent = makePath(changetype<Inode>(prefix), block, above);
  inodePut(changetype<Inode>(prefix));
  if (isError(parent)) return false;
  let made = true;
  if (!isDirectory) {
    const file = createFile(changetype<Inode>(parent), block + above, bytes - above, octal(block + MODE_AT, 8));
    made = !isError(file);
    if (made) {
      fileFromMemory(changetype<Inode>(file), contents, size);
      inodePut(changetype<Inode>(file));
    }
  }
  inodePut(changetype<Inode>(parent));
  return made;
}

/** Unpacks `bytes` bytes of archive at a kernel address. Says on the console where it has to stop early. */
export function unpackArchive(archive: usize, bytes: u32): void {
  let offset: u32 = 0;
  while (bytes - offset >= BLOCK_BYTES && load<u8>(archive + offset) != 0) {
    const block = archive + offset;
    if (!isHeader(block)) {
      printk(cstr("initrd: no ustar header at byte %u, the rest is ignored\n"), offset);
      return;
    }
    const size = octal(block + SIZE_AT, 12);
    const left = bytes - offset - BLOCK_BYTES;
    if (size > left) {
      printk(cstr("initrd: cut short in the file at byte %u\n"), offset);
      return;
    }
    if (!unpackEntry(block, block + BLOCK_BYTES, size))
      printk(cstr("initrd: cannot make the file at byte %u\n"), offset);
    const padded = (size + BLOCK_BYTES - 1) & ~(BLOCK_BYTES - 1);
    if (padded > left) return;
    offset += BLOCK_BYTES + padded;
  }
}
