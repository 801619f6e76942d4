/**
 * Elementary functions in fixed point, on BigInt: a number v with F fraction bits stands for v / 2^F. May import nothing.
 *
 * The caller chooses F so that argument and result have at least PRECISION significant bits; the errors here are a few
 * dozen units of 2^-F, which leaves some 85 bits beyond an extended significand: a result is on the wrong side of a
 * rounding boundary once in 2^85 times, and is within half an ulp and 2^-85 of it always.
 * Source: the Taylor series; argument halving of the arctangent: atan z = 2 atan(z / (1 + sqrt(1 + z^2))).
 */

/** Significant bits that arguments have. */
export const PRECISION = 160;

/** Fraction bits of the constants. */
const CONSTANT_BITS = 320;

/** Bits of a number that is not negative. */
export function bitLength(value: bigint): number {
  const digits = value.toString(16);
  return digits.length * 4 - Math.clz32(Number.parseInt(digits[0], 16)) + 28;
}

/** The largest integer whose square is not above `value`. */
function squareRootOf(value: bigint): bigint {
  if (value === 0n) return 0n;
  let root = 1n << BigInt((bitLength(value) + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** z - z^3/3 + z^5/5 - …, or with plus signs for `hyperbolic`; z well below 1. */
function arctangentSeries(z: bigint, bits: bigint, hyperbolic: boolean): bigint {
  const square = (z * z) >> bits;
  let sum = z;
  let power = z;
  for (let n = 3n; ; n += 2n) {
    power = (power * square) >> bits;
    const term = power / n;
    if (term === 0n) return sum;
    sum += hyperbolic || (n & 2n) === 0n ? term : -term;
  }
}

/** atan z for 0 <= z <= 1. */
export function arctangent(z: bigint, fraction: number): bigint {
  const bits = BigInt(fraction);
  const one = 1n << bits;
  let reduced = z;
  let doublings = 0n;
  // Small arguments need no halving.
  while (reduced >> (bits - 3n) !== 0n) {
    reduced = (reduced << bits) / (one + squareRootOf((one << bits) + reduced * reduced));
    doublings++;
  }
  return arctangentSeries(reduced, bits, false) << doublings;
}

/** ln(1 + n/d) for n/d from -0.3 to 0.5. */
export function logarithm(n: bigint, d: bigint, fraction: number): bigint {
  // 2 atanh(n / (2d + n)), which is odd.
  const negative = n < 0n;
  const z = ((negative ? -n : n) << BigInt(fraction)) / (2n * d + n);
  const value = arctangentSeries(z, BigInt(fraction), true) << 1n;
  return negative ? -value : value;
}

/** e^y - 1 for |y| < 1. */
export function exponentialMinusOne(y: bigint, fraction: number): bigint {
  const bits = BigInt(fraction);
  let sum = y;
  let term = y;
  for (let n = 2n; ; n++) {
    term = (term * y) / (n << bits);
    if (term === 0n) return sum;
    sum += term;
  }
}

/** sin x for |x| < 1. */
export function sine(x: bigint, fraction: number): bigint {
  return alternating(x, x, 2n, fraction);
}

/** cos x for |x| < 1. */
export function cosine(x: bigint, fraction: number): bigint {
  return alternating(1n << BigInt(fraction), x, 1n, fraction);
}

/** first - first x^2 / (n (n + 1)) + …: the series of sine and cosine. */
function alternating(first: bigint, x: bigint, start: bigint, fraction: number): bigint {
  const square = (x * x) >> BigInt(fraction);
  let sum = first;
  let term = first;
  for (let n = start; ; n += 2n) {
    term = -(term * square) / ((n * (n + 1n)) << BigInt(fraction));
    if (term === 0n) return sum;
    sum += term;
  }
}

/** A constant cut to any number of fraction bits up to CONSTANT_BITS. */
export function cut(constant: bigint, fraction: number): bigint {
  return constant >> BigInt(CONSTANT_BITS - fraction);
}

/** value * constant, with the fraction bits of `value`. */
export function times(value: bigint, constant: bigint): bigint {
  return (value * constant) >> BigInt(CONSTANT_BITS);
}

const GUARD = 16n;

/** ln 2 = 2 atanh(1/3). */
export const LN2 =
  arctangentSeries((1n << (BigInt(CONSTANT_BITS) + GUARD)) / 3n, BigInt(CONSTANT_BITS) + GUARD, true) >> (GUARD - 1n);

/** 1 / ln 2. */
export const LOG2E = (1n << BigInt(2 * CONSTANT_BITS)) / LN2;

/** pi = 16 atan(1/5) - 4 atan(1/239) (Machin). */
export const PI = (() => {
  const bits = BigInt(CONSTANT_BITS) + GUARD;
  const one = 1n << bits;
  const sum = 16n * arctangentSeries(one / 5n, bits, false) - 4n * arctangentSeries(one / 239n, bits, false);
  return sum >> GUARD;
})();
