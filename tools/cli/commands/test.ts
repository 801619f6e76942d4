/**
 * `tine test [NAME]`: boots the kernel once for every guest test program and strategy, and reports case by case.
 */
import { Command } from "commander";
import { swapOption } from "../disk";
import { auditEveryOption, auditOption, budgetOption, cpuOption, memoryOption, tlbOption } from "../options";
import type { TestOptions } from "../testrun";

/** `tine test`. */
export function testCommand(): Command {
  return new Command("test")
    .description("run the guest test programs, with copied, with shared and with chosen page tables")
    .argument("[name]", "only programs whose name contains this")
    .addOption(memoryOption(64))
    .addOption(swapOption())
    .addOption(budgetOption())
    .addOption(tlbOption())
    .addOption(cpuOption())
    .addOption(auditOption())
    .addOption(auditEveryOption())
    .option("--fork <mode>", "only one way to fork: copy, share or auto")
    .action(async (name: string | undefined, options: TestOptions) => {
      const { runAllTests } = await import("../testrun");
      await runAllTests(name, options);
    });
}
