/**
 * exec: a new program in the current task. The new address space is built whole beside the old one, and only then takes
 * its place, so a failure of any kind leaves the caller as it was; there is no point of no return.
 * Source: Linux 2.4 (fs/exec.c, fs/binfmt_elf.c); System V ABI Intel386, "Process Initialization", for the stack:
 *
 *     STACK_TOP -> strings of ExecArguments | 16 bytes for AT_RANDOM | platform name
 *                  auxv pairs, AT_NULL last | envp, 0 | argv, 0 | argc  <- ESP, a multiple of 16
 */
import { Errno } from "../abi/errno";
import { S_IFMT, S_IFREG } from "../abi/fcntl";
import { cstr } from "../abi/intrinsics";
import { Mark } from "../abi/marks";
import { Signal } from "../abi/signals";
import { Auxiliary, TICKS_PER_SECOND } from "../abi/structs";
import { startProgramFrame, userFrame } from "../arch/i386/context";
import { Inode, inodePut } from "../fs/inode";
import { lookupPath } from "../fs/namei";
import { isRamFile } from "../fs/ramfile";
import { isError } from "../lib/errptr";
import { mark } from "../lib/mark";
import { stringLength } from "../lib/string";
import { PAGE_BYTES, STACK_TOP } from "../mm/layout";
import { mapStack } from "../mm/mmap";
import { copyToUser, putUser32 } from "../mm/uaccess";
import { Mm, mmActivate, mmActivateKernel, mmCreate, mmDrop } from "../mm/vma";
import { checkProgram, mapProgram, PROGRAM_HEADER_BYTES, Program } from "./elf";
import { ExecArguments } from "./execargs";
import { ownParts } from "./parts";
import { currentTask, setTaskName } from "./task";
import { mmRelease } from "./vfork";

const EXECUTE_BITS: u32 = 0o111;
/** Seed of AT_RANDOM's 16 bytes: every run is the same. */
const RANDOM_SEED: u32 = 0x6d2b79f5;
const RANDOM_BYTES: u32 = 16;
/** Stack mapped at once; the rest as it grows. */
const STACK_BYTES: u32 = 65536;
/** Pairs of putAuxiliary. */
const AUXILIARY_PAIRS: u32 = 18;

/** What is being executed. Nothing sleeps between filling and using it. */
const program: Program = changetype<Program>(memory.data(16));

/** Writes words upwards on the new stack; remembers whether one failed. */
@unmanaged
class StackWriter {
  next: usize = 0;
  failed: bool = false;
}
const writer: StackWriter = changetype<StackWriter>(memory.data(8));

function putWord(value: u32): void {
  if (putUser32(writer.next, value) < 0) writer.failed = true;
  writer.next += 4;
}

function putPair(type: Auxiliary, value: u32): void {
  putWord(type);
  putWord(value);
}

function putBytes(address: usize, source: usize, bytes: u32): void {
  if (copyToUser(address, source, bytes) != 0) writer.failed = true;
}

/** Writes 16 bytes that look random and are the same in every run. xorshift32, Marsaglia 2003. */
function putRandom(address: usize): void {
  let state = RANDOM_SEED;
  writer.next = address;
  for (let i: u32 = 0; i < RANDOM_BYTES; i += 4) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    putWord(state);
  }
}

/** Writes `count` addresses of strings and a 0; the strings begin at `text` in the block, `user` in the program. */
function putVector(text: usize, user: usize, count: u32): u32 {
  let offset: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    putWord(user + offset);
    offset += stringLength(text + offset) + 1;
  }
  putWord(0);
  return offset;
}

function putAuxiliary(path: usize, random: usize, platform: usize): void {
  putPair(Auxiliary.AT_HWCAP, 0);
  putPair(Auxiliary.AT_PAGESZ, PAGE_BYTES);
  putPair(Auxiliary.AT_CLKTCK, TICKS_PER_SECOND);
  putPair(Auxiliary.AT_PHDR, program.headers);
  putPair(Auxiliary.AT_PHENT, PROGRAM_HEADER_BYTES);
  putPair(Auxiliary.AT_PHNUM, program.headerCount);
  putPair(Auxiliary.AT_BASE, 0);
  putPair(Auxiliary.AT_FLAGS, 0);
  putPair(Auxiliary.AT_ENTRY, program.entry);
  putPair(Auxiliary.AT_UID, 0);
  putPair(Auxiliary.AT_EUID, 0);
  putPair(Auxiliary.AT_GID, 0);
  putPair(Auxiliary.AT_EGID, 0);
  putPair(Auxiliary.AT_SECURE, 0);
  putPair(Auxiliary.AT_RANDOM, random);
  putPair(Auxiliary.AT_PLATFORM, platform);
  putPair(Auxiliary.AT_EXECFN, path);
  putPair(Auxiliary.AT_NULL, 0);
}

/** Fills the stack of the address space in CR3. Its first ESP, or 0 if there is no memory. */
function buildStack(list: ExecArguments): usize {
  writer.failed = false;
  const strings = STACK_TOP - list.used;
  putBytes(strings, list.block, list.used);
  const platformBytes: u32 = 5;
  const platform = strings - platformBytes;
  putBytes(platform, cstr("i386"), platformBytes);
  const random = (platform - RANDOM_BYTES) & ~15;
  putRandom(random);
  const words = 1 + (list.argc + 1) + (list.envc + 1) + 2 * AUXILIARY_PAIRS;
  const esp = (random - words * 4) & ~15;
  writer.next = esp;
  putWord(list.argc);
  let offset = stringLength(list.block) + 1;
  offset += putVector(list.block + offset, strings + offset, list.argc);
  putVector(list.block + offset, strings + offset, list.envc);
  putAuxiliary(strings, random, platform);
  return writer.failed ? 0 : esp;
}

/** Builds the new address space, which is active meanwhile. Its first ESP, or -errno. */
function buildImage(file: Inode, mm: Mm, list: ExecArguments): i32 {
  let result = mapProgram(file, mm);
  if (result < 0) return result;
  mm.startBrk = program.end;
  mm.brk = program.end;
  result = mapStack(mm, STACK_BYTES);
  if (result < 0) return result;
  const esp = buildStack(list);
  return esp == 0 ? -Errno.ENOMEM : i32(esp);
}

/** Replaces the current task's address space by one with the program in `file`. 0 or -errno, and then all is as before. */
function replaceImage(file: Inode, list: ExecArguments): i32 {
  const result = checkProgram(file, program);
  if (result < 0) return result;
  const mm = mmCreate();
  if (mm === null) return -Errno.ENOMEM;
  const task = currentTask();
  const old = task.mm;
  task.mm = mm;
  mmActivate(mm);
  const esp = buildImage(file, mm, list);
  // A stack address has its top bit set too: only the last page of numbers is errors.
  if (isError(usize(esp))) {
    task.mm = old;
    if (old !== null) mmActivate(old);
    else mmActivateKernel();
    mmDrop(mm);
    return esp;
  }
  if (old !== null) {
    mmRelease(old);
    mmDrop(old);
  }
  startProgramFrame(userFrame(task.stackTop), program.entry, usize(esp));
  return 0;
}

/**
 * Executes the program that the list's path names in the current task: its trap frame then starts the program. 0, or
 * -errno, and then the task is as it was. The caller closes the descriptors that are to be closed.
 */
export function executeProgram(list: ExecArguments): i32 {
  const found = lookupPath(list.block);
  if (isError(found)) return i32(found);
  const file = changetype<Inode>(found);
  let result: i32 = -Errno.EACCES;
  if ((file.mode & S_IFMT) == S_IFREG && isRamFile(file) && (file.mode & EXECUTE_BITS) != 0) {
    result = replaceImage(file, list);
  }
  inodePut(file);
  if (result < 0) return result;
  const task = currentTask();
  ownParts(task);
  task.exitSignal = Signal.SIGCHLD;
  setTaskName(task, list.block);
  mark(Mark.Exec, task.pid);
  return 0;
}
