/**
 * The disk's request queue. Requests go to the drive first come, first served; the one in front is with it. Each is taken to
 * its end (the next command of a long one, another try from the sector that failed, the start of the request behind it) by
 * whoever learns that the drive has moved: the interrupt, or a caller that may not sleep and polls in its place. So a polled
 * request that stands behind a sleeper's finishes that one too, and its owner wakes as usual.
 * Imports ide.ts, IRQs, the scheduler, tasks. Source: Linux 2.4 (drivers/block/ll_rw_blk.c, drivers/ide/ide.c), without elevator.
 *
 * diskRead, diskWrite and diskFlush use the request in the caller's Task: a task waits for one request at a time, and one that
 * polls does not give up the CPU, so it is always free, and a transfer never fails for want of memory. The idle task has one too,
 * for boot. Who wants several on their way brings their own and calls diskSubmit.
 *
 * `pollDepth` != 0: nothing in here sleeps. So it is until diskStart, and between diskPollBegin and diskPollEnd.
 */
import { Errno } from "../abi/errno";
import { cstr } from "../abi/intrinsics";
import { printk } from "../lib/printk";
import { TaskQueue } from "../task/queue";
import { sleepOn, wakeAll } from "../task/sched";
import { currentTask } from "../task/task";
import {
  diskSectors,
  IDE_IRQ,
  ideEnableInterrupts,
  ideError,
  ideFlush,
  ideMoved,
  ideOverdue,
  idePoll,
  ideReset,
  ideStep,
  ideTransfer,
  MAX_COUNT,
  Progress,
  SECTOR_SHIFT,
} from "./ide";
import { irqRegister } from "./irq";
import { picUnmask } from "./pic";

/** Failures in a row, without a sector in between, after which a request gives up. */
const MAX_ATTEMPTS: u32 = 3;
/** Timer ticks without a step, 3 s, after which an interrupt is taken to be lost; no drive takes so long. */
const OVERDUE_TICKS: u32 = 300;

type DoneHandler = (request: DiskRequest) => void;

/** A transfer of sectors. The owner fills the first group; diskSubmit sets the rest. */
@unmanaged
export class DiskRequest {
  sector: u32 = 0;
  /** Sectors; 0 moves nothing. */
  count: u32 = 0;
  /** Kernel memory, which must stay as it is until the request is over. */
  buffer: usize = 0;
  isWrite: bool = false;
  /** Moves nothing: lets the drive bring what was written to the medium. */
  isFlush: bool = false;
  /** A DoneHandler that is called once, when the request is over and before sleepers wake; 0: none. It must not sleep or
   * allocate; it may submit requests, this one too. */
  onDone: usize = 0;

  isOver: bool = false;
  /** 0 or -errno, once it is over. */
  result: i32 = 0;
  /** Sectors that have been moved; those from there on may have been, too. */
  done: u32 = 0;
  /** Tries that failed since a sector was moved. */
  attempts: u32 = 0;
  /** The request behind it in the queue. */
  next: DiskRequest | null = null;
  /** Who sleeps until it is over: two words, see `waiters`. */
  waitFirst: usize = 0;
  waitLast: usize = 0;

  get waiters(): TaskQueue {
    return changetype<TaskQueue>(changetype<usize>(this) + offsetof<DiskRequest>("waitFirst"));
  }
}

/** The request that is with the drive, and the one that came last. */
let first: DiskRequest | null = null;
let last: DiskRequest | null = null;
/** Whether somebody takes care of the queue: the drive with a command, or `advance`. */
let isRunning: bool = false;
let pollDepth: u32 = 1;
/** Timer ticks since the last step. */
let quietTicks: u32 = 0;

/** Until diskPollEnd nothing in the driver sleeps: requests are waited for by polling. Nests. */
export function diskPollBegin(): void {
  pollDepth++;
}

/** The end of what diskPollBegin began. */
export function diskPollEnd(): void {
  pollDepth--;
}

/** Whether requests are waited for by polling now. */
export function diskIsPolled(): bool {
  return pollDepth != 0;
}

/** Polling: takes whatever is with the drive one step further, if there is anything. */
export function diskPoll(): void {
  if (isRunning) advance(idePoll());
}

/** The request of the current task: over, unless the task has submitted it. */
export function diskRequest(): DiskRequest {
  return currentTask().diskRequest;
}

function finish(request: DiskRequest, result: i32): void {
  request.result = result;
  request.isOver = true;
  if (request.onDone != 0) changetype<DoneHandler>(request.onDone)(request);
  wakeAll(request.waiters);
}

/** The command for what is left of a request, as much as one can do. */
function startCommand(request: DiskRequest): Progress {
  if (request.isFlush) return ideFlush();
  const done = request.done;
  const count = min<u32>(request.count - done, MAX_COUNT);
  return ideTransfer(request.isWrite, request.sector + done, count, request.buffer + (done << SECTOR_SHIFT));
}

function reportFailure(request: DiskRequest): void {
  if (request.isFlush) printk(cstr("hda: flush failed, error 0x%x\n"), ideError());
  else {
    const action = request.isWrite ? cstr("write") : cstr("read");
    printk(cstr("hda: %s of sector %u failed, error 0x%x\n"), action, request.sector + request.done, ideError());
  }
}

/** A command of the request has come to its end. Whether the request has, too. */
function commandOver(request: DiskRequest, progress: Progress): bool {
  const moved = ideMoved();
  request.done += moved;
  if (progress == Progress.Ended) return request.done == request.count;
  request.attempts = moved == 0 ? request.attempts + 1 : 1;
  reportFailure(request);
  ideReset();
  return request.attempts == MAX_ATTEMPTS;
}

/** Goes on from what the command in front came to, until one is on its way or no request is left. */
function advance(step: Progress): void {
  quietTicks = 0;
  let progress = step;
  while (progress != Progress.None) {
    const request = first!;
    if (commandOver(request, progress)) {
      first = request.next;
      finish(request, progress == Progress.Ended ? 0 : -Errno.EIO);
    }
    const next = first;
    if (next === null) {
      isRunning = false;
      return;
    }
    progress = startCommand(next);
  }
}

/**
 * Puts a request at the end of the queue, and starts the drive if it is idle. One that asks for nothing, or for what lies
 * beyond the disk's end (-EINVAL), is over at once.
 */
export function diskSubmit(request: DiskRequest): void {
  request.isOver = false;
  request.done = 0;
  request.attempts = 0;
  request.next = null;
  const sectors = diskSectors();
  if (request.isFlush) request.count = 0;
  if (sectors == 0 || (!request.isFlush && (request.sector >= sectors || request.count > sectors - request.sector))) {
    finish(request, -Errno.EINVAL);
    return;
  }
  if (request.count == 0 && !request.isFlush) {
    finish(request, 0);
    return;
  }
  if (first === null) first = request;
  else last!.next = request;
  last = request;
  if (isRunning) return;
  isRunning = true;
  advance(startCommand(request));
}

/** Waits for the end of a request that has been submitted, asleep or by polling. Its result. */
export function diskWait(request: DiskRequest): i32 {
  while (!request.isOver) {
    if (pollDepth == 0) sleepOn(request.waiters);
    else advance(idePoll());
  }
  return request.result;
}

function perform(sector: u32, count: u32, buffer: usize, isWrite: bool, isFlush: bool): i32 {
  const request = diskRequest();
  request.sector = sector;
  request.count = count;
  request.buffer = buffer;
  request.isWrite = isWrite;
  request.isFlush = isFlush;
  request.onDone = 0;
  diskSubmit(request);
  return diskWait(request);
}

/**
 * Reads `count` sectors from `sector` on into kernel memory. 0, or -errno: EINVAL beyond the disk's end, EIO when a sector
 * cannot be read (what came before it may have been). Sleeps or polls.
 */
export function diskRead(sector: u32, count: u32, kernelBuffer: usize): i32 {
  return perform(sector, count, kernelBuffer, false, false);
}

/** Writes `count` sectors from kernel memory, which must not change until it returns. Results as diskRead's. */
export function diskWrite(sector: u32, count: u32, kernelBuffer: usize): i32 {
  return perform(sector, count, kernelBuffer, true, false);
}

/** Lets the drive bring all that was written to the medium. 0, -EIO; -EINVAL without a disk. */
export function diskFlush(): i32 {
  return perform(0, 0, 0, false, true);
}

function diskInterrupt(): void {
  advance(ideStep());
}

/** From the timer's interrupt: an interrupt that does not come must not keep anybody asleep for ever. */
export function diskTick(): void {
  if (!isRunning) return;
  quietTicks++;
  if (quietTicks < OVERDUE_TICKS) return;
  printk(cstr("hda: lost interrupt\n"));
  advance(ideOverdue());
}

/** From here on requests sleep, and the drive interrupts. Once, at the end of boot. */
export function diskStart(): void {
  pollDepth--;
  if (diskSectors() == 0) return;
  irqRegister(IDE_IRQ, diskInterrupt);
  picUnmask(IDE_IRQ);
  ideEnableInterrupts();
}
