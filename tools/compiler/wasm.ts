/**
 * Reads a WebAssembly binary as asc writes it: sections, names, and each function's code as an array of decoded
 * instructions that know their byte offset. What the back end cannot compile (64-bit and floating-point types, imported
 * memories, a start function, more than one result) is refused here with the source line. May import errors and wasmopcodes.
 * Source: WebAssembly core specification 2.0, chapter 5 (binary format) and appendix "name section".
 */

import { CompileError } from "./errors";
import { describeOpcode, Immediate, immediateOf, Opcode } from "./wasmopcodes";

/** Where a byte of the wasm binary comes from; undefined where asc's source map says nothing. */
export type Locate = (wasmOffset: number) => { file: string; line: number; column: number } | undefined;

/** A signature: how many i32 parameters, and whether there is an i32 result. */
export interface WasmType {
  parameters: number;
  results: number;
}

/** One decoded instruction. `a` and `b` are its immediates in order of encoding (alignment hints are dropped). */
export interface WasmInstruction {
  opcode: number;
  a: number;
  b: number;
  /** br_table only: label depths, the default last. */
  labels: readonly number[] | null;
  /** Bytes from the start of the binary. */
  offset: number;
}

export interface WasmFunction {
  /** In the function index space, imports first. */
  index: number;
  /** Name section's name, such as `kernel/mm/memory/copyPageRange`. */
  name: string;
  type: WasmType;
  /** Present on imports: the module and field names. */
  imported: { module: string; field: string } | null;
  /** Declared locals, parameters not counted. */
  locals: number;
  code: readonly WasmInstruction[];
  /** Of the body, in bytes from the start of the binary. */
  offset: number;
}

export interface WasmGlobal {
  name: string;
  mutable: boolean;
  initial: number;
}

export interface WasmModule {
  types: readonly WasmType[];
  functions: readonly WasmFunction[];
  globals: readonly WasmGlobal[];
  /** Export name to function index. */
  exportedFunctions: ReadonlyMap<string, number>;
  /** Export name to global index. */
  exportedGlobals: ReadonlyMap<string, number>;
  /** The table of functions: function index at each entry, -1 where nothing is. */
  table: readonly number[];
  /** Active data segments: absolute address and bytes. */
  data: readonly { address: number; bytes: Uint8Array }[];
}

const I32 = 0x7f;
const TYPE_NAMES: Readonly<Record<number, string>> = {
  126: "i64",
  125: "f32",
  124: "f64",
  123: "v128",
  112: "funcref",
};

class Reader {
  constructor(
    readonly bytes: Uint8Array,
    public position: number,
  ) {}

  byte(): number {
    return this.bytes[this.position++];
  }

  unsigned(): number {
    let result = 0;
    let shift = 0;
    for (;;) {
      const byte = this.byte();
      result |= (byte & 0x7f) << shift;
      shift += 7;
      if (byte < 0x80) return result >>> 0;
    }
  }

  signed(): number {
    let result = 0;
    let shift = 0;
    for (;;) {
      const byte = this.byte();
      result |= (byte & 0x7f) << shift;
      shift += 7;
      if (byte < 0x80) return shift < 32 && byte & 0x40 ? result | (-1 << shift) : result;
    }
  }

  take(count: number): Uint8Array {
    this.position += count;
    return this.bytes.subarray(this.position - count, this.position);
  }

  /** A signed number of 64 bits, as its low and high words. */
  signedPair(): [number, number] {
    let result = 0n;
    let shift = 0n;
    for (;;) {
      const byte = this.byte();
      result |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
      if (byte >= 0x80) continue;
      if (byte & 0x40) result -= 1n << shift;
      return [Number(BigInt.asIntN(32, result)), Number(BigInt.asIntN(32, result >> 32n))];
    }
  }

  name(): string {
    return new TextDecoder().decode(this.take(this.unsigned()));
  }
}

/**
 * Decode a whole binary. `name` stands in messages where `locate` knows no place.
 * @throws CompileError for whatever the i386 back end does not do, at the source line that `locate` gives.
 */
export function decodeModule(binary: Uint8Array, name: string, locate: Locate): WasmModule {
  return new Decoder(binary, name, locate).decode();
}

class Decoder {
  private readonly types: WasmType[] = [];
  private readonly functions: WasmFunction[] = [];
  private readonly globals: WasmGlobal[] = [];
  private readonly exportedFunctions = new Map<string, number>();
  private readonly exportedGlobals = new Map<string, number>();
  private readonly table: number[] = [];
  private readonly data: { address: number; bytes: Uint8Array }[] = [];
  private readonly declared: WasmType[] = [];
  private start = -1;

  constructor(
    private readonly binary: Uint8Array,
    private readonly name: string,
    private readonly locate: Locate,
  ) {}

  decode(): WasmModule {
    const reader = new Reader(this.binary, 8);
    while (reader.position < this.binary.length) {
      const id = reader.byte();
      const size = reader.unsigned();
      const end = reader.position + size;
      this.section(id, reader, end);
      reader.position = end;
    }
    this.rejectStart();
    this.rejectAllocation();
    const { types, functions, globals, exportedFunctions, exportedGlobals, table, data } = this;
    return { types, functions, globals, exportedFunctions, exportedGlobals, table, data };
  }

  private section(id: number, reader: Reader, end: number): void {
    if (id === 0) this.customSection(reader, end);
    else if (id === 1) this.typeSection(reader);
    else if (id === 2) this.importSection(reader);
    else if (id === 3) for (let n = reader.unsigned(); n > 0; n--) this.declared.push(this.types[reader.unsigned()]);
    else if (id === 6) this.globalSection(reader);
    else if (id === 7) this.exportSection(reader);
    else if (id === 8) this.start = reader.unsigned();
    else if (id === 9) this.elementSection(reader);
    else if (id === 10) this.codeSection(reader);
    else if (id === 11) this.dataSection(reader);
  }

  private fail(message: string, offset: number): never {
    throw new CompileError(message, this.locate(offset) ?? { file: this.name, line: 0 });
  }

  /** A type that holds no i32 is kept as such and refused where a function uses it, where the source line is known. */
  private valueType(type: number, offset: number): void {
    if (type !== I32)
      this.fail(`type ${TYPE_NAMES[type] ?? type} has no place in a 32-bit machine: use i32 or u32`, offset);
  }

  private typeSection(reader: Reader): void {
    for (let n = reader.unsigned(); n > 0; n--) {
      reader.byte();
      const parameters = reader.take(reader.unsigned());
      const results = reader.take(reader.unsigned());
      const other = [...parameters, ...results].some((type) => type !== I32);
      this.types.push({ parameters: other ? -1 : parameters.length, results: results.length });
    }
  }

  private importSection(reader: Reader): void {
    for (let n = reader.unsigned(); n > 0; n--) {
      const offset = reader.position;
      const module = reader.name();
      const field = reader.name();
      const kind = reader.byte();
      if (kind !== 0) this.fail(`import ${module}.${field} is not a function`, offset);
      const type = this.types[reader.unsigned()];
      if (type.parameters < 0) this.fail(`${field}: a parameter or result is not a 32-bit integer`, offset);
      const index = this.functions.length;
      this.functions.push({ index, name: field, type, imported: { module, field }, locals: 0, code: [], offset });
    }
  }

  private globalSection(reader: Reader): void {
    for (let n = reader.unsigned(); n > 0; n--) {
      const offset = reader.position;
      this.valueType(reader.byte(), offset);
      const mutable = reader.byte() === 1;
      this.globals.push({ name: `global${this.globals.length}`, mutable, initial: this.constant(reader) });
    }
  }

  private constant(reader: Reader): number {
    const offset = reader.position;
    if (reader.byte() !== Opcode.I32Const) this.fail("an initialiser must be a constant", offset);
    const value = reader.signed();
    reader.byte();
    return value;
  }

  private exportSection(reader: Reader): void {
    for (let n = reader.unsigned(); n > 0; n--) {
      const name = reader.name();
      const kind = reader.byte();
      const index = reader.unsigned();
      if (kind === 0) this.exportedFunctions.set(name, index);
      else if (kind === 3) this.exportedGlobals.set(name, index);
    }
  }

  private elementSection(reader: Reader): void {
    for (let n = reader.unsigned(); n > 0; n--) {
      const offset = reader.position;
      if (reader.unsigned() !== 0) this.fail("only active element segments of table 0 are supported", offset);
      const first = this.constant(reader);
      const count = reader.unsigned();
      while (this.table.length < first + count) this.table.push(-1);
      for (let i = 0; i < count; i++) this.table[first + i] = reader.unsigned();
    }
  }

  private dataSection(reader: Reader): void {
    for (let n = reader.unsigned(); n > 0; n--) {
      const offset = reader.position;
      if (reader.unsigned() !== 0) this.fail("passive data segments are not supported", offset);
      const address = this.constant(reader) >>> 0;
      this.data.push({ address, bytes: reader.take(reader.unsigned()) });
    }
  }

  private codeSection(reader: Reader): void {
    for (let n = reader.unsigned(), i = 0; i < n; i++) {
      const size = reader.unsigned();
      const offset = reader.position;
      const end = offset + size;
      let locals = 0;
      const wrongTypes: number[] = [];
      for (let groups = reader.unsigned(); groups > 0; groups--) {
        locals += reader.unsigned();
        const type = reader.byte();
        if (type !== I32) wrongTypes.push(type);
      }
      const body = reader.position;
      const code = this.instructions(reader, end);
      if (wrongTypes.length > 0) this.valueType(wrongTypes[0], body);
      const type = this.declared[i];
      if (type.parameters < 0) this.fail("a parameter or result is not a 32-bit integer", body);
      if (type.results > 1) this.fail("a function has more than one result", body);
      const index = this.functions.length;
      this.functions.push({ index, name: `function${index}`, type, imported: null, locals, code, offset: body });
    }
  }

  private instructions(reader: Reader, end: number): WasmInstruction[] {
    const code: WasmInstruction[] = [];
    while (reader.position < end) {
      const offset = reader.position;
      let opcode = reader.byte();
      if (opcode === 0xfc || opcode === 0xfe) opcode = (opcode << 8) | reader.unsigned();
      let a = 0;
      let b = 0;
      let labels: number[] | null = null;
      switch (immediateOf(opcode)) {
        case Immediate.None:
          break;
        case Immediate.Block:
          a = this.blockType(reader);
          break;
        case Immediate.Index:
          a = reader.unsigned();
          break;
        case Immediate.TwoIndices:
          a = reader.unsigned();
          b = reader.unsigned();
          break;
        case Immediate.Memory:
          reader.unsigned();
          a = reader.unsigned() | 0;
          break;
        case Immediate.Constant:
          a = reader.signed();
          break;
        case Immediate.WideConstant:
          [a, b] = reader.signedPair();
          break;
        case Immediate.Labels:
          labels = [];
          for (let n = reader.unsigned() + 1; n > 0; n--) labels.push(reader.unsigned());
          break;
        case Immediate.Types:
          reader.take(reader.unsigned());
          break;
        default:
          this.fail(`${describeOpcode(opcode)} is not supported: the machine has 32-bit integers only`, offset);
      }
      code.push({ opcode, a, b, labels, offset });
    }
    return code;
  }

  /** Results of a block type: 0 or 1. Types with parameters or several results are refused. */
  private blockType(reader: Reader): number {
    const offset = reader.position;
    const byte = reader.byte();
    if (byte === 0x40) return 0;
    this.valueType(byte, offset);
    return 1;
  }

  private customSection(reader: Reader, end: number): void {
    if (reader.name() !== "name") return;
    while (reader.position < end) {
      const kind = reader.byte();
      const next = reader.unsigned() + reader.position;
      const named = kind === 1 ? this.functions : kind === 7 ? this.globals : null;
      if (named !== null) {
        for (let n = reader.unsigned(); n > 0; n--) {
          const index = reader.unsigned();
          named[index].name = reader.name();
        }
      }
      reader.position = next;
    }
  }

  private rejectStart(): void {
    if (this.start < 0) return;
    const code = this.functions[this.start].code;
    const located = code.find((instruction) => this.locate(instruction.offset) !== undefined) ?? code[0];
    this.fail(
      "a global's initialiser is not a constant, so it would have to run at start: assign it in a function",
      located.offset,
    );
  }

  /** Managed objects need a heap and a collector that the guest has not: point at the code that makes one. */
  private rejectAllocation(): void {
    const runtime = (index: number) => this.functions[index].name.startsWith("~lib/rt/");
    for (const caller of this.functions) {
      if (runtime(caller.index)) continue;
      for (const { opcode, a, offset } of caller.code) {
        if (opcode === Opcode.Call && runtime(a)) {
          this.fail(
            "this allocates a managed object (class instance, array, string or template literal): there is no heap for it",
            offset,
          );
        }
      }
    }
  }
}
