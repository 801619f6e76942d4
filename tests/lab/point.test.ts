/** One point of an experiment: the same figures each time, and every way in which it can go wrong. */
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { STANDARD_COSTS } from "../../cpu/costs";
import { Region } from "../../kernel/abi/marks";
import { buildAll } from "../../tools/image/build";
import { costConstant } from "../../tools/lab/costs";
import type { Experiment, Seen, Values } from "../../tools/lab/experiment";
import { Initrds } from "../../tools/lab/images";
import { type Point, type PointResult, runPoint, setupOf } from "../../tools/lab/point";
import { demo } from "./demo";

const test = suite("lab/point");
const root = process.cwd();
const { kernel } = await buildAll(join(root, "dist"));
const initrds = new Initrds(root);

async function run(
  experiment: Experiment,
  part: Partial<Point> & { values: Values },
  counting = false,
): Promise<PointResult> {
  const initrd = await initrds.get(experiment, part.values);
  const point = { experiment: experiment.name, mode: "copy", costs: {}, ...part } as const;
  const setup = setupOf(experiment, point.values, point.mode);
  return runPoint(experiment, point, { kernel, initrd }, setup, counting);
}

/** A figure of a point that must have gone well. */
function figure(result: PointResult, name: string): number {
  if (result.status === "failed") throw new Error(result.reason);
  return result.figures[name] as number;
}

test("a point gives the same to the last digit each time, and more in copy than in share", async () => {
  const values = { size: 4096 };
  const [copy, again, share] = [
    await run(demo, { values }),
    await run(demo, { values }),
    await run(demo, { values, mode: "share" }),
  ];
  assert.equal(copy, again);
  assert.ok(figure(copy, "fork") > 3 * figure(share, "fork"));
  assert.is(figure(share, "frames"), 1);
});

test("counting references changes no figure; TLB misses are what dearer page walks cost more", async () => {
  const values = { size: 4096 };
  for (const mode of ["copy", "share"] as const) {
    const plain = await run(demo, { values, mode });
    const { references, ...counted } = await run(demo, { values, mode }, true);
    assert.equal(counted, plain);
    const { reads = 0, writes = 0, tlbMisses = 0, tlbMissesLarge = 0, pageFaults = 0 } = references?.fork ?? {};
    const dearer = await run(demo, { values, mode, costs: { walkRead: STANDARD_COSTS.walkRead + 1 } });
    // A walk for a page of 4 KB reads two entries; one that ends in a fault reads up to two and enters nothing.
    const walkReads = figure(dearer, "fork") - figure(plain, "fork");
    const entered = 2 * tlbMisses + tlbMissesLarge;
    assert.ok(pageFaults > 0 && tlbMisses > 0, "the parent's first write to its stack faults");
    assert.ok(
      walkReads >= entered && walkReads <= entered + 2 * pageFaults,
      `${walkReads} reads, ${entered} by misses`,
    );
    const instructions = figure(plain, "forkInstructions");
    assert.ok(reads > 0.1 * instructions && reads < instructions, `${reads} reads in ${instructions} instructions`);
    assert.ok(writes > 0.1 * instructions && writes < instructions, `${writes} writes`);
  }
});

test("costs are what they are set to", async () => {
  const values = { size: 4096 };
  const plain = await run(demo, { values });
  const iret = await run(demo, { values, costs: { iret: 2 * costConstant("iret").standard } });
  const trap = await run(demo, { values, costs: { trapEntry: 2 * costConstant("trapEntry").standard } });
  // The system call, and the fault of the parent's first write to its stack; no timer interrupt falls between.
  assert.is(figure(iret, "fork") - figure(plain, "fork"), 2 * costConstant("iret").standard);
  assert.is(figure(trap, "fork") - figure(plain, "fork"), 2 * costConstant("trapEntry").standard);
});

/** The demo with something wrong. */
function broken(change: Partial<Experiment>): Experiment {
  return { ...demo, ...change };
}

test("what goes wrong in the guest is a failed point with its reason", async () => {
  const values = { size: 4096 };
  const reason = async (experiment: Experiment): Promise<string> => {
    const result = await run(experiment, { values });
    return result.status === "failed" ? result.reason : "it went well";
  };
  assert.match(
    await reason(broken({ arguments: () => ["nonsense"] })),
    /^the program failed after \d+ instructions; the guest said: usage: forkdemo/,
  );
  assert.match(await reason(broken({ budget: 1_000_000 })), /^out of budget after 1000000 instructions/);
  assert.match(await reason(broken({ memoryMB: () => 1 })), /^no machine of 1 MB: /);
  const never = { name: "never", title: "", unit: "cycles", read: (seen: Seen) => seen.region(Region.Storm).cycles };
  assert.is(await reason(broken({ figures: [never] })), `the guest never measured region ${Region.Storm}`);
  const missing = { ...never, read: (seen: Seen) => seen.value("nothing") };
  assert.is(await reason(broken({ figures: [missing] })), "the guest never printed nothing=");
  const nan = { ...never, read: () => 0 / 0 };
  assert.is(await reason(broken({ figures: [nan] })), "never is NaN");
});

test.run();
