/**
 * User-mode instructions against the host's own processor: registers, flags, memory, and for faults the kind and a state
 * that has not changed. More cases by CONFORM_CASES (per row) and CONFORM_SEED.
 */
import { resolve } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../fuzz/random";
import { skip } from "../skip";
import { type Case, preludedCase, randomCase, USABLE, undefinedFlags } from "./host/cases";
import { Native, type NativeResult, SIGNAL_VECTORS } from "./host/native";
import { Ours, type Result } from "./host/ours";

const test = suite("cpu/hostconform");

const CASES_PER_ROW = Number(process.env.CONFORM_CASES ?? 24);
const SEED = Number(process.env.CONFORM_SEED ?? 1);
const SIGTRAP = 5;
/** The six arithmetic flags and DF. */
const FLAGS = 0xcd5;

/** The first difference that counts, or nothing. */
function difference(one: Case, native: NativeResult, ours: Result): string | undefined {
  const vectors = native.signal === 0 ? [-1] : (SIGNAL_VECTORS[native.signal] ?? []);
  if (!vectors.includes(ours.vector)) return `signal ${native.signal}, vector ${ours.vector}`;
  for (const [i, value] of native.registers.entries()) {
    if (value !== ours.registers[i])
      return `register ${i}: ${value.toString(16)}, ours ${ours.registers[i].toString(16)}`;
  }
  if (native.signal !== SIGTRAP && native.eip !== ours.eip) return `eip: ${native.eip}, ours ${ours.eip}`;
  if (Buffer.compare(native.data, ours.data) !== 0) return "data";
  if (Buffer.compare(native.stack, ours.stack) !== 0) return "stack";
  const flags = (native.eflags ^ ours.eflags) & FLAGS & ~undefinedFlags(one);
  return flags === 0
    ? undefined
    : `flags ${(native.eflags & FLAGS).toString(16)}, ours ${(ours.eflags & FLAGS).toString(16)}`;
}

function describe(one: Case): string {
  const code = one.code.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  const registers = one.registers.map((value) => (value >>> 0).toString(16)).join(" ");
  return `${one.row.mnemonic}: ${code} with ${registers}, flags ${one.eflags.toString(16)}`;
}

test("every user-mode row does what the host's processor does", () => {
  const native = Native.build(resolve("tests/cpu/host/runner.c"));
  if (native === null) skip("gcc -m32 makes no program that runs here");
  try {
    const random = new Random(SEED);
    const ours = new Ours();
    for (let start = 0; start < USABLE.length; start += 50) {
      const cases = USABLE.slice(start, start + 50).flatMap((row) =>
        Array.from({ length: CASES_PER_ROW }, (_, i) => (i & 1 ? preludedCase(random, row) : randomCase(random, row))),
      );
      for (const [index, result] of native.run(cases).entries()) {
        const one = cases[index];
        const found = difference(one, result, ours.run(one));
        if (found !== undefined) assert.unreachable(`${describe(one)}: ${found}`);
      }
    }
  } finally {
    native.remove();
  }
});

test.run();
