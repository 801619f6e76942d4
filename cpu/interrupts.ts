/**
 * The way into a handler: interrupts and exceptions through the IDT, with the change to an inner ring's stack from the TSS;
 * double faults; shutdown. IRET is in exec/far.ts.
 * May import segmentation.ts, stackswitch.ts, memory.ts, eflags.ts, faults.ts, seam.ts, registers.ts, and the type
 * of the processor.
 *
 * A delivery checks and translates everything before it changes anything, so that one which faults leaves the state of before
 * for the next. Task gates are not there: one in the IDT is #GP, as an invalid gate type is.
 * Source: Intel SDM volume 3, sections 6.10 to 6.15 (gates, stack switch, error codes, double fault), 20.1.4 (real mode).
 */
import type { Cpu } from "./cpu";
import { readEflags, writeEflags } from "./eflags";
import { COPROCESSOR_FREEZE, ErrorCode, generalProtection, NO_ERROR_CODE, raise, Vector } from "./faults";
import { finishWrite, systemReadAt } from "./memory";
import { Attention, Cr0, Event, Flag, Layout, Register, Time, Word } from "./registers";
import { CpuEvent } from "./seam";
import {
  Attribute,
  Descriptor,
  DPL_SHIFT,
  fetchDescriptor,
  fillSegment,
  isNull,
  markDescriptor,
  refreshMode,
  selectorError,
  withinLimit,
} from "./segmentation";
import { TargetStack } from "./stackswitch";

const CS = 1;
const SS = 2;

/** Why a handler is entered. */
export const enum Source {
  /** A fault: the pushed EFLAGS have RF set. */
  Fault,
  /** INT n, INT3, INTO: the gate's DPL counts. */
  Software,
  /** A trap or an external interrupt. */
  External,
}

const code = new Descriptor();
const stack = new TargetStack();

/**
 * Enters the handler of a vector; EIP is what will be pushed. False: a fault is raised instead, and nothing has changed.
 * Charges the entry.
 */
export function enterHandler(cpu: Cpu, vector: number, source: Source, errorCode: number): boolean {
  if ((cpu.r[Word.Cr0] & Cr0.PE) === 0) return enterRealMode(cpu, vector);
  const { r, view } = cpu;
  const external = source === Source.Software ? 0 : ErrorCode.External;
  const gateError = (vector << 3) | ErrorCode.Idt | external;
  if ((vector << 3) + 7 > r[Word.IdtLimit]) return refuse(cpu, gateError);
  const gate = systemReadAt(cpu, (r[Word.IdtBase] + (vector << 3)) | 0, 8);
  if (gate < 0) return false;
  const low = view.getInt32(gate, true);
  const high = view.getInt32(gate + 4, true);
  // S = 0 and one of the four types that end in 6, 7, E, F.
  if ((high & 0x1600) !== 0x600) return refuse(cpu, gateError);
  if (source === Source.Software && ((high >> DPL_SHIFT) & 3) < r[Word.Cpl]) return refuse(cpu, gateError);
  if ((high & 0x8000) === 0) {
    raise(cpu, Vector.NotPresent, gateError);
    return false;
  }
  const wide = (high & 0x800) !== 0;
  const selector = low >>> 16;
  const target = (low & 0xffff) | (wide ? high & 0xffff0000 : 0);

  if (isNull(selector)) return refuse(cpu, external);
  if (!fetchDescriptor(cpu, selector, code, Vector.GeneralProtection, external)) return false;
  if (!code.isCode || code.dpl > r[Word.Cpl]) return refuse(cpu, selectorError(selector) | external);
  if (!code.present) {
    raise(cpu, Vector.NotPresent, selectorError(selector) | external);
    return false;
  }
  const inner = !code.isConforming && code.dpl < r[Word.Cpl];
  const level = inner ? code.dpl : r[Word.Cpl];
  if (!inner) stack.usePresent(cpu);
  else if (!stack.useInner(cpu, level, external)) return false;

  if (!markDescriptor(cpu, code, Attribute.Accessed)) return false;

  const words = (inner ? 5 : 3) + (errorCode === NO_ERROR_CODE ? 0 : 1);
  const bytes = words * (wide ? 4 : 2);
  const frame = stack.frame(cpu, bytes, external);
  if (frame < 0) return false;
  if (!withinLimit(code.limit, code.attributes, target, 1)) return refuse(cpu, external);

  const flags = readEflags(r);
  const size = wide ? 4 : 2;
  // The lowest word is the error code, where there is one.
  let at = frame;
  if (errorCode !== NO_ERROR_CODE) {
    put(view, at, wide, errorCode);
    at += size;
  }
  put(view, at, wide, r[Word.Eip]);
  put(view, at + size, wide, r[Word.Selector + CS]);
  put(view, at + 2 * size, wide, source === Source.Fault ? flags | Flag.RF : flags);
  if (inner) {
    put(view, at + 3 * size, wide, r[Register.ESP]);
    put(view, at + 4 * size, wide, r[Word.Selector + SS]);
  }
  if (frame < Layout.Ram) finishWrite(cpu, frame);

  stack.commit(cpu, bytes);
  fillSegment(cpu, CS, (selector & ~3) | level, code);
  r[Word.Eip] = target;
  const cleared = Flag.TF | Flag.NT | Flag.RF | Flag.VM | ((high & 0x100) !== 0 ? 0 : Flag.IF);
  writeEflags(r, flags & ~cleared);
  refreshMode(cpu);
  entered(cpu, vector, errorCode, inner);
  return true;
}

function put(view: DataView, at: number, wide: boolean, value: number): void {
  if (wide) view.setInt32(at, value, true);
  else view.setInt16(at, value, true);
}

function refuse(cpu: Cpu, errorCode: number): boolean {
  generalProtection(cpu, errorCode);
  return false;
}

function entered(cpu: Cpu, vector: number, errorCode: number, inner: boolean): void {
  const { costs, listener, r, time } = cpu;
  time[Time.Cycles] += costs.trapEntry + (inner ? costs.trapRingChange : 0);
  r[Word.Attention] &= ~Attention.Halted;
  r[Word.TrapArmed] = 0;
  if (listener !== null) listener(CpuEvent.TrapEntry, vector, errorCode);
}

/** Real mode: four bytes a vector, three words on the stack, no error code. */
function enterRealMode(cpu: Cpu, vector: number): boolean {
  const { r, view } = cpu;
  if ((vector << 2) + 3 > r[Word.IdtLimit]) return refuse(cpu, 0);
  const at = systemReadAt(cpu, (r[Word.IdtBase] + (vector << 2)) | 0, 4);
  if (at < 0) return false;
  const target = view.getInt32(at, true);
  stack.usePresent(cpu);
  const frame = stack.frame(cpu, 6, 0);
  if (frame < 0) return false;
  const flags = readEflags(r);
  view.setInt16(frame + 4, flags, true);
  view.setInt16(frame + 2, r[Word.Selector + CS], true);
  view.setInt16(frame, r[Word.Eip], true);
  if (frame < Layout.Ram) finishWrite(cpu, frame);
  stack.commit(cpu, 6);
  r[Word.Selector + CS] = target >>> 16;
  r[Word.Base + CS] = (target >>> 16) << 4;
  r[Word.Eip] = target & 0xffff;
  writeEflags(r, flags & ~(Flag.TF | Flag.IF | Flag.RF | Flag.AC));
  refreshMode(cpu);
  entered(cpu, vector, NO_ERROR_CODE, false);
  return true;
}

/** How a second fault during the delivery of a first counts. */
function isContributory(vector: number): boolean {
  return vector === Vector.DivideError || (vector >= Vector.InvalidTss && vector <= Vector.GeneralProtection);
}

/**
 * Delivers the pending exception; EIP is that of the instruction that raised it. A fault on the way is delivered after it or
 * becomes a double fault, and one on the way of that shuts the processor down (Attention.TripleFault).
 */
export function deliverFault(cpu: Cpu): void {
  const { r } = cpu;
  for (;;) {
    const vector = r[Word.FaultVector];
    const errorCode = r[Word.FaultError];
    r[Word.Event] &= ~Event.Fault;
    if (vector === COPROCESSOR_FREEZE) {
      r[Word.Attention] |= Attention.Halted;
      cpu.bus.coprocessorError?.();
      return;
    }
    if (vector === Vector.PageFault && cpu.listener !== null) {
      cpu.listener(CpuEvent.PageFault, r[Word.Cr2] >>> 0, errorCode);
    }
    if (enterHandler(cpu, vector, Source.Fault, errorCode)) return;
    const second = r[Word.FaultVector];
    if (vector === Vector.DoubleFault) {
      r[Word.Event] &= ~Event.Fault;
      r[Word.Attention] |= Attention.TripleFault;
      return;
    }
    const both =
      (isContributory(vector) && isContributory(second)) ||
      (vector === Vector.PageFault && (second === Vector.PageFault || isContributory(second)));
    if (both) raise(cpu, Vector.DoubleFault, 0);
  }
}

/** Delivers an interrupt or trap between two instructions, and whatever fault that leads to. */
export function interrupt(cpu: Cpu, vector: number): void {
  if (!enterHandler(cpu, vector, Source.External, NO_ERROR_CODE)) deliverFault(cpu);
}

/** Delivers the single-step trap: #DB with DR6.BS. */
export function singleStepTrap(cpu: Cpu): void {
  cpu.r[Word.Dr6] |= 0x4000;
  interrupt(cpu, Vector.Debug);
}
