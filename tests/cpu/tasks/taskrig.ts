/**
 * A rig with tasks: the running one (its TSS is the rig's own), one to go to, and one that takes exceptions 8 and 10 to 14
 * through task gates, so that they can be looked at whatever became of the stack.
 */
import { CODE0, DATA0, FREE, GDT, IDT, Rig, TSS, TSS_SELECTOR } from "../rig";

/** The task to go to, and the one for exceptions. */
export const NEXT = 0x30;
export const WATCH = 0x38;
export const LDT_SELECTOR = 0x40;
/** Free for a test's own descriptors. */
export const SPARE = 0x48;
export const TASK_GATE = 0x50;

export const NEXT_TSS = 0x4000;
export const WATCH_TSS = 0x4200;
export const LDT = 0x4800;

/** Where the tasks' code and stacks are. */
export const CODE = FREE;
export const NEXT_CODE = FREE + 0x1000;
export const WATCH_CODE = FREE + 0x2000;
export const NEXT_STACK = FREE + 0x5000;
export const WATCH_STACK = FREE + 0x6000;

export const [TSS32, BUSY32, TSS16, BUSY16] = [0x89, 0x8b, 0x81, 0x83];
export const NT = 0x4000;
export const TS = 8;

/** A 32-bit TSS's fields by name: offset. */
export const FIELD = {
  link: 0x00,
  cr3: 0x1c,
  eip: 0x20,
  eflags: 0x24,
  eax: 0x28,
  ecx: 0x2c,
  esp: 0x38,
  edi: 0x44,
  es: 0x48,
  cs: 0x4c,
  ss: 0x50,
  ds: 0x54,
  fs: 0x58,
  gs: 0x5c,
  ldt: 0x60,
  trap: 0x64,
} as const;
export type Field = keyof typeof FIELD;

/** A 16-bit one's. */
export const FIELD16 = {
  link: 0x00,
  eip: 0x0e,
  eflags: 0x10,
  eax: 0x12,
  ecx: 0x14,
  esp: 0x1a,
  edi: 0x20,
  es: 0x22,
  cs: 0x24,
  ss: 0x26,
  ds: 0x28,
  ldt: 0x2a,
} as const;

export class TaskRig extends Rig {
  constructor() {
    super();
    this.descriptor(TSS_SELECTOR, TSS, 0x67, BUSY32);
    this.descriptor(NEXT, NEXT_TSS, 0x67, TSS32);
    this.descriptor(WATCH, WATCH_TSS, 0x67, TSS32);
    this.descriptor(LDT_SELECTOR, LDT, 0xff, 0x82);
    this.descriptor(TASK_GATE, 0, 0, 0x85);
    this.word(GDT + TASK_GATE, NEXT << 16);
    this.fields(NEXT_TSS, { eip: NEXT_CODE, esp: NEXT_STACK, cr3: 0x12345000 });
    this.fields(WATCH_TSS, { eip: WATCH_CODE, esp: WATCH_STACK });
    this.cpu.ram[NEXT_CODE] = 0xf4;
    this.cpu.ram[WATCH_CODE] = 0xf4;
  }

  /** Fills a 32-bit TSS: ring 0's flat segments and flags 2 where nothing else is said. */
  fields(tss: number, values: Partial<Record<Field, number>>): this {
    const all = { eflags: 2, cs: CODE0, ss: DATA0, ds: DATA0, es: DATA0, ...values };
    for (const [name, value] of Object.entries(all)) this.word(tss + FIELD[name as Field], value);
    return this;
  }

  /** Sends exceptions to the task WATCH. */
  watch(): this {
    for (const vector of [8, 10, 11, 12, 13, 14]) this.taskGate(vector, WATCH);
    return this;
  }

  taskGate(vector: number, selector: number, access = 0xe5): void {
    this.word(IDT + 8 * vector, selector << 16);
    this.word(IDT + 8 * vector + 4, access << 8);
  }

  field(tss: number, name: Field): number {
    const value = this.word(tss + FIELD[name]);
    return name.length === 2 || name === "link" || name === "ldt" ? value & 0xffff : value;
  }

  /** The access byte of a GDT descriptor. */
  access(selector: number): number {
    return this.cpu.ram[GDT + selector + 5];
  }

  /** The selector in TR. */
  get task(): number {
    return this.cpu.segment(7).selector;
  }

  /**
   * What a refused switch may not touch and the fault's own frame does not: GDT, IDT and the TSSs, registers but for ESP, TR
   * and LDTR, control registers.
   */
  snapshot(): string {
    const { cpu } = this;
    return JSON.stringify([
      Buffer.from(cpu.ram.subarray(GDT, 0x5000)).toString("base64"),
      this.registers.toSpliced(4, 1),
      [6, 7].map((segment) => cpu.segment(segment)),
      [0, 3, 4].map((register) => cpu.control(register as 0 | 3 | 4)),
    ]);
  }
}
