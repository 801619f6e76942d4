#!/usr/bin/env node
/**
 * The `tine` command: brings the bundle in dist/ up to date where there are sources (a clone), then runs it. May import
 * ../bundle.mjs and what it made, ../engine.mjs.
 */
import { Worker } from "node:worker_threads";
import { bundleTools } from "../bundle.mjs";
import { setEngineOptions } from "../engine.mjs";

try {
  await bundleTools();
} catch (error) {
  process.stderr.write(`tine: the tools cannot be built: ${error.message}\n`);
  process.exit(2);
}
// The thread of a command that runs a machine comes up while the command line is still being read.
const RUNS_MACHINE = ["boot", "run"];
const thread = RUNS_MACHINE.includes(process.argv[2])
  ? new Worker(new URL("../../dist/worker.mjs", import.meta.url))
  : undefined;
thread?.unref();
const { main } = await import("../../dist/cli.mjs");
// Not earlier: what V8 has compiled before, Node's own modules, it takes only while its options are those that it was compiled with.
setEngineOptions();
await main(process.argv, thread);
