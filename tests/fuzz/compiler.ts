/**
 * `npm run fuzz:compiler -- [--seeds N] [--first S] [--functions F]`: random modules compiled in both ways and compared,
 * F functions to each of N modules. Exit status 1 if any two disagree. May import compilerfuzz,
 * compilermachine.
 */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { findRoot } from "../../tools/compiler/index";
import { fuzzCompiler } from "./compilerfuzz";
import { runOnMachine } from "./compilermachine";

const NUMBER = /^\d+$/;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "20" },
      first: { type: "string", default: "1" },
      functions: { type: "string", default: "100" },
    },
  });
  const bad = Object.entries(values).find(([, value]) => !NUMBER.test(value));
  if (bad) {
    process.stderr.write(`fuzz:compiler: --${bad[0]} wants a whole number, not '${bad[1]}'\n`);
    return 2;
  }
  const [seeds, first, functions] = [values.seeds, values.first, values.functions].map(Number);
  const casesFolder = path.join(findRoot(), "tests", "compiler", "cases");
  mkdirSync(casesFolder, { recursive: true });
  const failures = await fuzzCompiler({
    first,
    seeds,
    functions,
    casesFolder,
    run: runOnMachine,
    onPassed: (seed) => process.stderr.write(`seed ${seed} ok\n`),
  });
  for (const { message } of failures) process.stdout.write(`${message}\n`);
  process.stdout.write(`${seeds * functions} functions, ${failures.length} failing modules\n`);
  return failures.length === 0 ? 0 : 1;
}

process.exitCode = await main();
