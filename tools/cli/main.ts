/**
 * The command line: its commands, and what happens to an error. May import all of tools/.
 * Invariant: what the user can mend is one line `tine: ...` and exit code 2; a stack trace is a bug of ours.
 */
import type { Worker } from "node:worker_threads";
import { Command, CommanderError } from "commander";
import packageJson from "../../package.json";
import { CompileError } from "../compiler/errors";
import { LabError } from "../lab/errors";
import { auditCommand } from "./commands/audit";
import { bootCommand } from "./commands/boot";
import { buildCommand } from "./commands/build";
import { demoCommand } from "./commands/demo";
import { gdbCommand } from "./commands/gdb";
import { labCommand } from "./commands/lab";
import { profileCommand } from "./commands/profile";
import { runCommand } from "./commands/run";
import { showCommand } from "./commands/show";
import { testCommand } from "./commands/test";
import { traceCommand } from "./commands/trace";
import { whyCommand } from "./commands/why";
import { CliError, ExitCode } from "./exitcodes";
import { fileReason } from "./input";
import { dropThread, offerThread, SessionError } from "./session";

function program(): Command {
  return new Command("tine")
    .description("a software i386 PC, and a small kernel in TypeScript that shares page tables at fork")
    .version(packageJson.version)
    .enablePositionalOptions()
    .addCommand(bootCommand())
    .addCommand(runCommand())
    .addCommand(testCommand())
    .addCommand(traceCommand())
    .addCommand(gdbCommand())
    .addCommand(showCommand())
    .addCommand(whyCommand())
    .addCommand(profileCommand())
    .addCommand(auditCommand())
    .addCommand(demoCommand())
    .addCommand(labCommand())
    .addCommand(buildCommand());
}

/**
 * Every command leaves by exception, never by process.exit: output that is still under way gets written. A usage error is one
 * line in our own form, whatever commander's is.
 */
function inOurForm(command: Command): Command {
  for (const child of command.commands) inOurForm(child);
  const oneLine = (text: string): string =>
    text
      .trim()
      .replace(/^error: /, "")
      .replace(/\s*\n\s*/g, " ");
  return command.exitOverride().configureOutput({
    outputError: (text, write) => write(`tine: ${oneLine(text)} (tine --help says more)\n`),
  });
}

/** The one line for an error that the user can mend; undefined for a bug of ours. */
function explain(error: unknown): { code: ExitCode; line: string } | undefined {
  if (error instanceof CliError) return { code: error.code, line: error.message };
  if (error instanceof CompileError || error instanceof SessionError || error instanceof LabError)
    return { code: ExitCode.Usage, line: error.message };
  if ((error as NodeJS.ErrnoException).syscall !== undefined) {
    const { path } = error as NodeJS.ErrnoException;
    return { code: ExitCode.Usage, line: `${path ? `${path}: ` : ""}${fileReason(error)}` };
  }
  return undefined;
}

/**
 * Runs one command line (with the two words before it, as in process.argv); sets process.exitCode. `thread` is one of worker.mjs
 * that is coming up already, for a command that runs a machine.
 */
export async function main(argv: readonly string[], thread?: Worker): Promise<void> {
  offerThread(thread);
  // `tine ... | head` ends the pipe early; that is not an error of ours.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(ExitCode.Ok);
    process.stderr.write(`tine: stdout: ${fileReason(error)}\n`);
    process.exit(ExitCode.Usage);
  });
  try {
    await inOurForm(program()).parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? ExitCode.Ok : ExitCode.Usage;
      return;
    }
    const explained = explain(error);
    if (explained === undefined) throw error;
    process.stderr.write(`tine: ${explained.line}\n`);
    process.exitCode = explained.code;
  } finally {
    dropThread();
  }
}
