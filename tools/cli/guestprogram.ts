/**
 * What the commands that look at a guest program have in common: their options, the recipe of its run, a machine of it in this
 * thread. Its console has no input, and what it writes goes to stderr. May import commander, tools/replay and the rest of tools/cli.
 */
import { Command } from "commander";
import { MachineError } from "../../cpu/errors";
import type { Machine } from "../../cpu/index";
import type { KernelLayout } from "../image/layout";
import type { Recipe } from "../replay/recipe";
import { quoted } from "./commands/run";
import { type DiskOptions, diskFor, diskOption, readOnlyDiskOption, swapOption, swapWords } from "./disk";
import { CliError, ExitCode } from "./exitcodes";
import { builtImages, initrdWith, userProgram } from "./images";
import { budgetOption, cpuOption, forkOption, memoryOption, tlbOption } from "./options";

export interface ProgramOptions extends DiskOptions {
  mem: number;
  fork: string;
  cmdline: string;
  budget: number;
  tlb: NonNullable<Recipe["tlb"]>;
  cpu: NonNullable<Recipe["cpu"]>;
}

/** A command for a program, with the options of its machine; more arguments may come before. */
export function programCommand(name: string, before?: (command: Command) => Command): Command {
  const command = new Command(name);
  return (before?.(command) ?? command)
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
    .option("--cmdline <words>", "more words for the kernel's command line", "");
}

/** What a run of the program is made of. Throws CliError or CompileError. */
export async function programRecipe(path: string, args: readonly string[], options: ProgramOptions): Promise<Recipe> {
  const disk = diskFor(options);
  const program = await userProgram(path);
  const words = [`/${program.name}`, ...args].map(quoted).join(" ");
  const { kernel, initrd } = await builtImages();
  return {
    ...disk,
    memoryMB: options.mem,
    kernel,
    kernelName: "kernel.elf",
    commandLine: `quiet fork=${options.fork} ${swapWords(options)}init=/bin/init ${options.cmdline} -- ${words}`,
    modules: [initrdWith(initrd, program)],
    tlb: options.tlb,
    cpu: options.cpu,
  };
}

/** A recipe with another way to fork. */
export function withFork(recipe: Recipe, fork: string): Recipe {
  return { ...recipe, commandLine: recipe.commandLine.replace(/\bfork=\w+/, `fork=${fork}`) };
}

/** A machine of the recipe at its first instruction; its disk is a copy in memory. Throws CliError. */
export async function programMachine(recipe: Recipe, onSerial: (bytes: Uint8Array) => void): Promise<Machine> {
  const { bootRecipe, copyOfDisk } = await import("../replay/recipe");
  try {
    return bootRecipe(recipe, await copyOfDisk(recipe), onSerial);
  } catch (error) {
    if (error instanceof MachineError) throw new CliError(error.message);
    throw error;
  }
}

/** The layout of the recipe's kernel, which is ours. */
export async function programLayout({ kernel }: Recipe): Promise<KernelLayout> {
  const { kernelLayout } = await import("../image/layout");
  const layout = kernelLayout(kernel);
  if (layout === undefined) throw new CliError("this kernel carries no layout", ExitCode.Usage);
  return layout;
}

/** Writes what a guest prints to stderr, where its machine runs for what is on stdout. */
export async function serialToStderr(): Promise<(bytes: Uint8Array) => void> {
  const { ConsoleText } = await import("./terminal");
  const text = new ConsoleText();
  return (bytes) => process.stderr.write(text.filter(bytes));
}
