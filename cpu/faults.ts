/**
 * How an instruction fails. The commit-or-no-trace rule: an instruction translates every address that it will touch and
 * makes every check before its first write; when one fails it calls raise() and returns at once, having changed nothing. The
 * interpreter then finds Event.Fault set and delivers the exception (interrupts.ts). Nothing is thrown.
 * May import registers.ts and the type of the processor. Source: Intel SDM volume 3, sections 6.3, 6.13 and 6.15.
 */
import type { Cpu } from "./cpu";
import { Event, Word } from "./registers";

export const enum Vector {
  DivideError = 0,
  Debug = 1,
  NonMaskable = 2,
  Breakpoint = 3,
  Overflow = 4,
  BoundRange = 5,
  InvalidOpcode = 6,
  DeviceNotAvailable = 7,
  DoubleFault = 8,
  InvalidTss = 10,
  NotPresent = 11,
  StackFault = 12,
  GeneralProtection = 13,
  PageFault = 14,
  FloatingPoint = 16,
  AlignmentCheck = 17,
}

/**
 * Raised in place of a vector by an x87 instruction that finds an exception pending with CR0.NE = 0: nothing is delivered; FERR# is
 * asserted, and the processor stands still before the instruction until an interrupt comes (SDM volume 1, appendix D.2.1).
 */
export const COPROCESSOR_FREEZE = 256;

/** In place of an error code, for the vectors that push none. */
export const NO_ERROR_CODE = -1;

/** Bits of a selector error code below the selector's index and table bits. */
export const enum ErrorCode {
  /** The event was external to the program. */
  External = 1,
  /** The index is a vector number in the IDT. */
  Idt = 2,
}

/** Records an exception; the running instruction must return without having changed anything. */
export function raise(cpu: Cpu, vector: Vector | typeof COPROCESSOR_FREEZE, errorCode: number = NO_ERROR_CODE): void {
  const { r } = cpu;
  r[Word.FaultVector] = vector;
  r[Word.FaultError] = errorCode;
  r[Word.Event] |= Event.Fault;
}

/** #GP with an error code: 0, or a selector's index and table bits. */
export function generalProtection(cpu: Cpu, errorCode: number): void {
  raise(cpu, Vector.GeneralProtection, errorCode);
}

/** #UD. */
export function invalidOpcode(cpu: Cpu): void {
  raise(cpu, Vector.InvalidOpcode);
}

/** Whether an exception is pending. */
export function faulted(cpu: Cpu): boolean {
  return (cpu.r[Word.Event] & Event.Fault) !== 0;
}
