/**
 * The registers that gdb is told of, one table: what target.xml says, what `g`, `p` and `P` read and write. May import cpu's public
 * face, cpu/registers, tasks.
 *
 * Numbers follow the table's order. A register that is not known (of a task that does not run) reads as `x`es.
 * Source: the gdb manual, "Target Descriptions", i386 features (org.gnu.gdb.i386.core wants its 32 registers in this order).
 */
import type { Machine } from "../../cpu/index";
import { type Register, Time, Word } from "../../cpu/registers";
import type { SavedRegisters } from "./tasks";

type Value = number | bigint | undefined;

interface Row {
  name: string;
  bits: 32 | 64 | 80;
  type: string;
  /** The feature that a first register of it opens. */
  feature?: string;
  read(machine: Machine): Value;
  /** Absent: it cannot be written. */
  write?(machine: Machine, value: number): void;
  /** Its value for a task that does not run. */
  saved?: keyof SavedRegisters;
}

const CORE = "org.gnu.gdb.i386.core";
const SEGMENT_NUMBERS = [
  ["cs", 1],
  ["ss", 2],
  ["ds", 3],
  ["es", 0],
  ["fs", 4],
  ["gs", 5],
] as const;
const FPU_WORDS: readonly (readonly [string, (words: Int32Array) => number])[] = [
  ["fctrl", (r) => r[Word.FpuControl]],
  ["fstat", (r) => r[Word.FpuStatus]],
  ["ftag", tagWord],
  ["fiseg", (r) => r[Word.FpuCs]],
  ["fioff", (r) => r[Word.FpuIp]],
  ["foseg", (r) => r[Word.FpuDs]],
  ["fooff", (r) => r[Word.FpuDp]],
  ["fop", (r) => r[Word.FpuOpcode]],
];

/** Of each register: 0 in use, 3 empty. */
function tagWord(r: Int32Array): number {
  let tags = 0;
  for (let i = 0; i < 8; i++) if (((r[Word.FpuValid] >> i) & 1) === 0) tags |= 3 << (2 * i);
  return tags;
}

/** ST(i) as a number of 80 bits. */
function stackRegister(r: Int32Array, i: number): bigint {
  const top = (r[Word.FpuStatus] >> 11) & 7;
  const at = Word.FpuRegisters + 3 * ((top + i) & 7);
  const word = (n: number): bigint => BigInt(r[at + n] >>> 0);
  return word(0) | (word(1) << 32n) | ((word(2) & 0xffffn) << 64n);
}

const GENERAL = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"] as const;
const SAVED: ReadonlySet<string> = new Set(["ebx", "esp", "ebp", "esi", "edi", "eip"]);

const ROWS: readonly Row[] = [
  ...GENERAL.map(
    (name, number): Row => ({
      name,
      bits: 32,
      type: name === "esp" || name === "ebp" ? "data_ptr" : "int32",
      ...(number === 0 ? { feature: CORE } : {}),
      read: ({ cpu }) => cpu.register(number as Register),
      write: ({ cpu }, value) => cpu.setRegister(number as Register, value),
      ...(SAVED.has(name) ? { saved: name as keyof SavedRegisters } : {}),
    }),
  ),
  {
    ...{ name: "eip", bits: 32, type: "code_ptr", saved: "eip", read: ({ cpu }) => cpu.eip },
    write: ({ cpu }, value) => {
      cpu.eip = value;
    },
  },
  {
    ...{ name: "eflags", bits: 32, type: "i386_eflags", read: ({ cpu }) => cpu.eflags },
    write: ({ cpu }, value) => {
      cpu.eflags = value;
    },
  },
  ...SEGMENT_NUMBERS.map(
    ([name, number]): Row => ({ name, bits: 32, type: "int32", read: ({ cpu }) => cpu.segment(number).selector }),
  ),
  ...Array.from(
    { length: 8 },
    (_, i): Row => ({ name: `st${i}`, bits: 80, type: "i387_ext", read: ({ cpu }) => stackRegister(cpu.r, i) }),
  ),
  ...FPU_WORDS.map(([name, read]): Row => ({ name, bits: 32, type: "int", read: ({ cpu }) => read(cpu.r) >>> 0 })),
  ...([0, 2, 3, 4] as const).map(
    (number): Row => ({
      ...{ name: `cr${number}`, bits: 32, type: "uint32", read: ({ cpu }) => cpu.control(number) },
      ...(number === 0 ? { feature: "org.tine.control" } : {}),
      ...(number === 3 ? { saved: "cr3" as const } : {}),
      write: ({ cpu }, value) => cpu.setControl(number, value),
    }),
  ),
  {
    ...{ name: "instret", bits: 64, type: "uint64", feature: "org.tine.counters" },
    read: ({ cpu }) => BigInt(cpu.time[Time.Instret]),
  },
  { name: "cycles", bits: 64, type: "uint64", read: ({ cpu }) => BigInt(Math.floor(cpu.time[Time.Cycles])) },
];

/** EFLAGS by its flags, for gdb's `info registers eflags`. Source: Intel SDM volume 1, 3.4.3. */
const FLAGS_TYPE = `<flags id="i386_eflags" size="4">${[
  ...[
    "CF:0",
    ":1",
    "PF:2",
    "AF:4",
    "ZF:6",
    "SF:7",
    "TF:8",
    "IF:9",
    "DF:10",
    "OF:11",
    "NT:14",
    "RF:16",
    "VM:17",
    "AC:18",
  ],
  ...["VIF:19", "VIP:20", "ID:21"],
]
  .map((flag) => {
    const [name, bit] = flag.split(":");
    return `<field name="${name}" start="${bit}" end="${bit}"/>`;
  })
  .join("")}</flags>`;

/** The whole target description. */
export function targetDescription(): string {
  const parts = ['<?xml version="1.0"?>', '<!DOCTYPE target SYSTEM "gdb-target.dtd">', "<target>"];
  parts.push("<architecture>i386</architecture>", "<osabi>none</osabi>");
  for (const [number, { name, bits, type, feature }] of ROWS.entries()) {
    if (feature !== undefined) {
      if (number > 0) parts.push("</feature>");
      parts.push(`<feature name="${feature}">`);
      if (feature === CORE) parts.push(FLAGS_TYPE);
    }
    parts.push(`<reg name="${name}" bitsize="${bits}" type="${type}"/>`);
  }
  parts.push("</feature>", "</target>");
  return parts.join("\n");
}

function digits(value: Value, bits: number): string {
  if (value === undefined) return "x".repeat(bits / 4);
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64LE(BigInt(value) & 0xffffffffffffffffn, 0);
  bytes.writeBigUInt64LE(BigInt(value) >> 64n, 8);
  return bytes.toString("hex", 0, bits / 8);
}

/** A register in the protocol's digits; undefined for a number that is none. `saved`: those of a task that does not run. */
export function readRegister(machine: Machine, number: number, saved?: SavedRegisters): string | undefined {
  const row = ROWS[number];
  if (row === undefined) return undefined;
  if (saved === undefined) return digits(row.read(machine), row.bits);
  if (row.saved !== undefined) return digits(saved[row.saved] >>> 0, row.bits);
  return digits(
    row.name === "cs" ? KERNEL_CS : row.name === "instret" || row.name === "cycles" ? row.read(machine) : undefined,
    row.bits,
  );
}

/** The selector of kernel code, in which a task that does not run will go on. */
const KERNEL_CS = 0x10;

/** All registers in the protocol's digits. */
export function readRegisters(machine: Machine, saved?: SavedRegisters): string {
  return ROWS.map((_, number) => readRegister(machine, number, saved)).join("");
}

/** Writes a register from little-endian bytes; false where that cannot be done. */
export function writeRegister(machine: Machine, number: number, bytes: Uint8Array): boolean {
  const row = ROWS[number];
  if (row?.write === undefined || bytes.length !== row.bits / 8) return false;
  row.write(machine, Buffer.from(bytes).readUInt32LE(0));
  return true;
}

/** Writes those of all registers that differ; false where one that differs cannot be written. */
export function writeRegisters(machine: Machine, bytes: Uint8Array): boolean {
  let at = 0;
  let done = true;
  for (const [number, { bits }] of ROWS.entries()) {
    const piece = bytes.subarray(at, at + bits / 8);
    at += bits / 8;
    if (piece.length < bits / 8) return false;
    if (Buffer.from(piece).toString("hex") === readRegister(machine, number)) continue;
    done = writeRegister(machine, number, piece) && done;
  }
  return done;
}
