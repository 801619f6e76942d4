/**
 * The end of a task, and waiting for it. exit and wait allocate nothing, so they work when there is no memory left.
 * Source: Linux 2.4 (kernel/exit.c); POSIX.1-2001 wait.
 */
import { Errno } from "../abi/errno";
import { cli, cstr, hlt, outb } from "../abi/intrinsics";
import { EXIT_PORT, Mark } from "../abi/marks";
import { CLD_EXITED, CLD_KILLED, SA_NOCLDWAIT, Signal } from "../abi/signals";
import { WALL, WCLONE, WNOHANG, wExitStatus, wifExited, wifSignaled, wTermSig } from "../abi/wait";
import { diskPollBegin } from "../drivers/diskqueue";
import { uartDrain } from "../drivers/uart";
import { syncDevices } from "../fs/blockdevice";
import { mark } from "../lib/mark";
import { panic } from "../lib/panic";
import { printk } from "../lib/printk";
import { copyToUser } from "../mm/uaccess";
import { mmActivateKernel, mmDrop } from "../mm/vma";
import { clearAlarm } from "./alarm";
import { leaveParts } from "./parts";
import { ERESTARTSYS } from "./restart";
import { schedule, sleepOn, wakeAll } from "./sched";
import { INIT_PID, sendSignalInfo, signalBit, signalPending } from "./signal";
import { adoptChild, currentTask, disownChild, findTask, freeTask, Task, TaskState } from "./task";
import { mmRelease } from "./vfork";

/** Values of the exit port: pid 1 ended well, or it did not. */
const EXIT_SUCCESS: u32 = 0;
const EXIT_FAILURE: u32 = 2;

/** Ends the run with pid 1's status word. What is dirty of disks has been written first, and everything sent to the console is out. */
export function endRun(status: u32): void {
  diskPollBegin();
  syncDevices();
  uartDrain();
  if (wifSignaled(status)) printk(cstr("init was killed by signal %u\n"), wTermSig(status));
  mark(Mark.ProgramStatus, status);
  outb(EXIT_PORT, status == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
  for (;;) {
    cli();
    hlt();
  }
}

/** Whether nobody is to wait for this child: it goes to pid 1 when it ends. */
function isIgnoredByParent(child: Task): bool {
  if (child.exitSignal == 0) return false;
  const parent = child.parent!;
  const bit = signalBit(Signal.SIGCHLD);
  if ((parent.actions.caught & bit) != 0) return (parent.actions.action(Signal.SIGCHLD).flags & SA_NOCLDWAIT) != 0;
  return (parent.actions.ignored & bit) != 0;
}

/** Tells the parent of a zombie that it has ended: SIGCHLD, unless clone left that out, and whoever waits. */
function notifyParent(task: Task): void {
  const parent = task.parent!;
  const status = task.exitStatus;
  if (task.exitSignal != 0) {
    if (wifExited(status)) sendSignalInfo(parent, Signal.SIGCHLD, CLD_EXITED, task.pid, wExitStatus(status));
    else sendSignalInfo(parent, Signal.SIGCHLD, CLD_KILLED, task.pid, wTermSig(status));
  }
  wakeAll(parent.childWait);
}

/** Gives a child of the current task, or the task itself, to pid 1, which waits for it like for any. */
function giveToInit(task: Task): void {
  const init = findTask(INIT_PID)!;
  task.exitSignal = Signal.SIGCHLD;
  disownChild(task);
  adoptChild(init, task);
  if (task.state == TaskState.Zombie) notifyParent(task);
}

/** Ends the current task with this status word (abi/wait.ts). Does not return. */
export function exitTask(status: u32): void {
  const task = currentTask();
  if (task.pid == INIT_PID) endRun(status);
  clearAlarm(task);
  const mm = task.mm!;
  mmRelease(mm);
  task.mm = null;
  // Others may go on in this memory; the last one takes it down.
  mmActivateKernel();
  mmDrop(mm);
  // After the mappings: with its last descriptor a disk is written back, which may sleep.
  leaveParts(task);
  for (let child = task.firstChild; child !== null; child = task.firstChild) giveToInit(child);
  task.state = TaskState.Zombie;
  task.exitStatus = status;
  if (isIgnoredByParent(task)) {
    // Who waits for any child finds out that there is none.
    wakeAll(task.parent!.childWait);
    giveToInit(task);
  } else {
    notifyParent(task);
  }
  mark(Mark.TaskExit, task.pid);
  schedule();
  panic(cstr("a dead task was scheduled"));
}

/**
 * Whether wait's `which` means this child: its pid; -1 any; 0 the caller's group; below -1 the group -which. One that ends without
 * SIGCHLD is meant with WCLONE only, any other without it only; with WALL both.
 */
function isMeant(child: Task, which: i32, options: u32): bool {
  const isClone = child.exitSignal == 0;
  if ((options & WALL) == 0 && isClone != ((options & WCLONE) != 0)) return false;
  if (which > 0) return child.pid == u32(which);
  if (which == -1) return true;
  const group = which == 0 ? currentTask().processGroup : u32(-which);
  return child.processGroup == group;
}

/** Reads the status of a zombie child of the current task and forgets it. Its pid, or -EFAULT, and then it stays. */
function reap(child: Task, statusAddress: usize): i32 {
  if (statusAddress != 0) {
    const source = changetype<usize>(child) + offsetof<Task>("exitStatus");
    if (copyToUser(statusAddress, source, 4) != 0) return -Errno.EFAULT;
  }
  const pid = child.pid;
  disownChild(child);
  freeTask(child);
  return i32(pid);
}

/**
 * Waits for a child meant by `which` to end, writes its status word to the user address (0: nowhere), and forgets it.
 * Its pid; 0 with WNOHANG if none has ended; -ECHILD, -ERESTARTSYS, -EFAULT.
 */
export function waitForChild(which: i32, statusAddress: usize, options: u32): i32 {
  const task = currentTask();
  while (true) {
    let any = false;
    let child = task.firstChild;
    while (child !== null) {
      const next = child.nextSibling;
      if (isMeant(child, which, options)) {
        if (child.state == TaskState.Zombie) return reap(child, statusAddress);
        any = true;
      }
      child = next;
    }
    if (!any) return -Errno.ECHILD;
    if ((options & WNOHANG) != 0) return 0;
    if (signalPending(task)) return -ERESTARTSYS;
    sleepOn(task.childWait);
  }
}
