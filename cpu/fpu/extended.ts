/**
 * An 80-bit extended number taken apart, and what an operation is told and tells: rounding, precision, masks, exceptions.
 * May import nothing.
 *
 *     79 78        64 63 62                              0
 *     sign | exponent | J |            fraction           |    value = (-1)^sign * J.fraction * 2^(exponent - 3FFF)
 *
 * The significand is two int32 words, `high` (J in bit 31) and `low`. While a result is worked out its exponent may be any
 * int32 and `rest` holds the 32 bits below, the last of them set when anything non-zero lies lower still.
 * Invariants: objects of this file are made once, at the start; operations allocate nothing. Between instructions nothing
 * here means anything. Source: Intel SDM volume 1, sections 4.2.2 (formats), 8.1.4, 8.1.5 (control word), 8.2.2 (unsupported).
 */

/** What an operand is; an input of operations, not set by them. */
export const enum Kind {
  Zero,
  /** Of its own format: a single in memory that is denormal stays so when it has become extended. */
  Denormal,
  Normal,
  Infinity,
  Quiet,
  Signalling,
  /** Unnormal, pseudo-infinity, pseudo-NaN: formats of the 8087 that raise invalid since the 387. */
  Unsupported,
}

/** Exception flags of the status word; their masks are the same bits of the control word. */
export const enum Exception {
  Invalid = 1,
  Denormal = 2,
  ZeroDivide = 4,
  Overflow = 8,
  Underflow = 16,
  Precision = 32,
  StackFault = 64,
  /** Those that are found before there is a result: unmasked, they leave everything as it was. */
  BeforeResult = 7,
}

/** The control word's rounding field. */
export const enum Rounding {
  Nearest = 0,
  Down = 1,
  Up = 2,
  Chop = 3,
}

export const BIAS = 0x3fff;
export const MAX_EXPONENT = 0x7fff;
/** What an unmasked overflow takes from the exponent and an unmasked underflow adds to it. */
export const BIAS_ADJUST = 24576;

export class Extended {
  kind: Kind = Kind.Zero;
  sign = 0;
  exponent = 0;
  high = 0;
  low = 0;
  rest = 0;

  set(sign: number, exponent: number, high: number, low: number): void {
    this.sign = sign;
    this.exponent = exponent;
    this.high = high | 0;
    this.low = low | 0;
    this.rest = 0;
  }

  /** Everything but `kind`. */
  copy(from: Extended): void {
    this.sign = from.sign;
    this.exponent = from.exponent;
    this.high = from.high;
    this.low = from.low;
    this.rest = from.rest;
  }
}

class Context {
  rounding: Rounding = Rounding.Nearest;
  /** Bits of significand that arithmetic rounds to: 24, 53 or 64. */
  precision = 64;
  /** Exceptions that are masked. */
  masks = 0x3f;
  /** Exceptions raised so far, with Exception.StackFault. */
  flags = 0;
  /** 1: the result was rounded away from zero; after a stack fault, that it was an overflow. */
  roundedUp = 0;

  /** Takes the fields of a control word over and clears the rest. */
  start(control: number): void {
    this.rounding = (control >> 10) & 3;
    const precision = (control >> 8) & 3;
    this.precision = precision === 0 ? 24 : precision === 2 ? 53 : 64;
    this.masks = control & 0x3f;
    this.flags = 0;
    this.roundedUp = 0;
  }
}

/** Of the instruction that runs. */
export const context = new Context();

/** Raises an exception; true when it is unmasked. */
export function signal(exception: Exception): boolean {
  context.flags |= exception;
  return (exception & ~context.masks) !== 0;
}

/** Whether an exception has been raised that stops the instruction before it has a result. */
export function stopped(): boolean {
  return (context.flags & ~context.masks & Exception.BeforeResult) !== 0;
}

/** The kind of a number in the extended format. */
export function classify(x: Extended): Kind {
  const { exponent, high, low } = x;
  if (exponent === 0) return (high | low) === 0 ? Kind.Zero : Kind.Denormal;
  if (high >= 0) return Kind.Unsupported;
  if (exponent !== MAX_EXPONENT) return Kind.Normal;
  if (high << 1 === 0 && low === 0) return Kind.Infinity;
  return (high & 0x40000000) !== 0 ? Kind.Quiet : Kind.Signalling;
}

export function setZero(x: Extended, sign: number): void {
  x.set(sign, 0, 0, 0);
}

export function setInfinity(x: Extended, sign: number): void {
  x.set(sign, MAX_EXPONENT, 0x80000000, 0);
}

/** The QNaN that a masked invalid operation gives. */
export function setIndefinite(x: Extended): void {
  x.set(1, MAX_EXPONENT, 0xc0000000, 0);
}

/** The answer of an invalid operation. */
export function invalid(x: Extended): void {
  signal(Exception.Invalid);
  setIndefinite(x);
}

function isNan(x: Extended): boolean {
  return x.kind === Kind.Quiet || x.kind === Kind.Signalling;
}

/** Whether an operand is neither NaN nor unsupported. */
function isNumber(x: Extended): boolean {
  return x.kind <= Kind.Infinity;
}

/** Deals with an operand that is no number: true when it was one, and `out` is the answer. */
export function answerNan(a: Extended, out: Extended): boolean {
  if (isNumber(a)) return false;
  if (a.kind === Kind.Unsupported) invalid(out);
  else {
    if (a.kind === Kind.Signalling) signal(Exception.Invalid);
    out.set(a.sign, MAX_EXPONENT, a.high | 0x40000000, a.low);
  }
  return true;
}

/**
 * The same for two operands: a QNaN wins over an SNaN; of two alike the larger significand, then the positive one.
 */
export function answerNans(a: Extended, b: Extended, out: Extended): boolean {
  if (isNumber(a) && isNumber(b)) return false;
  if (a.kind === Kind.Unsupported || b.kind === Kind.Unsupported) {
    invalid(out);
    return true;
  }
  if (a.kind === Kind.Signalling || b.kind === Kind.Signalling) signal(Exception.Invalid);
  const from = !isNan(b) ? a : !isNan(a) ? b : preferred(a, b);
  out.set(from.sign, MAX_EXPONENT, from.high | 0x40000000, from.low);
  return true;
}

function preferred(a: Extended, b: Extended): Extended {
  if (a.kind !== b.kind) return a.kind === Kind.Quiet ? a : b;
  if (a.high !== b.high) return a.high >>> 0 > b.high >>> 0 ? a : b;
  if (a.low !== b.low) return a.low >>> 0 > b.low >>> 0 ? a : b;
  return a.sign === 0 ? a : b;
}

/** Raises the denormal exception when an operand is denormal; true when that stops the instruction. */
export function denormals(a: Extended, b: Extended): boolean {
  return (a.kind === Kind.Denormal || b.kind === Kind.Denormal) && signal(Exception.Denormal);
}

/** Shifts the significand left until J is set; it must not be zero. */
export function normalise(x: Extended): void {
  if (x.high === 0) {
    x.high = x.low;
    x.low = x.rest;
    x.rest = 0;
    x.exponent -= 32;
    if (x.high === 0) {
      x.high = x.low;
      x.low = 0;
      x.exponent -= 32;
    }
  }
  const n = Math.clz32(x.high);
  if (n === 0) return;
  x.high = (x.high << n) | (x.low >>> (32 - n));
  x.low = (x.low << n) | (x.rest >>> (32 - n));
  x.rest <<= n;
  x.exponent -= n;
}

/** `to` becomes a finite non-zero operand with J set and whatever exponent that takes. */
export function unpack(from: Extended, to: Extended): void {
  to.copy(from);
  // Denormals have the exponent that 1 means.
  if (to.exponent === 0) to.exponent = 1;
  normalise(to);
}

/** Shifts the significand right by `count` bits, keeping in the last bit of `rest` whether anything was lost. */
export function shiftRight(x: Extended, count: number): void {
  let n = count;
  if (n > 96) n = 96;
  while (n >= 32) {
    x.rest = x.low | (x.rest !== 0 ? 1 : 0);
    x.low = x.high;
    x.high = 0;
    n -= 32;
  }
  if (n <= 0) return;
  x.rest = (x.rest >>> n) | (x.low << (32 - n)) | (x.rest << (32 - n) !== 0 ? 1 : 0);
  x.low = (x.low >>> n) | (x.high << (32 - n));
  x.high >>>= n;
  x.high |= 0;
}
