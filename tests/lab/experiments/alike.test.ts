/**
 * Where an experiment measures what a program of docs/figures.md measures too, both come to the same: their instructions and cycles differ by the
 * small difference of the two programs only.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Region } from "../../../kernel/abi/marks";
import type { Experiment, Figure } from "../../../tools/lab/experiment";
import { forktime } from "../../../tools/lab/experiments/forktime";
import { rmapcost } from "../../../tools/lab/experiments/rmapcost";
import { storm } from "../../../tools/lab/experiments/storm";
import { touch } from "../../../tools/lab/experiments/touch";
import { figuresOf, one } from "./laboratory";

/** fork=auto decides between the two, by the page. */
const MODES = ["copy", "share"] as const;

const test = suite("lab/experiments alike");

/** Both within `part` of the larger one. */
function alike(ours: number, theirs: number, part: number, what: string): void {
  assert.ok(Math.abs(ours - theirs) <= part * Math.max(ours, theirs), `${what}: ${ours} against ${theirs}`);
}

/** An experiment with another program, whose figures are read in another way. */
function other(experiment: Experiment, program: string, words: (string | number)[], ...figures: Figure[]): Experiment {
  const { distributions: _, ...rest } = experiment;
  return { ...rest, name: program, program: `userland/bin/${program}.ts`, arguments: () => words, figures };
}

function figure(name: string, read: Figure["read"]): Figure {
  return { name, title: name, unit: "cycles", read };
}

test("forktime's fork is forkdemo's", async () => {
  const demo = figure("forkInstructions", (seen) => seen.region(Region.Fork).own.instructions);
  for (const mode of MODES) {
    const [ours, theirs] = [
      await figuresOf(forktime, { size: 16384 }, mode),
      await figuresOf(other(forktime, "forkdemo", [16], demo), { size: 16384 }, mode),
    ];
    // Two pipes and what was read of /proc lie in forkdemo's tables.
    const part = mode === "copy" ? 0.01 : 0.06;
    alike(one(ours, "forkInstructions"), one(theirs, "forkInstructions"), part, mode);
  }
});

test("touch's cost is forktouch's", async () => {
  const writers = ["parent", "child"];
  // One run of forktouch has both.
  const theirs = writers.map((writer, tag) => figure(writer, (seen) => seen.region(Region.Touch, tag).cycles));
  for (const mode of MODES) {
    const before = await figuresOf(other(touch, "forktouch", [4, 1024, 1, 0, 64], ...theirs), { size: 16384 }, mode);
    for (const writer of writers) {
      const ours = await figuresOf(touch, { size: 16384, order: "in-order", writer, pages: 64 }, mode);
      alike(one(ours, "cost"), one(before, writer), 0.03, `${mode}, ${writer}`);
    }
  }
});

test("storm's process is forkstorm's", async () => {
  const theirs = figure("cost", (seen) => seen.region(Region.Storm).cycles / 100);
  for (const mode of MODES) {
    const ours = await figuresOf(storm, { work: "exec", count: 100 }, mode);
    const before = await figuresOf(other(storm, "forkstorm", [100], theirs), { work: "exec", count: 100 }, mode);
    alike(one(ours, "cost"), one(before, "cost"), 0.02, mode);
  }
});

test("rmapcost's unmapping of a page is forkread's", async () => {
  const theirs = figure("unmap", ({ unmap }) => unmap.cycles / unmap.pages);
  for (const mode of MODES) {
    const ours = await figuresOf(rmapcost, { sharers: 9, size: 8192 }, mode);
    const read = { ...other(rmapcost, "forkread", [8, 8, 1], theirs), memoryMB: () => 9 };
    const before = await figuresOf(read, { size: 8192 }, mode);
    alike(one(ours, "unmap"), one(before, "unmap"), 0.1, mode);
  }
});

test.run();
