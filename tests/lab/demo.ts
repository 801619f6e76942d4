/** forkdemo as an experiment: one fork, one size. May import kernel/abi, tools/lab. */
import { Region } from "../../kernel/abi/marks";
import { type Experiment, numberOf } from "../../tools/lab/experiment";

const KB_A_MB = 1024;

/** A word of forkdemo's line: "forkdemo 256 MB: frames 1 rmap 0 ...". */
function word(output: string, name: string): number {
  const found = new RegExp(`\\b${name} (-?\\d+)`).exec(output);
  if (found === null) throw new Error(`the guest never told ${name}`);
  return Number(found[1]);
}

export const demo: Experiment = {
  name: "demo",
  title: "fork of a process with so much private memory, all written",
  question: "What does fork itself cost, and what does it allocate?",
  program: "userland/bin/forkdemo.ts",
  parameters: [
    {
      name: "size",
      title: "private memory, written",
      unit: "KB",
      least: KB_A_MB,
      most: 1024 * KB_A_MB,
      values: [4, 16, 64].map((megabytes) => megabytes * KB_A_MB),
      full: [128, 256, 512, 768].map((megabytes) => megabytes * KB_A_MB),
    },
  ],
  modes: ["copy-no-rmap", "share-no-rmap"],
  arguments: (values) => [numberOf(values, "size") / KB_A_MB],
  memoryMB: (values) => Math.ceil((numberOf(values, "size") / KB_A_MB) * 1.1) + 16,
  figures: [
    { name: "fork", title: "fork", unit: "cycles", read: (seen) => seen.region(Region.Fork).own.cycles },
    {
      name: "forkInstructions",
      title: "fork",
      unit: "instructions",
      read: (seen) => seen.region(Region.Fork).own.instructions,
    },
    {
      name: "frames",
      title: "frames that fork allocated",
      unit: "frames",
      read: ({ output }) => word(output, "frames"),
    },
  ],
  regions: { fork: Region.Fork },
  charts: [{ title: "Cost of fork", figure: "fork", x: "size" }],
  comparisons: [{ figure: "fork", dear: "copy", cheap: "share" }],
};
