/**
 * Memory operands: effective addresses and their translation. May import memory.ts, segmentation.ts, registers.ts, types.
 * The address is base + index * scale + displacement, with no segment check where the operation was bound as unchecked: a
 * segment of base 0 and limit 4 GB lets every address through, so the check would change nothing (wrapping at 4 GB is
 * implementation-specific, and wraps here).
 * Source: Intel SDM volume 1, section 3.7.5; volume 3, section 5.3.
 */
import type { Cpu } from "../cpu";
import { FAULT, readAt, writeAt } from "../memory";
import type { Operation } from "../operation";
import { Word } from "../registers";
import { linearAddress } from "../segmentation";

/** Offset of the memory operand in its segment, int32. */
export function effectiveAddress(r: Int32Array, op: Operation): number {
  const offset = (r[op.base] + (r[op.index] << op.scale) + op.displacement) | 0;
  return op.addressSize === 2 ? offset & 0xffff : offset;
}

/** Host offset for reading the memory operand of `size` bytes, or FAULT. */
export function operandRead(cpu: Cpu, op: Operation, size: number): number {
  const { r } = cpu;
  if (op.checked !== 0) return checkedRead(cpu, op.segment, effectiveAddress(r, op), size);
  return readAt(cpu, (r[op.base] + (r[op.index] << op.scale) + op.displacement) | 0, size);
}

/** Host offset for reading `size` bytes at `distance` bytes behind the start of the memory operand, or FAULT. */
export function operandReadBehind(cpu: Cpu, op: Operation, distance: number, size: number): number {
  const offset = (effectiveAddress(cpu.r, op) + distance) | 0;
  return op.checked !== 0 ? checkedRead(cpu, op.segment, offset, size) : readAt(cpu, offset, size);
}

/** Host offset for writing it, or reading and writing it, or FAULT; then use put8, put16 or put32. */
export function operandWrite(cpu: Cpu, op: Operation, size: number): number {
  const { r } = cpu;
  if (op.checked !== 0) return checkedWrite(cpu, op.segment, effectiveAddress(r, op), size);
  return writeAt(cpu, (r[op.base] + (r[op.index] << op.scale) + op.displacement) | 0, size);
}

/** Host offset for reading `size` bytes at an offset of a segment, or FAULT. */
export function checkedRead(cpu: Cpu, segment: number, offset: number, size: number): number {
  if (!linearAddress(cpu, segment, offset, size, 0)) return FAULT;
  return readAt(cpu, cpu.r[Word.Linear], size);
}

/** Host offset for writing them, or FAULT. */
export function checkedWrite(cpu: Cpu, segment: number, offset: number, size: number): number {
  if (!linearAddress(cpu, segment, offset, size, 1)) return FAULT;
  return writeAt(cpu, cpu.r[Word.Linear], size);
}
