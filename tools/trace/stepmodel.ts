/**
 * What a reader of a binary trace can foretell of the next step from those before it: the writer keeps the same, and writes only what comes
 * otherwise. May import step, code's types, accesses, cpu's register numbers.
 */
import { Register, Word } from "../../cpu/registers";
import { linearOf } from "./accesses";
import type { Code } from "./code";
import { CR3, EFLAGS, MOST_ACCESSES, REGISTERS, type Step } from "./step";

const PAGE = 4096;
/** Words of the register file that an address may depend on. */
const WORDS = 0x200;
const SS = 2;
/** A stack segment of 32 bits. */
const BIG = 0x400000;

/** How the value that a write leaves follows from what is known. */
export const enum Now {
  /** As before. */
  Same = 0,
  /** 1 to 8: that of a general register before the instruction, cut to size. */
  FirstRegister = 1,
  OneMore = 9,
  OneLess = 10,
  /** As the last time that this instruction ran. */
  LastTime = 11,
  Explicit = 12,
  /** It is not told. */
  Untold = 13,
}

/** What an instruction did the last time that it ran. */
export class CodeMemory {
  /** Number of the instruction that came next. */
  next = -1;
  /** Registers that changed; those that took the value of the first operand in memory; by how much the others changed. */
  changed = 0;
  loaded = 0;
  readonly deltas = new Int32Array(REGISTERS.length);
  readonly now = new Uint8Array(MOST_ACCESSES);
  readonly values = new Float64Array(MOST_ACCESSES);
}

export class StepModel {
  /** Registers behind the last step. */
  readonly registers = new Int32Array(REGISTERS.length);
  /** What comes next if nothing special happens. */
  instret = 0;
  pid = -1;
  ring = 0;
  cs = 0;
  /** Number of the last step's instruction; -1 before there is one. */
  last = -1;
  private readonly memories: CodeMemory[] = [];
  private readonly pages = new Map<number, number>();
  private readonly shadow = new Map<number, Uint8Array>();
  private readonly words = new Int32Array(WORDS);

  constructor() {
    this.words[Word.Attributes + SS] = BIG;
  }

  memoryOf(id: number): CodeMemory {
    let memory = this.memories[id];
    if (memory === undefined) {
      memory = new CodeMemory();
      this.memories[id] = memory;
    }
    return memory;
  }

  /** Number of the instruction that is to be expected. */
  get expected(): number {
    return this.last < 0 ? -1 : this.memoryOf(this.last).next;
  }

  /** To be called with the registers before a step, before linear() is asked. */
  setRegisters(before: Int32Array): void {
    for (let i = 0; i < EFLAGS; i++) this.words[i] = before[i];
    this.words[Register.Zero] = 0;
  }

  /** Where an operand lies, if its segment begins at 0. */
  linear(code: Code, access: number): number {
    return linearOf(code.accesses[access], this.words);
  }

  /** Where a linear address led the last time; -1: not known. */
  physical(linear: number): number {
    const page = this.pages.get(linear >>> 12);
    return page === undefined ? -1 : page * PAGE + (linear % PAGE);
  }

  notePhysical(linear: number, physical: number): void {
    if (physical >= 0) this.pages.set(linear >>> 12, Math.floor(physical / PAGE));
    else this.pages.delete(linear >>> 12);
  }

  /** What was last seen at a physical address: a number of `size` bytes. */
  value(physical: number, size: number): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this.byte(physical + i);
    return value;
  }

  private byte(physical: number): number {
    return this.shadow.get(Math.floor(physical / PAGE))?.[physical % PAGE] ?? 0;
  }

  noteValue(physical: number, size: number, value: number): void {
    for (let i = 0, left = value; i < size; i++, left = Math.floor(left / 256)) {
      const at = physical + i;
      const number = Math.floor(at / PAGE);
      let page = this.shadow.get(number);
      if (page === undefined) {
        page = new Uint8Array(PAGE);
        this.shadow.set(number, page);
      }
      page[at % PAGE] = left % 256;
    }
  }

  /** The value that a write leaves by one of the ways in Now, but Explicit and Untold. */
  now(way: number, step: Step, access: number, size: number): number {
    const old = step.old[access];
    const most = 2 ** (8 * size);
    if (way === Now.Same) return old;
    if (way === Now.OneMore) return old + 1 === most ? 0 : old + 1;
    if (way === Now.OneLess) return old === 0 ? most - 1 : old - 1;
    if (way === Now.LastTime) return this.memoryOf(step.code.id).values[access];
    return (step.before[way - Now.FirstRegister] >>> 0) % most;
  }

  /** Takes over what a step leaves. */
  follow(step: Step): void {
    if (this.last >= 0) this.memoryOf(this.last).next = step.code.id;
    this.last = step.code.id;
    this.registers.set(step.after);
    this.instret = step.instret + step.retired;
    this.pid = step.pid;
    this.ring = step.ring;
    this.cs = step.cs;
  }
}

/** By how much a register changed: a number for registers, the bits that turned for flags and CR3. */
export function deltaOf(index: number, before: number, after: number): number {
  return index === EFLAGS || index === CR3 ? before ^ after : (after - before) | 0;
}

/** The register that has changed so. */
export function changedBy(index: number, before: number, delta: number): number {
  return index === EFLAGS || index === CR3 ? before ^ delta : (before + delta) | 0;
}
