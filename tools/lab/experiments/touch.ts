/** Fork and then write k of n pages: where sharing tables stops to pay. May import kernel/abi, ../experiment, ./parts. */
import { Region } from "../../../kernel/abi/marks";
import { type Chart, type Experiment, numberOf } from "../experiment";
import { megabytes, megabytesOf, said, sizeParameter, wholeCycles } from "./parts";

export const touch: Experiment = {
  name: "touch",
  title: "fork, then write k of n pages",
  question:
    "Whoever writes after fork pays later what sharing has saved: what is the whole cost, from fork to the child's end, by the number of pages written?",
  program: "userland/lab/touch.ts",
  parameters: [
    sizeParameter([128, 16384], [4096, ...megabytes(64)]),
    { name: "order", title: "order of writing", values: ["in-order", "random", "spread"] },
    { name: "writer", title: "who writes", values: ["child", "parent"] },
    {
      name: "pages",
      title: "pages written",
      least: 0,
      most: 1 << 18,
      values: [1, 4, 32, 256, 1024, 4096],
      full: [0, 2, 8, 16, 64, 128, 512, 2048, 8192, 16384],
    },
  ],
  holds: (values) => numberOf(values, "pages") <= numberOf(values, "size") / 4,
  arguments: (values) => ["size", "order", "writer", "pages"].map((name) => values[name] as string | number),
  memoryMB: (values) => Math.ceil(megabytesOf(values) * 2.1) + 16,
  figures: [
    { name: "cost", title: "fork + faults + exit", unit: "cycles", read: wholeCycles(Region.Touch) },
    said("faults", "page faults", "faults"),
    said("pagesCopied", "pages copied", "pages"),
    said("tablesCopied", "tables copied at fork", "tables"),
    said("tablesUnshared", "tables copied later", "tables"),
  ],
  regions: { touch: Region.Touch },
  charts: [
    ...(["share", "auto"] as const).map((mode): Chart => {
      const title = `Whole cost with ${mode}, relative to copy`;
      return {
        title,
        figure: "cost",
        x: "pages",
        relativeTo: "copy",
        scale: { y: "linear" },
        lines: { mode, by: "order" },
      };
    }),
    { title: "Whole cost of fork and writing", figure: "cost", x: "pages" },
  ],
  comparisons: [
    { figure: "cost", dear: "copy", cheap: "share" },
    { figure: "cost", dear: "copy", cheap: "auto" },
  ],
};
