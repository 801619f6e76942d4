/**
 * Looks into a processor without leaving a trace in the guest: registers, memory by linear address, the TLB. For tools.
 * May import cpu.ts, registers.ts, tlb.ts.
 */

import type { Cpu } from "./cpu";
import { Register } from "./registers";
import { Entry } from "./tlb";

const PAGE = 4096;
const SEGMENT_NAMES = ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"] as const;

/** Registers as uint32; selectors without their hidden part. */
export interface Registers {
  eax: number;
  ecx: number;
  edx: number;
  ebx: number;
  esp: number;
  ebp: number;
  esi: number;
  edi: number;
  eip: number;
  eflags: number;
  es: number;
  cs: number;
  ss: number;
  ds: number;
  fs: number;
  gs: number;
  ldtr: number;
  tr: number;
  cr0: number;
  cr2: number;
  cr3: number;
  cr4: number;
  /** Privilege level, 0 to 3. */
  cpl: number;
}

/** A copy of the registers. */
export function registersOf(cpu: Cpu): Registers {
  const selectors = SEGMENT_NAMES.map((name, segment) => [name, cpu.segment(segment).selector]);
  return {
    eax: cpu.register(Register.EAX),
    ecx: cpu.register(Register.ECX),
    edx: cpu.register(Register.EDX),
    ebx: cpu.register(Register.EBX),
    esp: cpu.register(Register.ESP),
    ebp: cpu.register(Register.EBP),
    esi: cpu.register(Register.ESI),
    edi: cpu.register(Register.EDI),
    eip: cpu.eip,
    eflags: cpu.eflags,
    ...(Object.fromEntries(selectors) as Record<(typeof SEGMENT_NAMES)[number], number>),
    cr0: cpu.control(0),
    cr2: cpu.control(2),
    cr3: cpu.control(3),
    cr4: cpu.control(4),
    cpl: cpu.cpl,
  };
}

/** Linear address of the next instruction. */
export function linearEip(cpu: Cpu): number {
  return (cpu.segment(1).base + cpu.eip) >>> 0;
}

/**
 * A copy of `bytes` bytes at a linear address, by the page tables of `directory` (a CR3 value; the present one by default);
 * fewer where the mapping or RAM ends.
 */
export function readLinear(cpu: Cpu, linear: number, bytes: number, directory?: number): Uint8Array {
  const result = new Uint8Array(bytes);
  let done = 0;
  while (done < bytes) {
    const at = (linear + done) >>> 0;
    const physical = cpu.translate(at, directory);
    if (physical < 0) break;
    const piece = cpu.ram.subarray(physical, physical + Math.min(bytes - done, PAGE - (at % PAGE)));
    if (piece.length === 0) break;
    result.set(piece, done);
    done += piece.length;
  }
  return result.subarray(0, done);
}

/** What one entry of the charged TLB grants. */
export interface TlbEntry {
  /** First linear address of the page. */
  linear: number;
  physical: number;
  /** Bytes of the page: 4096 or 4 MB. */
  bytes: number;
  writable: boolean;
  user: boolean;
  dirty: boolean;
  global: boolean;
}

/** All valid entries, stale ones included. */
export function tlbEntries(cpu: Cpu): TlbEntry[] {
  const { smallTags, smallEntries, largeTags, largeEntries } = cpu.tlb;
  return [...entriesOf(smallTags, smallEntries, PAGE), ...entriesOf(largeTags, largeEntries, PAGE << 10)];
}

function entriesOf(tags: Int32Array, entries: Int32Array, bytes: number): TlbEntry[] {
  const found: TlbEntry[] = [];
  for (const [slot, tag] of tags.entries()) {
    if (tag < 0) continue;
    const entry = entries[slot];
    found.push({
      linear: tag * bytes,
      physical: (entry & Entry.Frame) >>> 0,
      bytes,
      writable: (entry & Entry.Writable) !== 0,
      user: (entry & Entry.User) !== 0,
      dirty: (entry & Entry.Dirty) !== 0,
      global: (entry & Entry.Global) !== 0,
    });
  }
  return found;
}
