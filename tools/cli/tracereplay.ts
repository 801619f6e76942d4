/**
 * What `tine trace run.tine` does: traces a recorded run, or a window of it, on stdout or in a file. May import tools/replay, tools/trace and
 * the rest of tools/cli.
 */
import { setImmediate } from "node:timers/promises";
import { Recording, RecordingError } from "../replay/recording";
import { traceSession } from "../trace/session";
import { TraceError } from "../trace/tracer";
import { CliError } from "./exitcodes";
import { finishTrace } from "./traceend";
import { type TraceOptions, traceSpecOf } from "./traceoptions";

const STDOUT = 1;
/** Instructions between two looks at whether the user has had enough. */
const SLICE = 50_000;

/** The recording in a file. Throws CliError for one that cannot be read. */
export function openRecording(path: string): Recording {
  try {
    return Recording.open(path);
  } catch (error) {
    throw error instanceof RecordingError ? new CliError(error.message) : error;
  }
}

/** Traces the run in a file as the options say. Throws CliError for a file that cannot be read, a moment that it does not know. */
export async function traceRecording(path: string, options: TraceOptions): Promise<void> {
  const recording = openRecording(path);
  const { endsAt } = recording;
  const wanted = traceSpecOf(options, STDOUT, recording.command);
  const from = options.last === undefined ? wanted.filter.from : Math.max(0, endsAt - options.last);
  if (from > endsAt) throw new CliError(`${path}: the recording ends at instruction ${endsAt}`);
  const filter = { ...wanted.filter, from, to: Math.min(wanted.filter.to, endsAt) };
  let isInterrupted = false;
  const interrupt = () => {
    isInterrupted = true;
  };
  process.on("SIGINT", interrupt);
  try {
    const machine = recording.machine();
    recording.goTo(machine, from);
    const session = traceSession(machine, recording.recipe, { ...wanted, filter });
    while (!session.isDone && !isInterrupted) {
      const until = Math.min(session.nextBoundary(), endsAt, machine.instret + SLICE);
      const { reason } = machine.run({ maxInstructions: until - machine.instret });
      session.atBoundary();
      if (reason !== "budget") break;
      await setImmediate();
    }
    finishTrace(session.end(), isInterrupted, options.output ?? options.binary);
  } catch (error) {
    throw error instanceof TraceError || error instanceof RecordingError ? new CliError(error.message) : error;
  } finally {
    process.off("SIGINT", interrupt);
  }
}
