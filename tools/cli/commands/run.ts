/**
 * `tine run PROGRAM [ARGS]`: boots our kernel with one program as a child of init, and ends with its exit status. What it is made of serves
 * `tine trace` too.
 */
import { Command } from "commander";
import { runOnConsole, serialConsole } from "../console";
import { guestProgram, type ProgramOptions, withProgram } from "../guestprogram";
import { auditEveryOption, auditInterval, auditOption, saveStateOption } from "../options";
import { outcome } from "../outcome";
import { PANIC_TRACE, type SessionResult, type SessionSpec } from "../session";

export interface RunOptions extends ProgramOptions {
  audit?: boolean;
  auditEvery?: number;
  saveState?: string;
}

/** What is kept of the run: its end, a trace, a recording. */
export type Shown = Pick<SessionSpec, "last" | "trace" | "record">;

/** Boots, runs the program with this process's stdin as its console, and returns how it ended. */
export async function runProgram(
  path: string,
  args: readonly string[],
  options: RunOptions,
  shown: Shown,
  output: NodeJS.WriteStream,
): Promise<SessionResult> {
  return runOnConsole(serialConsole(output), async () => ({
    ...(await guestProgram(path, args, options)).recipe,
    maxInstructions: options.budget,
    ...shown,
    auditEvery: auditInterval(options),
    ...(options.saveState === undefined ? {} : { saveState: options.saveState }),
  }));
}

/** Says on stderr what went wrong; the process ends with the run's code. */
export function finish(result: SessionResult): void {
  const { code, line } = outcome(result);
  for (const text of result.audit) process.stderr.write(`${text}\n`);
  if (line) process.stderr.write(`tine: ${line}\n`);
  process.exitCode = code;
}

/** Adds the arguments and options of RunOptions. */
export function withRunOptions(command: Command): Command {
  return withProgram(command).addOption(auditOption()).addOption(auditEveryOption()).addOption(saveStateOption());
}

/** `tine run`. */
export function runCommand(): Command {
  return withRunOptions(new Command("run"))
    .description("compile a guest program, boot, run it; its exit status becomes ours")
    .action(async (path: string, args: string[], options: RunOptions) => {
      const last = { count: PANIC_TRACE, when: "panic" } as const;
      const result = await runProgram(path, args, options, { last }, process.stdout);
      for (const line of result.last) process.stderr.write(`${line}\n`);
      finish(result);
    });
}
