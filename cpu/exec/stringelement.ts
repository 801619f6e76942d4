/**
 * An element of a string instruction: where it is, its bytes, and the step from it to the next. May import memory.ts, operand.ts,
 * registers.ts, instruction.ts, types.
 * Source: Intel SDM volume 1, section 7.3.9 (string operations).
 */
import type { Cpu } from "../cpu";
import { Segment } from "../instruction";
import { put8, put16, put32, readAt, writeAt } from "../memory";
import type { Operation } from "../operation";
import { Flag, Register, Word } from "../registers";
import { checkedRead, checkedWrite } from "./operand";

const EAX = Register.EAX;
const ESI = Register.ESI;
const EDI = Register.EDI;

/** Host offset of the source element at (override or DS):[E]SI, or FAULT. */
export function sourceAt(cpu: Cpu, op: Operation, size: number): number {
  const { r } = cpu;
  if (op.checked === 0) return readAt(cpu, r[ESI], size);
  return checkedRead(cpu, op.segment, op.addressSize === 2 ? r[ESI] & 0xffff : r[ESI], size);
}

/** Host offset of the destination element at ES:[E]DI, for reading or for writing, or FAULT. */
export function destinationRead(cpu: Cpu, op: Operation, size: number): number {
  const { r } = cpu;
  if (op.checked === 0) return readAt(cpu, r[EDI], size);
  return checkedRead(cpu, Segment.ES, op.addressSize === 2 ? r[EDI] & 0xffff : r[EDI], size);
}
export function destinationWrite(cpu: Cpu, op: Operation, size: number): number {
  const { r } = cpu;
  if (op.checked === 0) return writeAt(cpu, r[EDI], size);
  return checkedWrite(cpu, Segment.ES, op.addressSize === 2 ? r[EDI] & 0xffff : r[EDI], size);
}

/** Moves an index register on by one element in the direction of DF. */
export function advance(cpu: Cpu, op: Operation, register: number, size: number): void {
  const { r, r16 } = cpu;
  const by = (r[Word.Eflags] & Flag.DF) !== 0 ? -size : size;
  if (op.addressSize === 4) r[register] += by;
  else r16[register << 1] += by;
}

/** An element at a host offset, sign-extended. */
export function load(cpu: Cpu, at: number, size: number): number {
  if (size === 4) return cpu.view.getInt32(at, true);
  return size === 1 ? cpu.view.getInt8(at) : cpu.view.getInt16(at, true);
}

export function store(cpu: Cpu, at: number, size: number, value: number): void {
  if (size === 4) put32(cpu, at, value);
  else if (size === 1) put8(cpu, at, value);
  else put16(cpu, at, value);
}

/** AL, AX or EAX, sign-extended. */
export function accumulator(cpu: Cpu, size: number): number {
  if (size === 4) return cpu.r[EAX];
  return size === 1 ? (cpu.r8[EAX] << 24) >> 24 : (cpu.r16[EAX] << 16) >> 16;
}

export function setAccumulator(cpu: Cpu, size: number, value: number): void {
  if (size === 4) cpu.r[EAX] = value;
  else if (size === 1) cpu.r8[EAX] = value;
  else cpu.r16[EAX] = value;
}
