/** As large a machine as there is but for a megabyte: its process writes 799 MB and forks, and the whole takes 1.3 GB of the host at most. Linux: the figure is /proc's. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ResultLine } from "../../tools/lab/results";
import { skip } from "../skip";

const test = suite("lab/memory");
const MOST_BYTES = 1.3e9;
const WORDS = "lab run forktime --sizes 799M --modes share --json --jobs 1";

/** The most memory that a process has had at once, in bytes; 0 when it is no more. */
function mostMemory(pid: number): number {
  try {
    return 1024 * Number(/^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

test("a machine of 895 MB, written nearly full, takes less than 1.3 GB", async () => {
  if (!existsSync("/proc/self/status")) skip("there is no /proc");
  const child = spawn(process.execPath, [join(process.cwd(), "tools/cli/tine.mjs"), ...WORDS.split(" ")]);
  let most = 0;
  let printed = "";
  const sampling = setInterval(() => (most = Math.max(most, mostMemory(child.pid ?? 0))), 20);
  child.stdout.on("data", (data) => (printed += data));
  const status = await new Promise((resolve) => child.on("close", resolve));
  clearInterval(sampling);
  assert.is(status, 0);
  const line = JSON.parse(printed) as ResultLine;
  assert.is(line.memoryMB, 895);
  assert.ok(most > 800e6, `${most} bytes: less than what the guest wrote, so it was not seen`);
  assert.ok(most < MOST_BYTES, `${most} bytes`);
});

test.run();
