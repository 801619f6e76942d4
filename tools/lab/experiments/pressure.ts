/** Forked children on less RAM than they need. May import kernel/abi, ../experiment, ./parts. */
import { Region } from "../../../kernel/abi/marks";
import { type Experiment, numberOf } from "../experiment";
import { megabytes, megabytesOf, said, sizeParameter, wholeCycles } from "./parts";

export const pressure: Experiment = {
  name: "pressure",
  title: "forked children on less RAM than they need",
  question:
    "When a family no longer fits its RAM, what do page tables and chains that need not be there cost in disk I/O and time?",
  program: "userland/lab/pressure.ts",
  parameters: [
    {
      name: "ram",
      title: "RAM of the machine",
      unit: "KB",
      least: 8192,
      most: 896 * 1024,
      values: megabytes(11, 14),
      full: megabytes(10, 12, 16),
    },
    sizeParameter(megabytes(8), megabytes(16), 64),
    { name: "children", title: "children", least: 1, most: 200, values: [8], full: [16] },
    {
      name: "part",
      title: "one part of so many is written by each child",
      least: 1,
      most: 1000,
      values: [8],
      full: [8],
    },
  ],
  arguments: (values) => ["size", "children", "part"].map((name) => numberOf(values, name)),
  memoryMB: (values) => megabytesOf(values, "ram"),
  swapMB: (values) => {
    const pages = numberOf(values, "size") / 4;
    const written =
      (pages * numberOf(values, "children")) / numberOf(values, "part") + numberOf(values, "children") * 16;
    return Math.ceil((pages + written) / 256) + 16;
  },
  figures: [
    {
      name: "time",
      title: "from the first fork to the last child's end",
      unit: "cycles",
      read: wholeCycles(Region.Pressure),
    },
    said("faults", "page faults", "faults"),
    said("faultsWaiting", "faults that waited for the disk", "faults"),
    said("swapIns", "pages read from swap", "pages"),
    said("swapOuts", "pages written to swap", "pages"),
    said("sectorsRead", "sectors read", "sectors"),
    said("sectorsWritten", "sectors written", "sectors"),
    said("tablesCopied", "tables copied at fork", "tables"),
    said("tablesUnshared", "tables copied later", "tables"),
  ],
  regions: { pressure: Region.Pressure },
  charts: [
    { title: "Finishing time by RAM", figure: "time", x: "ram" },
    { title: "Pages read from swap", figure: "swapIns", x: "ram", scale: { y: "linear" } },
  ],
  comparisons: [
    { figure: "time", dear: "copy", cheap: "share" },
    { figure: "faults", dear: "copy", cheap: "share" },
    { figure: "sectorsWritten", dear: "copy", cheap: "share" },
    { figure: "swapIns", dear: "copy", cheap: "share" },
  ],
};
