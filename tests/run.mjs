/**
 * The test runner: `node tests/run.mjs [PATTERN...] [--verbose] [--timeout SECONDS] [--jobs N]`.
 * `--cases` takes tests/harness/cases instead: files that end in every wrong way, for the runner's own test.
 * One esbuild call bundles all test files; each then runs in a child process of its own with a time limit. What counts is
 * what the child reported test by test (tests/harness/uvu.ts): a registered test that did not report success has failed,
 * and so has a file that crashed, ran out of time or registered nothing. The last line is always uncoloured:
 * `N passed, N failed` (`, N skipped`). A child's output is prefixed, so that it can never look like that line.
 */
import { fork } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import pc from "picocolors";
import { bundle, bundleTools, ROOT } from "../tools/bundle.mjs";
import { ENGINE_OPTIONS } from "../tools/engine.mjs";

/** Fast ones first, in this order; folders that are not named come last. */
const ORDER = ["harness", "cpu", "compiler", "image", "trace", "cli", "kernel", "guest", "system", "docs"];

function usage(message) {
  process.stderr.write(
    `tests/run: ${message}\nusage: node tests/run.mjs [PATTERN...] [--verbose] [--timeout SECONDS] [--jobs N]\n`,
  );
  process.exit(2);
}

function options() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        verbose: { type: "boolean", default: false },
        timeout: { type: "string", default: "300" },
        cases: { type: "boolean", default: false },
        jobs: { type: "string", default: String(availableParallelism()) },
      },
    });
    const timeout = Number(values.timeout);
    const jobs = Number(values.jobs);
    if (!(timeout > 0)) usage(`--timeout wants seconds, not '${values.timeout}'`);
    if (!(Number.isInteger(jobs) && jobs > 0)) usage(`--jobs wants a whole number, not '${values.jobs}'`);
    return {
      verbose: values.verbose,
      timeout,
      jobs,
      ending: values.cases ? ".case.ts" : ".test.ts",
      patterns: positionals,
    };
  } catch (error) {
    return usage(error.message);
  }
}

/** Every file below tests/ with the ending, as names without the ending, fast folders first. */
function testFiles(patterns, ending) {
  const base = join(ROOT, "tests");
  const rank = (name) => (ORDER.indexOf(name.split("/")[0]) + ORDER.length + 1) % (ORDER.length + 1);
  return readdirSync(base, { recursive: true })
    .map((path) => relative(base, join(base, path)))
    .filter((path) => path.endsWith(ending))
    .map((path) => path.slice(0, -ending.length))
    .filter((name) => patterns.length === 0 || patterns.some((pattern) => name.includes(pattern)))
    .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

/** esbuild plugin: `uvu` means the harness, except in the harness itself. */
const harness = {
  name: "harness",
  setup(build) {
    build.onResolve({ filter: /^uvu$/ }, ({ importer }) =>
      importer.endsWith("harness/uvu.ts") ? undefined : { path: join(ROOT, "tests/harness/uvu.ts") },
    );
  },
};

/** Runs one bundled file. Resolves to what it reported and what it printed; never rejects. */
function runFile(name, { timeout }) {
  return new Promise((resolve) => {
    const registered = new Map();
    const output = [];
    const began = Date.now();
    const child = fork(join(OUT, `${name}.mjs`), [], {
      silent: true,
      execArgv: ENGINE_OPTIONS,
      cwd: ROOT,
      env: { ...process.env, NO_COLOR: "1" },
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), timeout * 1000);
    child.stdout.on("data", (data) => output.push(data));
    child.stderr.on("data", (data) => output.push(data));
    child.on("message", ({ kind, name: test, reason }) => registered.set(test, { kind, reason }));
    child.on("error", (error) => output.push(Buffer.from(`${error.message}\n`)));
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const seconds = (Date.now() - began) / 1000;
      const results = [...registered].map(([test, { kind, reason }]) => ({ test, kind, reason }));
      const failures = results.filter(({ kind }) => kind === "registered").map(({ test }) => test);
      if (signal) failures.push(seconds >= timeout ? `no end within ${timeout} s` : `ended by ${signal}`);
      else if (results.length === 0) failures.push(`no test registered (exit code ${code})`);
      else if (code !== 0 && failures.length === 0) failures.push(`exit code ${code} though every test passed`);
      resolve({
        name,
        failures,
        passed: results.filter(({ kind }) => kind === "passed").length,
        skipped: results.filter(({ kind }) => kind === "skipped"),
        seconds,
        output: Buffer.concat(output).toString(),
      });
    });
  });
}

/** Builds the images, as whatever needs them first would. What goes wrong, the tests tell. Never rejects. */
function buildImages() {
  return new Promise((resolve) => {
    const child = fork(join(ROOT, "tools/cli/tine.mjs"), ["build"], { silent: true, cwd: ROOT });
    child.on("error", resolve);
    child.on("close", resolve);
  });
}

function report(result, verbose) {
  const { name, failures, passed, skipped, seconds, output } = result;
  const mark = failures.length > 0 ? pc.red("FAIL") : pc.green("ok  ");
  console.log(
    `${mark} ${name} ${pc.dim(`${passed} passed${skipped.length ? `, ${skipped.length} skipped` : ""}, ${seconds.toFixed(1)} s`)}`,
  );
  for (const { test, reason } of skipped) console.log(`     skipped ${test}: ${reason}`);
  for (const failure of failures) console.log(`     failed ${failure}`);
  if (verbose || failures.length > 0) {
    for (const line of output.trimEnd().split("\n")) console.log(`     | ${line}`);
  }
}

const { verbose, timeout, jobs, ending, patterns } = options();
const names = testFiles(patterns, ending);
if (names.length === 0) usage(`no test file matches ${patterns.join(" ")}`);
/** A folder of this run's own, so that two runs at once do not meet. */
const OUT = join(ROOT, `dist/tests-${process.pid}`);
process.on("exit", () => rmSync(OUT, { recursive: true, force: true }));
process.on("SIGINT", () => process.exit(130));
try {
  await bundleTools();
  await bundle(Object.fromEntries(names.map((name) => [name, `tests/${name}${ending}`])), OUT, [harness]);
} catch (error) {
  process.stderr.write(`tests/run: the tests cannot be bundled: ${error.message}\n`);
  console.log("0 passed, 1 failed");
  process.exit(1);
}

const totals = { passed: 0, failed: 0, skipped: 0 };
const queue = [...names];
await Promise.all(
  Array.from({ length: Math.min(jobs, names.length) }, async (_, job) => {
    // Of a whole run, beside the first tests, which need no images: else two of those that do would both make them.
    if (job === 0 && patterns.length === 0 && ending === ".test.ts") await buildImages();
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      const result = await runFile(name, { timeout });
      report(result, verbose);
      totals.passed += result.passed;
      totals.failed += result.failures.length;
      totals.skipped += result.skipped.length;
    }
  }),
);
console.log(`${totals.passed} passed, ${totals.failed} failed${totals.skipped ? `, ${totals.skipped} skipped` : ""}`);
process.exitCode = totals.failed > 0 ? 1 : 0;
