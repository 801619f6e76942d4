/** That the fuzzer of memory management is not blind: it finds broken kernels, and makes what it finds small. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MUTANTS } from "../mutants/mutants";
import { keptMutatedKernel } from "../mutants/mutate";
import { Comparer } from "./mm/compare";
import { generate } from "./mm/generate";
import { fuzzImages } from "./mm/images";
import { type Program, parse, print } from "./mm/program";
import { shrink } from "./mm/shrink";

const test = suite("fuzz/mmblind");

const MOST_SEEDS = 12;
const SHRINK_TRIALS = 80;

/** Faults that the audit finds, and some of which the processes themselves see something. */
const AUDITED = [
  "fork does not flush the parent's TLB",
  "unshare keeps W in the table that is left",
  "a table is never given up",
  "munmap does not unshare",
];
const SEEN = ["fork leaves the pdes writable", "a write under a table with two users takes it for its own"];

/** What is wrong with a program under a kernel with the fault; undefined if nothing is. */
async function judge(fault: string): Promise<(program: Program, audited: boolean) => string | undefined> {
  const mutant = MUTANTS.find((one) => one.fault === fault);
  if (mutant === undefined) throw new Error(`no mutant is '${fault}'`);
  const comparer = new Comparer(await fuzzImages(await keptMutatedKernel(mutant, process.cwd())));
  return (program, audited) => comparer.difference(program, audited);
}

const programs = Array.from({ length: MOST_SEEDS }, (_, i): Program => ({ ...generate(i + 1), variant: "standard" }));

for (const fault of AUDITED) {
  test(`found: ${fault}`, async () => {
    const difference = await judge(fault);
    assert.ok(
      programs.some((program) => difference(program, true) !== undefined),
      `none of ${MOST_SEEDS} seeds shows it`,
    );
  });
}

for (const fault of SEEN) {
  test(`found without the audit, and made small: ${fault}`, async () => {
    const difference = await judge(fault);
    const wrong = programs.find((program) => difference(program, false) !== undefined);
    assert.ok(wrong, `none of ${MOST_SEEDS} seeds shows it`);
    if (!wrong) return;
    const small = shrink(wrong, (program) => difference(program, false) !== undefined, SHRINK_TRIALS);
    assert.ok(small.processes.flat().length < wrong.processes.flat().length / 2, print(small));
    assert.is.not(difference(parse(print(small)), false), undefined, "what is written down shows it too");
  });
}

test.run();
