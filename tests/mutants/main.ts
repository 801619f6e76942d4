/**
 * Every mutant by hand: `npm run test:mutants -- [PROPERTY or WORDS...] [--mode MODE] [--jobs N]`. A mutant is one compilation and a run in
 * each mode in which its fault can show. Says of each who noticed it; at the end who notices what, and which went unnoticed. Exit
 * status 1 when one did. Arguments choose mutants: properties (P13), or words of the fault. May import mutate, mutants, tests/guest.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { builtImages, MODES, type Mode } from "../guest/guest";
import type { Mutant } from "./mutant";
import { MUTANTS } from "./mutants";
import { inWords, judge, modesOf, mutatedKernel, type Verdict } from "./mutate";

/** A mutant by its place in the list, and the modes to run it in. */
interface Job {
  index: number;
  modes: Mode[];
}
interface Judged {
  job: Job;
  verdicts: Verdict[];
}

async function runJob({ index, modes }: Job): Promise<Verdict[]> {
  const { initrd } = await builtImages();
  let kernel: Uint8Array;
  try {
    kernel = await mutatedKernel(MUTANTS[index], process.cwd());
  } catch (error) {
    const unnoticed = [`nobody, as it cannot be built: ${(error as Error).message}`];
    return modes.map((mode) => ({ mode, guest: [], audit: undefined, unnoticed }));
  }
  return modes.map((mode) => judge(MUTANTS[index], kernel, initrd, mode, process.cwd()));
}

/** A thread takes jobs until there are none. */
function work(): void {
  parentPort?.on("message", async (job: Job) => {
    parentPort?.postMessage({ job, verdicts: await runJob(job) } satisfies Judged);
  });
}

/** Gives the jobs to `threads` threads; `onJudged` hears of each as it ends. */
async function share(jobs: Job[], threads: number, onJudged: (judged: Judged) => void): Promise<void> {
  const queue = [...jobs];
  await Promise.all(
    Array.from({ length: Math.min(threads, jobs.length) }, () => {
      const worker = new Worker(fileURLToPath(import.meta.url));
      const next = () => {
        const job = queue.shift();
        if (job) worker.postMessage(job);
        else worker.terminate();
      };
      return new Promise<void>((resolve, reject) => {
        worker.on("message", (judged: Judged) => {
          onJudged(judged);
          next();
        });
        worker.on("error", reject);
        worker.on("exit", () => resolve());
        next();
      });
    }),
  );
}

function chosen({ fails, fault }: Mutant, words: string[]): boolean {
  return words.length === 0 || words.some((word) => fails.includes(word) || fault.includes(word));
}

/** How many runs were noticed by what. */
function report(all: Judged[]): void {
  const verdicts = all.flatMap((one) => one.verdicts);
  const count = (test: (verdict: Verdict) => boolean) => verdicts.filter(test).length;
  const by = (notice: string) => count(({ guest }) => guest.some((one) => one.by === notice));
  console.log(`${all.length} mutants, ${verdicts.length} runs: cases failed in ${by("case")}, the kernel panicked in`);
  console.log(
    `${by("panic")}, hung in ${by("hang")}; audits found a difference in ${count(({ audit }) => audit !== undefined)}`,
  );
  const survivors = all.flatMap(({ job, verdicts }) =>
    verdicts.filter(({ unnoticed }) => unnoticed.length > 0).map((verdict) => ({ job, verdict })),
  );
  for (const { job, verdict } of survivors) {
    const { fault, program } = MUTANTS[job.index];
    console.log(`UNNOTICED fork=${verdict.mode} ${program} by ${verdict.unnoticed.join(", ")}: ${fault}`);
  }
  console.log(`${verdicts.length - survivors.length} noticed, ${survivors.length} unnoticed`);
  process.exitCode = survivors.length > 0 ? 1 : 0;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { jobs: { type: "string", default: "1" }, mode: { type: "string" } },
  });
  const jobs = MUTANTS.map((mutant, index) => ({ mutant, index }))
    .filter(({ mutant }) => chosen(mutant, positionals))
    .map(({ mutant, index }) => {
      const modes = modesOf(mutant).filter((mode) => values.mode === undefined || mode === values.mode);
      return { index, modes };
    })
    .filter(({ modes }) => modes.length > 0);
  const threads = Number(values.jobs);
  if (!(Number.isInteger(threads) && threads > 0) || jobs.length === 0) {
    const wrong =
      jobs.length === 0 ? `none is of ${positionals.join(" or ")} in ${values.mode ?? MODES.join(", ")}` : "--jobs";
    process.stderr.write(`mutants: ${wrong}\n`);
    process.exitCode = 2;
    return;
  }
  await builtImages();
  const all: Judged[] = [];
  await share(jobs, threads, (judged) => {
    all.push(judged);
    const { fault, program } = MUTANTS[judged.job.index];
    console.log(`[${all.length}/${jobs.length}] ${program}: ${fault}`);
    for (const verdict of judged.verdicts) console.log(`    ${verdict.mode.padEnd(5)} ${inWords(verdict)}`);
  });
  report(all);
}

if (isMainThread) await main();
else work();
