/**
 * `tine boot [KERNEL.elf]`: a machine with its console, or with --screen its screen, on this terminal. Without an argument, our
 * kernel with a shell; with --rom, a ROM image.
 */

import { basename } from "node:path";
import { Command, Option } from "commander";
import { screenConsole, serialConsole } from "../console";
import { type DiskOptions, diskFor, diskOption, readOnlyDiskOption, swapOption, swapWords } from "../disk";
import { CliError } from "../exitcodes";
import { builtImages, initrdWith, programsOf, userInitrd } from "../images";
import { readInput } from "../input";
import { budgetOption, cpuOption, memoryOption, saveStateOption, tlbOption } from "../options";
import { outcome } from "../outcome";
import { Session, type SessionSpec } from "../session";
import { PANIC_TRACE } from "./run";

interface BootOptions extends DiskOptions {
  mem: number;
  cmdline: string;
  initrd?: string;
  rom?: string;
  screen?: boolean;
  budget: number;
  tlb: NonNullable<SessionSpec["tlb"]>;
  cpu: NonNullable<SessionSpec["cpu"]>;
  saveState?: string;
}

/** What is booted: a ROM, ours, or the user's image with the user's initrd. */
async function images(
  kernelPath: string | undefined,
  options: BootOptions,
): Promise<Pick<SessionSpec, "kernel" | "kernelName" | "rom" | "modules" | "programs">> {
  if (options.rom !== undefined) {
    if (kernelPath !== undefined) throw new CliError(`${kernelPath}: --rom boots a ROM instead of a kernel`);
    return { kernel: readInput(options.rom), kernelName: basename(options.rom), rom: true, modules: [], programs: [] };
  }
  if (kernelPath !== undefined) {
    // What another kernel's module holds is not for us to judge.
    const modules = options.initrd === undefined ? [] : [readInput(options.initrd)];
    return { kernel: readInput(kernelPath), kernelName: basename(kernelPath), modules, programs: [] };
  }
  // Before the build, which may take a while.
  const initrd = options.initrd === undefined ? undefined : userInitrd(options.initrd);
  const { kernel, files } = await builtImages();
  return {
    kernel,
    kernelName: "kernel.elf",
    modules: [initrd ?? initrdWith(files)],
    programs: programsOf(files),
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
    .addOption(
      new Option("--rom <file>", "start a ROM image of 64 to 256 KB at F000:FFF0").conflicts([
        "cmdline",
        "initrd",
        "swap",
      ]),
    )
    .option("--screen", "show the text screen instead of the serial console; the keyboard types at the guest's")
    .addOption(diskOption())
    .addOption(readOnlyDiskOption())
    .addOption(swapOption())
    .addOption(budgetOption())
    .addOption(tlbOption())
    .addOption(cpuOption())
    .addOption(saveStateOption())
    .action(async (kernelPath: string | undefined, options: BootOptions) => {
      const disk = diskFor(options);
      const booted = await images(kernelPath, options);
      const console = options.screen ? await screenConsole() : serialConsole();
      const spec: SessionSpec = {
        ...disk,
        ...booted,
        memoryMB: options.mem,
        commandLine: `${swapWords(options)}${options.cmdline}`,
        maxInstructions: options.budget,
        ...console.spec,
        trace: { count: PANIC_TRACE, when: "panic" },
        tlb: options.tlb,
        cpu: options.cpu,
        ...(options.saveState === undefined ? {} : { saveState: options.saveState }),
      };
      const session = new Session(spec, console.handlers);
      console.attach(session);
      try {
        const result = await session.result.finally(() => console.release());
        for (const line of result.trace) process.stderr.write(`${line}\n`);
        const { code, line } = outcome(result);
        if (line) process.stderr.write(`tine: ${line}\n`);
        process.exitCode = code;
      } finally {
        await session.close();
      }
    });
}
