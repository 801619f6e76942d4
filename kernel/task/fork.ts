/**
 * fork: one more task that goes on from where this one called. Everything that can fail comes first, so that a failure
 * leaves nothing behind (I7); the address space is copied or shared by kernel/mm (mmDup), which is all that can be large.
 * Source: Linux 2.4 (kernel/fork.c, do_fork).
 */
import { Errno } from "../abi/errno";
import { Mark } from "../abi/marks";
import { newContext, userFrame } from "../arch/i386/context";
import { TRAP_FRAME_BYTES, TrapFrame } from "../arch/i386/trapframe";
import { descriptorsCopy } from "../fs/fdtable";
import { inodeGet } from "../fs/inode";
import { mark } from "../lib/mark";
import { mmDup } from "../mm/vma";
import { startTask } from "./sched";
import { adoptChild, createTask, currentTask, freeTask, mayCreateTask, Task } from "./task";

/** What a child has from its parent besides memory and files. Its pending signals are none. */
function inherit(child: Task, parent: Task): void {
  child.ignoredSignals = parent.ignoredSignals;
  child.caughtSignals = parent.caughtSignals;
  if (parent.caughtSignals != 0) child.signals.copyActions(parent.signals);
  child.blockedSignals = parent.blockedSignals;
  child.processGroup = parent.processGroup;
  child.session = parent.session;
  child.fileModeMask = parent.fileModeMask;
  child.directory = inodeGet(parent.directory!);
  child.name0 = parent.name0;
  child.name1 = parent.name1;
  child.name2 = parent.name2;
  child.name3 = parent.name3;
}

/**
 * Forks the current task, whose system call `frame` is. The child returns 0 from the same call. Pid of the child, -EAGAIN
 * (the limit of tasks or of free frames), or -ENOMEM.
 */
export function forkTask(frame: TrapFrame): i32 {
  if (!mayCreateTask()) return -Errno.EAGAIN;
  const parent = currentTask();
  const child = createTask();
  if (child === null) return -Errno.ENOMEM;
  const mm = mmDup(parent.mm!, frame.esp);
  if (mm === null) {
    freeTask(child);
    return -Errno.ENOMEM;
  }
  child.mm = mm;
  inherit(child, parent);
  descriptorsCopy(child.files, parent.files);
  const childFrame = userFrame(child.stackTop);
  memory.copy(changetype<usize>(childFrame), changetype<usize>(frame), TRAP_FRAME_BYTES);
  childFrame.eax = 0;
  child.kernelEsp = newContext(child.stackTop);
  adoptChild(parent, child);
  startTask(child);
  mark(Mark.Fork, child.pid);
  return i32(child.pid);
}
