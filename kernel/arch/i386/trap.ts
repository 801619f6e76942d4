/**
 * Where every trap, interrupt and system call arrives, with the TrapFrame that stubs.s built, and from where each is sent to the part
 * that serves it. Runs with IF = 0. The only place that knows the CPU's exceptions by their meaning.
 * May import mm, task, drivers, sys and lib. Source: Linux 2.4 (arch/i386/kernel/traps.c, mm/fault.c).
 */
import { cstr, readCr2 } from "../../abi/intrinsics";
import { BUS_ADRERR, FPE_INTDIV, ILL_ILLOPN, SEGV_ACCERR, SEGV_MAPERR, SI_KERNEL, Signal } from "../../abi/signals";
import { irqDispatch } from "../../drivers/irq";
import { panicAtTrap } from "../../lib/panic";
import { FaultResult, handleMmFault, resolveFault } from "../../mm/fault";
import { KERNEL_BASE } from "../../mm/layout";
import { swapWait } from "../../mm/swap";
import { findVma, Mm } from "../../mm/vmalist";
import { syscallDispatch } from "../../sys/syscall";
import { outOfMemory, outOfMemorySoon } from "../../task/oom";
import { memoryIsExhausted, waitForMemory } from "../../task/reclaim";
import { forceSignal } from "../../task/signal";
import { currentTask, Task } from "../../task/task";
import { prepareUserReturn } from "../../task/usermode";
import { findFixup } from "./assembly";
import { Vector } from "./idt";
import { TrapFrame } from "./trapframe";

/** Serves a trap; stubs.s calls it, and returns by the frame afterwards. */
export function trapDispatch(frame: TrapFrame): void {
  const vector = frame.vector;
  if (vector == Vector.Syscall) syscallDispatch(frame);
  else if (vector == Vector.PageFault) pageFault(frame);
  else if (vector >= (Vector.Irq as u32)) irqDispatch(vector - (Vector.Irq as u32));
  else exception(frame);
  if (frame.fromUser) prepareUserReturn(frame);
}

function pageFault(frame: TrapFrame): void {
  if (frame.fromUser) userFault(frame, readCr2());
  else kernelFault(frame, readCr2());
}

/**
 * A fault of the program's own. It may sleep here for the disk or for memory, and then the program's instruction is tried again, since by then
 * anything may have changed.
 */
function userFault(frame: TrapFrame, address: usize): void {
  const task = currentTask();
  const mm = task.mm;
  waitForMemory();
  if (memoryIsExhausted() && outOfMemorySoon(task)) return;
  let result = FaultResult.BadAccess;
  if (address < KERNEL_BASE && mm !== null) result = handleMmFault(mm, address, frame.error);
  if (result == FaultResult.Resolved) return;
  if (result == FaultResult.Waiting) {
    swapWait();
    return;
  }
  noteFault(task, frame, address);
  if (result == FaultResult.OutOfMemory) outOfMemory(task);
  else if (result == FaultResult.NoPage) forceSignal(task, Signal.SIGBUS, BUS_ADRERR, address);
  else forceSignal(task, Signal.SIGSEGV, isMapped(mm, address) ? SEGV_ACCERR : SEGV_MAPERR, address);
}

/** A fault of the kernel's access to user memory, which never sleeps and goes on at its fixup if it cannot be resolved; any other is the end. */
function kernelFault(frame: TrapFrame, address: usize): void {
  const fixup = findFixup(frame.eip);
  if (fixup == 0) panicAtTrap(cstr("page fault in the kernel"), frame);
  const mm = currentTask().mm;
  if (address < KERNEL_BASE && mm !== null && resolveFault(mm, address, frame.error) == FaultResult.Resolved) return;
  frame.eip = fixup;
}

/** What a signal frame tells about the exception that caused the signal. */
function noteFault(task: Task, frame: TrapFrame, address: usize): void {
  task.faultAddress = address;
  task.faultError = frame.error;
  task.faultVector = frame.vector;
}

/** Whether a mapping holds the address, though it does not allow the access. */
function isMapped(mm: Mm | null, address: usize): bool {
  if (mm === null || address >= KERNEL_BASE) return false;
  const vma = findVma(mm, address);
  return vma !== null && vma.start <= address;
}

function exception(frame: TrapFrame): void {
  const vector = frame.vector;
  if (!frame.fromUser) {
    panicAtTrap(exceptionName(vector), frame);
    return;
  }
  const task = currentTask();
  noteFault(task, frame, task.faultAddress);
  const signal = exceptionSignal(vector);
  if (vector == Vector.DivideError) forceSignal(task, signal, FPE_INTDIV, frame.eip);
  else if (vector == Vector.InvalidOpcode) forceSignal(task, signal, ILL_ILLOPN, frame.eip);
  else forceSignal(task, signal, SI_KERNEL, 0);
}

/** What a program gets for an exception that it raised. */
function exceptionSignal(vector: u32): Signal {
  switch (vector) {
    case Vector.DivideError:
    case Vector.FloatingPoint:
      return Signal.SIGFPE;
    case Vector.Debug:
    case Vector.Breakpoint:
      return Signal.SIGTRAP;
    case Vector.InvalidOpcode:
    // There is no x87: CR0.EM is set.
    case Vector.DeviceNotAvailable:
      return Signal.SIGILL;
    case Vector.SegmentNotPresent:
    case Vector.StackFault:
    case Vector.AlignmentCheck:
      return Signal.SIGBUS;
    default:
      return Signal.SIGSEGV;
  }
}

function exceptionName(vector: u32): usize {
  switch (vector) {
    case Vector.DivideError:
      return cstr("divide error");
    case Vector.Debug:
      return cstr("debug exception");
    case Vector.NonMaskable:
      return cstr("non-maskable interrupt");
    case Vector.Breakpoint:
      return cstr("breakpoint");
    case Vector.Overflow:
      return cstr("overflow");
    case Vector.BoundRange:
      return cstr("bound range exceeded");
    case Vector.InvalidOpcode:
      return cstr("invalid opcode");
    case Vector.DeviceNotAvailable:
      return cstr("device not available");
    case Vector.DoubleFault:
      return cstr("double fault");
    case Vector.GeneralProtection:
      return cstr("general protection fault");
    default:
      return cstr("exception");
  }
}
