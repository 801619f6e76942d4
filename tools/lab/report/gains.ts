/**
 * How long a mode gains something over another along a parameter, for charts whose lines are the values of a further parameter: "in-order: even from
 * 4,096 on". May import ../experiment, ../sizes, ./conclusions (a type), ./curves, ./merge.
 */
import type { Chart, Mode, Parameter, Value, Values } from "../experiment";
import { valueText } from "../sizes";
import type { Conclusion } from "./conclusions";
import { apart, type Curve, curvesOf, EVEN } from "./curves";
import { type ExperimentResults, placeText } from "./merge";

/** A chart's lines in one panel: each with the value that it is of, and its figures relative to the other mode's. */
export interface Line {
  value: Value;
  points: Curve["points"];
}

/** The lines of a chart in a panel, in the order of the places. */
export function linesOf(
  results: ExperimentResults,
  chart: Chart,
  { mode, by }: { mode: Mode; by: string },
  places: readonly Values[],
  costs = results.base,
): Line[] {
  const values = [...new Set(places.map((place) => place[by] as Value))];
  const lines = values.map((value) => {
    const own = places.filter((place) => place[by] === value);
    const curve = curvesOf(results, chart, own, costs).find((each) => each.mode === mode);
    return { value, points: curve?.points ?? [] };
  });
  return lines.filter(({ points }) => points.length > 0);
}

/** The first point from which on the two modes are even; undefined where they are not even at the end. */
export function evenFrom({ points }: Line): Curve["points"][number] | undefined {
  return points[points.findLastIndex(({ y }) => apart({ a: y, b: 1 }) > EVEN) + 1];
}

function lineText(line: Line, parameter: Parameter): string {
  const even = evenFrom(line);
  if (even === line.points[0]) return "even";
  if (even !== undefined) return `even from ${valueText(parameter, even.x)} on`;
  const last = (line.points.at(-1) as Line["points"][number]).y;
  return `${(100 * apart({ a: last, b: 1 })).toFixed(0)}% ${last < 1 ? "less" : "more"} at the end`;
}

/** Keys by their value, those of one value together. */
function together<T>(
  all: readonly T[],
  value: (each: T) => string,
  key: (each: T) => string,
): [keys: string[], value: string][] {
  const found = new Map<string, string[]>();
  for (const each of all) found.set(value(each), [...(found.get(value(each)) ?? []), key(each)]);
  return [...found].map(([text, keys]) => [keys, text]);
}

/** "in-order: even from 4,096 on", "random, spread: even from 32 on". */
export function linesText(lines: readonly Line[], parameter: Parameter, by: Parameter): string[] {
  const said = together(
    lines,
    (line) => lineText(line, parameter),
    ({ value }) => valueText(by, value),
  );
  return said.map(([names, text]) => `${names.join(", ")}: ${text}`);
}

/** From where on each line gains nothing any more: one conclusion for all panels of which the same is true under all costs. */
export function gainsOf(
  results: ExperimentResults,
  chart: Chart,
  lines: { mode: Mode; by: string },
  parameter: Parameter,
): Conclusion[] {
  const by = results.experiment.parameters.find(({ name }) => name === lines.by);
  if (by === undefined) return [];
  const panels = results.panels(chart.x, lines.by).map(({ rest, places }) => {
    const said = (costs = results.base): string =>
      linesText(linesOf(results, chart, lines, places, costs), parameter, by).join("; ");
    const text = said();
    const under = results.otherCosts.flatMap((costs) => {
      const now = said(costs);
      return now === "" ? [] : [{ costs, holds: now === text, instead: now === text ? "" : now }];
    });
    return { where: placeText(results, rest), text, under };
  });
  const known = panels.filter(({ text }) => text !== "");
  const alike = together(
    known,
    ({ text, under }) => JSON.stringify({ text, under }),
    ({ where }) => where,
  );
  return alike.map(([places, said]) => {
    const { text, under } = JSON.parse(said) as Conclusion;
    const where = places.join("; ");
    return { text: `${chart.title}${where === "" ? "" : ` (${where})`}: ${text} (${chart.x})`, under };
  });
}
