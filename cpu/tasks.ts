/**
 * Task switches: a JMP, CALL, IRET, interrupt or exception that leads to a task state segment.
 * May import segmentation.ts, realmode.ts, memory.ts, paging.ts, debug.ts, eflags.ts, faults.ts, registers.ts, and the type of the processor.
 *
 * Up to the commit point everything is checked and translated and nothing is written: a fault there is the switching
 * instruction's own. Behind it the processor is in the new task: the registers are loaded, and a segment that is not good
 * leaves its register unusable with the new selector, and a fault that finds EIP, CPL and stack of the new task.
 *
 *     32-bit TSS                                16-bit TSS
 *     00 link      04–1B stacks of rings 0–2    00 link  02–0D stacks of rings 0–2
 *     1C CR3       20 EIP      24 EFLAGS                 0E IP        10 FLAGS
 *     28 EAX ECX EDX EBX ESP EBP ESI EDI        12 AX CX DX BX SP BP SI DI
 *     48 ES CS SS DS FS GS                      22 ES CS SS DS
 *     60 LDT       64 T, 66 I/O map             2A LDT
 *
 * Source: Intel SDM volume 3, sections 7.2 (TSS), 7.3 (the steps; table 7-1), 7.4 (nesting), 7.6 (16-bit TSS).
 */
import type { Cpu } from "./cpu";
import { DebugControl, refreshBreakpoints, setResume } from "./debug";
import { writeEflags } from "./eflags";
import { faulted, raise, Vector } from "./faults";
import { FAULT, finishWrite, put16, put32, systemReadAt, systemWriteAt } from "./memory";
import { setControlWords } from "./paging";
import { fillRealSegment } from "./realmode";
import { Cr0, Flag, Layout, LDTR, Time, TR, Word } from "./registers";
import {
  Attribute,
  clearSegment,
  Descriptor,
  DPL_SHIFT,
  fetchDescriptor,
  fillSegment,
  isNull,
  loadByDescriptor,
  markDescriptor,
  refreshMode,
  SystemType,
  selectorError,
  withinLimit,
} from "./segmentation";

/** How a task comes to run: what becomes of the old task's busy bit, of NT, and of the link. */
export const enum TaskEntry {
  /** The old task is left. */
  Jump,
  /** The old task waits; the new one has its selector in the link, and NT set. */
  Call,
  /** IRET: back to the task that waits. */
  Return,
}

/** What came of a switch. */
export const enum Switched {
  /** A fault is raised, and nothing has changed. */
  No,
  Yes,
  /** The new task runs, and its T bit asks for a debug trap. */
  WithTrap,
  /** The new task runs, and a fault is raised in it. */
  WithFault,
}

const CS = 1;
const SS = 2;
/** ES DS FS GS. */
const DATA_SEGMENTS: readonly number[] = [0, 3, 4, 5];

interface TssLayout {
  /** Bytes of a register. */
  readonly size: number;
  /** The least limit of a TSS that is entered, and of one that is left. */
  readonly limit: number;
  readonly savedLimit: number;
  /** Offsets: the instruction pointer with flags, registers and segments behind it. */
  readonly eip: number;
  readonly eflags: number;
  readonly general: number;
  readonly segments: number;
  readonly segmentCount: number;
  readonly ldt: number;
}

const TSS32: TssLayout = {
  size: 4,
  limit: 0x67,
  savedLimit: 0x5f,
  eip: 0x20,
  eflags: 0x24,
  general: 0x28,
  segments: 0x48,
  segmentCount: 6,
  ldt: 0x60,
};
const TSS16: TssLayout = {
  size: 2,
  limit: 0x2b,
  savedLimit: 0x29,
  eip: 0x0e,
  eflags: 0x10,
  general: 0x12,
  segments: 0x22,
  segmentCount: 4,
  ldt: 0x2a,
};
const CR3_FIELD = 0x1c;
const TRAP_FIELD = 0x64;

const BUSY = SystemType.Tss32Busy ^ SystemType.Tss32;
const WIDE = SystemType.Tss32 ^ SystemType.Tss16;
/** A stack that nothing may use, whose DPL still is the privilege level: code that cannot be read. */
const UNUSABLE_STACK = Attribute.Code;
/** A 16-bit TSS has no upper halves: the registers' are set. */
const UPPER_HALF = 0xffff0000 | 0;

const next = new Descriptor();
const segment = new Descriptor();
/** The new TSS as it was before anything was written. */
const image = new DataView(new ArrayBuffer(TSS32.limit + 1));
const imageBytes = new Uint8Array(image.buffer);

function layoutOf(attributes: number): TssLayout {
  return (attributes & WIDE) !== 0 ? TSS32 : TSS16;
}

function fail(cpu: Cpu, vector: Vector, errorCode: number): false {
  raise(cpu, vector, errorCode);
  return false;
}

/**
 * Switches to the task whose TSS a selector names. EIP must be what the old task is to go on with, and `savedFlags` its
 * EFLAGS. `external` (0 or 1) goes into error codes. The caller has checked the privilege to do so.
 */
export function switchTask(
  cpu: Cpu,
  selector: number,
  entry: TaskEntry,
  external: number,
  savedFlags: number,
): Switched {
  const { r } = cpu;
  if (!findTask(cpu, selector, entry, external)) return Switched.No;
  const layout = layoutOf(next.high);
  const from = layoutOf(r[Word.Attributes + TR]);
  const old = r[Word.Selector + TR];
  if (r[Word.Limit + TR] >>> 0 < from.savedLimit) {
    raise(cpu, Vector.InvalidTss, selectorError(old) | external);
    return Switched.No;
  }
  const nextBase = next.base;
  const { limit } = layout;
  const at = systemReadAt(cpu, nextBase, limit + 1);
  if (at === FAULT) return Switched.No;
  imageBytes.set(cpu.bytes.subarray(at, at + limit + 1));
  const oldHigh = descriptorHigh(r, old);
  const nextHigh = descriptorHigh(r, selector);
  const writable =
    (entry !== TaskEntry.Call || systemWriteAt(cpu, nextBase, 2) !== FAULT) &&
    (entry === TaskEntry.Return || systemWriteAt(cpu, nextHigh, 4) !== FAULT) &&
    (entry === TaskEntry.Call || systemWriteAt(cpu, oldHigh, 4) !== FAULT);
  if (!writable || !saveState(cpu, from, entry === TaskEntry.Return ? savedFlags & ~Flag.NT : savedFlags)) {
    return Switched.No;
  }

  if (entry !== TaskEntry.Call) setBusy(cpu, oldHigh, 0);
  if (entry !== TaskEntry.Return) setBusy(cpu, nextHigh, BUSY);
  next.high |= BUSY;
  if (entry === TaskEntry.Call) {
    const link = systemWriteAt(cpu, nextBase, 2);
    if (link !== FAULT) put16(cpu, link, old);
  }
  fillSegment(cpu, TR, selector, next);
  cpu.time[Time.Cycles] += cpu.costs.taskSwitch;
  return loadState(cpu, layout, entry, external);
}

/** Reads and checks the descriptor of the TSS that is to run into `next`. */
function findTask(cpu: Cpu, selector: number, entry: TaskEntry, external: number): boolean {
  const vector = entry === TaskEntry.Return ? Vector.InvalidTss : Vector.GeneralProtection;
  const errorCode = selectorError(selector) | external;
  // A TSS lies in the GDT.
  if ((selector & 4) !== 0) return fail(cpu, vector, errorCode);
  if (!fetchDescriptor(cpu, selector, next, vector, external)) return false;
  const wanted = entry === TaskEntry.Return ? SystemType.Tss16Busy : SystemType.Tss16;
  if ((next.systemType & ~WIDE) !== wanted) return fail(cpu, vector, errorCode);
  if (!next.present) return fail(cpu, Vector.NotPresent, errorCode);
  if (next.limit >>> 0 < layoutOf(next.high).limit) return fail(cpu, Vector.InvalidTss, errorCode);
  return true;
}

/** Linear address of the second word of a GDT descriptor. */
function descriptorHigh(r: Int32Array, selector: number): number {
  return (r[Word.GdtBase] + (selector & 0xfff8) + 4) | 0;
}

function setBusy(cpu: Cpu, address: number, busy: number): void {
  const at = systemWriteAt(cpu, address, 4);
  if (at !== FAULT) put32(cpu, at, (cpu.view.getInt32(at, true) & ~BUSY) | busy);
}

/** Writes the registers into the TSS that is left: the first write of a switch. */
function saveState(cpu: Cpu, layout: TssLayout, flags: number): boolean {
  const { r, view } = cpu;
  const { size, eip, eflags, general, segments, segmentCount, savedLimit } = layout;
  const start = systemWriteAt(cpu, (r[Word.Base + TR] + eip) | 0, savedLimit + 1 - eip);
  if (start === FAULT) return false;
  const base = start - eip;
  const put = (offset: number, value: number): void => {
    if (size === 4) view.setInt32(base + offset, value, true);
    else view.setInt16(base + offset, value, true);
  };
  put(eip, r[Word.Eip]);
  put(eflags, flags);
  for (let register = 0; register < 8; register++) put(general + register * size, r[register]);
  // Selectors are words in both; what lies above them stays.
  for (let i = 0; i < segmentCount; i++) view.setInt16(base + segments + i * size, r[Word.Selector + i], true);
  if (start < Layout.Ram) finishWrite(cpu, start);
  return true;
}

/** Loads everything from `image`. */
function loadState(cpu: Cpu, layout: TssLayout, entry: TaskEntry, external: number): Switched {
  const { r } = cpu;
  const { size, eip, eflags, general, segments, segmentCount, ldt } = layout;
  const wide = size === 4;
  const get = (offset: number): number => (wide ? image.getInt32(offset, true) : image.getUint16(offset, true));

  const directory = image.getInt32(CR3_FIELD, true);
  if (wide && (r[Word.Cr0] & Cr0.PG) !== 0 && directory !== r[Word.Cr3]) setControlWords(cpu, 3, directory);
  r[Word.Cr0] |= Cr0.TS;
  r[Word.Dr7] &= ~DebugControl.Local;
  r[Word.Eip] = get(eip);
  for (let register = 0; register < 8; register++) {
    const value = get(general + register * size);
    r[register] = wide ? value : value | UPPER_HALF;
  }
  const flags = get(eflags) | (entry === TaskEntry.Call ? Flag.NT : 0);
  writeEflags(r, flags);
  cpu.time[Time.ResumeAt] = -1;
  if ((flags & Flag.RF) !== 0) setResume(cpu);
  const selectors = Array.from({ length: 6 }, (_, i) =>
    i < segmentCount ? image.getUint16(segments + i * size, true) : 0,
  );
  const virtual = (r[Word.Eflags] & Flag.VM) !== 0;
  for (const [number, selector] of selectors.entries()) {
    if (virtual) fillRealSegment(cpu, number, selector);
    else clearSegment(cpu, number, selector);
  }
  if (!virtual) r[Word.Attributes + SS] = UNUSABLE_STACK | ((selectors[CS] & 3) << DPL_SHIFT);
  clearSegment(cpu, LDTR, image.getUint16(ldt, true));
  refreshMode(cpu);
  // A write above can only have failed where the state lies in its own page tables.
  const good = !faulted(cpu) && loadLdt(cpu, external) && (virtual || loadSegments(cpu, selectors, external));
  refreshMode(cpu);
  refreshBreakpoints(cpu);
  if (!good) return Switched.WithFault;
  return wide && (image.getUint16(TRAP_FIELD, true) & 1) !== 0 ? Switched.WithTrap : Switched.Yes;
}

function loadLdt(cpu: Cpu, external: number): boolean {
  const selector = cpu.r[Word.Selector + LDTR];
  if (isNull(selector)) return true;
  const errorCode = selectorError(selector) | external;
  if ((selector & 4) !== 0) return fail(cpu, Vector.InvalidTss, errorCode);
  if (!fetchDescriptor(cpu, selector, segment, Vector.InvalidTss, external)) return false;
  if (segment.systemType !== SystemType.Ldt || !segment.present) return fail(cpu, Vector.InvalidTss, errorCode);
  fillSegment(cpu, LDTR, selector, segment);
  return true;
}

/** CS, which decides the privilege level; then SS, ES, DS, FS, GS. */
function loadSegments(cpu: Cpu, selectors: readonly number[], external: number): boolean {
  return (
    loadCode(cpu, selectors[CS], external) &&
    loadByDescriptor(cpu, SS, selectors[SS], Vector.InvalidTss, external) &&
    DATA_SEGMENTS.every((number) => loadByDescriptor(cpu, number, selectors[number], Vector.InvalidTss, external))
  );
}

function loadCode(cpu: Cpu, selector: number, external: number): boolean {
  const errorCode = selectorError(selector) | external;
  if (isNull(selector)) return fail(cpu, Vector.InvalidTss, errorCode);
  if (!fetchDescriptor(cpu, selector, segment, Vector.InvalidTss, external)) return false;
  const rpl = selector & 3;
  const fits = segment.isCode && (segment.isConforming ? segment.dpl <= rpl : segment.dpl === rpl);
  if (!fits) return fail(cpu, Vector.InvalidTss, errorCode);
  if (!segment.present) return fail(cpu, Vector.NotPresent, errorCode);
  if (!markDescriptor(cpu, segment, Attribute.Accessed)) return false;
  fillSegment(cpu, CS, selector, segment);
  return true;
}

/** Whether EIP of a task that has been switched to lies within its code segment; #GP(external) is raised in it if not. */
export function taskCanStart(cpu: Cpu, external: number): boolean {
  const { r } = cpu;
  if (withinLimit(r[Word.Limit + CS], r[Word.Attributes + CS], r[Word.Eip], 1)) return true;
  return fail(cpu, Vector.GeneralProtection, external);
}

/** The link of the running task's TSS, for an IRET with NT set; -1: a fault is raised. */
export function linkedTask(cpu: Cpu): number {
  const { r } = cpu;
  if (r[Word.Limit + TR] >>> 0 < 1) {
    raise(cpu, Vector.InvalidTss, selectorError(r[Word.Selector + TR]));
    return -1;
  }
  const at = systemReadAt(cpu, r[Word.Base + TR], 2);
  return at === FAULT ? -1 : cpu.view.getUint16(at, true);
}
