/** The integer types of the language, their edge values, and inputs of those types. May import random. */
import type { Random } from "./random";

export const TYPES = ["i32", "u32", "u8", "i8", "u16", "i16"] as const;
export type Type = (typeof TYPES)[number];

interface Shape {
  bits: number;
  signed: boolean;
}

export const SHAPES: Readonly<Record<Type, Shape>> = {
  i32: { bits: 32, signed: true },
  u32: { bits: 32, signed: false },
  u8: { bits: 8, signed: false },
  i8: { bits: 8, signed: true },
  u16: { bits: 16, signed: false },
  i16: { bits: 16, signed: true },
};

const INTERESTING = [
  ...[0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 31, 32, 33, 63, 64, 100, 127, 128, 129, 255, 256, 257, 1000, 4095, 4096],
  ...[32767, 32768, 32769, 65535, 65536, 65537, 0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0xaaaaaaaa, 0xdeadbeef],
  ...[0xff00ff00, 0xfffffff0, 0xfffffffe, 0xffffffff, 0xffffff80, 0xffff8000, 0x12345678, 0x01000000],
];

/** The value of the type that has the low bits of `value`, as an int32. */
export function wrap(type: Type, value: number): number {
  const { bits, signed } = SHAPES[type];
  const shift = 32 - bits;
  return signed ? (value << shift) >> shift : ((value << shift) >>> shift) | 0;
}

/** A random value of the type, edges preferred, as an int32. */
export function randomValue(random: Random, type: Type): number {
  const kind = random.below(4);
  if (kind === 0) return wrap(type, random.next());
  if (kind === 1) return wrap(type, random.below(17) - 8);
  return wrap(type, random.pick(INTERESTING));
}

/** A literal of the type. */
export function literal(type: Type, value: number): string {
  const shown = SHAPES[type].signed ? value : value >>> 0;
  return `${type}(${shown})`;
}
