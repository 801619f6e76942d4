/**
 * Lines of results, of one run or of many shards, as what a report is made of. May import tools/lab.
 * Invariants: each run of a point counts once, whatever file it comes from; a point that failed stays in sight; points of other images
 * than the newest and of experiments that are not declared are left out, and that is told.
 */
import { type Costs, costsText, normalCosts } from "../costs";
import { LabError } from "../errors";
import type { Experiment, Mode, Value, Values } from "../experiment";
import { MODES } from "../experiment";
import { identityKey, type ResultLine } from "../results";
import { valueText } from "../sizes";

/** A point with all its runs; figures are those of the first, which the others repeat. */
export interface Merged {
  line: ResultLine;
  /** Host seconds of each run: noisy. */
  seconds: number[];
}

/** What one experiment gave. */
export class ExperimentResults {
  /** Modes and costs that there are points of, in the order of MODES and of `costsText`. */
  readonly modes: Mode[];
  readonly costs: Costs[];
  /** The costs that tables and curves are of: the standard ones where there are points of them. */
  readonly base: Costs;
  /** Values of the parameters, each combination once, in the order of the parameters. */
  readonly places: Values[];
  private readonly byPlace = new Map<string, Merged>();

  constructor(
    readonly experiment: Experiment,
    readonly points: readonly Merged[],
  ) {
    for (const point of points) this.byPlace.set(this.key(point.line.values, point.line.mode, point.line.costs), point);
    const modes = new Set(points.map(({ line }) => line.mode));
    this.modes = (Object.keys(MODES) as Mode[]).filter((mode) => modes.has(mode));
    const costs = new Map(points.map(({ line }) => [costsText(line.costs), normalCosts(line.costs)]));
    this.costs = [...costs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
    this.base = costs.has(costsText({})) ? {} : (this.costs[0] ?? {});
    const places = new Map(points.map(({ line }) => [this.placeKey(line.values), line.values]));
    this.places = [...places.values()].sort((a, b) => this.order(a, b));
  }

  /** Points that failed. */
  get failed(): Merged[] {
    return this.points.filter(({ line }) => line.status === "failed");
  }

  /** Costs besides the base ones that there are points of. */
  get otherCosts(): Costs[] {
    return this.costs.filter((each) => costsText(each) !== costsText(this.base));
  }

  /** The point there, if it was run. */
  at(values: Values, mode: Mode, costs = this.base): Merged | undefined {
    return this.byPlace.get(this.key(values, mode, costs));
  }

  /** A figure of a point that was run and did not fail. */
  figure(name: string, values: Values, mode: Mode, costs = this.base): number | undefined {
    const line = this.at(values, mode, costs)?.line;
    return line?.status === "ok" ? line.figures[name] : undefined;
  }

  /** Places by the values of all parameters but those: the panels of a chart that has these on its axis and as its lines. */
  panels(...drawn: readonly string[]): { rest: Values; places: Values[] }[] {
    const panels = new Map<string, { rest: Values; places: Values[] }>();
    for (const values of this.places) {
      const rest = Object.fromEntries(
        this.names.filter((name) => !drawn.includes(name)).map((name) => [name, values[name]]),
      );
      const key = this.placeKey(rest);
      const panel = panels.get(key) ?? { rest: rest as Values, places: [] };
      panels.set(key, panel);
      panel.places.push(values);
    }
    return [...panels.values()];
  }

  private get names(): string[] {
    return this.experiment.parameters.map(({ name }) => name);
  }

  private placeKey(values: Values): string {
    return JSON.stringify(this.names.map((name) => values[name]));
  }

  private key(values: Values, mode: Mode, costs: Costs): string {
    return `${this.placeKey(values)} ${mode} ${costsText(costs)}`;
  }

  /** Numbers by size, words in the order of the declaration. */
  private order(a: Values, b: Values): number {
    for (const { name, values, full = [] } of this.experiment.parameters) {
      const [x, y] = [a[name], b[name]];
      if (x === y) continue;
      if (typeof x === "number" && typeof y === "number") return x - y;
      const all = [...values, ...full];
      return all.indexOf(x as string) - all.indexOf(y as string);
    }
    return 0;
  }
}

export interface MergedResults {
  experiments: ExperimentResults[];
  /** What was left out or does not fit together, in words. */
  notices: string[];
}

/** Whether two runs of a point say the same of the guest. */
function same(a: ResultLine, b: ResultLine): boolean {
  const guests = ({ status, instructions, cycles, ...line }: ResultLine) =>
    JSON.stringify([
      status,
      instructions,
      cycles,
      "figures" in line ? [line.figures, line.distributions] : line.reason,
    ]);
  return guests(a) === guests(b);
}

/** In words: which point. */
export function pointText({ experiment, values, mode, costs }: ResultLine): string {
  const place = Object.entries(values).map(([name, value]) => `${name}=${value}`);
  const costly = costsText(costs);
  return [experiment, ...place, mode, ...(costly === "standard" ? [] : [costly])].join(" ");
}

/** "size 16 MB, writer child": of the parameters that were varied. */
export function placeText({ experiment, places }: ExperimentResults, values: Values): string {
  const varied = experiment.parameters.filter(({ name }) => places.some((place) => place[name] !== places[0]?.[name]));
  const shown = varied.filter(({ name }) => values[name] !== undefined);
  return shown.map((each) => `${each.name} ${valueText(each, values[each.name] as Value)}`).join(", ");
}

/** One experiment's lines, runs of a point together. */
function mergeRuns(lines: readonly ResultLine[], notices: string[]): Merged[] {
  const points = new Map<string, Map<string, ResultLine>>();
  for (const line of lines) {
    const key = identityKey(line);
    const runs = points.get(key) ?? new Map<string, ResultLine>();
    points.set(key, runs);
    const run = `${line.repeat} ${line.references !== undefined}`;
    const known = runs.get(run);
    // What failed once and went well when it was tried again went well.
    if (known?.status === "ok" && line.status === "failed") continue;
    if (known?.status === "ok" && !same(known, line)) notices.push(`${pointText(line)}: two runs say different things`);
    runs.set(run, line);
  }
  return [...points.values()].map((byRun) => {
    const runs = [...byRun.values()];
    const good = runs.filter(({ status }) => status === "ok");
    const kept = good.length > 0 ? good : runs.slice(-1);
    const line = kept.find(({ references }) => references !== undefined) ?? (kept[0] as ResultLine);
    if (kept.some((other) => !same(other, line))) notices.push(`${pointText(line)}: its runs say different things`);
    return { line, seconds: kept.map(({ host }) => host.seconds) };
  });
}

/** Those of the last line's kernel and costs, and of them at each place those of the last program and machine. */
function newest(lines: readonly ResultLine[]): ResultLine[] {
  const last = lines.at(-1) as ResultLine;
  const ours = lines.filter(({ kernel, costVersion }) => kernel === last.kernel && costVersion === last.costVersion);
  const identities = new Map(ours.map((line) => [pointText(line), identityKey(line)]));
  return ours.filter((line) => identities.get(pointText(line)) === identityKey(line));
}

/**
 * Puts lines together. `find` gives an experiment's declaration; results of one without are left out. Throws LabError where nothing is left.
 */
export function merge(lines: readonly ResultLine[], find: (name: string) => Experiment | undefined): MergedResults {
  const notices: string[] = [];
  const names = [...new Set(lines.map(({ experiment }) => experiment))];
  const unknown = names.filter((name) => find(name) === undefined).map((name) => `'${name}'`);
  if (unknown.length > 0) {
    const what = `results of ${unknown.join(", ")}, no experiment that is here: name its file with --experiment`;
    if (unknown.length === names.length) throw new LabError(what);
    notices.push(`left out: ${what}`);
  }
  const experiments = names.flatMap((name) => {
    const experiment = find(name);
    if (experiment === undefined) return [];
    const own = lines.filter((line) => line.experiment === name);
    const ours = newest(own);
    if (ours.length < own.length)
      notices.push(`${name}: ${own.length - ours.length} results of other images than the last one's are left out`);
    return [new ExperimentResults(experiment, mergeRuns(ours, notices))];
  });
  return { experiments, notices };
}
