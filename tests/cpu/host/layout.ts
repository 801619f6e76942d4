/**
 * What the host's traced process and our processor have in common: windows of memory, segments, one step's input and
 * outcome. host.c repeats the addresses and descriptors. May import nothing.
 *
 *     0x100000  CODE   2 pages, filled with NOPs
 *     0x200000  DATA   3 pages, the third read-only, filled from the sequence's seed
 *     0x300000  STACK  1 page
 *
 * Nothing else is mapped, so that whatever goes astray faults on both sides.
 */

export const CODE = 0x100000;
export const DATA = 0x200000;
export const STACK = 0x300000;
export const PAGE = 4096;
export const CODE_BYTES = 2 * PAGE;
export const DATA_BYTES = 3 * PAGE;
export const STACK_BYTES = PAGE;
/** The windows' pages, in the order in which they are filled, with what ring 3 may do beside reading. */
export const PAGES: readonly { address: number; writable: boolean }[] = [
  ...[CODE, CODE + PAGE, DATA, DATA + PAGE].map((address) => ({ address, writable: true })),
  { address: DATA + 2 * PAGE, writable: false },
  { address: STACK, writable: true },
];

/** A descriptor as ours and as `modify_ldt` of host.c makes it. */
export interface Descriptor {
  base: number;
  /** In bytes, granularity applied. */
  limit: number;
  /** Bits 8–15 and 20–23 of the descriptor's second word. */
  attributes: number;
}

/** Linux's 32-bit user segments, by index in the GDT; 1 to 3 are the kernel's. 15 tells user code which processor it is on: number 0. */
export const GDT_ENTRIES: Readonly<Record<number, Descriptor>> = {
  1: { base: 0, limit: 0xffffffff, attributes: 0xc09b00 },
  2: { base: 0, limit: 0xffffffff, attributes: 0xc09b00 },
  3: { base: 0, limit: 0xffffffff, attributes: 0xc09300 },
  4: { base: 0, limit: 0xffffffff, attributes: 0xc0fb00 },
  5: { base: 0, limit: 0xffffffff, attributes: 0xc0f300 },
  15: { base: 0, limit: 0, attributes: 0x40f500 },
};

export const LDT_ENTRIES: readonly Descriptor[] = [
  { base: CODE, limit: 0x1fff, attributes: 0x00fb00 }, // 07: 16-bit code
  { base: DATA, limit: 0x17ff, attributes: 0x00f300 }, // 0f: data with a limit
  { base: DATA, limit: 0x7ff, attributes: 0x40f700 }, // 17: expand-down, up to 4 GB
  { base: DATA, limit: 0x7ff, attributes: 0x00f700 }, // 1f: expand-down, up to 64 KB
  { base: STACK, limit: 0xfff, attributes: 0x00f300 }, // 27: 16-bit stack
  { base: DATA, limit: 0x2fff, attributes: 0x40f100 }, // 2f: read-only
  { base: CODE, limit: 0x1fff, attributes: 0x40f900 }, // 37: execute-only
  { base: DATA, limit: 0x2fff, attributes: 0x407300 }, // 3f: not present
];

export const CODE32 = 0x23;
export const DATA32 = 0x2b;
export const CODE16 = 0x07;
export const STACK16 = 0x27;
/** ES CS SS DS FS GS of a 32-bit program. */
export const FLAT_SELECTORS: readonly number[] = [DATA32, CODE32, DATA32, DATA32, DATA32, DATA32];
/** What DS, ES, FS and GS may hold when a sequence begins. */
export const DATA_SELECTORS: readonly number[] = [DATA32, 0x0f, 0x17, 0x1f, 0x2f, 0];
/**
 * What instructions that load or inspect a selector are given: all of the above, the kernel's ones, and ones out of
 * range. Not 1 to 3: the kernel's way back to the program makes 0 of them. */
export const SELECTORS: readonly number[] = [
  ...[0, 0x07, 0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x23, 0x2b, 0x20, 0x28, 0x2a],
  ...[0x08, 0x10, 0x1b, 0x0c, 0x24, 0xfff7, 0xffff, 0x4f],
];

/** The descriptor that a selector names, or undefined: null, or beyond the tables. */
export function descriptorOf(selector: number): Descriptor | undefined {
  const index = selector >> 3;
  return selector & 4 ? LDT_ENTRIES[index] : GDT_ENTRIES[index];
}

export const enum Control {
  /** Fill the windows from the seed before it. */
  Fresh = 1,
  /** Run until a signal; the code ends with INT3. */
  Straight = 2,
  /** Set the x87 state before it. */
  FpuSet = 4,
  /** Report the x87 state after it. */
  FpuGet = 8,
}

/** One step: an instruction, or a straight run of some. */
export interface Step {
  /** Bits of Control. */
  control: number;
  seed: number;
  /** Linear address of the code, and its bytes. */
  codeAt: number;
  code: readonly number[];
  /** Most repetitions of a string instruction. */
  limit: number;
  /** EAX ECX EDX EBX ESP EBP ESI EDI. */
  registers: readonly number[];
  eip: number;
  eflags: number;
  /** ES CS SS DS FS GS. */
  selectors: readonly number[];
  /** Words written before it: linear address and value. */
  pokes: readonly (readonly [number, number])[];
  /** An FXSAVE image, for FpuSet. */
  fpu?: Uint8Array;
  /** It loads SS, which keeps the single-step trap off: one instruction more runs, a NOP. */
  shadows: boolean;
}

/** What a step did. Numbers are unsigned. */
export interface Outcome {
  registers: number[];
  eip: number;
  eflags: number;
  selectors: number[];
  /** Words that are not what they were: address, value, address, value. */
  changes: number[];
  /** The FXSAVE image, for FpuGet. */
  fpu?: Uint8Array;
}

export const FXSAVE_BYTES = 512;
