/**
 * How a trace has ended, in one line for stderr and an exit code. May import session.ts, input.ts, exitcodes.ts.
 */
import { ExitCode } from "./exitcodes";
import { fileReason } from "./input";
import type { SessionResult } from "./session";

/** Nobody reads the pipe any more: an end like another. */
const CLOSED_PIPE = "EPIPE";

/** Says where the trace ended, if it did before the run or went into a file, and sets the exit code when it could not be written. */
export function finishTrace({ trace, end }: SessionResult, file: string | undefined): void {
  if (trace === undefined) return;
  const say = (text: string) => process.stderr.write(`tine: ${text}\n`);
  const at = `at instruction ${trace.instret}, after ${trace.lines} lines`;
  if (trace.error === CLOSED_PIPE) say(`nobody reads the trace any more: it ends ${at}`);
  else if (trace.error !== undefined) {
    const reason = fileReason(Object.assign(new Error(trace.error), { code: trace.error }));
    say(`${file ?? "stdout"}: ${reason}: the trace ends ${at}`);
    process.exitCode = ExitCode.Usage;
  } else if (end.reason === "stopped") say(`interrupted: the trace ends ${at}`);
  else if (file !== undefined) say(`${file}: ${trace.lines} lines, up to instruction ${trace.instret}`);
}
