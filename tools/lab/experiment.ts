/**
 * What an experiment of the fork laboratory is: a guest program and a declaration of its question, its parameters, its figures and what they are compared
 * with. Everything else (machines, threads, results, report) follows from that. May import kernel/abi.
 *
 * A **point** is an experiment with a value for each parameter, a mode and a table of costs: one machine, one line of results.
 */
import type { Region } from "../../kernel/abi/marks";
import type { Counts } from "./references";

/** The ways to fork that are compared, each with the words that it puts on the kernel's command line. */
export const MODES = {
  copy: "fork=copy",
  share: "fork=share",
  auto: "fork=auto",
  "copy-no-rmap": "fork=copy rmap=off",
  "share-no-rmap": "fork=share rmap=off",
} as const;

export type Mode = keyof typeof MODES;

/** The modes that `tine lab run` takes unless told. */
export const DEFAULT_MODES: readonly Mode[] = ["copy", "share", "auto"];

/** Sizes of memory are numbers in KB. */
export type Value = number | string;
export type Values = Readonly<Record<string, Value>>;

export interface Parameter {
  /** As it is in results and after `--set`; `size` is what `--sizes` sets. */
  name: string;
  /** What it is, for an axis: "private memory, written". */
  title: string;
  /** "KB" is printed as KB or MB, whichever fits. */
  unit?: "KB" | string;
  /** Least and most that the program can take, of a number. */
  least?: number;
  most?: number;
  /** The default grid: with all other parameters' values, machines of a few seconds each, sizes to 64 MB. */
  values: readonly Value[];
  /** Those besides that `--full` takes: more steps, larger sizes. */
  full?: readonly Value[];
}

/** Instructions and cycles. */
export interface Cost {
  instructions: number;
  cycles: number;
}

/** One region of the guest's. */
export interface SeenRegion extends Cost {
  id: Region;
  tag: number;
  /** Of the process that began it. */
  pid: number;
  /** The same while that process ran only: what its own work cost. `instructions` and `cycles` count whoever runs, sleep included. */
  own: Cost;
  /** Page tables that got a copy of their own between its begin and its end. */
  unshares: number;
  /** Pages copied by write faults, likewise. */
  pagesCopied: number;
  /** Memory references and TLB misses, whoever ran; only with `--references`. */
  references?: Counts;
}

/** What one machine's run gave: what figures are read from. All of it is the same on every host. */
export interface Seen {
  /** The console, lines ended by \n. */
  output: string;
  /** The value of a line or word `NAME=NUMBER` that the guest printed: the last one. Throws Error if there is none. */
  value(name: string): number;
  /** All values of that name, in order. */
  values(name: string): number[];
  /** All regions of that kind (and tag), in the order of their begins. */
  regions(id: Region, tag?: number): SeenRegion[];
  /** The first such region. Throws Error if there is none. */
  region(id: Region, tag?: number): SeenRegion;
  /** From the program's exec to its end. */
  program: Cost;
  /** Taking pages out of tables for swap-out, while a region was open. */
  unmap: Cost & { pages: number };
  /** Sectors of 512 bytes, of the whole run. */
  disk: { sectorsRead: number; sectorsWritten: number };
}

/** What is measured at a point. */
export interface Figure {
  /** As it is in results: camelCase. */
  name: string;
  title: string;
  unit: "cycles" | "instructions" | "frames" | "bytes" | "KB" | "sectors" | "faults" | "entries" | "tables" | string;
  /** Throws Error where the guest did not say what it should: the point has failed. */
  read(seen: Seen, values: Values): number;
  /** False where more is better (forks per billion cycles). */
  lessIsBetter?: boolean;
}

/** Many measurements of one thing at a point: kept as quantiles. */
export interface Distribution {
  name: string;
  title: string;
  unit: string;
  read(seen: Seen, values: Values): number[];
}

/** A picture of the report: one line for each mode, over a parameter; a panel for each combination of the others. Where lines cross is marked. */
export interface Chart {
  title: string;
  /** A figure's name. */
  figure: string;
  /** A parameter's name, one with numbers. */
  x: string;
  /** Of each axis; logarithmic unless told. */
  scale?: { x?: "log" | "linear"; y?: "log" | "linear" };
  /** Cost divided by that of this mode instead of the cost. */
  relativeTo?: Mode;
  /** Instead of a line for each mode one of this mode for each value of a parameter, which then needs no panels of its own. */
  lines?: { mode: Mode; by: string };
}

/** A ratio of two modes that is of interest, at every point: `dear`'s figure divided by `cheap`'s. */
export interface Comparison {
  figure: string;
  dear: Mode;
  cheap: Mode;
}

/** What others measured, beside ours. */
export interface OtherFigure {
  /** Who and when: "McCracken, shared page tables in Linux 2.5.41, 2002". */
  who: string;
  /** Where it stands: a paper's title and section, a list and a date, an address. */
  source: string;
  /** What was measured: "fork + exit, 40 MB". */
  what: string;
  /** In their words and units: "45.1 ms against 4.1 ms". */
  theirs: string;
  /** How many times less the new way costs, as they have it. */
  ratio?: number;
  /** Ours to put beside it: a comparison's figure at these values. */
  ours?: Comparison & { at: Values };
  /** What is different, so that nobody compares what cannot be compared. */
  differs: string;
}

export interface Experiment {
  /** As `tine lab run` takes it. */
  name: string;
  title: string;
  /** What it asks, in a sentence or two. */
  question: string;
  /** The guest program: a source below the root, `userland/lab/NAME.ts`. It becomes /bin/NAME. */
  program: string;
  /** Sources of more programs that it wants in /bin, such as userland/bin/true.ts. init is always there. */
  others?: readonly string[];
  /** More files of the initrd, by path without the first slash. */
  files?(values: Values): Readonly<Record<string, string>>;
  parameters: readonly Parameter[];
  /** False for a combination of values that makes no sense. */
  holds?(values: Values): boolean;
  /** Modes besides the default ones in which it is run unless told. */
  modes?: readonly Mode[];
  /** Words of the program's arguments. */
  arguments(values: Values): readonly (string | number)[];
  /** RAM in megabytes that a point needs in the dearest mode, the kernel's own included: 4 to 896. */
  memoryMB(values: Values): number;
  /** Megabytes of a swap area; none unless told. */
  swapMB?(values: Values): number;
  /** Instructions after which a point has failed; 2e11 unless told. */
  budget?: number;
  figures: readonly Figure[];
  distributions?: readonly Distribution[];
  /** Names of regions, for the columns of `--references`. 128 to 255 are free for programs that are not of this tree. */
  regions?: Readonly<Record<string, Region>>;
  charts?: readonly Chart[];
  comparisons?: readonly Comparison[];
  othersFigures?: readonly OtherFigure[];
}

/** A parameter's value as a number. Throws Error if it is none. */
export function numberOf(values: Values, name: string): number {
  const value = values[name];
  if (typeof value !== "number") throw new Error(`the parameter ${name} is no number`);
  return value;
}
