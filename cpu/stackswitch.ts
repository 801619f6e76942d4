/**
 * Stacks that a transfer pushes its frame on: the present one, or an inner ring's from the TSS. Interrupts and call gates;
 * and frames that wrap at 64 KB.
 * May import segmentation.ts, memory.ts, faults.ts, registers.ts, and the type of the processor.
 * Source: Intel SDM volume 3, sections 5.8.5 (stack switching), 6.12.1, 7.2 (TSS).
 */
import type { Cpu } from "./cpu";
import { raise, Vector } from "./faults";
import { FAULT, systemReadAt, systemWriteAt, wrappedWriteAt } from "./memory";
import { TR, Word } from "./registers";
import {
  Attribute,
  checkStackSegment,
  Descriptor,
  fillSegment,
  markDescriptor,
  SystemType,
  selectorError,
  setStackPointer,
  stackPointer,
  TYPE_MASK,
  withinLimit,
} from "./segmentation";

const SS = 2;

/** Whether the running task's TSS is a 32-bit one. */
export function wideTask(r: Int32Array): boolean {
  const type = r[Word.Attributes + TR] & TYPE_MASK;
  return type === SystemType.Tss32 || type === SystemType.Tss32Busy;
}

/**
 * Whether a frame of `bytes` at `offset` of a 16-bit stack is pushed, element by element, over the edge of 64 KB: no element
 * of `size` bytes may lie across it.
 */
export function frameWraps(limit: number, attributes: number, offset: number, bytes: number, size: number): boolean {
  if ((attributes & Attribute.Big) !== 0 || offset + bytes <= 0x10000 || size === bytes) return false;
  const first = 0x10000 - offset;
  return (
    first % size === 0 &&
    withinLimit(limit, attributes, offset, first) &&
    withinLimit(limit, attributes, 0, bytes - first)
  );
}

/**
 * After a frame of `bytes` at a linear address could not be written for a page fault: makes CR2 what the pushes one by one,
 * elements of `size` bytes from the uppermost down, would have left there. Of two missing pages the lower one is told: who
 * cares asks for the uppermost first.
 */
export function nameFirstPush(r: Int32Array, frame: number, bytes: number, size: number): void {
  if (r[Word.FaultVector] !== Vector.PageFault) return;
  const page = ((r[Word.Cr2] & ~0xfff) - frame) | 0;
  const end = Math.min(bytes, page + 0x1000);
  const uppermost = Math.floor((end - 1) / size) * size;
  r[Word.Cr2] = frame + Math.max(page, uppermost);
}

/** A stack before the frame is pushed. Made once and used again. */
export class TargetStack {
  private selector = 0;
  private pointer = 0;
  private base = 0;
  private limit = 0;
  private attributes = 0;
  private level = 0;
  private inner = false;
  private readonly descriptor = new Descriptor();

  /** The present stack. */
  usePresent(cpu: Cpu): void {
    const { r } = cpu;
    this.pointer = stackPointer(r);
    this.base = r[Word.Base + SS];
    this.limit = r[Word.Limit + SS];
    this.attributes = r[Word.Attributes + SS];
    this.level = r[Word.Cpl];
    this.inner = false;
  }

  /** The stack of an inner level from the TSS. False: a fault is raised, with `external` in its error code. */
  useInner(cpu: Cpu, level: number, external: number): boolean {
    const { r, view } = cpu;
    const { descriptor } = this;
    const wide = wideTask(r);
    const offset = wide ? 4 + 8 * level : 2 + 4 * level;
    const bytes = wide ? 6 : 4;
    if (r[Word.Attributes + TR] === 0 || offset + bytes - 1 > r[Word.Limit + TR] >>> 0) {
      raise(cpu, Vector.InvalidTss, selectorError(r[Word.Selector + TR]) | external);
      return false;
    }
    const at = systemReadAt(cpu, (r[Word.Base + TR] + offset) | 0, bytes);
    if (at === FAULT) return false;
    this.pointer = wide ? view.getInt32(at, true) : view.getUint16(at, true);
    this.selector = view.getUint16(at + (wide ? 4 : 2), true);
    if (!checkStackSegment(cpu, this.selector, level, Vector.InvalidTss, external, descriptor)) return false;
    this.base = descriptor.base;
    this.limit = descriptor.limit;
    this.attributes = descriptor.attributes;
    this.level = level;
    this.inner = true;
    return true;
  }

  /**
   * Host offset for a frame of `bytes` in elements of `size` below the pointer; FAULT: #SS or #PF is raised. `external` as
   * above.
   */
  frame(cpu: Cpu, bytes: number, size: number, external: number): number {
    const wide = (this.attributes & Attribute.Big) !== 0;
    const offset = wide ? (this.pointer - bytes) | 0 : (this.pointer - bytes) & 0xffff;
    const byUser = this.level === 3 ? 1 : 0;
    if (!withinLimit(this.limit, this.attributes, offset, bytes)) {
      if (frameWraps(this.limit, this.attributes, offset, bytes, size)) {
        return wrappedWriteAt(cpu, this.base, offset, bytes, byUser);
      }
      raise(cpu, Vector.StackFault, this.inner ? selectorError(this.selector) | external : external);
      return FAULT;
    }
    const linear = (this.base + offset) | 0;
    const at = systemWriteAt(cpu, linear, bytes, byUser);
    if (at < 0) nameFirstPush(cpu.r, linear, bytes, size);
    return at;
  }

  /** Whether setAccessed has something to do. */
  get isUnmarked(): boolean {
    return this.inner && (this.descriptor.high & Attribute.Accessed) === 0;
  }

  /** Sets the accessed bit of an inner stack's segment. False: a fault is raised. A frame must be asked for anew. */
  setAccessed(cpu: Cpu): boolean {
    return !this.inner || markDescriptor(cpu, this.descriptor, Attribute.Accessed);
  }

  /** Moves the stack pointer below the frame, and loads SS where the ring changes. refreshMode must follow then. */
  commit(cpu: Cpu, bytes: number): void {
    const { r } = cpu;
    if (!this.inner) {
      setStackPointer(r, this.pointer - bytes);
      return;
    }
    fillSegment(cpu, SS, this.selector, this.descriptor);
    setStackPointer(r, this.pointer - bytes);
  }
}
