/**
 * What the figures of an experiment come to: who wins where, where curves cross or are the same, and whether that changes when a constant of the cost
 * table is halved or doubled. May import ../costs, ../experiment, ../sizes, ./curves, ./gains, ./merge.
 */
import { type Costs, costsText, normalCosts, variants } from "../costs";
import type { Chart, Experiment, Figure, Mode, Parameter, Values } from "../experiment";
import { aboutText } from "../sizes";
import {
  ALIKE,
  type Alike,
  alikeOf,
  type Crossing,
  crossingsOf,
  curvesOf,
  EVEN,
  mostApart,
  pairsOf,
  sameKernel,
} from "./curves";
import { gainsOf } from "./gains";
import { type ExperimentResults, placeText } from "./merge";

/**
 * Modes whose figure is best at a place, those that are even with it included, of kernels of the first mode's kind; empty where fewer than two were
 * measured.
 */
export function winnersAt(
  results: ExperimentResults,
  { name, lessIsBetter = true }: Figure,
  values: Values,
  costs = results.base,
): Mode[] {
  const rivals = results.modes.filter((mode) => sameKernel(mode, results.modes[0] as Mode));
  const measured = rivals.flatMap((mode) => {
    const value = results.figure(name, values, mode, costs);
    return value === undefined ? [] : [{ mode, value }];
  });
  if (measured.length < 2) return [];
  const all = measured.map(({ value }) => value);
  const best = lessIsBetter ? Math.min(...all) : Math.max(...all);
  const even = (value: number) => Math.abs(value - best) <= EVEN * Math.max(value, best);
  return measured.filter(({ value }) => even(value)).map(({ mode }) => mode);
}

/** One conclusion in words, and what became of it under other costs. */
export interface Conclusion {
  text: string;
  /** Under each set of costs that was run besides: whether it still holds, and what is different if not. */
  under: { costs: Costs; holds: boolean; instead: string }[];
}

function list(modes: readonly Mode[]): string {
  return modes.join(" = ");
}

/** "share at 12, share = auto at 2". */
function winnersText(winners: readonly (readonly Mode[])[]): string {
  const counts = new Map<string, number>();
  for (const each of winners) counts.set(list(each), (counts.get(list(each)) ?? 0) + 1);
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.map(([who, count]) => `${who} at ${count}`).join(", ");
}

/** How far a crossing may move and still be the same, as a factor. */
const SAME_PLACE = 1.25;

/** Figures that conclusions are drawn of: those that are compared or drawn. */
function figuresOf({ comparisons = [], charts = [], figures }: Experiment): Figure[] {
  const names = new Set([...comparisons, ...charts].map(({ figure }) => figure));
  const named = figures.filter(({ name }) => names.has(name));
  return named.length > 0 ? named : figures.slice(0, 1);
}

function whoWins(results: ExperimentResults, figure: Figure): Conclusion[] {
  const winners = results.places.map((values) => ({ values, who: winnersAt(results, figure, values) }));
  const known = winners.filter(({ who }) => who.length > 0);
  if (known.length === 0) return [];
  const points = known.length === 1 ? "the one point" : `${known.length} points`;
  const text = `${figure.title}: best, of ${points}: ${winnersText(known.map(({ who }) => who))}`;
  const under = results.otherCosts.flatMap((costs) => {
    const again = known.map(({ values, who }) => ({ values, who, now: winnersAt(results, figure, values, costs) }));
    const measured = again.filter(({ now }) => now.length > 0);
    if (measured.length === 0) return [];
    const changed = measured.filter(({ who, now }) => !who.some((mode) => now.includes(mode)));
    const where = (values: Values): string => placeText(results, values);
    const instead = changed.map(({ values, who, now }) => `${where(values)}: ${list(now)}, not ${list(who)}`);
    return [{ costs, holds: changed.length === 0, instead: instead.join("; ") }];
  });
  return [{ text, under }];
}

/** "copy and share cross at 21.1 MB". */
export function crossingText({ a, b, x }: Crossing, parameter: Parameter): string {
  return `${a} and ${b} cross at ${aboutText(parameter, x)}`;
}

/** "share and auto: no difference above 1.2%". */
export function alikeText({ a, b, most }: Alike): string {
  if (most === 0) return `${a} and ${b}: no difference`;
  return `${a} and ${b}: no difference above ${Math.ceil(Number((most * 1000).toPrecision(6))) / 10}%`;
}

/** A chart's panels, each with its curves under the base costs and under others. */
function panelsOf(results: ExperimentResults, chart: Chart) {
  return results.panels(chart.x).map(({ rest, places }) => ({
    where: placeText(results, rest),
    curves: curvesOf(results, chart, places),
    under: results.otherCosts.map((costs) => ({ costs, curves: curvesOf(results, chart, places, costs) })),
  }));
}

type Panel = ReturnType<typeof panelsOf>[number];

function whereTheyCross(chart: Chart, parameter: Parameter, { where, curves, under: measured }: Panel): Conclusion[] {
  const said = (crossing: Crossing): string => crossingText(crossing, parameter);
  return crossingsOf(curves).map((crossing) => {
    const text = `${chart.title}${where === "" ? "" : ` (${where})`}: ${said(crossing)} (${chart.x})`;
    const under = measured
      .filter((each) => each.curves.length > 1)
      .map(({ costs, curves }) => {
        const pair = crossingsOf(curves).filter(({ a, b }) => a === crossing.a && b === crossing.b);
        const same = pair.some(({ x }) => Math.max(x / crossing.x, crossing.x / x) <= SAME_PLACE);
        const instead = pair.length === 0 ? "they do not cross" : pair.map(said).join(", ");
        return { costs, holds: same, instead: same ? "" : instead };
      });
    return { text, under };
  });
}

/** Pairs that come to the same in a panel: one conclusion a pair, with how many panels it is true of. */
function whatIsAlike(chart: Chart, panels: readonly Panel[]): Conclusion[] {
  const all = panels.flatMap((panel) => alikeOf(panel.curves).map((alike) => ({ ...alike, panel })));
  const pairs = new Map(all.map((each) => [`${each.a} ${each.b}`, each]));
  return [...pairs.values()].map(({ a, b }) => {
    const found = all.filter((each) => each.a === a && each.b === b);
    const most = Math.max(...found.map((each) => each.most));
    const extent = panels.length === 1 ? "" : ` (${found.length} of ${panels.length} panels)`;
    const costs = found[0]?.panel.under.map((each) => each.costs) ?? [];
    const under = costs.flatMap((each, index) => {
      const now = found.flatMap(({ panel }) => pairsOf(panel.under[index]?.curves ?? []));
      const pair = now.filter((one) => one.a === a && one.b === b).map(mostApart);
      const furthest = Math.max(...pair);
      const instead = `they differ by up to ${(100 * furthest).toFixed(1)}%`;
      return pair.length === 0
        ? []
        : [{ costs: each, holds: furthest <= ALIKE, instead: furthest <= ALIKE ? "" : instead }];
    });
    return { text: `${chart.title}: ${alikeText({ a, b, most })}${extent}`, under };
  });
}

/** What a chart shows: crossings, panel by panel, and what is the same. */
function seenIn(results: ExperimentResults, chart: Chart): Conclusion[] {
  const parameter = results.experiment.parameters.find(({ name }) => name === chart.x);
  if (parameter === undefined) return [];
  if (chart.lines !== undefined) return gainsOf(results, chart, chart.lines, parameter);
  const panels = panelsOf(results, chart);
  return [...panels.flatMap((panel) => whereTheyCross(chart, parameter, panel)), ...whatIsAlike(chart, panels)];
}

/** All conclusions of an experiment. */
export function conclusionsOf(results: ExperimentResults): Conclusion[] {
  const { experiment } = results;
  const charts = (experiment.charts ?? []).filter(
    (chart, index, all) =>
      chart.lines !== undefined ||
      all.findIndex(({ figure, x, lines }) => figure === chart.figure && x === chart.x && lines === undefined) ===
        index,
  );
  return [
    ...figuresOf(experiment).flatMap((figure) => whoWins(results, figure)),
    ...charts.flatMap((chart) => seenIn(results, chart)),
  ];
}

/** All conclusions as they are written, each with how it fared under other costs, and a note where none was tried. */
export function saidOf(results: ExperimentResults): { said: { text: string; under: string }[]; note: string } {
  const conclusions = conclusionsOf(results);
  const tried = conclusions.some(({ under }) => under.length > 0);
  return {
    said: conclusions.map((each) => ({ text: each.text, under: tried ? underText(each) : "" })),
    note: tried || conclusions.length === 0 ? "" : "Not tried with other costs: that is what --sensitivity is for.",
  };
}

/** How a conclusion fared, in a sentence. */
export function underText({ under }: Conclusion): string {
  const wanted = variants().map((costs) => costsText(normalCosts(costs)));
  const run = new Set(under.map(({ costs }) => costsText(costs)));
  const changed = under.filter(({ holds }) => !holds);
  const missing = wanted.filter((text) => !run.has(text));
  if (run.size === 0) return "not tried with other costs (--sensitivity)";
  const tried = missing.length === 0 ? "with each constant halved and doubled" : `with ${[...run].join("; ")}`;
  if (changed.length === 0) return `holds ${tried}`;
  return `changes: ${changed.map(({ costs, instead }) => `${costsText(costs)}: ${instead}`).join("; ")}`;
}
