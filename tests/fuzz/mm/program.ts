/**
 * A fuzzed program as the host sees it: what each process does, and where its slices end. As words for the guest, and as text
 * for cases: one operation a line,
 *
 *     machine poison            a Variant; standard if none is said
 *     audit 4                   at every fourth return to user mode; at every one if nothing is said
 *     evict 77                  seed of the evictions that timer ticks bring about, where there is swap
 *     ticks 1 2500 6            after 2,500 user-mode instructions of process 1 six timer ticks: it loses the processor
 *     process 0
 *       mmap private+0x0 0x400000 3 0x32 0 0 0
 *       fork 1
 *
 * with the arguments of userland/fuzz/format.ts, places as base+offset. May import userland/fuzz/format.
 */
import { Op, Script } from "../../../userland/fuzz/format";

export interface Operation {
  op: Op;
  args: readonly number[];
}

/** Ticks of the timer in a row; five end a process's slice, and each evicts some pages where there is swap. */
export interface Ticks {
  process: number;
  /** User-mode instructions that the process has retired then. */
  at: number;
  count: number;
}

export const VARIANTS = ["standard", "largeTlb", "poison", "softwareWp", "swap", "tight"] as const;
/** The machines that programs run on: what differs from the standard one is said in guest.ts. */
export type Variant = (typeof VARIANTS)[number];

export interface Program {
  variant: Variant;
  /** The audit comes at every so many returns to user mode, and at the end. */
  auditEvery: number;
  /** Operations of each process; process 0 is there from the start, each other one is forked once at most. */
  processes: readonly (readonly Operation[])[];
  /** Seed of evictions. */
  evict: number;
  ticks: readonly Ticks[];
}

export const BASES = ["private", "shared", "fileA", "fileB", "heap", "stack", "result", "null"] as const;
const FILES = 2;
const OFFSET_BITS = 28;

/** One word for an address: base and offset in bytes, from -2^27 up to 2^27. */
export function place(base: number, offset: number): number {
  return ((base << OFFSET_BITS) | (offset & ((1 << OFFSET_BITS) - 1))) >>> 0;
}

export const baseOf = (word: number): number => word >>> OFFSET_BITS;
export const offsetOf = (word: number): number => (word << 4) >> 4;

/** Name and kinds of arguments: p a place, n a number, r a process, q a pipe. */
const SHAPES: Readonly<Record<Op, readonly [name: string, kinds: string]>> = {
  [Op.Exit]: ["exit", "n"],
  [Op.Fork]: ["fork", "r"],
  [Op.Wait]: ["wait", "rp"],
  [Op.Send]: ["send", "qpn"],
  [Op.Receive]: ["receive", "qpn"],
  [Op.Write]: ["write", "pnnn"],
  [Op.Read]: ["read", "pnn"],
  [Op.Copy]: ["copy", "ppn"],
  [Op.Fill]: ["fill", "pnn"],
  [Op.Mmap]: ["mmap", "pnnnnnn"],
  [Op.Munmap]: ["munmap", "pn"],
  [Op.Mprotect]: ["mprotect", "pnn"],
  [Op.Mremap]: ["mremap", "pnnnpn"],
  [Op.Madvise]: ["madvise", "pnn"],
  [Op.Mlock]: ["mlock", "pn"],
  [Op.Munlock]: ["munlock", "pn"],
  [Op.Mlockall]: ["mlockall", ""],
  [Op.Munlockall]: ["munlockall", ""],
  [Op.Msync]: ["msync", "pnn"],
  [Op.Brk]: ["brk", "p"],
  [Op.FileRead]: ["fileread", "nnpn"],
  [Op.FileWrite]: ["filewrite", "nnpn"],
  [Op.Truncate]: ["truncate", "nn"],
  [Op.Signal]: ["signal", "p"],
  [Op.Handle]: ["handle", "n"],
  [Op.Exec]: ["exec", "p"],
  [Op.Hang]: ["hang", "qq"],
  [Op.Kill]: ["kill", "rn"],
  [Op.Name]: ["name", "pn"],
  [Op.Reclaim]: ["reclaim", "n"],
  [Op.Vfork]: ["vfork", "r"],
};

/** Kinds of an operation's arguments: a letter each, as in SHAPES. */
export const kindsOf = (op: Op): string => SHAPES[op][1];

/** Pipes that a program needs. */
function pipesOf({ processes }: Program): number {
  const pipes = processes
    .flat()
    .flatMap(({ op, args }) => args.filter((_, i) => kindsOf(op)[i] === "q").map((pipe) => pipe + 1));
  return Math.max(0, ...pipes);
}

/** Where each operation lies in the script: [process, number] by word index. */
export type Positions = ReadonlyMap<number, readonly [process: number, operation: number]>;

/** The script for the guest. Throws RangeError for a program that has no room in it. */
export function encode(program: Program): { words: Uint32Array; positions: Positions } {
  const { processes } = program;
  const words: number[] = new Array<number>(Script.Operations).fill(0);
  const positions = new Map<number, readonly [number, number]>();
  if (processes.length > Script.MostProcesses) throw new RangeError(`${processes.length} processes are too many`);
  for (const [process, operations] of processes.entries()) {
    words[Script.Lists + process] = words.length;
    const ends = operations.at(-1)?.op === Op.Exit ? operations : [...operations, { op: Op.Exit, args: [0] }];
    for (const [number, { op, args }] of ends.entries()) {
      positions.set(words.length, [process, number]);
      words.push(op | ((args.length + 1) << 8), ...args);
    }
  }
  words[Script.Pipes] = pipesOf(program);
  words[Script.Files] = FILES;
  words[Script.Bytes] = words.length * 4;
  if (words.length * 4 > Script.Room) throw new RangeError(`a script of ${words.length * 4} bytes is too long`);
  return { words: Uint32Array.from(words), positions };
}

function argumentText(kind: string, value: number): string {
  if (kind !== "p") return value < 4096 ? String(value) : `0x${value.toString(16)}`;
  const offset = offsetOf(value);
  return `${BASES[baseOf(value)]}${offset < 0 ? "-" : "+"}0x${Math.abs(offset).toString(16)}`;
}

/** An operation in a line. */
export function describeOperation({ op, args }: Operation): string {
  const [name, kinds] = SHAPES[op];
  return [name, ...args.map((value, i) => argumentText(kinds[i], value))].join(" ");
}

/** The text of a program. */
export function print(program: Program): string {
  const lines = [`machine ${program.variant}`, `audit ${program.auditEvery}`];
  if (hasSwap(program.variant)) lines.push(`evict ${program.evict}`);
  lines.push(...program.ticks.map(({ process, at, count }) => `ticks ${process} ${at} ${count}`));
  for (const [process, operations] of program.processes.entries()) {
    lines.push(`process ${process}`, ...operations.map((operation) => `  ${describeOperation(operation)}`));
  }
  return `${lines.join("\n")}\n`;
}

function parseArgument(kind: string, text: string): number {
  const match = kind === "p" ? /^([a-zA-Z]+)([+-])(0x[0-9a-f]+|\d+)$/.exec(text) : /^()()(0x[0-9a-f]+|\d+)$/.exec(text);
  if (!match) throw new Error(`'${text}' is no ${kind === "p" ? "place" : "number"}`);
  const value = Number(match[3]);
  if (kind !== "p") return value;
  const base = BASES.indexOf(match[1] as (typeof BASES)[number]);
  if (base < 0) throw new Error(`there is no base '${match[1]}'`);
  return place(base, match[2] === "-" ? -value : value);
}

function parseOperation(text: string): Operation {
  const [name, ...rest] = text.split(/\s+/);
  const found = Object.entries(SHAPES).find(([, [known]]) => known === name);
  if (!found) throw new Error(`there is no operation '${name}'`);
  const [op, [, kinds]] = found;
  if (rest.length !== kinds.length) throw new Error(`${name} has ${kinds.length} arguments, not ${rest.length}`);
  return { op: Number(op) as Op, args: rest.map((argument, i) => parseArgument(kinds[i], argument)) };
}

/** Whether a machine has a disk to swap to. */
export const hasSwap = (variant: Variant): boolean => variant === "swap" || variant === "tight";

/** The program of a text, `#` beginning a comment. Throws Error with the line's number for one that is not understood. */
export function parse(text: string): Program {
  const processes: Operation[][] = [];
  const ticks: Ticks[] = [];
  let variant: Variant = "standard";
  let auditEvery = 1;
  let evict = 1;
  const parseLine = (line: string): void => {
    const [first, ...rest] = line.split(/\s+/);
    if (first === "machine") {
      const known = VARIANTS.find((name) => name === rest[0]);
      if (known === undefined) throw new Error(`there is no machine '${rest[0]}'`);
      variant = known;
    } else if (first === "audit") auditEvery = parseArgument("n", rest[0]);
    else if (first === "evict") evict = parseArgument("n", rest[0]);
    else if (first === "ticks") {
      const [process, at, count] = rest.map((word) => parseArgument("n", word));
      ticks.push({ process, at, count });
    } else if (first === "process") {
      if (rest[0] !== String(processes.length)) throw new Error(`process ${processes.length} is next`);
      processes.push([]);
    } else if (processes.length === 0) throw new Error("an operation before the first process");
    else processes[processes.length - 1].push(parseOperation(line));
  };
  for (const [index, line] of text.split("\n").entries()) {
    const words = line.replace(/#.*/, "").trim();
    try {
      if (words !== "") parseLine(words);
    } catch (error) {
      throw new Error(`line ${index + 1}: ${(error as Error).message}`);
    }
  }
  return { variant, auditEvery, evict, processes, ticks };
}
