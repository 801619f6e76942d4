/**
 * Skipping at run time: a test whose tool is not on this machine says so, and is counted as skipped, never as passed.
 * May import Node only.
 */
import { spawnSync } from "node:child_process";

/** What `skip` throws; tests/harness/uvu.ts catches it. */
export class Skipped extends Error {}

/** Ends the current test as skipped. `reason` is printed in the runner's summary. */
export function skip(reason: string): never {
  throw new Skipped(reason);
}

/** Ends the current test as skipped unless `command` can be started with `--version`. */
export function needCommand(command: string): void {
  if (spawnSync(command, ["--version"], { stdio: "ignore" }).error) skip(`${command} is not installed`);
}
