/** Random x87 states, operands and instructions, from the opcode table: what tends to go wrong comes up often. */
import { ROWS, type Row, RowFlag } from "../../../cpu/isa";
import { Field, OPERAND_INFO } from "../../../cpu/isa/operands";
import type { Random } from "../../fuzz/random";
import { MEMORY_BYTES, RECORD_BYTES, Record, STATE_BYTES } from "./sides";

export const X87_ROWS: readonly Row[] = ROWS.filter((row) => row.flags & RowFlag.Fpu && row.opcode >= 0xd8);

const ONES = 0xffffffffffffffffn;
const J = 1n << 63n;

function random64(random: Random): bigint {
  return (BigInt(random.next()) << 32n) | BigInt(random.next());
}

/** A significand with J set: random, sparse, near a rounding boundary of one of the precisions, an end of the range. */
export function significand(random: Random): bigint {
  const any = random64(random);
  switch (random.below(7)) {
    case 0:
      return any | J;
    case 1:
      return J | (1n << BigInt(random.below(64)));
    case 2:
      return (ONES << BigInt(random.below(64))) & ONES;
    case 3:
      return ONES - BigInt(random.below(3));
    case 4: {
      // Exactly, or nearly, half a unit of the 24- or 53-bit precision.
      const drop = random.oneIn(2) ? 40n : 11n;
      const kept = ((any | J) >> drop) << drop;
      return (kept | (1n << (drop - 1n))) + BigInt(random.below(3) - 1);
    }
    case 5:
      return J | (any >> BigInt(32 + random.below(31)));
    default:
      return ((((any | J) >> BigInt(random.below(63))) << BigInt(random.below(63))) & ONES) | J;
  }
}

/** Sign, exponent and significand of an 80-bit number. */
export interface Number80 {
  sign: number;
  exponent: number;
  significand: bigint;
}

function special(random: Random): Number80 {
  const sign = random.below(2);
  switch (random.below(9)) {
    case 0:
    case 1:
      return { sign, exponent: 0, significand: 0n };
    case 2:
      return { sign, exponent: 0x7fff, significand: J };
    case 3:
      return { sign, exponent: 0x7fff, significand: significand(random) | (3n << 62n) };
    case 4:
      return { sign, exponent: 0x7fff, significand: (significand(random) & ~(1n << 62n)) | J | 1n };
    case 5:
      return { sign, exponent: 0, significand: (significand(random) & ~J) >> BigInt(random.below(63)) };
    case 6: // pseudo-denormal
      return { sign, exponent: 0, significand: significand(random) };
    default: // unsupported, and what is like it
      return {
        sign,
        exponent: random.oneIn(2) ? 0x7fff : 1 + random.below(0x7ffe),
        significand: significand(random) & ~J,
      };
  }
}

/** A number; `near` is an exponent that it likes to be close to. */
export function number80(random: Random, near: number): Number80 {
  if (random.oneIn(4)) return special(random);
  const sign = random.below(2);
  let exponent: number;
  switch (random.below(8)) {
    case 0:
      exponent = near;
      break;
    case 1:
      exponent = near + random.below(5) - 2;
      break;
    case 2:
      exponent = near + random.below(140) - 70;
      break;
    case 3:
      exponent = 1 + random.below(70);
      break;
    case 4:
      exponent = 0x7ffe - random.below(70);
      break;
    case 5:
      exponent = 0x3fff + random.below(64);
      break;
    case 6:
      // The ends of the single's and the double's range.
      exponent =
        0x3fff + random.pick([-1074, -1023, -1022, 1023, 1024, -149, -127, -126, 127, 128]) + random.below(3) - 1;
      break;
    default:
      exponent = 1 + random.below(0x7ffe);
  }
  exponent = Math.min(Math.max(exponent, 1), 0x7ffe);
  return { sign, exponent, significand: significand(random) };
}

export function put80(bytes: Buffer, at: number, { sign, exponent, significand: bits }: Number80): void {
  bytes.writeBigUInt64LE(bits & ONES, at);
  bytes.writeUInt16LE((sign << 15) | exponent, at + 8);
}

/** An operand in memory for an instruction: a number of its format, or any bits. */
function putMemory(random: Random, memory: Buffer, row: Row, near: number, masked: boolean): void {
  for (let i = 0; i < 32; i += 4) memory.writeUInt32LE(random.next(), i);
  const float = !/^f(i|b)/.test(row.mnemonic);
  const size = row.operands.length > 0 ? OPERAND_INFO[row.operands[0]].size : 0;
  if (/^fbld/.test(row.mnemonic)) {
    for (let i = 0; i < 9; i++)
      memory[i] = random.oneIn(12) ? random.below(256) : random.below(10) | (random.below(10) << 4);
    if (random.oneIn(3)) memory.fill(0, random.below(9), 9);
  } else if (size === 10) put80(memory, 0, number80(random, near));
  else if (float && (size === 4 || size === 8) && !random.oneIn(4)) {
    // Sign, an exponent that matters, a fraction that matters.
    const [bits, bias, fraction] = size === 4 ? [8, 127, 23] : [11, 1023, 52];
    const top = (1 << bits) - 1;
    const exponent = random.pick([
      0,
      0,
      1,
      top,
      top,
      top - 1,
      bias,
      bias + 1,
      near - 0x3fff + bias,
      bias + random.below(32),
    ]);
    const significant = (significand(random) & ~J) >> BigInt(63 - fraction);
    const value =
      (BigInt(random.below(2)) << BigInt(size * 8 - 1)) |
      (BigInt(Math.min(Math.max(exponent, 0), top)) << BigInt(fraction)) |
      (random.oneIn(4) ? 0n : significant);
    if (size === 4) memory.writeUInt32LE(Number(value), 0);
    else memory.writeBigUInt64LE(value, 0);
  } else if (!float && random.oneIn(3)) {
    memory.writeBigInt64LE(random.pick([0n, 1n, -1n, -(1n << 15n), -(1n << 31n), -(1n << 63n), 1000n]), 0);
  } else if (/^fldcw/.test(row.mnemonic) && random.oneIn(2)) memory.writeUInt16LE(0x37f, 0);
  else if (/^(fldenv|frstor)/.test(row.mnemonic)) putImage(random, memory, near, masked);
}

/** An FSAVE image without a pending exception; `masked`: nor can there be one. */
export function putImage(random: Random, image: Buffer, near: number, masked: boolean): void {
  const masks = !masked && random.oneIn(3) ? random.below(64) : 0x3f;
  const control = masks | (random.pick([0, 1, 2, 3, 3]) << 8) | (random.below(4) << 10) | 0x40;
  const flags = random.oneIn(4) ? random.below(128) & (masks | 0x40) : 0;
  const status = flags | (random.next() & 0x7f00);
  image.fill(0, 0, 28);
  image.writeUInt32LE((control | 0xffff0000) >>> 0, 0);
  image.writeUInt32LE((status | 0xffff0000) >>> 0, 4);
  // Mostly full, or empty above some depth.
  let tags = 0;
  const top = (status >> 11) & 7;
  const depth = random.oneIn(4) ? random.below(9) : 7;
  for (let i = 0; i < 8; i++) {
    const empty = random.oneIn(16) ? random.oneIn(2) : i >= depth;
    if (empty) tags |= 3 << (2 * ((top + i) & 7));
  }
  image.writeUInt32LE((tags | 0xffff0000) >>> 0, 8);
  for (let i = 0; i < 8; i++) put80(image, 28 + 10 * i, number80(random, near));
  // Equal and opposite numbers: exact zeros, ties between NaNs.
  if (random.oneIn(6)) {
    image.copyWithin(38, 28, 38);
    if (random.oneIn(2)) image[47] ^= 0x80;
  }
}

/** The bytes of an instruction of a row, with its memory at [EDI]. */
export function codeOf(row: Row, random: Random): number[] {
  const register = row.operands.includes("STi");
  const memory = row.operands.some((operand) => OPERAND_INFO[operand].field === Field.Memory);
  const rm = memory ? 7 : register ? (random.oneIn(2) ? 1 : random.below(8)) : 0xc0 | row.rm;
  const modrm = (row.digit << 3) | rm | (register ? 0xc0 : 0);
  // The small image of environment and state.
  const prefix = /env$|save$|rstor$/.test(row.mnemonic) && random.oneIn(3) ? [0x66] : [];
  return [...prefix, row.opcode, modrm];
}

/** A case for a row. */
export function randomRecord(random: Random, row: Row, bytes: Buffer, masked: boolean): void {
  const record = new Record(bytes);
  const near = random.oneIn(3) ? 0x3fff + random.below(64) : 1 + random.below(0x7ffe);
  putImage(random, record.state, near, masked);
  record.memory.fill(0xa5);
  putMemory(random, record.memory, row, near, masked);
  record.setRegisters(random.next(), 0x202 | (random.next() & 0x8d5));
  record.setCode(codeOf(row, random));
}

export function buffer(count: number): Buffer {
  return Buffer.alloc(count * RECORD_BYTES);
}

export { MEMORY_BYTES, STATE_BYTES };
