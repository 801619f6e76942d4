/** `npm run lab:results`: writes into docs/results.md what its commands print now. Some minutes. May import resultsdocument, tests/cli/tine. */
import { tine } from "../cli/tine";
import { writeBlocks } from "./resultsdocument";

writeBlocks((words) => {
  process.stderr.write(`tine lab run ${words.join(" ")}\n`);
  const { status, stdout, stderr } = tine(["lab", "run", ...words], { timeout: 600_000 });
  if (status !== 0) throw new Error(`tine lab run ${words.join(" ")} ended with ${status}:\n${stderr}`);
  return stdout;
});
