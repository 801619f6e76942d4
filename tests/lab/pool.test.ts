/**
 * The pool never has machines side by side that together take more than they may: real threads, real machines, a limit that is told. What ran when is
 * reckoned from what each thread says of its own time, and what it took from the process's memory.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildAll } from "../../tools/image/build";
import type { Values } from "../../tools/lab/experiment";
import { Initrds } from "../../tools/lab/images";
import { setupOf } from "../../tools/lab/point";
import { type PoolTask, runPool, THREAD_MB } from "../../tools/lab/pool";
import { findExperiment } from "../../tools/lab/registry";
import { writeTwin } from "./twin";

const test = suite("lab/pool");
const folder = mkdtempSync(join(tmpdir(), "tine-labpool-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));
writeTwin(folder);

const source = join(folder, "twin.mjs");
const twin = await findExperiment(source);
const { kernel } = await buildAll(join(process.cwd(), "dist"));
const initrd = await new Initrds(process.cwd()).get(twin, {});
const MEGABYTE = 1 << 20;

/** A task with a machine of so many megabytes, a third of which its program writes. */
function taskOf(memoryMB: number): PoolTask {
  const values: Values = { size: Math.floor((memoryMB * 1024) / 3), status: 0 };
  const point = { experiment: "twin", values, mode: "share", costs: {} } as const;
  const setup = { ...setupOf(twin, values, "share"), memoryMB };
  return { point, source, images: { kernel, initrd }, setup, references: false, memoryMB };
}

/** When a task ran, in milliseconds: no earlier than it began, no later than it ended. */
interface Ran {
  memoryMB: number;
  begin: number;
  end: number;
}

/** Runs all; also the most that the process grew meanwhile, in megabytes. */
async function runAll(
  machines: readonly number[],
  jobs: number,
  memoryMB: number,
): Promise<{ ran: Ran[]; grown: number }> {
  const ran: Ran[] = [];
  const before = process.memoryUsage.rss();
  let most = before;
  const sampling = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 20);
  await runPool(machines.map(taskOf), {
    jobs,
    memoryMB,
    signal: new AbortController().signal,
    worker: pathToFileURL(join(process.cwd(), "dist/labworker.mjs")),
    onAnswer(task, answer) {
      assert.ok("result" in answer && answer.result.status === "ok", JSON.stringify(answer));
      const end = performance.now();
      const seconds = "seconds" in answer ? answer.seconds : 0;
      ran.push({ memoryMB: task.memoryMB, begin: end - seconds * 1000, end });
    },
  }).finally(() => clearInterval(sampling));
  return { ran, grown: (most - before) / MEGABYTE };
}

/** What ran side by side at each begin. */
function together(ran: readonly Ran[]): number[][] {
  return ran.map(({ begin }) =>
    ran.filter((other) => other.begin <= begin && begin < other.end).map(({ memoryMB }) => memoryMB),
  );
}

const taken = (machines: readonly number[]): number => machines.reduce((sum, each) => sum + each + THREAD_MB, 0);

test("machines side by side take no more memory than they may, and no less threads than fit", async () => {
  const limit = 2 * (16 + THREAD_MB) + 40;
  // One of 100 MB fits beside none of the others, and the last but one is larger than all that there may be.
  const machines = [16, 100, 16, 32, 16, limit, 16];
  const { ran, grown } = await runAll(machines, 8, limit);
  assert.equal(ran.map(({ memoryMB }) => memoryMB).sort(), [...machines].sort(), "each was run once");
  const groups = together(ran);
  for (const group of groups)
    assert.ok(group.length === 1 || taken(group) <= limit, `${group.join(" + ")} MB at once, ${limit} MB at most`);
  assert.is(Math.max(...groups.map(({ length }) => length)), 2, "two small ones fit");
  assert.ok(grown <= limit + THREAD_MB, `the process grew by ${grown} MB, its largest machine alone has ${limit}`);
});

test("there are no more threads than may be, whatever memory there is", async () => {
  const { ran } = await runAll([16, 16, 16, 16], 2, 1e6);
  assert.is(Math.max(...together(ran).map(({ length }) => length)), 2);
});

test.run();
