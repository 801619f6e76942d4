/**
 * A relocatable object: what the assembler and the back end make, and the linker joins. May import frames' types.
 *
 * Sections go by name; the linker lays all sections of one name out in the order of the objects. Relocations are of the
 * RELA kind: the addend stands in the record and the four bytes at `offset` are overwritten (they are zero here).
 * Source: System V ABI, Intel386 supplement, "Relocation" (R_386_32 and R_386_PC32).
 */
import type { FrameRecord } from "./frames";

/** A piece of a section: `.text`, `.rodata`, `.data` or `.bss`, or any other name. */
export interface ObjectSection {
  name: string;
  /** The contents; empty for `.bss`, which has only a size. */
  bytes: Uint8Array;
  /** Size in memory, in bytes: bytes.length, or for `.bss` the zeroed size. */
  size: number;
  /** A power of two; the section's address must be a multiple of it. */
  align: number;
}

/** A label. A symbol that no object defines is not listed anywhere: it is only named by relocations. */
export interface ObjectSymbol {
  name: string;
  /** Name of the section it is in. */
  section: string;
  /** Bytes from that section's start in this object. */
  offset: number;
  /** Visible to other objects; a local name may occur in many. */
  global: boolean;
  /** For the symbol table: code, data, or a bare label. Absent is "none". */
  kind?: "function" | "object" | "none";
  /** Bytes it covers, when known. */
  size?: number;
}

/** With S the symbol's address, A the addend and P the address of the field: abs32 stores S + A, rel32 S + A - P. */
export interface Relocation {
  section: string;
  /** Bytes from the section's start in this object to the 32-bit little-endian field. */
  offset: number;
  /** A jump or call has its field last in the instruction, so its rel32 has addend -4. */
  kind: "abs32" | "rel32";
  /** Looked up among this object's own symbols first, then among the globals of all. */
  symbol: string;
  addend: number;
}

/** The instruction at `offset` and those after it, up to the next record of its section, come from this line. */
export interface LineRecord {
  section: string;
  offset: number;
  /** Path as the debugger shall see it. */
  file: string;
  /** From 1. */
  line: number;
}

/** Where a variable is in a range of a function's code, in bytes from the function's start: in a register, at CFA + offset, or a constant. */
export interface VariableRange {
  start: number;
  end: number;
  place:
    | { kind: "register"; register: number }
    | { kind: "frame"; offset: number }
    | { kind: "constant"; value: number };
}

export interface LocalVariable {
  name: string;
  type: string;
  isParameter: boolean;
  ranges: VariableRange[];
}

export interface ObjectFile {
  /** For messages: the source it was made from. */
  name: string;
  sections: ObjectSection[];
  symbols: ObjectSymbol[];
  relocations: Relocation[];
  /** Ordered by offset within each section. */
  lines: LineRecord[];
  /** Frames of `.text`, by bytes from its start in this object; ascending. */
  frames: FrameRecord[];
  /** Variables of the functions in `.text`, by the bytes from its start in this object to the function's. */
  variables: ReadonlyMap<number, readonly LocalVariable[]>;
}
