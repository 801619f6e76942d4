/**
 * What the commands that run a guest program have in common: arguments, options of the machine, and what the run is made of. May
 * import commander, tools/replay's types and the rest of tools/cli.
 */
import type { Command } from "commander";
import type { KernelLayout } from "../image/layout";
import type { TarFile } from "../image/ustar";
import type { Recipe } from "../replay/recipe";
import { type DiskOptions, diskFor, diskOption, readOnlyDiskOption, swapOption, swapWords } from "./disk";
import { CliError, ExitCode } from "./exitcodes";
import { builtImages, initrdWith, userProgram } from "./images";
import { budgetOption, cpuOption, forkOption, memoryOption, tlbOption } from "./options";

/** Options of a machine with our kernel. */
export interface MachineOptions extends DiskOptions {
  mem: number;
  fork: string;
  cmdline: string;
  tlb: NonNullable<Recipe["tlb"]>;
  cpu: NonNullable<Recipe["cpu"]>;
}

export interface ProgramOptions extends MachineOptions {
  budget: number;
}

/** Adds the options of MachineOptions. */
export function withMachineOptions(command: Command): Command {
  return command
    .addOption(memoryOption(64))
    .addOption(forkOption())
    .addOption(diskOption())
    .addOption(readOnlyDiskOption())
    .addOption(swapOption())
    .addOption(tlbOption())
    .addOption(cpuOption())
    .option("--cmdline <words>", "more words for the kernel's command line", "");
}

/** Adds a program, its arguments, and the options of ProgramOptions. */
export function withProgram(command: Command): Command {
  const named = command
    .argument("<program>", "a guest program: TypeScript source or an i386 ELF")
    .argument("[args...]", "its arguments")
    .passThroughOptions();
  return withMachineOptions(named).addOption(budgetOption());
}

/** The kernel's command line is split at blanks, so arguments with blanks are quoted, as Linux's are. */
function quoted(argument: string): string {
  if (argument.includes('"')) throw new CliError(`an argument with a double quote cannot be passed: ${argument}`);
  return /[\s]/.test(argument) || argument === "" ? `"${argument}"` : argument;
}

/** What a run is made of. */
export interface GuestProgram {
  recipe: Recipe;
  /** The program as a file of the initrd; undefined for a shell. */
  program: TarFile | undefined;
}

/** What a run of the program is made of; without a path, one of the shell. Throws CliError or CompileError. */
export async function guestProgram(
  path: string | undefined,
  args: readonly string[],
  options: MachineOptions,
): Promise<GuestProgram> {
  const disk = diskFor(options);
  const words = args.map(quoted);
  const program = path === undefined ? undefined : await userProgram(path);
  const { kernel, initrd } = await builtImages();
  const own = `fork=${options.fork} ${swapWords(options)}`;
  const commandLine =
    program === undefined
      ? `${own}${options.cmdline}`
      : `quiet ${own}init=/bin/init ${options.cmdline} -- ${[quoted(`/${program.name}`), ...words].join(" ")}`;
  const recipe = {
    ...disk,
    memoryMB: options.mem,
    kernel,
    kernelName: "kernel.elf",
    commandLine,
    modules: [program === undefined ? initrd : initrdWith(initrd, program)],
    tlb: options.tlb,
    cpu: options.cpu,
  };
  return { recipe, program };
}

/** A recipe with another way to fork. */
export function withFork(recipe: Recipe, fork: string): Recipe {
  return { ...recipe, commandLine: recipe.commandLine.replace(/\bfork=\w+/, `fork=${fork}`) };
}

/** The layout of the recipe's kernel, which is ours. */
export async function programLayout({ kernel }: Recipe): Promise<KernelLayout> {
  const { kernelLayout } = await import("../image/layout");
  const layout = kernelLayout(kernel);
  if (layout === undefined) throw new CliError("this kernel carries no layout", ExitCode.Usage);
  return layout;
}
