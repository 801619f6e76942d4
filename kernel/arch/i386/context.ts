/**
 * The first kernel stack of a task: what switchContext and returnToUser (stubs.s) will pop when it first runs.
 *
 *     stackTop - 72   TrapFrame: popped by returnToUser
 *              - 76   address of returnToUser, or of where the kernel's own task begins
 *              - 92   EDI ESI EBX EBP  <- the ESP to switch to
 *
 * May import assembly.ts, gdt.ts and trapframe.ts.
 */
import { kernelTaskAddress, returnToUserAddress } from "./assembly";
import { USER_CS, USER_DS } from "./gdt";
import { TRAP_FRAME_BYTES, TrapFrame } from "./trapframe";

/** EFLAGS of a program at its start: IF, and bit 1, which is always set. */
const USER_EFLAGS: u32 = 0x202;
const SAVED_REGISTERS_BYTES: u32 = 16;

/** The TrapFrame of the entry from ring 3 on the stack whose top this is. */
export function userFrame(stackTop: usize): TrapFrame {
  return changetype<TrapFrame>(stackTop - TRAP_FRAME_BYTES);
}

/** Prepares a stack on which a task returns to user mode by `userFrame(stackTop)`. Returns the ESP to switch to. */
export function newContext(stackTop: usize): usize {
  return contextAt(stackTop, returnToUserAddress());
}

/** The same for the kernel's own task. */
export function newKernelContext(stackTop: usize): usize {
  return contextAt(stackTop, kernelTaskAddress());
}

function contextAt(stackTop: usize, start: usize): usize {
  const returnAddress = stackTop - TRAP_FRAME_BYTES - 4;
  store<usize>(returnAddress, start);
  const esp = returnAddress - SAVED_REGISTERS_BYTES;
  for (let register: usize = esp; register < returnAddress; register += 4) store<u32>(register, 0);
  return esp;
}

/** Fills a frame so that returning by it starts a program: all registers 0 but these. */
export function startProgramFrame(frame: TrapFrame, eip: usize, esp: usize): void {
  memory.fill(changetype<usize>(frame), 0, TRAP_FRAME_BYTES);
  frame.ds = USER_DS;
  frame.es = USER_DS;
  frame.cs = USER_CS;
  frame.ss = USER_DS;
  frame.eip = eip;
  frame.esp = esp;
  frame.eflags = USER_EFLAGS;
}
