/**
 * The short way into a handler and back: between flat 32-bit segments of rings 0 and 3, where gate, descriptors, TSS and stack
 * are all hits in the host TLB. Kernels go no other way, thousands of times a second; the long way is interrupts.ts and
 * exec/return.ts, and each function here answers false, with nothing changed, for whatever is theirs.
 * May import registers.ts, segmentation.ts, eflags.ts, tlb.ts, exec/flags.ts, and the type of the processor.
 *
 * Invariant: what is done here is what the long way would do. Nothing is charged for a hit; nothing is read that could have
 * changed without being read again: a descriptor is recognised by both of its words.
 * Source: Intel SDM volume 3, sections 3.4.5 (descriptors), 6.12.1 (stack switch); volume 2, IRET.
 */

import type { Cpu } from "./cpu";
import { writeEflags } from "./eflags";
import { loadFlags } from "./exec/flags";
import { hitRead, hitWrite } from "./memory";
import { Cr0, Flag, Mode, Register, Time, TR, Word } from "./registers";
import { dropInnerSegments, FLAT_CODE, FLAT_DATA, refreshMode, SystemType, TYPE_MASK } from "./segmentation";
import { HostTlb } from "./tlb";

const CS = 1;
const SS = 2;
const FS = 4;
const ESP = Register.ESP;

/** Words of a descriptor of 4 GB from 0, present and accessed, of ring 0; and the bits that make it one of ring 3. */
export const FLAT_LOW = 0x0000ffff;
const CODE_HIGH = 0x00cf9b00;
export const DATA_HIGH = 0x00cf9300;
export const RING3 = 0x6000;

/** A 32-bit gate for interrupts or traps, present: its bits but DPL and the one that tells the two apart. */
const GATE_MASK = 0x9f00;
const GATE = 0x8e00;
const TRAP_BIT = 0x100;
const DPL_SHIFT = 13;

/** The last byte of a 32-bit TSS's SS0, and where ESP0 and SS0 are. */
const TSS_END = 9;
const TSS_ESP0 = 4;
const TSS_SS0 = 8;

/** How a handler was entered. */
export const enum FlatEntry {
  /** Not at all. */
  No = 0,
  SameRing = 1,
  InnerRing = 2,
}

/** Whether a selector's descriptor in the GDT is flat with this second word. */
function isFlat(cpu: Cpu, selector: number, high: number): boolean {
  const { r, view } = cpu;
  const offset = selector & 0xfff8;
  if ((selector & 4) !== 0 || offset === 0 || offset + 7 > r[Word.GdtLimit]) return false;
  const at = hitRead(cpu, (r[Word.GdtBase] + offset) | 0, 8);
  return at >= 0 && view.getInt32(at, true) === FLAT_LOW && view.getInt32(at + 4, true) === high;
}

function setFlat(r: Int32Array, segment: number, selector: number, attributes: number): void {
  r[Word.Selector + segment] = selector;
  r[Word.Base + segment] = 0;
  r[Word.Limit + segment] = -1;
  r[Word.Attributes + segment] = attributes;
}

/** Whether everything around is as plain as it must be: flat segments, and no access that has to be looked at. */
function plain(r: Int32Array): boolean {
  return (r[Word.Mode] & Mode.Flat) !== 0 && r[Word.ReadBit] !== 0 && (r[Word.Cr0] & Cr0.PE) !== 0;
}

/**
 * Enters a handler in ring 0. `software`: by INT n, so that the gate's DPL counts; `flags` are what EFLAGS is pushed as.
 * The caller charges for it.
 */
export function enterFlat(
  cpu: Cpu,
  vector: number,
  software: boolean,
  flags: number,
  errorCode: number,
  pushesError: boolean,
): FlatEntry {
  const { r, view, time } = cpu;
  if (!plain(r) || (vector << 3) + 7 > r[Word.IdtLimit]) return FlatEntry.No;
  const gate = hitRead(cpu, (r[Word.IdtBase] + (vector << 3)) | 0, 8);
  if (gate < 0) return FlatEntry.No;
  const low = view.getInt32(gate, true);
  const high = view.getInt32(gate + 4, true);
  if ((high & GATE_MASK & ~TRAP_BIT) !== GATE) return FlatEntry.No;
  const cpl = r[Word.Cpl];
  if (software && ((high >> DPL_SHIFT) & 3) < cpl) return FlatEntry.No;
  const selector = low >>> 16;
  if (!isFlat(cpu, selector, CODE_HIGH)) return FlatEntry.No;

  let pointer = r[ESP];
  let stack = 0;
  if (cpl !== 0) {
    const type = r[Word.Attributes + TR] & TYPE_MASK;
    if (type !== SystemType.Tss32Busy || r[Word.Limit + TR] >>> 0 < TSS_END) return FlatEntry.No;
    const tss = hitRead(cpu, (r[Word.Base + TR] + TSS_ESP0) | 0, TSS_END + 1 - TSS_ESP0);
    if (tss < 0) return FlatEntry.No;
    pointer = view.getInt32(tss, true);
    stack = view.getUint16(tss + TSS_SS0 - TSS_ESP0, true);
    if ((stack & 3) !== 0 || !isFlat(cpu, stack, DATA_HIGH)) return FlatEntry.No;
  }
  const bytes = (cpl !== 0 ? 20 : 12) + (pushesError ? 4 : 0);
  pointer = (pointer - bytes) | 0;
  let at = hitWrite(cpu, pointer, bytes);
  if (at < 0) return FlatEntry.No;

  if (pushesError) {
    view.setInt32(at, errorCode, true);
    at += 4;
  }
  view.setInt32(at, r[Word.Eip], true);
  view.setInt32(at + 4, r[Word.Selector + CS], true);
  view.setInt32(at + 8, flags, true);
  if (cpl !== 0) {
    view.setInt32(at + 12, r[ESP], true);
    view.setInt32(at + 16, r[Word.Selector + SS], true);
    setFlat(r, SS, stack, FLAT_DATA);
  }
  setFlat(r, CS, selector & ~3, FLAT_CODE);
  r[ESP] = pointer;
  r[Word.Eip] = (low & 0xffff) | (high & 0xffff0000);
  time[Time.ResumeAt] = -1;
  writeEflags(r, flags & ~(Flag.TF | Flag.NT | Flag.RF | Flag.VM | ((high & TRAP_BIT) !== 0 ? 0 : Flag.IF)));
  // What refreshMode() would find: ES and DS were flat before.
  r[Word.Mode] = Mode.Code32 | Mode.Flat;
  r[Word.ReadBit] = HostTlb.SupervisorRead;
  r[Word.WriteBit] = HostTlb.SupervisorWrite;
  if (cpl !== 0) {
    r[Word.Cpl] = 0;
    r[Word.FetchPage] = -1;
  }
  return cpl !== 0 ? FlatEntry.InnerRing : FlatEntry.SameRing;
}

/** IRETD from ring 0 to ring 0 or 3, without NT. Charges for the change of the ring. */
export function returnFlat(cpu: Cpu): boolean {
  const { r, view } = cpu;
  if (!plain(r) || r[Word.Cpl] !== 0) return false;
  const at = hitRead(cpu, r[ESP], 20);
  if (at < 0) return false;
  const offset = view.getInt32(at, true);
  const selector = view.getUint16(at + 4, true);
  const flags = view.getInt32(at + 8, true);
  if ((flags & Flag.VM) !== 0) return false;
  const level = selector & 3;
  if (level === 0) {
    if (!isFlat(cpu, selector, CODE_HIGH)) return false;
    r[ESP] += 12;
    loadFlags(cpu, flags, 4);
    setFlat(r, CS, selector, FLAT_CODE);
    r[Word.Eip] = offset;
    return true;
  }
  const stack = view.getUint16(at + 16, true);
  const usual = level === 3 && (stack & 3) === 3;
  if (!usual || !isFlat(cpu, selector, CODE_HIGH | RING3) || !isFlat(cpu, stack, DATA_HIGH | RING3)) return false;
  loadFlags(cpu, flags, 4);
  r[ESP] = view.getInt32(at + 12, true);
  setFlat(r, CS, selector, FLAT_CODE | RING3);
  setFlat(r, SS, stack, FLAT_DATA | RING3);
  dropInnerSegments(cpu, 3);
  cpu.time[Time.Cycles] += cpu.costs.farRingChange;
  r[Word.Eip] = offset;
  refreshMode(cpu);
  return true;
}

/**
 * Loads ES, DS, FS or GS with a flat data segment. Where one takes another's place, nothing that hangs on segments changes.
 */
export function loadFlatSegment(cpu: Cpu, segment: number, selector: number): boolean {
  const { r } = cpu;
  if (segment === SS || !plain(r)) return false;
  const attributes = r[Word.Attributes + segment];
  const wasFlat = r[Word.Base + segment] === 0 && r[Word.Limit + segment] === -1;
  // FS and GS do not count among the segments that must be flat.
  if (segment < FS && (!wasFlat || (attributes & ~RING3) !== FLAT_DATA)) return false;
  if (isFlat(cpu, selector, DATA_HIGH | RING3)) setFlat(r, segment, selector, FLAT_DATA | RING3);
  else if (r[Word.Cpl] === 0 && (selector & 3) === 0 && isFlat(cpu, selector, DATA_HIGH)) {
    setFlat(r, segment, selector, FLAT_DATA);
  } else return false;
  return true;
}
