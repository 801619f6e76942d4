/**
 * `npm run bench:fork -- [FIGURE...] [--quick] [--json] [--write] [--jobs N]`: the figures of fork strategies, in tables, with the bounds that must
 * hold; --write puts them into docs/figures.md. Machines run in threads beside each other; what a thread runs does not change by that. Ends with 1 when a bound is missed.
 * May import forkfigures, forkrun, tests/docs.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import Table from "cli-table3";
import { writeFigure } from "../docs/figures";
import { builtImages } from "../guest/guest";
import { type Bound, FIGURES, type Figure, holds, type Report } from "./forkfigures";
import { type ForkResult, type ForkRun, forkRun } from "./forkrun";

/** Runs one machine in a thread. */
function inThread(run: ForkRun): Promise<ForkResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: run });
    worker.on("message", resolve);
    worker.on("error", reject);
  });
}

/** Runs all machines of a figure, `jobs` at a time. */
async function runAll(figure: Figure, quick: boolean, jobs: number): Promise<Record<string, ForkResult>> {
  const results: Record<string, ForkResult> = {};
  const runs = Object.entries(figure.runs(quick));
  const queue = [...runs];
  const next = async (): Promise<void> => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      const [name, run] = one;
      process.stderr.write(`${figure.name}: ${name} (${runs.length - queue.length} of ${runs.length})\n`);
      results[name] = await inThread(run);
    }
  };
  await Promise.all(Array.from({ length: jobs }, next));
  return Object.fromEntries(runs.map(([name]) => [name, results[name] as ForkResult]));
}

function cell(value: string | number): string {
  return typeof value === "number" ? value.toLocaleString("en") : value;
}

function boundLine(bound: Bound): string {
  const { what, value, most, least } = bound;
  const shown = Number.isInteger(value) ? value.toLocaleString("en") : value.toFixed(4);
  const limit = most !== undefined ? `, at most ${most.toLocaleString("en")}` : "";
  const floor = least !== undefined ? `, at least ${least.toLocaleString("en")}` : "";
  return `${holds(bound) ? "ok    " : "MISSED"} ${what}: ${shown}${limit}${floor}`;
}

function text({ title }: Figure, { head, rows, bounds }: Report): string {
  const table = new Table({
    head,
    colAligns: head.map((_, column) => (typeof rows[0]?.[column] === "string" && column < 2 ? "left" : "right")),
    chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" },
    style: { head: [], border: [] },
  });
  for (const row of rows) table.push(row.map(cell));
  return `${title}\n${table.toString()}\n${bounds.map(boundLine).join("\n")}\n`;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      jobs: { type: "string", default: String(availableParallelism()) },
    },
  });
  const unknown = positionals.find((name) => !FIGURES.some((figure) => figure.name === name));
  const jobs = Number(values.jobs);
  if (unknown !== undefined || !(Number.isInteger(jobs) && jobs > 0)) {
    const wrong =
      unknown !== undefined ? `no figure is called '${unknown}'` : `--jobs wants a number, not '${values.jobs}'`;
    process.stderr.write(`bench:fork: ${wrong}; there are: ${FIGURES.map(({ name }) => name).join(", ")}\n`);
    process.exitCode = 2;
    return;
  }
  const built = await builtImages();
  const figures = FIGURES.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const reports: (Report & { name: string })[] = [];
  for (const figure of figures) {
    const report = await figure.report(await runAll(figure, values.quick, jobs), built);
    reports.push({ name: figure.name, ...report });
    if (values.write) writeFigure(figure.name, text(figure, report));
    if (!values.json) process.stdout.write(`${reports.length > 1 ? "\n" : ""}${text(figure, report)}`);
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ version: 1, figures: reports })}\n`);
  if (reports.some(({ bounds }) => !bounds.every(holds))) process.exitCode = 1;
}

if (isMainThread) await main();
else parentPort?.postMessage(forkRun(await builtImages(), workerData as ForkRun));
