/**
 * Signal frames: puts one on a program's stack so that the way back to user mode enters the handler, and takes one back at
 * sigreturn. kernel/abi/sigframe.ts draws them. They are written like any user memory (uaccess: under a shared table that
 * unshares it), and what is read back is not trusted: a program gets no segment, flag or ring from it that it could not take
 * by its own instructions. A frame is built in the task's own scratch space, because access to user memory may sleep.
 * Imports the task, uaccess. Source: Linux 2.4 (arch/i386/kernel/signal.c, setup_frame, setup_rt_frame, restore_sigcontext).
 */

import {
  RT_SIGFRAME_BYTES,
  RT_SIGFRAME_CONTEXT,
  RT_SIGFRAME_HEAD,
  RT_SIGFRAME_INFO,
  RT_SIGFRAME_INFO_ADDRESS,
  RT_SIGFRAME_MASK,
  RT_SIGFRAME_RETCODE,
  RT_SIGFRAME_UCONTEXT,
  RT_SIGFRAME_UCONTEXT_ADDRESS,
  SIGFRAME_BYTES,
  SIGFRAME_CONTEXT,
  SIGFRAME_HEAD,
  SIGFRAME_RETCODE,
  SIGFRAME_SIGNAL,
  SIGFRAME_TAIL,
  Siginfo,
  SignalContext,
} from "../../abi/sigframe";
import { SA_RESTORER, SA_SIGINFO } from "../../abi/signals";
import { copyFromUser, copyToUser } from "../../mm/uaccess";
import { Task } from "../../task/task";
import { USER_CS, USER_DS } from "./gdt";
import { TrapFrame } from "./trapframe";

/** EFLAGS that a program may set by itself: AC OF DF TF SF ZF AF PF CF. */
const USER_FLAGS: u32 = 0x40dd5;
/** TF, DF, RF: a handler starts without them. */
const HANDLER_CLEARS: u32 = 0x10500;
/** The part of ESP + 4 that is 0 where a function begins: the ABI's alignment of arguments. */
const STACK_ALIGN: u32 = 15;
/** POP EAX; MOV EAX, 119; INT 0x80. And MOV EAX, 173; INT 0x80; NOP. */
const RETCODE_LOW: u32 = 0x0077b858;
const RETCODE_HIGH: u32 = 0x80cd0000;
const RT_RETCODE_LOW: u32 = 0x0000adb8;
const RT_RETCODE_HIGH: u32 = 0x9080cd00;

function fillContext(context: SignalContext, task: Task, frame: TrapFrame, mask: u32): void {
  context.gs = frame.gs & 0xffff;
  context.fs = frame.fs & 0xffff;
  context.es = frame.es & 0xffff;
  context.ds = frame.ds & 0xffff;
  context.edi = frame.edi;
  context.esi = frame.esi;
  context.ebp = frame.ebp;
  context.esp = frame.esp;
  context.ebx = frame.ebx;
  context.edx = frame.edx;
  context.ecx = frame.ecx;
  context.eax = frame.eax;
  context.trapno = task.faultVector;
  context.err = task.faultError;
  context.eip = frame.eip;
  context.cs = frame.cs & 0xffff;
  context.eflags = frame.eflags;
  context.espAtSignal = frame.esp;
  context.ss = frame.ss & 0xffff;
  context.fpstate = 0;
  context.oldmask = mask;
  context.cr2 = task.faultAddress;
}

/** Writes a struct sigframe at `base`. False if its place is not the program's to write. */
function writeFrame(task: Task, frame: TrapFrame, signal: u32, mask: u32, base: usize): bool {
  const scratch = task.signals.scratch;
  const action = task.actions.action(signal);
  store<u32>(scratch, (action.flags & SA_RESTORER) != 0 ? action.restorer : base + SIGFRAME_RETCODE);
  store<u32>(scratch + SIGFRAME_SIGNAL, signal);
  fillContext(changetype<SignalContext>(scratch + SIGFRAME_CONTEXT), task, frame, mask);
  if (copyToUser(base, scratch, SIGFRAME_HEAD) != 0) return false;
  store<u32>(scratch, 0);
  store<u32>(scratch, RETCODE_LOW, 4);
  store<u32>(scratch, RETCODE_HIGH, 8);
  return copyToUser(base + SIGFRAME_TAIL, scratch, SIGFRAME_BYTES - SIGFRAME_TAIL) == 0;
}

/** Writes a struct rt_sigframe at `base`. False if its place is not the program's to write. */
function writeRtFrame(task: Task, frame: TrapFrame, signal: u32, mask: u32, base: usize): bool {
  const scratch = task.signals.scratch;
  const action = task.actions.action(signal);
  const known = task.signals.info(signal);
  memory.fill(scratch, 0, RT_SIGFRAME_HEAD);
  store<u32>(scratch, (action.flags & SA_RESTORER) != 0 ? action.restorer : base + RT_SIGFRAME_RETCODE);
  store<u32>(scratch + SIGFRAME_SIGNAL, signal);
  store<u32>(scratch + RT_SIGFRAME_INFO_ADDRESS, base + RT_SIGFRAME_INFO);
  store<u32>(scratch + RT_SIGFRAME_UCONTEXT_ADDRESS, base + RT_SIGFRAME_UCONTEXT);
  const info = changetype<Siginfo>(scratch + RT_SIGFRAME_INFO);
  info.signal = i32(signal);
  info.code = known.code;
  info.origin = known.origin;
  info.status = i32(known.status);
  fillContext(changetype<SignalContext>(scratch + RT_SIGFRAME_CONTEXT), task, frame, mask);
  store<u32>(scratch + RT_SIGFRAME_MASK, mask);
  if (copyToUser(base, scratch, RT_SIGFRAME_HEAD) != 0) return false;
  store<u32>(scratch, RT_RETCODE_LOW);
  store<u32>(scratch, RT_RETCODE_HIGH, 4);
  return copyToUser(base + RT_SIGFRAME_RETCODE, scratch, RT_SIGFRAME_BYTES - RT_SIGFRAME_RETCODE) == 0;
}

/**
 * Makes the current task's trap frame enter the handler of a signal, with a signal frame on the program's stack that goes back to
 * what the trap frame said, and to `mask`. False if there is no stack to write to: then the trap frame is as it was.
 */
export function pushSignalFrame(task: Task, frame: TrapFrame, signal: u32, mask: u32): bool {
  const action = task.actions.action(signal);
  const withInfo = (action.flags & SA_SIGINFO) != 0;
  const bytes = withInfo ? RT_SIGFRAME_BYTES : SIGFRAME_BYTES;
  const base = ((frame.esp - bytes + 4) & ~STACK_ALIGN) - 4;
  const written = withInfo
    ? writeRtFrame(task, frame, signal, mask, base)
    : writeFrame(task, frame, signal, mask, base);
  if (!written) return false;
  frame.esp = base;
  frame.eip = action.handler;
  frame.eax = signal;
  frame.edx = withInfo ? base + RT_SIGFRAME_INFO : 0;
  frame.ecx = withInfo ? base + RT_SIGFRAME_UCONTEXT : 0;
  frame.cs = USER_CS;
  frame.ds = USER_DS;
  frame.es = USER_DS;
  frame.ss = USER_DS;
  frame.eflags &= ~HANDLER_CLEARS;
  return true;
}

/** Whether a program can load this selector into a data segment register: null, or its own code or data segment. */
function isUserSelector(selector: u32): bool {
  const index = selector & 0xfffc;
  return index == 0 || index == (USER_DS & ~3) || index == (USER_CS & ~3);
}

/** Whether returning by these selectors can neither fault in ring 0 nor stay there. */
function selectorsAllowed(context: SignalContext): bool {
  if ((context.cs & 0xffff) != USER_CS || (context.ss & 0xffff) != USER_DS) return false;
  if (!isUserSelector(context.ds) || !isUserSelector(context.es)) return false;
  return isUserSelector(context.fs) && isUserSelector(context.gs);
}

/**
 * sigreturn: the trap frame of the current task becomes what the signal frame at `base` says, `withInfo`: an rt_sigframe. False
 * if that cannot be read or names segments that are not the program's: then the trap frame is as it was. Else the mask to go back
 * to is at `task.signals.scratch`.
 */
export function popSignalFrame(task: Task, frame: TrapFrame, base: usize, withInfo: bool): bool {
  const scratch = task.signals.scratch;
  if (copyFromUser(scratch, base, withInfo ? RT_SIGFRAME_HEAD : SIGFRAME_HEAD) != 0) return false;
  const context = changetype<SignalContext>(scratch + (withInfo ? RT_SIGFRAME_CONTEXT : SIGFRAME_CONTEXT));
  if (!selectorsAllowed(context)) return false;
  frame.gs = context.gs & 0xffff;
  frame.fs = context.fs & 0xffff;
  frame.es = context.es & 0xffff;
  frame.ds = context.ds & 0xffff;
  frame.edi = context.edi;
  frame.esi = context.esi;
  frame.ebp = context.ebp;
  frame.esp = context.esp;
  frame.ebx = context.ebx;
  frame.edx = context.edx;
  frame.ecx = context.ecx;
  frame.eax = context.eax;
  frame.eip = context.eip;
  frame.eflags = (frame.eflags & ~USER_FLAGS) | (context.eflags & USER_FLAGS);
  store<u32>(scratch, withInfo ? load<u32>(scratch + RT_SIGFRAME_MASK) : context.oldmask);
  return true;
}
