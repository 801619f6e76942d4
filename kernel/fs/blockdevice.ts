/**
 * The disk as block devices: hda, all of it, and hda1 … hda4, the partitions that an MBR in sector 0 describes. Each has a page cache of its
 * own (filemap.ts): who changes a partition through hda and through its own node finds one of the two out of date, as on Linux.
 * Imports the disk, filemap, shmem. Source: the partition table of IBM PC DOS 2; Linux 2.4 (fs/partitions/msdos.c; fs/block_dev.c).
 *
 *     byte 446 + 16 n, n = 0 … 3     0       0 or 0x80: whether it is to be booted from
 *                                    4       type: 0 is an empty entry, 0x82 swap
 *                                    8       first sector
 *                                    12      sectors
 *     byte 510                               0x55, 0xaa
 */
import { cstr } from "../abi/intrinsics";
import { diskRead } from "../drivers/diskqueue";
import { diskSectors } from "../drivers/ide";
import { printk } from "../lib/printk";
import { dropPages, syncPages } from "../mm/filemap";
import { frameToVirt } from "../mm/layout";
import { FrameKind } from "../mm/page";
import { allocFrame, freeFrame } from "../mm/pagealloc";
import { PAGE_SECTORS } from "../mm/pageio";
import { NO_PAGE, newSharedObject, SharedObject } from "../mm/shmem";

/** Type of a partition for swap. */
const SWAP_TYPE: u32 = 0x82;
const TABLE_AT: usize = 446;
const ENTRY_BYTES: usize = 16;
/** Bits of an entry's first byte that are never set. */
const BOOT_MASK: u32 = 0x7f;
const SIGNATURE_AT: usize = 510;
const SIGNATURE: u32 = 0xaa55;
/** Pages that an object can have. */
const MAX_PAGES: u32 = 1 << 20;

@unmanaged
export class BlockDevice {
  /** Its part of the disk; no sectors: there is no such device. */
  firstSector: u32 = 0;
  sectors: u32 = 0;
  /** Type of a partition; 0 of the whole disk. */
  type: u32 = 0;
  /** Files that have it open. */
  openers: u32 = 0;
  /** Its page cache. */
  object: SharedObject = changetype<SharedObject>(0);
}

/** hda and its partitions. */
export const DEVICES: u32 = 5;
const devices: usize = memory.data(100);

/** Device `number`: 0 is the disk, 1 … 4 its partitions. */
export function blockDevice(number: u32): BlockDevice {
  return changetype<BlockDevice>(devices + number * offsetof<BlockDevice>());
}

/** Makes device `number` of a part of the disk. A failure (no memory at boot) leaves it out. */
function makeDevice(number: u32, firstSector: u32, sectors: u32, type: u32): void {
  const object = newSharedObject();
  if (object === null) return;
  object.firstSector = firstSector;
  object.sectors = sectors;
  object.pages = min<u32>((sectors + PAGE_SECTORS - 1) / PAGE_SECTORS, MAX_PAGES);
  const device = blockDevice(number);
  device.firstSector = firstSector;
  device.sectors = sectors;
  device.type = type;
  device.object = object;
}

/** Finds the disk's partitions. Once, at boot, after ideInit. */
export function blockDevicesInit(): void {
  const sectors = diskSectors();
  const frame = sectors == 0 ? 0 : allocFrame(FrameKind.Kernel);
  if (frame == 0) return;
  makeDevice(0, 0, sectors, 0);
  const sector = frameToVirt(frame);
  if (diskRead(0, 1, sector) == 0 && hasTable(sector)) {
    for (let number: u32 = 1; number < DEVICES; number++) {
      const entry = sector + TABLE_AT + (number - 1) * ENTRY_BYTES;
      readEntry(number, load<u8>(entry, 4), load<u32>(entry, 8), load<u32>(entry, 12));
    }
  }
  freeFrame(frame);
}

/** Whether a sector holds a partition table: the boot sector of a file system has the same signature, and code where the entries would be. */
function hasTable(sector: usize): bool {
  let first: u32 = 0;
  for (let number: u32 = 1; number < DEVICES; number++) {
    first |= load<u8>(sector + TABLE_AT + (number - 1) * ENTRY_BYTES);
  }
  return (first & BOOT_MASK) == 0 && load<u16>(sector + SIGNATURE_AT) == SIGNATURE;
}

function readEntry(number: u32, type: u32, first: u32, count: u32): void {
  const sectors = diskSectors();
  if (type == 0 || count == 0) return;
  if (first < sectors && count <= sectors - first) makeDevice(number, first, count, type);
  else printk(cstr("hda%u: ends beyond the disk, ignored\n"), number);
}

/** Where swap=on finds its area: the first partition for swap, else the whole disk. */
export function swapDevice(): BlockDevice {
  for (let number: u32 = 1; number < DEVICES; number++) {
    if (blockDevice(number).type == SWAP_TYPE) return blockDevice(number);
  }
  return blockDevice(0);
}

/** Writes what is dirty of a device, as fsync. 0 or -EIO. */
export function syncDevice(device: BlockDevice): i32 {
  return syncPages(device.object, 0, NO_PAGE);
}

/** Writes what is dirty of any device. */
export function syncDevices(): void {
  for (let number: u32 = 0; number < DEVICES; number++) {
    if (blockDevice(number).sectors != 0) syncDevice(blockDevice(number));
  }
}

/** One more file has the device open. */
export function deviceGet(device: BlockDevice): void {
  device.openers++;
}

/** One file fewer. After the last, what is dirty is written, and the cache given up but for what is mapped. May sleep. */
export function devicePut(device: BlockDevice): void {
  device.openers--;
  if (device.openers != 0) return;
  const failed = syncDevice(device) != 0;
  if (device.openers != 0) return;
  const lost = dropPages(device.object, failed);
  if (lost != 0) printk(cstr("hda: %u pages could not be written and are lost\n"), lost);
}
