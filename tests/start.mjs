/**
 * Starts a program of the tests that is not a test: `node tests/start.mjs ENTRY [ARGUMENTS]`, where ENTRY is a file below
 * tests/ without its ending (bench/bench, fuzz/compiler, mutants/main). Bundles it like a test and runs it in this process,
 * from the project's root.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundle, ROOT, THREADS } from "../tools/bundle.mjs";
import { setEngineOptions } from "../tools/engine.mjs";

setEngineOptions();
const [entry] = process.argv.splice(2, 1);
const out = join(ROOT, `dist/start-${process.pid}`);
process.on("exit", () => rmSync(out, { recursive: true, force: true }));
process.chdir(ROOT);
await bundle({ main: `tests/${entry}.ts`, ...THREADS }, out);
try {
  await import(pathToFileURL(join(out, "main.mjs")).href);
} catch (error) {
  if (!String(error.code).startsWith("ERR_PARSE_ARGS")) throw error;
  process.stderr.write(`${entry}: ${error.message}\n`);
  process.exitCode = 2;
}
