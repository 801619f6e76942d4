/**
 * The reclaim task: sleeps until an allocation finds memory short, then evicts pages until enough frames are free, asleep while the disk
 * writes. It is a task of the kernel's own, without address space, files or signals, and is made when there is first something to
 * evict to. Also here: evict=SEED, which evicts at random for tests.
 * Imports vmscan, the scheduler. Source: Linux 2.4 (mm/vmscan.c, kswapd).
 */
import { newKernelContext } from "../arch/i386/context";
import { freeFrames, setReclaimTaskWaker } from "../mm/pagealloc";
import { swapFreeSlots } from "../mm/swap";
import { evictAtRandom, highWatermark, leastWatermark, lowWatermark, shrinkLists } from "../mm/vmscan";
import { TaskQueue } from "./queue";
import { requestReschedule, sleepOn, startTask, wakeAll } from "./sched";
import { createKernelTask } from "./task";

/** Frames that it frees before it looks again at how many are free. */
const BATCH: u32 = 16;
/** Pages that evict=SEED tries at a timer tick. */
const EVICTIONS: u32 = 8;

/** The task, while it has nothing to do. */
const idleWait: TaskQueue = changetype<TaskQueue>(memory.data(8));
/** Who waits for it to have freed something. */
const memoryWait: TaskQueue = changetype<TaskQueue>(memory.data(8));
let exists: bool = false;
/** Its last look at all pages freed less than it wanted. */
let foundLittle: bool = false;
/** Of evict=SEED: the state of its random numbers, 0 for never; a tick has come. */
let evictSeed: u32 = 0;
export let evictionDue: bool = false;

/** Makes the task, unless there is one. False if there is no memory. */
export function startReclaimTask(): bool {
  if (exists) return true;
  const task = createKernelTask();
  if (task === null) return false;
  task.kernelEsp = newKernelContext(task.stackTop);
  setReclaimTaskWaker(wakeReclaimTask);
  startTask(task);
  exists = true;
  return true;
}

function wakeReclaimTask(): void {
  if (idleWait.first === null) return;
  foundLittle = false;
  wakeAll(idleWait);
  requestReschedule();
}

/** The task's life: stubs.s begins it. Never returns. */
export function reclaimTask(): void {
  for (;;) {
    sleepOn(idleWait);
    let freed: u32 = 1;
    while (freeFrames() < highWatermark && freed != 0) {
      freed = shrinkLists(BATCH);
      foundLittle = freed < BATCH;
      wakeAll(memoryWait);
    }
    wakeAll(memoryWait);
  }
}

/**
 * For who may sleep and is about to take memory: lets the reclaim task work if there is little left, so that nobody has to reclaim by
 * polling. Afterwards there may still be none.
 */
export function waitForMemory(): void {
  if (freeFrames() >= leastWatermark || !exists) return;
  wakeReclaimTask();
  sleepOn(memoryWait);
}

/**
 * Whether memory is exhausted, though some frames may be free: swap is full, and the reclaim task has looked at every page several times,
 * and hardly any could go. Those few would only go out and come back from now on.
 */
export function memoryIsExhausted(): bool {
  return foundLittle && swapFreeSlots == 0 && freeFrames() < lowWatermark;
}

/** evict=SEED: from now on pages are evicted at random at timer ticks. */
export function evictFrom(seed: u32): void {
  evictSeed = seed;
}

/** From the timer's interrupt. */
export function evictionTick(): void {
  evictionDue = evictSeed != 0;
}

/** Before a return to user mode, when evictionDue. */
export function evictNow(): void {
  evictionDue = false;
  evictSeed = evictAtRandom(evictSeed, EVICTIONS);
}
