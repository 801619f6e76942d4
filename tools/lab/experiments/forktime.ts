/** McCracken's table of fork, fork + exit and fork + exec + exit, for every size and mode. May import kernel/abi, ../experiment, ./parts. */
import { Region } from "../../../kernel/abi/marks";
import { type Experiment, numberOf, type OtherFigure } from "../experiment";
import { megabytes, megabytesOf, ownCycles, ownInstructions, said, sizeParameter, wholeCycles } from "./parts";

/** Each is measured so many times; the figure is the middle one. Once where it takes long: a timer interrupt more is nothing there. */
function rounds(size: number): number {
  return size > 64 * 1024 ? 1 : 3;
}

/** His table of 2.5.41-mm2: milliseconds unshared and shared, by figure and size in KB. */
const THEIRS: readonly [figure: string, size: number, unshared: number, shared: number][] = [
  ["fork", 400, 1.6, 0.5],
  ["fork", 4096, 5.0, 3.4],
  ["fork", 40960, 29.5, 3.4],
  ["forkExit", 400, 1.6, 1.6],
  ["forkExit", 4096, 5.3, 4.1],
  ["forkExit", 40960, 45.1, 4.1],
  ["forkExecExit", 400, 7.5, 7.7],
  ["forkExecExit", 4096, 11.9, 10.7],
  ["forkExecExit", 40960, 51.4, 10.7],
];
const NAMES: Record<string, string> = {
  fork: "fork",
  forkExit: "fork + exit",
  forkExecExit: "fork + exec + exit",
};

function theirs([figure, size, unshared, shared]: (typeof THEIRS)[number]): OtherFigure {
  return {
    who: "McCracken, shared page tables for Linux 2.5.41-mm2, 2002",
    source: "linux-kernel, October 2002: www.uwsg.indiana.edu/hypermail/linux/kernel/0210.1/1102.html",
    what: `${NAMES[figure]}, ${size < 1024 ? `${size} KB` : `${size / 1024} MB`}`,
    theirs: `${unshared} ms against ${shared} ms`,
    ratio: unshared / shared,
    ours: { figure, dear: "copy", cheap: "share", at: { size } },
    differs:
      "his processes mapped a shared memory object of that size, ours private memory; milliseconds by the clock on a PC of 2002, and beside the memory a process of Linux with its libraries",
  };
}

export const forktime: Experiment = {
  name: "forktime",
  title: "fork, fork + exit, fork + exec + exit by size",
  question:
    "What does a process with so much private memory pay to have a child, and at which size does sharing its page tables begin to pay?",
  program: "userland/lab/forktime.ts",
  others: ["userland/bin/true.ts"],
  parameters: [sizeParameter([256, 400, 1024, 4096, 16384, 40960, 65536], megabytes(128, 256, 512, 768))],
  modes: ["copy-no-rmap", "share-no-rmap"],
  arguments: (values) => [numberOf(values, "size"), rounds(numberOf(values, "size"))],
  memoryMB: (values) => Math.ceil(megabytesOf(values) * 1.1) + 16,
  figures: [
    { name: "fork", title: "fork, in the parent", unit: "cycles", read: ownCycles(Region.Fork) },
    {
      name: "forkInstructions",
      title: "fork, in the parent",
      unit: "instructions",
      read: ownInstructions(Region.Fork),
    },
    { name: "forkExit", title: "fork + exit", unit: "cycles", read: wholeCycles(Region.ForkExit) },
    { name: "forkExecExit", title: "fork + exec + exit", unit: "cycles", read: wholeCycles(Region.ForkExecExit) },
    said("forkFrames", "frames that fork takes", "frames"),
    said("forkRmapAdds", "reverse-map entries that fork adds", "entries"),
    said("tablesCopied", "tables that fork copies", "tables"),
  ],
  regions: { fork: Region.Fork, forkExit: Region.ForkExit, forkExecExit: Region.ForkExecExit },
  charts: [
    { title: "Cost of fork", figure: "fork", x: "size" },
    { title: "Cost of fork + exit", figure: "forkExit", x: "size" },
    { title: "Cost of fork + exec + exit", figure: "forkExecExit", x: "size" },
    {
      title: "fork + exec + exit, relative to copy",
      figure: "forkExecExit",
      x: "size",
      relativeTo: "copy",
      scale: { y: "linear" },
    },
  ],
  comparisons: [
    { figure: "fork", dear: "copy", cheap: "share" },
    { figure: "forkExit", dear: "copy", cheap: "share" },
    { figure: "forkExecExit", dear: "copy", cheap: "share" },
    { figure: "forkExecExit", dear: "copy", cheap: "auto" },
    { figure: "forkExit", dear: "copy-no-rmap", cheap: "share" },
    { figure: "forkFrames", dear: "copy", cheap: "share" },
  ],
  othersFigures: [
    ...THEIRS.map(theirs),
    {
      who: "Zhao, Gong, Fonseca: On-demand-fork, EuroSys 2021",
      source: "On-demand-fork: a microsecond fork for memory-intensive and latency-sensitive applications, EuroSys '21",
      what: "fork, 1 GB",
      theirs: "65 times faster than fork",
      ratio: 65,
      ours: { figure: "fork", dear: "copy", cheap: "share", at: { size: 786432 } },
      differs: "x86-64 with four levels, of which they share the last; ours has two, 768 MB, and counts cycles",
    },
  ],
};
