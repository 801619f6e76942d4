/**
 * The files of /proc: one table, a row each. A row has a name and either a printer, of a text (proctext.ts), or a function that
 * reads, of records, or one that takes a decimal number that is written to the file. First come those of /proc itself, then those of each process.
 *
 *     /proc/vmstat        every counter of kernel/mm/vmstat.ts, a line `name value` each, and what is in use now
 *     /proc/meminfo       what memory is used for, in kB: `Name: value kB`
 *     /proc/cmdline       the command line as it was understood, defaults included
 *     /proc/reclaim       a number that is written to it: evicts so many pages now, if it can
 *     /proc/failalloc     a number n that is written to it: the n-th allocation from now fails (tests)
 *     /proc/PID/status    Name, State, Pid, PPid, and its memory: procmaps.ts
 *     /proc/PID/maps      its mappings: procmaps.ts
 *     /proc/PID/tables    its page tables: proctables.ts
 *     /proc/PID/pages     its pages, a line for each run of them: proctables.ts
 *     /proc/PID/pagemap   its virtual pages, records in binary, read at any position: proctables.ts
 *
 * A new file is a function and a row. Imports tasks, the counters. Source: Linux, proc(5).
 */
import { cstr } from "../abi/intrinsics";
import { printSettings } from "../lib/cmdline";
import { bufferByte, formatText, TextBuffer } from "../lib/format";
import { PAGE_SHIFT } from "../mm/layout";
import { activeFrames, inactiveFrames } from "../mm/lru";
import { FrameKind } from "../mm/page";
import { failAllocation, freeFrames, totalFrames } from "../mm/pagealloc";
import { chainBytes } from "../mm/rmap";
import { swapFreeSlots, swapSlots } from "../mm/swap";
import { shrinkNow } from "../mm/vmscan";
import { framesOfKind, VMSTAT_COUNT, vmstatName, vmstatValue } from "../mm/vmstat";
import { Task, TaskState } from "../task/task";
import { printMaps, printMemory } from "./procmaps";
import { printPages, printTables, readPageMap } from "./proctables";
import { END_OF_TEXT, ProcFile } from "./proctext";

const ROW_BYTES: u32 = 16;
const MOST_ROWS: u32 = 16;
const table: usize = memory.data(256, 4);

/** Rows in use, and how many of them are of /proc itself. */
export let procFileCount: u32 = 0;
export let procRootFileCount: u32 = 0;

/** A row by its number. */
export function procFile(row: u32): ProcFile {
  return changetype<ProcFile>(table + row * ROW_BYTES);
}

/** One more row, to be given its function. */
function add(name: usize): ProcFile {
  assert(procFileCount < MOST_ROWS, "the table of /proc has room");
  const row = procFile(procFileCount);
  row.name = name;
  procFileCount++;
  return row;
}

/** Fills the table. Once, at boot. */
export function procFilesInit(): void {
  add(cstr("vmstat")).print = printVmStat;
  add(cstr("meminfo")).print = printMemInfo;
  add(cstr("cmdline")).print = printCommandLine;
  add(cstr("reclaim")).command = reclaim;
  add(cstr("failalloc")).command = failAllocation;
  procRootFileCount = procFileCount;
  add(cstr("status")).print = printStatus;
  add(cstr("maps")).print = printMaps;
  add(cstr("tables")).print = printTables;
  add(cstr("pages")).print = printPages;
  add(cstr("pagemap")).read = readPageMap;
}

function reclaim(pages: u32): void {
  shrinkNow(pages);
}

function print(text: TextBuffer, format: usize, a: u32, b: u32): void {
  formatText(bufferByte, changetype<usize>(text), format, a, b, 0, 0);
}

function printVmStat(text: TextBuffer, _task: Task, _cursor: u32): u32 {
  for (let i: u32 = 0; i < VMSTAT_COUNT; i++) print(text, cstr("%s %u\n"), vmstatName(i), vmstatValue(i));
  print(text, cstr("rmap_chain_bytes %u\n"), chainBytes(), 0);
  return END_OF_TEXT;
}

function printFrames(text: TextBuffer, name: usize, frames: u32): void {
  print(text, cstr("%s %8u kB\n"), name, frames << (PAGE_SHIFT - 10));
}

/** What is used for page tables counts their directories too. */
function printMemInfo(text: TextBuffer, _task: Task, _cursor: u32): u32 {
  printFrames(text, cstr("MemTotal:    "), totalFrames());
  printFrames(text, cstr("MemFree:     "), freeFrames());
  printFrames(text, cstr("UserData:    "), framesOfKind(FrameKind.Data) + framesOfKind(FrameKind.Index));
  printFrames(text, cstr("KernelStack: "), framesOfKind(FrameKind.Stack));
  printFrames(text, cstr("Slab:        "), framesOfKind(FrameKind.Slab));
  printFrames(text, cstr("PageTables:  "), framesOfKind(FrameKind.Table) + framesOfKind(FrameKind.Directory));
  printFrames(text, cstr("ReverseMaps: "), framesOfKind(FrameKind.Chain));
  printFrames(text, cstr("KernelOther: "), framesOfKind(FrameKind.Kernel));
  printFrames(text, cstr("SwapTotal:   "), swapSlots == 0 ? 0 : swapSlots - 1);
  printFrames(text, cstr("SwapFree:    "), swapFreeSlots);
  printFrames(text, cstr("Active:      "), activeFrames);
  printFrames(text, cstr("Inactive:    "), inactiveFrames);
  return END_OF_TEXT;
}

function printCommandLine(text: TextBuffer, _task: Task, _cursor: u32): u32 {
  printSettings(text);
  return END_OF_TEXT;
}

function printStatus(text: TextBuffer, task: Task, _cursor: u32): u32 {
  print(text, cstr("Name:\t%s\nState:\t%s\n"), task.nameAddress, stateName(task.state));
  const parent = task.parent;
  print(text, cstr("Pid:\t%u\nPPid:\t%u\n"), task.pid, parent === null ? 0 : parent.pid);
  const mm = task.mm;
  if (mm !== null) printMemory(text, mm);
  return END_OF_TEXT;
}

function stateName(state: TaskState): usize {
  switch (state) {
    case TaskState.Zombie:
      return cstr("Z (zombie)");
    case TaskState.Sleeping:
      return cstr("S (sleeping)");
    default:
      return cstr("R (running)");
  }
}
