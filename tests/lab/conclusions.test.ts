/** What figures come to: who wins, where curves cross, and what other costs change; and points that are put together. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Costs, variants } from "../../tools/lab/costs";
import type { Experiment, Mode } from "../../tools/lab/experiment";
import { axisOf, roomyTicks } from "../../tools/lab/report/axis";
import { chartsOf } from "../../tools/lab/report/charts";
import { conclusionsOf, underText, winnersAt } from "../../tools/lab/report/conclusions";
import { crossingsOf, curvesOf } from "../../tools/lab/report/curves";
import { type ExperimentResults, merge } from "../../tools/lab/report/merge";
import { commandOf } from "../../tools/lab/report/provenance";
import { figureTable } from "../../tools/lab/report/tables";
import type { ResultLine } from "../../tools/lab/results";
import { demo } from "./demo";

const test = suite("lab/conclusions");

const SIZES = [1024, 2048, 4096, 8192];

function line(
  size: number,
  mode: Mode,
  fork: number,
  costs: Costs = {},
  changes: Partial<ResultLine> = {},
): ResultLine {
  return {
    tineLab: 1,
    experiment: "demo",
    values: { size },
    mode,
    costs,
    commandLine: "",
    memoryMB: 16,
    swapMB: 0,
    budget: 1,
    kernel: "k",
    initrd: "i",
    costVersion: 1,
    repeat: 1,
    status: "ok",
    figures: { fork, forkInstructions: fork, frames: 1 },
    distributions: {},
    instructions: fork,
    cycles: fork,
    versions: { tine: "0", node: "0" },
    host: { seconds: 1, processor: "p" },
    ...changes,
  } as ResultLine;
}

/** Copy costs its size, share a constant: they cross where the size is that. */
function world(share: number, costs: Costs = {}): ResultLine[] {
  return SIZES.flatMap((size) => [line(size, "copy", size, costs), line(size, "share", share, costs)]);
}

function results(lines: readonly ResultLine[]): ExperimentResults {
  const [merged] = merge(lines, () => demo).experiments;
  return merged as ExperimentResults;
}

const chart = { figure: "fork", x: "size" };
const [fork] = demo.figures;

test("curves cross where they would on logarithmic axes, and winners change there", () => {
  const seen = results(world(3000));
  const [crossing, ...others] = crossingsOf(curvesOf(seen, chart, seen.places));
  assert.is(others.length, 0);
  assert.ok(Math.abs((crossing?.x ?? 0) - 3000) < 1, `${crossing?.x}`);
  assert.ok(Math.abs((crossing?.y ?? 0) - 3000) < 1, `${crossing?.y}`);
  const winners = seen.places.map((values) => winnersAt(seen, fork as never, values).join());
  assert.equal(winners, ["copy", "copy", "share", "share"]);
});

test("what is within 1 % is even, and touching is not crossing", () => {
  const seen = results([...world(1020)].filter(({ values }) => values.size !== 2048));
  assert.equal(winnersAt(seen, fork as never, { size: 1024 }), ["copy", "share"]);
  assert.equal(crossingsOf(curvesOf(seen, chart, seen.places)), []);
});

test("curves that are nowhere far apart do not cross: the largest difference is told, and whether it stays so", () => {
  const near = (costs: Costs = {}, last = 1.03) =>
    SIZES.flatMap((size, i) => [
      line(size, "copy", size, costs),
      line(size, "share", size * [0.97, 0.98, 1.02, last][i]!, costs),
    ]);
  const seen = results([...near(), ...near({ iret: 20 }), ...near({ trapEntry: 1 }, 1.25)]);
  assert.equal(crossingsOf(curvesOf(seen, chart, seen.places)), []);
  const [, alike, ...others] = conclusionsOf(seen);
  assert.is(others.length, 0);
  assert.is(alike?.text, "Cost of fork: copy and share: no difference above 3%");
  assert.is(underText(alike as never), "changes: trapEntry=1: they differ by up to 20.0%");
  const far = results(near({}, 1.07));
  assert.is(crossingsOf(curvesOf(far, chart, far.places)).length, 1, "6.5 % apart at one place: these do cross");
});

test("lines of a parameter's values: from where on each is even with the other mode, under other costs too", () => {
  const parameters = [...demo.parameters, { name: "order", title: "order", values: ["one", "two"] }];
  const lines = { mode: "share", by: "order" } as const;
  const drawn: Experiment = {
    ...demo,
    parameters,
    charts: [{ ...chart, title: "Relative", relativeTo: "copy", lines }],
  };
  const points = (order: string, shares: readonly number[], costs: Costs = {}) =>
    SIZES.flatMap((size, i) => [
      line(size, "copy", size, costs, { values: { size, order } }),
      line(size, "share", size * (shares[i] as number), costs, { values: { size, order } }),
    ]);
  const all = [...points("one", [0.5, 1, 0.8, 0.995]), ...points("two", [0.2, 0.4, 0.6, 0.8])];
  const dear = [...points("one", [0.5, 1, 1, 1], { iret: 20 }), ...points("two", [0.2, 0.4, 0.6, 0.8], { iret: 20 })];
  const seen = merge([...all, ...dear], () => drawn).experiments[0] as ExperimentResults;
  const said = conclusionsOf(seen).find(({ text }) => text.startsWith("Relative"));
  assert.is(said?.text, "Relative: one: even from 8 MB on; two: 20% less at the end (size)");
  assert.is(underText(said as never), "changes: iret=20: one: even from 2 MB on; two: 20% less at the end");
  const [group, ...groups] = chartsOf(seen);
  assert.is(groups.length, 0);
  assert.equal(group?.lines, ["one", "two"]);
  assert.equal(
    group?.panels.map(({ notes }) => notes),
    [["one: even from 8 MB on", "two: 20% less at the end"]],
  );
  assert.match(group?.panels[0]?.svg ?? "", /class="crossing"/);
});

test("results of experiments that are not declared are left out and told of; where nothing is left there is no report", () => {
  const foreign = line(1024, "copy", 1, {}, { experiment: "gone" });
  const find = (name: string) => (name === "demo" ? demo : undefined);
  const merged = merge([foreign, line(1024, "copy", 7)], find);
  assert.equal(merged.notices, [
    "left out: results of 'gone', no experiment that is here: name its file with --experiment",
  ]);
  assert.equal(
    merged.experiments.map(({ points }) => points.length),
    [1],
  );
  assert.throws(() => merge([foreign], find), /^results of 'gone', no experiment that is here/);
});

test("more is better where the figure says so", () => {
  const seen = results(world(3000));
  const rate = { ...(fork as (typeof demo.figures)[number]), lessIsBetter: false };
  assert.equal(winnersAt(seen, rate, { size: 1024 }), ["share"]);
});

test("kernels with and without a reverse map are not ranked together", () => {
  const seen = results([...world(3000), ...SIZES.map((size) => line(size, "share-no-rmap", size / 2 + 1000))]);
  assert.equal(winnersAt(seen, fork as never, { size: 8192 }), ["share"]);
  assert.is(crossingsOf(curvesOf(seen, chart, seen.places)).length, 1);
});

test("a conclusion that other costs change says so, and with what", () => {
  const [first, ...rest] = variants();
  const steady = rest.flatMap((costs) => world(3000, costs));
  const holding = conclusionsOf(results([...world(3000), ...steady, ...world(3001, first)]));
  assert.is(holding.length, 2);
  for (const each of holding) assert.is(underText(each), "holds with each constant halved and doubled");
  const [wins, crosses] = conclusionsOf(results([...world(3000), ...steady, ...world(6000, first)]));
  assert.match(wins?.text ?? "", /^fork: best, of 4 points: copy at 2, share at 2$/);
  assert.is(underText(wins as never), "changes: walkRead=3: size 4 MB: copy, not share");
  assert.match(crosses?.text ?? "", /^Cost of fork: copy and share cross at 2\.93 MB \(size\)$/);
  assert.is(underText(crosses as never), "changes: walkRead=3: copy and share cross at 5.86 MB");
  const [untried] = conclusionsOf(results(world(3000)));
  assert.is(underText(untried as never), "not tried with other costs (--sensitivity)");
});

test("where there are points of other costs only, tables and conclusions are of those", () => {
  const seen = results(world(3000, { iret: 20 }));
  assert.is(figureTable(seen, fork as never).title, "fork, cycles (iret=20)");
  assert.equal(
    figureTable(seen, fork as never).rows[0]?.map(({ text }) => text),
    ["1 MB", "1,024", "3,000", "0.341x"],
  );
  assert.is(conclusionsOf(seen).length, 2);
  assert.match(commandOf(seen), /--sizes 1MB,2MB,4MB,8MB --modes copy,share --cost iret=20$/);
});

test("a point that failed once and went well later went well; one that only failed stays in sight", () => {
  const failed = { status: "failed", reason: "it broke", figures: undefined } as never;
  const again = results([line(1024, "copy", 1, {}, failed), line(1024, "copy", 7)]);
  assert.is(again.figure("fork", { size: 1024 }, "copy"), 7);
  assert.is(again.failed.length, 0);
  const broken = results([line(1024, "copy", 1, {}, failed)]);
  assert.is(broken.failed.length, 1);
  assert.is(broken.figure("fork", { size: 1024 }, "copy"), undefined);
});

test("host seconds of repeated runs are kept, and runs that differ are told of", () => {
  const twice = merge([line(1024, "copy", 7), line(1024, "copy", 7, {}, { repeat: 2 })], () => demo);
  assert.equal(twice.notices, []);
  assert.equal(twice.experiments[0]?.points[0]?.seconds, [1, 1]);
  const differ = merge([line(1024, "copy", 7), line(1024, "copy", 8, {}, { repeat: 2 })], () => demo);
  assert.equal(differ.notices, ["demo size=1024 copy: its runs say different things"]);
});

test("axes go from a round number to a round number, with few ticks", () => {
  const sizes = axisOf([4096, 65536], "log", true);
  assert.equal(sizes.ticks, [4096, 8192, 16384, 32768, 65536]);
  assert.equal([sizes.at(4096), sizes.at(16384), sizes.at(65536)], [0, 0.5, 1]);
  const wide = axisOf([9000, 1_200_000], "log");
  assert.equal(wide.ticks, [10_000, 100_000, 1_000_000]);
  assert.ok(wide.at(9000) >= 0 && wide.at(1_200_000) <= 1);
  assert.equal(axisOf([3], "log").ticks, [2, 5]);
  assert.equal(axisOf([0, 40], "linear").ticks, [0, 10, 20, 30, 40]);
  assert.equal(axisOf([0, 40], "log").ticks, [0, 10, 20, 30, 40], "0 has no logarithm");
  assert.equal(roomyTicks(axisOf([1, 1.1, 4, 9, 10], "log"), [1, 1.1, 4, 9, 10]), [1, 4, 10], "no label upon another");
  for (const most of [1e3, 1e6, 1e12]) assert.ok(axisOf([1, most], "log").ticks.length <= 8);
});

test.run();
