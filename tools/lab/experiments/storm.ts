/** Many tiny processes: the case that ended shpte. May import kernel/abi, ../experiment, ./parts. */
import { Region } from "../../../kernel/abi/marks";
import { type Experiment, numberOf, type Seen } from "../experiment";
import { said } from "./parts";

/** Small commands as a shell script has them: some built in, none long. */
const COMMANDS = [
  "true",
  "echo one two three > word",
  "cat word > copy",
  "wc word > count",
  "ls /bin > list",
  "echo four | wc > count",
  "false",
  "cat word | cat | cat > copy",
  "rm copy",
];

/** A script that starts at least so many processes. */
export function scriptOf(processes: number): string {
  const lines: string[] = [];
  for (let started = 0, i = 0; started < processes; i++) {
    const line = COMMANDS[i % COMMANDS.length] as string;
    lines.push(line);
    started += line.split("|").length;
  }
  return `${[...lines, "true"].join("\n")}\n`;
}

function cyclesAProcess(seen: Seen): number {
  return seen.region(Region.Storm).cycles / seen.value("processes");
}

export const storm: Experiment = {
  name: "storm",
  title: "many tiny processes",
  question: "Do small processes, one after another or from a shell script, pay for what large ones gain?",
  program: "userland/lab/storm.ts",
  others: ["sh", "true", "false", "echo", "cat", "wc", "ls", "rm"].map((name) => `userland/bin/${name}.ts`),
  files: ({ work, count }): Record<string, string> => (work === "script" ? { script: scriptOf(Number(count)) } : {}),
  parameters: [
    { name: "work", title: "what they do", values: ["exec", "script"] },
    { name: "count", title: "processes, at least", least: 1, most: 100_000, values: [500], full: [2000, 10_000] },
  ],
  modes: ["copy-no-rmap", "share-no-rmap"],
  arguments: (values) => [values.work as string, numberOf(values, "count")],
  memoryMB: () => 32,
  figures: [
    { name: "cost", title: "fork + exec + exit", unit: "cycles a process", read: cyclesAProcess },
    said("processes", "processes forked", "processes"),
  ],
  regions: { storm: Region.Storm },
  comparisons: [
    { figure: "cost", dear: "share", cheap: "copy" },
    { figure: "cost", dear: "auto", cheap: "copy" },
    { figure: "cost", dear: "share-no-rmap", cheap: "copy-no-rmap" },
  ],
  othersFigures: [
    {
      who: "shpte, December 2002",
      source: "linux-kernel, December 2002, measurements of shared page tables for Linux 2.5",
      what: "a shell script that starts many small processes, shared against unshared",
      theirs: "3.2 % slower",
      ratio: 1.032,
      ours: { figure: "cost", dear: "share", cheap: "copy", at: { work: "script", count: 500 } },
      differs: "their programs had tens of shared libraries and mappings, ours none; dash or bash against our shell",
    },
  ],
};
