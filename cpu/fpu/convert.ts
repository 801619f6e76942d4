/**
 * Between extended numbers and what else there is in memory: 80, 64 and 32 bits, integers, packed decimals.
 * May import extended.ts, round.ts and arithmetic.ts.
 *
 * Reading gives an Extended with its kind. Writing puts the low word first into `stored`; its answer is false where an
 * unmasked exception leaves memory as it is. Source: Intel SDM volume 1, sections 4.2, 4.7 (packed BCD), 4.9.1.1; volume 2
 * (FLD, FST, FILD, FIST, FBLD, FBSTP).
 */
import {
  answerNan,
  BIAS,
  classify,
  context,
  Exception,
  Extended,
  Kind,
  MAX_EXPONENT,
  normalise,
  setZero,
  signal,
  stopped,
  unpack,
} from "./extended";
import { round, roundToInteger } from "./round";

const x = new Extended();
const quiet = new Extended();

/** What was written last, as little-endian words: one for a single, two for a double or integer, three for decimals. */
export const stored = new Int32Array(3);

/** A number in extended format: three words, of the last of which 16 bits count. */
export function fromExtended(low: number, high: number, top: number, out: Extended): void {
  out.set((top >>> 15) & 1, top & MAX_EXPONENT, high, low);
  out.kind = classify(out);
}

/** A single. */
export function fromSingle(bits: number, out: Extended): void {
  fromFormat(bits >>> 31, (bits >>> 23) & 0xff, 0xff, ((bits & 0x7fffff) << 8) | 0, 0, out);
}

/** A double. */
export function fromDouble(low: number, high: number, out: Extended): void {
  const fraction = ((high & 0xfffff) << 11) | (low >>> 21);
  fromFormat(high >>> 31, (high >>> 20) & 0x7ff, 0x7ff, fraction, low << 11, out);
}

/** `high` and `low` hold the fraction below where J goes. */
function fromFormat(sign: number, exponent: number, top: number, high: number, low: number, out: Extended): void {
  const rebias = BIAS - (top >> 1);
  if (exponent === 0) {
    out.set(sign, 0, high, low);
    out.kind = (high | low) === 0 ? Kind.Zero : Kind.Denormal;
    if (out.kind === Kind.Zero) return;
    out.exponent = 1 + rebias;
    normalise(out);
    return;
  }
  out.set(sign, exponent === top ? MAX_EXPONENT : exponent + rebias, high | 0x80000000, low);
  out.kind = classify(out);
}

/** A 64-bit integer. */
export function fromInteger(low: number, high: number, out: Extended): void {
  const sign = high >>> 31;
  if ((low | high) === 0) {
    setZero(out, 0);
    out.kind = Kind.Zero;
    return;
  }
  if (sign === 0) out.set(0, BIAS + 63, high, low);
  else out.set(1, BIAS + 63, ~high + (low === 0 ? 1 : 0), -low);
  normalise(out);
  out.kind = Kind.Normal;
}

/** Eighteen decimal digits, two a byte, and a sign in the last. Nibbles above 9 count what they say. */
export function fromDecimal(bytes: Uint8Array, at: number, out: Extended): void {
  let high = 0;
  let low = 0;
  for (let i = 8; i >= 0; i--) {
    const byte = bytes[at + i];
    // Times 100, plus two digits.
    const product = (low >>> 0) * 100 + (byte >> 4) * 10 + (byte & 15);
    low = product | 0;
    high = (Math.imul(high, 100) + Math.floor(product / 0x100000000)) | 0;
  }
  const sign = bytes[at + 9] >> 7;
  if ((high | low) === 0) {
    setZero(out, sign);
    out.kind = Kind.Zero;
    return;
  }
  out.set(sign, BIAS + 63, high, low);
  normalise(out);
  out.kind = Kind.Normal;
}

/** Loads as FLD does what came from a single or double: NaNs become quiet, denormals are told. */
export function load(a: Extended, out: Extended): void {
  if (answerNan(a, out)) return;
  if (a.kind === Kind.Denormal) signal(Exception.Denormal);
  out.copy(a);
}

export function toSingle(a: Extended): boolean {
  if (!toFormat(a, 24, 0xff)) return false;
  stored[0] = (x.sign << 31) | (x.exponent << 23) | ((x.high >>> 8) & 0x7fffff);
  return true;
}

export function toDouble(a: Extended): boolean {
  if (!toFormat(a, 53, 0x7ff)) return false;
  stored[0] = (x.high << 21) | (x.low >>> 11);
  stored[1] = (x.sign << 31) | (x.exponent << 20) | ((x.high >>> 11) & 0xfffff);
  return true;
}

/** Rounds into x, with the exponent of the format. */
function toFormat(a: Extended, precision: number, top: number): boolean {
  if (answerNan(a, quiet)) {
    x.copy(quiet);
    x.exponent = top;
    return !stopped();
  }
  if (a.kind === Kind.Infinity || a.kind === Kind.Zero) {
    x.copy(a);
    if (a.kind === Kind.Infinity) x.exponent = top;
    return true;
  }
  unpack(a, x);
  x.exponent += (top >> 1) - BIAS;
  return round(x, precision, top);
}

/** An integer of 16, 32 or 64 bits, rounded. What does not fit is invalid and becomes the smallest. */
export function toInteger(a: Extended, bits: number): boolean {
  if (a.kind === Kind.Zero) {
    stored[0] = 0;
    stored[1] = 0;
    return true;
  }
  if (a.kind > Kind.Normal || !integerPart(a) || !fits(bits)) return integerIndefinite(bits);
  if (x.rest !== 0) signal(Exception.Precision);
  stored[0] = x.sign === 0 ? x.low : -x.low;
  stored[1] = x.sign === 0 ? x.high : ~x.high + (x.low === 0 ? 1 : 0);
  return true;
}

/** The rounded integer part in x, and in `rest` whether it is inexact; false when it has more than 64 bits. */
function integerPart(a: Extended): boolean {
  unpack(a, x);
  if (x.exponent > BIAS + 63) return false;
  const inexact = roundToInteger(x);
  if (x.rest !== 0) return false;
  x.rest = inexact ? 1 : 0;
  return true;
}

/** Whether the integer in x is one of so many bits, in two's complement. */
function fits(bits: number): boolean {
  const { sign, high, low } = x;
  if (bits === 64) return high >= 0 || (sign !== 0 && high << 1 === 0 && low === 0);
  const limit = bits === 32 ? 0x80000000 : 0x8000;
  return high === 0 && (low >>> 0 < limit || (sign !== 0 && low >>> 0 === limit));
}

function integerIndefinite(bits: number): boolean {
  context.roundedUp = 0;
  stored[0] = bits === 64 ? 0 : bits === 32 ? 0x80000000 : 0x8000;
  stored[1] = 0x80000000;
  return !signal(Exception.Invalid);
}

/** Eighteen digits; what has more is invalid and becomes the decimal indefinite. */
export function toDecimal(a: Extended): boolean {
  if (a.kind === Kind.Zero) {
    stored.fill(0);
    stored[2] = a.sign << 15;
    return true;
  }
  // 10^18 - 1.
  const tooLarge =
    a.kind > Kind.Normal ||
    !integerPart(a) ||
    x.high >>> 0 > 0xde0b6b3 ||
    (x.high === 0xde0b6b3 && x.low >>> 0 > 0xa763ffff);
  if (tooLarge) {
    context.roundedUp = 0;
    stored[0] = 0;
    stored[1] = 0xc0000000;
    stored[2] = 0xffff;
    return !signal(Exception.Invalid);
  }
  if (x.rest !== 0) signal(Exception.Precision);
  stored.fill(0);
  for (let digit = 0; digit < 18; digit++) {
    // The number divided by ten, 16 bits at a time.
    let remainder = 0;
    let quotient = 0;
    for (let half = 0; half < 4; half++) {
      const word = half < 2 ? x.high : x.low;
      const part = remainder * 0x10000 + ((half & 1) === 0 ? word >>> 16 : word & 0xffff);
      quotient = (part / 10) | 0;
      remainder = part % 10;
      if (half === 0) x.high = (quotient << 16) | (x.high & 0xffff);
      else if (half === 1) x.high = (x.high & ~0xffff) | quotient;
      else if (half === 2) x.low = (quotient << 16) | (x.low & 0xffff);
      else x.low = (x.low & ~0xffff) | quotient;
    }
    stored[digit >> 3] |= remainder << ((digit & 7) * 4);
  }
  stored[2] |= x.sign << 15;
  return true;
}
