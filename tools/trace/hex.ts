/**
 * Numbers in hexadecimal, fast: a trace writes millions of them. May import nothing.
 */

/** Each 16-bit number with four digits, and with as many as it needs. */
const FOUR = Array.from({ length: 0x10000 }, (_, value) => value.toString(16).padStart(4, "0"));
const SHORT = Array.from({ length: 0x10000 }, (_, value) => value.toString(16));

/** A number as uint32 in hexadecimal. */
export function hex(value: number): string {
  const high = value >>> 16;
  return high === 0 ? SHORT[value & 0xffff] : SHORT[high] + FOUR[value & 0xffff];
}

/** With eight digits. */
export function hex8(value: number): string {
  return FOUR[value >>> 16] + FOUR[value & 0xffff];
}

/** The low 16 bits with four digits. */
export function hex4(value: number): string {
  return FOUR[value & 0xffff];
}

/** The low byte with two. */
export function hex2(value: number): string {
  return FOUR[value & 0xff].slice(2);
}
