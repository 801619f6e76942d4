/**
 * What a trace shows: fields of a line, categories by letters, as System/161 has them, and the rest of what a user may ask for. Plain data, fit for structured
 * cloning. May import eventtypes.
 */
import type { TraceEventKind } from "./eventtypes";

/** Fields of a line, in their order. */
export const FIELDS = [
  "instret",
  "ring",
  "pid",
  "address",
  "symbol",
  "source",
  "bytes",
  "code",
  "registers",
  "flags",
  "memory",
  "tlb",
] as const;
export type Field = (typeof FIELDS)[number];

/** A category: its letter, what it shows in words, and its events. */
export interface Category {
  letter: string;
  words: string;
  kinds: readonly TraceEventKind[];
}

/** The letters for instructions: ring 0, the other rings, and jumps of either alone. */
export const KERNEL = "k";
export const USER = "u";
export const JUMPS = "j";

export const CATEGORIES: readonly Category[] = [
  { letter: KERNEL, words: "instructions in ring 0", kinds: [] },
  { letter: USER, words: "instructions in the other rings", kinds: [] },
  { letter: JUMPS, words: "of instructions, only jumps, calls and returns", kinds: [] },
  {
    letter: "x",
    words: "page faults with what resolved them, other exceptions",
    kinds: ["pageFault", "pageFaultEnd", "exception"],
  },
  { letter: "t", words: "CR3 loads, TLB flushes, INVLPG", kinds: ["cr3", "tlbFlush", "invlpg"] },
  { letter: "i", words: "interrupts of devices", kinds: ["irq"] },
  { letter: "s", words: "system calls", kinds: ["syscall", "syscallEnd"] },
  { letter: "p", words: "processes: fork, exec, exit, switches", kinds: ["fork", "exec", "exit", "switch"] },
  {
    letter: "m",
    words: "memory: tables shared, unshared, released; pages copied",
    kinds: ["share", "unshare", "release", "copyOnWrite"],
  },
  { letter: "w", words: "pages swapped out and in", kinds: ["swapOut", "swapIn"] },
  {
    letter: "f",
    words: "frames allocated and freed (the machine is then single-stepped)",
    kinds: ["frameAlloc", "frameFree"],
  },
  {
    letter: "g",
    words: "what the guest says: marks, regions, panic, the end",
    kinds: ["traceMark", "regionBegin", "regionEnd", "panic", "end"],
  },
];

/** What `all` stands for: everything but J, which leaves lines out. */
export const ALL_LETTERS = CATEGORIES.map(({ letter }) => letter)
  .filter((letter) => letter !== JUMPS)
  .join("");
/** All events that cost no single-stepping. */
export const EVENT_LETTERS = "xtispmwg";

/** A word of memory that is watched. */
export interface Watch {
  address: number;
  /** The address is physical; else it is linear, in whatever address space runs. */
  isPhysical: boolean;
}

export interface TraceFilter {
  /** Categories, by their letters. */
  letters: string;
  /** Only these processes; only these rings; undefined: all. */
  pids?: readonly number[];
  rings?: readonly number[];
  /** Only while a function of one of these names runs, with all that it calls. */
  functions?: readonly string[];
  /** Only instructions at these addresses: first and last. */
  ranges?: readonly (readonly [number, number])[];
  /** Only instructions from instret `from` up to `to`. */
  from: number;
  to: number;
  /** Only behind one event, only up to another: as eventspec reads them. */
  after?: string;
  until?: string;
  /** Only between the guest's own On and Off. */
  marked: boolean;
  /** Only instructions that write one of these words. */
  watches?: readonly Watch[];
}

export const NO_FILTER: TraceFilter = { letters: ALL_LETTERS, from: 0, to: Number.POSITIVE_INFINITY, marked: false };

/** The kinds of event that letters name. */
export function kindsOf(letters: string): TraceEventKind[] {
  return CATEGORIES.filter(({ letter }) => letters.includes(letter)).flatMap(({ kinds }) => kinds);
}

/** Whether events are shown, of the whole run, and no instruction is looked at for them. */
export function isOfEventsAlone(filter: TraceFilter): boolean {
  const { letters, pids, from, to, marked, ...others } = filter;
  const isWhole = from === 0 && to === Number.POSITIVE_INFINITY && !marked;
  return (
    isWhole && [...letters].every((letter) => EVENT_LETTERS.includes(letter)) && Object.values(others).every(isAbsent)
  );
}

/** Whether the window is one of instret alone: nothing that happens before it matters, and nothing that the filter names can be missing. */
export function beginsByItself({ after, until, marked, functions }: TraceFilter): boolean {
  return after === undefined && until === undefined && !marked && isAbsent(functions);
}

function isAbsent(value: unknown): boolean {
  return value === undefined || (Array.isArray(value) && value.length === 0);
}
