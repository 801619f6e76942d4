/**
 * `tine audit STATE`: checks the memory of a saved machine, and says what it has seen.
 */
import { Command } from "commander";

/** `tine audit`. */
export function auditCommand(): Command {
  return new Command("audit")
    .description("check the invariants of memory management in a machine that --save-state wrote")
    .argument("<state>", "the file")
    .option("--json", "print what was found as JSON")
    .action(async (path: string, options: { json?: boolean }) => {
      const { runAudit } = await import("../auditfile");
      runAudit(path, options);
    });
}
