/**
 * Every x87 row against the host's own processor, from random states: registers, status, tags, memory, EFLAGS, all bits.
 * More cases by X87_CASES (per row) and X87_SEED; one row by X87_ROW (its mnemonic).
 *
 * Where the manual leaves a choice we do as Intel's processors do. On another vendor's only that is compared which the manual
 * defines: all exceptions masked, no condition codes but a comparison's, no partial remainders and transcendental functions.
 * X87_DEFINED=1 asks for that anywhere.
 */
import { cpus } from "node:os";
import { resolve } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Row } from "../../../cpu/isa";
import { Random } from "../../fuzz/random";
import { skip } from "../../skip";
import { Host, Ours, RECORD_BYTES, type Record, recordsOf } from "./sides";
import { buffer, randomRecord, X87_ROWS } from "./values";

const test = suite("cpu/fpu/conform");

const CASES = Number(process.env.X87_CASES ?? 200);
const SEED = Number(process.env.X87_SEED ?? 1);
const ONLY = process.env.X87_ROW;
const DEFINED_ONLY = process.env.X87_DEFINED !== undefined || !cpus()[0].model.includes("Intel");

/** Whose results are only within a unit of the last place: transcendental.test.ts. */
const INEXACT = /^f(2xm1|yl2x|yl2xp1|ptan|patan|sin|cos|sincos)$/;

/** Rows in which processors of different vendors may differ throughout. */
const FREE = /^f(prem1?|scale|stpnce|xtract)$/;
/** Rows whose condition codes are a result. */
const COMPARES = /^f(u?com|icom|tst|xam)/;

function hex(bytes: Buffer): string {
  return Buffer.from(bytes).reverse().toString("hex");
}

function describe(one: Record): string {
  const registers = Array.from({ length: 8 }, (_, i) => hex(one.register(i))).join(" ");
  const code = one.code.subarray(0, one.number).toString("hex");
  return `${code} cw ${one.control.toString(16)} sw ${one.status.toString(16)} tw ${one.tags.toString(16)} st ${registers} m ${hex(one.memory.subarray(0, 10))}`;
}

/** How many units of the last place two numbers of one sign and class are apart; Infinity for others. */
function ulps(a: Buffer, b: Buffer): number {
  const [topA, topB] = [a.readUInt16LE(8), b.readUInt16LE(8)];
  const order = (top: number, bytes: Buffer) =>
    (BigInt(top & 0x7fff) << 63n) + (bytes.readBigUInt64LE(0) & ((1n << 63n) - 1n));
  if ((topA ^ topB) & 0x8000 || (topA & 0x7fff) === 0x7fff || (topB & 0x7fff) === 0x7fff)
    return a.equals(b) ? 0 : Infinity;
  const distance = order(topA, a) - order(topB, b);
  return Number(distance < 0n ? -distance : distance);
}

/** The first difference that counts, or nothing. */
function difference(host: Record, ours: Record, row: Row): string | undefined {
  if (host.number !== 0) return `signal ${host.number}`;
  const show = (name: string, a: number, b: number) => `${name} ${a.toString(16)}, ours ${b.toString(16)}`;
  if (host.control !== ours.control) return show("control", host.control, ours.control);
  // C1 tells of a rounding that may go the other way within the tolerance.
  const tolerance = INEXACT.test(row.mnemonic) ? 1 : 0;
  let counts = tolerance > 0 ? ~0x200 : ~0;
  if (DEFINED_ONLY) counts &= COMPARES.test(row.mnemonic) ? ~0x200 : ~0x4700;
  if ((host.status ^ ours.status) & counts) return show("status", host.status, ours.status);
  // Whether the instruction counts as the last one; its address differs by where the code lies.
  if (!DEFINED_ONLY && (host.instruction === 0) !== (ours.instruction === 0))
    return show("instruction pointer", host.instruction, ours.instruction);
  if (host.tags !== ours.tags) return show("tags", host.tags, ours.tags);
  for (let i = 0; i < 8; i++) {
    if (ulps(host.register(i), ours.register(i)) > tolerance)
      return `st(${i}) ${hex(host.register(i))}, ours ${hex(ours.register(i))}`;
  }
  if (!host.memory.equals(ours.memory)) return `memory ${hex(host.memory)}, ours ${hex(ours.memory)}`;
  if (host.eax !== ours.eax) return show("eax", host.eax, ours.eax);
  if ((host.eflags ^ ours.eflags) & 0x8d5) return show("eflags", host.eflags, ours.eflags);
  return undefined;
}

function cases(row: Row, seed: number, count: number): Buffer {
  const random = new Random(seed);
  const bytes = buffer(count);
  for (let i = 0; i < count; i++)
    randomRecord(random, row, bytes.subarray(i * RECORD_BYTES, (i + 1) * RECORD_BYTES), DEFINED_ONLY);
  return bytes;
}

test("every exact row does what the host's processor does", () => {
  const host = Host.build(resolve("tests/cpu/fpu/runner.c"));
  if (host === null) skip("gcc makes no x86 program that runs here");
  try {
    const ours = new Ours();
    const differences: string[] = [];
    for (const [index, row] of X87_ROWS.entries()) {
      if (DEFINED_ONLY && (INEXACT.test(row.mnemonic) || FREE.test(row.mnemonic))) continue;
      if (ONLY !== undefined && row.mnemonic !== ONLY) continue;
      const before = cases(row, SEED * 1000 + index, CASES);
      const theirs = recordsOf(host.run(before));
      const results = recordsOf(ours.run(before));
      let wrong = 0;
      let first = "";
      for (const [i, one] of recordsOf(before).entries()) {
        const found = difference(theirs[i], results[i], row);
        if (found === undefined) continue;
        if (wrong === 0) first = `${found}\n    ${describe(one)}`;
        wrong++;
      }
      if (wrong > 0) differences.push(`${row.mnemonic} ${row.operands}: ${wrong} of ${CASES}: ${first}`);
    }
    assert.is(differences.length, 0, `X87_SEED=${SEED}\n${differences.join("\n")}`);
  } finally {
    host.remove();
  }
});

test.run();
