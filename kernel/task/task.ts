/**
 * The Task: one process. Each lives at the bottom of its own two-page block, which is also its kernel stack:
 *
 *     block                                                block + 8192
 *       | Task | DiskRequest | parts | SignalTable | guard | ... kernel stack  <-  ESP |  TrapFrame of entry from user mode |
 *
 * so fork takes one block and exit's parent frees one. This file allocates and finds tasks; kernel/task/sched.ts runs them.
 * The parts are FileTable, FsState and SignalActions; with clone's flags tasks share them, and use a block elsewhere (parts.ts).
 * The parent frees a zombie's block in wait4, so no task frees the stack it runs on.
 * Source: Linux 2.4 (include/linux/sched.h, kernel/pid.c).
 */

import { cstr } from "../abi/intrinsics";
import { DiskRequest } from "../drivers/diskqueue";
import { FILE_TABLE_BYTES, FileTable } from "../fs/fdtable";
import { Inode } from "../fs/inode";
import { panic } from "../lib/panic";
import { frameToVirt } from "../mm/layout";
import { FrameKind } from "../mm/page";
import { allocPages, freeFrames, freePages } from "../mm/pagealloc";
import { Mm } from "../mm/vma";
import { haveFrames } from "../mm/vmscan";
import { TaskQueue } from "./queue";
import { SIGNAL_ACTIONS_BYTES, SIGNAL_TABLE_BYTES, SignalActions, SignalTable } from "./sigtable";

export const enum TaskState {
  /** Current, or in the run queue. */
  Runnable = 0,
  /** In a wait queue. */
  Sleeping = 1,
  /** Ended; only its status is left for the parent to read. */
  Zombie = 2,
}

/** Bytes of a task's name, NUL included: the last component of what it executes. */
const TASK_NAME_BYTES: u32 = 16;

/** Where a task is in the tree of files. */
@unmanaged
export class FsState {
  /** Tasks that use it, where it is shared. */
  users: u32 = 0;
  /** Mode bits that creating a file takes away. */
  modeMask: u32 = 0;
  /** Working directory; holds a reference. */
  directory: Inode | null = null;
}

@unmanaged
export class Task {
  /** ESP while the task is not running; kernel/arch/i386's switchContext saves and loads it. */
  kernelEsp: usize = 0;
  pid: u32 = 0;
  /** First frame of its block. */
  frame: u32 = 0;
  state: TaskState = TaskState.Runnable;
  /** Its address space, which others may use as well; null in the idle task and in a zombie. */
  mm: Mm | null = null;
  /** Who made it, or pid 1 if that one is gone. Null in pid 1 and the idle task. */
  parent: Task | null = null;
  firstChild: Task | null = null;
  nextSibling: Task | null = null;
  previousSibling: Task | null = null;
  /** The next task with the same hash of its pid. */
  hashNext: Task | null = null;
  /** Address of the TaskQueue that it is in, or 0; its neighbours there. */
  queue: usize = 0;
  queueNext: Task | null = null;
  queuePrevious: Task | null = null;
  /** The queue that it sleeps in while it waits for a child: two words, see `childWait`. */
  childWaitFirst: Task | null = null;
  childWaitLast: Task | null = null;
  /** Bit n - 1: signal n is waiting to be taken. */
  pendingSignals: u32 = 0;
  /** Bit n - 1: signal n is held back; never SIGKILL or SIGSTOP. */
  blockedSignals: u32 = 0;
  /** What sigsuspend replaced: the mask to go back to, if `maskSaved`. */
  savedMask: u32 = 0;
  maskSaved: bool = false;
  /** The last exception that its own instruction raised, for signal frames: CR2, error code, vector. */
  faultAddress: usize = 0;
  faultError: u32 = 0;
  faultVector: u32 = 0;
  /** The real-time interval timer (kernel/task/alarm.ts): the tick of SIGALRM, and ticks from one to the next or 0. */
  alarmArmed: bool = false;
  alarmTick: u32 = 0;
  alarmInterval: u32 = 0;
  alarmNext: Task | null = null;
  /** Process group, for ^C and kill(-group). */
  processGroup: u32 = 0;
  session: u32 = 0;
  /** What its parent gets when it ends: SIGCHLD, or 0 for nothing, and then only wait4 with WCLONE or WALL finds it. */
  exitSignal: u32 = 0;
  /** Who sleeps in vfork until this task has left the memory that it was made with; else null (kernel/task/vfork.ts). */
  vforkParent: Task | null = null;
  /** It sleeps in vfork. */
  inVfork: bool = false;
  /** User address of a word that becomes 0 when it leaves memory that others use; 0: none. */
  clearChildTid: usize = 0;
  /** Status word for wait4, once Zombie. */
  exitStatus: u32 = 0;
  /** Timer ticks left of its slice. */
  ticksLeft: i32 = 0;
  /** Tick at which a sleep ends (kernel/task/timer.ts). */
  wakeTick: u32 = 0;
  /** The parts that it uses: its own, or shared ones. */
  files: FileTable = changetype<FileTable>(0);
  fs: FsState = changetype<FsState>(0);
  actions: SignalActions = changetype<SignalActions>(0);
  /** Its name: TASK_NAME_BYTES from here, see `nameAddress`. */
  name0: u32 = 0;
  name1: u32 = 0;
  name2: u32 = 0;
  name3: u32 = 0;

  /** What it waits for when it waits for the disk. */
  get diskRequest(): DiskRequest {
    return changetype<DiskRequest>(changetype<usize>(this) + offsetof<Task>());
  }

  /** Its own parts, whether or not it uses them. */
  get ownFiles(): FileTable {
    return changetype<FileTable>(changetype<usize>(this) + offsetof<Task>() + offsetof<DiskRequest>());
  }
  get ownFs(): FsState {
    return changetype<FsState>(changetype<usize>(this.ownFiles) + FILE_TABLE_BYTES);
  }
  get ownActions(): SignalActions {
    return changetype<SignalActions>(changetype<usize>(this.ownFs) + offsetof<FsState>());
  }

  /** What is known of signals that wait. */
  get signals(): SignalTable {
    return changetype<SignalTable>(changetype<usize>(this.ownActions) + SIGNAL_ACTIONS_BYTES);
  }

  /** Sleepers of wait4 and pause: only ever the task itself. */
  get childWait(): TaskQueue {
    return changetype<TaskQueue>(changetype<usize>(this) + offsetof<Task>("childWaitFirst"));
  }

  get nameAddress(): usize {
    return changetype<usize>(this) + offsetof<Task>("name0");
  }

  /** Address one past its kernel stack: where the CPU starts pushing on entry from user mode. */
  get stackTop(): usize {
    return changetype<usize>(this) + TASK_BYTES;
  }
}

/** Buddy order and bytes of a task's block. */
const TASK_ORDER: u32 = 1;
const TASK_BYTES: u32 = 8192;

/** Where the guard word lies in the block. */
function guardAddress(task: Task): usize {
  return changetype<usize>(task.signals) + SIGNAL_TABLE_BYTES;
}

/** Lies where the stack would grow into the Task; checked at every switch. */
const GUARD: u32 = 0x57ac4a11;

const HASH_SIZE: u32 = 64;
const MAX_PID: u32 = 32767;
/** Every task but the idle one takes at least this many frames (block, directory, tables, pages). */
const FRAMES_PER_TASK: u32 = 32;
const MIN_TASK_LIMIT: u32 = 16;
/** fork refuses when fewer than 1/64 of the frames are free, so that those who run can still fault, and exec can. */
const RESERVE_DIVISOR: u32 = 64;

const hashTable: usize = memory.data(256);
/** Storage of the idle task, which runs on the boot stack: a Task with its DiskRequest and nothing else. */
const idleStorage: usize = memory.data(256);

let current: Task = changetype<Task>(0);
let lastPid: u32 = 0;
let taskCount: u32 = 0;
let taskLimit: u32 = 0;
let forkReserve: u32 = 0;

/** The task whose kernel stack we are on. Never null after tasksInit. */
export function currentTask(): Task {
  return current;
}

/** For the scheduler, and for boot while it builds pid 1. */
export function setCurrentTask(task: Task): void {
  current = task;
}

/** The task with pid 0: runs when no other can; has no address space, no files, and is in no table. */
export function idleTask(): Task {
  return changetype<Task>(idleStorage);
}

/** Sizes the limits by the memory that is free now, and makes the boot flow the idle task. */
export function tasksInit(): void {
  const frames = freeFrames();
  taskLimit = max<u32>(MIN_TASK_LIMIT, frames / FRAMES_PER_TASK);
  forkReserve = frames / RESERVE_DIVISOR;
  assert(offsetof<Task>() + offsetof<DiskRequest>() <= 256);
  current = idleTask();
}

/** Whether one more task may be made: below the limit, and enough frames left over for those who run. */
export function mayCreateTask(): bool {
  return taskCount < taskLimit && haveFrames(forkReserve);
}

function hashSlot(pid: u32): usize {
  return hashTable + (pid % HASH_SIZE) * sizeof<usize>();
}

/** The task with this pid, zombies included, or null. */
export function findTask(pid: u32): Task | null {
  let task = load<usize>(hashSlot(pid));
  while (task != 0) {
    if (changetype<Task>(task).pid == pid) return changetype<Task>(task);
    task = load<usize>(task, offsetof<Task>("hashNext"));
  }
  return null;
}

/** The task with the lowest pid that is at least `from`, zombies included, or null. For walks over all tasks. */
export function nextTask(from: u32): Task | null {
  let best: Task | null = null;
  for (let i: u32 = 0; i < HASH_SIZE; i++) {
    let address = load<usize>(hashTable + i * sizeof<usize>());
    while (address != 0) {
      const task = changetype<Task>(address);
      if (task.pid >= from && (best === null || task.pid < best.pid)) best = task;
      address = changetype<usize>(task.hashNext);
    }
  }
  return best;
}

function allocatePid(): u32 {
  do {
    lastPid = lastPid >= MAX_PID ? 2 : lastPid + 1;
  } while (findTask(lastPid) !== null);
  return lastPid;
}

/** A block with a Task in it, all zero, whose disk request is over. Null when there is no memory. */
function newBlock(): Task | null {
  const frame = allocPages(TASK_ORDER, FrameKind.Kernel);
  if (frame == 0) return null;
  const task = changetype<Task>(frameToVirt(frame));
  const parts = FILE_TABLE_BYTES + offsetof<FsState>() + offsetof<SignalActions>();
  memory.fill(changetype<usize>(task), 0, offsetof<Task>() + offsetof<DiskRequest>() + parts);
  task.files = task.ownFiles;
  task.fs = task.ownFs;
  task.actions = task.ownActions;
  store<u32>(guardAddress(task), GUARD);
  task.frame = frame;
  task.diskRequest.isOver = true;
  return task;
}

/**
 * A new task with a pid, a stack, no address space, no files, no handlers, no parent, in no queue; every field that fork
 * does not set is zero. Null when there is no memory; the caller has asked mayCreateTask.
 */
export function createTask(): Task | null {
  const task = newBlock();
  if (task === null) return null;
  task.pid = allocatePid();
  const slot = hashSlot(task.pid);
  task.hashNext = changetype<Task>(load<usize>(slot));
  store<usize>(slot, changetype<usize>(task));
  taskCount++;
  return task;
}

/** The task of the kernel's own (reclaim.ts), with a pid that no process has: findTask does not find it. Null when there is no memory. */
export function createKernelTask(): Task | null {
  const task = newBlock();
  if (task !== null) task.pid = MAX_PID + 1;
  return task;
}

/** Forgets a task that is not current, has no address space and no files, and frees its block. */
export function freeTask(task: Task): void {
  const slot = hashSlot(task.pid);
  let link = slot;
  while (load<usize>(link) != changetype<usize>(task)) link = load<usize>(link) + offsetof<Task>("hashNext");
  store<usize>(link, changetype<usize>(task.hashNext));
  taskCount--;
  freePages(task.frame, TASK_ORDER);
}

/** Makes `child` the newest child of `parent`. */
export function adoptChild(parent: Task, child: Task): void {
  const first = parent.firstChild;
  child.parent = parent;
  child.previousSibling = null;
  child.nextSibling = first;
  if (first !== null) first.previousSibling = child;
  parent.firstChild = child;
}

/** Takes `child` out of its parent's list. */
export function disownChild(child: Task): void {
  const previous = child.previousSibling;
  const next = child.nextSibling;
  if (previous !== null) previous.nextSibling = next;
  else child.parent!.firstChild = next;
  if (next !== null) next.previousSibling = previous;
  child.parent = null;
}

/** Panics if the kernel stack of `task` has run over into its Task. */
export function checkStackGuard(task: Task): void {
  if (task.pid == 0) return;
  if (load<u32>(guardAddress(task)) != GUARD) panic(cstr("kernel stack overflow"));
}

/** Sets a task's name from the last component of a NUL-terminated kernel string, cut to TASK_NAME_BYTES - 1. */
export function setTaskName(task: Task, path: usize): void {
  let start = path;
  for (let p = path; load<u8>(p) != 0; p++) {
    if (load<u8>(p) == 0x2f && load<u8>(p + 1) != 0) start = p + 1;
  }
  let i: u32 = 0;
  for (; i < TASK_NAME_BYTES - 1 && load<u8>(start + i) != 0; i++) store<u8>(task.nameAddress + i, load<u8>(start + i));
  for (; i < TASK_NAME_BYTES; i++) store<u8>(task.nameAddress + i, 0);
}
