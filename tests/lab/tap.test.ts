/** Guest test output: a program that dies half way must not look like one that passed. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readTap } from "../../tools/lab/tap";

const test = suite("lab/tap");

test("verdicts and the comments before them", () => {
  const cases = readTap("ok 1 - first\r\n# got 3, expected 4\r\nnot ok 2 - second\r\n1..2\r\n");
  assert.equal(cases, [
    { name: "first", ok: true, notes: [] },
    { name: "second", ok: false, notes: ["# got 3, expected 4"] },
  ]);
});

test("no plan is a failed case", () => {
  const cases = readTap("ok 1 - first\npanic: out of tea\n");
  assert.is(cases.length, 2);
  assert.is(cases[1]?.ok, false);
  assert.equal(cases[1]?.notes, ["panic: out of tea"]);
});

test("a plan that does not match is a failed case", () => {
  assert.is(readTap("ok 1 - first\n1..2\n").at(-1)?.ok, false);
});

test("an empty output is a failed case", () => {
  assert.is(readTap("").at(-1)?.ok, false);
});

test.run();
