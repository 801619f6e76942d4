/**
 * `tine boot [KERNEL.elf]`: a machine with its console on this terminal. Without an argument, our kernel with a shell.
 */

import { basename } from "node:path";
import { Command } from "commander";
import { type DiskOptions, diskFor, diskOption, swapOption, swapWords } from "../disk";
import { builtImages, userInitrd } from "../images";
import { readInput } from "../input";
import { budgetOption, cpuOption, memoryOption, saveStateOption, tlbOption } from "../options";
import { outcome } from "../outcome";
import { PANIC_TRACE, type SessionSpec } from "../session";
import { runOnConsole } from "../terminal";

interface BootOptions extends DiskOptions {
  mem: number;
  cmdline: string;
  initrd?: string;
  budget: number;
  tlb: NonNullable<SessionSpec["tlb"]>;
  cpu: NonNullable<SessionSpec["cpu"]>;
  saveState?: string;
}

/** What is booted: ours, or the user's image with the user's initrd. The user's files are read at once, ours when asked for. */
function images(
  kernelPath: string | undefined,
  options: BootOptions,
): () => Promise<Pick<SessionSpec, "kernel" | "modules">> {
  if (kernelPath !== undefined) {
    // What another kernel's module holds is not for us to judge.
    const modules = options.initrd === undefined ? [] : [readInput(options.initrd)];
    const kernel = readInput(kernelPath);
    return async () => ({ kernel, modules });
  }
  const theirs = options.initrd === undefined ? undefined : userInitrd(options.initrd);
  return async () => {
    const { kernel, initrd } = await builtImages();
    return { kernel, modules: [theirs ?? initrd] };
  };
}

/** `tine boot`. */
export function bootCommand(): Command {
  return new Command("boot")
    .description("boot a kernel with its console on this terminal (Ctrl-A x quits); ours with a shell by default")
    .argument("[kernel]", "any multiboot-1 ELF32")
    .addOption(memoryOption(64))
    .option("--cmdline <words>", "the kernel's command line", "")
    .option("--initrd <file>", "multiboot module: a ustar archive for our kernel")
    .addOption(diskOption())
    .addOption(swapOption())
    .addOption(budgetOption())
    .addOption(tlbOption())
    .addOption(cpuOption())
    .addOption(saveStateOption())
    .action(async (kernelPath: string | undefined, options: BootOptions) => {
      const disk = diskFor(options);
      const read = images(kernelPath, options);
      const result = await runOnConsole(process.stdout, async () => ({
        ...disk,
        ...(await read()),
        kernelName: basename(kernelPath ?? "kernel.elf"),
        memoryMB: options.mem,
        commandLine: `${swapWords(options)}${options.cmdline}`,
        maxInstructions: options.budget,
        trace: { count: PANIC_TRACE, when: "panic" },
        tlb: options.tlb,
        cpu: options.cpu,
        ...(options.saveState === undefined ? {} : { saveState: options.saveState }),
      }));
      for (const line of result.trace) process.stderr.write(`${line}\n`);
      const { code, line } = outcome(result);
      if (line) process.stderr.write(`tine: ${line}\n`);
      process.exitCode = code;
    });
}
