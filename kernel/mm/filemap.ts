/**
 * The page cache of disks: pages of a SharedObject whose contents are sectors (`object.sectors` is not 0), as read(2) and write(2) use
 * it, and how its pages come back to the disk. Mappings show the same frames (fault.ts, by objectFill).
 *
 * How such a page stands to the disk, by its flags:
 *
 *     LOCKED READING   being read: nobody maps it
 *     ERROR            could not be read: who looks next is told, and takes it away, so that the one after tries again
 *     DIRTY            changed since it was read or written
 *     LOCKED           being written; changed meanwhile, it is DIRTY again
 *
 * and none of them: as on the disk, but for what D says in ptes that map it. D goes over to the page when such a pte goes
 * (putMappedPage, unmapPage) and before the page is written (takeDirty).
 *
 * Whoever sleeps here holds nothing: when it wakes it looks the page up again, by object and index. The object of a device lives for ever.
 * May import shmem, swap, pagetable, pageio, the disk queue. Source: Linux 2.4 (mm/filemap.c: generic_file_read, filemap_fdatasync).
 */
import { Errno } from "../abi/errno";
import { diskFlush } from "../drivers/diskqueue";
import { SECTOR_SHIFT } from "../drivers/ide";
import { errorPointer, isError } from "../lib/errptr";
import { Frames, PAGE_DIRTY, PAGE_ERROR, PAGE_LOCKED, Page } from "./page";
import { waitForPage, writePageOut } from "./pageio";
import { takeDirty } from "./pagetable";
import {
  NO_PAGE,
  objectBlank,
  objectFill,
  objectFind,
  objectForget,
  objectNext,
  objectTrim,
  SharedObject,
} from "./shmem";
import { isSwapCached, SwapIn } from "./swap";

/** Whether a page is one of a disk. */
export function isDiskPage(page: Page): bool {
  return page.object != 0 && !isSwapCached(page) && changetype<SharedObject>(page.object).sectors != 0;
}

/** Page `index` with its contents: the address of its Page, or an error pointer, ENOMEM or EIO. Sleeps or polls. */
export function diskPage(object: SharedObject, index: u32): usize {
  while (true) {
    const found = objectFill(object, index);
    if (found == SwapIn.Here) return changetype<usize>(objectFind(object, index));
    if (found == SwapIn.OutOfMemory) return errorPointer(Errno.ENOMEM);
    if (found == SwapIn.Unreadable) return errorPointer(Errno.EIO);
    waitForPage();
  }
}

/** Waits until page `index` is not under I/O. It may not be there then. */
function waitUnlocked(object: SharedObject, index: u32): void {
  let page = objectFind(object, index);
  while (page !== null && (page.flags & PAGE_LOCKED) != 0) {
    waitForPage();
    page = objectFind(object, index);
  }
}

/**
 * Writes a page of a disk that is not under I/O, and waits. 0, or -EIO, and then it stays dirty. If that has slept, anything may have
 * become of the page.
 */
function writePage(page: Page): i32 {
  const object = changetype<SharedObject>(page.object);
  return writePageOut(page, object.sectorOf(page.index), object.sectorsOf(page.index));
}

/** Writes page `index` if the disk does not have it as it is now. 0 or -EIO. */
function syncPage(object: SharedObject, index: u32): i32 {
  waitUnlocked(object, index);
  const page = objectFind(object, index);
  if (page === null) return 0;
  takeDirty(page);
  return (page.flags & PAGE_DIRTY) != 0 ? writePage(page) : 0;
}

/**
 * fsync, msync: what pages `first` up to `end` of a disk hold now is on the medium when this returns 0. -EIO: some of it is not, and
 * stays dirty. Sleeps or polls.
 */
export function syncPages(object: SharedObject, first: u32, end: u32): i32 {
  let result: i32 = 0;
  for (let index = objectNext(object, first); index < end; index = objectNext(object, index + 1)) {
    if (syncPage(object, index) != 0) result = -Errno.EIO;
  }
  const flushed = diskFlush();
  return result != 0 ? result : flushed;
}

/** Reclaim: gives up a page of a disk that no pte maps any more, written first if it is dirty. Whether its frame is free. May sleep. */
export function evictDiskPage(page: Page): bool {
  const object = changetype<SharedObject>(page.object);
  const index = page.index;
  if ((page.flags & PAGE_DIRTY) != 0 && writePage(page) != 0) return false;
  // After a sleep it may be in use again, or gone.
  if (objectFind(object, index) !== page || page.count != 1 || (page.flags & (PAGE_LOCKED | PAGE_DIRTY)) != 0)
    return false;
  objectForget(object, index);
  return true;
}

/**
 * Nobody has the disk open any more: gives up its pages that nobody maps; with `isLost`, because they cannot be written, dirty ones
 * too. How many dirty ones.
 */
export function dropPages(object: SharedObject, isLost: bool): u32 {
  const keep = isLost ? PAGE_LOCKED : PAGE_LOCKED | PAGE_DIRTY;
  let lost: u32 = 0;
  for (let index = objectNext(object, 0); index != NO_PAGE; index = objectNext(object, index + 1)) {
    const page = objectFind(object, index)!;
    if (page.count != 1 || (page.flags & keep) != 0) continue;
    if ((page.flags & PAGE_DIRTY) != 0) lost++;
    objectForget(object, index);
  }
  objectTrim(object);
  return lost;
}

/**
 * write(2): puts `bytes` of kernel memory into page `index` from `offset` on. A page that is replaced whole, as far as the disk goes,
 * need not be read first. 0, -EIO or -ENOMEM. Sleeps or polls before it changes anything.
 */
export function fillPage(object: SharedObject, index: u32, offset: u32, source: usize, bytes: u32): i32 {
  let page: Page | null = null;
  if (offset == 0 && bytes >= object.sectorsOf(index) << SECTOR_SHIFT) {
    waitUnlocked(object, index);
    page = objectBlank(object, index);
    if (page === null) return -Errno.ENOMEM;
    page.flags &= ~PAGE_ERROR;
  } else {
    const found = diskPage(object, index);
    if (isError(found)) return i32(found);
    page = changetype<Page>(found);
  }
  memory.copy(Frames.virtual(page) + offset, source, bytes);
  page.flags |= PAGE_DIRTY;
  return 0;
}
