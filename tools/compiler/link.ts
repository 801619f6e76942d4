/**
 * Joins object files into an image: gives every section its address, resolves symbols, applies relocations. May import
 * object, errors, ksyms.
 *
 * Memory, from low to high addresses:
 *
 *     textBase    .text     objects in order, so the kernel's multiboot header comes first
 *                 .rodata   directly behind; the kernel's symbol table is its end
 *     (gap)                 takes part in no segment and no file byte
 *     dataBase    .data     of the objects
 *     dataBase+r  static data of asc, at the absolute addresses that it was compiled for
 *     staticEnd   .bss      of the objects
 *
 * asc burns the addresses of its static data into the code, so they must be known before the size of .text is. dataBase
 * is therefore fixed, a generous text size above textBase, and r (reserved for the objects' own .data) as well; where
 * one proves too small the driver compiles again with more room (LayoutOverflow). The gap costs virtual addresses only;
 * in the kernel also the frames behind it, which the boot code may give to the page allocator.
 *
 * Runs of many zero pages within the data are not stored: the data is cut into chunks there, each one segment of the
 * program header with p_memsz up to the next.
 *
 * Source: System V ABI, "Object files" (symbol resolution), Intel386 supplement (R_386_32, R_386_PC32).
 */
import { CompileError } from "./errors";
import type { FrameRecord } from "./frames";
import { buildKernelSymbols, KERNEL_SYMBOLS } from "./ksyms";
import type { LineRecord, LocalVariable, ObjectFile, Relocation } from "./object";

export interface LinkInput {
  objects: readonly ObjectFile[];
  textBase: number;
  dataBase: number;
  /** Start and end of asc's static data; the start lies at or above dataBase. */
  staticBase: number;
  staticEnd: number;
  /** Global symbol of the first instruction. */
  entry: string;
  /** Make `__ksyms`. */
  kernelSymbols: boolean;
}

/** A piece of the image with its contents; `bytes` is shorter than `size` where the rest is zero. */
export interface OutputSection {
  name: string;
  address: number;
  size: number;
  bytes: Uint8Array;
  writable: boolean;
  executable: boolean;
}

export interface LinkedSymbol {
  name: string;
  address: number;
  size: number;
  global: boolean;
  kind: "function" | "object" | "none";
}

/** The code of one object: what a compile unit of the debug information is made from. */
export interface LinkedUnit {
  name: string;
  textStart: number;
  textEnd: number;
  functions: LinkedSymbol[];
  /** Global variables of one word. */
  variables: LinkedSymbol[];
  /** By ascending address. */
  lines: { address: number; file: string; line: number }[];
  /** Frames at addresses. */
  frames: FrameRecord[];
  /** Variables of functions by address. */
  locals: Map<number, readonly LocalVariable[]>;
}

export interface LinkedImage {
  sections: OutputSection[];
  symbols: LinkedSymbol[];
  units: LinkedUnit[];
  /** Virtual address of the entry symbol. */
  entry: number;
}

/** The fixed layout is too small: the driver tries again with at least these sizes in bytes. */
export class LayoutOverflow extends Error {
  constructor(
    readonly textBytes: number,
    readonly dataBytes: number,
  ) {
    super("text or data do not fit their place");
  }
}

const PAGE = 4096;
const WORD = 4;
/** Zero pages that are worth a segment of their own; fewer are stored. */
const HOLE_PAGES = 4;
/** Sections with an absolute address: `.data@` and the address in hexadecimal. */
const ABSOLUTE = /^\.data@([0-9a-f]+)$/;
const KINDS = [".text", ".rodata", ".data", ".bss"] as const;

/** Links. Throws CompileError (first, and count) for undefined and duplicate symbols, LayoutOverflow as said there. */
export function link(input: LinkInput): LinkedImage {
  return new Linker(input).run();
}

class Linker {
  /** Address of each section of each object: objects[i] -> section name -> address. */
  private readonly addresses: Map<string, number>[];
  private readonly globals = new Map<string, { address: number; object: ObjectFile }>();
  private readonly errors: CompileError[] = [];
  private text = new Uint8Array(0);
  private rodata = new Uint8Array(0);
  /** From dataBase to the last byte that an object gives; zero in the holes. */
  private data = new Uint8Array(0);
  private rodataBase = 0;
  private bssEnd = 0;

  constructor(private readonly input: LinkInput) {
    this.addresses = input.objects.map(() => new Map());
  }

  run(): LinkedImage {
    const { input } = this;
    this.layOut();
    const symbols = this.collectSymbols();
    const entry = this.globals.get(input.entry);
    if (!entry) this.errors.push(new CompileError(`undefined symbol "${input.entry}"`, { file: "image", line: 0 }));
    if (input.kernelSymbols) this.appendKernelSymbols(symbols);
    input.objects.forEach((object, i) => {
      for (const relocation of object.relocations) this.relocate(object, this.addresses[i], relocation);
    });
    if (this.errors.length > 0) throw CompileError.ofMany(this.errors);
    const sections = [
      section(".text", input.textBase, this.text, false, true),
      section(".rodata", this.rodataBase, this.rodata, false, false),
      ...this.chunkData(),
    ];
    return {
      sections: sections.filter((one) => one.size > 0),
      symbols,
      units: input.objects.map((object, i) => makeUnit(object, this.addresses[i], input)),
      entry: entry!.address,
    };
  }

  private layOut(): void {
    const { input } = this;
    for (const object of input.objects) {
      for (const one of object.sections) {
        if (!ABSOLUTE.test(one.name) && !(KINDS as readonly string[]).includes(one.name)) {
          throw new CompileError(`section "${one.name}" is none of ${KINDS.join(" ")}`, { file: object.name, line: 0 });
        }
      }
    }
    const textEnd = this.place(".text", input.textBase);
    this.rodataBase = alignUp(textEnd, 16);
    const rodataEnd = this.place(".rodata", this.rodataBase);
    const dataEnd = this.place(".data", input.dataBase);
    this.bssEnd = this.place(".bss", alignUp(Math.max(input.staticEnd, dataEnd), 16));

    let end = dataEnd;
    input.objects.forEach((object, i) => {
      for (const one of object.sections) {
        const address = absoluteAddress(one.name);
        if (address === undefined) continue;
        this.addresses[i].set(one.name, address);
        end = Math.max(end, address + one.size);
      }
    });
    this.text = this.gather(".text", input.textBase, textEnd);
    this.rodata = this.gather(".rodata", this.rodataBase, rodataEnd);
    this.data = this.gather(".data", input.dataBase, end);
    this.checkRoom(rodataEnd, dataEnd);
  }

  /** Gives the sections of one name their addresses from `base` on; returns the end. */
  private place(name: string, base: number): number {
    let address = base;
    this.input.objects.forEach((object, i) => {
      for (const one of object.sections) {
        if (one.name !== name) continue;
        address = alignUp(address, one.align);
        this.addresses[i].set(name, address);
        address += one.size;
      }
    });
    return address;
  }

  /** The bytes from `start` to `end` of the sections of that name (and the absolute ones with `.data`). */
  private gather(name: string, start: number, end: number): Uint8Array<ArrayBuffer> {
    const result = new Uint8Array(end - start);
    this.input.objects.forEach((object, i) => {
      for (const one of object.sections) {
        if (one.name === name || (name === ".data" && ABSOLUTE.test(one.name))) {
          result.set(one.bytes, this.addresses[i].get(one.name)! - start);
        }
      }
    });
    return result;
  }

  private checkRoom(rodataEnd: number, dataEnd: number): void {
    const { textBase, dataBase, staticBase } = this.input;
    if (rodataEnd > dataBase || dataEnd > staticBase)
      throw new LayoutOverflow(rodataEnd - textBase, dataEnd - dataBase);
  }

  private collectSymbols(): LinkedSymbol[] {
    const symbols: LinkedSymbol[] = [];
    this.input.objects.forEach((object, i) => {
      for (const { name, section: home, offset, global, kind, size } of object.symbols) {
        const base = this.addresses[i].get(home);
        if (base === undefined) throw new Error(`${object.name}: symbol "${name}" is in no section`);
        const address = base + offset;
        // Names in .L only serve the object itself.
        if (!name.startsWith(".L")) symbols.push({ name, address, size: size ?? 0, global, kind: kind ?? "none" });
        if (!global) continue;
        const other = this.globals.get(name);
        if (other) {
          const reason = `symbol "${name}" is already defined in ${other.object.name}`;
          this.errors.push(new CompileError(reason, placeOf(object, home, offset)));
        } else {
          this.globals.set(name, { address, object });
        }
      }
    });
    for (const [name, address] of this.linkerSymbols()) {
      if (this.globals.has(name)) continue;
      this.globals.set(name, { address, object: LINKER });
      symbols.push({ name, address, size: 0, global: true, kind: "none" });
    }
    return symbols;
  }

  private linkerSymbols(): [string, number][] {
    const { textBase, dataBase } = this.input;
    return [
      ["__text_start", textBase],
      ["__text_end", textBase + this.text.length],
      ["__rodata_start", this.rodataBase],
      ["__data_start", dataBase],
      ["__bss_start", dataBase + this.data.length],
      ["__bss_end", this.bssEnd],
      ["__image_end", this.bssEnd],
    ];
  }

  /** Puts the table of functions behind .rodata, where it moves nothing else. */
  private appendKernelSymbols(symbols: LinkedSymbol[]): void {
    const address = alignUp(this.rodataBase + this.rodata.length, 4);
    const table = buildKernelSymbols(symbols, address);
    const rodata = new Uint8Array(address - this.rodataBase + table.length);
    rodata.set(this.rodata);
    rodata.set(table, address - this.rodataBase);
    this.rodata = rodata;
    this.checkRoom(address + table.length, this.input.dataBase);
    this.globals.set(KERNEL_SYMBOLS, { address, object: LINKER });
    symbols.push({ name: KERNEL_SYMBOLS, address, size: table.length, global: true, kind: "object" });
  }

  private relocate(object: ObjectFile, homes: Map<string, number>, relocation: Relocation): void {
    const { section: home, offset, kind, symbol, addend } = relocation;
    const target = this.resolve(object, homes, symbol);
    if (target === undefined) {
      const reason = `undefined symbol "${symbol}": no assembly file defines it, and main.ts exports no such function`;
      this.errors.push(new CompileError(reason, placeOf(object, home, offset)));
      return;
    }
    const place = homes.get(home)! + offset;
    const value = kind === "abs32" ? target + addend : target + addend - place;
    const [bytes, base] = this.bufferOf(home);
    new DataView(bytes.buffer).setInt32(place - base, value | 0, true);
  }

  private resolve(object: ObjectFile, homes: Map<string, number>, name: string): number | undefined {
    const own = ownSymbols(object).get(name);
    return own ? homes.get(own.section)! + own.offset : this.globals.get(name)?.address;
  }

  private bufferOf(home: string): [Uint8Array, number] {
    if (home === ".text") return [this.text, this.input.textBase];
    if (home === ".rodata") return [this.rodata, this.rodataBase];
    return [this.data, this.input.dataBase];
  }

  /** Cuts the data at runs of zero pages; the zero space behind a chunk belongs to its segment. */
  private chunkData(): OutputSection[] {
    const { dataBase } = this.input;
    const pages = Math.ceil(this.data.length / PAGE);
    /** First and last page of each chunk. */
    const runs: [number, number][] = [];
    for (let page = 0; page < pages; page++) {
      if (this.data.subarray(page * PAGE, (page + 1) * PAGE).every((byte) => byte === 0)) continue;
      const last = runs.at(-1);
      if (last && page - last[1] - 1 < HOLE_PAGES) last[1] = page;
      else runs.push([page, page]);
    }
    const chunks = runs.map(([first, last], i) => {
      const bytes = this.data.subarray(first * PAGE, Math.min((last + 1) * PAGE, this.data.length));
      return section(i > 0 ? `.data.${i}` : ".data", dataBase + first * PAGE, bytes, true, false);
    });
    // Memory without file bytes: between the chunks, in front of the first, and behind the last.
    const all: OutputSection[] = [];
    let end = dataBase;
    for (const chunk of chunks) {
      if (chunk.address > end) all.push(zeroSection(`.bss.${all.length}`, end, chunk.address - end));
      all.push(chunk);
      end = chunk.address + chunk.size;
    }
    all.push(zeroSection(".bss", end, this.bssEnd - end));
    return all;
  }
}

const LINKER: ObjectFile = {
  name: "the linker",
  sections: [],
  symbols: [],
  relocations: [],
  lines: [],
  frames: [],
  variables: new Map(),
};

const ownSymbolsOf = new WeakMap<ObjectFile, Map<string, { section: string; offset: number }>>();

function ownSymbols(object: ObjectFile): Map<string, { section: string; offset: number }> {
  let known = ownSymbolsOf.get(object);
  if (!known) {
    known = new Map(object.symbols.map((symbol) => [symbol.name, symbol]));
    ownSymbolsOf.set(object, known);
  }
  return known;
}

function absoluteAddress(name: string): number | undefined {
  const match = ABSOLUTE.exec(name);
  return match ? Number.parseInt(match[1], 16) : undefined;
}

function section(
  name: string,
  address: number,
  bytes: Uint8Array,
  writable: boolean,
  executable: boolean,
): OutputSection {
  return { name, address, size: bytes.length, bytes, writable, executable };
}

function zeroSection(name: string, address: number, size: number): OutputSection {
  return { name, address, size, bytes: new Uint8Array(0), writable: true, executable: false };
}

function alignUp(value: number, align: number): number {
  return Math.ceil(value / align) * align;
}

/** The source line of a byte of an object; the object's name where no line is known. */
function placeOf(object: ObjectFile, home: string, offset: number): { file: string; line: number } {
  let found: LineRecord | undefined;
  for (const record of object.lines) if (record.section === home && record.offset <= offset) found = record;
  return found ? { file: found.file, line: found.line } : { file: object.name, line: 0 };
}

function makeUnit(object: ObjectFile, homes: Map<string, number>, { textBase }: LinkInput): LinkedUnit {
  const base = homes.get(".text") ?? textBase;
  const size = object.sections.find((one) => one.name === ".text")?.size ?? 0;
  const functions: LinkedSymbol[] = [];
  const variables: LinkedSymbol[] = [];
  for (const { name, section: home, offset, size = 0, global, kind = "none" } of object.symbols) {
    const symbol = { name, address: homes.get(home)! + offset, size, global, kind };
    if (home === ".text" && kind === "function") functions.push(symbol);
    if (home === ".data" && kind === "object" && size === WORD) variables.push(symbol);
  }
  const lines = object.lines
    .filter((record) => record.section === ".text")
    .map(({ offset, file, line }) => ({ address: base + offset, file, line }));
  const frames = object.frames.map((frame) => ({
    ...frame,
    offset: base + frame.offset,
    rules: frame.rules.map((rule) => ({ ...rule, at: base + rule.at })),
  }));
  const locals = new Map([...object.variables].map(([offset, list]) => [base + offset, list]));
  return { name: object.name, textStart: base, textEnd: base + size, functions, variables, lines, frames, locals };
}
