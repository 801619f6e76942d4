/**
 * Where every trap, interrupt and system call arrives, with the TrapFrame that stubs.s built, and from where each is sent to the part
 * that serves it. Runs with IF = 0. The only place that knows the CPU's exceptions by their meaning.
 * May import mm, task, drivers, sys and lib. Source: Linux 2.4 (arch/i386/kernel/traps.c, mm/fault.c).
 */
import { cstr, readCr2 } from "../../abi/intrinsics";
import { Signal } from "../../abi/signals";
import { irqDispatch } from "../../drivers/irq";
import { panicAtTrap } from "../../lib/panic";
import { printk } from "../../lib/printk";
import { KERNEL_BASE } from "../../mm/layout";
import { FaultResult, handleMmFault } from "../../mm/memory";
import { syscallDispatch } from "../../sys/syscall";
import { forceSignal } from "../../task/signal";
import { currentTask } from "../../task/task";
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
  if (frame.fromUser) prepareUserReturn();
}

function pageFault(frame: TrapFrame): void {
  const address = readCr2();
  const task = currentTask();
  const mm = task.mm;
  let result = FaultResult.BadAccess;
  if (address < KERNEL_BASE && mm !== null && (frame.fromUser || findFixup(frame.eip) != 0)) {
    result = handleMmFault(mm, address, frame.error);
    if (result == FaultResult.Resolved) return;
  }
  if (frame.fromUser) {
    if (result == FaultResult.OutOfMemory) {
      printk(cstr("out of memory: killed process %u (%s)\n"), task.pid, task.nameAddress);
      forceSignal(task, Signal.SIGKILL);
    } else {
      forceSignal(task, Signal.SIGSEGV);
    }
    return;
  }
  const fixup = findFixup(frame.eip);
  if (fixup == 0) panicAtTrap(cstr("page fault in the kernel"), frame);
  frame.eip = fixup;
}

function exception(frame: TrapFrame): void {
  if (!frame.fromUser) panicAtTrap(exceptionName(frame.vector), frame);
  else forceSignal(currentTask(), exceptionSignal(frame.vector));
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
