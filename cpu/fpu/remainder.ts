/**
 * Comparison, and the operations on exponent and integer part: FPREM, FPREM1, FRNDINT, FSCALE, FXTRACT.
 * May import extended.ts, round.ts and arithmetic.ts. Source: Intel SDM volume 2, under each mnemonic.
 */
import { notLess } from "./arithmetic";
import {
  answerNan,
  answerNans,
  BIAS,
  BIAS_ADJUST,
  context,
  denormals,
  Exception,
  Extended,
  invalid,
  Kind,
  MAX_EXPONENT,
  normalise,
  Rounding,
  setInfinity,
  setZero,
  signal,
  unpack,
} from "./extended";
import { round, roundToInteger } from "./round";

const x = new Extended();
const y = new Extended();

/** How two numbers stand to each other. */
export const enum Order {
  Greater,
  Less,
  Equal,
  Unordered,
}

/** Compares; any NaN is invalid, for `quietly` only a signalling one. */
export function compare(a: Extended, b: Extended, quietly: boolean): Order {
  if (a.kind > Kind.Infinity || b.kind > Kind.Infinity) {
    // Only a QNaN can be quiet.
    if (!quietly || a.kind > Kind.Quiet || b.kind > Kind.Quiet) signal(Exception.Invalid);
    return Order.Unordered;
  }
  denormals(a, b);
  const aZero = a.kind === Kind.Zero;
  const bZero = b.kind === Kind.Zero;
  if (aZero && bZero) return Order.Equal;
  if (aZero) return b.sign === 0 ? Order.Less : Order.Greater;
  if (bZero || a.sign !== b.sign) return a.sign === 0 ? Order.Greater : Order.Less;
  unpack(a, x);
  unpack(b, y);
  if (x.exponent === y.exponent && x.high === y.high && x.low === y.low) return Order.Equal;
  const larger = x.exponent !== y.exponent ? x.exponent > y.exponent : notLess(x.high, x.low, y.high, y.low);
  return larger === (a.sign === 0) ? Order.Greater : Order.Less;
}

/** out = a, without even an underflow; a pseudo-denormal gets the exponent that it means. */
function pass(a: Extended, out: Extended): void {
  out.copy(a);
  if (out.exponent === 0 && out.high < 0) out.exponent = 1;
}

/** There is more to do. */
export const PARTIAL = -1;
/** An operand was no number, infinite or zero. */
export const NO_QUOTIENT = -2;

/**
 * out = a - b * q, with q = a / b cut towards zero, or rounded to nearest for `nearest`. The answer is q's low three bits,
 * PARTIAL when the exponents were 64 or more apart (`out` has a part of the way behind it), or NO_QUOTIENT.
 */
export function remainder(a: Extended, b: Extended, nearest: boolean, out: Extended): number {
  if (answerNans(a, b, out)) return NO_QUOTIENT;
  if (a.kind === Kind.Infinity || b.kind === Kind.Zero) {
    invalid(out);
    return NO_QUOTIENT;
  }
  if (denormals(a, b)) return NO_QUOTIENT;
  if (a.kind === Kind.Zero) {
    setZero(out, a.sign);
    return 0;
  }
  if (b.kind === Kind.Infinity) {
    pass(a, out);
    return 0;
  }
  unpack(a, x);
  unpack(b, y);
  const distance = x.exponent - y.exponent;
  out.sign = a.sign;
  if (distance < -1 || (distance < 0 && !nearest)) {
    out.copy(x);
    round(out, 64);
    return 0;
  }
  const partial = distance >= 64;
  // The part that processors take: 32 to 63 bits, so that what is left is a multiple of 32.
  const steps = partial ? (distance & 31) | 32 : distance;
  let { high: r1, low: r0 } = x;
  let quotient = 0;
  let top = 0;
  let exponent = x.exponent;
  if (distance >= 0) {
    exponent = x.exponent - steps;
    for (let i = 0; i <= steps; i++) {
      if (i > 0) {
        top = r1 >>> 31;
        r1 = (r1 << 1) | (r0 >>> 31);
        r0 <<= 1;
        quotient <<= 1;
      }
      if (top !== 0 || notLess(r1, r0, y.high, y.low)) {
        r1 = (r1 - y.high - (r0 >>> 0 < y.low >>> 0 ? 1 : 0)) | 0;
        r0 = (r0 - y.low) | 0;
        quotient |= 1;
      }
    }
  }
  if (nearest && !partial && roundsToNext(r1, r0, distance, quotient)) {
    quotient++;
    out.sign ^= 1;
    // b - r, where r has the weight of b's exponent or, one step short, half of it.
    if (distance < 0) subtractFromTwice(r1, r0, out);
    else {
      out.high = (y.high - r1 - (y.low >>> 0 < r0 >>> 0 ? 1 : 0)) | 0;
      out.low = (y.low - r0) | 0;
    }
  } else {
    out.high = r1;
    out.low = r0;
  }
  out.rest = 0;
  if ((out.high | out.low) === 0) setZero(out, a.sign);
  else {
    out.exponent = exponent;
    normalise(out);
    round(out, 64);
  }
  return partial ? PARTIAL : quotient & 7;
}

/** Whether the remainder is more than half of the divisor, or half of it with an odd quotient. */
function roundsToNext(r1: number, r0: number, distance: number, quotient: number): boolean {
  // One step short, the remainder counts half.
  if (distance < 0) return !notLess(y.high, y.low, r1, r0);
  if (r1 < 0) return true;
  const twiceHigh = (r1 << 1) | (r0 >>> 31);
  const twiceLow = r0 << 1;
  if (twiceHigh === y.high && twiceLow === y.low) return (quotient & 1) !== 0;
  return notLess(twiceHigh, twiceLow, y.high, y.low);
}

/** out = 2y - r, which is below 2^64 because r > y. */
function subtractFromTwice(r1: number, r0: number, out: Extended): void {
  const twiceLow = y.low << 1;
  const twiceHigh = (y.high << 1) | (y.low >>> 31);
  out.high = (twiceHigh - r1 - (twiceLow >>> 0 < r0 >>> 0 ? 1 : 0)) | 0;
  out.low = (twiceLow - r0) | 0;
}

/** out = a, rounded to an integer. */
export function roundInteger(a: Extended, out: Extended): void {
  if (answerNan(a, out)) return;
  if (denormals(a, a)) return;
  if (a.kind === Kind.Zero || a.kind === Kind.Infinity || a.exponent >= BIAS + 63) {
    out.copy(a);
    return;
  }
  unpack(a, out);
  if (roundToInteger(out)) signal(Exception.Precision);
  out.exponent = BIAS + 63;
  if (out.rest !== 0) out.set(out.sign, BIAS + 64, 0x80000000, 0);
  if ((out.high | out.low) === 0) setZero(out, out.sign);
  else normalise(out);
}

/** out = a * 2^trunc(b). */
export function scale(a: Extended, b: Extended, out: Extended): void {
  if (answerNans(a, b, out)) return;
  if (b.kind === Kind.Infinity) {
    const vanishes = b.sign !== 0;
    if (a.kind === (vanishes ? Kind.Infinity : Kind.Zero)) invalid(out);
    else if (denormals(a, b)) return;
    else if (vanishes) setZero(out, a.sign);
    else setInfinity(out, a.sign);
    return;
  }
  if (denormals(a, b)) return;
  if (a.kind === Kind.Infinity || a.kind === Kind.Zero || b.kind === Kind.Zero) {
    pass(a, out);
    return;
  }
  unpack(a, out);
  if (b.exponent >= BIAS) {
    // 2^16 and more is beyond all exponents.
    const bits = Math.min(b.exponent - BIAS, 16);
    const steps = bits === 16 ? 0x10000 : b.high >>> (31 - bits);
    out.exponent += b.sign === 0 ? steps : -steps;
  }
  if (beyondAdjustment(out)) return;
  round(out, 64);
}

/** A result that even the adjusted exponent of an unmasked overflow or underflow cannot hold becomes infinity or zero. */
function beyondAdjustment(out: Extended): boolean {
  const { masks } = context;
  if (out.exponent - BIAS_ADJUST >= MAX_EXPONENT && (masks & Exception.Overflow) === 0) {
    signal(Exception.Overflow);
    signal(Exception.Precision);
    setInfinity(out, out.sign);
    context.roundedUp = 1;
    return true;
  }
  if (out.exponent + BIAS_ADJUST <= 0 && (masks & Exception.Underflow) === 0) {
    signal(Exception.Underflow);
    signal(Exception.Precision);
    setZero(out, out.sign);
    return true;
  }
  return false;
}

/** Exponent and significand of a, each a number. */
export function extract(a: Extended, exponent: Extended, significand: Extended): void {
  if (answerNan(a, significand)) {
    exponent.copy(significand);
    return;
  }
  if (denormals(a, a)) return;
  if (a.kind === Kind.Infinity) {
    significand.copy(a);
    setInfinity(exponent, 0);
  } else if (a.kind === Kind.Zero) {
    signal(Exception.ZeroDivide);
    significand.copy(a);
    setInfinity(exponent, 1);
  } else {
    unpack(a, significand);
    const value = significand.exponent - BIAS;
    significand.exponent = BIAS;
    if (value === 0) setZero(exponent, 0);
    else {
      exponent.set(value < 0 ? 1 : 0, BIAS + 31, Math.abs(value), 0);
      normalise(exponent);
    }
  }
}

/** The constants' last bit depends on rounding. */
export function constant(exponent: number, high: number, low: number, below: boolean, out: Extended): void {
  out.set(0, exponent, high, low);
  // `low` is the value cut off; it is nearer to the next number where `below` is false.
  const { rounding } = context;
  if (rounding === Rounding.Up || (rounding === Rounding.Nearest && !below)) out.low = (out.low + 1) | 0;
}
