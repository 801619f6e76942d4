/** A fuzzer's fork server. May import kernel/abi, ../experiment, ./parts. */
import { Region } from "../../../kernel/abi/marks";
import { type Experiment, numberOf } from "../experiment";
import { megabytes, megabytesOf, sizeParameter } from "./parts";

/** Test cases that are measured. */
const RUNS = 100;

export const forkserver: Experiment = {
  name: "forkserver",
  title: "a fuzzer's fork server",
  question:
    "How many test cases does a fuzzer run in a billion cycles if each is a child of a warm parent and touches few pages?",
  program: "userland/lab/forkserver.ts",
  parameters: [
    sizeParameter(megabytes(4, 16, 64), megabytes(128, 256)),
    { name: "pages", title: "pages that a case writes", least: 0, most: 1 << 18, values: [4, 32], full: [1, 256] },
  ],
  arguments: (values) => [numberOf(values, "size"), RUNS, numberOf(values, "pages")],
  memoryMB: (values) => Math.ceil(megabytesOf(values) * 1.15) + 16,
  figures: [
    {
      name: "rate",
      title: "forks per billion cycles",
      unit: "forks",
      lessIsBetter: false,
      read: (seen) => (RUNS * 1e9) / seen.region(Region.ForkServer).cycles,
    },
    {
      name: "cost",
      title: "a test case",
      unit: "cycles",
      read: (seen) => seen.region(Region.ForkServer).cycles / RUNS,
    },
  ],
  regions: { forkServer: Region.ForkServer },
  charts: [{ title: "A test case", figure: "cost", x: "size" }],
  comparisons: [
    { figure: "rate", dear: "share", cheap: "copy" },
    { figure: "cost", dear: "copy", cheap: "share" },
    { figure: "cost", dear: "copy", cheap: "auto" },
  ],
  othersFigures: [
    {
      who: "Zhao, Gong, Fonseca: On-demand-fork, EuroSys 2021",
      source: "On-demand-fork: a microsecond fork for memory-intensive and latency-sensitive applications, EuroSys '21",
      what: "AFL on SQLite with a large database: executions a second",
      theirs: "2.26 times as many as with fork",
      ratio: 2.26,
      ours: { figure: "cost", dear: "copy", cheap: "share", at: { size: 262144, pages: 32 } },
      differs:
        "their children run SQLite on a database of hundreds of megabytes, ours write some pages and end, so that fork weighs more",
    },
  ],
};
