/**
 * Writes a linked image as an ELF32 executable for i386. May import link's types only.
 *
 * File: ELF header, program headers, (page boundary) loaded sections, each segment at an offset that equals its address
 * modulo the page size; then debug sections, symbol table, string tables, section headers. One segment for text and
 * read-only data, one for each chunk of data with the zero space behind it.
 * Source: System V ABI, "Object files", and its Intel386 supplement.
 */
import type { LinkedImage, LinkedSymbol, OutputSection } from "./link";

export interface ElfOptions {
  /** Load address = virtual address - this; so is e_entry. */
  physicalOffset: number;
  /** Sections that are not loaded. */
  debug: readonly { name: string; bytes: Uint8Array }[];
}

const PAGE = 4096;
const EHDR = 52;
const PHDR = 32;
const SHDR = 40;
const SYM = 16;

const ET_EXEC = 2;
const EM_386 = 3;
const PT_LOAD = 1;
const PF_X = 1;
const PF_W = 2;
const PF_R = 4;
const SHT_PROGBITS = 1;
const SHT_SYMTAB = 2;
const SHT_STRTAB = 3;
const SHT_NOBITS = 8;
const SHF_WRITE = 1;
const SHF_ALLOC = 2;
const SHF_EXECINSTR = 4;
const SHN_ABS = 0xfff1;
const STB_GLOBAL = 1;
const SYMBOL_TYPE = { none: 0, object: 1, function: 2 } as const;

interface Segment {
  offset: number;
  address: number;
  fileSize: number;
  memorySize: number;
  flags: number;
}

interface FileSection {
  name: string;
  type: number;
  flags: number;
  address: number;
  offset: number;
  size: number;
  bytes: Uint8Array;
  link: number;
  info: number;
  align: number;
  entrySize: number;
}

/** The file. */
export function writeElf(image: LinkedImage, options: ElfOptions): Uint8Array {
  const groups = groupSegments(image.sections);
  const sections: FileSection[] = [emptySection()];
  const segments: Segment[] = [];
  let offset = EHDR + PHDR * groups.length;
  for (const group of groups) {
    const [first] = group;
    offset += (((first.address - offset) % PAGE) + PAGE) % PAGE;
    segments.push(makeSegment(group, offset));
    for (const one of group) {
      const at = offset + (one.address - first.address);
      sections.push(loadedSection(one, at));
    }
    offset += segments[segments.length - 1].fileSize;
  }
  const strings = new StringTable();
  const symbols = writeSymbols(image.symbols, sections, strings);
  const tables = options.debug.map(({ name, bytes }) => ({
    ...emptySection(),
    name,
    type: SHT_PROGBITS,
    bytes,
    align: 1,
  }));
  const symbolSection = sections.length + tables.length;
  const names = new StringTable();
  tables.push(
    {
      ...emptySection(),
      name: ".symtab",
      type: SHT_SYMTAB,
      bytes: symbols.bytes,
      link: symbolSection + 1,
      info: symbols.firstGlobal,
      align: 4,
      entrySize: SYM,
    },
    { ...emptySection(), name: ".strtab", type: SHT_STRTAB, bytes: strings.bytes() },
    { ...emptySection(), name: ".shstrtab", type: SHT_STRTAB },
  );
  for (const one of [...sections, ...tables]) names.add(one.name);
  tables[tables.length - 1].bytes = names.bytes();
  for (const one of tables) {
    offset = Math.ceil(offset / one.align) * one.align;
    one.offset = offset;
    one.size = one.bytes.length;
    offset += one.size;
  }
  sections.push(...tables);
  const headers = Math.ceil(offset / 4) * 4;
  const file = new Uint8Array(headers + SHDR * sections.length);
  const view = new DataView(file.buffer);
  writeHeader(view, image.entry - options.physicalOffset, segments.length, headers, sections.length);
  segments.forEach((segment, i) => {
    writeSegment(view, EHDR + PHDR * i, segment, options.physicalOffset);
  });
  sections.forEach((one, i) => {
    file.set(one.bytes, one.offset);
    writeSection(view, headers + SHDR * i, one, names.add(one.name));
  });
  return file;
}

/** Sections that load as one: read-only ones together, each stored chunk with the zero space behind it. */
function groupSegments(sections: readonly OutputSection[]): OutputSection[][] {
  const groups: OutputSection[][] = [];
  for (const one of sections) {
    const group = groups.at(-1);
    const stored = one.bytes.length > 0;
    if (group && group[0].writable === one.writable && (!one.writable || !stored)) group.push(one);
    else groups.push([one]);
  }
  return groups;
}

function makeSegment(group: readonly OutputSection[], offset: number): Segment {
  const address = group[0].address;
  let fileSize = 0;
  let memorySize = 0;
  let flags = PF_R;
  for (const one of group) {
    if (one.bytes.length > 0) fileSize = one.address + one.bytes.length - address;
    memorySize = one.address + one.size - address;
    flags |= (one.writable ? PF_W : 0) | (one.executable ? PF_X : 0);
  }
  return { offset, address, fileSize, memorySize, flags };
}

function emptySection(): FileSection {
  const bytes = new Uint8Array(0);
  return {
    name: "",
    type: 0,
    flags: 0,
    address: 0,
    offset: 0,
    size: 0,
    bytes,
    link: 0,
    info: 0,
    align: 1,
    entrySize: 0,
  };
}

function loadedSection(one: OutputSection, offset: number): FileSection {
  const flags = SHF_ALLOC | (one.writable ? SHF_WRITE : 0) | (one.executable ? SHF_EXECINSTR : 0);
  const type = one.bytes.length > 0 ? SHT_PROGBITS : SHT_NOBITS;
  return { ...emptySection(), ...one, type, flags, offset, align: 16 };
}

function writeSymbols(symbols: readonly LinkedSymbol[], sections: readonly FileSection[], strings: StringTable) {
  const ordered = [...symbols].sort((a, b) => Number(a.global) - Number(b.global) || a.address - b.address);
  const bytes = new Uint8Array(SYM * (ordered.length + 1));
  const view = new DataView(bytes.buffer);
  ordered.forEach((symbol, i) => {
    const at = SYM * (i + 1);
    view.setUint32(at, strings.add(symbol.name), true);
    view.setUint32(at + 4, symbol.address, true);
    view.setUint32(at + 8, symbol.size, true);
    view.setUint8(at + 12, ((symbol.global ? STB_GLOBAL : 0) << 4) | SYMBOL_TYPE[symbol.kind]);
    view.setUint16(at + 14, sectionOf(symbol.address, sections), true);
  });
  const locals = ordered.findIndex((symbol) => symbol.global);
  return { bytes, firstGlobal: (locals < 0 ? ordered.length : locals) + 1 };
}

/** Number of the section that holds the address; a label at a section's end counts to it where no other begins there. */
function sectionOf(address: number, sections: readonly FileSection[]): number {
  const inside = sections.findIndex((one) => one.flags && address >= one.address && address < one.address + one.size);
  if (inside >= 0) return inside;
  const behind = sections.findIndex((one) => one.flags && address === one.address + one.size);
  return behind >= 0 ? behind : SHN_ABS;
}

function writeHeader(view: DataView, entry: number, segments: number, sectionOffset: number, sections: number): void {
  view.setUint32(0, 0x7f454c46);
  view.setUint8(4, 1); // ELFCLASS32
  view.setUint8(5, 1); // ELFDATA2LSB
  view.setUint8(6, 1); // EV_CURRENT
  view.setUint16(16, ET_EXEC, true);
  view.setUint16(18, EM_386, true);
  view.setUint32(20, 1, true);
  view.setUint32(24, entry, true);
  view.setUint32(28, EHDR, true);
  view.setUint32(32, sectionOffset, true);
  view.setUint16(40, EHDR, true);
  view.setUint16(42, PHDR, true);
  view.setUint16(44, segments, true);
  view.setUint16(46, SHDR, true);
  view.setUint16(48, sections, true);
  view.setUint16(50, sections - 1, true);
}

function writeSegment(view: DataView, at: number, segment: Segment, physicalOffset: number): void {
  const { offset, address, fileSize, memorySize, flags } = segment;
  [PT_LOAD, offset, address, address - physicalOffset, fileSize, memorySize, flags, PAGE].forEach((word, i) => {
    view.setUint32(at + 4 * i, word, true);
  });
}

function writeSection(view: DataView, at: number, one: FileSection, name: number): void {
  const { type, flags, address, offset, size, link, info, align, entrySize } = one;
  [name, type, flags, address, offset, size, link, info, type === 0 ? 0 : align, entrySize].forEach((word, i) => {
    view.setUint32(at + 4 * i, word, true);
  });
}

/** NUL-terminated strings, each once; the first is empty. */
export class StringTable {
  private readonly offsets = new Map<string, number>([["", 0]]);
  private readonly pieces: Uint8Array[] = [new Uint8Array(1)];
  private size = 1;

  /** Offset of the string in the table. */
  add(text: string): number {
    let offset = this.offsets.get(text);
    if (offset === undefined) {
      offset = this.size;
      const bytes = new TextEncoder().encode(`${text}\0`);
      this.offsets.set(text, offset);
      this.pieces.push(bytes);
      this.size += bytes.length;
    }
    return offset;
  }

  bytes(): Uint8Array {
    const result = new Uint8Array(this.size);
    let at = 0;
    for (const piece of this.pieces) {
      result.set(piece, at);
      at += piece.length;
    }
    return result;
  }
}
