/**
 * How real mode and virtual-8086 mode address: a segment starts at its selector times 16, and no descriptor is read.
 * May import registers.ts and the type of the processor.
 * Source: Intel SDM volume 3, sections 9.9.2 (leaving protected mode), 20.1 (real mode), 20.2 (virtual-8086 mode).
 */
import type { Cpu } from "./cpu";
import { Cr0, Flag, Word } from "./registers";

/** Attributes of every segment in virtual-8086 mode: present, writable data of ring 3. */
const VIRTUAL_DATA = 0xf300;
const REAL_LIMIT = 0xffff;

/** Whether a segment starts at its selector times 16: in real and in virtual-8086 mode. */
export function realAddressing(r: Int32Array): boolean {
  return (r[Word.Cr0] & Cr0.PE) === 0 || (r[Word.Eflags] & Flag.VM) !== 0;
}

/** Whether the processor runs in virtual-8086 mode. */
export function virtualMode(r: Int32Array): boolean {
  return (r[Word.Eflags] & Flag.VM) !== 0;
}

/**
 * Fills a segment register as real and virtual-8086 mode do. In real mode limit and attributes stay what they were, so that
 * a large limit of protected mode lives on; in virtual-8086 mode they are fixed. refreshMode must follow.
 */
export function fillRealSegment(cpu: Cpu, segment: number, selector: number): void {
  const { r } = cpu;
  r[Word.Selector + segment] = selector & 0xffff;
  r[Word.Base + segment] = (selector & 0xffff) << 4;
  if (!virtualMode(r)) return;
  r[Word.Limit + segment] = REAL_LIMIT;
  r[Word.Attributes + segment] = VIRTUAL_DATA;
}
