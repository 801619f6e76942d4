/**
 * What `tine trace show` and `tine trace diff` do: binary traces and recordings read back. May import tools/replay, tools/trace and the rest
 * of tools/cli.
 */
import { setImmediate } from "node:timers/promises";
import { RECORDING } from "../replay/recording";
import { BINARY_TRACE, BinaryTrace } from "../trace/binary";
import { ChunkFileError, isFileOf } from "../trace/chunks";
import { type DiffBy, type Difference, DiffSink, type DiffSource, firstDifference } from "../trace/diff";
import { FIELDS, KERNEL, NO_FILTER, USER } from "../trace/filter";
import { TextFormat } from "../trace/format";
import { Output } from "../trace/output";
import { Tracer } from "../trace/tracer";
import { CliError, ExitCode } from "./exitcodes";
import { fileReason } from "./input";
import { finishTrace } from "./traceend";
import { lineForm, type TraceOptions } from "./traceoptions";
import { openRecording } from "./tracereplay";

const STDOUT = 1;
/** Instructions of a recording that are traced at a time. */
const PIECE = 20_000;

/** What ChunkFileError says, as an error that the user can mend. */
function mendable(error: unknown): unknown {
  return error instanceof ChunkFileError ? new CliError(error.message) : error;
}

/** Prints a binary trace as text. Throws CliError for a file that is none, or damaged: behind what could be read of it. */
export async function showTrace(path: string, options: TraceOptions): Promise<void> {
  let isInterrupted = false;
  const interrupt = () => {
    isInterrupted = true;
  };
  process.on("SIGINT", interrupt);
  try {
    const trace = new BinaryTrace(path);
    const { fields, syntax } = lineForm(options);
    const format = new TextFormat({ fields: new Set(fields), syntax, where: trace.head.where });
    const output = new Output(options.output ?? STDOUT);
    let lines = 0;
    let instret = 0;
    const write = (at: number, line: string) => {
      instret = at;
      lines++;
      output.write(line);
    };
    const sink = {
      step: (step: Parameters<TextFormat["step"]>[0]) => write(step.instret, format.step(step)),
      event: (...[event, where]: Parameters<TextFormat["event"]>) => write(event.instret, format.event(event, where)),
    };
    try {
      for (const _ of trace.readInto(sink)) {
        output.flush();
        if (isInterrupted || output.error !== undefined) break;
        await setImmediate();
      }
    } finally {
      output.close();
    }
    const { error } = output;
    const end = { lines, instret, ...(error === undefined ? {} : { error: error.code ?? error.message }) };
    if (!trace.isWhole && error === undefined && !isInterrupted) {
      throw new CliError(`${path}: truncated: the trace ends at instruction ${instret}, after ${lines} lines`);
    }
    finishTrace(end, isInterrupted, options.output);
  } catch (error) {
    throw mendable(error);
  } finally {
    process.off("SIGINT", interrupt);
  }
}

/** The lines of a recording, traced piece by piece. */
function recordedLines(path: string, by: DiffBy): DiffSource {
  const recording = openRecording(path);
  const machine = recording.machine();
  const sink = new DiffSink(FIELDS, by);
  const { kernel, modules } = recording.recipe;
  const filter = { ...NO_FILTER, letters: `${KERNEL}${USER}xsp` };
  const tracer = new Tracer(machine, { kernel, modules, filter, sink, memory: true });
  function* more(): Generator<void> {
    while (machine.instret < recording.endsAt) {
      const { reason } = machine.run({ maxInstructions: Math.min(PIECE, recording.endsAt - machine.instret) });
      if (reason !== "budget") break;
      yield;
    }
    tracer.end();
  }
  return { sink, more: more() };
}

function binaryLines(path: string, by: DiffBy): DiffSource {
  const sink = new DiffSink(FIELDS, by);
  return { sink, more: new BinaryTrace(path).readInto(sink) };
}

function linesOf(path: string, by: DiffBy): DiffSource {
  try {
    if (isFileOf(RECORDING, path)) return recordedLines(path, by);
    if (isFileOf(BINARY_TRACE, path)) return binaryLines(path, by);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== undefined) throw new CliError(`${path}: ${fileReason(error)}`);
    throw error;
  }
  throw new CliError(`${path}: neither a binary trace nor a recording of a run`);
}

function printDifference({ common, count, first, second }: Difference, one: string, two: string): void {
  const say = (text: string) => process.stdout.write(`${text}\n`);
  for (const line of common) say(`  ${line}`);
  say(first === undefined ? `< ${one} ends here` : `< ${first.text}`);
  say(second === undefined ? `> ${two} ends here` : `> ${second.text}`);
  const place = first ?? second;
  const where = place === undefined || place.function === "" ? "" : ` in ${place.function}, ${place.source}`;
  say(`first difference after ${count} that are the same:${where}`);
}

/** Prints where two traces part; exit code 1 if they do. Throws CliError for a file that cannot be read. */
export function diffTraces(one: string, two: string, by: DiffBy): void {
  try {
    const difference = firstDifference(linesOf(one, by), linesOf(two, by));
    if (difference === undefined) {
      process.stdout.write("no difference\n");
      return;
    }
    printDifference(difference, one, two);
    process.exitCode = ExitCode.Failed;
  } catch (error) {
    throw mendable(error);
  }
}
