/**
 * ROM images for tests, assembled with cpu/encoder.ts: 16-bit code from F000:0000, with the jump at F000:FFF0 that leads to it,
 * and 32-bit code where `wide` says so.
 */
import { Encoder, imm, type MemoryParts, mem, type OperandValue, reg, rel32 } from "../../cpu/encoder";

/** Linear address of the code segment. */
export const SEGMENT_BASE = 0xf0000;
const RESET_VECTOR = 0xfff0;
const SEGMENT_BYTES = 0x10000;

export const [AX, CX, DX, BX, SP, BP, SI, DI] = Array.from({ length: 8 }, (_, number) => reg(number, 2));
export const [AL, CL, DL, BL, AH] = Array.from({ length: 5 }, (_, number) => reg(number, 1));

/** `[address]` of 16-bit code. */
export function word16(address: number, size = 2, parts: MemoryParts = {}): OperandValue {
  return mem(size, { displacement: address, addressSize: 2, ...parts });
}

type Given = OperandValue | { readonly label: string } | number;

export class Rom {
  private readonly encoders = { 2: new Encoder(2), 4: new Encoder(4) };
  private size: 2 | 4 = 2;
  private readonly code: number[] = [];
  private readonly labels = new Map<string, number>();
  private readonly fixups: { at: number; bytes: number; label: string; from: number }[] = [];

  /** Code from here on is 32-bit (4) or 16-bit (2). */
  wide(size: 2 | 4): this {
    this.size = size;
    return this;
  }

  label(name: string): this {
    this.labels.set(name, this.code.length);
    return this;
  }

  /** An instruction; numbers are immediates, labels offsets in the segment. */
  op(mnemonic: string, ...given: Given[]): this {
    let label: string | undefined;
    const values = given.map((value) => {
      if (typeof value === "number") return imm(value);
      if (!("label" in value)) return value;
      label = value.label;
      return imm(0, true);
    });
    return this.emit(mnemonic, values, label, 0, this.size);
  }

  /** A jump, call or branch to a label, with a distance of 32 bits. */
  jump(mnemonic: string, label: string): this {
    return this.emit(mnemonic, [rel32(0)], label, undefined, 4);
  }

  private emit(
    mnemonic: string,
    values: OperandValue[],
    label: string | undefined,
    from: number | undefined,
    bytes: number,
  ): this {
    const encoder = this.encoders[this.size];
    encoder.encode(mnemonic, values);
    if (label !== undefined) {
      const at = this.code.length + encoder.immediateAt;
      this.fixups.push({ at, bytes, label, from: from ?? this.code.length + encoder.length });
    }
    return this.bytes(...encoder.bytes.subarray(0, encoder.length));
  }

  bytes(...bytes: number[]): this {
    this.code.push(...bytes);
    return this;
  }

  text(text: string): this {
    return this.bytes(...Buffer.from(text, "latin1"));
  }

  /** OUT of a constant: changes AL, and DX for ports above 255. */
  outb(port: number, value: number): this {
    this.op("mov", AL, value);
    if (port < 256) return this.op("out", port, AL);
    return this.op("mov", DX, port).op("out", DX, AL);
  }

  /** IN to AL; changes DX for ports above 255. */
  inb(port: number): this {
    if (port < 256) return this.op("in", AL, port);
    return this.op("mov", DX, port).op("in", AL, DX);
  }

  /** Sends AL to COM1. */
  send(): this {
    return this.op("mov", DX, 0x3f8).op("out", DX, AL);
  }

  /** Offset of a label in the segment. */
  address(label: string): number {
    const address = this.labels.get(label);
    if (address === undefined) throw new Error(`no label '${label}'`);
    return address;
  }

  /** The image, of 64 KB or more; the code is in its last 64 KB. */
  finish(size = SEGMENT_BYTES): Uint8Array {
    const image = new Uint8Array(size).fill(0xff);
    const segment = image.subarray(size - SEGMENT_BYTES);
    segment.set(this.code);
    for (const { at, bytes, label, from } of this.fixups) {
      const value = this.address(label) - from;
      for (let i = 0; i < bytes; i++) segment[at + i] = (value >> (8 * i)) & 0xff;
    }
    segment.set([0xea, 0x00, 0x00, 0x00, 0xf0], RESET_VECTOR); // JMP F000:0000
    return image;
  }
}
