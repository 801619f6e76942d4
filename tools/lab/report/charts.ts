/** The charts of an experiment: its curves, a panel for each combination of the other parameters, and its distributions. May import the rest of report/, ../experiment, ../sizes. */
import type { Chart, Distribution, Parameter, Value, Values } from "../experiment";
import { valueText } from "../sizes";
import { type ChartAxis, type LineChart, lineChart, type Series } from "./chart";
import { alikeText, crossingText } from "./conclusions";
import { alikeOf, crossingsOf, curvesOf } from "./curves";
import { evenFrom, linesOf, linesText } from "./gains";
import { type ExperimentResults, placeText } from "./merge";

export interface ChartPicture {
  /** Which panel it is: values of the parameters that it does not show; "" where it is the only one. */
  where: string;
  svg: string;
  /** Where curves cross, and which are the same, in words. */
  notes: string[];
}

/** A chart with all its panels. */
export interface ChartGroup {
  title: string;
  panels: ChartPicture[];
  /** Names of its lines. */
  lines: string[];
}

/** 1234567 -> "1.23M": for ticks and points. */
export function compact(value: number): string {
  const units: readonly (readonly [number, string])[] = [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ];
  const [divisor, unit] = units.find(([least]) => Math.abs(value) >= least) ?? [1, ""];
  return `${Number((value / divisor).toPrecision(3))}${unit}`;
}

function parameterText(parameter: Parameter): (value: number) => string {
  return (value) => valueText(parameter, value).replace(" ", "\u202f");
}

/** What the y axis says. */
function unitOf({ experiment }: ExperimentResults, { figure, relativeTo }: Chart): string {
  const unit = experiment.figures.find(({ name }) => name === figure)?.unit ?? "";
  return relativeTo === undefined ? unit : `to ${relativeTo}'s`;
}

/** What a panel shows besides its axes. */
interface Drawn {
  series: Series[];
  marks: { x: number; y: number; text: string }[];
  notes: string[];
}

/** A line for each mode, rings where two cross. */
function byMode(results: ExperimentResults, chart: Chart, parameter: Parameter, places: readonly Values[]): Drawn {
  const curves = curvesOf(results, chart, places);
  const marks = crossingsOf(curves).map((each) => ({ x: each.x, y: each.y, text: crossingText(each, parameter) }));
  return {
    series: curves.map(({ mode, points }) => ({ name: mode, points })),
    marks,
    notes: [...marks.map(({ text }) => text), ...alikeOf(curves).map(alikeText)],
  };
}

/** A line for each value of a parameter, rings from where on they are even with the other mode. */
function byValue(
  results: ExperimentResults,
  chart: Chart,
  lines: NonNullable<Chart["lines"]>,
  parameter: Parameter,
  places: readonly Values[],
): Drawn {
  const by = results.experiment.parameters.find(({ name }) => name === lines.by) as Parameter;
  const found = linesOf(results, chart, lines, places);
  const marks = found.flatMap((line) => {
    const even = evenFrom(line);
    return even === undefined || even === line.points[0]
      ? []
      : [{ ...even, text: linesText([line], parameter, by).join() }];
  });
  return {
    series: found.map(({ value, points }) => ({ name: valueText(by, value), points })),
    marks,
    notes: linesText(found, parameter, by),
  };
}

function panelChart(results: ExperimentResults, chart: Chart, rest: Values, places: readonly Values[]): ChartPicture[] {
  const parameter = results.experiment.parameters.find(({ name }) => name === chart.x);
  // One place is no curve: the tables have it.
  if (parameter === undefined || new Set(places.map((values) => values[chart.x])).size < 2) return [];
  const { lines } = chart;
  const { series, marks, notes } =
    lines === undefined ? byMode(results, chart, parameter, places) : byValue(results, chart, lines, parameter, places);
  const { x = "log", y = "log" } = chart.scale ?? {};
  const where = placeText(results, rest);
  const svg = lineChart({
    title: where === "" ? chart.title : `${chart.title}: ${where}`,
    x: {
      title: parameter.title,
      scale: x,
      binary: parameter.unit === "KB",
      text: parameterText(parameter),
      ticks: series.flatMap(({ points }) => points.map((point) => point.x)),
    },
    y: { title: unitOf(results, chart), scale: y, text: compact },
    series,
    marks,
  });
  return svg === undefined ? [] : [{ where, svg, notes }];
}

/** The axis of "one in so many is longer": p50 at the left, the far tail at the right. */
const TAIL: ChartAxis = {
  title: "share of the measurements that are no longer",
  scale: "log",
  ticks: [1, 2, 10, 100, 1000],
  text: (odds) => (odds <= 1 ? "0" : `${Number((100 * (1 - 1 / odds)).toPrecision(5))}%`),
};

function tailChart(results: ExperimentResults, { name, title, unit }: Distribution, values: Values): ChartPicture[] {
  const series = results.modes.flatMap((mode) => {
    const line = results.at(values, mode)?.line;
    const kept = line?.status === "ok" ? line.distributions[name] : undefined;
    if (kept === undefined) return [];
    // The longest stands for all shares that are nearer to 1 than one measurement is.
    const shown = kept.at.filter(([share]) => share === 1 || 1 / (1 - share) < kept.count);
    return [{ name: mode, points: shown.map(([share, y]) => ({ x: share === 1 ? kept.count : 1 / (1 - share), y })) }];
  });
  const most = Math.max(1, ...series.flatMap(({ points }) => points.map(({ x }) => x)));
  const where = placeText(results, values);
  const chart: LineChart = {
    title: `${title}${where === "" ? "" : `: ${where}`}`,
    x: { ...TAIL, ticks: (TAIL.ticks ?? []).filter((tick) => tick <= most) },
    y: { title: unit, scale: "log", text: compact },
    series,
  };
  const svg = lineChart(chart);
  return svg === undefined ? [] : [{ where, svg, notes: [] }];
}

/** The names of a chart's lines, in the order of the declaration. */
function lineNames({ experiment, modes, places }: ExperimentResults, { lines }: Chart): string[] {
  const by = experiment.parameters.find(({ name }) => name === lines?.by);
  if (by === undefined) return modes;
  return [...new Set(places.map((values) => valueText(by, values[by.name] as Value)))];
}

/** All charts of an experiment, in the order of its declaration. */
export function chartsOf(results: ExperimentResults): ChartGroup[] {
  const { charts = [], distributions = [] } = results.experiment;
  const groups = [
    ...charts.map((chart) => ({
      title: chart.title,
      panels: results
        .panels(chart.x, ...(chart.lines === undefined ? [] : [chart.lines.by]))
        .flatMap(({ rest, places }) => panelChart(results, chart, rest, places)),
      lines: lineNames(results, chart),
    })),
    ...distributions.map((one) => ({
      title: one.title,
      panels: results.places.flatMap((values) => tailChart(results, one, values)),
      lines: results.modes,
    })),
  ];
  return groups.filter(({ panels }) => panels.length > 0);
}
