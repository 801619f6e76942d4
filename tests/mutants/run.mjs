/**
 * Starts the mutation check: `node tests/mutants/run.mjs [PROPERTY | WORDS...]`. Bundles it like a test and runs it in this
 * process, from the project's root.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundle, ROOT } from "../../tools/bundle.mjs";

const out = join(ROOT, `dist/mutants-${process.pid}`);
process.on("exit", () => rmSync(out, { recursive: true, force: true }));
process.chdir(ROOT);
await bundle({ main: "tests/mutants/main.ts" }, out);
await import(pathToFileURL(join(out, "main.mjs")).href);
