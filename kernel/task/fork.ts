/**
 * fork, vfork and clone: one more task that goes on from where this one called. Everything that can fail comes first, so that a
 * failure leaves nothing behind (I7). The address space is copied or shared by kernel/mm (mmDup), which is all that can be large;
 * with CLONE_VM it is the caller's own, and no table is touched.
 * Source: Linux 2.4 (kernel/fork.c, do_fork), 2.6 for the flags about pids.
 */
import {
  CLONE_CHILD_CLEARTID,
  CLONE_CHILD_SETTID,
  CLONE_PARENT_SETTID,
  CLONE_SIGNAL_MASK,
  CLONE_VFORK,
  CLONE_VM,
} from "../abi/clone";
import { Errno } from "../abi/errno";
import { Mark } from "../abi/marks";
import { newContext, userFrame } from "../arch/i386/context";
import { TRAP_FRAME_BYTES, TrapFrame } from "../arch/i386/trapframe";
import { mark } from "../lib/mark";
import { putUser32 } from "../mm/uaccess";
import { Mm, mmDup, mmGet } from "../mm/vma";
import { inheritParts, leaveParts } from "./parts";
import { startTask } from "./sched";
import { adoptChild, createTask, currentTask, freeTask, mayCreateTask, Task } from "./task";
import { putUserOf, waitForVfork } from "./vfork";

/** What a child has from its parent besides memory and parts. Its pending signals are none. */
function inherit(child: Task, parent: Task): void {
  child.blockedSignals = parent.blockedSignals;
  child.processGroup = parent.processGroup;
  child.session = parent.session;
  child.name0 = parent.name0;
  child.name1 = parent.name1;
  child.name2 = parent.name2;
  child.name3 = parent.name3;
}

/**
 * Doubles the current task, whose system call `frame` is. The child returns 0 from the same call, with its stack pointer at `stackPointer`.
 * `flags` are clone's (abi/clone.ts); EDX and EDI say where pids go, if they want that. Pid of the child, -EAGAIN (the limit of tasks
 * or of free frames), -ENOMEM, or -EFAULT (CLONE_PARENT_SETTID).
 */
export function cloneTask(frame: TrapFrame, flags: u32, stackPointer: usize): i32 {
  if (!mayCreateTask()) return -Errno.EAGAIN;
  const parent = currentTask();
  const child = createTask();
  if (child === null) return -Errno.ENOMEM;
  const pid = child.pid;
  if ((flags & CLONE_PARENT_SETTID) != 0 && putUser32(frame.edx, pid) < 0) {
    freeTask(child);
    return -Errno.EFAULT;
  }
  let mm: Mm | null = null;
  if (inheritParts(child, parent, flags)) {
    mm = (flags & CLONE_VM) != 0 ? mmGet(parent.mm!) : mmDup(parent.mm!, frame.esp);
  }
  if (mm === null) {
    leaveParts(child);
    freeTask(child);
    return -Errno.ENOMEM;
  }
  child.mm = mm;
  child.exitSignal = flags & CLONE_SIGNAL_MASK;
  if ((flags & CLONE_CHILD_SETTID) != 0) putUserOf(mm, frame.edi, pid);
  if ((flags & CLONE_CHILD_CLEARTID) != 0) child.clearChildTid = frame.edi;
  inherit(child, parent);
  const childFrame = userFrame(child.stackTop);
  memory.copy(changetype<usize>(childFrame), changetype<usize>(frame), TRAP_FRAME_BYTES);
  childFrame.eax = 0;
  childFrame.esp = stackPointer;
  child.kernelEsp = newContext(child.stackTop);
  adoptChild(parent, child);
  startTask(child);
  mark(Mark.Fork, pid);
  if ((flags & CLONE_VFORK) != 0) waitForVfork(child);
  return i32(pid);
}
