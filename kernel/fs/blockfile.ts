/**
 * /dev/hda: the disk as a file of bytes. Each call moves its bytes through frames of its own, since the drive knows only
 * whole sectors in kernel memory. Writes take turns: a sector that is written in part is read, changed and written back.
 * Imports the driver, the device nodes, uaccess. Source: POSIX.1-2001 (read, write); Linux 2.4 (fs/block_dev.c).
 */
import { Errno } from "../abi/errno";
import { S_IFBLK } from "../abi/fcntl";
import { cstr } from "../abi/intrinsics";
import { diskRead, diskWrite } from "../drivers/diskqueue";
import { diskSectors, SECTOR_BYTES, SECTOR_SHIFT } from "../drivers/ide";
import { frameToVirt, PAGE_BYTES } from "../mm/layout";
import { FrameKind } from "../mm/page";
import { allocPages, freePages } from "../mm/pagealloc";
import { copyFromUser, copyToUser } from "../mm/uaccess";
import { TaskQueue } from "../task/queue";
import { sleepOn, wakeAll } from "../task/sched";
import { registerNode } from "./devices";
import { File } from "./file";
import { FILE_OPERATIONS_BYTES, FileOperations, Inode } from "./inode";

const HDA_DEVICE: u32 = 0x300;
const SECTOR_OFFSET: u32 = SECTOR_BYTES - 1;
/** log2 of the pages that a large transfer goes through at a time: 64 sectors. */
const LARGE_ORDER: u32 = 3;
/** Positions of files end below 2^31. */
const MAX_FILE_BYTES: u32 = 0x7ffffe00;

const operations: FileOperations = changetype<FileOperations>(memory.data(FILE_OPERATIONS_BYTES));
/** Who waits to write. */
const writerWait: TaskQueue = changetype<TaskQueue>(memory.data(8));
let isWriting: bool = false;

/** Bytes from `position` that one round moves: to the end of the frames that begin with the sector of `position`. */
function spanFrom(position: u32, bytes: u32, order: u32): u32 {
  return min<u32>(bytes, (PAGE_BYTES << order) - (position & SECTOR_OFFSET));
}

/** Sectors that `bytes` from `position` touch. */
function sectorsOf(position: u32, bytes: u32): u32 {
  return ((position & SECTOR_OFFSET) + bytes + SECTOR_OFFSET) >> SECTOR_SHIFT;
}

function readSpan(position: u32, buffer: usize, span: u32, frame: usize): i32 {
  const result = diskRead(position >> SECTOR_SHIFT, sectorsOf(position, span), frame);
  if (result < 0) return result;
  return copyToUser(buffer, frame + (position & SECTOR_OFFSET), span) == 0 ? 0 : -Errno.EFAULT;
}

/** The sectors at both ends are read first where only a part of them is written. */
function writeSpan(position: u32, buffer: usize, span: u32, frame: usize): i32 {
  const sector = position >> SECTOR_SHIFT;
  const count = sectorsOf(position, span);
  const last = count - 1;
  const cutAtFront = (position & SECTOR_OFFSET) != 0;
  const cutAtEnd = ((position + span) & SECTOR_OFFSET) != 0;
  let result: i32 = 0;
  if (cutAtFront || (cutAtEnd && last == 0)) result = diskRead(sector, 1, frame);
  if (result == 0 && cutAtEnd && last != 0) result = diskRead(sector + last, 1, frame + (last << SECTOR_SHIFT));
  if (result < 0) return result;
  if (copyFromUser(frame + (position & SECTOR_OFFSET), buffer, span) != 0) return -Errno.EFAULT;
  return diskWrite(sector, count, frame);
}

/** Moves bytes between the user's buffer and the disk at the file's position. Bytes moved, or -errno when there were none. */
function transfer(file: File, buffer: usize, bytes: u32, isWrite: bool): i32 {
  const size = file.inode.size;
  const wanted = min<u32>(bytes, size - min<u32>(file.position, size));
  if (wanted == 0) return isWrite && bytes != 0 ? -Errno.ENOSPC : 0;
  let order: u32 = wanted > PAGE_BYTES ? LARGE_ORDER : 0;
  let number = allocPages(order, FrameKind.Kernel);
  if (number == 0 && order != 0) {
    order = 0;
    number = allocPages(order, FrameKind.Kernel);
  }
  if (number == 0) return -Errno.ENOMEM;
  const frame = frameToVirt(number);
  let done: u32 = 0;
  let result: i32 = 0;
  while (done < wanted && result == 0) {
    const span = spanFrom(file.position, wanted - done, order);
    result = isWrite
      ? writeSpan(file.position, buffer + done, span, frame)
      : readSpan(file.position, buffer + done, span, frame);
    if (result < 0) break;
    file.position += span;
    done += span;
  }
  freePages(number, order);
  return done != 0 ? i32(done) : result;
}

function blockRead(file: File, buffer: usize, bytes: u32): i32 {
  return transfer(file, buffer, bytes, false);
}

function blockWrite(file: File, buffer: usize, bytes: u32): i32 {
  while (isWriting) sleepOn(writerWait);
  isWriting = true;
  const result = transfer(file, buffer, bytes, true);
  isWriting = false;
  wakeAll(writerWait);
  return result;
}

/** Whether this is the disk's node. */
export function isDisk(inode: Inode): bool {
  return inode.operations === operations;
}

/** Makes /dev/hda if there is a disk. Once, at boot, after ideInit and devicesInit. */
export function blockFileInit(): void {
  if (diskSectors() == 0) return;
  operations.read = blockRead;
  operations.write = blockWrite;
  const bytes = min<u32>(diskSectors(), MAX_FILE_BYTES >> SECTOR_SHIFT) << SECTOR_SHIFT;
  registerNode(cstr("hda"), S_IFBLK | 0o600, HDA_DEVICE, bytes, operations);
}
