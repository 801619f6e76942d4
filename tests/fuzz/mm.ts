/**
 * `npm run fuzz:mm -- [--seeds N] [--first S] [--jobs J]`: the programs of N seeds from S on, each in every way to fork, audited and
 * compared; `--case FILE` runs a case's program instead, `--print SEED` prints a seed's. Exit status 1 if anything differs.
 * docs/fuzz.md tells the rest. May import mm/.
 */
import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { isMainThread } from "node:worker_threads";
import { findRoot } from "../../tools/compiler/index";
import { readCase, writeCase } from "./mm/cases";
import { Fuzzer } from "./mm/fuzz";
import { generate } from "./mm/generate";
import { fuzzImages } from "./mm/images";
import { Pool, type PoolResult } from "./mm/pool";
import { print } from "./mm/program";
import { work } from "./mm/worker";

const NUMBER = /^\d+$/;
const INTERRUPTED = 130;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "200" },
      first: { type: "string", default: "1" },
      jobs: { type: "string", default: String(availableParallelism()) },
      case: { type: "string" },
      print: { type: "string" },
    },
  });
  for (const name of ["seeds", "first", "jobs", "print"] as const) {
    const value = values[name];
    if (value !== undefined && !NUMBER.test(value)) return complain(`--${name} wants a whole number, not '${value}'`);
  }
  const [seeds, first, jobs] = [values.seeds, values.first, values.jobs].map(Number);
  if (jobs === 0) return complain("--jobs wants at least 1");
  if (values.print !== undefined) {
    process.stdout.write(print(generate(Number(values.print))));
    return 0;
  }
  return values.case === undefined ? runSeeds(first, seeds, jobs) : runCase(values.case);
}

function complain(text: string): number {
  process.stderr.write(`fuzz:mm: ${text}\n`);
  return 2;
}

async function runCase(file: string): Promise<number> {
  let program: ReturnType<typeof readCase>["program"];
  try {
    ({ program } = readCase(file));
  } catch (error) {
    return complain((error as Error).message);
  }
  const text = new Fuzzer(await fuzzImages()).tryProgram(program);
  say(text ?? "no difference");
  return text === undefined ? 0 : 1;
}

async function runSeeds(first: number, seeds: number, jobs: number): Promise<number> {
  const began = Date.now();
  // Built once, here, so that the workers find everything in the cache.
  await fuzzImages();
  const pool = new Pool({
    first,
    seeds,
    jobs: Math.min(jobs, Math.max(1, seeds)),
    script: new URL(import.meta.url),
    onLine: say,
  });
  let interrupted = false;
  process.once("SIGINT", () => {
    interrupted = true;
    void pool.stop();
  });
  const result = await pool.run();
  report(result, (Date.now() - began) / 1000);
  if (interrupted) return INTERRUPTED;
  return result.findings.length + result.unshrunk.length === 0 ? 0 : 1;
}

/** Writes a case for each finding, and says what the run came to. */
function report({ passed, findings, unshrunk }: PoolResult, seconds: number): void {
  const folder = path.join(findRoot(), "tests", "fuzz", "mmcases");
  for (const { seed, text, smallText, small } of findings) {
    mkdirSync(folder, { recursive: true });
    const file = writeCase(folder, { name: `seed-${seed}`, program: small }, smallText);
    say(`seed ${seed}: ${text}`);
    say(`  shrunk to ${small.processes.flat().length} operations: ${smallText}`);
    say(`  case: ${path.relative(process.cwd(), file)}`);
  }
  const failed = findings.length + unshrunk.length;
  say(`${passed + failed} seeds in ${seconds.toFixed(1)} s, ${failed} failed`);
}

if (isMainThread) process.exitCode = await main();
else await work();
