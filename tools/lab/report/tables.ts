/**
 * A report's tables, as heads and rows of cells: one for each figure, one of quantiles, of references, of others' figures, of host time. What they are
 * printed as (text, Markdown, HTML) is not known here. May import ../costs, ../experiment, ../sizes, ./merge.
 */
import { costsText } from "../costs";
import type { Comparison, Distribution, Figure, Mode, OtherFigure, Value, Values } from "../experiment";
import { valueText } from "../sizes";
import type { ExperimentResults } from "./merge";

export interface ReportTable {
  title: string;
  head: string[];
  /** Cells; numbers are set to the right. */
  rows: { text: string; number: boolean }[][];
  note?: string;
}

type Cell = ReportTable["rows"][number][number];

const word = (text: string): Cell => ({ text, number: false });
const number = (text: string): Cell => ({ text, number: true });

/** Figures as people read them: whole numbers with commas, others to four places. */
export function figureText(value: number | undefined): string {
  if (value === undefined) return "";
  return Number.isInteger(value) || Math.abs(value) >= 1000
    ? Math.round(value).toLocaleString("en-US")
    : String(Number(value.toPrecision(4)));
}

/** 362.12 -> "362x", 11.04 -> "11.0x", 1.0321 -> "1.032x". */
export function ratioText(ratio: number): string {
  return `${ratio >= 100 ? ratio.toFixed(0) : ratio >= 10 ? ratio.toFixed(1) : ratio.toFixed(3)}x`;
}

function placeHead({ experiment }: ExperimentResults): string[] {
  return experiment.parameters.map(({ name }) => name);
}

function placeCells({ experiment }: ExperimentResults, values: Values): Cell[] {
  return experiment.parameters.map((parameter) => {
    const value = values[parameter.name] as Value;
    return { text: valueText(parameter, value), number: typeof value === "number" };
  });
}

/** Ratios that are of interest for a figure: those declared, else copy to each other mode. */
export function comparisonsOf({ experiment, modes }: ExperimentResults, { name }: Figure): Comparison[] {
  const declared = (experiment.comparisons ?? []).filter(({ figure }) => figure === name);
  const wanted = declared.length > 0 ? declared : [{ figure: name, dear: "copy", cheap: "share" } satisfies Comparison];
  return wanted.filter(({ dear, cheap }) => modes.includes(dear) && modes.includes(cheap));
}

/** What two modes' figures are to each other. */
export function ratioAt(
  results: ExperimentResults,
  { figure, dear, cheap }: Comparison,
  values: Values,
): number | undefined {
  const [a, b] = [results.figure(figure, values, dear), results.figure(figure, values, cheap)];
  return a === undefined || b === undefined || b === 0 ? undefined : a / b;
}

function figureCell(results: ExperimentResults, { name }: Figure, values: Values, mode: Mode): Cell {
  const failed = results.at(values, mode)?.line.status === "failed";
  return number(failed ? "FAILED" : figureText(results.figure(name, values, mode)));
}

/** One figure: a row for each place, a column for each mode, then the ratios. */
export function figureTable(results: ExperimentResults, figure: Figure): ReportTable {
  const comparisons = comparisonsOf(results, figure);
  const rows = results.places.map((values) => [
    ...placeCells(results, values),
    ...results.modes.map((mode) => figureCell(results, figure, values, mode)),
    ...comparisons.map((comparison) => {
      const ratio = ratioAt(results, comparison, values);
      return number(ratio === undefined ? "" : ratioText(ratio));
    }),
  ]);
  const under = costsText(results.base);
  return {
    title: `${figure.title}, ${figure.unit}${under === "standard" ? "" : ` (${under})`}`,
    head: [...placeHead(results), ...results.modes, ...comparisons.map(({ dear, cheap }) => `${dear} / ${cheap}`)],
    rows,
  };
}

/** Shares that a table of quantiles shows. */
const SHOWN: readonly (readonly [label: string, share: number])[] = [
  ["least", 0],
  ["p50", 0.5],
  ["p90", 0.9],
  ["p99", 0.99],
  ["p99.9", 0.999],
  ["longest", 1],
];

/** One distribution: a row for each place and mode. */
export function distributionTable(results: ExperimentResults, distribution: Distribution): ReportTable {
  const rows = results.places.flatMap((values) =>
    results.modes.flatMap((mode) => {
      const line = results.at(values, mode)?.line;
      const kept = line?.status === "ok" ? line.distributions[distribution.name] : undefined;
      if (kept === undefined) return [];
      const at = (share: number) => kept.at.find(([each]) => each === share)?.[1];
      const shown = SHOWN.map(([, share]) => number(figureText(at(share))));
      return [[...placeCells(results, values), word(mode), number(figureText(kept.count)), ...shown]];
    }),
  );
  return {
    title: `${distribution.title}, ${distribution.unit}`,
    head: [...placeHead(results), "fork", "count", ...SHOWN.map(([label]) => label)],
    rows,
  };
}

/** Memory references and TLB misses, where they were counted. */
export function referencesTable(results: ExperimentResults): ReportTable | undefined {
  const counted = results.points.flatMap(({ line }) =>
    Object.entries(line.references ?? {}).map(([region, counts]) => ({ line, region, counts })),
  );
  const names = [...new Set(counted.flatMap(({ counts }) => Object.keys(counts)))];
  if (names.length === 0) return undefined;
  return {
    title: "memory references and TLB misses, by region",
    head: [...placeHead(results), "fork", "region", ...names],
    rows: counted.map(({ line, region, counts }) => [
      ...placeCells(results, line.values),
      word(line.mode),
      word(region),
      ...names.map((name) => number(figureText(counts[name as keyof typeof counts]))),
    ]),
    note: "Operands of instructions; what the processor reads and writes by itself (descriptors, tables, frames of traps) is not among them.",
  };
}

/** The place of ours that is nearest to what others measured: the same values where they were run. */
function oursBeside(results: ExperimentResults, { ours }: OtherFigure): string {
  if (ours === undefined) return "";
  const values = results.places.find((each) => Object.entries(ours.at).every(([name, value]) => each[name] === value));
  const ratio = values === undefined ? undefined : ratioAt(results, ours, values);
  return ratio === undefined ? "not run" : ratioText(ratio);
}

/** What others measured, beside ours. */
export function othersTable(results: ExperimentResults): ReportTable | undefined {
  const { othersFigures = [] } = results.experiment;
  if (othersFigures.length === 0) return undefined;
  return {
    title: "others' figures beside ours",
    head: ["who", "what", "theirs", "their ratio", "ours", "what differs", "source"],
    rows: othersFigures.map((other) => [
      word(other.who),
      word(other.what),
      word(other.theirs),
      number(other.ratio === undefined ? "" : ratioText(other.ratio)),
      number(oursBeside(results, other)),
      word(other.differs),
      word(other.source),
    ]),
  };
}

/** Host time: the only figures that are not the same everywhere. Of several runs of a point it is the quickest. */
export function hostTable(results: ExperimentResults): ReportTable {
  const seconds = results.points.flatMap((point) => point.seconds);
  const sum = seconds.reduce((all, one) => all + one, 0);
  const cell = (values: Values, mode: Mode): Cell => {
    const point = results.at(values, mode);
    return number(point === undefined ? "" : Math.min(...point.seconds).toFixed(2));
  };
  return {
    title: "host time, seconds (noisy)",
    head: [...placeHead(results), ...results.modes.map((mode) => `${mode}, noisy`)],
    rows: results.places.map((values) => [
      ...placeCells(results, values),
      ...results.modes.map((mode) => cell(values, mode)),
    ]),
    note: `In all ${sum.toFixed(1)} seconds of machines, other costs and repeated runs with them. Everything else here is of the guest, and the same on every host.`,
  };
}

/** Points that failed, with the reason. */
export function failedTable(results: ExperimentResults): ReportTable | undefined {
  if (results.failed.length === 0) return undefined;
  return {
    title: "points that FAILED",
    head: [...placeHead(results), "fork", "costs", "reason"],
    rows: results.failed.map(({ line }) => [
      ...placeCells(results, line.values),
      word(line.mode),
      word(costsText(line.costs)),
      word(line.status === "failed" ? line.reason : ""),
    ]),
  };
}
