/**
 * What `tine demo` does: forkdemo under each strategy, in machines and threads of their own, and the table on stdout. May import
 * tools/image, tools/lab, cli-table3, picocolors and the rest of tools/cli.
 */
import Table from "cli-table3";
import pc from "picocolors";
import type { BuiltAll } from "../image/build";
import { type DemoRow, type DemoRun, joinDemo, type Rmap } from "../lab/forkdemo";
import { CliError, ExitCode } from "./exitcodes";
import { builtImages } from "./images";
import { outcome } from "./outcome";
import { Progress, short } from "./progress";
import { PANIC_TRACE, Session } from "./session";

const MODES = ["copy", "share"] as const;
type Mode = (typeof MODES)[number];
/** Version of the JSON that --json prints. */
const JSON_VERSION = 2;

/** Boots once and runs forkdemo. Throws CliError when the guest fails; its output is shown then. */
async function demoRun(
  mode: Mode,
  rmap: Rmap,
  memoryMB: number,
  images: BuiltAll,
  progress: (instret: number) => void,
): Promise<DemoRun> {
  let output = "";
  const session = new Session({ serial: (bytes) => (output += Buffer.from(bytes).toString("latin1")), progress });
  try {
    session.start({
      memoryMB,
      kernel: images.kernel,
      kernelName: "kernel.elf",
      commandLine: `fork=${mode} rmap=${rmap} init=/bin/forkdemo`,
      modules: [images.initrd],
      maxInstructions: Number.POSITIVE_INFINITY,
      input: "none",
      last: { count: PANIC_TRACE, when: "panic" },
    });
    const result = await session.result;
    const { code, line } = outcome(result);
    if (code !== ExitCode.Ok) {
      process.stderr.write(`${output}\n${result.last.join("\n")}\n`);
      throw new CliError(
        `forkdemo failed with fork=${mode}: ${line ?? `status ${code}`}`,
        code === ExitCode.Panic ? code : ExitCode.Failed,
      );
    }
    return joinDemo(mode, rmap, output, result.regions);
  } finally {
    await session.close();
  }
}

/** One printed row of the table: what is measured, and how to read it from a DemoRow. */
const FIGURES: readonly (readonly [label: string, value: (row: DemoRow) => number])[] = [
  ["fork, instructions", (row) => row.fork.instructions],
  ["fork, cycles", (row) => row.fork.cycles],
  ["frames allocated by fork", (row) => row.fork.frames],
  ["rmap entries added by fork", (row) => row.fork.rmapAdds],
  ["page tables unshared", (row) => row.unshares],
  ["first write, instructions", (row) => row.firstWrite.instructions],
  ["exit, instructions", (row) => row.exit.instructions],
];

/** Thousands separated by thin, breakless commas: figures are compared by eye. */
const grouped = (value: number): string => value.toLocaleString("en-US");

/** How many times less share costs; nothing where one of the two is zero. */
function ratio(copy: number, share: number): string {
  if (copy === 0 || share === 0) return "";
  return `${(copy / share).toFixed(copy < share ? 2 : 1)}x`;
}

/** The columns for one kind of kernel: copy beside share, and how many times less share costs. */
const headOf = (rmap: Rmap): string[] =>
  rmap === "on" ? ["fork=copy", "fork=share", "copy / share"] : ["copy, no rmap", "share, no rmap", "copy / share"];

/** The table: a block a size, and the columns of each kind of kernel. */
function table(rows: readonly DemoRow[], kernels: readonly Rmap[], leakedFrames: number): string {
  const out = new Table({
    head: ["memory", "", ...kernels.flatMap(headOf)].map((text) => pc.bold(text)),
    colAligns: ["right", "left", ...kernels.flatMap(() => ["right", "right", "right"] as const)],
    style: { head: [], border: [] },
  });
  for (const megabytes of new Set(rows.map((row) => row.megabytes))) {
    const rowOf = (mode: Mode, rmap: Rmap): DemoRow | undefined =>
      rows.find((row) => row.mode === mode && row.rmap === rmap && row.megabytes === megabytes);
    const columns = kernels.flatMap((rmap) => {
      const [copy, share] = [rowOf("copy", rmap), rowOf("share", rmap)];
      if (copy === undefined || share === undefined) return [];
      const column = (text: (value: (row: DemoRow) => number) => string): string =>
        FIGURES.map(([, value]) => text(value)).join("\n");
      return [
        column((value) => grouped(value(copy))),
        column((value) => grouped(value(share))),
        column((value) => ratio(value(copy), value(share))),
      ];
    });
    if (columns.length < 3 * kernels.length) continue;
    out.push([`${megabytes} MB`, FIGURES.map(([label]) => label).join("\n"), ...columns]);
  }
  const leaked = leakedFrames === 0 ? pc.green("0") : pc.red(String(leakedFrames));
  return `${out.toString()}\nframes leaked: ${leaked}\n`;
}

export interface DemoOptions {
  mem: number;
  all?: boolean;
  json?: boolean;
}

/** Runs the demo and prints it. Throws CliError when the guest fails, leaks frames, or has room for no size. */
export async function runDemo({ mem, all, json }: DemoOptions): Promise<void> {
  const images = await builtImages();
  const progress = new Progress();
  const kernels: readonly Rmap[] = all ? ["on", "off"] : ["on"];
  const runs: DemoRun[] = [];
  for (const rmap of kernels) {
    const counts = new Map<Mode, number>();
    const run = (mode: Mode) =>
      demoRun(mode, rmap, mem, images, (instret) => {
        counts.set(mode, instret);
        const each = [...counts].map(([name, count]) => `fork=${name}: ${short(count)} instructions`);
        progress.update(`rmap=${rmap}: ${each.join(", ")}`);
      });
    runs.push(...(await Promise.all(MODES.map(run))));
  }
  progress.clear();
  const rows = runs.flatMap((run) => run.rows);
  if (rows.length === 0) throw new CliError(`--mem ${mem}: no size fits; 4 MB of private memory need some 16`);
  const leakedFrames = runs.reduce((sum, run) => sum + run.leakedFrames, 0);
  if (json) process.stdout.write(`${JSON.stringify({ version: JSON_VERSION, rows, leakedFrames })}\n`);
  else process.stdout.write(table(rows, kernels, leakedFrames));
  if (leakedFrames !== 0) throw new CliError(`${leakedFrames} frames leaked`, ExitCode.Failed);
}
