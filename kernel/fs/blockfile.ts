/**
 * /dev/hda and its partitions as files of bytes, by way of their page cache. Bytes go through a frame of the call's own: user memory may fault,
 * on a page of the same disk too, and no page of the cache is held meanwhile.
 * Imports block devices, filemap, the device nodes, uaccess. Source: POSIX.1-2001 (read, write, fsync); Linux 2.4 (fs/block_dev.c).
 */
import { Errno } from "../abi/errno";
import { S_IFBLK } from "../abi/fcntl";
import { cstr } from "../abi/intrinsics";
import { SECTOR_SHIFT } from "../drivers/ide";
import { errorPointer, isError } from "../lib/errptr";
import { diskPage, fillPage } from "../mm/filemap";
import { frameToVirt, PAGE_BYTES, PAGE_OFFSET, PAGE_SHIFT } from "../mm/layout";
import { FrameKind, Frames, Page } from "../mm/page";
import { allocFrame, freeFrame } from "../mm/pagealloc";
import { rmapKept } from "../mm/rmap";
import { SharedObject } from "../mm/shmem";
import { copyFromUser, copyToUser } from "../mm/uaccess";
import { reclaimConfigure } from "../mm/vmscan";
import { BlockDevice, blockDevice, blockDevicesInit, DEVICES, deviceGet, devicePut, syncDevice } from "./blockdevice";
import { registerNode } from "./devices";
import { File } from "./file";
import { FILE_OPERATIONS_BYTES, FileOperations, Inode } from "./inode";

const HDA_DEVICE: u32 = 0x300;
/** Positions of files end below 2^31. */
const MAX_FILE_BYTES: u32 = 0x7ffff000;

const operations: FileOperations = changetype<FileOperations>(memory.data(FILE_OPERATIONS_BYTES));
const name: usize = memory.data(8);

/** The device of a node, or null if it is another's. */
export function deviceOfNode(inode: Inode): BlockDevice | null {
  return inode.operations === operations ? blockDevice(inode.device - HDA_DEVICE) : null;
}

function deviceOf(file: File): BlockDevice {
  return blockDevice(file.inode.device - HDA_DEVICE);
}

/** Moves bytes of one page of the cache to the user, by way of `frame`. 0 or -errno. */
function readSpan(object: SharedObject, position: u32, buffer: usize, bytes: u32, frame: usize): i32 {
  const found = diskPage(object, position >> PAGE_SHIFT);
  if (isError(found)) return i32(found);
  memory.copy(frame, Frames.virtual(changetype<Page>(found)) + (position & PAGE_OFFSET), bytes);
  return copyToUser(buffer, frame, bytes) == 0 ? 0 : -Errno.EFAULT;
}

function writeSpan(object: SharedObject, position: u32, buffer: usize, bytes: u32, frame: usize): i32 {
  if (copyFromUser(frame, buffer, bytes) != 0) return -Errno.EFAULT;
  return fillPage(object, position >> PAGE_SHIFT, position & PAGE_OFFSET, frame, bytes);
}

/** Moves bytes between the user's buffer and the cache at the file's position. Bytes moved, or -errno when there were none. */
function transfer(file: File, buffer: usize, bytes: u32, isWrite: bool): i32 {
  const size = file.inode.size;
  const object = deviceOf(file).object;
  const wanted = min<u32>(bytes, size - min<u32>(file.position, size));
  if (wanted == 0) return isWrite && bytes != 0 ? -Errno.ENOSPC : 0;
  const number = allocFrame(FrameKind.Kernel);
  if (number == 0) return -Errno.ENOMEM;
  const frame = frameToVirt(number);
  let done: u32 = 0;
  let result: i32 = 0;
  while (done < wanted) {
    const position = file.position;
    const span = min<u32>(wanted - done, PAGE_BYTES - (position & PAGE_OFFSET));
    result = isWrite
      ? writeSpan(object, position, buffer + done, span, frame)
      : readSpan(object, position, buffer + done, span, frame);
    if (result < 0) break;
    file.position = position + span;
    done += span;
  }
  freeFrame(number);
  return done != 0 ? i32(done) : result;
}

function blockRead(file: File, buffer: usize, bytes: u32): i32 {
  return transfer(file, buffer, bytes, false);
}

function blockWrite(file: File, buffer: usize, bytes: u32): i32 {
  return transfer(file, buffer, bytes, true);
}

function blockOpen(file: File): i32 {
  deviceGet(deviceOf(file));
  return 0;
}

function blockRelease(file: File): void {
  devicePut(deviceOf(file));
}

function blockSync(file: File): i32 {
  return syncDevice(deviceOf(file));
}

/** Without a reverse map nobody could say what a mapping has changed. */
function blockObject(inode: Inode): usize {
  if (!rmapKept) return errorPointer(Errno.ENODEV);
  return changetype<usize>(deviceOfNode(inode)!.object);
}

/** Makes /dev/hda and its partitions if there is a disk. Once, at boot, after ideInit and devicesInit. */
export function blockFileInit(): void {
  blockDevicesInit();
  operations.open = blockOpen;
  operations.read = blockRead;
  operations.write = blockWrite;
  operations.release = blockRelease;
  operations.sync = blockSync;
  operations.object = blockObject;
  memory.copy(name, cstr("hda"), 4);
  for (let number: u32 = 0; number < DEVICES; number++) {
    const sectors = blockDevice(number).sectors;
    if (sectors == 0) continue;
    if (number != 0) store<u8>(name + 3, 0x30 + number);
    const bytes = min<u32>(sectors, MAX_FILE_BYTES >> SECTOR_SHIFT) << SECTOR_SHIFT;
    registerNode(name, S_IFBLK | 0o600, HDA_DEVICE + number, bytes, operations);
    // From here on there are pages that can be evicted without swap.
    reclaimConfigure();
  }
}
