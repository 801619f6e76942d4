/**
 * Debug information, as much as a debugger needs to set breakpoints by line, list sources and name functions: one
 * compile unit for each object with code, a line-number program, a DIE for each function and each global word. May import link's types,
 * elf (string table), dwarfframe, dwarfvariables, dwarfwriter.
 * Source: DWARF Debugging Information Format 4, sections 6.1.2 (.debug_aranges), 6.2 (.debug_line), 7.5 (.debug_info).
 */
import { buildFrames } from "./dwarfframe";
import { VARIABLE_ABBREVIATIONS, VARIABLE_TYPES, writeVariables } from "./dwarfvariables";
import { ByteWriter } from "./dwarfwriter";
import { StringTable } from "./elf";
import type { LinkedUnit } from "./link";

const VERSION = 4;
const ARANGES_VERSION = 2;

const DW_TAG_compile_unit = 0x11;
const DW_TAG_base_type = 0x24;
const DW_TAG_subprogram = 0x2e;
const DW_TAG_variable = 0x34;
const DW_AT_location = 0x02;
const DW_AT_name = 0x03;
const DW_AT_byte_size = 0x0b;
const DW_AT_stmt_list = 0x10;
const DW_AT_low_pc = 0x11;
const DW_AT_high_pc = 0x12;
const DW_AT_language = 0x13;
const DW_AT_comp_dir = 0x1b;
const DW_AT_producer = 0x25;
const DW_AT_decl_file = 0x3a;
const DW_AT_decl_line = 0x3b;
const DW_AT_encoding = 0x3e;
const DW_AT_external = 0x3f;
const DW_AT_frame_base = 0x40;
const DW_AT_type = 0x49;
const DW_FORM_addr = 0x01;
const DW_FORM_data2 = 0x05;
const DW_FORM_data4 = 0x06;
const DW_FORM_data1 = 0x0b;
const DW_FORM_flag = 0x0c;
const DW_FORM_strp = 0x0e;
const DW_FORM_udata = 0x0f;
const DW_FORM_ref4 = 0x13;
const DW_FORM_sec_offset = 0x17;
const DW_FORM_exprloc = 0x18;
const DW_OP_addr = 3;
const DW_OP_call_frame_cfa = 0x9c;
/** Debuggers have no TypeScript; the expressions a person types at them are C's. */
const DW_LANG_C99 = 0x0c;

const ABBREV_UNIT = 1;
const ABBREV_FUNCTION = 2;
const ABBREV_FUNCTION_WITHOUT_LINE = 3;
const ABBREV_WORD = 4;
const ABBREV_VARIABLE = 5;
const ABBREV_FUNCTION_WITH_VARIABLES = 6;
/** For each abbreviation: code, tag, has children, then attribute and form pairs. */
const OWN_ABBREVIATIONS: readonly (readonly number[])[] = [
  [
    ABBREV_UNIT,
    DW_TAG_compile_unit,
    1,
    ...[DW_AT_producer, DW_FORM_strp, DW_AT_language, DW_FORM_data2, DW_AT_name, DW_FORM_strp],
    ...[DW_AT_comp_dir, DW_FORM_strp, DW_AT_low_pc, DW_FORM_addr, DW_AT_high_pc, DW_FORM_data4],
    ...[DW_AT_stmt_list, DW_FORM_sec_offset],
  ],
  [
    ABBREV_FUNCTION,
    DW_TAG_subprogram,
    0,
    ...[DW_AT_name, DW_FORM_strp, DW_AT_external, DW_FORM_flag, DW_AT_low_pc, DW_FORM_addr],
    ...[DW_AT_high_pc, DW_FORM_data4, DW_AT_decl_file, DW_FORM_udata, DW_AT_decl_line, DW_FORM_udata],
  ],
  [
    ABBREV_FUNCTION_WITHOUT_LINE,
    DW_TAG_subprogram,
    0,
    ...[DW_AT_name, DW_FORM_strp, DW_AT_external, DW_FORM_flag, DW_AT_low_pc, DW_FORM_addr],
    ...[DW_AT_high_pc, DW_FORM_data4],
  ],
  [
    ABBREV_FUNCTION_WITH_VARIABLES,
    DW_TAG_subprogram,
    1,
    ...[DW_AT_name, DW_FORM_strp, DW_AT_external, DW_FORM_flag, DW_AT_low_pc, DW_FORM_addr],
    ...[DW_AT_high_pc, DW_FORM_data4, DW_AT_decl_file, DW_FORM_udata, DW_AT_decl_line, DW_FORM_udata],
    ...[DW_AT_frame_base, DW_FORM_exprloc],
  ],
  [
    ABBREV_WORD,
    DW_TAG_base_type,
    0,
    ...[DW_AT_name, DW_FORM_strp, DW_AT_byte_size, DW_FORM_data1, DW_AT_encoding, DW_FORM_data1],
  ],
  [
    ABBREV_VARIABLE,
    DW_TAG_variable,
    0,
    ...[DW_AT_name, DW_FORM_strp, DW_AT_type, DW_FORM_ref4, DW_AT_external, DW_FORM_flag],
    ...[DW_AT_location, DW_FORM_exprloc],
  ],
];

/** Without what only full debug information uses. */
const LEAN_ABBREVIATIONS = OWN_ABBREVIATIONS.filter(([code]) => code <= ABBREV_VARIABLE);
const ABBREVIATIONS = [...OWN_ABBREVIATIONS, ...VARIABLE_ABBREVIATIONS];
/** The type of global words. */
const [WORD] = VARIABLE_TYPES;

const DW_LNS_copy = 1;
const DW_LNS_advance_pc = 2;
const DW_LNS_advance_line = 3;
const DW_LNS_set_file = 4;
const DW_LNE_end_sequence = 1;
const DW_LNE_set_address = 2;
/** Special opcode s advances the line by LINE_BASE + (s - OPCODE_BASE) % LINE_RANGE, the address by the quotient. */
const OPCODE_BASE = 13;
const LINE_BASE = -5;
const LINE_RANGE = 14;
/** Operands of the standard opcodes 1 to 12. */
const OPCODE_LENGTHS = [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];

/**
 * The sections, to be stored with the image. `directory` is what relative file names are relative to, absolute. `full`: with frames, not
 * only lines and names.
 */
export function buildDwarf(
  units: readonly LinkedUnit[],
  directory: string,
  full = true,
): { name: string; bytes: Uint8Array }[] {
  const info = new ByteWriter();
  const lines = new ByteWriter();
  const ranges = new ByteWriter();
  const strings = new StringTable();
  const places = new ByteWriter();
  for (const unit of units) {
    if (unit.textEnd === unit.textStart) continue;
    const files = fileTable(unit);
    const lineOffset = lines.length;
    const infoOffset = info.length;
    writeLines(lines, unit, files);
    writeUnit(info, full ? unit : { ...unit, locals: NO_LOCALS }, { files, strings, places, directory, lineOffset });
    writeRanges(ranges, unit, infoOffset);
  }
  return [
    { name: ".debug_aranges", bytes: ranges.bytes() },
    { name: ".debug_info", bytes: info.bytes() },
    { name: ".debug_abbrev", bytes: writeAbbreviations(full ? ABBREVIATIONS : LEAN_ABBREVIATIONS) },
    { name: ".debug_line", bytes: lines.bytes() },
    { name: ".debug_str", bytes: strings.bytes() },
    ...(full ? [{ name: ".debug_loc", bytes: places.bytes() }] : []),
    ...(full ? [{ name: ".debug_frame", bytes: buildFrames(units.flatMap(({ frames }) => frames)) }] : []),
  ];
}

/** File names of a unit with their numbers, from 1. */
function fileTable(unit: LinkedUnit): Map<string, number> {
  const files = new Map<string, number>();
  for (const { file } of unit.lines) if (!files.has(file)) files.set(file, files.size + 1);
  return files;
}

function writeLines(out: ByteWriter, unit: LinkedUnit, files: ReadonlyMap<string, number>): void {
  out.sized32(() => {
    out.u16(VERSION);
    out.sized32(() => {
      out.u8(1); // minimum instruction length
      out.u8(1); // operations an instruction
      out.u8(1); // default is_stmt
      out.u8(LINE_BASE);
      out.u8(LINE_RANGE);
      out.u8(OPCODE_BASE);
      for (const length of OPCODE_LENGTHS) out.u8(length);
      out.u8(0); // no directories: names are relative to the unit's
      for (const file of files.keys()) {
        out.text(file);
        for (let i = 0; i < 3; i++) out.uleb(0); // directory, time and size unknown
      }
      out.u8(0);
    });
    writeLineProgram(out, unit, files);
  });
}

function writeLineProgram(out: ByteWriter, unit: LinkedUnit, files: ReadonlyMap<string, number>): void {
  if (unit.lines.length === 0) return;
  let address = unit.lines[0].address;
  let file = 1;
  let line = 1;
  out.u8(0);
  out.uleb(5);
  out.u8(DW_LNE_set_address);
  out.u32(address);
  unit.lines.forEach((row, i) => {
    // Of several records at one address the last holds.
    if (unit.lines[i + 1]?.address === row.address) return;
    const number = files.get(row.file)!;
    if (number !== file) {
      out.u8(DW_LNS_set_file);
      out.uleb(number);
      file = number;
    }
    writeRow(out, row.line - line, row.address - address);
    line = row.line;
    address = row.address;
  });
  out.u8(DW_LNS_advance_pc);
  out.uleb(unit.textEnd - address);
  out.u8(0);
  out.uleb(1);
  out.u8(DW_LNE_end_sequence);
}

function writeRow(out: ByteWriter, lineAdvance: number, addressAdvance: number): void {
  let lines = lineAdvance;
  let bytes = addressAdvance;
  if (lines < LINE_BASE || lines >= LINE_BASE + LINE_RANGE) {
    out.u8(DW_LNS_advance_line);
    out.sleb(lines);
    lines = 0;
  }
  if (lines - LINE_BASE + LINE_RANGE * bytes + OPCODE_BASE > 255) {
    out.u8(DW_LNS_advance_pc);
    out.uleb(bytes);
    bytes = 0;
  }
  if (lines === 0 && bytes === 0) out.u8(DW_LNS_copy);
  else out.u8(lines - LINE_BASE + LINE_RANGE * bytes + OPCODE_BASE);
}

/** What all units, or a unit's parts, are written with. */
interface UnitParts {
  files: ReadonlyMap<string, number>;
  strings: StringTable;
  places: ByteWriter;
  directory: string;
  lineOffset: number;
}

const NO_LOCALS: LinkedUnit["locals"] = new Map();

function writeUnit(out: ByteWriter, unit: LinkedUnit, parts: UnitParts): void {
  const { files, strings, places, directory, lineOffset } = parts;
  const unitStart = out.length;
  out.sized32(() => {
    out.u16(VERSION);
    out.u32(0); // the one table of abbreviations
    out.u8(4); // address size
    out.uleb(ABBREV_UNIT);
    out.u32(strings.add("tine"));
    out.u16(DW_LANG_C99);
    out.u32(strings.add(unit.name));
    out.u32(strings.add(directory));
    out.u32(unit.textStart);
    out.u32(unit.textEnd - unit.textStart);
    out.u32(lineOffset);
    // Types come before those who refer to them, where there are any.
    const types = new Map<string, number>();
    if (unit.locals.size > 0)
      for (const type of VARIABLE_TYPES) types.set(type.name, writeType(out, strings, type) - unitStart);
    for (const { name, address, size, global } of unit.functions) {
      const first = firstLine(unit, address, address + size);
      const variables = first ? unit.locals.get(address) : undefined;
      out.uleb(
        variables?.length ? ABBREV_FUNCTION_WITH_VARIABLES : first ? ABBREV_FUNCTION : ABBREV_FUNCTION_WITHOUT_LINE,
      );
      out.u32(strings.add(name));
      out.u8(global ? 1 : 0);
      out.u32(address);
      out.u32(size);
      if (first) {
        out.uleb(files.get(first.file)!);
        out.uleb(first.line);
      }
      if (!variables?.length) continue;
      out.uleb(1);
      out.u8(DW_OP_call_frame_cfa);
      writeVariables({ info: out, places, strings, types }, variables, address - unit.textStart);
    }
    const wordType = types.get(WORD.name) ?? writeType(out, strings, WORD) - unitStart;
    for (const { name, address, global } of unit.variables) {
      out.uleb(ABBREV_VARIABLE);
      out.u32(strings.add(name));
      out.u32(wordType);
      out.u8(global ? 1 : 0);
      out.uleb(5);
      out.u8(DW_OP_addr);
      out.u32(address);
    }
    out.uleb(0);
  });
}

/** Writes a base type; returns where. */
function writeType(
  out: ByteWriter,
  strings: StringTable,
  { name, encoding, bytes }: (typeof VARIABLE_TYPES)[number],
): number {
  const at = out.length;
  out.uleb(ABBREV_WORD);
  out.u32(strings.add(name));
  out.u8(bytes);
  out.u8(encoding);
  return at;
}

/** The first line record within a range of addresses: by its own account, where the function is declared. */
function firstLine(unit: LinkedUnit, start: number, end: number): { file: string; line: number } | undefined {
  let low = 0;
  let high = unit.lines.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (unit.lines[middle].address < start) low = middle + 1;
    else high = middle;
  }
  const found = unit.lines[low];
  return found && found.address < end ? found : undefined;
}

function writeRanges(out: ByteWriter, unit: LinkedUnit, infoOffset: number): void {
  out.sized32(() => {
    out.u16(ARANGES_VERSION);
    out.u32(infoOffset);
    out.u8(4); // address size
    out.u8(0); // segment size
    out.u32(0); // padding: tuples start at a multiple of their size
    for (const word of [unit.textStart, unit.textEnd - unit.textStart, 0, 0]) out.u32(word);
  });
}

function writeAbbreviations(abbreviations: readonly (readonly number[])[]): Uint8Array {
  const out = new ByteWriter();
  for (const [code, tag, children, ...pairs] of abbreviations) {
    out.uleb(code);
    out.uleb(tag);
    out.u8(children);
    for (const number of pairs) out.uleb(number);
    out.uleb(0);
    out.uleb(0);
  }
  out.uleb(0);
  return out.bytes();
}
