/**
 * Small guest programs, assembled with cpu/encoder.ts: labels, data, descriptor tables, and a multiboot ELF around them.
 * Programs run at their physical address in flat protected mode, as a multiboot loader starts them.
 */
import {
  creg,
  type EncodeOptions,
  Encoder,
  imm,
  type MemoryParts,
  mem,
  type OperandValue,
  reg,
  rel32,
} from "../../cpu/encoder";
import { elfImage, multibootHeader } from "./images";

export const [EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI] = Array.from({ length: 8 }, (_, number) => reg(number));
export const [AL, CL, DL, BL] = Array.from({ length: 4 }, (_, number) => reg(number, 1));
export const [AX, , DX] = Array.from({ length: 3 }, (_, number) => reg(number, 2));

/** CR0 to CR4. */
export const CR = Array.from({ length: 5 }, (_, number) => creg(number));

/** Segment registers. */
export const SEGMENT = Object.fromEntries(
  ["es", "cs", "ss", "ds", "fs", "gs"].map((name, number) => [name, { kind: "sreg", number }]),
) as Record<"es" | "cs" | "ss" | "ds" | "fs" | "gs", OperandValue>;

/** Selectors of the tables that Program.tables() makes: flat segments of ring 0 and 3, and the TSS. */
export const CODE = 0x08;
export const DATA = 0x10;
export const USER_CODE = 0x1b;
export const USER_DATA = 0x23;
const TSS = 0x28;

/** Where the image is loaded. */
export const ORIGIN = 0x100000;
const KERNEL_STACK = 0x90000;
const USER_STACK = 0x80000;

/** The address of a label as an immediate. */
export interface LabelValue {
  readonly label: string;
}

/** `[registers + displacement]` of 4 bytes, or of `size`. */
export function at(base: OperandValue, displacement = 0, size = 4): OperandValue {
  return mem(size, { base: (base as { number: number }).number, displacement });
}

/** `[address]`. */
export function absolute(address: number, size = 4, parts: MemoryParts = {}): OperandValue {
  return mem(size, { displacement: address | 0, ...parts });
}

type Fixup = (view: DataView, resolve: (label: string) => number) => void;
type Given = OperandValue | LabelValue | number;

export class Program {
  private readonly encoder = new Encoder();
  private readonly code: number[] = [...multibootHeader(), 0, 0, 0, 0];
  private readonly labels = new Map<string, number>();
  private readonly fixups: Fixup[] = [];
  private zeros = 0;

  /** Address of the next byte. */
  get here(): number {
    return ORIGIN + this.code.length;
  }

  label(name: string): this {
    if (this.labels.has(name)) throw new Error(`label '${name}' twice`);
    this.labels.set(name, this.here);
    return this;
  }

  /** An instruction; numbers are immediates. */
  op(mnemonic: string, ...given: Given[]): this {
    return this.opWith({}, mnemonic, ...given);
  }

  /** With REP and the like. */
  opWith(options: EncodeOptions, mnemonic: string, ...given: Given[]): this {
    let label: string | undefined;
    const values = given.map((value) => {
      if (typeof value === "number") return imm(value);
      if (!("label" in value)) return value;
      label = value.label;
      return imm(0, true);
    });
    this.encoder.encode(mnemonic, values, options);
    if (label !== undefined) this.patch(this.encoder.immediateAt, label, 0);
    this.code.push(...this.encoder.bytes.subarray(0, this.encoder.length));
    return this;
  }

  /** A jump, call or loop-free branch to a label, with a 32-bit distance. */
  jump(mnemonic: string, label: string): this {
    this.encoder.encode(mnemonic, [rel32(0)]);
    this.patch(this.encoder.immediateAt, label, this.here + this.encoder.length);
    this.code.push(...this.encoder.bytes.subarray(0, this.encoder.length));
    return this;
  }

  /** Puts `label - from` into the 4 bytes at an offset from here. */
  private patch(offset: number, label: string, from: number): void {
    const position = this.code.length + offset;
    this.fixups.push((view, resolve) => view.setUint32(position, resolve(label) - from, true));
  }

  bytes(...bytes: number[]): this {
    this.code.push(...bytes);
    return this;
  }

  text(text: string): this {
    return this.bytes(...Buffer.from(text, "latin1"));
  }

  align(alignment: number): this {
    while (this.here % alignment !== 0) this.code.push(0);
    return this;
  }

  /** A 32-bit word in memory: a number or a label's address. */
  word(value: number | LabelValue): this {
    if (typeof value !== "number") this.patch(0, value.label, 0);
    const word = typeof value === "number" ? value : 0;
    return this.bytes(word & 255, (word >> 8) & 255, (word >> 16) & 255, word >>> 24);
  }

  /** OUT of a constant byte to a port: changes AL, and EDX for ports above 255. */
  outb(port: number, value: number): this {
    this.op("mov", AL, value);
    if (port < 256) return this.op("out", port, AL);
    return this.op("mov", EDX, port).op("out", DX, AL);
  }

  /** Ends the run with a value. */
  exit(value: number): this {
    return this.outb(0xf4, value);
  }

  /**
   * Data: GDT (selectors above), a TSS whose ring-0 stack is the program's own, IDT with a present interrupt gate, open to
   * ring 3, for each vector named, and the pseudo-descriptors `gdtr` and `idtr`. Put where nothing runs into it.
   */
  tables(gates: Readonly<Record<number, string>>): this {
    this.align(8).label("gdt").word(0).word(0);
    for (const access of [0x9a, 0x92, 0xfa, 0xf2]) this.word(0x0000ffff).word(0x00cf0000 | (access << 8));
    this.split("tss", (view, position, address) => {
      view.setUint16(position, 103, true);
      view.setUint16(position + 2, address & 0xffff, true);
      view.setUint32(position + 4, 0x8900 | ((address >>> 16) & 0xff) | (address & 0xff000000), true);
    });
    this.label("idt");
    for (let vector = 0; vector < 256; vector++) {
      const label = gates[vector];
      if (label === undefined) this.word(0).word(0);
      else
        this.split(label, (view, position, address) => {
          view.setUint32(position, (CODE << 16) | (address & 0xffff), true);
          view.setUint32(position + 4, (address & 0xffff0000) | 0xee00, true);
        });
    }
    this.label("gdtr").bytes(47, 0).word({ label: "gdt" });
    this.align(4).label("idtr").bytes(0xff, 7).word({ label: "idt" });
    this.align(4).label("tss").word(0).word(KERNEL_STACK).word(DATA);
    for (let word = 3; word < 26; word++) this.word(word === 25 ? 104 << 16 : 0); // the I/O map lies beyond the limit
    return this;
  }

  /** Raw IDT entries, two words each, from a vector on; behind tables(). */
  patchIdt(vector: number, words: readonly number[]): this {
    const position = this.address("idt") - ORIGIN + 8 * vector;
    for (const [i, word] of words.entries()) this.fixups.push((view) => view.setUint32(position + 4 * i, word, true));
    return this;
  }

  /** A descriptor of 8 bytes in which a label's address is written by `put`. */
  private split(label: string, put: (view: DataView, position: number, address: number) => void): this {
    const position = this.code.length;
    this.fixups.push((view, resolve) => put(view, position, resolve(label)));
    return this.word(0).word(0);
  }

  /** Code: loads the tables, flat segments and a stack. */
  enter(): this {
    this.op("mov", EAX, { label: "gdtr" }).op("lgdt", at(EAX, 0, 6));
    this.op("mov", EAX, { label: "idtr" }).op("lidt", at(EAX, 0, 6));
    this.op("mov", ESP, KERNEL_STACK);
    this.op("push", CODE).op("push", { label: "entered" }).op("retf").label("entered");
    this.op("mov", EAX, DATA);
    for (const number of [0, 2, 3, 4, 5]) this.op("mov", { kind: "sreg", number }, EAX);
    return this.op("mov", EAX, TSS).op("ltr", AX);
  }

  /** Code: goes on in ring 3, with a stack of its own and these flags. */
  enterUser(eflags: number): this {
    this.op("push", USER_DATA).op("push", USER_STACK).op("push", eflags);
    this.op("push", USER_CODE).op("push", { label: "user" }).op("iretd").label("user");
    this.op("mov", EAX, USER_DATA);
    for (const number of [0, 3, 4, 5]) this.op("mov", { kind: "sreg", number }, EAX);
    return this;
  }

  /** Code: both PICs at vectors 0x20 and 0x28, with the given masks. */
  pics(masterMask: number, slaveMask = 0xff): this {
    this.outb(0x20, 0x11).outb(0xa0, 0x11).outb(0x21, 0x20).outb(0xa1, 0x28);
    this.outb(0x21, 4).outb(0xa1, 2).outb(0x21, 1).outb(0xa1, 1);
    return this.outb(0x21, masterMask).outb(0xa1, slaveMask);
  }

  /** Code: PIT channel 0 in a mode with a count. */
  timer(mode: number, count: number): this {
    return this.outb(0x43, 0x30 | (mode << 1))
      .outb(0x40, count & 255)
      .outb(0x40, count >> 8);
  }

  /** More zeroed memory behind the program, from its end rounded up to a page. */
  reserve(bytes: number): this {
    this.zeros += bytes;
    return this;
  }

  /** Address of a label. */
  address(label: string): number {
    const address = this.labels.get(label);
    if (address === undefined) throw new Error(`no label '${label}'`);
    return address;
  }

  /** The finished bytes, multiboot header first, for address 0x100000. */
  finish(): Uint8Array {
    const bytes = Uint8Array.from(this.code);
    const view = new DataView(bytes.buffer);
    for (const fixup of this.fixups) fixup(view, (label) => this.address(label));
    return bytes;
  }

  /** A multiboot ELF32 that starts with the first instruction. */
  elf(): Uint8Array {
    const data = this.finish();
    return elfImage([{ physical: ORIGIN, data, bytes: data.length + this.zeros }], ORIGIN + 16);
  }
}
