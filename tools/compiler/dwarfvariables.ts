/**
 * The debug information of a function's parameters and variables: DIEs below the function's, and .debug_loc for those that move. May import
 * dwarfwriter, elf (string table), object's types.
 * Source: DWARF 4, sections 2.6 (locations), 4.1, 7.5.4, 7.7.
 */
import { ByteWriter } from "./dwarfwriter";
import type { StringTable } from "./elf";
import type { LocalVariable, VariableRange } from "./object";

const DW_TAG_formal_parameter = 0x05;
const DW_TAG_variable = 0x34;
const DW_AT_location = 0x02;
const DW_AT_name = 0x03;
const DW_AT_type = 0x49;
const DW_FORM_strp = 0x0e;
const DW_FORM_ref4 = 0x13;
const DW_FORM_sec_offset = 0x17;
const DW_OP_consts = 0x11;
const DW_OP_reg0 = 0x50;
const DW_OP_fbreg = 0x91;
const DW_OP_stack_value = 0x9f;

/** Codes of the abbreviations from here on; the unit's own come before. */
const FIRST_CODE = 20;
const LOST = 2;

/** Parameter and variable, each with a place and without: code, tag, no children, attributes and forms. */
export const VARIABLE_ABBREVIATIONS: readonly (readonly number[])[] = [0, 1, LOST, LOST + 1].map((kind) => [
  ...[FIRST_CODE + kind, kind % 2 === 0 ? DW_TAG_formal_parameter : DW_TAG_variable, 0],
  ...[DW_AT_name, DW_FORM_strp, DW_AT_type, DW_FORM_ref4],
  ...(kind < LOST ? [DW_AT_location, DW_FORM_sec_offset] : []),
]);

/** Types of variables with their encodings (DW_ATE_*) and sizes in bytes; of others `u32` stands for them. */
export const VARIABLE_TYPES: readonly { name: string; encoding: number; bytes: number }[] = [
  { name: "u32", encoding: 7, bytes: 4 },
  { name: "i32", encoding: 5, bytes: 4 },
  { name: "bool", encoding: 2, bytes: 4 },
];

export interface VariableWriter {
  info: ByteWriter;
  /** .debug_loc. */
  places: ByteWriter;
  strings: StringTable;
  /** Offset in the unit of each type's DIE. */
  types: ReadonlyMap<string, number>;
}

/** Writes the DIEs of a function's variables and the end of its children. `base`: the function's address less the unit's. */
export function writeVariables(out: VariableWriter, variables: readonly LocalVariable[], base: number): void {
  const { info, places, strings, types } = out;
  for (const { name, type, isParameter, ranges } of variables) {
    info.uleb(FIRST_CODE + (isParameter ? 0 : 1) + (ranges.length === 0 ? LOST : 0));
    info.u32(strings.add(name));
    info.u32(types.get(type) ?? types.get("u32")!);
    if (ranges.length === 0) continue;
    info.u32(places.length);
    for (const range of ranges) writeRange(places, range, base);
    places.u32(0);
    places.u32(0);
  }
  info.uleb(0);
}

function writeRange(out: ByteWriter, { start, end, place }: VariableRange, base: number): void {
  const expression = new ByteWriter();
  if (place.kind === "register") expression.u8(DW_OP_reg0 + place.register);
  else if (place.kind === "frame") {
    expression.u8(DW_OP_fbreg);
    expression.sleb(place.offset);
  } else {
    expression.u8(DW_OP_consts);
    expression.sleb(place.value);
    expression.u8(DW_OP_stack_value);
  }
  out.u32(base + start);
  out.u32(base + end);
  out.u16(expression.length);
  for (const byte of expression.bytes()) out.u8(byte);
}
