/**
 * Addition, subtraction, multiplication, division, square root of extended numbers. May import extended.ts and round.ts.
 * Operands carry their `kind`; results are rounded to context.precision and have none. Where stopped() holds afterwards,
 * `out` is no result. Source: Intel SDM volume 2 (FADD, FSUB, FMUL, FDIV, FSQRT: tables of special values); volume 1, 8.5.
 */
import {
  answerNan,
  answerNans,
  BIAS,
  context,
  denormals,
  Exception,
  Extended,
  invalid,
  Kind,
  normalise,
  Rounding,
  setInfinity,
  setZero,
  shiftRight,
  signal,
  unpack,
} from "./extended";
import { round } from "./round";

const x = new Extended();
const y = new Extended();

/** out = a + b. */
export function add(a: Extended, b: Extended, out: Extended): void {
  sum(a, b, b.sign, out);
}

/** out = a - b. */
export function subtract(a: Extended, b: Extended, out: Extended): void {
  sum(a, b, b.sign ^ 1, out);
}

/** out = b - a. */
export function subtractReversed(a: Extended, b: Extended, out: Extended): void {
  sum(b, a, a.sign ^ 1, out);
}

function sum(a: Extended, b: Extended, sign: number, out: Extended): void {
  if (answerNans(a, b, out)) return;
  if (a.kind === Kind.Infinity || b.kind === Kind.Infinity) {
    if (a.kind === b.kind && a.sign !== sign) invalid(out);
    else if (!denormals(a, b)) setInfinity(out, a.kind === Kind.Infinity ? a.sign : sign);
    return;
  }
  if (denormals(a, b)) return;
  if (a.kind === Kind.Zero || b.kind === Kind.Zero) {
    if (a.kind === b.kind) setZero(out, a.sign === sign ? sign : zeroSign());
    else {
      unpack(a.kind === Kind.Zero ? b : a, out);
      if (a.kind === Kind.Zero) out.sign = sign;
      round(out, context.precision);
    }
    return;
  }
  unpack(a, x);
  unpack(b, y);
  y.sign = sign;
  if (x.exponent >= y.exponent) addAligned(x, y, out);
  else addAligned(y, x, out);
}

/** The sign of an exact difference of zero. */
function zeroSign(): number {
  return context.rounding === Rounding.Down ? 1 : 0;
}

/** Adds a normalised number and one of no larger exponent, which is lost. */
function addAligned(large: Extended, small: Extended, out: Extended): void {
  shiftRight(small, large.exponent - small.exponent);
  out.sign = large.sign;
  out.exponent = large.exponent;
  if (large.sign === small.sign) {
    const low = (large.low >>> 0) + (small.low >>> 0);
    const high = (large.high >>> 0) + (small.high >>> 0) + (low > 0xffffffff ? 1 : 0);
    out.low = low | 0;
    out.high = high | 0;
    out.rest = small.rest;
    if (high > 0xffffffff) {
      shiftRight(out, 1);
      out.high |= 0x80000000;
      out.exponent++;
    }
  } else {
    // large has nothing in rest.
    const borrow = small.rest !== 0 ? 1 : 0;
    const low = (large.low >>> 0) - (small.low >>> 0) - borrow;
    const high = (large.high >>> 0) - (small.high >>> 0) - (low < 0 ? 1 : 0);
    out.rest = -small.rest | 0;
    out.low = low | 0;
    out.high = high | 0;
    if (high < 0) {
      // Equal exponents, so that nothing is in rest.
      out.sign = small.sign;
      out.low = -out.low | 0;
      out.high = (~out.high + (out.low === 0 ? 1 : 0)) | 0;
    }
    if ((out.high | out.low | out.rest) === 0) {
      setZero(out, zeroSign());
      return;
    }
    normalise(out);
  }
  round(out, context.precision);
}

/** The upper 32 bits of the product of two unsigned words. */
export function multiplyHigh(a: number, b: number): number {
  const a1 = a >>> 16;
  const a0 = a & 0xffff;
  const b1 = b >>> 16;
  const b0 = b & 0xffff;
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const other = a0 * b1 + (middle & 0xffff);
  return (a1 * b1 + (middle >>> 16) + (other >>> 16)) | 0;
}

/** out = a * b. */
export function multiply(a: Extended, b: Extended, out: Extended): void {
  if (answerNans(a, b, out)) return;
  const sign = a.sign ^ b.sign;
  if (a.kind === Kind.Infinity || b.kind === Kind.Infinity) {
    if (a.kind === Kind.Zero || b.kind === Kind.Zero) invalid(out);
    else if (!denormals(a, b)) setInfinity(out, sign);
    return;
  }
  if (denormals(a, b)) return;
  if (a.kind === Kind.Zero || b.kind === Kind.Zero) {
    setZero(out, sign);
    return;
  }
  unpack(a, x);
  unpack(b, y);
  const lowest = Math.imul(x.low, y.low);
  const w1 = (multiplyHigh(x.low, y.low) >>> 0) + (Math.imul(x.low, y.high) >>> 0) + (Math.imul(x.high, y.low) >>> 0);
  const w2 =
    (multiplyHigh(x.low, y.high) >>> 0) +
    (multiplyHigh(x.high, y.low) >>> 0) +
    (Math.imul(x.high, y.high) >>> 0) +
    Math.floor(w1 / 0x100000000);
  out.sign = sign;
  out.exponent = x.exponent + y.exponent - BIAS + 1;
  out.high = (multiplyHigh(x.high, y.high) + Math.floor(w2 / 0x100000000)) | 0;
  out.low = w2 | 0;
  out.rest = w1 | (lowest !== 0 ? 1 : 0);
  // The bit that a shift by one brings up from the lowest word is only sticky: products of 64 bits have 127 at least.
  if (out.high >= 0) {
    out.rest = w1 | 0;
    out.high = (out.high << 1) | (out.low >>> 31);
    out.low = (out.low << 1) | (out.rest >>> 31);
    out.rest = (out.rest << 1) | (lowest !== 0 ? 1 : 0);
    out.exponent--;
  }
  round(out, context.precision);
}

/** out = a / b. */
export function divide(a: Extended, b: Extended, out: Extended): void {
  if (answerNans(a, b, out)) return;
  const sign = a.sign ^ b.sign;
  if (a.kind === Kind.Infinity) {
    if (b.kind === Kind.Infinity) invalid(out);
    else if (!denormals(a, b)) setInfinity(out, sign);
    return;
  }
  if (b.kind === Kind.Zero) {
    if (a.kind === Kind.Zero) invalid(out);
    else {
      signal(Exception.ZeroDivide);
      setInfinity(out, sign);
    }
    return;
  }
  if (denormals(a, b)) return;
  if (a.kind === Kind.Zero || b.kind === Kind.Infinity) {
    setZero(out, sign);
    return;
  }
  unpack(a, x);
  unpack(b, y);
  out.sign = sign;
  out.exponent = x.exponent - y.exponent + BIAS;
  quotient(x, y, out);
  round(out, context.precision);
}

/** out = b / a. */
export function divideReversed(a: Extended, b: Extended, out: Extended): void {
  divide(b, a, out);
}

/** Whether (high, low) >= (high2, low2), unsigned. */
export function notLess(high: number, low: number, high2: number, low2: number): boolean {
  return high === high2 ? low >>> 0 >= low2 >>> 0 : high >>> 0 > high2 >>> 0;
}

/** Significand of the quotient of two normalised ones, 64 bits and rest; the exponent goes down by one where it must. */
function quotient(dividend: Extended, divisor: Extended, out: Extended): void {
  const { high: d1, low: d0 } = divisor;
  let { high: r1, low: r0 } = dividend;
  let q1 = 0;
  let q0 = 0;
  // Of the remainder's 65 bits `top` is the highest.
  let top = 0;
  let bits = 64;
  if (!notLess(r1, r0, d1, d0)) out.exponent--;
  else {
    r1 = (r1 - d1 - (r0 >>> 0 < d0 >>> 0 ? 1 : 0)) | 0;
    r0 = (r0 - d0) | 0;
    q0 = 1;
    bits = 63;
  }
  for (; bits > 0; bits--) {
    top = r1 >>> 31;
    r1 = (r1 << 1) | (r0 >>> 31);
    r0 <<= 1;
    q1 = (q1 << 1) | (q0 >>> 31);
    q0 <<= 1;
    if (top !== 0 || notLess(r1, r0, d1, d0)) {
      r1 = (r1 - d1 - (r0 >>> 0 < d0 >>> 0 ? 1 : 0)) | 0;
      r0 = (r0 - d0) | 0;
      q0 |= 1;
    }
  }
  out.high = q1;
  out.low = q0;
  if ((r1 | r0) === 0) out.rest = 0;
  else {
    top = r1 >>> 31;
    r1 = (r1 << 1) | (r0 >>> 31);
    r0 <<= 1;
    const half = top !== 0 || notLess(r1, r0, d1, d0);
    out.rest = half ? 0x80000000 | (top !== 0 || r1 !== d1 || r0 !== d0 ? 1 : 0) : 1;
  }
}

/** out = the square root of a. */
export function squareRoot(a: Extended, out: Extended): void {
  if (answerNan(a, out)) return;
  if (a.kind === Kind.Zero) {
    setZero(out, a.sign);
    return;
  }
  if (a.sign !== 0) {
    invalid(out);
    return;
  }
  if (a.kind === Kind.Infinity) {
    setInfinity(out, 0);
    return;
  }
  if (denormals(a, a)) return;
  unpack(a, x);
  const odd = (x.exponent - BIAS) & 1;
  out.sign = 0;
  out.exponent = ((x.exponent - BIAS - odd) >> 1) + BIAS;
  // The radicand is 128 bits; an even exponent has it shifted right by one.
  root(odd ? x.high : x.high >>> 1, odd ? x.low : (x.high << 31) | (x.low >>> 1), odd ? 0 : x.low << 31, out);
  round(out, context.precision);
}

/** Significand of the root of the radicand whose upper three words are given, digit by digit. */
function root(n3: number, n2: number, n1: number, out: Extended): void {
  // Remainder r of up to 66 bits, root q of up to 64.
  let r2 = 0;
  let r1 = 0;
  let r0 = 0;
  let q1 = 0;
  let q0 = 0;
  for (let i = 0; i < 64; i++) {
    const word = i < 16 ? n3 : i < 32 ? n2 : i < 48 ? n1 : 0;
    r2 = (r2 << 2) | (r1 >>> 30);
    r1 = (r1 << 2) | (r0 >>> 30);
    r0 = (r0 << 2) | ((word >>> (30 - 2 * (i & 15))) & 3);
    // The trial is 4q + 1.
    const t2 = q1 >>> 30;
    const t1 = (q1 << 2) | (q0 >>> 30);
    const t0 = (q0 << 2) | 1;
    q1 = (q1 << 1) | (q0 >>> 31);
    q0 <<= 1;
    if (r2 > t2 || (r2 === t2 && notLess(r1, r0, t1, t0))) {
      const b0 = r0 >>> 0 < t0 >>> 0 ? 1 : 0;
      const b1 = (r1 >>> 0) - b0 < t1 >>> 0 ? 1 : 0;
      r0 = (r0 - t0) | 0;
      r1 = (r1 - t1 - b0) | 0;
      r2 = r2 - t2 - b1;
      q0 |= 1;
    }
  }
  out.high = q1;
  out.low = q0;
  // The root is never halfway; it lies above the middle when the remainder is larger than it.
  const above = r2 > 0 || (notLess(r1, r0, q1, q0) && (r1 !== q1 || r0 !== q0));
  out.rest = above ? 0x80000001 | 0 : (r2 | r1 | r0) === 0 ? 0 : 1;
}
