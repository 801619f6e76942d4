/**
 * How a ring-0 case is put together: its parts, descriptors and gates as words, and selectors at random. May import cpu/,
 * layout.ts. All from the seed.
 */
import { type EncodeOptions, encode, imm, type OperandValue, reg } from "../../../cpu/encoder";
import type { Random } from "../../fuzz/random";
import * as l from "./layout";

export interface Ring0Case {
  code: number[];
  ring: 0 | 1 | 2 | 3;
  cr0: number;
  eflags: number;
  /** EAX ECX EDX EBX ESP EBP ESI EDI. */
  registers: number[];
  pokes: [number, number][];
  /** For messages. */
  text: string[];
  /** Flags that an instruction of it leaves undefined. */
  undefinedFlags: number;
  /** It reads and then writes one operand, of which QEMU faults for the reading. */
  readsFirst: boolean;
  /** It may call through a gate, which QEMU does otherwise where that leads to a conforming segment. */
  callsGate: boolean;
  /** It has a far JMP, which QEMU refuses otherwise where a gate leads to an absent segment. */
  jumps: boolean;
}

export const [EAX, ECX, EDX, EBX, ESI, EDI] = [0, 1, 2, 3, 6, 7].map((number) => reg(number));
export const [AX, CX, DX] = [0, 1, 2].map((number) => reg(number, 2));
export const ESP = reg(4);
export const [AL] = [0].map((number) => reg(number, 1));
export const ARITHMETIC = 0x8d5;
export const [CF] = [1];
/** PE and ET; and what a case may add: MP, EM, TS, WP, PG. */
const CR0_BASE = 0x11;
const CR0_WP = 0x10000;
export const CR0_PG = 0x80000000;

/** Two words of a descriptor: `access` is P DPL S type, `flags` G D/B 0 AVL. */
export function descriptor(base: number, limit: number, access: number, flags: number): [number, number] {
  return [
    ((base << 16) | (limit & 0xffff)) >>> 0,
    ((base & 0xff000000) | (flags << 20) | (limit & 0xf0000) | (access << 8) | ((base >>> 16) & 0xff)) >>> 0,
  ];
}

export function gate(selector: number, offset: number, access: number, count: number): [number, number] {
  return [((selector << 16) | (offset & 0xffff)) >>> 0, ((offset & 0xffff0000) | (access << 8) | count) >>> 0];
}

export const FLAT = 0xfffff;
/** Types of TSS descriptors and task gates, with S = 0. */
export const TASK_TYPES = [1, 3, 5, 9, 11];

/** A selector of the random part of the tables, or a sound one, with any RPL. */
export function anySelector(random: Random): number {
  const kind = random.below(8);
  if (kind === 0) return random.below(4);
  if (kind === 1) return 8 * l.GDT_ENTRIES + random.below(64) * 8;
  if (kind === 2) return random.pick([...l.CODE, ...l.DATA_SELECTORS, l.LDT_SELECTOR, l.TSS_SELECTOR]);
  if (kind === 3) return (random.below(l.LDT_ENTRIES + 2) << 3) | 4 | random.below(4);
  return (random.below(l.GDT_ENTRIES) << 3) | random.below(4);
}

/** The tables' page, PT1 and the IDT's random gates. */
export interface Tables {
  page: Uint32Array;
  pt: Uint32Array;
  gates: number[];
}

/** Puts a case together. */
export class Builder {
  readonly made: Ring0Case;
  /** No more templates: what comes would reach memory through a segment that QEMU does not check. */
  full = false;

  constructor(
    readonly random: Random,
    private readonly tables: Tables,
  ) {
    const ring = random.oneIn(2) ? 3 : 0;
    let cr0 = CR0_BASE;
    if (random.oneIn(2)) cr0 |= CR0_PG;
    if (random.oneIn(2)) cr0 |= CR0_WP;
    const iopl = random.oneIn(3) ? 3 : 0;
    this.made = {
      ...{
        code: [],
        ring,
        cr0: cr0 >>> 0,
        pokes: [],
        text: [],
        undefinedFlags: 0,
        readsFirst: false,
        callsGate: true,
        jumps: false,
      },
      eflags: 2 | (iopl << 12) | (random.next() & ARITHMETIC),
      registers: Array.from({ length: 8 }, () => random.next()),
    };
  }

  op(mnemonic: string, values: OperandValue[] = [], options: EncodeOptions = {}): this {
    const bytes = encode(mnemonic, values, options);
    if (mnemonic === "jmp") this.made.jumps = true;
    this.made.code.push(...bytes);
    this.made.text.push(`${Buffer.from(bytes).toString("hex")} ${mnemonic}`);
    return this;
  }

  bytes(...bytes: number[]): this {
    this.made.code.push(...bytes);
    this.made.text.push(Buffer.from(bytes).toString("hex"));
    return this;
  }

  set(register: OperandValue, value: number): this {
    return this.op("mov", [register, imm(value)]);
  }

  last(): this {
    this.full = true;
    return this;
  }

  /** The instruction before this reads its operand, then writes it. */
  modifies(): this {
    this.made.readsFirst = true;
    return this;
  }

  /** Of code segments, gates and what is neither; not of a TSS or a task gate, which would switch tasks. */
  transferSelector(): number {
    const { random } = this;
    const selector = random.oneIn(3) ? random.pick(l.CODE) : anySelector(random);
    const base = selector & 4 ? (l.LDT - l.GDT) / 4 : 0;
    const access = (this.tables.page[base + ((selector & 0xfff8) >> 2) + 1] ?? 0) >>> 8;
    return TASK_TYPES.includes(access & 0x1f) ? l.CODE[0] : selector;
  }

  /** A linear address of the window, or of DATA without paging; now and then across a page, or aligned. */
  address(aligned = false): number {
    const { random } = this;
    const base = this.made.cr0 & CR0_PG ? l.WINDOW : l.DATA;
    const pages = this.made.cr0 & CR0_PG ? l.WINDOW_PAGES - 1 : l.DATA_PAGES - 1;
    const offset = random.oneIn(6) ? 4096 - random.below(8) : random.below(4000);
    return base + 4096 * random.below(pages) + (aligned ? offset & 0xffc : offset);
  }

  /** Leaves an address of DATA in EBX where some words have been put by pokes. */
  memory(words: readonly number[]): this {
    const address = l.DATA + 0x100 + 4 * this.random.below(64);
    for (const [i, word] of words.entries()) {
      if (this.made.pokes.length < l.MAX_POKES) this.made.pokes.push([address + 4 * i, word >>> 0]);
    }
    return this.set(EBX, address);
  }
}
