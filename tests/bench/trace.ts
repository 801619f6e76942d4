/**
 * What tracing costs: lines of a full text trace a second, and how much longer a run takes that is traced for events alone. What it costs that one
 * could trace is hooks.ts. May import cpu, tools, statistics.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Machine } from "../../cpu/index";
import { type BuiltAll, buildAll } from "../../tools/image/build";
import { ALL_LETTERS, FIELDS, NO_FILTER } from "../../tools/trace/filter";
import { traceSession } from "../../tools/trace/session";
import { type Spread, spread } from "./statistics";

/** What is wanted: lines a second at least, and how many times the untraced run at most. */
export const TRACE_LIMITS = { lines: 300_000, events: 1.1 };

export interface TraceCosts {
  /** Lines a second, of a full trace to a file. */
  lines: Spread;
  /** Times that of the run without a trace: of fork's main job, an event for some 2,000 instructions, and of the guest that has most of them. */
  events: Spread;
  dense: Spread;
}

/** Forks, execs, faults and exits of tiny processes: kernel code, and an event for some 900 instructions. */
const STORM = "forkstorm";
/** A process of many megabytes, all written, forks: a fault and a page for most events. */
const DEMO = "forkdemo";
const DEMO_MEMORY_MB = 640;
/** Instructions between two looks, as the command line has them. */
const SLICE = 50_000;

/** Lines a second of a full trace to a file. */
function linesPerSecond(built: BuiltAll, forks: number, file: string): number {
  const machine = new Machine({ memoryMB: 64 });
  machine.loadMultiboot(built.kernel, { commandLine: `fork=share -- /bin/${STORM} ${forks}`, modules: [built.initrd] });
  const images = { kernel: built.kernel, modules: [built.initrd] };
  const filter = { ...NO_FILTER, letters: ALL_LETTERS.replace("f", "") };
  const begun = performance.now();
  const session = traceSession(machine, images, { filter, fields: FIELDS, syntax: "intel", output: file });
  for (;;) {
    const { reason } = machine.run({ maxInstructions: SLICE });
    session.atBoundary();
    if (reason !== "budget") break;
  }
  return session.end().lines / ((performance.now() - begun) / 1000);
}

/**
 * Seconds that `tine` takes for a run, as a person waits for it: by the clock, since several threads take part, and in a process of its own, since
 * what one run has compiled another in the same process may or may not find.
 */
function secondsOf(words: readonly string[]): number {
  const begun = performance.now();
  const { status, stderr } = spawnSync(process.execPath, ["tools/cli/tine.mjs", ...words], { encoding: "utf8" });
  if (status !== 0) throw new Error(`tine ${words.join(" ")}: ${stderr}`);
  return (performance.now() - begun) / 1000;
}

/** How many times as long a run of a guest takes that is traced for events: between two without, whose mean counts, as machines drift. */
function ratioOf(guest: readonly string[], file: string): number {
  const before = secondsOf(["run", "--fork", "share", ...guest]);
  const traced = secondsOf(["trace", "--trace", "events", "--output", file, "--fork", "share", ...guest]);
  return (2 * traced) / (before + secondsOf(["run", "--fork", "share", ...guest]));
}

/** Measures, `rounds` times each after a first time that does not count. */
export async function traceCosts(rounds: number, scale: number, progress: (text: string) => void): Promise<TraceCosts> {
  const built = await buildAll("dist");
  const folder = mkdtempSync(join(tmpdir(), "tine-bench-"));
  const file = join(folder, "trace.txt");
  // Long enough that what is made once (code for a thread that has just come up, most of all) counts as little as it does for a person.
  const scaled = (most: number, least: number) => Math.max(least, Math.round(most * scale));
  const storm = [`userland/bin/${STORM}.ts`, String(scaled(6000, 10))];
  const demo = ["--mem", String(DEMO_MEMORY_MB), `userland/bin/${DEMO}.ts`, String(scaled(256, 4))];
  const figures = { lines: [] as number[], events: [] as number[], dense: [] as number[] };
  try {
    for (let round = 0; round <= rounds; round++) {
      progress(`trace, ${round === 0 ? "to warm up" : `${round} of ${rounds}`}`);
      const lines = linesPerSecond(built, scaled(50, 5), file);
      const events = ratioOf(demo, file);
      const dense = ratioOf(storm, file);
      if (round === 0) continue;
      figures.lines.push(lines);
      figures.events.push(events);
      figures.dense.push(dense);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { lines: spread(figures.lines), events: spread(figures.events), dense: spread(figures.dense) };
}
