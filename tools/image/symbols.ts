/**
 * Names and source lines of an ELF32 executable, for traces, debuggers and backtraces. Built once, then each question is
 * a binary search. May import dwarfline.
 * Source: System V ABI, "Object files"; DWARF (see dwarfline).
 */
import { type LineRows, readLines, textAt } from "./dwarfline";

const SHT_SYMTAB = 2;
/** Type of a symbol that names a variable. */
export const STT_OBJECT = 1;
const STT_FUNC = 2;
const STB_GLOBAL = 1;
const SHN_UNDEF = 0;

export interface Section {
  name: string;
  type: number;
  bytes: Uint8Array;
  link: number;
  /** Address behind its last byte. */
  end: number;
}

export interface Symbol {
  name: string;
  address: number;
  /** Address behind its last byte; of a label without size, behind its section's. */
  end: number;
  type: number;
  global: boolean;
}

/** Which of two symbols at one address names it: functions before data before labels, globals before locals. */
function rank({ type, global }: Symbol): number {
  return (type === STT_FUNC ? 4 : type === STT_OBJECT ? 2 : 0) + (global ? 1 : 0);
}

export class Symbols {
  private readonly addresses: Uint32Array;
  /** End of each symbol: by its size, else its section's, and not beyond the next symbol. */
  private readonly ends: Uint32Array;
  private readonly names: string[];
  private readonly byName = new Map<string, number>();
  private readonly sections: readonly Section[];
  private rows: LineRows | undefined;

  /** Reads the symbol table; a file without one has no names. Throws Error for bytes that are no ELF32 file. */
  constructor(elf: Uint8Array) {
    this.sections = readSections(elf);
    const symbols = readSymbols(this.sections);
    for (const symbol of symbols) {
      if (symbol.global || !this.byName.has(symbol.name)) this.byName.set(symbol.name, symbol.address);
    }
    symbols.sort((a, b) => a.address - b.address || rank(b) - rank(a));
    const distinct = symbols.filter((symbol, i) => i === 0 || symbols[i - 1].address !== symbol.address);
    this.addresses = Uint32Array.from(distinct, (symbol) => symbol.address);
    this.names = distinct.map((symbol) => symbol.name);
    this.ends = Uint32Array.from(distinct, ({ end }, i) => Math.min(end, distinct[i + 1]?.address ?? end));
  }

  /** The symbol that covers an address, and how many bytes into it that is. */
  lookup(address: number): { name: string; offset: number } | undefined {
    const wanted = address >>> 0;
    const at = lastAtOrBelow(this.addresses, wanted);
    if (at < 0 || wanted >= this.ends[at]) return undefined;
    return { name: this.names[at], offset: wanted - this.addresses[at] };
  }

  /** The source line that the instruction at an address comes from. */
  line(address: number): { file: string; line: number } | undefined {
    this.rows ??= this.readRows();
    const { addresses, fileOf, lines, files } = this.rows;
    const at = lastAtOrBelow(addresses, address >>> 0);
    return at < 0 || lines[at] === 0 ? undefined : { file: files[fileOf[at]], line: lines[at] };
  }

  /** The address of a symbol; of several local ones of the name, the first. */
  address(name: string): number | undefined {
    return this.byName.get(name);
  }

  private readRows(): LineRows {
    const bytes = (name: string) => this.sections.find((section) => section.name === name)?.bytes ?? new Uint8Array(0);
    return readLines({
      line: bytes(".debug_line"),
      lineStrings: bytes(".debug_line_str"),
      strings: bytes(".debug_str"),
    });
  }
}

/** Index of the last element at or below `wanted` in an ascending array, or -1. */
function lastAtOrBelow(sorted: Uint32Array, wanted: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= wanted) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The sections of an ELF32 file with their contents. Throws Error for bytes that are none. */
export function readSections(elf: Uint8Array): Section[] {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  if (elf.length < 52 || view.getUint32(0) !== 0x7f454c46 || elf[4] !== 1 || elf[5] !== 1) {
    throw new Error("not a little-endian ELF32 file");
  }
  const offset = view.getUint32(32, true);
  const size = view.getUint16(46, true);
  const count = view.getUint16(48, true);
  const nameIndex = view.getUint16(50, true);
  if (offset === 0 || count === 0) return [];
  if (offset + size * count > elf.length) throw new Error("ELF file is truncated: no section headers");
  const headers = Array.from({ length: count }, (_, i) => {
    const word = (n: number) => view.getUint32(offset + size * i + 4 * n, true);
    const stored = word(1) !== 8; // SHT_NOBITS
    const bytes = stored ? elf.subarray(word(4), word(4) + word(5)) : new Uint8Array(0);
    return { name: word(0), type: word(1), bytes, link: word(6), end: word(3) + word(5) };
  });
  const names = headers[nameIndex]?.bytes;
  return headers.map((header) => ({ ...header, name: names?.length ? textAt(names, header.name) : "" }));
}

/** The named symbols of a file, in the order of its symbol table. */
export function readSymbols(sections: readonly Section[]): Symbol[] {
  const table = sections.find((section) => section.type === SHT_SYMTAB);
  if (!table) return [];
  const strings = sections[table.link].bytes;
  const view = new DataView(table.bytes.buffer, table.bytes.byteOffset, table.bytes.byteLength);
  const symbols: Symbol[] = [];
  for (let at = 16; at + 16 <= table.bytes.length; at += 16) {
    const info = view.getUint8(at + 12);
    const home = view.getUint16(at + 14, true);
    const type = info & 15;
    const name = view.getUint32(at, true);
    if (name === 0 || type > STT_FUNC || home === SHN_UNDEF) continue;
    const address = view.getUint32(at + 4, true);
    const size = view.getUint32(at + 8, true);
    const end = size > 0 ? address + size : (sections[home]?.end ?? address);
    symbols.push({ name: textAt(strings, name), address, end, type, global: info >> 4 === STB_GLOBAL });
  }
  return symbols;
}
