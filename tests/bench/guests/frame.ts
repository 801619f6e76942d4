/**
 * What all guests of the benchmark have in common: the boot image around a piece of work. May import the assembler of the
 * processor's tests.
 *
 * The image sets up its tables and turns paging on, calls `work` once to warm up (caches and compilers of the emulator that runs it),
 * then sends "begin\n" to COM1, calls `work` again for the number of operations asked for, sends "end\n", then the checksum that `work`
 * returned as 8 hexadecimal digits and "\n", and ends by the exit port. Time is measured by who hears the two lines.
 *
 * Linear memory: 16 MB one to one by 4 KB pages, all open to ring 3, in each of two directories, and
 *
 *     0x00080000  stack of ring 3 (down), 0x00090000 of ring 0
 *     0x00100000  the image
 *     0x00200000  the two directories, then the tables of the first 16 MB
 *     0x00400000  a compiled program, mapped a second time at PROGRAM, for which it is linked
 *     0x00800000  free memory up to 16 MB
 *     WINDOW      4 MB by one table of each directory, empty at first
 */

import { AL, absolute, at, CR, DX, EAX, EBX, ECX, EDI, EDX, ESI, ORIGIN, Program } from "../../cpu/guest";
import { elfImage } from "../../cpu/images";

export const MEMORY_MB = 16;
export const DIRECTORY = 0x200000;
const TABLES = 0x204000;
const TABLES_COUNT = MEMORY_MB / 4;
export const WINDOW = 0x40000000;
/** Table of the window in the first directory; that of the second follows. */
export const WINDOW_TABLE = 0x210000;
export const FREE = 0x800000;
const PROGRAM = 0x08000000;
const PROGRAM_AT = 0x400000;
const COM1 = 0x3f8;
const USER_FLAGS = 0x3002; // IOPL 3: the work sends and exits by ports

/** How a guest fills the frame. */
export interface Shape {
  /** Runs the whole in ring 3. */
  user?: boolean;
  /** Code that runs once before everything, in ring 0. */
  prepare?: (p: Program) => void;
  /** The routine: entered by CALL with the number of operations (at least 1) in ECX; returns a checksum in EAX; may change all registers. */
  work?: (p: Program) => void;
  /** Handlers and data behind the code. */
  rest?: (p: Program) => void;
  /** Vector -> label of its handler. */
  gates?: Readonly<Record<number, string>>;
  /** A compiled program to be loaded with it. */
  program?: CompiledProgram;
}

/** A program linked for 128 MB up: its ELF file and the address of its `main`. */
export interface CompiledProgram {
  elf: Uint8Array;
  main: number;
}

/** Stores a value so many times from EDI on, adding `step` each time. */
function fillTable(p: Program, label: string, address: number, value: number, count: number): void {
  p.op("mov", EDI, address).op("mov", EAX, value).op("mov", ECX, count).label(label);
  p.op("mov", at(EDI), EAX).op("add", EDI, 4).op("add", EAX, 4096).op("dec", ECX).jump("jnz", label);
}

function paging(p: Program): void {
  fillTable(p, "tables", TABLES, 7, 1024 * TABLES_COUNT);
  for (const second of [0, 1]) {
    const directory = DIRECTORY + 4096 * second;
    fillTable(p, `directory${second}`, directory, TABLES | 7, TABLES_COUNT);
    p.op("mov", absolute(directory + (WINDOW >>> 20)), (WINDOW_TABLE + 4096 * second) | 7);
    p.op("mov", absolute(directory + (PROGRAM >>> 20)), (TABLES + 4096 * (PROGRAM_AT >>> 22)) | 7);
  }
  p.op("mov", EAX, DIRECTORY).op("mov", CR[3], EAX);
  p.op("mov", EAX, CR[0]).op("or", EAX, 0x80010000).op("mov", CR[0], EAX);
}

/** Code: sends a text. */
function send(p: Program, text: string): void {
  for (const byte of Buffer.from(text, "latin1")) p.op("mov", AL, byte).jump("call", "send");
}

/** Routines: `send` sends AL, `sendNumber` EBX as 8 digits. */
function sending(p: Program): void {
  p.label("send")
    .op("mov", ESI, EAX)
    .op("mov", EDX, COM1 + 5)
    .label("wait");
  p.op("in", AL, DX).op("test", AL, 0x20).jump("jz", "wait");
  p.op("mov", EDX, COM1).op("mov", EAX, ESI).op("out", DX, AL).op("ret");
  p.label("sendNumber").op("mov", ECX, 8).label("digit");
  p.op("rol", EBX, 4).op("mov", EAX, EBX).op("and", EAX, 15).op("add", EAX, 0x30);
  p.op("cmp", EAX, 0x3a).jump("jb", "decimal").op("add", EAX, 0x27).label("decimal");
  p.jump("call", "send").op("dec", ECX).jump("jnz", "digit").op("ret");
}

interface Segment {
  physical: number;
  data: Uint8Array;
  bytes: number;
}

/** The loadable segments of an ELF32 file, moved to where PROGRAM is mapped. */
function segmentsOf(elf: Uint8Array): Segment[] {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.length);
  const headers = view.getUint32(28, true);
  const segments: Segment[] = [];
  for (let i = 0; i < view.getUint16(44, true); i++) {
    const header = headers + 32 * i;
    const [type, offset, address, , bytesInFile, bytes] = [0, 4, 8, 12, 16, 20].map((field) =>
      view.getUint32(header + field, true),
    );
    if (type !== 1) continue;
    const physical = address - PROGRAM + PROGRAM_AT;
    if (physical < PROGRAM_AT || physical + bytes > FREE) throw new Error(`a segment at 0x${address.toString(16)}`);
    segments.push({ physical, data: elf.subarray(offset, offset + bytesInFile), bytes });
  }
  return segments;
}

/** The image that does `operations` (at least 1) after `warmUp` (at least 1) that nobody measures. */
export function image(shape: Shape, operations: number, warmUp: number): Uint8Array {
  const { user = false, prepare, work, rest, gates = {}, program } = shape;
  const p = new Program();
  paging(p.enter());
  prepare?.(p);
  if (user) p.enterUser(USER_FLAGS);
  p.op("mov", ECX, warmUp).jump("call", "work");
  send(p, "begin\n");
  p.op("mov", ECX, operations).jump("call", "work").op("push", EAX);
  send(p, "end\n");
  p.op("pop", EBX).jump("call", "sendNumber");
  send(p, "\n");
  p.exit(0).label("over").jump("jmp", "over");
  sending(p);
  p.align(16).label("work");
  if (program === undefined) work?.(p);
  else p.op("mov", EAX, ECX).op("xor", EDX, EDX).op("xor", ECX, ECX).op("mov", EBX, program.main).op("jmp", EBX);
  rest?.(p);
  p.tables(gates);
  const data = p.finish();
  const segments = program === undefined ? [] : segmentsOf(program.elf);
  return elfImage([{ physical: ORIGIN, data, bytes: data.length }, ...segments], ORIGIN + 16);
}
