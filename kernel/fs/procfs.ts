/**
 * /proc: what the kernel tells about itself, as text made when a file is opened. Inodes are made at each look-up: `data`
 * is a pid or 0, `extra` the ProcKind, and the number is made of both, so that it is the same every time.
 *
 *     /proc/vmstat        every counter of kernel/mm/vmstat.ts, a line `name value` each
 *     /proc/meminfo       MemTotal, MemFree in kB, and both in frames
 *     /proc/cmdline       the command line as it was understood, defaults included
 *     /proc/PID/status    Name, State, Pid, PPid, and its memory: procmaps.ts; /proc/self is the caller's
 *     /proc/PID/maps      its mappings: procmaps.ts
 *     /proc/PID/tables    its page tables: proctables.ts
 *     /proc/PID/pagemap   its virtual pages, records in binary, read at any position: proctables.ts
 *
 * Imports inodes, tasks, the counters. Source: Linux, proc(5).
 */
import { Errno } from "../abi/errno";
import { DT_DIR, DT_REG, S_IFDIR, S_IFREG } from "../abi/fcntl";
import { cstr } from "../abi/intrinsics";
import { printSettings } from "../lib/cmdline";
import { errorPointer, isError } from "../lib/errptr";
import { bufferByte, formatText, TextBuffer } from "../lib/format";
import { parseDecimal, spanEquals, stringLength } from "../lib/string";
import { frameToVirt, PAGE_BYTES, PAGE_SHIFT, virtToFrame } from "../mm/layout";
import { FrameKind } from "../mm/page";
import { allocFrame, freeFrame, freeFrames, totalFrames } from "../mm/pagealloc";
import { copyToUser } from "../mm/uaccess";
import { Vma } from "../mm/vmalist";
import { VMSTAT_COUNT, vmstatName, vmstatValue } from "../mm/vmstat";
import { currentTask, findTask, nextTask, Task, TaskState } from "../task/task";
import { File } from "./file";
import {
  createInode,
  DirectoryCursor,
  FILE_OPERATIONS_BYTES,
  FileOperations,
  Inode,
  inodeGet,
  inodePut,
} from "./inode";
import { MAP_LINE_BYTES, printMapping, printMemory } from "./procmaps";
import { fillPageMap, PAGE_MAP_RECORD_BYTES, PageMapRecord, printTables } from "./proctables";
import { createNode, dotEntry, rootDirectory } from "./ramfs";

const enum ProcKind {
  Root = 0,
  VmStat = 1,
  MemInfo = 2,
  CommandLine = 3,
  TaskDirectory = 4,
  TaskStatus = 5,
  TaskTables = 6,
  TaskPageMap = 7,
  TaskMaps = 8,
}

/** Virtual pages that there are. */
const PAGES: u32 = 1 << 20;
/** Numbers of /proc's inodes begin here: above any that ramfs gives. */
const NUMBER_BASE: u32 = 0x10000000;
/** Positions in a directory: after "." and ".." the fixed files by kind, and in the root pid n at this + n. */
const FIRST_KIND_POSITION: u32 = 2;
const FIRST_TASK_POSITION: u32 = 16;

const directoryOperations: FileOperations = changetype<FileOperations>(memory.data(FILE_OPERATIONS_BYTES));
const fileOperations: FileOperations = changetype<FileOperations>(memory.data(FILE_OPERATIONS_BYTES));
/** Digits of the pid that nextEntry names. */
const pidName: usize = memory.data(16);
/** The line of readMaps; copying it out may fault, but nothing else prints meanwhile. */
const mapLine: usize = memory.data(96);
const text: TextBuffer = changetype<TextBuffer>(memory.data(8));
const pageMapRecord: PageMapRecord = changetype<PageMapRecord>(memory.data(32));

/** Puts /proc into the tree. Once, at boot. */
export function procInit(): void {
  directoryOperations.lookup = procLookup;
  directoryOperations.nextEntry = procNextEntry;
  fileOperations.open = procOpen;
  fileOperations.read = procRead;
  fileOperations.release = procRelease;
  const node = createNode(rootDirectory(), cstr("proc"), 4, S_IFDIR | 0o555, directoryOperations);
  if (isError(node)) return;
  const inode = changetype<Inode>(node);
  inode.parent = inodeGet(rootDirectory());
  inode.extra = ProcKind.Root;
  inodePut(inode);
}

function numberOf(kind: ProcKind, pid: u32): u32 {
  return NUMBER_BASE + (pid << 4) + (kind as u32);
}

function makeInode(directory: Inode, kind: ProcKind, pid: u32): usize {
  const isDirectory = kind == ProcKind.TaskDirectory;
  const mode = isDirectory ? S_IFDIR | 0o555 : S_IFREG | 0o444;
  const inode = createInode(mode, isDirectory ? directoryOperations : fileOperations);
  if (inode === null) return errorPointer(Errno.ENOMEM);
  inode.number = numberOf(kind, pid);
  inode.data = pid;
  inode.extra = kind;
  if (isDirectory) inode.parent = inodeGet(directory);
  return changetype<usize>(inode);
}

/** Name of a file of this kind; every fixed name but those of directories. */
function kindName(kind: ProcKind): usize {
  switch (kind) {
    case ProcKind.VmStat:
      return cstr("vmstat");
    case ProcKind.MemInfo:
      return cstr("meminfo");
    case ProcKind.CommandLine:
      return cstr("cmdline");
    case ProcKind.TaskStatus:
      return cstr("status");
    case ProcKind.TaskTables:
      return cstr("tables");
    case ProcKind.TaskMaps:
      return cstr("maps");
    default:
      return cstr("pagemap");
  }
}

/** The kinds of the fixed files in a directory: from the first to the last. */
function firstKind(directory: Inode): ProcKind {
  return directory.extra == ProcKind.TaskDirectory ? ProcKind.TaskStatus : ProcKind.VmStat;
}
function lastKind(directory: Inode): ProcKind {
  return directory.extra == ProcKind.TaskDirectory ? ProcKind.TaskMaps : ProcKind.CommandLine;
}

function procLookup(directory: Inode, name: usize, bytes: u32): usize {
  const last = lastKind(directory);
  for (let kind = firstKind(directory); kind <= last; kind++) {
    if (spanEquals(name, bytes, kindName(kind))) return makeInode(directory, kind, directory.data);
  }
  if (directory.extra == ProcKind.TaskDirectory) return errorPointer(Errno.ENOENT);
  const isSelf = spanEquals(name, bytes, cstr("self"));
  const pid = isSelf ? i32(currentTask().pid) : parseDecimal(name, bytes);
  if (pid <= 0 || findTask(u32(pid)) === null) return errorPointer(Errno.ENOENT);
  return makeInode(directory, ProcKind.TaskDirectory, u32(pid));
}

function setEntry(cursor: DirectoryCursor, name: usize, number: u32, type: u32): bool {
  cursor.name = name;
  cursor.nameBytes = stringLength(name);
  cursor.inodeNumber = number;
  cursor.type = type;
  cursor.position++;
  return true;
}

function procNextEntry(directory: Inode, cursor: DirectoryCursor): bool {
  if (dotEntry(directory, cursor)) return true;
  const kind: ProcKind = cursor.position - FIRST_KIND_POSITION + firstKind(directory);
  if (kind <= lastKind(directory)) return setEntry(cursor, kindName(kind), numberOf(kind, directory.data), DT_REG);
  if (directory.extra == ProcKind.TaskDirectory) return false;
  const from = max<u32>(cursor.position, FIRST_TASK_POSITION) - FIRST_TASK_POSITION;
  const task = nextTask(from);
  if (task === null) return false;
  text.next = pidName;
  text.end = pidName + 15;
  formatText(bufferByte, changetype<usize>(text), cstr("%u"), task.pid, 0, 0, 0);
  store<u8>(text.next, 0);
  cursor.position = FIRST_TASK_POSITION + task.pid;
  return setEntry(cursor, pidName, numberOf(ProcKind.TaskDirectory, task.pid), DT_DIR);
}

function print(format: usize, a: u32, b: u32): void {
  formatText(bufferByte, changetype<usize>(text), format, a, b, 0, 0);
}

function printVmStat(): void {
  for (let i: u32 = 0; i < VMSTAT_COUNT; i++) print(cstr("%s %u\n"), vmstatName(i), vmstatValue(i));
}

function printMemInfo(): void {
  const total = totalFrames();
  const free = freeFrames();
  print(cstr("MemTotal: %8u kB\nMemFree:  %8u kB\n"), total << (PAGE_SHIFT - 10), free << (PAGE_SHIFT - 10));
  print(cstr("FramesTotal: %u\nFramesFree: %u\n"), total, free);
}

function printStatus(task: Task): void {
  print(cstr("Name:\t%s\nState:\t%s\n"), task.nameAddress, stateName(task.state));
  const parent = task.parent;
  print(cstr("Pid:\t%u\nPPid:\t%u\n"), task.pid, parent === null ? 0 : parent.pid);
  const mm = task.mm;
  if (mm !== null) printMemory(text, mm);
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

/** Makes the text. */
function procOpen(file: File): i32 {
  if (file.writable) return -Errno.EACCES;
  const inode = file.inode;
  const task = inode.extra >= usize(ProcKind.TaskStatus) ? findTask(inode.data) : currentTask();
  if (task === null) return -Errno.ESRCH;
  if (inode.extra == ProcKind.TaskPageMap || inode.extra == ProcKind.TaskMaps) return 0;
  const frame = allocFrame(FrameKind.Kernel);
  if (frame == 0) return -Errno.ENOMEM;
  file.data = frameToVirt(frame);
  text.next = file.data;
  text.end = file.data + PAGE_BYTES;
  switch (inode.extra) {
    case ProcKind.VmStat:
      printVmStat();
      break;
    case ProcKind.MemInfo:
      printMemInfo();
      break;
    case ProcKind.CommandLine:
      printSettings(text);
      break;
    case ProcKind.TaskStatus:
      printStatus(task);
      break;
    case ProcKind.TaskTables: {
      const mm = task.mm;
      if (mm !== null) printTables(text, mm);
      break;
    }
  }
  file.extra = text.next - file.data;
  return 0;
}

function procRead(file: File, buffer: usize, bytes: u32): i32 {
  if (file.inode.extra == ProcKind.TaskPageMap) return readPageMap(file, buffer, bytes);
  if (file.inode.extra == ProcKind.TaskMaps) return readMaps(file, buffer, bytes);
  if (bytes == 0 || file.position >= file.extra) return 0;
  const wanted = min<u32>(bytes, file.extra - file.position);
  const done = wanted - copyToUser(buffer, file.data + file.position, wanted);
  file.position += done;
  return done == 0 ? -Errno.EFAULT : i32(done);
}

/** Reads records from the position on; the position may lie inside one. */
function readPageMap(file: File, buffer: usize, bytes: u32): i32 {
  const task = findTask(file.inode.data);
  if (task === null) return 0;
  const mm = task.mm;
  if (mm === null) return 0;
  let done: u32 = 0;
  while (done < bytes && file.position / PAGE_MAP_RECORD_BYTES < PAGES) {
    fillPageMap(pageMapRecord, mm, file.position / PAGE_MAP_RECORD_BYTES);
    const offset = file.position % PAGE_MAP_RECORD_BYTES;
    const wanted = min<u32>(bytes - done, PAGE_MAP_RECORD_BYTES - offset);
    const missing = copyToUser(buffer + done, changetype<usize>(pageMapRecord) + offset, wanted);
    done += wanted - missing;
    file.position += wanted - missing;
    if (missing != 0) return done == 0 ? -Errno.EFAULT : i32(done);
  }
  return i32(done);
}

/** Reads lines from the position on; the position may lie inside one. A line is made when it is read. */
function readMaps(file: File, buffer: usize, bytes: u32): i32 {
  const task = findTask(file.inode.data);
  if (task === null) return 0;
  const mm = task.mm;
  if (mm === null) return 0;
  let done: u32 = 0;
  let lineStart: u32 = 0;
  let vma: Vma | null = mm.vmas;
  while (vma !== null && done < bytes) {
    text.next = mapLine;
    text.end = mapLine + MAP_LINE_BYTES;
    printMapping(text, mm, vma);
    const lineEnd = lineStart + (text.next - mapLine);
    if (file.position < lineEnd) {
      const offset = file.position - lineStart;
      const wanted = min<u32>(bytes - done, lineEnd - file.position);
      const missing = copyToUser(buffer + done, mapLine + offset, wanted);
      done += wanted - missing;
      file.position += wanted - missing;
      if (missing != 0) return done == 0 ? -Errno.EFAULT : i32(done);
    }
    lineStart = lineEnd;
    vma = vma.next;
  }
  return i32(done);
}

function procRelease(file: File): void {
  if (file.data != 0) freeFrame(virtToFrame(file.data));
}
