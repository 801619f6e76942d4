/**
 * The way from a linear address to bytes. An operand is translated first, to a host offset in the one memory, and read or
 * written there; a negative offset means that a fault is recorded and nothing was touched.
 * May import registers.ts, paging.ts, tlb.ts, debug.ts, faults.ts, and the type of the processor.
 *
 * Rules: both pages of an operand that crosses a page are translated before either is touched; such an operand is put
 * together in a bounce buffer and, after a write, taken apart by finishWrite. So is a frame that wraps at 64 KB. RAM beyond the end reads all ones and ignores
 * writes, as ROM does. Decoded code under a write is dropped before the write.
 * Source: Intel SDM volume 3, sections 4.1 and 6.15 (interrupts 14 and 17).
 */
import type { Cpu } from "./cpu";
import { watchAccess } from "./debug";
import { raise, Vector } from "./faults";
import { alignmentChecked, isRom, NO_PAGE, pageOf } from "./paging";
import { Attention, Layout, Word } from "./registers";
import { HostTlb } from "./tlb";

const PAGE = 4096;
const OFFSET = 0xfff;

/** What the translators return for a fault. */
export const FAULT = -1;

/**
 * Host offset for reading `size` bytes at a linear address with the present rights, or FAULT. The offset is good until the
 * next access.
 */
export function readAt(cpu: Cpu, linear: number, size: number): number {
  const entry = cpu.hostTlb[linear >>> 12];
  if ((entry & cpu.r[Word.ReadBit]) !== 0 && (linear & OFFSET) <= PAGE - size) {
    return (entry & HostTlb.Frame) | (linear & OFFSET);
  }
  return readSlow(cpu, linear, size);
}

/**
 * Host offset for writing (and reading) `size` bytes at a linear address with the present rights, or FAULT. After the write,
 * finishWrite must be called with the offset if it is below Layout.Ram.
 */
export function writeAt(cpu: Cpu, linear: number, size: number): number {
  const entry = cpu.hostTlb[linear >>> 12];
  if ((entry & cpu.r[Word.WriteBit]) !== 0 && (linear & OFFSET) <= PAGE - size) {
    return (entry & HostTlb.Frame) | (linear & OFFSET);
  }
  return writeSlow(cpu, linear, size);
}

function readSlow(cpu: Cpu, linear: number, size: number): number {
  if (misaligned(cpu, linear, size)) return FAULT;
  if ((cpu.r[Word.Attention] & Attention.Breakpoints) !== 0) watchAccess(cpu, linear, size, 0);
  return translateRead(cpu, linear, size, cpu.r[Word.Cpl] === 3 ? 1 : 0);
}

function writeSlow(cpu: Cpu, linear: number, size: number): number {
  if (misaligned(cpu, linear, size)) return FAULT;
  if ((cpu.r[Word.Attention] & Attention.Breakpoints) !== 0) watchAccess(cpu, linear, size, 1);
  return translateWrite(cpu, linear, size, cpu.r[Word.Cpl] === 3 ? 1 : 0);
}

/**
 * Whether alignment is checked now (then no host entry has a bit for any access) and this access lacks it: #AC(0) is raised, before
 * any page fault of the same access, as a processor does that was asked. What is made of parts
 * is aligned as one of them (Word.Part); a far pointer of 6 bytes and a descriptor-table register by 4; x87 values of 8 and 10
 * bytes and CMPXCHG8B's by 8; the x87's saved state by 2 or 4, as wide as it is.
 * Source: Intel SDM volume 3, section 6.15, table 6-7 (interrupt 17).
 */
function misaligned(cpu: Cpu, linear: number, size: number): boolean {
  const { r } = cpu;
  const alignment = r[Word.Part] !== 0 ? r[Word.Part] : (ALIGNMENT[size] ?? 4);
  if ((linear & (alignment - 1)) === 0 || !alignmentChecked(r)) return false;
  raise(cpu, Vector.AlignmentCheck, 0);
  return true;
}

/** By size in bytes, where it is not 4. */
const ALIGNMENT: Readonly<Record<number, number>> = { 1: 1, 2: 2, 8: 8, 10: 8, 14: 2, 94: 2 };

/** As readAt, for the processor's own reads of descriptor tables and the like: with supervisor rights. */
export function systemReadAt(cpu: Cpu, linear: number, size: number): number {
  const at = hitRead(cpu, linear, size);
  return at >= 0 ? at : translateRead(cpu, linear, size, 0);
}

/** Host offset for reading or writing with supervisor rights where that is a hit within one page, else FAULT, raising nothing. */
export function hitRead(cpu: Cpu, linear: number, size: number): number {
  const entry = cpu.hostTlb[linear >>> 12];
  const hit = (entry & HostTlb.SupervisorRead) !== 0 && (linear & OFFSET) <= PAGE - size;
  return hit ? (entry & HostTlb.Frame) | (linear & OFFSET) : FAULT;
}
export function hitWrite(cpu: Cpu, linear: number, size: number): number {
  const entry = cpu.hostTlb[linear >>> 12];
  const hit = (entry & HostTlb.SupervisorWrite) !== 0 && (linear & OFFSET) <= PAGE - size;
  return hit ? (entry & HostTlb.Frame) | (linear & OFFSET) : FAULT;
}

/** As writeAt, with supervisor rights, or a user's where `byUser` is 1; up to Layout.BounceBytes bytes. */
export function systemWriteAt(cpu: Cpu, linear: number, size: number, byUser = 0): number {
  return translateWrite(cpu, linear, size, byUser);
}

/** Host offset of a physical page for reading. */
function hostPage(cpu: Cpu, page: number): number {
  return page >>> 0 < cpu.memoryBytes ? Layout.Ram + page : Layout.OnesPage;
}

function translateRead(cpu: Cpu, linear: number, size: number, byUser: number): number {
  const first = pageOf(cpu, linear, 0, byUser);
  if (first === NO_PAGE) return FAULT;
  const inFirst = PAGE - (linear & OFFSET);
  const at = hostPage(cpu, first) + (linear & OFFSET);
  if (inFirst >= size) return at;
  const second = pageOf(cpu, (linear + inFirst) | 0, 0, byUser);
  if (second === NO_PAGE) return FAULT;
  const { bytes } = cpu;
  bytes.copyWithin(Layout.ReadBounce, at, at + inFirst);
  const rest = hostPage(cpu, second);
  bytes.copyWithin(Layout.ReadBounce + inFirst, rest, rest + size - inFirst);
  return Layout.ReadBounce;
}

function translateWrite(cpu: Cpu, linear: number, size: number, byUser: number): number {
  const first = pageOf(cpu, linear, 1, byUser);
  if (first === NO_PAGE) return FAULT;
  const inFirst = PAGE - (linear & OFFSET);
  if (inFirst >= size) return hostForWrite(cpu, first | (linear & OFFSET), size);
  const second = pageOf(cpu, (linear + inFirst) | 0, 1, byUser);
  if (second === NO_PAGE) return FAULT;
  const { bytes, r } = cpu;
  const firstAt = hostForWrite(cpu, first | (linear & OFFSET), inFirst);
  bytes.copyWithin(Layout.WriteBounce, firstAt, firstAt + inFirst);
  const secondAt = hostForWrite(cpu, second, size - inFirst);
  bytes.copyWithin(Layout.WriteBounce + inFirst, secondAt, secondAt + size - inFirst);
  r[Word.SplitFirst] = firstAt;
  r[Word.SplitSecond] = secondAt;
  r[Word.SplitBytes] = inFirst;
  r[Word.SplitSize] = size;
  return Layout.WriteBounce;
}

/** Host offset of a physical address that is about to be written, within one page. Drops decoded code there. */
function hostForWrite(cpu: Cpu, address: number, size: number): number {
  const physical = address >>> 0;
  if (physical >= cpu.memoryBytes) {
    const at = Layout.TrashPage + (physical & OFFSET);
    cpu.bytes.fill(0xff, at, at + size);
    return at;
  }
  if (isRom(cpu.r, physical)) {
    const at = Layout.TrashPage + (physical & OFFSET);
    cpu.bytes.copyWithin(at, Layout.Ram + physical, Layout.Ram + physical + size);
    return at;
  }
  if (cpu.blocks.isCode(physical >>> 12)) cpu.blocks.invalidate(physical, size);
  return Layout.Ram + physical;
}

/** Ends a write whose host offset is below Layout.Ram: a bounced one goes to its two pages, one beyond RAM nowhere. */
export function finishWrite(cpu: Cpu, at: number): void {
  if (at !== Layout.WriteBounce) return;
  const { bytes, r } = cpu;
  const inFirst = r[Word.SplitBytes];
  if (inFirst < 0) {
    scatter(cpu);
    return;
  }
  bytes.copyWithin(r[Word.SplitFirst], at, at + inFirst);
  bytes.copyWithin(r[Word.SplitSecond], at + inFirst, at + r[Word.SplitSize]);
}

/** Linear address of byte `index` of a frame that goes on at offset 0 behind offset FFFF. */
function wrappedAddress(base: number, offset: number, index: number): number {
  return (base + ((offset + index) & 0xffff)) | 0;
}

/** As systemReadAt, for a frame at an offset of a 16-bit stack segment that wraps at 64 KB. Up to Layout.BounceBytes bytes. */
export function wrappedReadAt(cpu: Cpu, base: number, offset: number, size: number, byUser: number): number {
  for (let i = 0; i < size; i++) {
    const at = translateRead(cpu, wrappedAddress(base, offset, i), 1, byUser);
    if (at < 0) return FAULT;
    cpu.bytes[Layout.ReadBounce + i] = cpu.bytes[at];
  }
  return Layout.ReadBounce;
}

/** As systemWriteAt, for such a frame; finishWrite spreads it. */
export function wrappedWriteAt(cpu: Cpu, base: number, offset: number, size: number, byUser: number): number {
  const { bytes, r } = cpu;
  for (let i = 0; i < size; i++) {
    const at = translateWrite(cpu, wrappedAddress(base, offset, i), 1, byUser);
    if (at < 0) return FAULT;
    bytes[Layout.WriteBounce + i] = bytes[at];
  }
  r[Word.SplitFirst] = base;
  r[Word.SplitSecond] = offset;
  r[Word.SplitBytes] = -1 - byUser;
  r[Word.SplitSize] = size;
  return Layout.WriteBounce;
}

/** Writes a wrapped frame out of the buffer: every byte of it has been translated. */
function scatter(cpu: Cpu): void {
  const { bytes, r } = cpu;
  const byUser = -1 - r[Word.SplitBytes];
  for (let i = 0; i < r[Word.SplitSize]; i++) {
    const linear = wrappedAddress(r[Word.SplitFirst], r[Word.SplitSecond], i);
    const at = translateWrite(cpu, linear, 1, byUser);
    if (at >= 0) bytes[at] = bytes[Layout.WriteBounce + i];
  }
}

/** Stores at a host offset that writeAt gave. */
export function put8(cpu: Cpu, at: number, value: number): void {
  cpu.view.setInt8(at, value);
}
export function put16(cpu: Cpu, at: number, value: number): void {
  cpu.view.setInt16(at, value, true);
  if (at < Layout.Ram) finishWrite(cpu, at);
}
export function put32(cpu: Cpu, at: number, value: number): void {
  cpu.view.setInt32(at, value, true);
  if (at < Layout.Ram) finishWrite(cpu, at);
}
