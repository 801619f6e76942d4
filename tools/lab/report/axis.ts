/** Axes of a chart: where a value is drawn, and where the ticks are. May import nothing. */

export interface Axis {
  /** The place of a value between 0 and 1. */
  at(value: number): number;
  /** Values with a line and a label. */
  ticks: number[];
}

export type Scale = "log" | "linear";

/** Most ticks of an axis. */
const MOST_TICKS = 7;

/** 1, 2 or 5 times a power of ten, at least `step`. */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= step * 0.999) as number);
}

function linearAxis(least: number, most: number): Axis {
  const low = Math.min(0, least);
  const span = most > low ? most - low : 1;
  const step = roundStep(span / (MOST_TICKS - 1));
  const high = Math.ceil((low + span) / step) * step;
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step); i * step <= high * 1.0001; i++) ticks.push(i * step);
  return { at: (value) => (value - low) / (high - low), ticks };
}

/** Powers of two from one that is at most `least` to one that is at least `most`. */
function powersOfTwo(least: number, most: number): number[] {
  const low = Math.floor(Math.log2(least) + 1e-9);
  const high = Math.ceil(Math.log2(most) - 1e-9);
  return Array.from({ length: high - low + 1 }, (_, i) => 2 ** (low + i));
}

/** The same of 1, 2 and 5 times the powers of ten. */
function roundNumbers(least: number, most: number): number[] {
  const low = Math.floor(Math.log10(least));
  const all = Array.from({ length: Math.ceil(Math.log10(most)) - low + 1 }, (_, i) => 10 ** (low + i));
  const numbers = all.flatMap((power) => [power, 2 * power, 5 * power]);
  const first = numbers.findLastIndex((each) => each <= least * 1.0001);
  const last = numbers.findIndex((each) => each >= most * 0.9999);
  return numbers.slice(first, last + 1);
}

/** From a round number to a round number; where there is too little between them, one more at each end. */
function logAxis(least: number, most: number, binary: boolean): Axis {
  const numbersOf = binary ? powersOfTwo : roundNumbers;
  let numbers = numbersOf(least, most);
  if (numbers.length < 2) numbers = numbersOf(least / 2, most * 2);
  const [low, high] = [Math.log(numbers[0] as number), Math.log(numbers.at(-1) as number)];
  const powers = numbers.filter((each) => Math.abs(Math.log10(each) - Math.round(Math.log10(each))) < 1e-9);
  const few = binary || numbers.length <= MOST_TICKS || powers.length < 2 ? numbers : powers;
  const every = Math.ceil(few.length / MOST_TICKS);
  return {
    at: (value) => (Math.log(value) - low) / (high - low),
    ticks: few.filter((_, i) => i % every === 0),
  };
}

/** Least distance of two labels, as a share of the axis. */
const LABEL = 0.11;

/** Of values those whose labels find room: the ends first, then from the left. */
export function roomyTicks(axis: Axis, values: readonly number[]): number[] {
  const sorted = [...new Set(values)].sort((a, b) => a - b);
  const kept: number[] = [];
  for (const value of [sorted[0], sorted.at(-1), ...sorted]) {
    if (value !== undefined && kept.every((other) => Math.abs(axis.at(value) - axis.at(other)) >= LABEL))
      kept.push(value);
  }
  return kept.sort((a, b) => a - b);
}

/** An axis for values; a logarithmic one only where all are above 0. `binary`: powers of two. */
export function axisOf(values: readonly number[], scale: Scale, binary = false): Axis {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return scale === "log" && least > 0 ? logAxis(least, most, binary) : linearAxis(least, most);
}
