/**
 * Fuzzing of the compiler: seed by seed a module is generated, run in both ways, compared; a failing one is made small and
 * kept as a regression case. May import the other compiler fuzzing files.
 */
import { CompileError } from "../../tools/compiler/errors";
import { type RegressionCase, writeCase } from "./compilercases";
import { type GeneratedModule, generateModule, printModule } from "./compilergenerate";
import { type Callee, compareModule, type Difference, type Runner } from "./compilerrun";
import { shrinkModule } from "./compilershrink";

export interface FuzzOptions {
  /** First seed and how many. */
  first: number;
  seeds: number;
  /** Functions to a module. */
  functions: number;
  /** Where a failure's case is written; not written without it. */
  casesFolder?: string;
  run: Runner;
  /** Called after each seed that passed. */
  onPassed?: (seed: number) => void;
}

/** A failure as a person wants to read it. */
export interface Failure {
  seed: number;
  message: string;
}

const SHRINK_TRIALS = 250;

/** Runs the seeds; the failures. */
export async function fuzzCompiler(options: FuzzOptions): Promise<Failure[]> {
  const failures: Failure[] = [];
  for (let seed = options.first; seed < options.first + options.seeds; seed++) {
    const module = generateModule(seed, options.functions);
    const problem = await examine(module, options.run);
    if (problem === undefined) options.onPassed?.(seed);
    else failures.push({ seed, message: await report(module, problem, options) });
  }
  return failures;
}

/** What is wrong with a module, in one line; undefined if nothing is. A compiler that throws is wrong too. */
async function examine(module: GeneratedModule, run: Runner): Promise<string | undefined> {
  try {
    const difference = await compareModule(printModule(module), calleesOf(module), module.seed, run);
    return difference && describe(difference);
  } catch (error) {
    if (error instanceof CompileError) return error.message;
    return (error as Error).stack?.split("\n").slice(0, 3).join(" ") ?? String(error);
  }
}

function calleesOf(module: GeneratedModule): Callee[] {
  return module.functions.map(({ shape: { name, parameters } }) => ({ name, parameters }));
}

function describe({ callee, inputs, wasm, i386 }: Difference): string {
  return `${callee}(${inputs.join(", ")}): wasm ${wasm}, i386 ${i386}`;
}

async function report(module: GeneratedModule, problem: string, options: FuzzOptions): Promise<string> {
  const { seed } = module;
  const replay = `npm run fuzz:compiler -- --seeds 1 --first ${seed} --functions ${options.functions}`;
  const lines = [`seed ${seed}: ${problem}`, `  replay: ${replay}`];
  if (options.casesFolder === undefined) return lines.join("\n");
  const fails = async (candidate: GeneratedModule) => {
    const found = await examine(candidate, options.run);
    // A module that asc no longer takes is no smaller example.
    return found !== undefined && !found.startsWith("/fuzz.ts:");
  };
  const small = await shrinkModule(module, fails, SHRINK_TRIALS);
  const saved: RegressionCase = {
    name: `fuzz-${seed}`,
    seed,
    callees: calleesOf(small),
    source: printModule(small),
  };
  lines.push(`  shrunk: ${await examine(small, options.run)}`, `  case: ${writeCase(options.casesFolder, saved)}`);
  return lines.join("\n");
}
