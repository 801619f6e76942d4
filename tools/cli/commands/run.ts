/**
 * `tine run PROGRAM [ARGS]`: boots our kernel with one program as a child of init, and ends with its exit status. What it is made of serves
 * `tine trace` too.
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
  memoryOption,
  saveStateOption,
  tlbOption,
} from "../options";
import { outcome } from "../outcome";
import { PANIC_TRACE, type SessionResult, type SessionSpec } from "../session";

export interface RunOptions extends DiskOptions {
  mem: number;
  fork: string;
  cmdline: string;
  budget: number;
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
      ...shown,
      tlb: options.tlb,
      cpu: options.cpu,
      auditEvery: auditInterval(options),
      ...(options.saveState === undefined ? {} : { saveState: options.saveState }),
    };
  });
}

/** Says on stderr what went wrong; the process ends with the run's code. */
export function finish(result: SessionResult): void {
  const { code, line } = outcome(result);
  for (const text of result.audit) process.stderr.write(`${text}\n`);
  if (line) process.stderr.write(`tine: ${line}\n`);
  process.exitCode = code;
}

/** Adds the arguments and options of a command that runs a guest program. */
export function withRunOptions(command: Command): Command {
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
    .action(async (path: string, args: string[], options: RunOptions) => {
      const last = { count: PANIC_TRACE, when: "panic" } as const;
      const result = await runProgram(path, args, options, { last }, process.stdout);
      for (const line of result.last) process.stderr.write(`${line}\n`);
      finish(result);
    });
}
