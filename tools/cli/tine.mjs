#!/usr/bin/env node
/**
 * The `tine` command: brings the bundle in dist/ up to date where there are sources (a clone), then runs it. May import
 * ../bundle.mjs and what it made.
 */
import { bundleTools } from "../bundle.mjs";

try {
  await bundleTools();
} catch (error) {
  process.stderr.write(`tine: the tools cannot be built: ${error.message}\n`);
  process.exit(2);
}
const { main } = await import("../../dist/cli.mjs");
await main(process.argv);
