/**
 * F2XM1, FYL2X, FYL2XP1, FPATAN, FSIN, FCOS, FSINCOS, FPTAN on extended numbers. May import extended.ts, round.ts, fixed.ts.
 *
 * Operands are turned into exact integers, the function is worked out in fixed point to some 160 bits, and the result is
 * rounded once by the control word's rounding mode, to 64 bits whatever the precision control says. Angles are reduced as
 * processors reduce them, by a pi of 66 bits: what is below is the exact remainder of that division. Inexact is raised for
 * exact results too, and sine, tangent and arctangent of a tiny number are that number in every rounding mode, as on
 * processors. Source: Intel SDM volume 2, under each mnemonic (special values); volume 1, section 8.3.8 (pi).
 */
import {
  answerNan,
  answerNans,
  BIAS,
  denormals,
  Exception,
  Extended,
  invalid,
  Kind,
  setInfinity,
  setZero,
  signal,
  unpack,
} from "./extended";
import {
  arctangent,
  bitLength,
  cosine,
  cut,
  exponentialMinusOne,
  LN2,
  LOG2E,
  logarithm,
  PI,
  PRECISION,
  sine,
  times,
} from "./fixed";
import { round } from "./round";

const x = new Extended();
const y = new Extended();

/** The processors' pi times 2^66. */
const PI66 = 0xc90fdaa22168c234cn;
/** Exponent of 2^63, from which on angles are not reduced. */
const TOO_LARGE = BIAS + 63;

/** The significand of an unpacked number as an integer; the number is that times 2^(exponent - BIAS - 63). */
function integerOf({ high, low }: Extended): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

/** Rounds value * 2^-fraction, which is positive and has had something cut off. */
function deliver(sign: number, value: bigint, fraction: number, out: Extended): void {
  roundInto(sign, value, fraction, 1, out);
}

/** The same for an exact value. It is told as inexact, and as underflow when it is denormal, all the same. */
function deliverExact(sign: number, value: bigint, fraction: number, out: Extended): void {
  roundInto(sign, value, fraction, 0, out);
  signal(out.exponent === 0 ? Exception.Precision | Exception.Underflow : Exception.Precision);
}

function roundInto(sign: number, value: bigint, fraction: number, lost: number, out: Extended): void {
  const length = bitLength(value);
  // 96 bits: significand and rest.
  const shift = length - 96;
  const kept = shift > 0 ? value >> BigInt(shift) : value << BigInt(-shift);
  const cutOff = shift > 0 && kept << BigInt(shift) !== value ? 1 : lost;
  out.set(
    sign,
    BIAS + length - 1 - fraction,
    Number(BigInt.asIntN(32, kept >> 64n)),
    Number(BigInt.asIntN(32, kept >> 32n)),
  );
  out.rest = Number(BigInt.asIntN(32, kept)) | cutOff;
  round(out, 64);
}

/** The value of an unpacked number in fixed point of enough bits for its size; the number of fraction bits in `fixedBits`. */
function toFixed(from: Extended): bigint {
  fixedBits = PRECISION + Math.max(0, BIAS - from.exponent);
  return integerOf(from) << BigInt(fixedBits + from.exponent - BIAS - 63);
}
let fixedBits = 0;

/** out = 2^a - 1 for |a| <= 1; what is larger stays, as processors leave it. */
export function powerMinusOne(a: Extended, out: Extended): void {
  if (answerNan(a, out) || denormals(a, a)) return;
  if (a.kind === Kind.Zero) {
    out.copy(a);
    return;
  }
  if (a.kind === Kind.Infinity) {
    if (a.sign === 0) out.copy(a);
    else out.set(1, BIAS, 0x80000000, 0);
    return;
  }
  unpack(a, x);
  if (x.exponent >= BIAS) {
    // 2^1 - 1 and 2^-1 - 1 are exact, and inexact is raised all the same.
    signal(Exception.Precision);
    const isOne = x.exponent === BIAS && x.high << 1 === 0 && x.low === 0;
    if (isOne && x.sign !== 0) out.set(1, BIAS - 1, 0x80000000, 0);
    else out.copy(a);
    return;
  }
  const argument = times(toFixed(x), LN2);
  const value = exponentialMinusOne(x.sign === 0 ? argument : -argument, fixedBits);
  deliver(x.sign, value < 0n ? -value : value, fixedBits, out);
}

/** out = b * log2(a). */
export function timesLogarithm(a: Extended, b: Extended, out: Extended): void {
  if (answerNans(a, b, out)) return;
  if (a.kind === Kind.Zero) {
    if (b.kind === Kind.Zero) invalid(out);
    else if (b.kind === Kind.Infinity) setInfinity(out, b.sign ^ 1);
    else {
      signal(Exception.ZeroDivide);
      setInfinity(out, b.sign ^ 1);
    }
    return;
  }
  if (a.sign !== 0) {
    invalid(out);
    return;
  }
  if (a.kind === Kind.Infinity) {
    if (b.kind === Kind.Zero) invalid(out);
    else if (!denormals(a, b)) setInfinity(out, b.sign);
    return;
  }
  unpack(a, x);
  const isPower = x.high << 1 === 0 && x.low === 0;
  if (b.kind === Kind.Infinity) {
    if (isPower && x.exponent === BIAS) invalid(out);
    else if (!denormals(a, b)) setInfinity(out, x.exponent < BIAS ? b.sign ^ 1 : b.sign);
    return;
  }
  if (denormals(a, b)) return;
  if (b.kind === Kind.Zero || (isPower && x.exponent === BIAS)) {
    setZero(out, x.exponent < BIAS ? b.sign ^ 1 : b.sign);
    return;
  }
  unpack(b, y);
  // a = m * 2^e with m from sqrt(1/2) to sqrt(2), so that nothing cancels.
  const half = x.high >>> 0 > 0xb504f333 ? 1 : 0;
  const e = BigInt(x.exponent - BIAS + half);
  const one = 1n << BigInt(63 + half);
  // Next to 1 the logarithm is as small as 2^-64.
  const bits = PRECISION + 64;
  const fractional = isPower ? 0n : times(logarithm(integerOf(x) - one, one, bits), LOG2E);
  const log = (e << BigInt(bits)) + fractional;
  const negative = log < 0n;
  const product = integerOf(y) * (negative ? -log : log);
  const fraction = bits - (y.exponent - BIAS - 63);
  if (isPower) deliverExact(y.sign ^ (negative ? 1 : 0), product, fraction, out);
  else deliver(y.sign ^ (negative ? 1 : 0), product, fraction, out);
}

/** out = b * log2(1 + a). */
export function timesLogarithmPlusOne(a: Extended, b: Extended, out: Extended): void {
  if (answerNans(a, b, out)) return;
  const sign = a.sign ^ b.sign;
  if (a.kind === Kind.Infinity) {
    if (a.sign !== 0 || b.kind === Kind.Zero) invalid(out);
    else if (!denormals(a, b)) setInfinity(out, b.sign);
    return;
  }
  if (b.kind === Kind.Infinity) {
    if (a.kind === Kind.Zero) invalid(out);
    else if (!denormals(a, b)) setInfinity(out, sign);
    return;
  }
  if (denormals(a, b)) return;
  if (a.kind === Kind.Zero || b.kind === Kind.Zero) {
    setZero(out, sign);
    return;
  }
  unpack(a, x);
  if (x.sign !== 0 && x.exponent >= BIAS) {
    // No logarithm, and outside what the manual defines: the operand is the answer.
    signal(Exception.Precision);
    out.copy(a);
    return;
  }
  unpack(b, y);
  const small = x.exponent < BIAS - 1;
  const log = small ? smallLogarithm() : largeLogarithm();
  const magnitude = integerOf(y) * (log < 0n ? -log : log);
  const fraction = logarithmBits - (y.exponent - BIAS - 63);
  // Of a power of two.
  const exact = !small && BigInt.asUintN(logarithmBits, log) === 0n;
  if (exact) deliverExact(sign, magnitude, fraction, out);
  else deliver(sign, magnitude, fraction, out);
}

/** Fraction bits of what the next two functions return. */
let logarithmBits = 0;

/** log2(1 + x) for x below 0.5 in magnitude. */
function smallLogarithm(): bigint {
  const argument = toFixed(x);
  logarithmBits = fixedBits;
  return times(logarithm(x.sign === 0 ? argument : -argument, 1n << BigInt(fixedBits), fixedBits), LOG2E);
}

/** log2(1 + x) for x of 0.5 and more in magnitude. */
function largeLogarithm(): bigint {
  // An exact integer times 2^-scale.
  const scale = Math.max(0, 63 + BIAS - x.exponent);
  const magnitude = integerOf(x) << BigInt(Math.max(0, x.exponent - BIAS - 63));
  const sum = (1n << BigInt(scale)) + (x.sign === 0 ? magnitude : -magnitude);
  let e = bitLength(sum) - 1;
  // The mantissa is below sqrt(2): compare squares.
  if (sum * sum > 1n << BigInt(2 * e + 1)) e++;
  const one = 1n << BigInt(e);
  logarithmBits = PRECISION + 64;
  const whole = BigInt(e - scale) << BigInt(logarithmBits);
  return whole + times(logarithm(sum - one, one, logarithmBits), LOG2E);
}

/** out = the angle of the point (a, b): atan(b / a) in its quadrant. */
export function angle(a: Extended, b: Extended, out: Extended): void {
  if (answerNans(a, b, out) || denormals(a, b)) return;
  const bits = PRECISION + 2;
  if (b.kind === Kind.Infinity) {
    const eighths = a.kind !== Kind.Infinity ? 4n : a.sign === 0 ? 2n : 6n;
    deliver(b.sign, (cut(PI, bits) * eighths) >> 3n, bits, out);
    return;
  }
  if (a.kind === Kind.Infinity || b.kind === Kind.Zero) {
    if (a.sign === 0) setZero(out, b.sign);
    else deliver(b.sign, cut(PI, bits), bits, out);
    return;
  }
  if (a.kind === Kind.Zero) {
    deliver(b.sign, cut(PI, bits) >> 1n, bits, out);
    return;
  }
  unpack(a, x);
  unpack(b, y);
  let distance = x.exponent - y.exponent;
  let [numerator, denominator] = [integerOf(y), integerOf(x)];
  const steep = distance < 0 || (distance === 0 && numerator > denominator);
  if (steep) {
    [numerator, denominator] = [denominator, numerator];
    distance = -distance;
  }
  // Below 2^-300 the quotient is lost beside pi.
  const alone = !steep && a.sign === 0;
  const fraction = PRECISION + 2 + (alone ? distance : Math.min(distance, 300));
  const shifted = distance > 300 && !alone ? 0n : numerator << BigInt(fraction - distance);
  const quotient = shifted / denominator;
  const divides = quotient * denominator === shifted;
  let value = arctangent(quotient, fraction);
  if (alone) {
    if (divides && value === quotient) {
      deliverExact(b.sign, value, fraction, out);
      return;
    }
  } else {
    const pi = (PI << BigInt(Math.max(0, fraction - 320))) >> BigInt(Math.max(0, 320 - fraction));
    if (!steep) value = pi - value;
    else value = a.sign === 0 ? (pi >> 1n) - value : (pi >> 1n) + value;
  }
  deliver(b.sign, value, fraction, out);
}

/** Quadrant of an angle after reduction, and the rest in fixed point: -pi/4 to pi/4. */
let quadrant = 0;
let residue = 0n;
let residueBits = 0;

/** Reduces an unpacked angle below 2^63. */
function reduce(): void {
  quadrant = 0;
  const significand = x.sign === 0 ? integerOf(x) : -integerOf(x);
  const below = BIAS + 63 - x.exponent;
  if (x.exponent < BIAS - 1) {
    residueBits = PRECISION + BIAS - x.exponent;
    residue = significand << BigInt(residueBits - below);
    return;
  }
  // pi / 2 is PI66 * 2^-67.
  const scale = Math.max(67, below);
  const quarter = PI66 << BigInt(scale - 67);
  const exact = significand << BigInt(scale - below);
  const turns = floorDivide(2n * exact + quarter, 2n * quarter);
  const rest = exact - turns * quarter;
  quadrant = Number(turns & 3n);
  residueBits = PRECISION + scale - bitLength(rest < 0n ? -rest : rest);
  residueBits = Math.max(residueBits, scale);
  residue = rest << BigInt(residueBits - scale);
}

function floorDivide(n: bigint, d: bigint): bigint {
  const q = n / d;
  return n < 0n && q * d !== n ? q - 1n : q;
}

/** Whether the reduced angle is so small that its sine is itself, as far as is reckoned. */
function isTiny(): boolean {
  return quadrant === 0 && sine(residue, residueBits) === residue;
}

function residueCosine(): bigint {
  const value = cosine(residue, residueBits);
  // A cosine is never quite 1.
  return value >> BigInt(residueBits) === 1n ? value - 1n : value;
}

/** Deals with what is no angle: true when `out` is the answer (or there is none). `tooLarge` says why. */
export let tooLarge = false;

function noAngle(a: Extended, out: Extended): boolean {
  tooLarge = false;
  if (answerNan(a, out)) return true;
  if (a.kind === Kind.Infinity) {
    invalid(out);
    return true;
  }
  if (denormals(a, a)) return true;
  tooLarge = a.exponent >= TOO_LARGE;
  if (a.kind !== Kind.Zero && !tooLarge) {
    unpack(a, x);
    reduce();
  }
  return tooLarge;
}

function deliverSigned(value: bigint, negate: boolean, out: Extended): void {
  const negative = value < 0n;
  deliver(negative !== negate ? 1 : 0, negative ? -value : value, residueBits, out);
}

/** The angle itself. */
function deliverResidue(out: Extended): void {
  deliverExact(residue < 0n ? 1 : 0, residue < 0n ? -residue : residue, residueBits, out);
}

/** The sine of the angle that reduce() has taken apart, a quarter turn further for `shift` = 1: its cosine. */
function deliverSine(shift: number, out: Extended): void {
  if (shift === 0 && isTiny()) {
    deliverResidue(out);
    return;
  }
  const turned = (quadrant + shift) & 3;
  deliverSigned((turned & 1) === 0 ? sine(residue, residueBits) : residueCosine(), turned >= 2, out);
}

/** out = sin a; nothing where `tooLarge`. */
export function sineOf(a: Extended, out: Extended): void {
  if (noAngle(a, out)) return;
  if (a.kind === Kind.Zero) out.copy(a);
  else deliverSine(0, out);
}

/** out = cos a; nothing where `tooLarge`. */
export function cosineOf(a: Extended, out: Extended): void {
  if (noAngle(a, out)) return;
  if (a.kind === Kind.Zero) out.set(0, BIAS, 0x80000000, 0);
  else deliverSine(1, out);
}

/** out = sin a and second = cos a; nothing where `tooLarge`. */
export function sineAndCosine(a: Extended, out: Extended, second: Extended): void {
  if (noAngle(a, out)) {
    second.copy(out);
    return;
  }
  if (a.kind === Kind.Zero) {
    out.copy(a);
    second.set(0, BIAS, 0x80000000, 0);
    return;
  }
  deliverSine(0, out);
  deliverSine(1, second);
}

/** out = tan a and second = 1; nothing where `tooLarge`. */
export function tangent(a: Extended, out: Extended, second: Extended): void {
  if (noAngle(a, out)) {
    second.copy(out);
    return;
  }
  second.set(0, BIAS, 0x80000000, 0);
  if (a.kind === Kind.Zero) {
    out.copy(a);
    return;
  }
  if (isTiny()) {
    deliverResidue(out);
    return;
  }
  const [sin, cos] = [sine(residue, residueBits), residueCosine()];
  const odd = (quadrant & 1) !== 0;
  const [numerator, denominator] = odd ? [-cos, sin] : [sin, cos];
  const negative = numerator < 0n !== denominator < 0n;
  const [n, d] = [numerator < 0n ? -numerator : numerator, denominator < 0n ? -denominator : denominator];
  const fraction = PRECISION + Math.max(0, bitLength(d) - bitLength(n));
  deliver(negative ? 1 : 0, (n << BigInt(fraction)) / d, fraction, out);
}
