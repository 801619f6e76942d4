/** A server that forks its workers, and trees of forks: memory, and the order of unsharing. May import kernel/abi, ../experiment, ./parts. */
import { Region } from "../../../kernel/abi/marks";
import { type Experiment, numberOf, type Seen, type Values } from "../experiment";
import { megabytes, megabytesOf, ownCycles, said, sizeParameter, wholeCycles } from "./parts";

const MOST_PROCESSES = 1100;
const KB_A_FRAME = 4;

/** Processes of a tree besides its root. */
export function treeSize(values: Values): number {
  let size = 0;
  for (let i = 0; i < numberOf(values, "depth"); i++) size = (size + 1) * numberOf(values, "width");
  return size;
}

/** RAM, and room for as many tasks: the kernel allows one for each 32 frames. */
function memoryFor(values: Values): number {
  const size = megabytesOf(values);
  const processes = treeSize(values);
  const used = size * 1.1 + processes * (0.055 + Math.ceil(size / 4) * 0.014);
  return Math.ceil(Math.max(used, processes * 0.13)) + 16;
}

function memoryKB(frames: (seen: Seen) => number): (seen: Seen) => number {
  return (seen) => frames(seen) * KB_A_FRAME;
}

export const prefork: Experiment = {
  name: "prefork",
  title: "a server with forked workers, and trees of forks",
  question:
    "What do many processes that share one memory take, and what does each pay that then writes: the first of them, and the last?",
  program: "userland/lab/prefork.ts",
  parameters: [
    { name: "depth", title: "depth of the tree", least: 1, most: 1000, values: [1, 3], full: [2, 9] },
    { name: "width", title: "children of each", least: 1, most: 1000, values: [4, 16, 64, 256], full: [2, 31, 1000] },
    sizeParameter(megabytes(4), megabytes(16)),
    { name: "first", title: "who writes first", values: ["root", "workers"] },
  ],
  holds: (values) => treeSize(values) <= MOST_PROCESSES,
  arguments: (values) => ["depth", "width", "size", "first"].map((name) => values[name] as string | number),
  memoryMB: memoryFor,
  figures: [
    said("processes", "processes besides the root", "processes"),
    { name: "fork", title: "a fork, in its parent", unit: "cycles", read: ownCycles(Region.Fork) },
    { name: "family", title: "until all are there", unit: "cycles", read: wholeCycles(Region.Family) },
    said("users", "directories that point at the first table", "directories"),
    {
      name: "memory",
      title: "tables, directories and reverse map of all, before they write",
      unit: "KB",
      read: memoryKB((seen) => seen.value("tables") + seen.value("directories") + seen.value("chains")),
    },
    {
      name: "memoryInAll",
      title: "all memory that they take, before they write",
      unit: "KB",
      read: memoryKB((seen) => seen.value("frames")),
    },
    said("firstWrite", "the first that writes to each table", "cycles"),
    said("longestWrite", "the longest writing to each table", "cycles"),
    said("lastWrite", "the last that writes to each table", "cycles"),
    {
      name: "requests",
      title: "the round in which all write",
      unit: "cycles",
      read: wholeCycles(Region.Requests),
    },
    said("usersAfter", "directories that point at the root's first table in the end", "directories"),
    {
      name: "memoryInAllAfter",
      title: "all memory that they take when all have written",
      unit: "KB",
      read: memoryKB((seen) => seen.value("framesAfter")),
    },
    { name: "exit", title: "until all have ended", unit: "cycles", read: wholeCycles(Region.Exit) },
  ],
  regions: { fork: Region.Fork, family: Region.Family, requests: Region.Requests, exit: Region.Exit },
  charts: [
    { title: "Page tables and reverse map", figure: "memory", x: "width" },
    { title: "Until all are there", figure: "family", x: "width" },
  ],
  comparisons: [
    { figure: "memory", dear: "copy", cheap: "share" },
    { figure: "family", dear: "copy", cheap: "share" },
    { figure: "memoryInAll", dear: "copy", cheap: "share" },
    { figure: "firstWrite", dear: "share", cheap: "copy" },
    { figure: "lastWrite", dear: "share", cheap: "copy" },
    { figure: "requests", dear: "share", cheap: "copy" },
    { figure: "exit", dear: "copy", cheap: "share" },
  ],
};
