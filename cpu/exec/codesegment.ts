/**
 * What transfers to another code segment have in common: reading its descriptor, its last checks, and loading CS and EIP.
 * May import segmentation.ts, realmode.ts, faults.ts, registers.ts, and the type of the processor.
 * Source: Intel SDM volume 3, section 5.8.
 */
import type { Cpu } from "../cpu";
import { generalProtection, raise, Vector } from "../faults";
import { Segment } from "../instruction";
import { fillRealSegment } from "../realmode";
import { Word } from "../registers";
import {
  Attribute,
  type Descriptor,
  fetchDescriptor,
  fillSegment,
  isNull,
  markDescriptor,
  refreshMode,
  selectorError,
  withinLimit,
} from "../segmentation";

const CS = Segment.CS;

/** Reads a word of 2 or 4 bytes at a host offset. */
export function word(view: DataView, at: number, size: number): number {
  return size === 4 ? view.getInt32(at, true) : view.getUint16(at, true);
}

/** Writes it. */
export function putWord(view: DataView, at: number, size: number, value: number): void {
  if (size === 4) view.setInt32(at, value, true);
  else view.setInt16(at, value, true);
}

/** Reads the descriptor of a far pointer. False: a fault is raised. */
export function resolve(cpu: Cpu, selector: number, out: Descriptor): boolean {
  if (isNull(selector)) {
    generalProtection(cpu, 0);
    return false;
  }
  return fetchDescriptor(cpu, selector, out);
}

/** Present, or #NP. */
export function present(cpu: Cpu, descriptor: Descriptor, selector: number): boolean {
  if (descriptor.present) return true;
  raise(cpu, Vector.NotPresent, selectorError(selector));
  return false;
}

/** EIP within the segment, or #GP(0); and the accessed bit, or the page fault that setting it is. */
export function enterable(cpu: Cpu, descriptor: Descriptor, offset: number): boolean {
  if (withinLimit(descriptor.limit, descriptor.attributes, offset, 1)) {
    return markDescriptor(cpu, descriptor, Attribute.Accessed);
  }
  generalProtection(cpu, 0);
  return false;
}

/** Loads CS and EIP. The stack segment of the new level must have been loaded, the accessed bit set. */
export function setCode(cpu: Cpu, selector: number, level: number, descriptor: Descriptor, offset: number): void {
  fillSegment(cpu, CS, (selector & ~3) | level, descriptor);
  cpu.r[Word.Eip] = offset;
  refreshMode(cpu);
}

/** Whether an offset lies within CS as it is, as real and virtual-8086 mode want it; #GP(0) where it does not. */
export function withinRealCode(cpu: Cpu, offset: number): boolean {
  const { r } = cpu;
  if (withinLimit(r[Word.Limit + CS], r[Word.Attributes + CS], offset, 1)) return true;
  generalProtection(cpu, 0);
  return false;
}

/** Loads CS and EIP as real and virtual-8086 mode do. */
export function setRealCode(cpu: Cpu, selector: number, offset: number): void {
  fillRealSegment(cpu, CS, selector);
  cpu.r[Word.Eip] = offset;
  refreshMode(cpu);
}
