/**
 * `tine show PROGRAM [ARGS]`: memory at a moment of a run, as text, JSON or SVG; the whole run as a page or for Perfetto.
 */
import { Command, Option } from "commander";
import { withProgram } from "../guestprogram";
import { writableFile } from "../outputfile";
import type { ShowOptions } from "../showrun";

/** `tine show`. */
export function showCommand(): Command {
  return withProgram(new Command("show"))
    .description("draw a program's memory at a moment: processes, directories, shared page tables, frames")
    .option("--at <event>", "the moment: fork, fork#2, unshare, cow, exec, exit, panic, instret:N, end, ...", "end")
    .option("--json", "print the snapshot as JSON")
    .addOption(
      new Option("--svg <file>", "write a picture, with the same moment under fork=copy beside it").argParser(
        writableFile,
      ),
    )
    .addOption(
      new Option(
        "--html <file>",
        "write a page with every moment of the run: sharing, timelines, a map of all frames",
      ).argParser(writableFile),
    )
    .addOption(
      new Option("--perfetto <file>", "write the run as a trace for ui.perfetto.dev and chrome://tracing").argParser(
        writableFile,
      ),
    )
    .addHelpText(
      "after",
      `
Events are counted from when the program is executed. Options come before the program:
  tine show --at fork forkdemo.ts 4
  tine show --fork share --at unshare --svg out.svg forkdemo.ts 4
  tine show --html out.html forkdemo.ts 4`,
    )
    .action(async (path: string, args: string[], options: ShowOptions) => {
      const { runShow } = await import("../showrun");
      await runShow(path, args, options);
    });
}
