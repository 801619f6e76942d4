/**
 * Segments: from an offset to a linear address with all checks, descriptors from the GDT and LDT into segment registers, and
 * what the rest of the processor derives from them (CPL, code size, whether everything is flat).
 * May import registers.ts, realmode.ts, paging.ts, memory.ts, faults.ts, and the type of the processor.
 *
 * Attributes word (Word.Attributes), the descriptor's second word with base and limit cut out; 0 when unusable:
 *
 *     23  22  21  20 19    16 15  14 13  12  11   8
 *    +---+---+---+---+-------+---+------+---+------+
 *    | G |D/B| 0 |AVL|   0   | P | DPL  | S | type |
 *    +---+---+---+---+-------+---+------+---+------+
 *
 * CPL is the DPL of the stack segment, as in the processor's own hidden parts: the selector of CS says nothing of it between
 * a change of CR0.PE and the far jump behind it, nor in virtual-8086 mode.
 * Source: Intel SDM volume 3, sections 3.4 (descriptors), 5.3 to 5.7 (limits, types, privilege), 20.1 (real mode), 20.2
 * (virtual-8086 mode), 24.4.1 (where the privilege level is kept).
 */
import type { Cpu } from "./cpu";
import { faulted, raise, Vector } from "./faults";
import { finishWrite, systemReadAt, systemWriteAt } from "./memory";
import { refreshAccess } from "./paging";
import { fillRealSegment, realAddressing } from "./realmode";
import { Cr0, Layout, LDTR, Mode, Word } from "./registers";

export const enum Attribute {
  Accessed = 0x100,
  /** Data: writable. Code: readable. */
  WritableOrReadable = 0x200,
  /** Data: expand-down. Code: conforming. */
  DownOrConforming = 0x400,
  Code = 0x800,
  /** Code or data, as opposed to a system segment or gate. */
  NotSystem = 0x1000,
  Dpl = 0x6000,
  Present = 0x8000,
  Big = 0x400000,
  Granular = 0x800000,
  All = 0xf0ff00,
}

export const DPL_SHIFT = 13;

/** The four type bits of a system descriptor. */
export const TYPE_MASK = 0xf00;

/** Their values, in place. Gates of the IDT are told by their bits (interrupts.ts). */
export const enum SystemType {
  Tss16 = 0x100,
  Ldt = 0x200,
  Tss16Busy = 0x300,
  CallGate16 = 0x400,
  TaskGate = 0x500,
  Tss32 = 0x900,
  Tss32Busy = 0xb00,
  CallGate32 = 0xc00,
}

/** Attributes of a 4 GB ring-0 code and data segment. */
export const FLAT_CODE = 0xc09b00;
export const FLAT_DATA = 0xc09300;

const CS = 1;
const SS = 2;
const DS = 3;

/** A selector's bits above RPL: what error codes carry. */
const INDEX_AND_TABLE = 0xfffc;
const TABLE = 4;

/** Whether an attributes word is that of a data segment that grows down. */
function expandsDown(attributes: number): boolean {
  return (attributes & (Attribute.Code | Attribute.DownOrConforming)) === Attribute.DownOrConforming;
}

/** Whether `size` bytes at `offset` lie within a segment of this limit. */
export function withinLimit(limit: number, attributes: number, offset: number, size: number): boolean {
  const first = offset >>> 0;
  const last = first + size - 1;
  if (!expandsDown(attributes)) return limit === -1 || last <= limit >>> 0;
  return first > limit >>> 0 && last <= ((attributes & Attribute.Big) !== 0 ? 0xffffffff : 0xffff);
}

/**
 * Checks an access of `size` bytes at `offset` of a segment register, and leaves its linear address in Word.Linear. False:
 * #GP(0), or #SS(0) for SS, is raised. `write` is 0 or 1.
 */
export function linearAddress(cpu: Cpu, segment: number, offset: number, size: number, write: number): boolean {
  const { r } = cpu;
  const attributes = r[Word.Attributes + segment];
  if (accessible(r, attributes, write) && withinLimit(r[Word.Limit + segment], attributes, offset, size)) {
    r[Word.Linear] = r[Word.Base + segment] + offset;
    return true;
  }
  raise(cpu, segment === SS ? Vector.StackFault : Vector.GeneralProtection, 0);
  return false;
}

function accessible(r: Int32Array, attributes: number, write: number): boolean {
  // In real mode a code segment is as writable as any other.
  if ((r[Word.Cr0] & Cr0.PE) === 0) return true;
  if (attributes === 0) return false;
  const kind = attributes & (Attribute.Code | Attribute.WritableOrReadable);
  if (write !== 0) return kind === Attribute.WritableOrReadable;
  return kind !== Attribute.Code;
}

function flatData(r: Int32Array, segment: number): boolean {
  const kind =
    Attribute.Present |
    Attribute.NotSystem |
    Attribute.Code |
    Attribute.DownOrConforming |
    Attribute.WritableOrReadable;
  const wanted = Attribute.Present | Attribute.NotSystem | Attribute.WritableOrReadable;
  return (
    r[Word.Base + segment] === 0 && r[Word.Limit + segment] === -1 && (r[Word.Attributes + segment] & kind) === wanted
  );
}

/**
 * Derives Mode, Cpl and the access bits from the segment registers and CR0. Must follow every change of them.
 */
export function refreshMode(cpu: Cpu): void {
  const { r } = cpu;
  const code = r[Word.Attributes + CS];
  const flat =
    r[Word.Base + CS] === 0 &&
    r[Word.Limit + CS] === -1 &&
    (code & (Attribute.Code | Attribute.Big)) === (Attribute.Code | Attribute.Big) &&
    (r[Word.Attributes + SS] & Attribute.Big) !== 0 &&
    flatData(r, SS) &&
    flatData(r, DS) &&
    flatData(r, 0);
  const cpl = (r[Word.Cr0] & Cr0.PE) !== 0 ? (r[Word.Attributes + SS] & Attribute.Dpl) >> DPL_SHIFT : 0;
  const user = flat && cpl === 3 ? Mode.User : 0;
  r[Word.Mode] = ((code & Attribute.Big) !== 0 ? Mode.Code32 : 0) | (flat ? Mode.Flat : 0) | user;
  if (cpl !== r[Word.Cpl]) {
    r[Word.Cpl] = cpl;
    // What the fetch may reach depends on it.
    r[Word.FetchPage] = -1;
  }
  refreshAccess(cpu);
}

/** Offset of the stack pointer within SS: ESP, or SP in a 16-bit stack. */
export function stackPointer(r: Int32Array): number {
  return (r[Word.Attributes + SS] & Attribute.Big) !== 0 ? r[4] : r[4] & 0xffff;
}

/** Sets the stack pointer; the upper half of ESP stays in a 16-bit stack. */
export function setStackPointer(r: Int32Array, value: number): void {
  r[4] = (r[Word.Attributes + SS] & Attribute.Big) !== 0 ? value : (r[4] & ~0xffff) | (value & 0xffff);
}

/** A descriptor as read from its table. One is reused for all reads: not reentrant. */
export class Descriptor {
  selector = 0;
  low = 0;
  high = 0;

  get attributes(): number {
    return this.high & Attribute.All;
  }
  get base(): number {
    return (this.low >>> 16) | ((this.high & 0xff) << 16) | (this.high & 0xff000000);
  }
  /** In bytes, granularity applied, int32. */
  get limit(): number {
    const raw = (this.low & 0xffff) | (this.high & 0xf0000);
    return (this.high & Attribute.Granular) !== 0 ? (raw << 12) | 0xfff : raw;
  }
  get dpl(): number {
    return (this.high & Attribute.Dpl) >> DPL_SHIFT;
  }
  get present(): boolean {
    return (this.high & Attribute.Present) !== 0;
  }
  /** A code or data segment. */
  get notSystem(): boolean {
    return (this.high & Attribute.NotSystem) !== 0;
  }
  get isCode(): boolean {
    return (this.high & (Attribute.NotSystem | Attribute.Code)) === (Attribute.NotSystem | Attribute.Code);
  }
  get isConforming(): boolean {
    return this.isCode && (this.high & Attribute.DownOrConforming) !== 0;
  }
  get isWritableData(): boolean {
    const mask = Attribute.NotSystem | Attribute.Code | Attribute.WritableOrReadable;
    return (this.high & mask) === (Attribute.NotSystem | Attribute.WritableOrReadable);
  }
  /** Data, or code that may be read. */
  get isReadable(): boolean {
    if (!this.notSystem) return false;
    return (this.high & Attribute.Code) === 0 || (this.high & Attribute.WritableOrReadable) !== 0;
  }
  /** Type of a system descriptor, -1 for code and data. */
  get systemType(): number {
    return this.notSystem ? -1 : this.high & TYPE_MASK;
  }
}

/** Whether a selector is null: index 0 of the GDT. */
export function isNull(selector: number): boolean {
  return (selector & INDEX_AND_TABLE) === 0;
}

/** A selector as it stands in an error code. */
export function selectorError(selector: number): number {
  return selector & INDEX_AND_TABLE;
}

/** Linear address of a selector's descriptor in Word.Linear; false when it is outside its table. */
function locate(r: Int32Array, selector: number): boolean {
  const offset = selector & 0xfff8;
  if ((selector & TABLE) === 0) {
    if (offset + 7 > r[Word.GdtLimit]) return false;
    r[Word.Linear] = r[Word.GdtBase] + offset;
    return true;
  }
  if (r[Word.Attributes + LDTR] === 0 || offset + 7 > r[Word.Limit + LDTR] >>> 0) return false;
  r[Word.Linear] = r[Word.Base + LDTR] + offset;
  return true;
}

/** Reads a selector's descriptor. False: outside its table (nothing is raised), or a page fault (raised). */
export function readDescriptor(cpu: Cpu, selector: number, out: Descriptor): boolean {
  if (!locate(cpu.r, selector)) return false;
  const at = systemReadAt(cpu, cpu.r[Word.Linear], 8);
  if (at < 0) return false;
  out.selector = selector & 0xffff;
  out.low = cpu.view.getInt32(at, true);
  out.high = cpu.view.getInt32(at + 4, true);
  return true;
}

/**
 * Reads a selector's descriptor for an instruction that demands one: outside its table is `vector`(selector | external).
 * False: a fault is raised.
 */
export function fetchDescriptor(
  cpu: Cpu,
  selector: number,
  out: Descriptor,
  vector: Vector = Vector.GeneralProtection,
  external = 0,
): boolean {
  if (readDescriptor(cpu, selector, out)) return true;
  if (!faulted(cpu)) raise(cpu, vector, selectorError(selector) | external);
  return false;
}

/** Sets bits in the second word of a descriptor in memory where they are clear. False: a fault is raised. */
export function markDescriptor(cpu: Cpu, descriptor: Descriptor, bits: number): boolean {
  if ((descriptor.high & bits) === bits) return true;
  locate(cpu.r, descriptor.selector);
  const at = systemWriteAt(cpu, cpu.r[Word.Linear] + 4, 4);
  if (at < 0) return false;
  descriptor.high |= bits;
  cpu.view.setInt32(at, descriptor.high, true);
  if (at < Layout.Ram) finishWrite(cpu, at);
  return true;
}

/** Fills a segment register from a descriptor, without a check. refreshMode must follow. */
export function fillSegment(cpu: Cpu, segment: number, selector: number, descriptor: Descriptor): void {
  const { r } = cpu;
  r[Word.Selector + segment] = selector & 0xffff;
  r[Word.Base + segment] = descriptor.base;
  r[Word.Limit + segment] = descriptor.limit;
  r[Word.Attributes + segment] = descriptor.attributes;
}

/** Makes a segment register unusable, with a null selector. */
export function clearSegment(cpu: Cpu, segment: number, selector: number): void {
  const { r } = cpu;
  r[Word.Selector + segment] = selector & 0xffff;
  r[Word.Base + segment] = 0;
  r[Word.Limit + segment] = 0;
  r[Word.Attributes + segment] = 0;
}

const loaded = new Descriptor();

/** Loads ES, SS, DS, FS or GS as MOV, POP and LDS do. False: a fault is raised and nothing changed. */
export function loadSegment(cpu: Cpu, segment: number, selector: number): boolean {
  if (!realAddressing(cpu.r)) return loadByDescriptor(cpu, segment, selector, Vector.GeneralProtection, 0);
  fillRealSegment(cpu, segment, selector);
  refreshMode(cpu);
  return true;
}

/**
 * Loads one of them by its descriptor. False: a fault is raised and nothing changed. What is wrong with the selector or with
 * the descriptor's type or privilege is `vector`(selector | external); not present is #NP, or #SS for SS.
 */
export function loadByDescriptor(
  cpu: Cpu,
  segment: number,
  selector: number,
  vector: Vector,
  external: number,
): boolean {
  const { r } = cpu;
  if (segment === SS) {
    if (!checkStackSegment(cpu, selector, r[Word.Cpl], vector, external, loaded)) return false;
  } else if (isNull(selector)) {
    clearSegment(cpu, segment, selector);
    refreshMode(cpu);
    return true;
  } else {
    if (!fetchDescriptor(cpu, selector, loaded, vector, external)) return false;
    const privileged = Math.max(r[Word.Cpl], selector & 3);
    if (!loaded.isReadable || (!loaded.isConforming && loaded.dpl < privileged)) {
      raise(cpu, vector, selectorError(selector) | external);
      return false;
    }
    if (!loaded.present) {
      raise(cpu, Vector.NotPresent, selectorError(selector) | external);
      return false;
    }
  }
  if (!markDescriptor(cpu, loaded, Attribute.Accessed)) return false;
  fillSegment(cpu, segment, selector, loaded);
  refreshMode(cpu);
  return true;
}

/**
 * Reads and checks the descriptor of a stack segment for privilege level `cpl`: null is `vector`(external), everything else
 * `vector`(selector | external), not present #SS. False: a fault is raised.
 */
export function checkStackSegment(
  cpu: Cpu,
  selector: number,
  cpl: number,
  vector: Vector,
  external: number,
  out: Descriptor,
): boolean {
  if (isNull(selector)) {
    raise(cpu, vector, external);
    return false;
  }
  if (!fetchDescriptor(cpu, selector, out, vector, external)) return false;
  if ((selector & 3) !== cpl || out.dpl !== cpl || !out.isWritableData) {
    raise(cpu, vector, selectorError(selector) | external);
    return false;
  }
  if (!out.present) {
    raise(cpu, Vector.StackFault, selectorError(selector) | external);
    return false;
  }
  return true;
}

const DATA_SEGMENTS: readonly number[] = [0, 3, 4, 5];

/**
 * After a return to an outer ring: data segments that the new ring may not have become null, and null ones lose their RPL.
 * refreshMode must follow.
 */
export function dropInnerSegments(cpu: Cpu, cpl: number): void {
  const { r } = cpu;
  for (const segment of DATA_SEGMENTS) {
    const attributes = r[Word.Attributes + segment];
    const conforming = Attribute.Code | Attribute.DownOrConforming;
    if ((attributes & conforming) !== conforming && (attributes & Attribute.Dpl) >> DPL_SHIFT < cpl) {
      clearSegment(cpu, segment, 0);
    }
  }
}
