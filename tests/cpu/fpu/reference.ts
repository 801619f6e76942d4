/**
 * The transcendental functions to some 400 bits, by other ways than cpu/fpu/: halving and doubling for exponential and
 * cosine, Newton's iteration for logarithm and arctangent, Gauss and Legendre for pi. Imports nothing.
 * A real number is a BigInt with BITS fraction bits.
 */

/** Room for numbers from 2^-160 on with 400 significant bits. */
export const BITS = 640;
const ONE = 1n << BigInt(BITS);

export function multiply(a: bigint, b: bigint): bigint {
  return (a * b) >> BigInt(BITS);
}

export function divide(a: bigint, b: bigint): bigint {
  return (a << BigInt(BITS)) / b;
}

function root(a: bigint): bigint {
  const target = a << BigInt(BITS);
  let x = ONE * 2n;
  while (x * x > target) x = (x + target / x) >> 1n;
  return x;
}

/** Halvings before the series of exponential and cosine. */
const HALVINGS = 40;

/** e^x - 1, kept small: (1 + u)^2 - 1 = u (u + 2). */
export function exponentialMinusOne(x: bigint): bigint {
  const small = x >> BigInt(HALVINGS);
  let term = small;
  let sum = small;
  for (let n = 2n; term !== 0n && term !== -1n; n++) {
    term = multiply(term, small) / n;
    sum += term;
  }
  for (let i = 0; i < HALVINGS; i++) sum = multiply(sum, sum + 2n * ONE);
  return sum;
}

/** ln(1 + x) for x > -1, not too far from 0: Newton's iteration, each step doubling the correct bits. */
export function logarithmOnePlus(x: bigint): bigint {
  let y = toReal(Math.log1p(toNumber(x)));
  for (let i = 0; i < 5; i++) {
    const e = exponentialMinusOne(y);
    y += 2n * divide(x - e, x + e + 2n * ONE);
  }
  return y;
}

/** Cosine and sine: 1 - cos doubles as v (4 - 2 v). */
export function cosineAndSine(x: bigint): [bigint, bigint] {
  const small = x >> BigInt(HALVINGS);
  const square = multiply(small, small);
  let term = square >> 1n;
  let versine = term;
  for (let n = 3n; term !== 0n && term !== -1n; n += 2n) {
    term = -multiply(term, square) / (n * (n + 1n));
    versine += term;
  }
  for (let i = 0; i < HALVINGS; i++) versine = multiply(versine, 4n * ONE - 2n * versine);
  const sine = root(multiply(versine, 2n * ONE - versine));
  return [ONE - versine, x < 0n ? -sine : sine];
}

/** atan(y / x) for x > 0: Newton's iteration on the angle that is left. */
export function arctangent(y: bigint, x: bigint): bigint {
  let angle = toReal(Math.atan2(toNumber(y), toNumber(x)));
  for (let i = 0; i < 5; i++) {
    const [c, s] = cosineAndSine(angle);
    const left = divide(multiply(y, c) - multiply(x, s), multiply(x, c) + multiply(y, s));
    // atan d = d - d^3 / 3 + …
    angle += left - multiply(multiply(left, left), left) / 3n;
  }
  return angle;
}

/** Nearest double, roughly. */
function toNumber(x: bigint): number {
  const magnitude = x < 0n ? -x : x;
  const shift = Math.max(0, magnitude.toString(2).length - 60);
  const value = Number(magnitude >> BigInt(shift)) * 2 ** (shift - BITS);
  return x < 0n ? -value : value;
}

function toReal(x: number): bigint {
  if (x === 0) return 0n;
  const exponent = Math.floor(Math.log2(Math.abs(x)));
  return BigInt(Math.round(x * 2 ** (52 - exponent))) << BigInt(BITS - 52 + exponent);
}

/** pi by the arithmetic-geometric mean. */
export const PI = (() => {
  let a = ONE;
  let b = divide(ONE, root(2n * ONE));
  let t = ONE >> 2n;
  for (let p = 0n; p < 10n; p++) {
    const next = (a + b) >> 1n;
    const half = a - next;
    b = root(multiply(a, b));
    t -= multiply(half, half) << p;
    a = next;
  }
  return divide(multiply(a + b, a + b), 4n * t);
})();

export const LN2 = logarithmOnePlus(ONE);
