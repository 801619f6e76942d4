/**
 * From an exact (or sticky) significand to the bits of a result: rounding, overflow, underflow, inexact.
 * May import extended.ts.
 *
 * Tininess is found after rounding. Precision control rounds at bit 40 or 11 of the significand and leaves the exponent its
 * range; a denormal result is shifted first and rounded at the same bit.
 * Source: Intel SDM volume 1, sections 4.8.4 (rounding), 8.5.4 to 8.5.6 (overflow, underflow, inexact), 8.1.5.2 (precision).
 */
import {
  BIAS_ADJUST,
  context,
  Exception,
  type Extended,
  MAX_EXPONENT,
  Rounding,
  setInfinity,
  shiftRight,
  signal,
} from "./extended";

/** Whether a significand with these bits is rounded away from zero; `half` is the first bit that goes, `more` the others. */
export function roundsUp(sign: number, odd: boolean, half: boolean, more: boolean): boolean {
  switch (context.rounding) {
    case Rounding.Nearest:
      return half && (more || odd);
    case Rounding.Down:
      return sign !== 0 && (half || more);
    case Rounding.Up:
      return sign === 0 && (half || more);
    default:
      return false;
  }
}

/** Whether bits of the significand beyond the precision are set. */
function isInexact(x: Extended, precision: number): boolean {
  if (precision === 64) return x.rest !== 0;
  if (precision === 53) return (x.low & 0x7ff) !== 0 || x.rest !== 0;
  return (x.high & 0xff) !== 0 || x.low !== 0 || x.rest !== 0;
}

/** Whether rounding at the precision goes away from zero. */
function goesUp(x: Extended, precision: number): boolean {
  const { sign, high, low, rest } = x;
  if (precision === 64) return roundsUp(sign, (low & 1) !== 0, rest < 0, rest << 1 !== 0);
  if (precision === 53)
    return roundsUp(sign, (low & 0x800) !== 0, (low & 0x400) !== 0, (low & 0x3ff) !== 0 || rest !== 0);
  return roundsUp(sign, (high & 0x100) !== 0, (high & 0x80) !== 0, (high & 0x7f) !== 0 || low !== 0 || rest !== 0);
}

/** Rounds the significand to the precision; a carry out of it goes to the exponent. Sets context.roundedUp. */
function roundBits(x: Extended, precision: number): void {
  const up = goesUp(x, precision);
  context.roundedUp = up ? 1 : 0;
  x.rest = 0;
  if (precision === 24) {
    x.high &= ~0xff;
    x.low = 0;
    if (up) x.high = (x.high + 0x100) | 0;
    if (up && x.high === 0) carry(x);
    return;
  }
  const unit = precision === 64 ? 1 : 0x800;
  x.low &= -unit;
  if (!up) return;
  x.low = (x.low + unit) | 0;
  if (x.low !== 0) return;
  x.high = (x.high + 1) | 0;
  if (x.high === 0) carry(x);
}

function carry(x: Extended): void {
  x.high = 0x80000000 | 0;
  x.exponent++;
}

/** Whether rounding would carry out of the significand. */
function carries(x: Extended, precision: number): boolean {
  const { high, low } = x;
  if (precision === 64) return (high & low) === -1 && goesUp(x, 64);
  if (precision === 53) return high === -1 && low >>> 11 === 0x1fffff && goesUp(x, 53);
  return high >>> 8 === 0xffffff && goesUp(x, 24);
}

/**
 * Rounds a normalised number to a format whose largest exponent is `top` (MAX_EXPONENT for a register) and whose exponents
 * `x.exponent` already counts in. Raises overflow, underflow and inexact. Unmasked, they adjust the exponent of a result
 * for a register; for memory the answer is false, and there is no result.
 */
export function round(x: Extended, precision: number, top = MAX_EXPONENT): boolean {
  if (x.exponent <= 0) {
    const tiny = x.exponent < 0 || !carries(x, precision);
    if (!tiny || (context.masks & Exception.Underflow) !== 0) {
      shiftRight(x, 1 - x.exponent);
      x.exponent = 0;
      const inexact = isInexact(x, precision);
      roundBits(x, precision);
      if (x.high < 0) x.exponent = 1;
      if (inexact) signal(tiny ? Exception.Precision | Exception.Underflow : Exception.Precision);
      return true;
    }
    signal(Exception.Underflow);
    if (top !== MAX_EXPONENT) return false;
    x.exponent += BIAS_ADJUST;
  }
  const inexact = isInexact(x, precision);
  roundBits(x, precision);
  if (x.exponent >= top) return overflow(x, precision, top, inexact);
  if (inexact) signal(Exception.Precision);
  return true;
}

function overflow(x: Extended, precision: number, top: number, inexact: boolean): boolean {
  if (signal(Exception.Overflow)) {
    if (top !== MAX_EXPONENT) {
      context.roundedUp = 0;
      return false;
    }
    x.exponent -= BIAS_ADJUST;
    if (inexact) signal(Exception.Precision);
    return true;
  }
  signal(Exception.Precision);
  const { rounding } = context;
  const toInfinity =
    rounding === Rounding.Nearest ||
    (rounding === Rounding.Up && x.sign === 0) ||
    (rounding === Rounding.Down && x.sign !== 0);
  context.roundedUp = toInfinity ? 1 : 0;
  if (toInfinity) {
    setInfinity(x, x.sign);
    x.exponent = top;
  } else {
    const high = precision === 24 ? 0xffffff00 : 0xffffffff;
    x.set(x.sign, top - 1, high, precision === 24 ? 0 : precision === 53 ? 0xfffff800 : 0xffffffff);
  }
  return true;
}

/**
 * Makes the significand the number's integer part, rounded; the number is normalised and below 2^64 in magnitude. True when
 * that was inexact (context.roundedUp tells how). A carry out of 64 bits leaves zero, and `rest` 1.
 */
export function roundToInteger(x: Extended): boolean {
  shiftRight(x, 0x403e - x.exponent);
  const inexact = x.rest !== 0;
  const up = goesUp(x, 64);
  context.roundedUp = up ? 1 : 0;
  x.rest = 0;
  if (!up) return inexact;
  x.low = (x.low + 1) | 0;
  if (x.low === 0) {
    x.high = (x.high + 1) | 0;
    if (x.high === 0) x.rest = 1;
  }
  return inexact;
}
