/** What the reverse map costs by the number of processes that map a page. May import kernel/abi, ../experiment, ./parts. */
import { Region } from "../../../kernel/abi/marks";
import { type Experiment, numberOf, type Seen, type Values } from "../experiment";
import { megabytes, megabytesOf, said, sizeParameter, wholeCycles } from "./parts";

/** For each of the children. */
function aFork(total: (seen: Seen) => number): (seen: Seen, values: Values) => number {
  return (seen, values) => total(seen) / (numberOf(values, "sharers") - 1);
}

export const rmapcost: Experiment = {
  name: "rmapcost",
  title: "the reverse map: memory and time by sharers",
  question:
    "Chains that say which ptes map a page grow with every fork that copies tables: what do they take, and what does a page's way out to swap cost?",
  program: "userland/lab/rmapcost.ts",
  parameters: [
    {
      name: "sharers",
      title: "processes that map each page",
      least: 2,
      most: 200,
      values: [2, 8, 32],
      full: [4, 16, 51],
    },
    sizeParameter(megabytes(8), megabytes(16, 32), 64),
  ],
  arguments: (values) => [numberOf(values, "sharers"), numberOf(values, "size")],
  memoryMB: (values) =>
    Math.ceil(megabytesOf(values) * 1.3 + numberOf(values, "sharers") * (0.2 + megabytesOf(values) * 0.01)) + 16,
  swapMB: (values) => megabytesOf(values) * 2 + 16,
  figures: [
    {
      name: "adds",
      title: "entries that a fork adds",
      unit: "entries",
      read: aFork((seen) => seen.value("rmapAdds")),
    },
    {
      name: "fork",
      title: "a fork, in the parent",
      unit: "cycles",
      read: aFork((seen) => seen.regions(Region.Fork).reduce((sum, { own }) => sum + own.cycles, 0)),
    },
    {
      name: "bytesAPage",
      title: "bytes of chains for each page",
      unit: "bytes",
      read: (seen) => seen.value("chainBytes") / seen.value("pages"),
    },
    {
      name: "unmap",
      title: "taking a page out of its tables for swap-out",
      unit: "cycles",
      read: ({ unmap }) => unmap.cycles / unmap.pages,
    },
    { name: "unmapped", title: "pages taken out", unit: "pages", read: ({ unmap }) => unmap.pages },
    { name: "swapOut", title: "half of all swapped out", unit: "cycles", read: wholeCycles(Region.SwapOut) },
    { name: "swapIn", title: "all read again by all, to their end", unit: "cycles", read: wholeCycles(Region.SwapIn) },
    said("swapOuts", "pages written to swap", "pages"),
    said("swapIns", "pages read from swap", "pages"),
  ],
  regions: { fork: Region.Fork, swapOut: Region.SwapOut, swapIn: Region.SwapIn },
  charts: [
    { title: "Taking a page out of its tables", figure: "unmap", x: "sharers" },
    { title: "Bytes of chains for each page", figure: "bytesAPage", x: "sharers", scale: { y: "linear" } },
  ],
  comparisons: [
    { figure: "adds", dear: "copy", cheap: "share" },
    { figure: "fork", dear: "copy", cheap: "share" },
    { figure: "bytesAPage", dear: "copy", cheap: "share" },
    { figure: "unmap", dear: "copy", cheap: "share" },
    { figure: "swapOut", dear: "copy", cheap: "share" },
    { figure: "swapIn", dear: "copy", cheap: "share" },
  ],
  othersFigures: [
    {
      who: "rmap in Linux 2.5, July 2002",
      source: "linux-kernel, July 2002, measurements of the reverse map",
      what: "pte_chain entries added by a fork of a fork-heavy load",
      theirs: "222 a fork, 24.7 % more system time",
      differs: "their processes mapped a few hundred pages, ours as many as the size says",
    },
  ],
};
