/** A key-value server that forks to save itself while a client writes. May import kernel/abi, ../experiment, ./parts. */
import { Region } from "../../../kernel/abi/marks";
import { type Experiment, numberOf } from "../experiment";
import { megabytes, megabytesOf, ownCycles, said, sizeParameter } from "./parts";

/** The write at which the server forks. */
const SAVE_AT = 300;

export const snapshot: Experiment = {
  name: "snapshot",
  title: "a key-value server saves itself by fork",
  question:
    "How long does a server stand still when it forks to save its data, and how long do its client's writes take until the save is over?",
  program: "userland/lab/snapshot.ts",
  parameters: [sizeParameter(megabytes(4, 16, 64), megabytes(128, 256), 64)],
  arguments: (values) => [numberOf(values, "size"), SAVE_AT],
  memoryMB: (values) => Math.ceil(megabytesOf(values) * 2.1) + 16,
  figures: [
    { name: "pause", title: "the server's pause at fork", unit: "cycles", read: ownCycles(Region.Fork) },
    said("idleP50", "a write before the save, median", "cycles"),
    said("p50", "a write during the save, median", "cycles"),
    said("p99", "a write during the save, 99 of 100", "cycles"),
    said("longest", "the longest write during the save", "cycles"),
    said("endWrite", "the longest write while the child ends", "cycles"),
    said("writes", "writes during the save", "writes"),
    {
      name: "save",
      title: "the save, from fork to the child's end",
      unit: "cycles",
      read: (seen) => seen.region(Region.Save, 0).cycles + seen.region(Region.Save, 1).cycles,
    },
    said("peakFrames", "frames in use at the save's end, besides those before", "frames"),
    said("peakTables", "of them tables and directories", "frames"),
    said("peakChains", "of them reverse map", "frames"),
    said("pagesCopied", "pages copied", "pages"),
    said("tablesUnshared", "tables copied after fork", "tables"),
  ],
  distributions: [
    {
      name: "latency",
      title: "a client's write during the save",
      unit: "cycles",
      read: (seen) => seen.values("latency"),
    },
  ],
  regions: { fork: Region.Fork, save: Region.Save },
  charts: [
    { title: "The server's pause at fork", figure: "pause", x: "size" },
    { title: "The longest write during the save", figure: "longest", x: "size" },
  ],
  comparisons: [
    { figure: "pause", dear: "copy", cheap: "share" },
    { figure: "longest", dear: "copy", cheap: "share" },
    { figure: "p99", dear: "copy", cheap: "share" },
    { figure: "endWrite", dear: "copy", cheap: "share" },
    { figure: "peakFrames", dear: "copy", cheap: "share" },
  ],
  othersFigures: [
    {
      who: "Async-fork, VLDB 2023",
      source:
        "Pang et al., Async-fork: mitigating query latency spikes incurred by the fork-based snapshot mechanism from the OS level, PVLDB 16(5)",
      what: "tail latency of queries during a snapshot, 8 GB",
      theirs: "81.8 % less than with fork",
      ratio: 1 / (1 - 0.818),
      ours: { figure: "longest", dear: "copy", cheap: "share", at: { size: 65536 } },
      differs:
        "x86-64 with 8 GB; the child copies the tables beside its parent on another CPU; ours has one CPU, and the longest write instead of the 99th of 100",
    },
  ],
};
