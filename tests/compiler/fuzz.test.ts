import { existsSync } from "node:fs";
import path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findRoot } from "../../tools/compiler/index";
import { readCases } from "../fuzz/compilercases";
import { fuzzCompiler } from "../fuzz/compilerfuzz";
import { generateModule, printModule } from "../fuzz/compilergenerate";
import { runOnMachine } from "../fuzz/compilermachine";
import { compareModule, type Runner } from "../fuzz/compilerrun";
import { shrinkModule } from "../fuzz/compilershrink";

const test = suite("compiler/fuzz");

const SEEDS = 10;
const FUNCTIONS = 200;

test("2,000 random functions do the same in V8 and on our processor", async () => {
  const failures = await fuzzCompiler({ first: 1, seeds: SEEDS, functions: FUNCTIONS, run: runOnMachine });
  assert.equal(
    failures.map(({ message }) => message),
    [],
  );
});

const casesFolder = path.join(findRoot(), "tests/compiler/cases");
for (const { name, source, callees, seed } of existsSync(casesFolder) ? readCases(casesFolder) : []) {
  test(`what the fuzzer once found: ${name}`, async () => {
    assert.is(await compareModule(source, callees, seed, runOnMachine), undefined);
  });
}

/** Our processor with one instruction miscompiled: every `sub reg, reg` of the module's becomes an `add`. */
const runMiscompiled: Runner = (elf, count, resultsAt) => {
  const broken = elf.slice();
  const view = new DataView(broken.buffer);
  const [offset, size] = [view.getUint32(52 + 4, true), view.getUint32(52 + 16, true)];
  // The harness itself, in front, has no such instruction.
  for (let at = offset; at < offset + size - 1; at++) {
    if (broken[at] === 0x29 && broken[at + 1] >= 0xc0) broken[at] = 0x01;
  }
  return runOnMachine(broken, count, resultsAt);
};

test("a miscompiled subtraction is found, and the example is made small", async () => {
  const [failure] = await fuzzCompiler({ first: 1, seeds: 1, functions: 10, run: runMiscompiled });
  assert.match(
    failure.message,
    /^seed 1: .*\n {2}replay: npm run fuzz:compiler -- --seeds 1 --first 1 --functions 10$/s,
  );
  const module = generateModule(1, 10);
  const fails = async (candidate: typeof module) => {
    const callees = candidate.functions.map(({ shape }) => shape);
    return (await compareModule(printModule(candidate), callees, candidate.seed, runMiscompiled)) !== undefined;
  };
  const small = await shrinkModule(module, fails, 15);
  assert.ok(printModule(small).length < printModule(module).length / 2);
  assert.ok(await fails(small));
});

test("a seed always makes the same module", () => {
  assert.is(printModule(generateModule(5, 60)), printModule(generateModule(5, 60)));
  assert.is.not(printModule(generateModule(5, 60)), printModule(generateModule(6, 60)));
});

test.run();
