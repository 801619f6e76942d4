/**
 * What all x87 instructions share: the checks before, the register stack, the status after. May import fpu/, faults.ts,
 * operand.ts, registers.ts, types.
 *
 * A handler asks ready(), translates its memory operand, calls begin(), works, and reports by settle(). An exception in the
 * x87's own sense is no fault: it is noted in the status word, and the next waiting instruction raises #MF.
 * Invariant: ES and B of the status word are set exactly while an exception flag is set whose mask is clear.
 * Source: Intel SDM volume 1, sections 8.1 (registers), 8.5.1 (stack faults), 8.6, 8.7 (handling of exceptions); volume 3,
 * section 2.5 (CR0.EM, MP, TS, NE).
 */
import type { Cpu } from "../cpu";
import { COPROCESSOR_FREEZE, raise, Vector } from "../faults";
import { fromExtended } from "../fpu/convert";
import { context, Exception, Extended, setIndefinite, stopped } from "../fpu/extended";
import type { Operation } from "../operation";
import { Cr0, Word } from "../registers";
import { effectiveAddress } from "./operand";

/** Bits of the status word beside the exceptions; TOP is in bits 11 to 13. */
export const enum Status {
  Summary = 0x80,
  C0 = 0x100,
  C1 = 0x200,
  C2 = 0x400,
  C3 = 0x4000,
  Codes = 0x4700,
  Busy = 0x8000,
  Exceptions = 0x7f,
}

export const TOP_SHIFT = 11;
const TOP_BITS = 7 << TOP_SHIFT;
/** Bits of the control word that can be written, and the one that is always set. */
const CONTROL_BITS = 0x1f3f;
const CONTROL_ONE = 0x40;
/** Control word after FNINIT. */
export const INITIAL_CONTROL = 0x37f;

/** Operands and result of the running instruction. */
export const a = new Extended();
export const b = new Extended();
export const result = new Extended();

/** Whether the x87 is there for this task; else #NM is raised. All that an instruction that does not wait asks. */
export function available(cpu: Cpu): boolean {
  if ((cpu.r[Word.Cr0] & (Cr0.EM | Cr0.TS)) === 0) return true;
  raise(cpu, Vector.DeviceNotAvailable);
  return false;
}

/** The same, and no exception is pending; else #MF, or the wait for IRQ 13. */
export function ready(cpu: Cpu): boolean {
  return available(cpu) && nonePending(cpu);
}

/** Whether no exception is pending; FWAIT asks no more than this. */
export function nonePending(cpu: Cpu): boolean {
  const { r } = cpu;
  if ((r[Word.FpuStatus] & Status.Summary) === 0) return true;
  if ((r[Word.Cr0] & Cr0.NE) !== 0) raise(cpu, Vector.FloatingPoint);
  else if (r[Word.FpuIgnore] !== 0) return true;
  else raise(cpu, COPROCESSOR_FREEZE);
  return false;
}

/** Starts an instruction whose operands are at hand: notes where it is and reads the control word. */
export function begin(cpu: Cpu, op: Operation): void {
  remember(cpu, op);
  context.start(cpu.r[Word.FpuControl]);
}

/** Notes where an instruction and its memory operand are. From here on nothing may fault. */
export function remember(cpu: Cpu, op: Operation): void {
  const { r } = cpu;
  r[Word.FpuIp] = r[Word.Eip] - op.toEnd;
  r[Word.FpuCs] = r[Word.Selector + 1];
  r[Word.FpuOpcode] = op.immediate2;
  if (op.rm < 0) {
    r[Word.FpuDp] = effectiveAddress(r, op);
    r[Word.FpuDs] = r[Word.Selector + op.segment];
  }
}

/**
 * Puts exceptions and C1 into the status word. False: an unmasked one was found before there was a result, and registers,
 * memory and the top of the stack must stay.
 */
export function settle(cpu: Cpu): boolean {
  const { r } = cpu;
  const { flags, masks } = context;
  let status = (r[Word.FpuStatus] & ~Status.C1) | flags;
  if (context.roundedUp !== 0) status |= Status.C1;
  if ((flags & ~masks & 0x3f) !== 0) status |= Status.Summary | Status.Busy;
  r[Word.FpuStatus] = status;
  return !stopped();
}

/** The status without exceptions: C1 is cleared. */
export function clearC1(r: Int32Array): void {
  r[Word.FpuStatus] &= ~Status.C1;
}

/** Settles a stack underflow; true when it is masked, and `result` is the answer. */
export function underflow(cpu: Cpu): boolean {
  return stackFault(cpu, 0);
}

/** Settles a stack overflow; true when it is masked, and `result` is the answer. */
export function overflow(cpu: Cpu): boolean {
  return stackFault(cpu, 1);
}

function stackFault(cpu: Cpu, c1: number): boolean {
  findStackFault(c1);
  setIndefinite(result);
  return settle(cpu);
}

/** The running instruction's exception is a stack overflow (`c1` 1) or underflow (0). */
export function findStackFault(c1: number): void {
  context.flags = Exception.Invalid | Exception.StackFault;
  context.roundedUp = c1;
}

/** Number of the register that ST(i) is. */
export function registerOf(r: Int32Array, i: number): number {
  return ((r[Word.FpuStatus] >> TOP_SHIFT) + i) & 7;
}

export function isEmpty(r: Int32Array, i: number): boolean {
  return (r[Word.FpuValid] & (1 << registerOf(r, i))) === 0;
}

/** Reads ST(i), whatever its tag. */
export function get(r: Int32Array, i: number, out: Extended): void {
  const at = Word.FpuRegisters + 3 * registerOf(r, i);
  fromExtended(r[at], r[at + 1], r[at + 2], out);
}

/** Writes ST(i), which is then not empty. */
export function put(r: Int32Array, i: number, from: Extended): void {
  const register = registerOf(r, i);
  const at = Word.FpuRegisters + 3 * register;
  r[at] = from.low;
  r[at + 1] = from.high;
  r[at + 2] = (from.sign << 15) | from.exponent;
  r[Word.FpuValid] |= 1 << register;
}

/** Moves the top of the stack by +1 or -1, tags as they are. */
export function moveTop(r: Int32Array, by: number): void {
  const status = r[Word.FpuStatus];
  r[Word.FpuStatus] = (status & ~TOP_BITS) | ((status + (by << TOP_SHIFT)) & TOP_BITS);
}

/** Whether the register that a push would take is empty. */
export function hasRoom(r: Int32Array): boolean {
  return isEmpty(r, -1);
}

export function push(r: Int32Array, from: Extended): void {
  moveTop(r, -1);
  put(r, 0, from);
}

export function free(r: Int32Array, i: number): void {
  r[Word.FpuValid] &= ~(1 << registerOf(r, i));
}

export function pop(r: Int32Array): void {
  free(r, 0);
  moveTop(r, 1);
}

export function popTimes(r: Int32Array, times: number): void {
  for (let i = 0; i < times; i++) pop(r);
}

/** Sets C0, C2 and C3. */
export function setCodes(r: Int32Array, codes: number): void {
  r[Word.FpuStatus] = (r[Word.FpuStatus] & ~(Status.C0 | Status.C2 | Status.C3)) | codes;
}

/** Writes the control word; an exception whose mask goes is pending from then on, one whose mask comes no more. */
export function setControl(r: Int32Array, value: number): void {
  r[Word.FpuControl] = (value & CONTROL_BITS) | CONTROL_ONE;
  summarise(r);
}

/** Makes ES and B right again. With the last pending exception the leave to ignore it goes. */
export function summarise(r: Int32Array): void {
  const pending = (r[Word.FpuStatus] & ~r[Word.FpuControl] & 0x3f) !== 0;
  const bits = Status.Summary | Status.Busy;
  if (pending) r[Word.FpuStatus] |= bits;
  else {
    r[Word.FpuStatus] &= ~bits;
    r[Word.FpuIgnore] = 0;
  }
}

/** As FNINIT leaves it; the registers' contents stay. */
export function initialise(r: Int32Array): void {
  r[Word.FpuControl] = INITIAL_CONTROL;
  r[Word.FpuStatus] = 0;
  r[Word.FpuValid] = 0;
  r.fill(0, Word.FpuIp, Word.FpuDs + 1);
  r[Word.FpuIgnore] = 0;
}
