/**
 * Transcendental instructions against a reference of some 400 bits, and against the host: how far results are from the true ones,
 * in units of the last place. More cases by X87_CASES and X87_SEED; the figures are printed with X87_SHOW=1.
 */
import { cpus } from "node:os";
import { resolve } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../../fuzz/random";
import { skip } from "../../skip";
import {
  arctangent,
  BITS,
  cosineAndSine,
  divide,
  exponentialMinusOne,
  LN2,
  logarithmOnePlus,
  multiply,
  PI,
} from "./reference";
import { Host, Ours, RECORD_BYTES, Record, recordsOf } from "./sides";
import { buffer, type Number80, put80, significand } from "./values";

const test = suite("cpu/fpu/transcendental");

const CASES = Number(process.env.X87_CASES ?? 60);
const SEED = Number(process.env.X87_SEED ?? 1);
const BIAS = 0x3fff;
const ONE = 1n << BigInt(BITS);
/** The pi of 66 bits by which angles are reduced. */
const PI66 = 0xc90fdaa22168c234cn << BigInt(BITS - 66);

function real({ sign, exponent, significand: bits }: Number80): bigint {
  const shift = BITS + exponent - BIAS - 63;
  const value = shift >= 0 ? bits << BigInt(shift) : bits >> BigInt(-shift);
  return sign ? -value : value;
}

function read80(bytes: Buffer): Number80 {
  const top = bytes.readUInt16LE(8);
  return { sign: top >> 15, exponent: top & 0x7fff, significand: bytes.readBigUInt64LE(0) };
}

/** Distance of a result from the true value in units of the result's last place. */
function error(result: Number80, value: bigint): number {
  const distance = real(result) - value;
  const magnitude = distance < 0n ? -distance : distance;
  return Number((magnitude << 20n) / (1n << BigInt(BITS + result.exponent - BIAS - 63))) / 2 ** 20;
}

interface Case {
  name: string;
  code: number[];
  /** Which register has the result, and the exponents that the operands may have. */
  result: number;
  low: number;
  high: number;
  /** Whether the case is of those that the manual defines. */
  fits(x: bigint): boolean;
  value(x: bigint, y: bigint): bigint;
}

/** The angle less the nearest multiple of half of PI66, and its number. */
function reduced(x: bigint): [bigint, number] {
  const quarter = PI66 / 2n;
  let turns = (2n * x + quarter) / (2n * quarter);
  if (2n * x + quarter < 0n) turns--;
  return [x - turns * quarter, Number(turns & 3n)];
}

function sine(x: bigint): bigint {
  const [rest, quadrant] = reduced(x);
  const [c, s] = cosineAndSine(rest);
  return [s, c, -s, -c][quadrant];
}

function cosine(x: bigint): bigint {
  const [rest, quadrant] = reduced(x);
  const [c, s] = cosineAndSine(rest);
  return [c, -s, -c, s][quadrant];
}

const anything = () => true;

const FUNCTIONS: readonly Case[] = [
  {
    name: "f2xm1",
    code: [0xd9, 0xf0],
    result: 0,
    low: -70,
    high: -1,
    fits: anything,
    value: (x) => exponentialMinusOne(multiply(x, LN2)),
  },
  {
    name: "fyl2x",
    code: [0xd9, 0xf1],
    result: 0,
    low: -40,
    high: 40,
    fits: (x) => x > 0n,
    value: (x, y) => {
      // x = m 2^e, with m near 1.
      const e = x.toString(2).length - BITS;
      const m = e >= 0 ? x >> BigInt(e) : x << BigInt(-e);
      return multiply(y, (BigInt(e) << BigInt(BITS)) + divide(logarithmOnePlus(m - ONE), LN2));
    },
  },
  {
    name: "fyl2xp1",
    code: [0xd9, 0xf9],
    result: 0,
    low: -70,
    high: -2,
    fits: (x) => (x < 0n ? -x : x) < (ONE * 29n) / 100n,
    value: (x, y) => multiply(y, divide(logarithmOnePlus(x), LN2)),
  },
  {
    name: "fpatan",
    code: [0xd9, 0xf3],
    result: 0,
    low: -30,
    high: 30,
    fits: anything,
    value: (x, y) => {
      if (x > 0n) return arctangent(y, x);
      return arctangent(-y, -x) + (y < 0n ? -PI : PI);
    },
  },
  { name: "fsin", code: [0xd9, 0xfe], result: 0, low: -60, high: 62, fits: anything, value: sine },
  { name: "fcos", code: [0xd9, 0xff], result: 0, low: -60, high: 62, fits: anything, value: cosine },
  { name: "fsincos", code: [0xd9, 0xfb], result: 1, low: -60, high: 10, fits: anything, value: sine },
  { name: "fsincos", code: [0xd9, 0xfb], result: 0, low: -60, high: 10, fits: anything, value: cosine },
  {
    name: "fptan",
    code: [0xd9, 0xf2],
    result: 1,
    low: -60,
    high: 62,
    fits: anything,
    value: (x) => divide(sine(x), cosine(x)),
  },
];

function operand(random: Random, low: number, high: number): Number80 {
  const exponent =
    BIAS + (random.oneIn(2) ? low + random.below(high - low + 1) : Math.max(low, high - random.below(6)));
  return { sign: random.below(2), exponent, significand: significand(random) };
}

/** Cases with ST(0) and ST(1) full, in all rounding modes. */
function casesOf(one: Case, seed: number): { bytes: Buffer; operands: [Number80, Number80][] } {
  const random = new Random(seed);
  const bytes = buffer(CASES);
  const operands: [Number80, Number80][] = [];
  for (let i = 0; i < CASES; i++) {
    const record = new Record(bytes.subarray(i * RECORD_BYTES, (i + 1) * RECORD_BYTES));
    let x = operand(random, one.low, one.high);
    while (!one.fits(real(x))) x = operand(random, one.low, one.high);
    const y = operand(random, -30, 30);
    operands.push([x, y]);
    record.state.writeUInt16LE(0x37f | ((i & 3) << 10), 0);
    record.state.writeUInt16LE(0xfff0, 8);
    put80(record.state, 28, x);
    put80(record.state, 38, y);
    record.setRegisters(0, 2);
    record.setCode(one.code);
  }
  return { bytes, operands };
}

/** The greatest error of a side's results: over the nearest-rounding cases, and over all. */
function worst(one: Case, results: Buffer, operands: readonly [Number80, Number80][]): [number, number] {
  let [nearest, all] = [0, 0];
  for (const [i, record] of recordsOf(results).entries()) {
    const [x, y] = operands[i];
    const off = error(read80(record.register(one.result)), one.value(real(x), real(y)));
    all = Math.max(all, off);
    if ((i & 3) === 0) nearest = Math.max(nearest, off);
  }
  return [nearest, all];
}

function show(text: string): void {
  if (process.env.X87_SHOW) process.stderr.write(`${text}\n`);
}

test("every result is the true one, correctly rounded", () => {
  const ours = new Ours();
  for (const [index, one] of FUNCTIONS.entries()) {
    const { bytes, operands } = casesOf(one, SEED * 100 + index);
    const [nearest, all] = worst(one, ours.run(bytes), operands);
    show(`${one.name} st(${one.result}): ${nearest} ulp to nearest, ${all} in all modes`);
    // Half a unit, and what the 20 bits of the figure cut off.
    assert.ok(nearest <= 0.50001, `${one.name}: ${nearest} ulp, X87_SEED=${SEED}`);
    assert.ok(all <= 1, `${one.name}: ${all} ulp, X87_SEED=${SEED}`);
  }
});

test("the host is within one and a half ulp of the same reference", () => {
  // Others may divide angles by another pi.
  if (!cpus()[0].model.includes("Intel")) skip("the host's processor is not Intel's");
  const host = Host.build(resolve("tests/cpu/fpu/runner.c"));
  if (host === null) skip("gcc makes no x86 program that runs here");
  try {
    for (const [index, one] of FUNCTIONS.entries()) {
      const { bytes, operands } = casesOf(one, SEED * 100 + index);
      const [nearest, all] = worst(one, host.run(bytes), operands);
      show(`host ${one.name} st(${one.result}): ${nearest} ulp to nearest, ${all} in all modes`);
      assert.ok(all < 1.5, `${one.name}: ${all} ulp, X87_SEED=${SEED}`);
    }
  } finally {
    host.remove();
  }
});

test.run();
