/**
 * Reads .debug_line: which line of which file each address comes from. May import nothing.
 * Source: DWARF 2 to 5, section 6.2 (line number information).
 */

/** Rows by ascending address. A row holds up to the next; line 0 says that nothing is known there. */
export interface LineRows {
  addresses: Uint32Array;
  /** Index into `files`. */
  fileOf: Uint32Array;
  lines: Uint32Array;
  files: string[];
}

interface Row {
  address: number;
  file: number;
  line: number;
  /** Place in the section: of two rows at one address, the later is the one that counts. */
  order: number;
}

/** What .debug_line needs of other sections, for DWARF 5's names. */
export interface LineSections {
  line: Uint8Array;
  lineStrings: Uint8Array;
  strings: Uint8Array;
}

/** All rows of all units. A unit of an unknown version is skipped. Throws RangeError for truncated data. */
export function readLines(sections: LineSections): LineRows {
  const files: string[] = [];
  const numbers = new Map<string, number>();
  const rows: Row[] = [];
  const intern = (name: string) => {
    let number = numbers.get(name);
    if (number === undefined) {
      number = files.push(name) - 1;
      numbers.set(name, number);
    }
    return number;
  };
  const cursor = new Cursor(sections.line);
  while (cursor.at < sections.line.length) {
    const length = cursor.u32();
    const end = cursor.at + length;
    readUnit(cursor, end, sections, intern, rows);
    cursor.at = end;
  }
  rows.sort((a, b) => a.address - b.address || a.order - b.order);
  // A sequence's end must not hide the start of the next at the same address, nor an empty row a real one.
  const kept: Row[] = [];
  for (const row of rows) {
    const last = kept.at(-1);
    if (last?.address !== row.address) kept.push(row);
    else if (row.line !== 0 || last.line === 0) kept[kept.length - 1] = row;
  }
  return {
    addresses: Uint32Array.from(kept, (row) => row.address),
    fileOf: Uint32Array.from(kept, (row) => row.file),
    lines: Uint32Array.from(kept, (row) => row.line),
    files,
  };
}

interface UnitHeader {
  minimumLength: number;
  lineBase: number;
  lineRange: number;
  opcodeBase: number;
  operandCounts: number[];
  /** By DWARF's own file numbers. */
  files: (number | undefined)[];
}

function readUnit(cursor: Cursor, end: number, sections: LineSections, intern: (s: string) => number, rows: Row[]) {
  const version = cursor.u16();
  if (version < 2 || version > 5) return;
  if (version >= 5) cursor.at += 2; // address size, segment selector size
  const headerLength = cursor.u32();
  const program = cursor.at + headerLength;
  const minimumLength = cursor.u8();
  if (version >= 4) cursor.at++; // operations an instruction
  cursor.at++; // default is_stmt
  const lineBase = (cursor.u8() << 24) >> 24;
  const lineRange = cursor.u8();
  const opcodeBase = cursor.u8();
  const operandCounts = [0];
  for (let i = 1; i < opcodeBase; i++) operandCounts.push(cursor.u8());
  const files = version >= 5 ? readTables5(cursor, sections, intern) : readTables2(cursor, intern);
  cursor.at = program;
  runProgram(cursor, end, { minimumLength, lineBase, lineRange, opcodeBase, operandCounts, files }, rows);
}

function joinPath(directory: string | undefined, file: string): string {
  return !directory || file.startsWith("/") ? file : `${directory}/${file}`;
}

/** Versions 2 to 4: directory 0 is the compile unit's own, which is left away. */
function readTables2(cursor: Cursor, intern: (name: string) => number): (number | undefined)[] {
  const directories = [""];
  for (let name = cursor.text(); name !== ""; name = cursor.text()) directories.push(name);
  const files: (number | undefined)[] = [undefined];
  for (let name = cursor.text(); name !== ""; name = cursor.text()) {
    const directory = directories[cursor.uleb()];
    cursor.uleb();
    cursor.uleb();
    files.push(intern(joinPath(directory, name)));
  }
  return files;
}

const CONTENT_PATH = 1;
const CONTENT_DIRECTORY = 2;

/** Version 5: both tables describe their own format; directory 0 is the compile unit's own. */
function readTables5(cursor: Cursor, sections: LineSections, intern: (name: string) => number): number[] {
  const directories = readEntries5(cursor, sections).map((entry) => String(entry.get(CONTENT_PATH) ?? ""));
  return readEntries5(cursor, sections).map((entry) => {
    const directory = Number(entry.get(CONTENT_DIRECTORY) ?? 0);
    return intern(joinPath(directory > 0 ? directories[directory] : "", String(entry.get(CONTENT_PATH) ?? "")));
  });
}

function readEntries5(cursor: Cursor, sections: LineSections): Map<number, number | string>[] {
  const formats: [number, number][] = [];
  for (let left = cursor.u8(); left > 0; left--) formats.push([cursor.uleb(), cursor.uleb()]);
  const entries: Map<number, number | string>[] = [];
  for (let left = cursor.uleb(); left > 0; left--) {
    entries.push(new Map(formats.map(([content, form]) => [content, cursor.form(form, sections)])));
  }
  return entries;
}

function runProgram(cursor: Cursor, end: number, unit: UnitHeader, rows: Row[]): void {
  let address = 0;
  let file = 1;
  let line = 1;
  const emit = (known: boolean) => {
    const number = unit.files[file];
    const usable = known && number !== undefined;
    rows.push({ address, file: number ?? 0, line: usable ? line : 0, order: rows.length });
  };
  const advance = (operations: number) => {
    address = (address + operations * unit.minimumLength) >>> 0;
  };
  while (cursor.at < end) {
    const opcode = cursor.u8();
    if (opcode >= unit.opcodeBase) {
      const adjusted = opcode - unit.opcodeBase;
      advance(Math.floor(adjusted / unit.lineRange));
      line += unit.lineBase + (adjusted % unit.lineRange);
      emit(true);
      continue;
    }
    switch (opcode) {
      case 0: {
        const next = cursor.uleb() + cursor.at;
        const extended = cursor.u8();
        if (extended === 1) {
          emit(false);
          [address, file, line] = [0, 1, 1];
        } else if (extended === 2) {
          address = cursor.u32();
        }
        cursor.at = next;
        break;
      }
      case 1:
        emit(true);
        break;
      case 2:
        advance(cursor.uleb());
        break;
      case 3:
        line += cursor.sleb();
        break;
      case 4:
        file = cursor.uleb();
        break;
      case 8:
        advance(Math.floor((255 - unit.opcodeBase) / unit.lineRange));
        break;
      case 9:
        address = (address + cursor.u16()) >>> 0;
        break;
      default:
        for (let i = 0; i < unit.operandCounts[opcode]; i++) cursor.uleb();
    }
  }
}

class Cursor {
  at = 0;
  private readonly view: DataView;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.view.getUint8(this.at++);
  }

  u16(): number {
    this.at += 2;
    return this.view.getUint16(this.at - 2, true);
  }

  u32(): number {
    this.at += 4;
    return this.view.getUint32(this.at - 4, true);
  }

  uleb(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.u8();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }

  sleb(): number {
    let value = 0;
    for (let shift = 0; ; ) {
      const byte = this.u8();
      value |= (byte & 0x7f) << shift;
      shift += 7;
      if (byte < 0x80) return shift < 32 && byte & 0x40 ? value | (-1 << shift) : value;
    }
  }

  text(): string {
    const text = textAt(this.bytes, this.at);
    this.at = this.bytes.indexOf(0, this.at) + 1;
    return text;
  }

  /** A value of one of the forms that DWARF 5 allows in the tables of a line header. */
  form(form: number, sections: LineSections): number | string {
    switch (form) {
      case 0x08: // string
        return this.text();
      case 0x0b: // data1
        return this.u8();
      case 0x05: // data2
        return this.u16();
      case 0x06: // data4
        return this.u32();
      case 0x0f: // udata
        return this.uleb();
      case 0x0e: // strp
        return textAt(sections.strings, this.u32());
      case 0x1f: // line_strp
        return textAt(sections.lineStrings, this.u32());
      case 0x1e: // data16
        this.at += 16;
        return 0;
      case 0x09: // block
        this.at += this.uleb();
        return 0;
      default:
        throw new RangeError(`.debug_line: form ${form} in a file table`);
    }
  }
}

const decoder = new TextDecoder();

/** The zero-terminated string at an offset. Throws RangeError where no zero byte follows. */
export function textAt(bytes: Uint8Array, offset: number): string {
  const end = bytes.indexOf(0, offset);
  if (end < 0) throw new RangeError("unterminated string");
  return decoder.decode(bytes.subarray(offset, end));
}
