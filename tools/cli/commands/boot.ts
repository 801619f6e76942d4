/**
 * `tine boot [KERNEL.elf]`: a machine with its console on this terminal. Without an argument, our kernel with a shell.
 */

import { basename } from "node:path";
import { Command } from "commander";
import { type DiskOptions, diskFor, diskOption, swapOption, swapWords } from "../disk";
import { builtImages, initrdWith, programsOf, userInitrd } from "../images";
import { readInput } from "../input";
import { budgetOption, cpuOption, memoryOption, saveStateOption, tlbOption } from "../options";
import { outcome } from "../outcome";
import { Session, type SessionSpec } from "../session";
import { attachInput, ConsoleText, inputKind } from "../terminal";
import { PANIC_TRACE } from "./run";

interface BootOptions extends DiskOptions {
  mem: number;
  cmdline: string;
  initrd?: string;
  budget: number;
  tlb: NonNullable<SessionSpec["tlb"]>;
  cpu: NonNullable<SessionSpec["cpu"]>;
  saveState?: string;
}

/** What is booted: ours, or the user's image with the user's initrd. */
async function images(
  kernelPath: string | undefined,
  options: BootOptions,
): Promise<Pick<SessionSpec, "kernel" | "modules" | "programs">> {
  if (kernelPath !== undefined) {
    // What another kernel's module holds is not for us to judge.
    const modules = options.initrd === undefined ? [] : [readInput(options.initrd)];
    return { kernel: readInput(kernelPath), modules, programs: [] };
  }
  // Before the build, which may take a while.
  const initrd = options.initrd === undefined ? undefined : userInitrd(options.initrd);
  const { kernel, files } = await builtImages();
  return { kernel, modules: [initrd ?? initrdWith(files)], programs: programsOf(files) };
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
      const spec: SessionSpec = {
        ...diskFor(options),
        ...(await images(kernelPath, options)),
        kernelName: basename(kernelPath ?? "kernel.elf"),
        memoryMB: options.mem,
        commandLine: `${swapWords(options)}${options.cmdline}`,
        maxInstructions: options.budget,
        input: inputKind(),
        trace: { count: PANIC_TRACE, when: "panic" },
        tlb: options.tlb,
        cpu: options.cpu,
        ...(options.saveState === undefined ? {} : { saveState: options.saveState }),
      };
      const text = new ConsoleText();
      const session = new Session(spec, { serial: (bytes) => process.stdout.write(text.filter(bytes)) });
      const input = attachInput(session);
      try {
        const result = await session.result;
        for (const line of result.trace) process.stderr.write(`${line}\n`);
        const { code, line } = outcome(result);
        if (line) process.stderr.write(`tine: ${line}\n`);
        process.exitCode = code;
      } finally {
        input.release();
        await session.close();
      }
    });
}
