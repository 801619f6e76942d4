/**
 * Out of memory: a page fault could not be served though reclaim did all it can, or reclaim can do next to nothing any more. Somebody must end, so that the others can go on. It is
 * whoever gives most back: the process with most pages in tables that nobody shares, present or swapped out. Where all is shared,
 * killing one frees next to nothing; then a family ends, that is, all who use the largest shared table. Pid 1 is spared. It is
 * said on the console.
 *
 * With reclaim=off there is no choice: the process whose fault it was ends.
 * Imports tasks, signals, vmalist. Source: Linux 2.4 (mm/oom_kill.c), with what can be freed instead of its badness.
 */
import { cstr } from "../abi/intrinsics";
import { SI_KERNEL, Signal } from "../abi/signals";
import { Entry, PTE_FRAME, PTE_PRESENT, USER_SLOTS } from "../arch/i386/paging";
import { printk } from "../lib/printk";
import { PAGE_SHIFT } from "../mm/layout";
import { Frames, TablePage } from "../mm/page";
import { freeFrames, totalFrames } from "../mm/pagealloc";
import { Mm } from "../mm/vmalist";
import { schedule } from "./sched";
import { forceSignal, INIT_PID, signalBit } from "./signal";
import { nextTask, Task } from "./task";

/** A process that would give back less than this part (2 to its power) of all frames is not worth its end. */
const WORTH_SHIFT: u32 = 6;

let killsFaulting: bool = false;

/** reclaim=off. */
export function killFaultingTask(): void {
  killsFaulting = true;
}

/** What an address space would give back, in pages, and its largest shared table. */
@unmanaged
class Holdings {
  /** Pages in tables that only it uses, present or swapped out. */
  alone: u32 = 0;
  /** Pages in all its tables. */
  all: u32 = 0;
  /** The pde of its shared table with most pages, without its flags; 0 is none. */
  largest: u32 = 0;
}
const holdings: Holdings = changetype<Holdings>(memory.data(12));

function measure(mm: Mm): void {
  holdings.alone = 0;
  holdings.all = 0;
  holdings.largest = 0;
  let most: u32 = 0;
  for (let slot: u32 = 0; slot < USER_SLOTS; slot++) {
    const pde = Entry.load(mm.directory + (slot << 2));
    if ((pde & PTE_PRESENT) == 0) continue;
    const table = changetype<TablePage>(Frames.ofEntry(pde));
    const pages = table.present + table.swapped;
    holdings.all += pages;
    if (table.users == 1) holdings.alone += pages;
    else if (pages > most) {
      most = pages;
      holdings.largest = pde & PTE_FRAME;
    }
  }
}

/** Whether a table, by its frame's address, is one of an address space's. */
function usesTable(mm: Mm, frame: u32): bool {
  for (let slot: u32 = 0; slot < USER_SLOTS; slot++) {
    const pde = Entry.load(mm.directory + (slot << 2));
    if ((pde & PTE_PRESENT) != 0 && (pde & PTE_FRAME) == frame) return true;
  }
  return false;
}

function isDying(task: Task): bool {
  return (task.pendingSignals & signalBit(Signal.SIGKILL)) != 0;
}

/** Kills every task that uses the memory of `task`, of so many pages. */
function kill(task: Task, pages: u32): void {
  const kilobytes = pages << (PAGE_SHIFT - 10);
  printk(cstr("out of memory: killed process %u (%s), %u kB\n"), task.pid, task.nameAddress, kilobytes);
  const mm = task.mm;
  let each = nextCandidate(0);
  while (each !== null) {
    if (each.mm === mm) forceSignal(each, Signal.SIGKILL, SI_KERNEL, 0);
    each = nextCandidate(each.pid + 1);
  }
}

/** The next process with memory from pid `from` on, pid 1 apart. */
function nextCandidate(from: u32): Task | null {
  let task = nextTask(max<u32>(from, INIT_PID + 1));
  while (task !== null && task.mm === null) task = nextTask(task.pid + 1);
  return task;
}

/** Kills everyone who uses a shared table. */
function killFamily(frame: u32): void {
  let task = nextCandidate(0);
  while (task !== null) {
    const mm = task.mm!;
    if (!isDying(task) && usesTable(mm, frame)) {
      measure(mm);
      kill(task, holdings.all);
    }
    task = nextCandidate(task.pid + 1);
  }
}

/** Chooses who ends, and kills them. False if there is nobody. */
function killSomebody(): bool {
  let best: Task | null = null;
  let most: u32 = 0;
  let family: u32 = 0;
  let mostInAll: u32 = 0;
  let task = nextCandidate(0);
  while (task !== null) {
    // One at a time: what it holds comes free as soon as it runs. But who sleeps in vfork ends only after its child.
    if (isDying(task) && !task.inVfork) return true;
    measure(task.mm!);
    if (best === null || holdings.alone > most) {
      best = task;
      most = holdings.alone;
    }
    if (holdings.largest != 0 && holdings.all > mostInAll) {
      family = holdings.largest;
      mostInAll = holdings.all;
    }
    task = nextCandidate(task.pid + 1);
  }
  if (best === null) return false;
  if (most < totalFrames() >> WORTH_SHIFT && family != 0) killFamily(family);
  else kill(best, most);
  return true;
}

/**
 * The current task faults while memory is exhausted, though frames may be left: somebody ends, unless pid 1 is alone. Whether somebody
 * does; then the task's instruction may be tried again, or the task is to end. May let others run.
 */
export function outOfMemorySoon(task: Task): bool {
  if (killsFaulting || !killSomebody()) return false;
  if (!isDying(task)) schedule();
  return true;
}

/**
 * The current task's page fault found no memory. Returns when its instruction may be tried again, or when the task is to end. May let others
 * run.
 */
export function outOfMemory(task: Task): void {
  if (killsFaulting) {
    printk(cstr("out of memory: killed process %u (%s)\n"), task.pid, task.nameAddress);
    forceSignal(task, Signal.SIGKILL, SI_KERNEL, 0);
    return;
  }
  // Somebody has given memory back since, or the allocation failed on purpose.
  if (freeFrames() != 0) return;
  if (!killSomebody()) {
    // Pid 1 alone is left.
    forceSignal(task, Signal.SIGKILL, SI_KERNEL, 0);
  }
  if (!isDying(task)) schedule();
}
