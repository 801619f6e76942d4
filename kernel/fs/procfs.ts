/**
 * /proc: what the kernel tells about itself. Here are its directories; its files are rows of procfiles.ts. Inodes are made at
 * each look-up: `data` is a pid or 0, `extra` the row or a kind of directory, and the number is made of both, so that it is the same
 * every time. /proc/self is the caller's directory.
 * Imports inodes, tasks. Source: Linux, proc(5).
 */
import { Errno } from "../abi/errno";
import { DT_DIR, DT_REG, S_IFDIR, S_IFREG } from "../abi/fcntl";
import { cstr } from "../abi/intrinsics";
import { errorPointer, isError } from "../lib/errptr";
import { bufferByte, formatText, TextBuffer } from "../lib/format";
import { parseDecimal, spanEquals, stringLength } from "../lib/string";
import { copyFromUser } from "../mm/uaccess";
import { currentTask, findTask, nextTask, Task } from "../task/task";
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
import { procFile, procFileCount, procFilesInit, procRootFileCount } from "./procfiles";
import { textOpen, textRead, textRelease } from "./proctext";
import { createNode, dotEntry, rootDirectory } from "./ramfs";

/** In place of a row: /proc, and /proc/PID. Rows are below. */
const ROOT_DIRECTORY: u32 = 30;
const TASK_DIRECTORY: u32 = 31;
/** A number is NUMBER_BASE + pid << ROW_BITS + row: above any that ramfs gives. */
const NUMBER_BASE: u32 = 0x10000000;
const ROW_BITS: u32 = 5;
/** Positions in a directory: after "." and ".." the files by row, and in the root pid n at FIRST_TASK_POSITION + n. */
const FIRST_ROW_POSITION: u32 = 2;
const FIRST_TASK_POSITION: u32 = 64;

const directoryOperations: FileOperations = changetype<FileOperations>(memory.data(FILE_OPERATIONS_BYTES));
const fileOperations: FileOperations = changetype<FileOperations>(memory.data(FILE_OPERATIONS_BYTES));
/** Digits of the pid that nextEntry names. */
const pidName: usize = memory.data(16);
/** What procWrite reads a number from. */
const numberText: usize = memory.data(16);
const NUMBER_BYTES: u32 = 16;
const LINE_FEED: u8 = 0x0a;
const nameText: TextBuffer = changetype<TextBuffer>(memory.data(8, 4));

/** Puts /proc into the tree. Once, at boot. */
export function procInit(): void {
  procFilesInit();
  directoryOperations.lookup = procLookup;
  directoryOperations.nextEntry = procNextEntry;
  fileOperations.open = procOpen;
  fileOperations.read = procRead;
  fileOperations.write = procWrite;
  fileOperations.release = textRelease;
  const node = createNode(rootDirectory(), cstr("proc"), 4, S_IFDIR | 0o555, directoryOperations);
  if (isError(node)) return;
  const inode = changetype<Inode>(node);
  inode.parent = inodeGet(rootDirectory());
  inode.extra = ROOT_DIRECTORY;
  inodePut(inode);
}

function numberOf(row: u32, pid: u32): u32 {
  return NUMBER_BASE + (pid << ROW_BITS) + row;
}

function makeInode(directory: Inode, row: u32, pid: u32): usize {
  const isDirectory = row == TASK_DIRECTORY;
  const mode = isDirectory ? S_IFDIR | 0o555 : S_IFREG | (procFile(row).command === null ? 0o444 : 0o200);
  const inode = createInode(mode, isDirectory ? directoryOperations : fileOperations);
  if (inode === null) return errorPointer(Errno.ENOMEM);
  inode.number = numberOf(row, pid);
  inode.data = pid;
  inode.extra = row;
  if (isDirectory) inode.parent = inodeGet(directory);
  return changetype<usize>(inode);
}

/** The rows of the files in a directory: from the first up to the end. */
function firstRow(directory: Inode): u32 {
  return directory.extra == TASK_DIRECTORY ? procRootFileCount : 0;
}
function endRow(directory: Inode): u32 {
  return directory.extra == TASK_DIRECTORY ? procFileCount : procRootFileCount;
}

function procLookup(directory: Inode, name: usize, bytes: u32): usize {
  const end = endRow(directory);
  for (let row = firstRow(directory); row < end; row++) {
    if (spanEquals(name, bytes, procFile(row).name)) return makeInode(directory, row, directory.data);
  }
  if (directory.extra == TASK_DIRECTORY) return errorPointer(Errno.ENOENT);
  const isSelf = spanEquals(name, bytes, cstr("self"));
  const pid = isSelf ? i32(currentTask().pid) : parseDecimal(name, bytes);
  if (pid <= 0 || findTask(u32(pid)) === null) return errorPointer(Errno.ENOENT);
  return makeInode(directory, TASK_DIRECTORY, u32(pid));
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
  const row = cursor.position - FIRST_ROW_POSITION + firstRow(directory);
  if (row < endRow(directory)) return setEntry(cursor, procFile(row).name, numberOf(row, directory.data), DT_REG);
  if (directory.extra == TASK_DIRECTORY) return false;
  const from = max<u32>(cursor.position, FIRST_TASK_POSITION) - FIRST_TASK_POSITION;
  const task = nextTask(from);
  if (task === null) return false;
  nameText.next = pidName;
  nameText.end = pidName + 15;
  formatText(bufferByte, changetype<usize>(nameText), cstr("%u"), task.pid, 0, 0, 0);
  store<u8>(nameText.next, 0);
  cursor.position = FIRST_TASK_POSITION + task.pid;
  return setEntry(cursor, pidName, numberOf(TASK_DIRECTORY, task.pid), DT_DIR);
}

/** Whom a file is about: the caller, of a file in /proc itself. Null: that process is gone. */
function taskOf(file: File): Task | null {
  const pid = file.inode.data;
  return pid == 0 ? currentTask() : findTask(pid);
}

function procOpen(file: File): i32 {
  const isCommand = procFile(file.inode.extra).command !== null;
  if (isCommand ? file.readable : file.writable) return -Errno.EACCES;
  if (taskOf(file) === null) return -Errno.ESRCH;
  return procFile(file.inode.extra).print === null ? 0 : textOpen(file);
}

/** Nothing is left of a process that is gone. */
function procRead(file: File, buffer: usize, bytes: u32): i32 {
  const task = taskOf(file);
  if (task === null) return 0;
  const row = procFile(file.inode.extra);
  const print = row.print;
  if (print !== null) return textRead(file, buffer, bytes, print, task);
  const read = row.read;
  return read === null ? -Errno.EINVAL : read(file, task, buffer, bytes);
}

/** Takes a decimal number, with the end of its line or without. -EINVAL for anything else. */
function procWrite(file: File, buffer: usize, bytes: u32): i32 {
  const command = procFile(file.inode.extra).command;
  if (command === null || bytes > NUMBER_BYTES) return -Errno.EINVAL;
  if (copyFromUser(numberText, buffer, bytes) != 0) return -Errno.EFAULT;
  const hasLineEnd = bytes != 0 && load<u8>(numberText + bytes - 1) == LINE_FEED;
  const value = parseDecimal(numberText, hasLineEnd ? bytes - 1 : bytes);
  if (value < 0) return -Errno.EINVAL;
  command(u32(value));
  return i32(bytes);
}
