/**
 * Starts a fuzzer: `node tests/fuzz/run.mjs NAME [OPTIONS]` bundles tests/fuzz/NAME.ts and runs it in this process, from
 * the project's root.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundle, ROOT } from "../../tools/bundle.mjs";

const [name] = process.argv.splice(2, 1);
const out = join(ROOT, `dist/fuzz-${process.pid}`);
process.on("exit", () => rmSync(out, { recursive: true, force: true }));
process.chdir(ROOT);
await bundle({ fuzz: `tests/fuzz/${name}.ts` }, out);
await import(pathToFileURL(join(out, "fuzz.mjs")).href);
