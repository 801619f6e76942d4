/** One point of an experiment: the same figures each time, and every way in which it can go wrong. */
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildAll } from "../../tools/image/build";
import type { Experiment, Values } from "../../tools/lab/experiment";
import { EXPERIMENTS } from "../../tools/lab/experiments/index";
import { Initrds } from "../../tools/lab/images";
import { type Point, type PointResult, runPoint } from "../../tools/lab/point";

const test = suite("lab/point");
const root = process.cwd();
const { kernel } = await buildAll(join(root, "dist"));
const initrds = new Initrds(root);
const demo = EXPERIMENTS.find(({ name }) => name === "demo") as Experiment;

async function run(experiment: Experiment, point: Partial<Point> & { values: Values }): Promise<PointResult> {
  const initrd = await initrds.get(experiment, point.values);
  return runPoint(experiment, { experiment: experiment.name, mode: "copy", costs: {}, ...point }, { kernel, initrd });
}

test("a point gives the same to the last digit each time, and more in copy than in share", async () => {
  const values = { size: 4096 };
  const [copy, again, share] = [
    await run(demo, { values }),
    await run(demo, { values }),
    await run(demo, { values, mode: "share" }),
  ];
  assert.equal(copy, again);
  assert.ok(copy.status === "ok" && share.status === "ok", JSON.stringify([copy, share]));
  if (copy.status !== "ok" || share.status !== "ok") return;
  assert.ok(copy.figures.fork > 3 * share.figures.fork);
  assert.is(share.figures.frames, 1);
});

test.run();
