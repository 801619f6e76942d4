/**
 * Where a form is made to fault: a processor with every access in a region of its own, and the comparison of everything that must
 * not have changed. May import the rig and forms.ts.
 *
 * A region is four pages; accesses lie in the middle of the second unless a test moves one. Memory is filled with the word 0x001B, so
 * that what is read as a selector is ring 3's code segment, and as an offset lies within it.
 */
import * as assert from "uvu/assert";
import type { ModelName } from "../../../cpu/cpu";
import { RowFlag } from "../../../cpu/isa";
import { Word } from "../../../cpu/registers";
import { CODE0, CODE3, DATA0, DATA3, GDT, IDT, KERNEL_STACK, Rig, type Trap, TSS, TSS_SELECTOR } from "../rig";
import type { Access, Form } from "./forms";

const PAGE = 0x1000;
const REGION = 4 * PAGE;
const FIRST = 0x110000;
/** Regions by base register (EBX EBP ESI EDI ESP and the lone offset), then the code's. */
const REGION_OF: Readonly<Record<number, number>> = { 3: 0, 5: 1, 6: 2, 7: 3, 4: 4, [-1]: 5 };
const REGIONS = 7;
const FILLING = 0x1b;
const CR0_AM = 0x40000;
const AC = 0x40000;

/** ECX, where it is not 1: an MSR that exists; an RPL that raises nothing; an index that BOUND tries against both bounds. */
const ECX_OF: readonly (readonly [RegExp, number])[] = [
  [/msr$/, 0x10],
  [/^arpl$/, 0],
  [/^bound$/, 0x7fff7fff],
];

export const CODE = FIRST + 6 * REGION + PAGE / 2;
const USER_PAGE = 7;

/** Where a group of accesses lies by default. */
export function placeOf(access: Access): number {
  return FIRST + REGION_OF[access.base] * REGION + PAGE + 0x800;
}

/** The boundary between two pages of its region. */
export function boundaryOf(access: Access): number {
  return FIRST + REGION_OF[access.base] * REGION + 2 * PAGE;
}

export interface Conditions {
  /** Instead of the form's own bytes; more of them are prefixes. */
  bytes?: readonly number[];
  /** Where the code lies. */
  code?: number;
  /** Linear address of one access's first byte. */
  moved?: { access: Access; to: number };
  /** By default ring 0 for privileged rows, else 3. */
  ring?: 0 | 3;
  /** EFLAGS; IOPL 3 by default, so that ports and IF are open. */
  flags?: number;
  /** CR0.AM and EFLAGS.AC. */
  alignmentCheck?: boolean;
  /** Values of registers by number, instead of EAX = ECX = 1 and zeros. */
  registers?: Readonly<Record<number, number>>;
  /** Changes what is to be wrong, after all else is set up. */
  spoil?: (rig: Rig) => void;
}

export class Ground {
  readonly rig: Rig;
  private readonly filling: Uint8Array;
  /** As they were before the last attempt. */
  private before: number[] = [];
  private eflags = 0;
  private memory = new Uint8Array();
  private selectorsBefore: number[] = [];
  private ring: 0 | 3 = 3;

  constructor(model?: ModelName) {
    this.rig = new Rig(model === undefined ? {} : { model });
    const { rig } = this;
    rig.page(0x10000);
    for (let page = FIRST; page < FIRST + REGIONS * REGION; page += PAGE) rig.map(page, page);
    this.filling = new Uint8Array(REGIONS * REGION);
    for (let i = 0; i < this.filling.length; i += 2) this.filling[i] = FILLING;
    rig.code(0x8000, ["hlt"]);
  }

  /** Makes a page of the regions what `flags` say (present 1, writable 2, user 4), for the next attempt only. */
  setPage(linear: number, flags: number): void {
    this.rig.map(linear & -PAGE, linear & -PAGE, flags);
  }

  private prepare(form: Form, conditions: Conditions): void {
    const { rig } = this;
    const { cpu } = rig;
    this.ring = conditions.ring ?? ((form.row.flags & RowFlag.Privileged) !== 0 ? 0 : 3);
    // HLT and the shadows of the attempt before.
    cpu.r[Word.Attention] = 0;
    for (let page = FIRST; page < FIRST + REGIONS * REGION; page += PAGE) this.setPage(page, USER_PAGE);
    cpu.ram.set(this.filling, FIRST);
    rig.word(TSS + 4, KERNEL_STACK);
    rig.descriptor(TSS_SELECTOR, TSS, 0x67, 0x0089);
    cpu.setDescriptorTable("gdt", GDT, 0xfff);
    cpu.setDescriptorTable("idt", IDT, 0x7ff);
    cpu.setSegment(6, { selector: 0, base: 0, limit: 0, attributes: 0 });
    cpu.setSegment(7, { selector: TSS_SELECTOR, base: TSS, limit: 0x67, attributes: 0x8b00 });
    cpu.setControl(4, 0);
    cpu.setControl(3, 0x10000);
    cpu.setControl(0, 0x80010011 | (conditions.alignmentCheck ? CR0_AM : 0));
    rig.ring(this.ring);
    // Room for a push and operands for all else; nothing pending, and nothing that could be.
    cpu.r[Word.FpuControl] = 0x37f;
    cpu.r[Word.FpuStatus] = 0;
    cpu.r[Word.FpuValid] = 0x7f;

    const { mnemonic } = form.row;
    const registers = [1, ECX_OF.find(([names]) => names.test(mnemonic))?.[1] ?? 1, 0, 0, 0, 0, 0, 0];
    for (const [register, value] of Object.entries(conditions.registers ?? {}))
      registers[Number(register)] = value >>> 0;
    const bytes = [...(conditions.bytes ?? form.bytes)];
    const offsetAt = form.offsetAt + bytes.length - form.bytes.length;
    for (const base of [3, 4, 5, 6, 7]) registers[base] = FIRST + REGION_OF[base] * REGION + PAGE + 0x800;
    if (this.ring === 0) registers[4] = KERNEL_STACK;
    for (const access of form.accesses) {
      const to = conditions.moved?.access === access ? conditions.moved.to : placeOf(access);
      if (access.base >= 0) registers[access.base] = to - access.first;
      else for (let i = 0; i < 4; i++) bytes[offsetAt + i] = (to >>> (8 * i)) & 255;
    }
    // XLATB adds AL.
    if (form.row.mnemonic === "xlatb") registers[0] = 0;
    rig.registers = registers;
    const code = conditions.code ?? CODE;
    cpu.ram.set(bytes, code);
    cpu.codeChanged(code, bytes.length);
    cpu.eflags = (conditions.flags ?? 0x38d7) | (conditions.alignmentCheck ? AC : 0);
    conditions.spoil?.(rig);
    // Pages have changed.
    cpu.setControl(3, 0x10000);
    this.before = registers;
    this.eflags = cpu.eflags;
  }

  /** Runs one instruction; the trap that it led to, or null. */
  attempt(form: Form, conditions: Conditions = {}): Trap | null {
    this.prepare(form, conditions);
    const code = conditions.code ?? CODE;
    this.memory = this.rig.cpu.ram.slice(FIRST, FIRST + REGIONS * REGION);
    this.selectorsBefore = this.selectors();
    return this.rig.run(code, 1);
  }

  private selectors(): number[] {
    return [0, 3, 4, 5, 6, 7].map((segment) => this.rig.cpu.segment(segment).selector);
  }

  /** Fails unless the last attempt's trap was a fault of the instruction that left no trace. `error` is -1 for none. */
  expectFault(trap: Trap | null, text: string, vector: number, error: number, code = CODE): void {
    const { rig } = this;
    const { cpu } = rig;
    assert.equal([trap?.vector, trap?.error, trap?.eip], [vector, error, code], text);
    const frame = cpu.register(4) + (error === -1 ? 0 : 4);
    assert.is(rig.word(frame + 4), this.ring === 0 ? CODE0 : CODE3, `${text}: CS`);
    assert.is(rig.word(frame + 8), this.eflags | 0x10000, `${text}: EFLAGS`);
    const registers = rig.registers;
    registers[4] = this.ring === 0 ? frame + 12 : rig.word(frame + 12);
    assert.equal(registers, this.before, `${text}: registers`);
    if (this.ring === 3) assert.is(rig.word(frame + 16), DATA3, `${text}: SS`);
    else assert.is(cpu.segment(2).selector, DATA0, `${text}: SS`);
    assert.equal(this.selectors(), this.selectorsBefore, `${text}: selectors`);
    const now = cpu.ram.subarray(FIRST, FIRST + REGIONS * REGION);
    assert.is(Buffer.compare(now, this.memory), 0, `${text}: memory`);
  }
}
