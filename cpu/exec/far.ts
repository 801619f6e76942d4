/**
 * Transfers to another code segment: far JMP, CALL and RET, through call gates too, IRET, and INT n, INT3, INTO, INT1, BOUND.
 * May import operand.ts, stack.ts, flags.ts, interrupts.ts, stackswitch.ts, segmentation.ts, memory.ts, faults.ts, eflags.ts,
 * seam.ts, registers.ts, types. Tasks are not there: a TSS or task gate as a target, and IRET with NT set, raise #UD; so does
 * an IRET to virtual-8086 mode.
 * Everything is checked and translated before the first change.
 * Source: Intel SDM volume 2, under each mnemonic; volume 3, section 5.8 (privilege at transfers).
 */
import type { Cpu } from "../cpu";
import { overflow } from "../eflags";
import { generalProtection, invalidOpcode, NO_ERROR_CODE, raise, Vector } from "../faults";
import { Segment } from "../instruction";
import { enterHandler, Source, unblockNmi } from "../interrupts";
import { finishWrite } from "../memory";
import type { Handler, Operation } from "../operation";
import { Cr0, Flag, Layout, Register, Time, Word } from "../registers";
import { CpuEvent } from "../seam";
import {
  Attribute,
  checkStackSegment,
  Descriptor,
  dropInnerSegments,
  fetchDescriptor,
  fillSegment,
  isNull,
  markDescriptor,
  refreshMode,
  SystemType,
  selectorError,
  setStackPointer,
  stackPointer,
  TYPE_MASK,
  withinLimit,
} from "../segmentation";
import { TargetStack } from "../stackswitch";
import { loadFlags } from "./flags";
import { checkedRead, operandParts, operandRead } from "./operand";
import { moveStack, stackReadParts, stackWriteParts } from "./stack";

const CS = Segment.CS;
const SS = Segment.SS;
const ESP = Register.ESP;

const target = new Descriptor();
const gate = new Descriptor();
const outerStack = new Descriptor();
const callStack = new TargetStack();

/** Reads a word of 2 or 4 bytes at a host offset. */
function word(view: DataView, at: number, size: number): number {
  return size === 4 ? view.getInt32(at, true) : view.getUint16(at, true);
}

function putWord(view: DataView, at: number, size: number, value: number): void {
  if (size === 4) view.setInt32(at, value, true);
  else view.setInt16(at, value, true);
}

/** Present, or #NP; and EIP within the segment, or #GP(0). */
function enterable(cpu: Cpu, descriptor: Descriptor, selector: number, offset: number): boolean {
  if (!descriptor.present) raise(cpu, Vector.NotPresent, selectorError(selector));
  else if (!withinLimit(descriptor.limit, descriptor.attributes, offset, 1)) generalProtection(cpu, 0);
  else return true;
  return false;
}

/** Loads CS and EIP; the accessed bit has been set. */
function setCode(cpu: Cpu, selector: number, level: number, descriptor: Descriptor, offset: number): void {
  fillSegment(cpu, CS, (selector & ~3) | level, descriptor);
  cpu.r[Word.Eip] = offset;
  refreshMode(cpu);
}

/** A real-mode transfer. */
function setRealCode(cpu: Cpu, selector: number, offset: number): void {
  const { r } = cpu;
  r[Word.Selector + CS] = selector;
  r[Word.Base + CS] = selector << 4;
  r[Word.Eip] = offset;
  refreshMode(cpu);
}

function isReal(cpu: Cpu): boolean {
  return (cpu.r[Word.Cr0] & Cr0.PE) === 0;
}

/** Checks a code segment as the direct target of JMP or CALL: it runs at the present level. */
function directTarget(cpu: Cpu, selector: number, offset: number): boolean {
  const cpl = cpu.r[Word.Cpl];
  const fits = target.isConforming ? target.dpl <= cpl : (selector & 3) <= cpl && target.dpl === cpl;
  if (!fits) {
    generalProtection(cpu, selectorError(selector));
    return false;
  }
  return enterable(cpu, target, selector, offset) && markDescriptor(cpu, target, Attribute.Accessed);
}

/** Reads the descriptor of a far pointer into `target`. */
function resolve(cpu: Cpu, selector: number): boolean {
  if (isNull(selector)) {
    generalProtection(cpu, 0);
    return false;
  }
  return fetchDescriptor(cpu, selector, target);
}

/**
 * Reads the call gate that is in `target` into `gate`, and its code segment into `target`. False: a fault is raised. What is
 * neither gate nor task is #GP.
 */
function throughGate(cpu: Cpu, selector: number): boolean {
  const type = target.systemType;
  if (type !== SystemType.CallGate32 && type !== SystemType.CallGate16) {
    const task = type === SystemType.TaskGate || type === SystemType.Tss32 || type === SystemType.Tss16;
    if (task) invalidOpcode(cpu);
    else generalProtection(cpu, selectorError(selector));
    return false;
  }
  if (target.dpl < Math.max(cpu.r[Word.Cpl], selector & 3)) {
    generalProtection(cpu, selectorError(selector));
    return false;
  }
  if (!target.present) {
    raise(cpu, Vector.NotPresent, selectorError(selector));
    return false;
  }
  gate.low = target.low;
  gate.high = target.high;
  const code = gate.low >>> 16;
  if (!resolve(cpu, code)) return false;
  if (!target.isCode || target.dpl > cpu.r[Word.Cpl]) {
    generalProtection(cpu, selectorError(code));
    return false;
  }
  return true;
}

/** Whether the gate in `gate` is a 32-bit one, and the offset that it leads to. */
function gateIsWide(): boolean {
  return (gate.high & TYPE_MASK) === SystemType.CallGate32;
}
function gateOffset(): number {
  return (gate.low & 0xffff) | (gateIsWide() ? gate.high & 0xffff0000 : 0);
}

function farJump(cpu: Cpu, selector: number, offset: number): void {
  if (isReal(cpu)) {
    setRealCode(cpu, selector, offset);
    return;
  }
  if (!resolve(cpu, selector)) return;
  const cpl = cpu.r[Word.Cpl];
  if (target.isCode) {
    if (directTarget(cpu, selector, offset)) setCode(cpu, selector, cpl, target, offset);
    return;
  }
  if (!throughGate(cpu, selector)) return;
  const code = gate.low >>> 16;
  // A jump changes no ring.
  if (!target.isConforming && target.dpl !== cpl) {
    generalProtection(cpu, selectorError(code));
    return;
  }
  if (!enterable(cpu, target, code, gateOffset()) || !markDescriptor(cpu, target, Attribute.Accessed)) return;
  setCode(cpu, code, cpl, target, gateOffset());
}

/** Pushes CS and EIP on the present stack; false when it faulted. */
function pushReturn(cpu: Cpu, op: Operation, size: number): boolean {
  const { r, view } = cpu;
  const at = stackWriteParts(cpu, op, -2 * size, size, 2);
  if (at < 0) return false;
  putWord(view, at + size, size, r[Word.Selector + CS]);
  putWord(view, at, size, r[Word.Eip]);
  if (at < Layout.Ram) finishWrite(cpu, at);
  moveStack(cpu, op, -2 * size);
  return true;
}

function farCall(cpu: Cpu, op: Operation, selector: number, offset: number): void {
  const size = op.operandSize;
  if (isReal(cpu)) {
    if (pushReturn(cpu, op, size)) setRealCode(cpu, selector, offset);
    return;
  }
  if (!resolve(cpu, selector)) return;
  const cpl = cpu.r[Word.Cpl];
  if (target.isCode) {
    if (!directTarget(cpu, selector, offset)) return;
    if (pushReturn(cpu, op, size)) setCode(cpu, selector, cpl, target, offset);
    return;
  }
  if (!throughGate(cpu, selector)) return;
  const code = gate.low >>> 16;
  if (!target.isConforming && target.dpl < cpl) {
    innerCall(cpu, code);
    return;
  }
  if (!enterable(cpu, target, code, gateOffset()) || !markDescriptor(cpu, target, Attribute.Accessed)) return;
  if (pushReturn(cpu, op, gateIsWide() ? 4 : 2)) setCode(cpu, code, cpl, target, gateOffset());
}

/** A call through the gate in `gate` to the inner ring of `target`: SS, ESP, parameters, CS and EIP on the new stack. */
function innerCall(cpu: Cpu, selector: number): void {
  const { r, view, bytes } = cpu;
  const size = gateIsWide() ? 4 : 2;
  const level = target.dpl;
  const parameters = (gate.high & 31) * size;
  if (!callStack.useInner(cpu, level, 0)) return;
  if (!enterable(cpu, target, selector, gateOffset())) return;
  const frameBytes = 4 * size + parameters;
  const pushed = new Uint8Array(parameters);
  if (parameters > 0) {
    const from = checkedRead(cpu, SS, stackPointer(r), parameters);
    if (from < 0) return;
    pushed.set(bytes.subarray(from, from + parameters));
  }
  if (!markDescriptor(cpu, target, Attribute.Accessed)) return;
  const frame = callStack.frame(cpu, frameBytes, 0);
  if (frame < 0) return;
  putWord(view, frame + frameBytes - size, size, r[Word.Selector + SS]);
  putWord(view, frame + frameBytes - 2 * size, size, r[ESP]);
  bytes.set(pushed, frame + 2 * size);
  putWord(view, frame + size, size, r[Word.Selector + CS]);
  putWord(view, frame, size, r[Word.Eip]);
  if (frame < Layout.Ram) finishWrite(cpu, frame);
  callStack.commit(cpu, frameBytes);
  setCode(cpu, selector, level, target, gateOffset());
  cpu.time[Time.Cycles] += cpu.costs.farRingChange;
}

/** Reads and checks the code segment that a return goes to into `target`. False: a fault is raised. */
function returnTarget(cpu: Cpu, selector: number, offset: number): boolean {
  const rpl = selector & 3;
  if (!resolve(cpu, selector)) return false;
  const fits =
    target.isCode && rpl >= cpu.r[Word.Cpl] && (target.isConforming ? target.dpl <= rpl : target.dpl === rpl);
  if (!fits) {
    generalProtection(cpu, selectorError(selector));
    return false;
  }
  return enterable(cpu, target, selector, offset) && markDescriptor(cpu, target, Attribute.Accessed);
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

/** Checks the stack segment of an outer ring into `outerStack`. */
function outerStackOk(cpu: Cpu, selector: number, level: number): boolean {
  return (
    checkStackSegment(cpu, selector, level, Vector.GeneralProtection, 0, outerStack) &&
    markDescriptor(cpu, outerStack, Attribute.Accessed)
  );
}

/** Far return that drops `extra` bytes of arguments (from both stacks when the ring changes). */
function farReturn(cpu: Cpu, op: Operation, extra: number): void {
  const { r, view } = cpu;
  const size = op.operandSize;
  const at = stackReadParts(cpu, op, 0, size, 2);
  if (at < 0) return;
  const offset = word(view, at, size);
  const selector = view.getUint16(at + size, true);
  if (isReal(cpu)) {
    moveStack(cpu, op, 2 * size + extra);
    setRealCode(cpu, selector, offset);
    return;
  }
  if (!returnTarget(cpu, selector, offset)) return;
  if ((selector & 3) === r[Word.Cpl]) {
    moveStack(cpu, op, 2 * size + extra);
    setCode(cpu, selector, r[Word.Cpl], target, offset);
    return;
  }
  const outer = stackReadParts(cpu, op, 2 * size + extra, size, 2);
  if (outer < 0) return;
  const pointer = word(view, outer, size);
  const stack = view.getUint16(outer + size, true);
  if (outerStackOk(cpu, stack, selector & 3)) goOut(cpu, selector, offset, stack, pointer + extra);
}

/** IRET, IRETD. */
function interruptReturn(cpu: Cpu, op: Operation): void {
  const { r, view } = cpu;
  unblockNmi(cpu);
  const size = op.operandSize;
  if (!isReal(cpu) && (r[Word.Eflags] & Flag.NT) !== 0) {
    invalidOpcode(cpu);
    return;
  }
  const at = stackReadParts(cpu, op, 0, size, 3);
  if (at < 0) return;
  const offset = word(view, at, size);
  const selector = view.getUint16(at + size, true);
  const flags = word(view, at + 2 * size, size);
  if (isReal(cpu)) {
    moveStack(cpu, op, 3 * size);
    setRealCode(cpu, selector, offset);
    loadFlags(cpu, flags, size);
    return;
  }
  if (size === 4 && (flags & Flag.VM) !== 0 && r[Word.Cpl] === 0) {
    invalidOpcode(cpu);
    return;
  }
  if (!returnTarget(cpu, selector, offset)) return;
  if ((selector & 3) === r[Word.Cpl]) {
    moveStack(cpu, op, 3 * size);
    loadFlags(cpu, flags, size);
    setCode(cpu, selector, r[Word.Cpl], target, offset);
  } else {
    const outer = stackReadParts(cpu, op, 3 * size, size, 2);
    if (outer < 0) return;
    const pointer = word(view, outer, size);
    const stack = view.getUint16(outer + size, true);
    if (!outerStackOk(cpu, stack, selector & 3)) return;
    // With the rights of the inner ring.
    loadFlags(cpu, flags, size);
    goOut(cpu, selector, offset, stack, pointer);
  }
  if (cpu.listener !== null) cpu.listener(CpuEvent.Iret, r[Word.Eip] >>> 0, r[Word.Cpl]);
}

/** BOUND: the index against two signed bounds in memory. */
function bound(cpu: Cpu, op: Operation, size: number): void {
  const at = operandParts(cpu, op, size, 2);
  if (at < 0) return;
  const { view } = cpu;
  const index = size === 4 ? cpu.r[op.destination] : (cpu.r16[op.destination] << 16) >> 16;
  const low = size === 4 ? view.getInt32(at, true) : view.getInt16(at, true);
  const high = size === 4 ? view.getInt32(at + 4, true) : view.getInt16(at + 2, true);
  if (index < low || index > high) raise(cpu, Vector.BoundRange);
}

/** Applies a transfer to the far pointer in memory. */
function indirect(
  size: number,
  transfer: (cpu: Cpu, op: Operation, selector: number, offset: number) => void,
): Handler {
  return (cpu, op) => {
    const at = size === 2 ? operandParts(cpu, op, 2, 2) : operandRead(cpu, op, 6);
    if (at >= 0) transfer(cpu, op, cpu.view.getUint16(at + size, true), word(cpu.view, at, size));
  };
}

const jumpTo = (cpu: Cpu, _op: Operation, selector: number, offset: number): void => farJump(cpu, selector, offset);

export const FAR: Readonly<Record<string, Handler>> = {
  "jmp p"(cpu, op) {
    farJump(cpu, op.immediate2, op.immediate);
  },
  "jmp mf4": indirect(4, jumpTo),
  "jmp mf2": indirect(2, jumpTo),
  "call p"(cpu, op) {
    farCall(cpu, op, op.immediate2, op.immediate);
  },
  "call mf4": indirect(4, farCall),
  "call mf2": indirect(2, farCall),
  retf(cpu, op) {
    farReturn(cpu, op, 0);
  },
  "retf i"(cpu, op) {
    farReturn(cpu, op, op.immediate);
  },
  iretd(cpu, op) {
    interruptReturn(cpu, op);
  },
  iretw(cpu, op) {
    interruptReturn(cpu, op);
  },
  "int i"(cpu, op) {
    enterHandler(cpu, op.immediate, Source.Software, NO_ERROR_CODE);
  },
  int3(cpu) {
    enterHandler(cpu, Vector.Breakpoint, Source.Software, NO_ERROR_CODE);
  },
  into(cpu) {
    if (overflow(cpu.r)) enterHandler(cpu, Vector.Overflow, Source.Software, NO_ERROR_CODE);
  },
  // A trap without the gate's privilege check.
  int1(cpu) {
    enterHandler(cpu, Vector.Debug, Source.External, NO_ERROR_CODE);
  },
  "bound r4 mb4"(cpu, op) {
    bound(cpu, op, 4);
  },
  "bound r2 mb2"(cpu, op) {
    bound(cpu, op, 2);
  },
};
