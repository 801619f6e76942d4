/**
 * Far RET and IRET: within a ring, to an outer one, to virtual-8086 mode and within it, to the task that waits.
 * May import codesegment.ts, compile/, stack.ts, flags.ts, debug.ts, interrupts.ts, tasks.ts, segmentation.ts,
 * realmode.ts, faults.ts, eflags.ts, seam.ts, registers.ts, types. Everything is checked and translated before the first
 * change (for tasks: tasks.ts).
 * Source: Intel SDM volume 2, IRET and RET; volume 3, sections 5.8.6 (returns), 7.4 (nested tasks), 20.2.5 (virtual-8086).
 */

import { FlatEntry } from "../compile/flat";
import type { Cpu } from "../cpu";
import { setResume } from "../debug";
import { writeEflags } from "../eflags";
import { generalProtection, Vector } from "../faults";
import { Segment } from "../instruction";
import { transferToTask, unblockNmi } from "../interrupts";
import type { Handler, Operation } from "../operation";
import { fillRealSegment, realAddressing } from "../realmode";
import { Cr0, Flag, Time, Word } from "../registers";
import { CpuEvent } from "../seam";
import {
  Attribute,
  checkStackSegment,
  Descriptor,
  dropInnerSegments,
  fillSegment,
  markDescriptor,
  selectorError,
  setStackPointer,
} from "../segmentation";
import { linkedTask, TaskEntry } from "../tasks";
import { enterable, present, resolve, setCode, setRealCode, withinRealCode, word } from "./codesegment";
import { loadFlags, virtualAllowed } from "./flags";
import { moveStack, stackReadFrame, stackReadParts } from "./stack";

const SS = Segment.SS;
const REAL_LIMIT = 0xffff;
/** Segments in the order of a virtual-8086 frame above ESP. */
const VIRTUAL_SEGMENTS: readonly number[] = [Segment.SS, Segment.ES, Segment.DS, Segment.FS, Segment.GS];

const target = new Descriptor();
const outerStack = new Descriptor();

/** Reads and checks the code segment that a return goes to into `target`, all but EIP. False: a fault is raised. */
function returnTarget(cpu: Cpu, selector: number): boolean {
  const rpl = selector & 3;
  if (!resolve(cpu, selector, target)) return false;
  const fits =
    target.isCode && rpl >= cpu.r[Word.Cpl] && (target.isConforming ? target.dpl <= rpl : target.dpl === rpl);
  if (fits) return present(cpu, target, selector);
  generalProtection(cpu, selectorError(selector));
  return false;
}

/** Loads CS, EIP, SS and ESP of an outer ring, whose stack segment is in `outerStack`. */
function goOut(cpu: Cpu, selector: number, offset: number, stack: number, pointer: number): void {
  const level = selector & 3;
  fillSegment(cpu, SS, stack, outerStack);
  setStackPointer(cpu.r, pointer);
  dropInnerSegments(cpu, level);
  setCode(cpu, selector, level, target, offset);
  cpu.time[Time.Cycles] += cpu.costs.farRingChange;
}

/** Checks the stack segment of an outer ring into `outerStack`, and then EIP against `target`. */
function outerReady(cpu: Cpu, stack: number, level: number, offset: number): boolean {
  return (
    checkStackSegment(cpu, stack, level, Vector.GeneralProtection, 0, outerStack) &&
    enterable(cpu, target, offset) &&
    markDescriptor(cpu, outerStack, Attribute.Accessed)
  );
}

/** Far return that drops `extra` bytes of arguments (from both stacks when the ring changes). */
function farReturn(cpu: Cpu, op: Operation, extra: number): void {
  const { r, view } = cpu;
  const size = op.operandSize;
  // CS is popped as two bytes, though ESP moves by four.
  const at = stackReadFrame(cpu, op, 0, size, size + 2);
  if (at < 0) return;
  const offset = word(view, at, size);
  const selector = view.getUint16(at + size, true);
  if (realAddressing(r)) {
    if (!withinRealCode(cpu, offset)) return;
    moveStack(cpu, op, 2 * size + extra);
    setRealCode(cpu, selector, offset);
    return;
  }
  if (!returnTarget(cpu, selector)) return;
  if ((selector & 3) === r[Word.Cpl]) {
    if (!enterable(cpu, target, offset)) return;
    moveStack(cpu, op, 2 * size + extra);
    setCode(cpu, selector, r[Word.Cpl], target, offset);
    return;
  }
  const outer = stackReadParts(cpu, op, 2 * size + extra, size, 2);
  if (outer < 0) return;
  const pointer = word(view, outer, size);
  const stack = view.getUint16(outer + size, true);
  if (outerReady(cpu, stack, selector & 3, offset)) goOut(cpu, selector, offset, stack, pointer + extra);
}

/** IRETD at ring 0 with VM in the popped flags: ESP and five segments lie above the three words that are read. */
function returnToVirtual(cpu: Cpu, op: Operation, offset: number, selector: number, flags: number): boolean {
  const { r, view } = cpu;
  const at = stackReadParts(cpu, op, 12, 4, 6);
  if (at < 0) return false;
  if (offset >>> 0 > REAL_LIMIT) {
    generalProtection(cpu, 0);
    return false;
  }
  const pointer = view.getInt32(at, true);
  writeEflags(r, flags);
  if ((flags & Flag.RF) !== 0) setResume(cpu);
  for (const [i, segment] of VIRTUAL_SEGMENTS.entries()) {
    fillRealSegment(cpu, segment, view.getUint16(at + 4 + 4 * i, true));
  }
  r[4] = pointer;
  setRealCode(cpu, selector, offset);
  cpu.time[Time.Cycles] += cpu.costs.farRingChange;
  return true;
}

/** IRET in a protected mode that is no virtual-8086 mode, with three words read. False: a fault is raised. */
function protectedReturn(cpu: Cpu, op: Operation, offset: number, selector: number, flags: number): boolean {
  const { r, view } = cpu;
  const size = op.operandSize;
  if (!returnTarget(cpu, selector)) return false;
  if ((selector & 3) === r[Word.Cpl]) {
    if (!enterable(cpu, target, offset)) return false;
    moveStack(cpu, op, 3 * size);
    loadFlags(cpu, flags, size);
    setCode(cpu, selector, r[Word.Cpl], target, offset);
    return true;
  }
  const outer = stackReadParts(cpu, op, 3 * size, size, 2);
  if (outer < 0) return false;
  const pointer = word(view, outer, size);
  const stack = view.getUint16(outer + size, true);
  if (!outerReady(cpu, stack, selector & 3, offset)) return false;
  // With the rights of the inner ring.
  loadFlags(cpu, flags, size);
  goOut(cpu, selector, offset, stack, pointer);
  return true;
}

/** IRET in real and virtual-8086 mode, with three words read. False: a fault is raised. */
function realReturn(cpu: Cpu, op: Operation, offset: number, selector: number, flags: number): boolean {
  if (!withinRealCode(cpu, offset)) return false;
  moveStack(cpu, op, 3 * op.operandSize);
  setRealCode(cpu, selector, offset);
  loadFlags(cpu, flags, op.operandSize);
  return true;
}

/** IRETD by the short way; false: it is none for it. */
function returnShort(cpu: Cpu): boolean {
  const flat = cpu.runtime.returnFlat();
  if (flat === FlatEntry.InnerRing) cpu.time[Time.Cycles] += cpu.costs.farRingChange;
  return flat !== FlatEntry.No;
}

/** IRET, IRETD. */
const interruptReturn: Handler = (cpu, op) => {
  const { r, view } = cpu;
  unblockNmi(cpu);
  const real = realAddressing(r);
  if (!virtualAllowed(cpu)) return;
  if (!real && (r[Word.Eflags] & Flag.NT) !== 0) {
    const link = linkedTask(cpu);
    if (link < 0 || !transferToTask(cpu, link, TaskEntry.Return)) return;
  } else if (op.operandSize !== 4 || !returnShort(cpu)) {
    const size = op.operandSize;
    const at = stackReadParts(cpu, op, 0, size, 3);
    if (at < 0) return;
    const offset = word(view, at, size);
    const selector = view.getUint16(at + size, true);
    const flags = word(view, at + 2 * size, size);
    const toVirtual = size === 4 && (flags & Flag.VM) !== 0 && r[Word.Cpl] === 0;
    const go = real ? realReturn : toVirtual ? returnToVirtual : protectedReturn;
    if (!go(cpu, op, offset, selector, flags)) return;
  }
  if (cpu.listener !== null && (r[Word.Cr0] & Cr0.PE) !== 0)
    cpu.listener(CpuEvent.Iret, r[Word.Eip] >>> 0, r[Word.Cpl]);
};

export const RETURNS: Readonly<Record<string, Handler>> = {
  retf(cpu, op) {
    farReturn(cpu, op, 0);
  },
  "retf i"(cpu, op) {
    farReturn(cpu, op, op.immediate);
  },
  iretd: interruptReturn,
  iretw: interruptReturn,
};
