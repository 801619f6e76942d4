/**
 * `tine profile PROGRAM [ARGS]`: where a run's instructions and cycles go, exactly.
 */
import { Command, Option } from "commander";
import { withProgram } from "../guestprogram";
import { wholeNumber } from "../options";
import { writableFile } from "../outputfile";
import type { ProfileOptions } from "../profilerun";

const MOST_ROWS = 100_000;

/** `tine profile`. */
export function profileCommand(): Command {
  return withProgram(new Command("profile"))
    .description("count every instruction and cycle of a run by function and by source line, kernel and user")
    .addOption(
      new Option("--by <unit>", "what to sort by and to draw").choices(["cycles", "instructions"]).default("cycles"),
    )
    .addOption(
      new Option("--top <N>", "how many functions and lines to print")
        .argParser(wholeNumber(1, MOST_ROWS, "rows"))
        .default(20),
    )
    .option("--folded", "print folded stacks instead, for flame graph tools")
    .addOption(new Option("--svg <file>", "write a flame graph").argParser(writableFile))
    .option("--json", "print all rows as JSON")
    .addHelpText(
      "after",
      `
Options come before the program:
  tine profile --top 10 forkdemo.ts 4
  tine profile --by instructions --svg flame.svg forkdemo.ts 4`,
    )
    .action(async (path: string, args: string[], options: ProfileOptions) => {
      const { runProfile } = await import("../profilerun");
      await runProfile(path, args, options);
    });
}
