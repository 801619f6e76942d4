/**
 * System calls about processes. Each takes its arguments from the trap frame: EBX ECX EDX ESI EDI. Result or -errno.
 * Source: POSIX.1-2001; Linux 2.4 (kernel/fork.c, exit.c, sys.c; arch/i386/kernel/process.c).
 */
import {
  CLONE_CHILD_CLEARTID,
  CLONE_CHILD_SETTID,
  CLONE_FILES,
  CLONE_FS,
  CLONE_PARENT_SETTID,
  CLONE_SIGHAND,
  CLONE_SIGNAL_MASK,
  CLONE_VFORK,
  CLONE_VM,
} from "../abi/clone";
import { Errno } from "../abi/errno";
import { Signal } from "../abi/signals";
import { exitedStatus, WALL, WCLONE, WNOHANG, WNOTHREAD, WUNTRACED } from "../abi/wait";
import { TrapFrame } from "../arch/i386/trapframe";
import { descriptorsCloseOnExec } from "../fs/fdtable";
import { zeroPage } from "../fs/ramfile";
import { isError } from "../lib/errptr";
import { kfree } from "../mm/kmalloc";
import { executeProgram } from "../task/exec";
import { argumentAdd, argumentsAddVector, argumentsBegin, ExecArguments } from "../task/execargs";
import { exitTask, waitForChild } from "../task/exit";
import { cloneTask } from "../task/fork";
import { schedule } from "../task/sched";
import { currentTask, findTask, Task } from "../task/task";
import { giveStruct, pathFromUser } from "./user";

const CLONE_SUPPORTED: u32 =
  CLONE_SIGNAL_MASK |
  CLONE_VM |
  CLONE_FS |
  CLONE_FILES |
  CLONE_SIGHAND |
  CLONE_VFORK |
  CLONE_PARENT_SETTID |
  CLONE_CHILD_CLEARTID |
  CLONE_CHILD_SETTID;
const WAIT_OPTIONS: u32 = WNOHANG | WUNTRACED | WNOTHREAD | WALL | WCLONE;

/** Bytes of struct rusage: wait4 gives zeros. */
const RUSAGE_BYTES: u32 = 72;

/** Strings of the exec in progress: nothing sleeps until they are on the new stack. */
const execArguments: ExecArguments = changetype<ExecArguments>(memory.data(20));

/** exit, exit_group: each task is a process of its own. */
export function sysExit(frame: TrapFrame): i32 {
  exitTask(exitedStatus(frame.ebx));
  return 0;
}

export function sysFork(frame: TrapFrame): i32 {
  return cloneTask(frame, Signal.SIGCHLD, frame.esp);
}

/** vfork: the child runs on the caller's stack, and the caller goes on when it has executed a program or ended. */
export function sysVfork(frame: TrapFrame): i32 {
  return cloneTask(frame, CLONE_VM | CLONE_VFORK | Signal.SIGCHLD, frame.esp);
}

/**
 * clone(flags, stack, parent's tid, -, child's tid). A stack of 0 is the caller's, or its copy. -EINVAL for what cannot be honoured:
 * a signal other than SIGCHLD or none, and any flag but those of CLONE_SUPPORTED. CLONE_THREAD and CLONE_PARENT need groups of tasks
 * that are one process; CLONE_SETTLS a descriptor for each task in the GDT; nobody can trace, and there is one namespace. CLONE_SIGHAND
 * needs CLONE_VM: a handler is an address in the memory that it lies in.
 */
export function sysClone(frame: TrapFrame): i32 {
  const signal = frame.ebx & CLONE_SIGNAL_MASK;
  if ((frame.ebx & ~CLONE_SUPPORTED) != 0 || (signal != 0 && signal != Signal.SIGCHLD)) return -Errno.EINVAL;
  if ((frame.ebx & (CLONE_VM | CLONE_SIGHAND)) == CLONE_SIGHAND) return -Errno.EINVAL;
  return cloneTask(frame, frame.ebx, frame.ecx == 0 ? frame.esp : frame.ecx);
}

/** waitpid(pid, status, options). -EINVAL for options that there are not. */
export function sysWaitpid(frame: TrapFrame): i32 {
  if ((frame.edx & ~WAIT_OPTIONS) != 0) return -Errno.EINVAL;
  return waitForChild(frame.ebx as i32, frame.ecx, frame.edx);
}

/** wait4(pid, status, options, rusage). */
export function sysWait4(frame: TrapFrame): i32 {
  const usage = frame.esi;
  if (usage != 0 && giveStruct(usage, zeroPage, RUSAGE_BYTES) < 0) return -Errno.EFAULT;
  return sysWaitpid(frame);
}

/** Fills the list from user memory: the path, argv, envp. 0 or -errno. */
function collectArguments(frame: TrapFrame, list: ExecArguments): i32 {
  const path = pathFromUser(frame.ebx);
  if (isError(path)) return i32(path);
  const added = argumentAdd(list, path);
  kfree(path);
  if (added < 0) return added;
  const argc = argumentsAddVector(list, frame.ecx);
  if (argc < 0) return argc;
  const envc = argumentsAddVector(list, frame.edx);
  if (envc < 0) return envc;
  list.argc = u32(argc);
  list.envc = u32(envc);
  return 0;
}

/** execve(path, argv, envp). If it succeeds, the frame starts the new program. */
export function sysExecve(frame: TrapFrame): i32 {
  argumentsBegin(execArguments);
  let result = collectArguments(frame, execArguments);
  if (result == 0) result = executeProgram(execArguments);
  // Last of all: with its last descriptor a disk is written back, which may sleep, and then others may execute programs.
  if (result == 0) descriptorsCloseOnExec(currentTask().files);
  return result;
}

/** getpid; gettid too: a task is a process of its own, also in another's memory. */
export function sysGetpid(_frame: TrapFrame): i32 {
  return currentTask().pid as i32;
}

/** set_tid_address(word): what becomes 0 when the caller leaves memory that others use. The caller's pid. */
export function sysSetTidAddress(frame: TrapFrame): i32 {
  const task = currentTask();
  task.clearChildTid = frame.ebx;
  return i32(task.pid);
}

export function sysGetppid(_frame: TrapFrame): i32 {
  const parent = currentTask().parent;
  return parent === null ? 0 : i32(parent.pid);
}

/** getuid and its kin: everything runs as user 0. */
export function sysGetuid(_frame: TrapFrame): i32 {
  return 0;
}

export function sysGetpgrp(_frame: TrapFrame): i32 {
  return currentTask().processGroup as i32;
}

/** The task that `pid` means: 0 is the caller. Null if there is none. */
function taskOrSelf(pid: u32): Task | null {
  return pid == 0 ? currentTask() : findTask(pid);
}

/** getpgid(pid). */
export function sysGetpgid(frame: TrapFrame): i32 {
  const task = taskOrSelf(frame.ebx);
  return task === null ? -Errno.ESRCH : i32(task.processGroup);
}

/** setpgid(pid, group): of the caller or a child of its, within the session. */
export function sysSetpgid(frame: TrapFrame): i32 {
  const caller = currentTask();
  const task = taskOrSelf(frame.ebx);
  if (task === null || (task !== caller && task.parent !== caller)) return -Errno.ESRCH;
  if (i32(frame.ecx) < 0) return -Errno.EINVAL;
  if (task.session != caller.session) return -Errno.EPERM;
  task.processGroup = frame.ecx == 0 ? task.pid : frame.ecx;
  return 0;
}

/** setsid: a new session and group, of which the caller is the only member. Not for the leader of a group. */
export function sysSetsid(_frame: TrapFrame): i32 {
  const task = currentTask();
  if (task.processGroup == task.pid) return -Errno.EPERM;
  task.session = task.pid;
  task.processGroup = task.pid;
  return task.pid as i32;
}

export function sysSchedYield(_frame: TrapFrame): i32 {
  schedule();
  return 0;
}
