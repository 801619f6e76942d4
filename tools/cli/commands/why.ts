/**
 * `tine why FRAME PROGRAM [ARGS]`: who uses a page table or maps a frame, since when, and which instructions made it so.
 */
import { Command } from "commander";
import { withProgram } from "../guestprogram";
import type { WhyOptions } from "../whyrun";

/** `tine why`. */
export function whyCommand(): Command {
  const frame = "number of a page table's or data frame, as tine show prints it: 0x349";
  return withProgram(new Command("why").argument("<frame>", frame))
    .description("say who shares a page table or a frame, since which fork, and which line of the kernel ended it")
    .option("--at <event>", "the moment at which to ask: fork, fork#2, unshare, exit, instret:N, end, ...", "end")
    .addHelpText(
      "after",
      `
A frame that is free at that moment is explained as it was last. Options come before the frame:
  tine show --fork share --at fork#2 forkdemo.ts 4
  tine why --fork share 0x349 forkdemo.ts 4`,
    )
    .action(async (frame: string, path: string, args: string[], options: WhyOptions) => {
      const { runWhy } = await import("../whyrun");
      await runWhy(frame, path, args, options);
    });
}
