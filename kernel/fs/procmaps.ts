/**
 * What /proc shows of a process's mappings and of how much memory it has. The numbers are sums over mappings and over the counts of
 * tables: no pte is read. Like proctables.ts it changes nothing.
 *
 *     /proc/PID/maps      a line for each mapping, as Linux has it: `start-end rwxp offset 00:00 0`, and heap and stack named
 *     /proc/PID/status    the lines Vm…, in kB
 *
 * May import proctext, tasks, vmalist, vma, format. Source: Linux (fs/proc/task_mmu.c; proc(5)).
 */
import { cstr } from "../abi/intrinsics";
import { bufferByte, formatText, TextBuffer } from "../lib/format";
import { KERNEL_BASE, PAGE_SHIFT, STACK_TOP, USER_LOWEST } from "../mm/layout";
import { MmUsage, mmUsage } from "../mm/vma";
import { findVma, lockedPages, Mm, VM_EXEC, VM_READ, VM_SHARED, VM_WRITE, Vma } from "../mm/vmalist";
import { Task } from "../task/task";
import { END_OF_TEXT } from "./proctext";

/** Column that a name begins in. */
const NAME_COLUMN: u32 = 73;
const usage: MmUsage = changetype<MmUsage>(memory.data(12, 4));

function print(text: TextBuffer, format: usize, a: u32, b: u32): void {
  formatText(bufferByte, changetype<usize>(text), format, a, b, 0, 0);
}

/** /proc/PID/maps: the line of the mapping at or above the address `cursor`. */
export function printMaps(text: TextBuffer, task: Task, cursor: u32): u32 {
  const mm = task.mm;
  if (mm === null) return END_OF_TEXT;
  const vma = findVma(mm, cursor);
  if (vma === null) return END_OF_TEXT;
  printMapping(text, mm, vma);
  return vma.end;
}

function printMapping(text: TextBuffer, mm: Mm, vma: Vma): void {
  const start = text.next;
  const flags = vma.flags;
  const context = changetype<usize>(text);
  print(text, cstr("%p-%p "), vma.start, vma.end);
  const shown: u32 = (flags & VM_READ) != 0 ? 0x72 : 0x2d;
  const written: u32 = (flags & VM_WRITE) != 0 ? 0x77 : 0x2d;
  const executed: u32 = (flags & VM_EXEC) != 0 ? 0x78 : 0x2d;
  const visible: u32 = (flags & VM_SHARED) != 0 ? 0x73 : 0x70;
  formatText(bufferByte, context, cstr("%c%c%c%c "), shown, written, executed, visible);
  print(text, cstr("%p 00:00 0"), vma.offset << PAGE_SHIFT, 0);
  const isHeap = vma.start < mm.brk && vma.end > mm.startBrk;
  if (isHeap || vma.end == STACK_TOP) {
    while (text.next - start < NAME_COLUMN) bufferByte(context, 0x20);
    print(text, isHeap ? cstr("[heap]") : cstr("[stack]"), 0, 0);
  }
  bufferByte(context, 0x0a);
}

function printPages(text: TextBuffer, name: usize, pages: u32): void {
  print(text, cstr("%s:\t%8u kB\n"), name, pages << (PAGE_SHIFT - 10));
}

/**
 * Prints the lines of /proc/PID/status about memory: what is mapped, locked, resident and swapped out, and the tables that this takes,
 * of which others may use some too.
 */
export function printMemory(text: TextBuffer, mm: Mm): void {
  let pages: u32 = 0;
  let vma: Vma | null = mm.vmas;
  while (vma !== null) {
    pages += (vma.end - vma.start) >> PAGE_SHIFT;
    vma = vma.next;
  }
  mmUsage(mm, usage);
  printPages(text, cstr("VmSize"), pages);
  printPages(text, cstr("VmLck"), lockedPages(mm, USER_LOWEST, KERNEL_BASE));
  printPages(text, cstr("VmRSS"), usage.resident);
  printPages(text, cstr("VmPTE"), usage.tables);
  printPages(text, cstr("VmSwap"), usage.swapped);
}
