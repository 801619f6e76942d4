/**
 * Reading and writing whole frames on the disk. A frame under I/O is PAGE_LOCKED; the driver unlocks it when the request is over
 * (`pageIsOver`, also when somebody else polls), and wakes those who wait for any page. Nobody holds a reference for the I/O: whoever
 * frees frames leaves locked ones alone.
 *
 * Who may sleep does so, who may not (diskPollBegin) drives the disk by polling; both come back here to look at the page again.
 * May import page, the disk's driver, the scheduler. Source: Linux 2.4 (mm/page_io.c, mm/filemap.c: lock_page, wait_on_page).
 */
import { DiskRequest, diskIsPolled, diskPoll, diskRequest, diskSubmit, diskWait } from "../drivers/diskqueue";
import { TaskQueue } from "../task/queue";
import { sleepOn, wakeAll } from "../task/sched";
import { Frames, PAGE_DIRTY, PAGE_ERROR, PAGE_LOCKED, PAGE_READING, Page } from "./page";

/** Sectors of a page. */
export const PAGE_SECTORS: u32 = 8;
/** Who waits for a page that somebody else reads or writes. */
const pageWait: TaskQueue = changetype<TaskQueue>(memory.data(8));

/** The driver's word that a request of ours is over. A frame that could not be written is dirty again. */
function pageIsOver(request: DiskRequest): void {
  const page = Frames.ofAddress(request.buffer);
  page.flags &= ~(PAGE_LOCKED | PAGE_READING);
  if (request.result != 0) page.flags |= request.isWrite ? PAGE_DIRTY : PAGE_ERROR;
  wakeAll(pageWait);
}

/** A frame that is written counts as clean from here on, so that what changes it meanwhile makes it dirty. */
function submit(page: Page, sector: u32, count: u32, isWrite: bool): DiskRequest {
  const request = diskRequest();
  page.flags = (page.flags & ~PAGE_DIRTY) | PAGE_LOCKED | (isWrite ? 0 : PAGE_READING);
  request.sector = sector;
  request.count = count;
  request.buffer = Frames.virtual(page);
  request.isWrite = isWrite;
  request.isFlush = false;
  request.onDone = changetype<usize>(pageIsOver);
  diskSubmit(request);
  return request;
}

/** Begins to read `count` sectors into a frame, which is not under I/O. */
export function startPageRead(page: Page, sector: u32, count: u32): void {
  submit(page, sector, count, false);
}

/** Writes `count` sectors from a frame, which is not under I/O, and waits until that is over. 0 or -errno. */
export function writePageOut(page: Page, sector: u32, count: u32): i32 {
  return diskWait(submit(page, sector, count, true));
}

/**
 * Waits until the I/O of some page is over: the caller's own request, if it has one on the way, and then that page is returned. Look at
 * the page again afterwards; it may even have been freed.
 */
export function waitForPage(): Page | null {
  const own = diskRequest();
  if (!own.isOver) {
    diskWait(own);
    return Frames.ofAddress(own.buffer);
  }
  if (diskIsPolled()) diskPoll();
  else sleepOn(pageWait);
  return null;
}
