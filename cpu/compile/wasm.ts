/**
 * A WebAssembly module as bytes: sections, types, and a function body written instruction by instruction. Knows nothing of the
 * i386. May import nothing.
 *
 * Invariants: a label is the depth at which its block was opened, so that a branch names it from any depth; locals of a
 * function are its parameters, then the int32 locals, then the int64 ones, then the vectors.
 * Source: WebAssembly Core Specification 2.0, chapter 5 (binary format).
 */

/** Opcodes that are emitted as they are. */
export const enum Op {
  Return = 0x0f,
  Select = 0x1b,
  I32Eqz = 0x45,
  I32Eq = 0x46,
  I32Ne = 0x47,
  I32LtS = 0x48,
  I32LtU = 0x49,
  I32GtU = 0x4b,
  I32LeS = 0x4c,
  I32LeU = 0x4d,
  I32GeS = 0x4e,
  I32GeU = 0x4f,
  I64Ne = 0x52,
  I32Popcnt = 0x69,
  I32Add = 0x6a,
  I32Sub = 0x6b,
  I32Mul = 0x6c,
  I32And = 0x71,
  I32Or = 0x72,
  I32Xor = 0x73,
  I32Shl = 0x74,
  I32ShrS = 0x75,
  I32ShrU = 0x76,
  I32Rotl = 0x77,
  I64Mul = 0x7e,
  I64DivS = 0x7f,
  I64DivU = 0x80,
  I64RemS = 0x81,
  I64RemU = 0x82,
  I64Or = 0x84,
  I64Shl = 0x86,
  I64ShrU = 0x88,
  F64Add = 0xa0,
  F64Sub = 0xa1,
  F64Min = 0xa4,
  I32WrapI64 = 0xa7,
  I64ExtendI32S = 0xac,
  I64ExtendI32U = 0xad,
  F64ConvertI32S = 0xb7,
  I32Extend8S = 0xc0,
  I32Extend16S = 0xc1,
}

/** Loads and stores; each takes an address from the stack and has an offset of its own. */
export const enum Access {
  I32Load = 0x28,
  F64Load = 0x2b,
  I32Load8S = 0x2c,
  I32Load8U = 0x2d,
  I32Load16S = 0x2e,
  I32Load16U = 0x2f,
  I32Store = 0x36,
  F64Store = 0x39,
  I32Store8 = 0x3a,
  I32Store16 = 0x3b,
}

export const I32 = 0x7f;
export const I64 = 0x7e;
const V128 = 0x7b;
const SIMD = 0xfd;
const FUNCREF = 0x70;

/** A growing array of bytes with the format's numbers. */
class Bytes {
  private array = new Uint8Array(256);
  length = 0;

  byte(value: number): void {
    if (this.length === this.array.length) this.grow(this.length + 1);
    this.array[this.length++] = value;
  }
  bytes(values: Uint8Array | readonly number[]): void {
    if (this.length + values.length > this.array.length) this.grow(this.length + values.length);
    this.array.set(values, this.length);
    this.length += values.length;
  }
  private grow(least: number): void {
    const larger = new Uint8Array(Math.max(2 * this.array.length, least));
    larger.set(this.array);
    this.array = larger;
  }
  /** LEB128 of a uint32. */
  unsigned(value: number): void {
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }
  /** LEB128 of an int32. */
  signed(value: number): void {
    let rest = value | 0;
    while (rest < -64 || rest > 63) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>= 7;
    }
    this.byte(rest & 0x7f);
  }
  name(text: string): void {
    this.unsigned(text.length);
    for (let i = 0; i < text.length; i++) this.byte(text.charCodeAt(i));
  }
  take(): Uint8Array {
    return this.array.subarray(0, this.length);
  }
}

/** The body of one function. Methods emit one instruction each. */
export class Body {
  private readonly code = new Bytes();
  private depth = 0;

  /** `i32`, `i64` and `v128` locals follow the parameters. */
  constructor(
    private readonly i32: number,
    private readonly i64: number,
    private readonly v128 = 0,
  ) {}

  op(opcode: Op): void {
    this.code.byte(opcode);
  }
  constant(value: number): void {
    this.code.byte(0x41);
    this.code.signed(value);
  }
  /** An int64 constant that fits in 32 signed bits. */
  constant64(value: number): void {
    this.code.byte(0x42);
    this.code.signed(value);
  }
  /** A float64 constant that is a whole number below 2^31. */
  wholeF64(value: number): void {
    this.constant(value);
    this.op(Op.F64ConvertI32S);
  }
  get(local: number): void {
    this.code.byte(0x20);
    this.code.unsigned(local);
  }
  set(local: number): void {
    this.code.byte(0x21);
    this.code.unsigned(local);
  }
  tee(local: number): void {
    this.code.byte(0x22);
    this.code.unsigned(local);
  }
  /** A load or store at the address on the stack plus `offset`; no alignment is promised. */
  access(access: Access, offset = 0): void {
    this.code.byte(access);
    this.code.byte(0);
    this.code.unsigned(offset);
  }
  call(index: number): void {
    this.code.byte(0x10);
    this.code.unsigned(index);
  }
  /** Takes the arguments, then an index into the table. */
  callIndirect(type: number): void {
    this.code.byte(0x11);
    this.code.unsigned(type);
    this.code.byte(0);
  }
  /** float64 to int32, towards zero, clamped. */
  truncate(): void {
    this.code.bytes([0xfc, 2]);
  }

  /** Takes destination, source and bytes. */
  copyMemory(): void {
    this.code.bytes([0xfc, 10, 0, 0]);
  }
  /** Takes destination, value and bytes. */
  fillMemory(): void {
    this.code.bytes([0xfc, 11, 0]);
  }

  /** Takes an int32 and leaves a vector of four of it. */
  splat(): void {
    this.code.bytes([SIMD, 0x11]);
  }
  /** Takes an address; leaves the vector that is there plus `offset`. */
  loadVector(offset: number): void {
    this.code.bytes([SIMD, 0x00, 0]);
    this.code.unsigned(offset);
  }
  orVectors(): void {
    this.code.bytes([SIMD, 0x50]);
  }
  /** Takes a vector and leaves 1 where any of its bits is set, else 0. */
  anyTrue(): void {
    this.code.bytes([SIMD, 0x53]);
  }
  /** Takes an address and a vector, which goes there plus `offset`. */
  storeVector(offset: number): void {
    this.code.bytes([SIMD, 0x0b, 0]);
    this.code.unsigned(offset);
  }

  /** Opens a block whose label stands at its end. */
  block(): number {
    return this.open(0x02);
  }
  /** Opens a block whose label stands at its beginning. */
  loop(): number {
    return this.open(0x03);
  }
  /** Takes a condition; what follows runs when it is not 0. */
  if(): number {
    return this.open(0x04);
  }
  else(): void {
    this.code.byte(0x05);
  }
  end(): void {
    this.code.byte(0x0b);
    this.depth--;
  }
  private open(opcode: number): number {
    this.code.byte(opcode);
    this.code.byte(0x40);
    return ++this.depth;
  }

  branch(label: number): void {
    this.code.byte(0x0c);
    this.code.unsigned(this.depth - label);
  }
  /** Takes a condition. */
  branchIf(label: number): void {
    this.code.byte(0x0d);
    this.code.unsigned(this.depth - label);
  }
  /** Takes an index. */
  branchTable(labels: readonly number[], otherwise: number): void {
    this.code.byte(0x0e);
    this.code.unsigned(labels.length);
    for (const label of labels) this.code.unsigned(this.depth - label);
    this.code.unsigned(this.depth - otherwise);
  }

  /** A place to come back to: rewind() forgets what was emitted since. */
  mark(): { length: number; depth: number } {
    return { length: this.code.length, depth: this.depth };
  }
  rewind({ length, depth }: { length: number; depth: number }): void {
    this.code.length = length;
    this.depth = depth;
  }

  /** The finished body with its declaration of locals. */
  finish(): Uint8Array {
    const all = new Bytes();
    all.unsigned(3);
    all.unsigned(this.i32);
    all.byte(I32);
    all.unsigned(this.i64);
    all.byte(I64);
    all.unsigned(this.v128);
    all.byte(V128);
    all.bytes(this.code.take());
    all.byte(0x0b);
    return all.take();
  }
}

/** A function type: how many int32 parameters and results. */
export interface Signature {
  parameters: number;
  results: number;
}

/** A function that the module defines. */
export interface Definition {
  type: number;
  body: Uint8Array;
}

function section(out: Bytes, id: number, content: Bytes): void {
  out.byte(id);
  out.unsigned(content.length);
  out.bytes(content.take());
}

function list<T>(items: readonly T[], write: (to: Bytes, item: T) => void): Bytes {
  const to = new Bytes();
  to.unsigned(items.length);
  for (const item of items) write(to, item);
  return to;
}

/**
 * A module that imports the memory "e.m", with `table` the table of functions "e.t", and functions "e.0", "e.1", … with the given
 * types, and exports the functions it defines under their numbers. Functions are numbered imports first.
 */
export function moduleBytes(
  types: readonly Signature[],
  imports: readonly number[],
  functions: readonly Definition[],
  table = false,
): Uint8Array {
  const out = new Bytes();
  out.bytes([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const typeSection = list(types, (to, { parameters, results }) => {
    to.byte(0x60);
    to.unsigned(parameters);
    for (let i = 0; i < parameters; i++) to.byte(I32);
    to.unsigned(results);
    for (let i = 0; i < results; i++) to.byte(I32);
  });
  section(out, 1, typeSection);

  const importSection = new Bytes();
  importSection.unsigned(imports.length + (table ? 2 : 1));
  importSection.name("e");
  importSection.name("m");
  importSection.bytes([2, 0, 0]);
  if (table) {
    importSection.name("e");
    importSection.name("t");
    importSection.bytes([1, FUNCREF, 0, 0]);
  }
  for (const [index, type] of imports.entries()) {
    importSection.name("e");
    importSection.name(String(index));
    importSection.byte(0);
    importSection.unsigned(type);
  }
  section(out, 2, importSection);

  section(
    out,
    3,
    list(functions, (to, { type }) => to.unsigned(type)),
  );
  const exportSection = list([...functions.keys()], (to, index) => {
    to.name(String(imports.length + index));
    to.byte(0);
    to.unsigned(imports.length + index);
  });
  section(out, 7, exportSection);
  section(
    out,
    10,
    list(functions, (to, { body }) => {
      to.unsigned(body.length);
      to.bytes(body);
    }),
  );
  return out.take();
}
