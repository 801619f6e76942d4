/**
 * Recorded instructions and events -> lines of text. May import cpu/ (decoder, disassembler, contract), kernel/abi, record.
 * Registers that an instruction changed are the difference to the record after it. Where an interrupt or fault came in
 * between, ESP and EFLAGS are left out: their change is the delivery's.
 */

import { DecodeResult, decode } from "../../cpu/decoder";
import { disassemble } from "../../cpu/disassembler";
import { EventKind } from "../../cpu/index";
import { Instruction } from "../../cpu/instruction";
import { ROWS } from "../../cpu/isa";
import { Mark } from "../../kernel/abi/marks";
import { CODE_BYTES, EFLAGS, type EventRing, type InstructionRing, RECORDED } from "./record";

/** What names code: tools/image's Symbols, or a part of one. */
export interface CodeNames {
  lookup(address: number): { name: string; offset: number } | undefined;
  line(address: number): { file: string; line: number } | undefined;
}

/** An instruction that a process was seen to run. */
export interface CodeSample {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/**
 * Names for the code at an address in process `pid` (−1: not known). `samples` are user instructions that the process has
 * run since it became the program that it is, as far as they are recorded: for finding out which program that is.
 */
export type Resolver = (pid: number, address: number, samples: readonly CodeSample[]) => CodeNames | undefined;

export interface FormatOptions {
  resolver?: Resolver;
  syntax?: "intel" | "att";
}

const ESP = 4;

const VECTORS: Readonly<Record<number, string>> = {
  0: "#DE divide error",
  1: "#DB debug exception",
  2: "NMI",
  3: "#BP breakpoint",
  4: "#OF overflow",
  5: "#BR bound range exceeded",
  6: "#UD invalid opcode",
  7: "#NM no x87",
  8: "#DF double fault",
  10: "#TS invalid TSS",
  11: "#NP segment not present",
  12: "#SS stack fault",
  13: "#GP general protection",
  14: "#PF page fault",
  16: "#MF x87 error",
  17: "#AC alignment check",
};
const PAGE_FAULT = 14;
const INVALID_OPCODE = 6;

/** Marks worth a line, with what their argument is. */
const MARKS: Readonly<Record<number, string>> = {
  [Mark.Switch]: "switch to process",
  [Mark.Fork]: "forked process",
  [Mark.Share]: "table shared at slot",
  [Mark.Unshare]: "table unshared (cause << 10 | slot)",
  [Mark.Release]: "shared table released at slot",
  [Mark.TaskExit]: "exit of process",
  [Mark.ProgramStatus]: "program ended with status",
  [Mark.Exec]: "exec in process",
  [Mark.CopyOnWrite]: "page copied at slot",
  [Mark.Panic]: "kernel panic",
  [Mark.UnmapBegin]: "page evicted from frame",
  [Mark.SwapIn]: "page back from swap in frame",
};

const FLAG_NAMES: readonly [number, string][] = [
  [0x1, "cf"],
  [0x4, "pf"],
  [0x10, "af"],
  [0x40, "zf"],
  [0x80, "sf"],
  [0x100, "tf"],
  [0x200, "if"],
  [0x400, "df"],
  [0x800, "of"],
  [0x3000, "iopl"],
  [0x4000, "nt"],
  [0x10000, "rf"],
  [0x20000, "vm"],
  [0x40000, "ac"],
  [0x200000, "id"],
];

function hex(value: number, digits = 0): string {
  return (value >>> 0).toString(16).padStart(digits, "0");
}

/** A line's columns, or the whole text of an event. */
type Row = string[] | string;

const insn = new Instruction();

/** Decodes a record into `insn`; the result is the decoder's. */
function decodeRecord(ring: InstructionRing, slot: number): DecodeResult {
  const size = ring.codeSize[slot] as 2 | 4;
  return decode(ring.code, slot * CODE_BYTES, ring.codeLength[slot], size, insn);
}

/** The user instructions of each program that a process was: by process and image. */
class Samples {
  private readonly byImage = new Map<string, CodeSample[]>();

  constructor(ring: InstructionRing) {
    for (let ordinal = ring.first; ordinal < ring.total; ordinal++) {
      const slot = ordinal % ring.capacity;
      if (ring.cpl[slot] !== 3 || decodeRecord(ring, slot) !== DecodeResult.Ok) continue;
      const at = slot * CODE_BYTES;
      this.of(ring, slot).push({ address: ring.eip[slot], bytes: ring.code.slice(at, at + insn.length) });
    }
  }

  of(ring: InstructionRing, slot: number): CodeSample[] {
    const key = `${ring.pid[slot]}.${ring.image[slot]}`;
    let samples = this.byImage.get(key);
    if (samples === undefined) {
      samples = [];
      this.byImage.set(key, samples);
    }
    return samples;
  }
}

/** The columns of one instruction but for what it changed. `retired` is what it counted: the repetitions of REP. */
function columns(
  ring: InstructionRing,
  slot: number,
  retired: number,
  samples: CodeSample[],
  options: FormatOptions,
): string[] {
  const { resolver, syntax = "intel" } = options;
  const eip = ring.eip[slot];
  const pid = ring.pid[slot];
  const names = resolver?.(pid, eip, samples);
  // An operand may be a number that only looks like an address: it must be of the same program.
  const nameAt = (address: number): string | undefined => {
    const symbol = resolver?.(pid, address, samples) === names ? names?.lookup(address) : undefined;
    return symbol && symbol.name + (symbol.offset > 0 ? `+0x${hex(symbol.offset)}` : "");
  };
  const source = names?.line(eip);
  const result = decodeRecord(ring, slot);
  const at = slot * CODE_BYTES;
  const shown = result === DecodeResult.Ok ? insn.length : Math.min(ring.codeLength[slot], Math.max(insn.length, 1));
  const bytes = Array.from(ring.code.subarray(at, at + shown), (byte) => hex(byte, 2)).join(" ");
  let text = result === DecodeResult.Ok ? disassemble(insn, eip, syntax, nameAt) : WHY_NOT[result];
  if (retired > 1) text += ` (${retired} times)`;
  return [
    String(ring.instret[slot]),
    `r${ring.cpl[slot]}`,
    pid < 0 ? "-" : `p${pid}`,
    `${hex(ring.cs[slot], 4)}:${hex(eip, 8)}`,
    nameAt(eip) ?? "-",
    source ? `${source.file}:${source.line}` : "-",
    bytes,
    text,
  ];
}

const WHY_NOT: Readonly<Record<number, string>> = {
  [DecodeResult.NeedMore]: "(not in memory)",
  [DecodeResult.Invalid]: "(no instruction)",
  [DecodeResult.TooLong]: "(longer than 15 bytes)",
};

/** "eax=0>5 zf=1": the registers that differ in `after`. */
function changes(before: Int32Array, after: Int32Array, interrupted: boolean): string {
  const parts: string[] = [];
  for (const [i, name] of RECORDED.entries()) {
    if (before[i] === after[i] || (interrupted && (i === ESP || i === EFLAGS))) continue;
    if (i === EFLAGS) parts.push(...flagChanges(before[i], after[i]));
    else parts.push(`${name}=${hex(before[i])}>${hex(after[i])}`);
  }
  return parts.join(" ");
}

function flagChanges(before: number, after: number): string[] {
  return FLAG_NAMES.filter(([mask]) => ((before ^ after) & mask) !== 0).map(([mask, name]) => {
    // Shifted down to the mask's lowest bit.
    return `${name}=${(after & mask) / (mask & -mask)}`;
  });
}

/** The line of an event; undefined for those that the instruction before it tells of. */
function eventText(events: EventRing, slot: number, ring: InstructionRing): string | undefined {
  const a = events.a[slot];
  const b = events.b[slot];
  switch (events.kind[slot]) {
    case EventKind.PageFault: {
      const why = b & 1 ? "not allowed" : "not present";
      const what = b & 16 ? "fetch" : b & 2 ? "write" : "read";
      return `#PF page fault: ${b & 4 ? "user" : "kernel"} ${what} at 0x${hex(a, 8)}, ${why} (error code 0x${hex(b)})`;
    }
    case EventKind.TrapEntry:
      // A page fault has been told already, with its address.
      return a === PAGE_FAULT ? undefined : trapText(a, b, events.ordinal[slot], ring);
    case EventKind.Mark: {
      const meaning = MARKS[a >>> 24];
      return meaning && `mark: ${meaning} ${a & 0xffffff}`;
    }
    case EventKind.Exit:
      return `exit port: ${a}`;
    default:
      return undefined;
  }
}

function trapText(vector: number, error: number, ordinal: number, ring: InstructionRing): string {
  const name = VECTORS[vector];
  const code = error >= 0 ? ` (error code 0x${hex(error)})` : "";
  const last = ordinal - 1;
  if (vector === INVALID_OPCODE && last >= ring.first) return `${name}: ${whyUndefined(ring, last % ring.capacity)}`;
  if (name !== undefined) return name + code;
  return `interrupt 0x${hex(vector)}${code}`;
}

/** Why the recorded instruction raised #UD. */
function whyUndefined(ring: InstructionRing, slot: number): string {
  const result = decodeRecord(ring, slot);
  if (result === DecodeResult.Invalid) {
    const at = slot * CODE_BYTES;
    const bytes = ring.code.subarray(at, at + Math.min(ring.codeLength[slot], 8));
    return `no instruction of this CPU begins with ${Array.from(bytes, (byte) => hex(byte, 2)).join(" ")}`;
  }
  if (result !== DecodeResult.Ok) return "the instruction could not be read";
  const row = ROWS[insn.row];
  if (row.mnemonic === "ud2") return "ud2";
  return `'${disassemble(insn, ring.eip[slot])}' is not implemented, or not allowed here`;
}

/** How the machine stands after the last record: RECORDED registers and count. */
export interface Now {
  readonly registers: Int32Array;
  readonly instret: number;
}

/** All lines, oldest first. */
export function* formatLines(
  ring: InstructionRing,
  events: EventRing,
  now: Now,
  options: FormatOptions,
): Generator<string> {
  const samples = new Samples(ring);
  const rows: Row[] = [];
  let event = events.first;
  const eventsBefore = (ordinal: number): boolean => {
    let trapped = false;
    for (; event < events.total && events.ordinal[event % events.capacity] <= ordinal; event++) {
      const slot = event % events.capacity;
      if (events.ordinal[slot] < ring.first) continue;
      trapped ||= events.kind[slot] === EventKind.TrapEntry;
      const text = eventText(events, slot, ring);
      if (text !== undefined) rows.push(`  -- ${text}`);
    }
    return trapped;
  };
  eventsBefore(ring.first);
  for (let ordinal = ring.first; ordinal < ring.total; ordinal++) {
    const slot = ordinal % ring.capacity;
    const after = ordinal + 1 < ring.total ? ring.instret[(ordinal + 1) % ring.capacity] : now.instret;
    const retired = after - ring.instret[slot];
    const row = columns(ring, slot, retired, samples.of(ring, slot), options);
    rows.push(row);
    const trapped = eventsBefore(ordinal + 1);
    row.push(
      changes(registersAt(ring, ordinal, now.registers), registersAt(ring, ordinal + 1, now.registers), trapped),
    );
  }
  yield* aligned(rows);
}

/** The registers before the instruction of an ordinal; `now` behind the last. */
function registersAt(ring: InstructionRing, ordinal: number, now: Int32Array): Int32Array {
  if (ordinal >= ring.total) return now;
  const at = (ordinal % ring.capacity) * RECORDED.length;
  return ring.registers.subarray(at, at + RECORDED.length);
}

/** No column is padded beyond this; a longer text pushes its own line to the right. */
const WIDEST = 36;

/** Rows with their columns below each other; the first column to the right. */
function* aligned(rows: readonly Row[]): Generator<string> {
  const widths: number[] = [];
  for (const row of rows) {
    if (typeof row === "string") continue;
    for (const [i, text] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, Math.min(text.length, WIDEST));
  }
  for (const row of rows) {
    if (typeof row === "string") yield row;
    else {
      const padded = row.map((text, i) => (i === 0 ? text.padStart(widths[i]) : text.padEnd(widths[i])));
      yield padded.join("  ").trimEnd();
    }
  }
}
