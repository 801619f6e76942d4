/**
 * PUSH POP PUSHA POPA ENTER LEAVE, and the stack accesses that the other families use. May import operand.ts, memory.ts,
 * segmentation.ts, stackswitch.ts, registers.ts, types. Everything is translated before the first change: a push that faults leaves ESP alone.
 * Source: Intel SDM volume 1, chapter 6; volume 2, under each mnemonic.
 */
import type { Cpu } from "../cpu";
import { Segment } from "../instruction";
import { FAULT, finishWrite, put16, put32, readAt, wrappedReadAt, wrappedWriteAt, writeAt } from "../memory";
import type { Handler, Operation } from "../operation";
import { Layout, Register, Word } from "../registers";
import { Attribute, setStackPointer, stackPointer } from "../segmentation";
import { frameWraps, nameFirstPush } from "../stackswitch";
import { checkedRead, checkedWrite, effectiveAddress, operandRead } from "./operand";

const SS = Segment.SS;
const ESP = Register.ESP;
const EBP = Register.EBP;

/** Whether the stack pointer is ESP, not SP. */
function wide(r: Int32Array): boolean {
  return (r[Word.Attributes + SS] & Attribute.Big) !== 0;
}

/** A stack offset cut to the stack's width. */
function wrapped(r: Int32Array, offset: number): number {
  return wide(r) ? offset | 0 : offset & 0xffff;
}

/** Host offset for reading `size` bytes at `distance` bytes above the stack pointer, or FAULT. */
export function stackRead(cpu: Cpu, op: Operation, distance: number, size: number): number {
  const { r } = cpu;
  if (op.checked === 0) return readAt(cpu, (r[ESP] + distance) | 0, size);
  return checkedRead(cpu, SS, wrapped(r, r[ESP] + distance), size);
}

/** Host offset for writing `size` bytes at `distance` bytes above (negative: below) the stack pointer, or FAULT. */
export function stackWrite(cpu: Cpu, op: Operation, distance: number, size: number): number {
  const { r } = cpu;
  if (op.checked === 0) return writeAt(cpu, (r[ESP] + distance) | 0, size);
  return checkedWrite(cpu, SS, wrapped(r, r[ESP] + distance), size);
}

/**
 * stackRead for `count` values of `part` bytes, which are aligned when the first of them is, and may lie on both sides of the
 * edge of a 16-bit stack.
 */
export function stackReadParts(cpu: Cpu, op: Operation, distance: number, part: number, count: number): number {
  return stackReadFrame(cpu, op, distance, part, part * count);
}

/** The same for a frame of `bytes` bytes, whose last value may be shorter. */
export function stackReadFrame(cpu: Cpu, op: Operation, distance: number, part: number, bytes: number): number {
  const { r } = cpu;
  const offset = wrapped(r, r[ESP] + distance);
  if (op.checked !== 0 && frameWraps(r[Word.Limit + SS], r[Word.Attributes + SS], offset, bytes, part)) {
    return wrappedReadAt(cpu, r[Word.Base + SS], offset, bytes, r[Word.Cpl] === 3 ? 1 : 0);
  }
  r[Word.Part] = part;
  const at = stackRead(cpu, op, distance, bytes);
  r[Word.Part] = 0;
  return at;
}

/** stackWrite for them, pushed one after the other from the uppermost down. */
export function stackWriteParts(cpu: Cpu, op: Operation, distance: number, part: number, count: number): number {
  const { r } = cpu;
  const offset = wrapped(r, r[ESP] + distance);
  if (op.checked !== 0 && frameWraps(r[Word.Limit + SS], r[Word.Attributes + SS], offset, part * count, part)) {
    return wrappedWriteAt(cpu, r[Word.Base + SS], offset, part * count, r[Word.Cpl] === 3 ? 1 : 0);
  }
  // The uppermost alone before all of them: of what keeps each from being pushed, the first push's is told.
  if (stackWrite(cpu, op, distance + part * (count - 1), part) < 0) return FAULT;
  r[Word.Part] = part;
  const at = stackWrite(cpu, op, distance, part * count);
  r[Word.Part] = 0;
  if (at < 0) nameFirstPush(r, (r[Word.Base + SS] + offset) | 0, part * count, part);
  return at;
}

/** Moves the stack pointer by `bytes`. */
export function moveStack(cpu: Cpu, op: Operation, bytes: number): void {
  const { r } = cpu;
  if (op.checked === 0) r[ESP] += bytes;
  else setStackPointer(r, stackPointer(r) + bytes);
}

/** Pushes; false when it faulted. */
export function push32(cpu: Cpu, op: Operation, value: number): boolean {
  const at = stackWrite(cpu, op, -4, 4);
  if (at < 0) return false;
  put32(cpu, at, value);
  moveStack(cpu, op, -4);
  return true;
}

export function push16(cpu: Cpu, op: Operation, value: number): boolean {
  const at = stackWrite(cpu, op, -2, 2);
  if (at < 0) return false;
  put16(cpu, at, value);
  moveStack(cpu, op, -2);
  return true;
}

/** Memory destination of POP: an address with ESP as base is that after the pop. */
function popTarget(cpu: Cpu, op: Operation, size: number): number {
  const { r } = cpu;
  const shift = op.base === ESP ? size : 0;
  const offset = effectiveAddress(r, op) + shift;
  if (op.checked === 0) return writeAt(cpu, offset | 0, size);
  return checkedWrite(cpu, op.segment, op.addressSize === 2 ? offset & 0xffff : offset | 0, size);
}

/**
 * ENTER with `size` 2 or 4 and a level of 0 to 31. All that it reads and writes is translated first, in the order in which it
 * does so; then it goes on word by word, because the frame pointers that it copies may lie where it pushes. Only one that pushes over the page tables of its own
 * stack can fault there; then what it has pushed stays, below ESP.
 */
function enter(cpu: Cpu, op: Operation, size: number): void {
  const { r, view } = cpu;
  const level = op.immediate2 & 31;
  // The upper half is ESP's even where the stack has 16 bits.
  const frame = wide(r) ? r[ESP] - size : (r[ESP] & ~0xffff) | ((r[ESP] - size) & 0xffff);
  const bytes = (level === 0 ? 1 : level + 1) * size;
  for (let i = 0; i <= level; i++) {
    if (i > 0 && i < level && frameRead(cpu, op, r[EBP] - i * size, size) < 0) return;
    if (stackWrite(cpu, op, -(i + 1) * size, size) < 0) return;
  }
  // The room for locals must be writable too, at least at its end, where a push would be.
  if (op.immediate !== 0 && stackWrite(cpu, op, -bytes - op.immediate, size) < 0) return;
  for (let i = 0; i <= level; i++) {
    let value = i === 0 ? r[EBP] : frame;
    if (i > 0 && i < level) {
      const from = frameRead(cpu, op, r[EBP] - i * size, size);
      if (from < 0) return;
      value = size === 4 ? view.getInt32(from, true) : view.getInt16(from, true);
    }
    const to = stackWrite(cpu, op, -(i + 1) * size, size);
    if (to < 0) return;
    if (size === 4) put32(cpu, to, value);
    else put16(cpu, to, value);
  }
  if (size === 4) r[EBP] = frame;
  else cpu.r16[EBP << 1] = frame;
  setStackPointer(r, frame + size - bytes - op.immediate);
}

function frameRead(cpu: Cpu, op: Operation, offset: number, size: number): number {
  if (op.checked === 0) return readAt(cpu, offset | 0, size);
  return checkedRead(cpu, SS, wrapped(cpu.r, offset), size);
}

export const STACK: Readonly<Record<string, Handler>> = {
  "push r4"(cpu, op) {
    push32(cpu, op, cpu.r[op.destination]);
  },
  "push r2"(cpu, op) {
    push16(cpu, op, cpu.r16[op.destination]);
  },
  "push i"(cpu, op) {
    if (op.operandSize === 4) push32(cpu, op, op.immediate);
    else push16(cpu, op, op.immediate);
  },
  "push m4"(cpu, op) {
    const at = operandRead(cpu, op, 4);
    if (at >= 0) push32(cpu, op, cpu.view.getInt32(at, true));
  },
  "push m2"(cpu, op) {
    const at = operandRead(cpu, op, 2);
    if (at >= 0) push16(cpu, op, cpu.view.getInt16(at, true));
  },
  // Two bytes are written whatever the operand size (volume 3, 22.31.1: 486, P6 family; the Pentium writes four).
  "push s"(cpu, op) {
    const at = stackWrite(cpu, op, -op.operandSize, 2);
    if (at < 0) return;
    put16(cpu, at, cpu.r[Word.Selector + op.reg]);
    moveStack(cpu, op, -op.operandSize);
  },
  "pop r4"(cpu, op) {
    const at = stackRead(cpu, op, 0, 4);
    if (at < 0) return;
    const value = cpu.view.getInt32(at, true);
    moveStack(cpu, op, 4);
    cpu.r[op.destination] = value;
  },
  "pop r2"(cpu, op) {
    const at = stackRead(cpu, op, 0, 2);
    if (at < 0) return;
    const value = cpu.view.getInt16(at, true);
    moveStack(cpu, op, 2);
    cpu.r16[op.destination] = value;
  },
  "pop m4"(cpu, op) {
    const from = stackRead(cpu, op, 0, 4);
    if (from < 0) return;
    const value = cpu.view.getInt32(from, true);
    const at = popTarget(cpu, op, 4);
    if (at < 0) return;
    put32(cpu, at, value);
    moveStack(cpu, op, 4);
  },
  "pop m2"(cpu, op) {
    const from = stackRead(cpu, op, 0, 2);
    if (from < 0) return;
    const value = cpu.view.getInt16(from, true);
    const at = popTarget(cpu, op, 2);
    if (at < 0) return;
    put16(cpu, at, value);
    moveStack(cpu, op, 2);
  },
  pushad(cpu, op) {
    const at = stackWriteParts(cpu, op, -32, 4, 8);
    if (at < 0) return;
    const { r, view } = cpu;
    for (let register = 0; register < 8; register++) view.setInt32(at + 28 - register * 4, r[register], true);
    if (at < Layout.Ram) finishWrite(cpu, at);
    moveStack(cpu, op, -32);
  },
  pushaw(cpu, op) {
    const at = stackWriteParts(cpu, op, -16, 2, 8);
    if (at < 0) return;
    const { r, view } = cpu;
    for (let register = 0; register < 8; register++) view.setInt16(at + 14 - register * 2, r[register], true);
    if (at < Layout.Ram) finishWrite(cpu, at);
    moveStack(cpu, op, -16);
  },
  // The word for ESP is thrown away.
  popad(cpu, op) {
    const at = stackReadParts(cpu, op, 0, 4, 8);
    if (at < 0) return;
    const { r, view } = cpu;
    for (let register = 0; register < 8; register++) {
      if (register !== ESP) r[register] = view.getInt32(at + 28 - register * 4, true);
    }
    moveStack(cpu, op, 32);
  },
  popaw(cpu, op) {
    const at = stackReadParts(cpu, op, 0, 2, 8);
    if (at < 0) return;
    const { r16, view } = cpu;
    for (let register = 0; register < 8; register++) {
      if (register !== ESP) r16[register << 1] = view.getInt16(at + 14 - register * 2, true);
    }
    moveStack(cpu, op, 16);
  },
  "enter i i"(cpu, op) {
    enter(cpu, op, op.operandSize);
  },
  leave(cpu, op) {
    const { r, r16, view } = cpu;
    const size = op.operandSize;
    const at = frameRead(cpu, op, r[EBP], size);
    if (at < 0) return;
    const frame = r[EBP];
    if (size === 4) r[EBP] = view.getInt32(at, true);
    else r16[EBP << 1] = view.getInt16(at, true);
    if (op.checked === 0) r[ESP] = frame + size;
    else setStackPointer(r, frame + size);
  },
};
