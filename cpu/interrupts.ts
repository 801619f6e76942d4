/**
 * The way into a handler: interrupts and exceptions through the IDT, with the change to an inner ring's stack from the TSS;
 * out of virtual-8086 mode, through task gates; double faults; shutdown. IRET is in exec/return.ts.
 * May import compile/, segmentation.ts, realmode.ts, debug.ts, stackswitch.ts, tasks.ts, memory.ts, eflags.ts,
 * faults.ts, seam.ts, registers.ts, and the type
 * of the processor.
 *
 * A delivery checks and translates everything before it changes anything, so that one which faults leaves the state of before
 * for the next. The exception is a task gate: behind its commit point (tasks.ts) a fault is one of the new task.
 * Source: Intel SDM volume 3, sections 6.10 to 6.15 (gates, stack switch, error codes, double fault), 7.3 (task gates), 20.1.4
 * (real mode), 20.3.1 (out of virtual-8086 mode); volume 2, INT n.
 */

import { FlatEntry } from "./compile/flat";
import type { Cpu } from "./cpu";
import { DebugControl, DebugStatus, resumes } from "./debug";
import { readEflags, writeEflags } from "./eflags";
import { COPROCESSOR_FREEZE, ErrorCode, generalProtection, NO_ERROR_CODE, raise, Vector } from "./faults";
import { finishWrite, put16, put32, systemReadAt } from "./memory";
import { fillRealSegment, virtualMode } from "./realmode";
import { Attention, Cr0, Event, Flag, Layout, Register, Time, Word } from "./registers";
import { CpuEvent } from "./seam";
import {
  Attribute,
  clearSegment,
  Descriptor,
  DPL_SHIFT,
  fetchDescriptor,
  fillSegment,
  isNull,
  markDescriptor,
  refreshMode,
  SystemType,
  selectorError,
  TYPE_MASK,
  withinLimit,
} from "./segmentation";
import { TargetStack, wideTask } from "./stackswitch";
import { Switched, switchTask, TaskEntry, taskCanStart } from "./tasks";

const CS = 1;
const SS = 2;
/** Data segments as an interrupt out of virtual-8086 mode leaves them above SS, lowest first. */
const VIRTUAL_SAVED: readonly number[] = [0, 3, 4, 5];

/** Why a handler is entered. */
export const enum Source {
  /** A fault: the pushed EFLAGS have RF set. */
  Fault,
  /** INT n, INT3, INTO: the gate's DPL counts. */
  Software,
  /** A trap or an external interrupt. */
  External,
}

/** What came of the way to a handler. */
const enum Entered {
  /** A fault is raised instead, and nothing has changed. */
  No = 0,
  Yes = 1,
  /** A task gate was passed, and a fault is raised in the new task. */
  WithFault = 2,
}

const code = new Descriptor();
const stack = new TargetStack();

/** Enters the handler of a vector; EIP is what will be pushed. Charges the entry. */
function enterHandler(cpu: Cpu, vector: number, source: Source, errorCode: number): Entered {
  const { r, view } = cpu;
  const pushed = source === Source.Fault ? readEflags(r) | Flag.RF : readEflags(r);
  const software = source === Source.Software ? 1 : 0;
  const pushesError = errorCode === NO_ERROR_CODE ? 0 : 1;
  const flat = cpu.runtime.enterFlat(vector, software, pushed, errorCode, pushesError, r[Word.Eip]);
  if (flat !== FlatEntry.No) {
    cpu.time[Time.ResumeAt] = -1;
    entered(cpu, vector, errorCode, flat === FlatEntry.InnerRing);
    return Entered.Yes;
  }
  if ((r[Word.Cr0] & Cr0.PE) === 0) return enterRealMode(cpu, vector);
  const external = source === Source.Software ? 0 : ErrorCode.External;
  const gateError = (vector << 3) | ErrorCode.Idt | external;
  if ((vector << 3) + 7 > r[Word.IdtLimit]) return refuse(cpu, gateError);
  const gate = systemReadAt(cpu, (r[Word.IdtBase] + (vector << 3)) | 0, 8);
  if (gate < 0) return Entered.No;
  const low = view.getInt32(gate, true);
  const high = view.getInt32(gate + 4, true);
  const isTask = (high & (Attribute.NotSystem | TYPE_MASK)) === SystemType.TaskGate;
  // Else S = 0 and one of the four types that end in 6, 7, E, F.
  if (!isTask && (high & 0x1600) !== 0x600) return refuse(cpu, gateError);
  if (source === Source.Software && ((high >> DPL_SHIFT) & 3) < r[Word.Cpl]) return refuse(cpu, gateError);
  if ((high & 0x8000) === 0) {
    raise(cpu, Vector.NotPresent, gateError);
    return Entered.No;
  }
  if (isTask) return enterTask(cpu, low >>> 16, vector, source, errorCode);
  const wide = (high & 0x800) !== 0;
  const selector = low >>> 16;
  const target = (low & 0xffff) | (wide ? high & 0xffff0000 : 0);

  if (isNull(selector)) return refuse(cpu, external);
  if (!fetchDescriptor(cpu, selector, code, Vector.GeneralProtection, external)) return Entered.No;
  if (!code.isCode || code.dpl > r[Word.Cpl]) return refuse(cpu, selectorError(selector) | external);
  if (!code.present) {
    raise(cpu, Vector.NotPresent, selectorError(selector) | external);
    return Entered.No;
  }
  const inner = !code.isConforming && code.dpl < r[Word.Cpl];
  const level = inner ? code.dpl : r[Word.Cpl];
  const virtual = virtualMode(r);
  // The way out of virtual-8086 mode leads to ring 0, and nowhere else.
  if (virtual && (!inner || level !== 0)) return refuse(cpu, selectorError(selector) | external);
  if (!inner) stack.usePresent(cpu);
  else if (!stack.useInner(cpu, level, external)) return Entered.No;

  const words = (virtual ? 9 : inner ? 5 : 3) + (errorCode === NO_ERROR_CODE ? 0 : 1);
  const bytes = words * (wide ? 4 : 2);
  const size = wide ? 4 : 2;
  let frame = stack.frame(cpu, bytes, size, external);
  if (frame < 0) return Entered.No;
  if (!withinLimit(code.limit, code.attributes, target, 1)) return refuse(cpu, external);
  if (stack.isUnmarked || (code.high & Attribute.Accessed) === 0) {
    // Marking goes through the buffer that the frame may be in.
    if (!markDescriptor(cpu, code, Attribute.Accessed) || !stack.setAccessed(cpu)) return Entered.No;
    frame = stack.frame(cpu, bytes, size, external);
    if (frame < 0) return Entered.No;
  }

  const flags = readEflags(r);
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
  if (virtual) {
    for (const [i, segment] of VIRTUAL_SAVED.entries()) {
      put(view, at + (5 + i) * size, wide, r[Word.Selector + segment]);
      clearSegment(cpu, segment, 0);
    }
  }
  if (frame < Layout.Ram) finishWrite(cpu, frame);

  stack.commit(cpu, bytes);
  fillSegment(cpu, CS, (selector & ~3) | level, code);
  r[Word.Eip] = target;
  const cleared = Flag.TF | Flag.NT | Flag.RF | Flag.VM | ((high & 0x100) !== 0 ? 0 : Flag.IF);
  cpu.time[Time.ResumeAt] = -1;
  writeEflags(r, flags & ~cleared);
  refreshMode(cpu);
  entered(cpu, vector, errorCode, inner);
  return Entered.Yes;
}

/** Goes through a task gate: a nested task, with the error code on its stack. */
function enterTask(cpu: Cpu, selector: number, vector: number, source: Source, errorCode: number): Entered {
  const { r } = cpu;
  const external = source === Source.Software ? 0 : ErrorCode.External;
  const flags = readEflags(r);
  const switched = switchTask(
    cpu,
    selector,
    TaskEntry.Call,
    external,
    source === Source.Fault ? flags | Flag.RF : flags,
  );
  if (switched === Switched.No) return Entered.No;
  entered(cpu, vector, errorCode, false);
  if (switched === Switched.WithFault) return Entered.WithFault;
  if (errorCode !== NO_ERROR_CODE && !pushErrorCode(cpu, errorCode, external)) return Entered.WithFault;
  if (!taskCanStart(cpu, external)) return Entered.WithFault;
  if (switched === Switched.WithTrap) debugException(cpu, DebugStatus.BT);
  return Entered.Yes;
}

/** Pushes an error code on the new task's stack, as wide as its TSS. False: a fault is raised. */
function pushErrorCode(cpu: Cpu, errorCode: number, external: number): boolean {
  const size = wideTask(cpu.r) ? 4 : 2;
  stack.usePresent(cpu);
  const at = stack.frame(cpu, size, size, external);
  if (at < 0) return false;
  if (size === 4) put32(cpu, at, errorCode);
  else put16(cpu, at, errorCode);
  stack.commit(cpu, size);
  return true;
}

/** Switches to a task by JMP, CALL or IRET. False: a fault is raised. EIP must be that behind the instruction. */
export function transferToTask(cpu: Cpu, selector: number, entry: TaskEntry): boolean {
  const switched = switchTask(cpu, selector, entry, 0, readEflags(cpu.r));
  if (switched === Switched.No) return false;
  cpu.r[Word.TrapArmed] = 0;
  if (switched === Switched.WithFault || !taskCanStart(cpu, 0)) deliverFault(cpu);
  else if (switched === Switched.WithTrap) debugException(cpu, DebugStatus.BT);
  return true;
}

function put(view: DataView, at: number, wide: boolean, value: number): void {
  if (wide) view.setInt32(at, value, true);
  else view.setInt16(at, value, true);
}

function refuse(cpu: Cpu, errorCode: number): Entered {
  generalProtection(cpu, errorCode);
  return Entered.No;
}

function entered(cpu: Cpu, vector: number, errorCode: number, inner: boolean): void {
  const { costs, listener, r, time } = cpu;
  time[Time.Cycles] += costs.trapEntry + (inner ? costs.trapRingChange : 0);
  r[Word.Attention] &= ~(Attention.Halted | Attention.Shadow | Attention.StackShadow);
  r[Word.TrapArmed] = 0;
  if (listener !== null) listener(CpuEvent.TrapEntry, vector, errorCode);
}

/** Real mode: four bytes a vector, three words on the stack, no error code. */
function enterRealMode(cpu: Cpu, vector: number): Entered {
  const { r, view } = cpu;
  if ((vector << 2) + 3 > r[Word.IdtLimit]) return refuse(cpu, 0);
  const at = systemReadAt(cpu, (r[Word.IdtBase] + (vector << 2)) | 0, 4);
  if (at < 0) return Entered.No;
  const target = view.getInt32(at, true);
  stack.usePresent(cpu);
  const frame = stack.frame(cpu, 6, 2, 0);
  if (frame < 0) return Entered.No;
  if (!withinLimit(r[Word.Limit + CS], r[Word.Attributes + CS], target & 0xffff, 1)) return refuse(cpu, 0);
  const flags = readEflags(r);
  view.setInt16(frame + 4, flags, true);
  view.setInt16(frame + 2, r[Word.Selector + CS], true);
  view.setInt16(frame, r[Word.Eip], true);
  if (frame < Layout.Ram) finishWrite(cpu, frame);
  stack.commit(cpu, 6);
  fillRealSegment(cpu, CS, target >>> 16);
  r[Word.Eip] = target & 0xffff;
  cpu.time[Time.ResumeAt] = -1;
  writeEflags(r, flags & ~(Flag.TF | Flag.IF | Flag.RF | Flag.AC));
  refreshMode(cpu);
  entered(cpu, vector, NO_ERROR_CODE, false);
  return Entered.Yes;
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
  r[Word.DebugPending] = 0;
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
    if (enterHandler(cpu, vector, Source.Fault, errorCode) === Entered.Yes) return;
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

/** Delivers an interrupt or trap between two instructions, and whatever fault that leads to. RF is pushed as it is. */
export function interrupt(cpu: Cpu, vector: number): void {
  if (resumes(cpu)) cpu.r[Word.Eflags] |= Flag.RF;
  if (enterHandler(cpu, vector, Source.External, NO_ERROR_CODE) !== Entered.Yes) deliverFault(cpu);
}

/**
 * INT n and its kin (`source` External: INT1, which no gate's DPL stops), as an instruction: a fault that leaves it undone is
 * raised, one in a new task is delivered.
 */
export function softwareInterrupt(cpu: Cpu, vector: number, source: Source = Source.Software): void {
  if (enterHandler(cpu, vector, source, NO_ERROR_CODE) === Entered.WithFault) deliverFault(cpu);
}

/** Delivers #DB with bits of DR6, for breakpoints and single steps. The handler may use the debug registers: GD is cleared. */
export function debugException(cpu: Cpu, status: number): void {
  cpu.r[Word.Dr6] |= status;
  cpu.r[Word.Dr7] &= ~DebugControl.GD;
  interrupt(cpu, Vector.Debug);
}

/** Delivers the NMI that is pending. */
export function nonMaskable(cpu: Cpu): void {
  const { r } = cpu;
  r[Word.NmiPending] = 0;
  r[Word.NmiBlocked] = 1;
  r[Word.Attention] &= ~Attention.Nmi;
  interrupt(cpu, Vector.NonMaskable);
}

/** IRET, whether or not it faults: the next NMI may come. */
export function unblockNmi(cpu: Cpu): void {
  const { r } = cpu;
  r[Word.NmiBlocked] = 0;
  if (r[Word.NmiPending] !== 0) r[Word.Attention] |= Attention.Nmi;
}
