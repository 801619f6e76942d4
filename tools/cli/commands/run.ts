/**
 * `tine run PROGRAM [ARGS]` and `tine trace PROGRAM [ARGS]`: boot our kernel with one program as a child of init, and end
 * with its exit status. The trace is the same run with the last N instructions printed on stdout when it is over.
 */
import { Command } from "commander";
import { runOnConsole, serialConsole } from "../console";
import { type DiskOptions, diskFor, diskOption, readOnlyDiskOption, swapOption, swapWords } from "../disk";
import { CliError } from "../exitcodes";
import { builtImages, initrdWith, userProgram } from "../images";
import {
  auditEveryOption,
  auditInterval,
  auditOption,
  budgetOption,
  cpuOption,
  forkOption,
  lastOption,
  memoryOption,
  saveStateOption,
  tlbOption,
} from "../options";
import { outcome } from "../outcome";
import { PANIC_TRACE, type SessionResult, type SessionSpec } from "../session";

interface RunOptions extends DiskOptions {
  mem: number;
  fork: string;
  cmdline: string;
  budget: number;
  trace: SessionSpec["trace"];
  tlb: NonNullable<SessionSpec["tlb"]>;
  cpu: NonNullable<SessionSpec["cpu"]>;
  audit?: boolean;
  auditEvery?: number;
  saveState?: string;
}

/** The kernel's command line is split at blanks, so arguments with blanks are quoted, as Linux's are. */
export function quoted(argument: string): string {
  if (argument.includes('"')) throw new CliError(`an argument with a double quote cannot be passed: ${argument}`);
  return /[\s]/.test(argument) || argument === "" ? `"${argument}"` : argument;
}

/** Boots, runs the program with this process's stdin as its console, and returns how it ended. */
async function runProgram(
  path: string,
  args: readonly string[],
  options: RunOptions,
  output: NodeJS.WriteStream,
): Promise<SessionResult> {
  const disk = diskFor(options);
  const program = await userProgram(path);
  const words = [`/${program.name}`, ...args].map(quoted);
  return runOnConsole(serialConsole(output), async () => {
    const { kernel, initrd } = await builtImages();
    return {
      ...disk,
      memoryMB: options.mem,
      kernel,
      kernelName: "kernel.elf",
      commandLine: `quiet fork=${options.fork} ${swapWords(options)}init=/bin/init ${options.cmdline} -- ${words.join(" ")}`,
      modules: [initrdWith(initrd, program)],
      maxInstructions: options.budget,
      trace: options.trace,
      tlb: options.tlb,
      cpu: options.cpu,
      auditEvery: auditInterval(options),
      ...(options.saveState === undefined ? {} : { saveState: options.saveState }),
    };
  });
}

/** Says on stderr what went wrong; the process ends with the run's code. */
function finish(result: SessionResult): void {
  const { code, line } = outcome(result);
  for (const text of result.audit) process.stderr.write(`${text}\n`);
  if (line) process.stderr.write(`tine: ${line}\n`);
  process.exitCode = code;
}

function withRunOptions(command: Command): Command {
  return command
    .argument("<program>", "a guest program: TypeScript source or an i386 ELF")
    .argument("[args...]", "its arguments")
    .passThroughOptions()
    .addOption(memoryOption(64))
    .addOption(forkOption())
    .addOption(diskOption())
    .addOption(readOnlyDiskOption())
    .addOption(swapOption())
    .addOption(budgetOption())
    .addOption(tlbOption())
    .addOption(cpuOption())
    .addOption(auditOption())
    .addOption(auditEveryOption())
    .addOption(saveStateOption())
    .option("--cmdline <words>", "more words for the kernel's command line", "");
}

/** `tine run`. */
export function runCommand(): Command {
  return withRunOptions(new Command("run"))
    .description("compile a guest program, boot, run it; its exit status becomes ours")
    .action(async (path: string, args: string[], options: Omit<RunOptions, "trace">) => {
      const trace = { count: PANIC_TRACE, when: "panic" } as const;
      const result = await runProgram(path, args, { ...options, trace }, process.stdout);
      for (const line of result.trace) process.stderr.write(`${line}\n`);
      finish(result);
    });
}

/** `tine trace`. */
export function traceCommand(): Command {
  return withRunOptions(new Command("trace"))
    .description("run a guest program and print the last instructions before its machine stopped")
    .addOption(lastOption(100))
    .action(async (path: string, args: string[], options: Omit<RunOptions, "trace"> & { last: number }) => {
      const trace = { count: options.last, when: "always" } as const;
      const result = await runProgram(path, args, { ...options, trace }, process.stderr);
      for (const line of result.trace) process.stdout.write(`${line}\n`);
      finish(result);
    });
}
