/**
 * The runner itself: every way in which a test file can end without passing is counted as failed. Each case is a real
 * file run by the real runner, in a folder of its own.
 */
import { spawnSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("tests/run");

/** Runs the runner on one file of tests/harness/cases; returns its exit code and last line. */
function runCase(name: string): { code: number | null; last: string; all: string } {
  const { status, stdout } = spawnSync(process.execPath, ["tests/run.mjs", "--cases", name, "--timeout", "3"], {
    encoding: "utf8",
  });
  return { code: status, last: stdout.trimEnd().split("\n").at(-1) ?? "", all: stdout };
}

const CASES: readonly (readonly [name: string, last: string, code: number])[] = [
  ["passes", "1 passed, 0 failed", 0],
  ["fails", "1 passed, 1 failed", 1],
  ["forgets-run", "0 passed, 1 failed", 1],
  ["no-suite", "0 passed, 1 failed", 1],
  ["throwing-hook", "0 passed, 1 failed", 1],
  ["crashes", "1 passed, 1 failed", 1],
  ["hangs", "0 passed, 2 failed", 1],
  ["skips", "1 passed, 0 failed, 1 skipped", 0],
  ["imitates", "1 passed, 1 failed", 1],
];

for (const [name, last, code] of CASES) {
  test(`a file that ${name} ends with "${last}"`, () => {
    const run = runCase(name);
    assert.is(run.last, last, `the closing line of a file that ${name}:\n${run.all}`);
    assert.is(run.code, code, `the exit code for a file that ${name}`);
  });
}

test("no test matching the pattern is wrong usage", () => {
  const { status, stderr } = spawnSync(process.execPath, ["tests/run.mjs", "no-such-test"], { encoding: "utf8" });
  assert.is(status, 2);
  assert.match(stderr, "no test file matches no-such-test");
});

test.run();
