/**
 * `tine lab list`, `tine lab run NAME...`, `tine lab report DIR...`, `tine lab loop`: the fork laboratory. What it does is in ../lab.ts, imported when it is wanted.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import type { LabRunOptions, ReportOptions } from "../lab";
import { wholeNumber } from "../options";
import { writableFile } from "../outputfile";

function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

function words(text: string): string[] {
  const all = text.split(",").map((word) => word.trim());
  if (all.includes("")) throw new InvalidArgumentError("It wants values with commas between them.");
  return all;
}

function listCommand(): Command {
  return new Command("list")
    .description("the experiments: what each asks, its parameters and figures")
    .action(async () => {
      const { listExperiments } = await import("../lab");
      listExperiments();
    });
}

function runCommand(): Command {
  return new Command("run")
    .description("run experiments over a grid of strategies, sizes and workloads")
    .argument("<name...>", "experiments, 'all', or files (.mjs) with a declaration of your own")
    .addOption(
      new Option("--modes <list>", "ways to fork: copy, share, auto, copy-no-rmap, share-no-rmap").argParser(words),
    )
    .addOption(new Option("--sizes <list>", "sizes of memory, such as 400K,4M,64M").argParser(words))
    .addOption(
      new Option("--set <name=list>", "values of another parameter, such as k=1,16; may come again").argParser(collect),
    )
    .option("--full", "larger sizes and more steps than the default grid has")
    .addOption(new Option("--repeat <N>", "run each point N times").argParser(wholeNumber(1, 1000, "runs")).default(1))
    .addOption(
      new Option("--jobs <N>", "machines side by side; as many as cores and memory allow unless told").argParser(
        wholeNumber(1, 1024, "machines"),
      ),
    )
    .addOption(
      new Option("--budget <N>", "a point has failed after N guest instructions").argParser(
        wholeNumber(1, Number.MAX_SAFE_INTEGER, "instructions"),
      ),
    )
    .option("--shard <i/n>", "only the i-th of n shares of the grid: for batch systems")
    .addOption(
      new Option(
        "--cost <name=cycles>",
        "a constant of the cost table: walkRead, trapEntry, iret; may come again",
      ).argParser(collect),
    )
    .option("--sensitivity", "each point also with each of these constants halved and doubled")
    .option("--references", "count memory references and TLB misses too: slow")
    .option("--json", "results as JSON lines on stdout, in the order of the grid")
    .option("--out <dir>", "append results to files there; what is there already is not run again")
    .addHelpText(
      "after",
      `
Examples:
  tine lab run forktime --sizes 400K,4M,40M
  tine lab run all --out results && tine lab report results --html report.html
  tine lab run touch --modes copy,share --set k=1,64 --json
  tine lab run forktime --sensitivity --out results
  tine lab run all --shard 2/8 --out results      # one of eight machines`,
    )
    .action(async (names: string[], options: LabRunOptions) => {
      const { runExperiments } = await import("../lab");
      await runExperiments(names, options);
    });
}

function reportCommand(): Command {
  return new Command("report")
    .description("tables, curves and conclusions of results, shards merged; as text unless told")
    .argument("<dir...>", "directories of 'tine lab run --out'")
    .addOption(new Option("--html <file>", "write one self-contained HTML file with charts").argParser(writableFile))
    .option("--md", "as Markdown, for pasting")
    .addOption(
      new Option("--experiment <file>", "the declaration of an experiment of your own; may come again").argParser(
        collect,
      ),
    )
    .addHelpText(
      "after",
      `
Examples:
  tine lab report results
  tine lab report shard1 shard2 --html report.html
  tine lab report results --md > report.md`,
    )
    .action(async (folders: string[], options: ReportOptions) => {
      const { reportResults } = await import("../lab");
      await reportResults(folders, options);
    });
}

function loopCommand(): Command {
  return new Command("loop")
    .description("is copy an honest baseline? instructions a pte of our loop, and of gcc -O2's for the same in C")
    .option("--json", "as JSON")
    .action(async ({ json = false }: { json?: boolean }) => {
      const { printLoop } = await import("../lab");
      await printLoop(json);
    });
}

/** `tine lab`. */
export function labCommand(): Command {
  return new Command("lab")
    .description("the fork laboratory: strategies compared over a grid, in figures that anyone can repeat")
    .addCommand(listCommand())
    .addCommand(runCommand())
    .addCommand(reportCommand())
    .addCommand(loopCommand());
}
