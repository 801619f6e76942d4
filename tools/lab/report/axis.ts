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

/** `base` is 2 for sizes of memory, 10 otherwise. */
function logAxis(least: number, most: number, base: number): Axis {
  const exponent = (value: number) => Math.log(value) / Math.log(base);
  let low = Math.floor(exponent(least) + 1e-9);
  let high = Math.ceil(exponent(most) - 1e-9);
  if (high === low) {
    low--;
    high++;
  }
  const every = Math.max(1, Math.ceil((high - low) / (MOST_TICKS - 1)));
  const ticks: number[] = [];
  for (let i = low; i <= high; i += every) ticks.push(base ** i);
  // Within one power of ten a line at 2 and 5 says where one is.
  if (base === 10 && high - low === 1) ticks.splice(1, 0, 2 * 10 ** low, 5 * 10 ** low);
  return { at: (value) => (exponent(value) - low) / (high - low), ticks };
}

/** An axis for values; a logarithmic one only where all are above 0. `binary`: powers of two. */
export function axisOf(values: readonly number[], scale: Scale, binary = false): Axis {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return scale === "log" && least > 0 ? logAxis(least, most, binary ? 2 : 10) : linearAxis(least, most);
}
