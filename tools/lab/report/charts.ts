/** The charts of an experiment: its curves, a panel for each combination of the other parameters, and its distributions. May import the rest of report/, ../experiment, ../sizes. */
import type { Chart, Distribution, Parameter, Values } from "../experiment";
import { sizeText } from "../sizes";
import { type ChartAxis, type LineChart, lineChart } from "./chart";
import { alikeOf, alikeText, crossingsOf, crossingText, curvesOf, placeText } from "./conclusions";
import type { ExperimentResults } from "./merge";

export interface ChartPicture {
  title: string;
  svg: string;
  /** Where curves cross, and which are the same, in words. */
  notes: string[];
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
  return parameter.unit === "KB" ? (value) => sizeText(value).replace(" ", "\u202f") : compact;
}

/** What the y axis says. */
function unitOf({ experiment }: ExperimentResults, { figure, relativeTo }: Chart): string {
  const unit = experiment.figures.find(({ name }) => name === figure)?.unit ?? "";
  return relativeTo === undefined ? unit : `to ${relativeTo}'s`;
}

function panelChart(results: ExperimentResults, chart: Chart, rest: Values, places: readonly Values[]): ChartPicture[] {
  const parameter = results.experiment.parameters.find(({ name }) => name === chart.x);
  // One place is no curve: the tables have it.
  if (parameter === undefined || places.length < 2) return [];
  const curves = curvesOf(results, chart, places);
  const text = parameterText(parameter);
  const { x = "log", y = "log" } = chart.scale ?? {};
  const crossings = crossingsOf(curves);
  const said = crossings.map((crossing) => crossingText(crossing, parameter));
  const where = placeText(results, rest);
  const title = where === "" ? chart.title : `${chart.title}: ${where}`;
  const svg = lineChart({
    title,
    x: { title: parameter.title, scale: x, binary: parameter.unit === "KB", text },
    y: { title: unitOf(results, chart), scale: y, text: compact },
    series: curves.map(({ mode, points }) => ({ name: mode, points })),
    marks: crossings.map((each, index) => ({ x: each.x, y: each.y, text: said[index] as string })),
  });
  return svg === undefined ? [] : [{ title, svg, notes: [...said, ...alikeOf(curves).map(alikeText)] }];
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
  return svg === undefined ? [] : [{ title: chart.title, svg, notes: [] }];
}

/** All charts of an experiment, in the order of its declaration. */
export function chartsOf(results: ExperimentResults): ChartPicture[] {
  const { charts = [], distributions = [] } = results.experiment;
  return [
    ...charts.flatMap((chart) =>
      results.panels(chart.x).flatMap(({ rest, places }) => panelChart(results, chart, rest, places)),
    ),
    ...distributions.flatMap((one) => results.places.flatMap((values) => tailChart(results, one, values))),
  ];
}
