/**
 * `tine gdb [PROGRAM [ARGS]]`: our kernel, stopped at its first instruction, behind a gdb remote server on the loopback interface.
 */
import { Command, Option } from "commander";
import { type MachineOptions, withMachineOptions } from "../guestprogram";
import { wholeNumber } from "../options";

export interface GdbOptions extends MachineOptions {
  port: number;
}

const HELP = `
Examples:
  $ tine gdb hello.ts            waits for gdb; prints the command line that connects it
  $ tine gdb --port 1234         boots to a shell
  (gdb) break copyPageRange
  (gdb) continue
  (gdb) reverse-continue
  (gdb) monitor help
`;

/** `tine gdb`. */
export function gdbCommand(): Command {
  const command = new Command("gdb")
    .description("debug kernel and program with gdb, forwards and backwards")
    .argument("[program]", "a guest program: TypeScript source or an i386 ELF; without one a shell")
    .argument("[args...]", "its arguments")
    .passThroughOptions()
    .addOption(
      new Option("--port <N>", "port on 127.0.0.1")
        .argParser(wholeNumber(0, 65535, "ports"))
        .default(0, "any free one"),
    );
  return withMachineOptions(command)
    .addHelpText("after", HELP)
    .action(async (program: string | undefined, args: string[], options: GdbOptions) => {
      const { runGdb } = await import("../gdbrun");
      process.exitCode = await runGdb(program, args, options);
    });
}
