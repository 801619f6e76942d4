/**
 * How a trace or a recording has ended, in one line for stderr and an exit code. May import tools/trace's types, input.ts, exitcodes.ts.
 */
import type { TraceEnd } from "../trace/session";
import { ExitCode } from "./exitcodes";
import { fileReason } from "./input";

/** Nobody reads the pipe any more: an end like another. */
const CLOSED_PIPE = "EPIPE";

function say(text: string): void {
  process.stderr.write(`tine: ${text}\n`);
}

/** Says where the trace ended, if it did before the run or went into a file, and sets the exit code when it could not be written. */
export function finishTrace(trace: TraceEnd | undefined, isInterrupted: boolean, file: string | undefined): void {
  if (trace === undefined) return;
  const at = `at instruction ${trace.instret}, after ${trace.lines} lines`;
  if (trace.error === CLOSED_PIPE) say(`nobody reads the trace any more: it ends ${at}`);
  else if (trace.error !== undefined) {
    say(`${file ?? "stdout"}: ${fileReason({ code: trace.error, message: trace.error })}: the trace ends ${at}`);
    process.exitCode = ExitCode.Usage;
  } else if (isInterrupted) say(`interrupted: the trace ends ${at}`);
  else if (file !== undefined) say(`${file}: ${trace.lines} lines, up to instruction ${trace.instret}`);
}

/** Says so when a recording could not be written to its end. */
export function finishRecording(file: string | undefined, error: string | undefined): void {
  if (file === undefined || error === undefined) return;
  say(`${file}: ${fileReason({ code: error, message: error })}: the recording is not complete`);
  process.exitCode = ExitCode.Usage;
}
