/**
 * Collects the code and data of a module into an object file: sections, symbols, relocations, lines. Imports object,
 * emitencode, emitframe, lowercontext (for what lowering asks of a module), wasm.
 *
 * Sections: `.text`; `.rodata` with strings, jump tables and the table of functions; `.data` with one word for each mutable
 * wasm global; `.data@<hex address>` for each data segment, which the linker puts at that address.
 * Local labels `.Ltext`, `.Lrodata`, `.Ldata`, `.Ltable` are what relocations inside the module refer to.
 */

import type { AsmInstruction } from "./emitasm";
import { encodeFunction, type Fixup } from "./emitencode";
import { TABLE_SYMBOL } from "./emitexpansions";
import { frameRules } from "./emitframe";
import type { MakeVariables } from "./emitvariables";
import type { FrameRecord } from "./frames";
import type { ModuleLayout, SymbolReference } from "./lowercontext";
import type { LineRecord, LocalVariable, ObjectFile, ObjectSymbol, Relocation } from "./object";
import type { Locate, WasmModule } from "./wasm";

const TEXT = ".Ltext";
const RODATA = ".Lrodata";
const DATA = ".Ldata";
/** Functions begin at multiples of this; the gap is filled with INT3. */
const FUNCTION_ALIGN = 16;
const INT3 = 0xcc;

/** The last part of a wasm name: `kernel/mm/vma/Mm#find` is `Mm#find`. A `/` inside a generic argument does not count. */
export function plainName(name: string): string {
  const generic = name.indexOf("<");
  return name.slice(name.lastIndexOf("/", generic < 0 ? name.length : generic) + 1);
}

export class ObjectBuilder implements ModuleLayout {
  private readonly text: Uint8Array[] = [];
  private textSize = 0;
  private readonly rodata = new Bytes();
  private readonly symbols: ObjectSymbol[] = [];
  private readonly relocations: Relocation[] = [];
  private readonly lines: LineRecord[] = [];
  private readonly frames: FrameRecord[] = [];
  private readonly variables = new Map<number, readonly LocalVariable[]>();
  private readonly strings = new Map<string, number>();
  /** Offset in .text by wasm name. */
  private readonly functions = new Map<string, number>();
  /** Calls, to be resolved when all functions have their place. */
  private readonly calls: Fixup[] = [];
  private readonly names: ReadonlyMap<string, number>;
  /** Word offset in .data of each global; -1 for constants. */
  private readonly globalOffsets: number[] = [];

  constructor(
    private readonly module: WasmModule,
    private readonly name: string,
    private readonly locate: Locate,
  ) {
    this.names = new Map(module.functions.map((fn) => [fn.name, fn.index]));
    let words = 0;
    for (const { mutable } of module.globals) this.globalOffsets.push(mutable ? 4 * words++ : -1);
    this.nullCall = this.appendText(Uint8Array.of(0x0f, 0x0b));
  }

  /** Offset of a trap, for entries of the table that hold no function. */
  private readonly nullCall: number;

  global(index: number): SymbolReference {
    return { symbol: DATA, addend: this.globalOffsets[index] };
  }

  string(text: string): SymbolReference {
    let addend = this.strings.get(text);
    if (addend === undefined) {
      addend = this.rodata.append(new TextEncoder().encode(`${text}\0`), 1);
      this.strings.set(text, addend);
    }
    return { symbol: RODATA, addend };
  }

  callee(index: number): string {
    const fn = this.module.functions[index];
    return fn.imported === null ? fn.name : fn.imported.field;
  }

  tableEntry(index: number): number {
    return this.module.table[index] ?? -1;
  }

  /** Jump tables of the function that is being laid out: they are filled in once its labels are known. */
  private pendingTables: { at: number; labels: readonly number[] }[] = [];

  makeTable = (labels: readonly number[]): SymbolReference => {
    const at = this.rodata.append(new Uint8Array(4 * labels.length), 4);
    this.pendingTables.push({ at, labels });
    return { symbol: RODATA, addend: at };
  };

  private appendText(bytes: Uint8Array): number {
    const gap = -this.textSize & (FUNCTION_ALIGN - 1);
    if (gap > 0) this.text.push(new Uint8Array(gap).fill(INT3));
    const at = this.textSize + gap;
    this.text.push(bytes);
    this.textSize = at + bytes.length;
    return at;
  }

  /** Add the code of a function of the module; `variables` tells of its variables once it has its place. */
  addFunction(wasmName: string, code: readonly AsmInstruction[], variables: MakeVariables): void {
    const encoded = encodeFunction(code);
    const at = this.appendText(encoded.bytes);
    this.functions.set(wasmName, at);
    for (const fixup of encoded.fixups) {
      if (fixup.kind === "rel32") this.calls.push({ ...fixup, at: fixup.at + at });
      else this.relocations.push({ ...fixup, section: ".text", offset: fixup.at + at });
    }
    for (const { at: table, labels } of this.pendingTables) {
      for (let i = 0; i < labels.length; i++) {
        this.rodataWord(table + 4 * i, TEXT, at + (encoded.labels.get(labels[i]) as number));
      }
    }
    this.pendingTables = [];
    this.addLines(at, encoded.lines);
    const rules = frameRules(code, encoded.starts).map((rule) => ({ ...rule, at: rule.at + at }));
    this.variables.set(at, variables(code, encoded.starts));
    this.frames.push({ offset: at, size: encoded.bytes.length, entry: "call", rules });
    this.symbols.push({
      ...{ name: plainName(wasmName), section: ".text", offset: at, global: false },
      ...{ kind: "function", size: encoded.bytes.length },
    });
  }

  private rodataWord(offset: number, symbol: string, addend: number): void {
    this.relocations.push({ section: ".rodata", offset, kind: "abs32", symbol, addend });
  }

  private addLines(at: number, lines: readonly { at: number; wasmOffset: number }[]): void {
    let previous = "";
    for (const line of lines) {
      const place = this.locate(line.wasmOffset);
      if (place === undefined) continue;
      const key = `${place.file}:${place.line}`;
      if (key === previous) continue;
      previous = key;
      this.lines.push({ section: ".text", offset: at + line.at, file: place.file, line: place.line });
    }
  }

  /** The object file, when all functions have been added. */
  finish(): ObjectFile {
    const text = concatenate(this.text, this.textSize);
    this.resolveCalls(text);
    this.addTable();
    const data = this.globalWords();
    this.nameSymbols();
    const rodata = this.rodata.take();
    const sections = [
      { name: ".text", bytes: text, size: text.length, align: FUNCTION_ALIGN },
      { name: ".rodata", bytes: rodata, size: rodata.length, align: 4 },
      { name: ".data", bytes: data, size: data.length, align: 4 },
      ...this.module.data.map(({ address, bytes }) => ({
        ...{ name: `.data@${address.toString(16)}`, bytes, size: bytes.length, align: 1 },
      })),
    ];
    const { name, symbols, relocations, lines, frames, variables } = this;
    return { name, sections, symbols, relocations, lines, frames, variables };
  }

  /** Calls inside the module are final; those of others become relocations. */
  private resolveCalls(text: Uint8Array): void {
    const view = new DataView(text.buffer);
    for (const { at, symbol, addend } of this.calls) {
      const target = this.functions.get(symbol);
      if (target !== undefined) view.setInt32(at, target - at + addend, true);
      else this.relocations.push({ section: ".text", offset: at, kind: "rel32", symbol, addend });
    }
  }

  private addTable(): void {
    const { table, functions } = this.module;
    const at = this.rodata.append(new Uint8Array(4 * table.length), 4);
    this.symbols.push({ name: TABLE_SYMBOL, section: ".rodata", offset: at, global: false });
    for (let i = 0; i < table.length; i++) {
      const entry = table[i] < 0 ? null : functions[table[i]];
      if (entry === null) this.rodataWord(at + 4 * i, TEXT, this.nullCall);
      else if (entry.imported !== null) this.rodataWord(at + 4 * i, entry.imported.field, 0);
      else this.rodataWord(at + 4 * i, TEXT, this.functions.get(entry.name) as number);
    }
  }

  private globalWords(): Uint8Array {
    const words: number[] = [];
    for (const { mutable, initial } of this.module.globals) if (mutable) words.push(initial);
    return new Uint8Array(Int32Array.from(words).buffer);
  }

  /** Exported functions and variables are global by their plain names; a variable's name is so too where it is the only one. */
  private nameSymbols(): void {
    const { exportedFunctions, exportedGlobals, globals } = this.module;
    for (const [name, index] of exportedFunctions) {
      const fn = this.module.functions[index];
      const offset = this.functions.get(fn.name);
      if (offset === undefined) continue;
      const own = this.symbols.find((symbol) => symbol.section === ".text" && symbol.offset === offset);
      if (own !== undefined && own.name === name) own.global = true;
      else this.symbols.push({ name, section: ".text", offset, global: true, kind: "function", size: own?.size ?? 0 });
    }
    const taken = new Set([...this.names.keys()].map(plainName));
    const counts = new Map<string, number>();
    for (const { name, mutable } of globals) {
      if (mutable) counts.set(plainName(name), (counts.get(plainName(name)) ?? 0) + 1);
    }
    const exported = new Set(exportedGlobals.values());
    for (let i = 0; i < globals.length; i++) {
      const offset = this.globalOffsets[i];
      const name = plainName(globals[i].name);
      if (offset < 0) continue;
      const global = exported.has(i) || (counts.get(name) === 1 && !taken.has(name));
      this.symbols.push({ name, section: ".data", offset, global, kind: "object", size: 4 });
    }
    for (const [name, section] of [
      [TEXT, ".text"],
      [RODATA, ".rodata"],
      [DATA, ".data"],
    ]) {
      this.symbols.push({ name, section, offset: 0, global: false });
    }
  }
}

/** A growing run of bytes. */
class Bytes {
  private readonly pieces: Uint8Array[] = [];
  private size = 0;

  /** Append at the next multiple of `align`; returns where. */
  append(bytes: Uint8Array, align: number): number {
    const gap = -this.size & (align - 1);
    if (gap > 0) this.pieces.push(new Uint8Array(gap));
    const at = this.size + gap;
    this.pieces.push(bytes);
    this.size = at + bytes.length;
    return at;
  }

  take(): Uint8Array {
    return concatenate(this.pieces, this.size);
  }
}

function concatenate(pieces: readonly Uint8Array[], size: number): Uint8Array {
  const result = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    result.set(piece, at);
    at += piece.length;
  }
  return result;
}
