/**
 * `tine boot [KERNEL.elf]`: a machine with its console, or with --screen its screen, on this terminal. Without an argument, our
 * kernel with a shell; with --rom, a ROM image.
 */

import { basename } from "node:path";
import { Command, Option } from "commander";
import { runOnConsole, serialConsole } from "../console";
import { type DiskOptions, diskFor, diskOption, readOnlyDiskOption, swapOption, swapWords } from "../disk";
import { CliError } from "../exitcodes";
import { builtImages, userInitrd } from "../images";
import { readInput } from "../input";
import { budgetOption, cpuOption, memoryOption, saveStateOption, tlbOption } from "../options";
import { outcome } from "../outcome";
import { PANIC_TRACE, type SessionSpec } from "../session";
import { finishTrace } from "../traceend";
import { type TraceOptions, traceLettersOption, traceSpecOf, withTraceOptions } from "../traceoptions";

interface BootOptions extends DiskOptions, TraceOptions {
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

/**
 * What is booted: a ROM, ours, or the user's image with the user's initrd. The user's files are read at once, ours when asked
 * for: they may have to be built.
 */
function images(
  kernelPath: string | undefined,
  options: BootOptions,
): () => Promise<Pick<SessionSpec, "kernel" | "kernelName" | "rom" | "modules">> {
  if (options.rom !== undefined) {
    if (kernelPath !== undefined) throw new CliError(`${kernelPath}: --rom boots a ROM instead of a kernel`);
    const kernel = readInput(options.rom);
    const kernelName = basename(options.rom);
    return async () => ({ kernel, kernelName, rom: true, modules: [] });
  }
  if (kernelPath !== undefined) {
    // What another kernel's module holds is not for us to judge.
    const modules = options.initrd === undefined ? [] : [readInput(options.initrd)];
    const kernel = readInput(kernelPath);
    return async () => ({ kernel, kernelName: basename(kernelPath), modules });
  }
  const theirs = options.initrd === undefined ? undefined : userInitrd(options.initrd);
  return async () => {
    const { kernel, initrd } = await builtImages();
    return { kernel, kernelName: "kernel.elf", modules: [theirs ?? initrd] };
  };
}

const STDERR = 2;

/** The trace that the options ask for, if they do. Throws CliError for options of a trace without `--trace`. */
function bootTrace(options: BootOptions): Pick<SessionSpec, "trace"> {
  if (options.trace !== undefined) return { trace: traceSpecOf(options, STDERR, "boot") };
  const names = [
    "att",
    "fields",
    "without",
    "pid",
    "ring",
    "func",
    "range",
    "from",
    "count",
    "after",
    "until",
  ] as const;
  const more = [...names, "marked", "watch", "output", "binary"] as const;
  const given = more.find((name) => options[name] !== undefined);
  if (given !== undefined) throw new CliError(`--${given} says how to trace: it wants --trace beside it`);
  return {};
}

/** `tine boot`. */
export function bootCommand(): Command {
  return withTraceOptions(new Command("boot"))
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
    .addOption(traceLettersOption("trace the run, on stderr or in the --output; what to show, by letters (see below)"))
    .action(async (kernelPath: string | undefined, options: BootOptions) => {
      const disk = diskFor(options);
      const trace = bootTrace(options);
      const read = images(kernelPath, options);
      const console = options.screen
        ? await (await import("../screenconsole")).screenConsole()
        : serialConsole(process.stdout);
      const result = await runOnConsole(console, async () => ({
        ...disk,
        ...(await read()),
        memoryMB: options.mem,
        commandLine: `${swapWords(options)}${options.cmdline}`,
        maxInstructions: options.budget,
        last: { count: PANIC_TRACE, when: "panic" },
        ...trace,
        tlb: options.tlb,
        cpu: options.cpu,
        ...(options.saveState === undefined ? {} : { saveState: options.saveState }),
      }));
      for (const line of result.last) process.stderr.write(`${line}\n`);
      const { code, line } = outcome(result);
      if (line) process.stderr.write(`tine: ${line}\n`);
      process.exitCode = code;
      finishTrace(result.trace, result.end.reason === "stopped", options.output ?? options.binary);
    });
}
