/** How long a user waits: from the start of Node to the first byte that the prebuilt kernel sends. May import statistics. */
import { spawn } from "node:child_process";
import { type Spread, spread } from "./statistics";

/** What is wanted, in milliseconds. */
export const STARTUP_LIMIT = 250;

/** Milliseconds from spawning `tine boot` to its first byte on stdout. Rejects when it ends without one. */
function firstByte(): Promise<number> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(process.execPath, ["tools/cli/tine.mjs", "boot"], { stdio: ["pipe", "pipe", "inherit"] });
    let time = 0;
    child.stdout.once("data", () => {
      time = performance.now() - start;
      child.kill();
    });
    child.on("error", reject);
    child.on("close", () => (time > 0 ? resolve(time) : reject(new Error("tine boot printed nothing"))));
  });
}

/** Several starts, after one that builds what is not up to date. */
export async function startup(times: number): Promise<Spread> {
  await firstByte();
  const all: number[] = [];
  for (let i = 0; i < times; i++) all.push(await firstByte());
  return spread(all);
}
