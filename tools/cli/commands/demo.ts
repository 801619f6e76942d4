/**
 * `tine demo [--all] [--json]`, the main job: fork under both strategies, side by side, each in a machine and a thread of its own;
 * with --all then also without a reverse map, where copying is what Linux did before 2.5.
 */
import { Command } from "commander";
import type { DemoOptions } from "../demorun";
import { memoryOption } from "../options";

/** `tine demo`. */
export function demoCommand(): Command {
  return new Command("demo")
    .description("the main job: fork 4 to 256 MB with copied and with shared page tables, and compare")
    .addOption(memoryOption(512))
    .option("--all", "compare kernels without a reverse map too")
    .option("--json", "print JSON for programs")
    .action(async (options: DemoOptions) => {
      const { runDemo } = await import("../demorun");
      await runDemo(options);
    });
}
