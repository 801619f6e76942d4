/**
 * What `tine lab` does. Data on stdout, progress and notices on stderr. May import tools/lab, tools/image, tools/compiler/root, cli-table3 and the rest of tools/cli.
 */
import { availableParallelism } from "node:os";
import { findRoot } from "../compiler/root";
import { COST_NAMES, type CostName, type Costs, MOST_CYCLES, normalCosts, variants } from "../lab/costs";
import { LabError } from "../lab/errors";
import { inShard, parseModes, parseShard, pointsOfAll, type Shard } from "../lab/grid";
import type { Baseline } from "../lab/loop";
import type { Point } from "../lab/point";
import { allExperiments, findExperiment } from "../lab/registry";
import { merge } from "../lab/report/merge";
import { baselineText, textReport } from "../lab/report/text";
import { ResultFile, type ResultLine, readResults } from "../lab/results";
import { type Chosen, type LabRun, runLab, type Progress as State } from "../lab/run";
import { valueText } from "../lab/sizes";
import { ExitCode } from "./exitcodes";
import { builtImages } from "./images";
import { writeResult } from "./outputfile";
import { Progress } from "./progress";

export interface LabRunOptions {
  modes?: string[];
  sizes?: string[];
  set?: string[];
  full?: boolean;
  repeat: number;
  jobs?: number;
  budget?: number;
  shard?: string;
  cost?: string[];
  sensitivity?: boolean;
  references?: boolean;
  json?: boolean;
  out?: string;
}

export interface ReportOptions {
  html?: string;
  md?: boolean;
  experiment?: string[];
}

/** Share of the memory that is free which machines may take. */
const MEMORY_SHARE = 0.8;
const MEGABYTE = 1 << 20;

/** `tine lab list`. */
export function listExperiments(): void {
  for (const { name, title, question, parameters, figures, modes = [] } of allExperiments()) {
    process.stdout.write(`${name}: ${title}\n  ${question}\n`);
    for (const parameter of parameters) {
      const shown = (values: readonly (string | number)[]) =>
        values.map((value) => valueText(parameter, value)).join(", ");
      const more = parameter.full === undefined ? "" : `; --full: ${shown(parameter.full)}`;
      process.stdout.write(`  ${parameter.name}: ${parameter.title}: ${shown(parameter.values)}${more}\n`);
    }
    const said = figures.map(({ name: figure, unit }) => `${figure} (${unit})`);
    process.stdout.write(`  figures: ${said.join(", ")}\n`);
    if (modes.length > 0) process.stdout.write(`  modes besides copy, share, auto: ${modes.join(", ")}\n`);
  }
}

/** The experiments of a command line. Throws LabError. */
async function chosenOf(names: readonly string[]): Promise<Chosen[]> {
  const wanted = names.flatMap((name) => (name === "all" ? allExperiments().map((each) => each.name) : [name]));
  const chosen = [...new Set(wanted)].map(async (source) => ({ experiment: await findExperiment(source), source }));
  return Promise.all(chosen);
}

/** `name=a,b` texts by name. Throws LabError. */
function settings(texts: readonly string[]): Record<string, string[]> {
  const set: Record<string, string[]> = {};
  for (const text of texts) {
    const [, name = "", values = ""] = /^([A-Za-z]+)=(.+)$/.exec(text) ?? [];
    if (name === "") throw new LabError(`--set wants NAME=VALUES, such as k=1,16, not '${text}'`);
    set[name] = [...(set[name] ?? []), ...values.split(",")];
  }
  return set;
}

function costsOf(texts: readonly string[]): Costs {
  const costs: Partial<Record<CostName, number>> = {};
  for (const text of texts) {
    const [name, cycles] = text.split("=");
    const known = COST_NAMES.find((each) => each === name);
    const value = Number(cycles);
    if (known === undefined || cycles === "" || !(Number.isInteger(value) && value >= 0 && value <= MOST_CYCLES))
      throw new LabError(
        `--cost wants NAME=CYCLES, NAME one of ${COST_NAMES.join(", ")}, CYCLES a whole number up to ${MOST_CYCLES}, not '${text}'`,
      );
    costs[known] = value;
  }
  return normalCosts(costs);
}

function timeText(seconds: number): string {
  const whole = Math.ceil(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

function progressText({ preparing, done, failed, total, secondsLeft }: State): string {
  if (preparing !== undefined) return preparing;
  const left = secondsLeft === undefined ? "" : `, ${timeText(secondsLeft)} left`;
  return `${done} of ${total} points${failed > 0 ? `, ${failed} FAILED` : ""}${left}`;
}

/** Prints lines in the order of their places, each as soon as those before it are there. */
class InOrder {
  private readonly waiting = new Map<number, ResultLine>();
  private next = 0;

  add(line: ResultLine, place: number): void {
    this.waiting.set(place, line);
    for (let ready = this.waiting.get(this.next); ready !== undefined; ready = this.waiting.get(this.next)) {
      process.stdout.write(`${JSON.stringify(ready)}\n`);
      this.waiting.delete(this.next);
      this.next++;
    }
  }
}

/** An AbortSignal for Ctrl-C and for the end that a batch system asks for. */
function interruptible(): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const abort = () => controller.abort(new Error("interrupted"));
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const each of signals) process.once(each, abort);
  return {
    signal: controller.signal,
    release: () => {
      for (const each of signals) process.removeListener(each, abort);
    },
  };
}

function notice(text: string): void {
  process.stderr.write(`tine: ${text}\n`);
}

/** The points of a command line. Throws LabError. */
function pointsFor(chosen: readonly Chosen[], options: LabRunOptions, shard: Shard | undefined): Point[] {
  const { modes, sizes, set = [], full, cost = [], sensitivity } = options;
  const base = costsOf(cost);
  const costs = sensitivity ? [base, ...variants().map((each) => normalCosts({ ...base, ...each }))] : [base];
  const experiments = chosen.map(({ experiment }) => experiment);
  const all = pointsOfAll(experiments, { modes: modes && parseModes(modes), sizes, set: settings(set), full, costs });
  return shard === undefined ? all : inShard(all, shard);
}

/** `tine lab run`. Throws LabError, CompileError. */
export async function runExperiments(names: readonly string[], options: LabRunOptions): Promise<void> {
  const { repeat, references = false, json = false, out, budget } = options;
  const chosen = await chosenOf(names);
  const shard = options.shard === undefined ? undefined : parseShard(options.shard);
  const points = pointsFor(chosen, options, shard);
  const file = out === undefined ? undefined : new ResultFile(out, shard);
  for (const text of file?.found.notices ?? []) notice(text);
  const { kernel } = await builtImages();
  const progress = new Progress();
  const inOrder = new InOrder();
  const lines: ResultLine[] = [];
  const { signal, release } = interruptible();
  const run: LabRun = {
    root: findRoot(),
    kernel,
    chosen,
    points,
    repeat,
    references,
    done: file?.found.lines ?? [],
    jobs: options.jobs ?? availableParallelism(),
    memoryMB: (process.availableMemory() / MEGABYTE) * MEMORY_SHARE,
    signal,
    ...(budget === undefined ? {} : { budget }),
    onLine(line, place, fresh) {
      if (fresh) file?.add(line);
      lines.push(line);
      if (json) inOrder.add(line, place);
    },
    onProgress: (state) => progress.update(progressText(state)),
  };
  try {
    await runLab(run);
  } catch (error) {
    if (!signal.aborted) throw error;
    progress.clear();
    const total = points.length * repeat;
    const again = out === undefined ? "nothing was kept (--out keeps results)" : "the same command goes on from there";
    notice(`interrupted after ${lines.length} of ${total} points; ${again}`);
    process.exitCode = ExitCode.Interrupted;
    return;
  } finally {
    release();
    progress.clear();
    file?.close();
  }
  finish(lines, chosen, json);
}

/** Prints what a whole run gave, unless it has been, and sets the exit code. */
function finish(lines: readonly ResultLine[], chosen: readonly Chosen[], json: boolean): void {
  const declared = new Map(chosen.map(({ experiment }) => [experiment.name, experiment]));
  const merged = merge(lines, (name) => declared.get(name));
  for (const text of merged.notices) notice(text);
  if (!json) process.stdout.write(textReport(merged, "brief"));
  const failed = lines.filter(({ status }) => status === "failed");
  if (failed.length > 0) notice(`${failed.length} of ${lines.length} points FAILED`);
  if (failed.length > 0 || merged.notices.length > 0) process.exitCode = ExitCode.Failed;
}

/** Our loop's instructions beside gcc's. */
async function measureLoop(): Promise<Baseline> {
  const { baseline } = await import("../lab/loop");
  return baseline(findRoot(), await builtImages());
}

/** `tine lab loop`. */
export async function printLoop(json: boolean): Promise<void> {
  const measured = await measureLoop();
  if (json) process.stdout.write(`${JSON.stringify({ version: 1, ...measured })}\n`);
  else process.stdout.write(baselineText(measured));
}

/** `tine lab report`. Throws LabError. */
export async function reportResults(folders: readonly string[], options: ReportOptions): Promise<void> {
  const own = await Promise.all((options.experiment ?? []).map(findExperiment));
  const lines: ResultLine[] = [];
  for (const folder of folders) {
    const read = readResults(folder);
    if (read.files === 0) throw new LabError(`${folder}: no results of tine lab run --out`);
    for (const text of read.notices) notice(text);
    lines.push(...read.lines);
  }
  // A shard of a small grid may have had no point; all of them cannot.
  if (lines.length === 0) throw new LabError(`${folders.join(", ")}: no results of tine lab run --out`);
  const merged = merge(lines, (name) => [...allExperiments(), ...own].find((experiment) => experiment.name === name));
  for (const text of merged.notices) notice(text);
  if (options.html !== undefined) {
    const { htmlReport } = await import("../lab/report/html");
    writeResult(options.html, htmlReport(merged, await measureLoop()));
    process.stderr.write(`tine: ${options.html} written\n`);
  }
  if (options.md) {
    const { markdownReport } = await import("../lab/report/markdown");
    process.stdout.write(markdownReport(merged, await measureLoop()));
  } else if (options.html === undefined) process.stdout.write(textReport(merged, "whole"));
}
