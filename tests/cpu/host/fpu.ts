/**
 * x87 states as FXSAVE images: random ones to begin with, and how two are compared. May import layout.ts.
 * What FXSAVE has of the last instruction's opcode and addresses is not compared: later processors keep it only for unmasked
 * exceptions, and no selectors at all.
 * Source: Intel SDM volume 1, section 10.5.1 (layout), 8.1 and 8.2 (control, status and tag words, formats).
 */
import type { Random } from "../../fuzz/random";
import { FXSAVE_BYTES } from "./layout";

const ST = 32;
const ST_BYTES = 16;
const EXCEPTIONS = 0x3f;
/** ES and B. */
const SUMMARY = 0x8080;
const BIAS = 0x3fff;

/** Exponents at which something turns: zero and denormals, the least and greatest normal ones, infinities and NaNs. */
const EXPONENTS = [0, 0, 1, BIAS - 64, BIAS - 1, BIAS, BIAS, BIAS + 1, BIAS + 15, BIAS + 31, BIAS + 63, 0x7ffe, 0x7fff];

function putRegister(view: DataView, at: number, random: Random): void {
  const exponent = random.oneIn(3) ? random.pick(EXPONENTS) : BIAS - 40 + random.below(80);
  const plain = random.oneIn(4);
  view.setUint32(at, plain ? 0 : random.next(), true);
  // The integer bit is set but for zeros, denormals and, seldom, what is unsupported.
  const integer = exponent === 0 || random.oneIn(40) ? 0 : 0x80000000;
  view.setUint32(at + 4, ((plain ? 0 : random.next() & 0x7fffffff) | integer) >>> 0, true);
  view.setUint16(at + 8, exponent | (random.next() & 0x8000), true);
}

/** A state: masks, rounding, precision, top, tags and registers at random; seldom with an exception pending. */
export function randomFpu(random: Random): Uint8Array {
  const image = new Uint8Array(FXSAVE_BYTES);
  const view = new DataView(image.buffer);
  const masks = random.oneIn(4) ? random.next() & EXCEPTIONS : EXCEPTIONS;
  const precision = random.pick([0, 2, 3, 3, 3]);
  const control = masks | 0x40 | (precision << 8) | (random.below(4) << 10);
  let status = (random.below(8) << 11) | (random.next() & 0x4700);
  const flags = random.next() & EXCEPTIONS & (random.oneIn(12) ? -1 : masks);
  status |= flags;
  if (flags & ~masks) status |= SUMMARY;
  view.setUint16(0, control, true);
  view.setUint16(2, status, true);
  view.setUint8(4, random.oneIn(4) ? random.next() & 0xff : 0xff >> random.below(8));
  view.setUint32(24, 0x1f80, true); // MXCSR
  for (let i = 0; i < 8; i++) putRegister(view, ST + ST_BYTES * i, random);
  return image;
}

/** The first difference, or undefined. */
export function fpuDifference(host: Uint8Array, ours: Uint8Array): string | undefined {
  const word = (image: Uint8Array, at: number) => image[at] | (image[at + 1] << 8);
  const hex = (number: number) => number.toString(16);
  for (const [name, at] of [
    ["control word", 0],
    ["status word", 2],
  ] as const) {
    if (word(host, at) !== word(ours, at)) return `${name}: host ${hex(word(host, at))}, ours ${hex(word(ours, at))}`;
  }
  if (host[4] !== ours[4]) return `tags: host ${hex(host[4])}, ours ${hex(ours[4])}`;
  for (let i = 0; i < 8; i++) {
    const bytes = (image: Uint8Array) =>
      Buffer.from(image.subarray(ST + ST_BYTES * i, ST + ST_BYTES * i + 10)).reverse();
    if (!bytes(host).equals(bytes(ours)))
      return `st(${i}): host ${bytes(host).toString("hex")}, ours ${bytes(ours).toString("hex")}`;
  }
  return undefined;
}
