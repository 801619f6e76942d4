/**
 * Our processor, set up as Linux sets up the host's for a 32-bit program: ring 3, paging, the same segments and windows.
 * May import cpu/ and layout.ts.
 */
import { Cpu, CpuEvent, type CpuOptions, RunExit } from "../../../cpu/cpu";
import { Word } from "../../../cpu/registers";
import {
  CODE_BYTES,
  Control,
  type Descriptor,
  descriptorOf,
  FXSAVE_BYTES,
  GDT_ENTRIES,
  LDT_ENTRIES,
  type Outcome,
  PAGE,
  PAGES,
  type Step,
} from "./layout";

const MEMORY = 4 << 20;
const GDT = 0x1000;
const IDT = 0x2000;
const TSS = 0x3000;
const LDT = 0x4000;
const DIRECTORY = 0x5000;
const TABLE = 0x6000;
const KERNEL_STACK = 0x8000;
/** Selectors of ring 0 in Linux's GDT. */
const KERNEL_CODE = 0x10;
const KERNEL_DATA = 0x18;
const [PRESENT, WRITABLE, USER] = [1, 2, 4];
/** PE, MP, ET, NE, WP, AM, PG: Linux's. */
const CR0 = 0x80050033;
const [CS, SS, LDTR, TR] = [1, 2, 6, 7];
const ESP = 4;
const RF = 0x10000;
/** Linux opens INT3 and INTO to ring 3; INT 80 is no case. */
const OPEN_VECTORS = [3, 4];
const FILL_BYTES = PAGES.length * PAGE;

export interface OurOutcome extends Outcome {
  /** -1 when the code ran through. */
  vector: number;
  cr2: number;
}

/** What the windows behind the code hold when a sequence begins: host.c's numbers. */
export function filling(seed: number): Uint8Array {
  const bytes = new Uint8Array(FILL_BYTES).fill(0x90, 0, CODE_BYTES);
  const words = new Uint32Array(bytes.buffer);
  let x = seed | 1;
  for (let i = CODE_BYTES / 4; i < words.length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[i] = x;
  }
  return bytes;
}

export class Ours {
  readonly cpu: Cpu;
  private vector = -1;
  /** The windows as they were after the last step, in the order of PAGES. */
  private readonly shadow = Buffer.alloc(FILL_BYTES);
  /** Each page as it is and as it was. */
  private readonly pages: readonly { ram: Buffer; shadow: Buffer }[];
  private readonly view: DataView;

  constructor(options: Partial<CpuOptions> = {}) {
    const bus = { read: () => 0, write: () => undefined, acknowledge: () => 0 };
    this.cpu = new Cpu({ memoryBytes: MEMORY, bus, compileAfter: Infinity, ...options });
    const { cpu } = this;
    const view = new DataView(cpu.ram.buffer, cpu.ram.byteOffset, cpu.ram.length);
    this.view = view;
    this.pages = PAGES.map(({ address }, index) => ({
      ram: Buffer.from(cpu.ram.buffer, cpu.ram.byteOffset + address, PAGE),
      shadow: this.shadow.subarray(index * PAGE, (index + 1) * PAGE),
    }));
    const descriptor = (address: number, { base, limit, attributes }: Descriptor): void => {
      const pages = limit > 0xfffff;
      const field = pages ? limit >>> 12 : limit;
      view.setUint32(address, ((base << 16) | (field & 0xffff)) >>> 0, true);
      const high = (base & 0xff000000) | ((base >>> 16) & 0xff) | (field & 0xf0000) | attributes;
      view.setUint32(address + 4, high >>> 0, true);
    };
    for (const [index, entry] of Object.entries(GDT_ENTRIES)) descriptor(GDT + 8 * Number(index), entry);
    for (const [index, entry] of LDT_ENTRIES.entries()) descriptor(LDT + 8 * index, entry);
    for (let vector = 0; vector < 256; vector++) {
      view.setUint32(IDT + 8 * vector, KERNEL_CODE << 16, true);
      view.setUint32(IDT + 8 * vector + 4, OPEN_VECTORS.includes(vector) ? 0xee00 : 0x8e00, true);
    }
    view.setUint32(TSS + 4, KERNEL_STACK, true);
    view.setUint32(TSS + 8, KERNEL_DATA, true);
    // No I/O permission bitmap.
    view.setUint16(TSS + 102, 0x68, true);
    view.setUint32(DIRECTORY, TABLE | PRESENT | WRITABLE | USER, true);
    for (let page = GDT; page < KERNEL_STACK; page += PAGE)
      view.setUint32(TABLE + page / 1024, page | PRESENT | WRITABLE, true);
    for (const { address, writable } of PAGES)
      view.setUint32(TABLE + address / 1024, address | PRESENT | USER | (writable ? WRITABLE : 0), true);
    cpu.setDescriptorTable("gdt", GDT, 0x7f);
    cpu.setDescriptorTable("idt", IDT, 0x7ff);
    cpu.setSegment(TR, { selector: 0x40, base: TSS, limit: 0x67, attributes: 0x8b00 });
    cpu.setSegment(LDTR, { selector: 0x50, base: LDT, limit: 8 * LDT_ENTRIES.length - 1, attributes: 0x8200 });
    cpu.setControl(3, DIRECTORY);
    cpu.setControl(0, CR0);
    cpu.listener = (kind, a) => {
      if (kind !== CpuEvent.TrapEntry) return;
      this.vector = a;
      cpu.requestStop();
    };
  }

  /** Sets a segment register as a load of the selector would leave it. */
  private load(segment: number, selector: number): void {
    const entry = descriptorOf(selector);
    if ((selector & 0xfffc) === 0 || entry === undefined)
      this.cpu.setSegment(segment, { selector, base: 0, limit: 0, attributes: 0 });
    else this.cpu.setSegment(segment, { selector, ...entry });
  }

  /** Memory, registers and segments for a step. Flags that are as they should be stay lazy. */
  private prepare(step: Step): void {
    const { cpu } = this;
    if (step.control & Control.Fresh) {
      this.shadow.set(filling(step.seed));
      for (const { ram, shadow } of this.pages) ram.set(shadow);
      for (const { address } of PAGES) cpu.codeChanged(address, PAGE);
    }
    this.put(step.codeAt, step.code);
    cpu.codeChanged(step.codeAt, step.code.length);
    for (const [address, value] of step.pokes)
      this.put(
        address,
        [0, 8, 16, 24].map((shift) => (value >>> shift) & 255),
      );
    // CS first: it decides the privilege level that all others are seen with.
    for (const segment of [CS, SS, 0, 3, 4, 5]) {
      const selector = step.selectors[segment];
      if (cpu.r[Word.Selector + segment] !== selector) this.load(segment, selector);
    }
    for (const [register, value] of step.registers.entries()) cpu.r[register] = value;
    if (step.fpu !== undefined) setFpu(cpu.r, step.fpu);
    cpu.eip = step.eip;
    if (step.eflags !== cpu.eflags) cpu.eflags = step.eflags;
  }

  /** Writes bytes to the windows; what lies outside is dropped. */
  private put(address: number, bytes: readonly number[]): void {
    for (const [index, { address: page }] of PAGES.entries()) {
      for (const [i, byte] of bytes.entries()) {
        const offset = address + i - page;
        if (offset >= 0 && offset < PAGE) this.pages[index].ram[offset] = this.pages[index].shadow[offset] = byte;
      }
    }
  }

  /** The words that are not what they were, into `into`; the shadow is brought up to date. */
  private differences(into: number[]): void {
    for (const [index, { ram, shadow }] of this.pages.entries()) {
      if (ram.equals(shadow)) continue;
      for (let i = 0; i < PAGE; i += 4) {
        const value = ram.readUInt32LE(i);
        if (shadow.readUInt32LE(i) !== value) into.push(PAGES[index].address + i, value);
      }
      shadow.set(ram);
    }
  }

  /** Runs a step. */
  run(step: Step): OurOutcome {
    const { cpu } = this;
    this.prepare(step);
    this.vector = -1;
    if (step.control & Control.Straight) {
      const exit = cpu.run(cpu.instret + 1_000_000);
      if (exit !== RunExit.Stopped) throw new Error(`our processor did not stop: exit ${exit}`);
    } else {
      for (let i = 0; i < step.limit && this.vector < 0 && cpu.eip === step.eip; i++) this.one();
      if (step.shadows && this.vector < 0) this.one();
    }
    const outcome = this.outcome();
    this.differences(outcome.changes);
    if (step.control & Control.FpuGet) outcome.fpu = fpuOf(cpu.r);
    return outcome;
  }

  /** One instruction, or one repetition. */
  private one(): void {
    const exit = this.cpu.run(this.cpu.instret + 1);
    // A trap on the way counts no instruction: the request to stop is met first.
    if (this.vector >= 0 && exit !== RunExit.Stopped) this.cpu.run(this.cpu.instret + 1);
  }

  /** Registers as the program has them: behind a trap, from its frame. */
  private outcome(): OurOutcome {
    const { cpu, view, vector } = this;
    const registers = Array.from({ length: 8 }, (_, register) => cpu.register(register));
    const selectors = Array.from({ length: 6 }, (_, segment) => cpu.r[Word.Selector + segment]);
    const outcome: OurOutcome = {
      ...{ registers, selectors, vector, cr2: cpu.control(2), eip: cpu.eip, eflags: cpu.eflags, changes: [] },
    };
    if (vector < 0) return outcome;
    // SS ESP EFLAGS CS EIP, and below it maybe an error code.
    const frame = (index: number): number => view.getUint32(KERNEL_STACK - 4 * index, true);
    registers[ESP] = frame(2);
    selectors[SS] = frame(1) & 0xffff;
    selectors[CS] = frame(4) & 0xffff;
    outcome.eip = frame(5);
    outcome.eflags = frame(3) & ~RF;
    return outcome;
  }
}

/** Where FXSAVE has ST(0), and how far apart the registers are. */
const [ST, ST_BYTES] = [32, 16];

/** Puts an FXSAVE image into the state words: control, status, which registers are full, and the registers. */
function setFpu(r: Int32Array, image: Uint8Array): void {
  const view = new DataView(image.buffer, image.byteOffset, image.length);
  r[Word.FpuControl] = view.getUint16(0, true);
  r[Word.FpuStatus] = view.getUint16(2, true);
  r[Word.FpuValid] = view.getUint8(4);
  const top = (r[Word.FpuStatus] >> 11) & 7;
  for (let i = 0; i < 8; i++) {
    const word = Word.FpuRegisters + 3 * ((top + i) & 7);
    const at = ST + ST_BYTES * i;
    r[word] = view.getInt32(at, true);
    r[word + 1] = view.getInt32(at + 4, true);
    r[word + 2] = view.getUint16(at + 8, true);
  }
}

/** The same back; what FXSAVE has beside these stays zero. */
function fpuOf(r: Int32Array): Uint8Array {
  const image = new Uint8Array(FXSAVE_BYTES);
  const view = new DataView(image.buffer);
  view.setUint16(0, r[Word.FpuControl], true);
  view.setUint16(2, r[Word.FpuStatus], true);
  view.setUint8(4, r[Word.FpuValid]);
  const top = (r[Word.FpuStatus] >> 11) & 7;
  for (let i = 0; i < 8; i++) {
    const word = Word.FpuRegisters + 3 * ((top + i) & 7);
    const at = ST + ST_BYTES * i;
    view.setInt32(at, r[word], true);
    view.setInt32(at + 4, r[word + 1], true);
    view.setUint16(at + 8, r[word + 2], true);
  }
  return image;
}
