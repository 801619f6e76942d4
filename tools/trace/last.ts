/**
 * The last instructions of a run: `tine trace --last N`, and what is printed when a kernel panics. The run is made again from its beginning
 * and traced only near its end, so that the first run costs nothing. May import the rest of tools/trace, cpu.
 */
import type { Machine } from "../../cpu/index";
import { EVENT_LETTERS, FIELDS, KERNEL, NO_FILTER, USER } from "./filter";
import type { TraceSpec } from "./session";
import { TextSink } from "./textsink";
import { Tracer } from "./tracer";

type Shown = Pick<TraceSpec, "filter" | "fields" | "syntax">;

/** How the end of a run that went wrong is shown, unasked. */
export function panicSpec(): Shown {
  return { filter: { ...NO_FILTER, letters: KERNEL + USER + EVENT_LETTERS }, fields: FIELDS, syntax: "intel" };
}

/**
 * Lines of the `count` instructions before instruction `until`. `machine` is at its first instruction, with all input given. An
 * instruction that never retires, since the processor dies of it, is the one before instret + 1.
 */
export function lastLines(
  machine: Machine,
  { kernel, modules }: { kernel: Uint8Array; modules: readonly Uint8Array[] },
  { until, count, spec }: { until: number; count: number; spec: Shown },
): string[] {
  const lines: string[] = [];
  const filter = { ...spec.filter, from: Math.max(0, until - count), to: until };
  const sink = new TextSink({ ...spec, filter }, (line) => lines.push(line.trimEnd()));
  const memory = spec.fields.includes("memory");
  const tracer = new Tracer(machine, { kernel, modules, filter, sink, memory });
  while (!tracer.isDone) {
    const { reason } = machine.run({ maxInstructions: Math.min(tracer.nextBoundary(), until) - machine.instret });
    tracer.atBoundary();
    if (reason !== "budget") break;
  }
  tracer.end();
  return lines;
}
