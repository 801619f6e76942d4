/**
 * A figure's curves over a parameter, one a mode: where two of them cross, and which come to the same. May import ../experiment, ./merge.
 */
import type { Chart, Mode, Values } from "../experiment";
import type { ExperimentResults } from "./merge";

/** Figures closer than this share of the larger count as even. */
export const EVEN = 0.01;
/** Curves that are nowhere further apart than this share of the larger come to the same: where they cross means nothing. */
export const ALIKE = 0.06;

export interface Curve {
  mode: Mode;
  points: { x: number; y: number }[];
}

/** Two curves that come to the same: `most` is the largest difference, as a share of the larger figure. */
export interface Alike {
  a: Mode;
  b: Mode;
  most: number;
}

/** Two curves change places at x, interpolated between two points as they are drawn on logarithmic axes. */
export interface Crossing {
  a: Mode;
  b: Mode;
  x: number;
  y: number;
}

/** A figure's curve in each mode over a parameter, in one panel. */
export function curvesOf(
  results: ExperimentResults,
  { figure, x, relativeTo }: Pick<Chart, "figure" | "x" | "relativeTo">,
  places: readonly Values[],
  costs = results.base,
): Curve[] {
  const curves = results.modes.map((mode) => {
    const points = places.flatMap((values) => {
      const at = values[x];
      const y = results.figure(figure, values, mode, costs);
      const base = relativeTo === undefined ? 1 : results.figure(figure, values, relativeTo, costs);
      return typeof at === "number" && y !== undefined && base ? [{ x: at, y: y / base }] : [];
    });
    return { mode, points };
  });
  return curves.filter(({ points }) => points.length > 0);
}

const log = (value: number): number => Math.log(Math.max(value, Number.MIN_VALUE));

/** Two curves' figures where both have one. */
interface Pair {
  a: Mode;
  b: Mode;
  points: { x: number; a: number; b: number }[];
}

function pairOf(a: Curve, b: Curve): Pair {
  const points = a.points.flatMap((one) => {
    const other = b.points.find(({ x }) => x === one.x);
    return other === undefined ? [] : [{ x: one.x, a: one.y, b: other.y }];
  });
  return { a: a.mode, b: b.mode, points };
}

/** How far apart two figures are, as a share of the larger. */
export function apart({ a, b }: { a: number; b: number }): number {
  return a === b ? 0 : Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b));
}

/** The largest difference of a pair. */
export function mostApart({ points }: Pair): number {
  return Math.max(0, ...points.map(apart));
}

/** Where b, which was above a, comes to lie below it, or the other way. Curves that touch without changing places do not cross. */
function crossingsOfTwo({ a, b, points }: Pair): Crossing[] {
  const crossings: Crossing[] = [];
  let last: (typeof points)[number] | undefined;
  for (const point of points) {
    if (apart(point) <= EVEN) continue;
    if (last !== undefined && Math.sign(last.a - last.b) !== Math.sign(point.a - point.b)) {
      const before = log(last.a) - log(last.b);
      const after = log(point.a) - log(point.b);
      const share = before / (before - after);
      const between = (from: number, to: number) => Math.exp(log(from) + share * (log(to) - log(from)));
      crossings.push({ a, b, x: between(last.x, point.x), y: between(last.a, point.a) });
    }
    last = point;
  }
  return crossings;
}

/** Modes are compared within one kind of kernel: a reverse map costs what it costs, whoever forks. */
export function sameKernel(a: Mode, b: Mode): boolean {
  return a.endsWith("-no-rmap") === b.endsWith("-no-rmap");
}

/** Curves two by two, of kernels of one kind, where they can be compared. */
export function pairsOf(curves: readonly Curve[]): Pair[] {
  const pairs = curves.flatMap((a, index) => {
    const rivals = curves.slice(index + 1).filter((b) => sameKernel(a.mode, b.mode));
    return rivals.map((b) => pairOf(a, b));
  });
  return pairs.filter(({ points }) => points.length > 0);
}

/** All crossings of curves with one another, pair by pair, but for those that come to the same. */
export function crossingsOf(curves: readonly Curve[]): Crossing[] {
  const different = pairsOf(curves).filter((pair) => mostApart(pair) > ALIKE);
  return different.flatMap(crossingsOfTwo);
}

/** Pairs of curves that come to the same. */
export function alikeOf(curves: readonly Curve[]): Alike[] {
  const pairs = pairsOf(curves).map((pair) => ({ a: pair.a, b: pair.b, most: mostApart(pair) }));
  return pairs.filter(({ most }) => most <= ALIKE);
}
