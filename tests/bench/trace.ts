/**
 * What tracing costs: lines of a full text trace a second, and how much longer a run takes that is traced for events alone, or of which a
 * trace waits for a window that never comes. May import cpu, tools, statistics.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Machine } from "../../cpu/index";
import { type BuiltAll, buildAll } from "../../tools/image/build";
import { ALL_LETTERS, EVENT_LETTERS, FIELDS, NO_FILTER, type TraceFilter } from "../../tools/trace/filter";
import { traceSession } from "../../tools/trace/session";
import { type Spread, spread } from "./statistics";

/** What is wanted: lines a second at least, and how many times the untraced run at most. */
export const TRACE_LIMITS = { lines: 300_000, events: 1.1, waiting: 1.02 };

export interface TraceCosts {
  /** Lines a second, of a full trace to a file. */
  lines: Spread;
  /** Times that of the run without a trace. */
  events: Spread;
  waiting: Spread;
}

/** Forks, execs, faults and exits: kernel code, and many events. */
const GUEST = "/bin/forkstorm";
/** Instructions between two looks, as the command line has them. */
const SLICE = 50_000;

/** Seconds that a run takes, under a trace if there is a filter, and its lines: by the clock, since several threads take part. */
function run(
  built: BuiltAll,
  forks: number,
  file: string,
  filter: TraceFilter | undefined,
): { seconds: number; lines: number } {
  const machine = new Machine({ memoryMB: 64 });
  machine.loadMultiboot(built.kernel, { commandLine: `fork=share -- ${GUEST} ${forks}`, modules: [built.initrd] });
  const images = { kernel: built.kernel, modules: [built.initrd] };
  const begun = performance.now();
  const session = filter && traceSession(machine, images, { filter, fields: FIELDS, syntax: "intel", output: file });
  for (;;) {
    const { reason } = machine.run({ maxInstructions: SLICE });
    session?.atBoundary();
    if (reason !== "budget") break;
  }
  const lines = session?.end().lines ?? 0;
  return { seconds: (performance.now() - begun) / 1000, lines };
}

/** Measures, `rounds` times each after a first time that does not count. */
export async function traceCosts(rounds: number, scale: number, progress: (text: string) => void): Promise<TraceCosts> {
  const built = await buildAll("dist");
  const folder = mkdtempSync(join(tmpdir(), "tine-bench-"));
  const file = join(folder, "trace.txt");
  const forks = Math.max(10, Math.round(1000 * scale));
  const all = { ...NO_FILTER, letters: ALL_LETTERS.replace("f", "") };
  const events = { ...NO_FILTER, letters: EVENT_LETTERS };
  const waiting = { ...all, from: Number.MAX_SAFE_INTEGER, to: Number.POSITIVE_INFINITY };
  const figures = { lines: [] as number[], events: [] as number[], waiting: [] as number[] };
  try {
    for (let round = 0; round <= rounds; round++) {
      progress(`trace, ${round === 0 ? "to warm up" : `${round} of ${rounds}`}`);
      const full = run(built, Math.ceil(forks / 20), file, all);
      const plain = run(built, forks, file, undefined);
      const withEvents = run(built, forks, file, events);
      const withWaiting = run(built, forks, file, waiting);
      if (round === 0) continue;
      figures.lines.push(full.lines / full.seconds);
      figures.events.push(withEvents.seconds / plain.seconds);
      figures.waiting.push(withWaiting.seconds / plain.seconds);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { lines: spread(figures.lines), events: spread(figures.events), waiting: spread(figures.waiting) };
}
