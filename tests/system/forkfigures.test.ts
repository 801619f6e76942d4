/**
 * What the strategies cost beside each other, fork to exit, in cycles: a storm of tiny processes (P58), and writing to k of n
 * pages after a fork. Every figure is printed by FIGURES=1.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Region } from "../../kernel/abi/marks";
import { builtImages, MODES } from "../guest/guest";
import { costsOf } from "./forkcost";

const STORM = `/bin/forkstorm ${process.env.STORM ?? 1000}`;
const TOUCH = `/bin/forktouch ${process.env.TOUCH ?? "2 3 1 2 16 256 2048"}`;
const show = process.env.FIGURES === "1" ? console.log : () => {};

const test = suite("system/forkfigures");
const built = await builtImages();

test("P58 1,000 tiny processes, fork + exec + exit: auto costs no more than copy", () => {
  const [copy = 0, share = 0, auto = 0] = MODES.map((mode) => costsOf(built, mode, STORM, Region.Storm).costs.get(0));
  show(`storm: copy ${copy} share ${(share / copy).toFixed(4)} auto ${(auto / copy).toFixed(4)}`);
  assert.ok(auto <= copy, `auto ${auto}, copy ${copy} cycles`);
});

test("k of n pages written after fork: share and auto against copy at every point", () => {
  const [copy, share, auto] = MODES.map((mode) => costsOf(built, mode, TOUCH, Region.Touch));
  const points = [...(copy?.output ?? "").matchAll(/^forktouch (\d+): (.*)$/gm)];
  assert.ok(points.length > 0);
  const sums = { better: 0, auto: 0 };
  const wrong: string[] = [];
  for (const [, tag, name = ""] of points) {
    const [c = 0, s = 0, a = 0] = [copy, share, auto].map((each) => each?.costs.get(Number(tag)));
    const better = Math.min(c, s);
    sums.better += better;
    sums.auto += a;
    const line = `${name}: copy ${c} share ${(s / c).toFixed(3)} auto/better ${(a / better).toFixed(3)}`;
    show(line);
    if (s > 1.02 * c || a > 1.05 * better) wrong.push(line);
  }
  show(`whole grid: auto/better ${(sums.auto / sums.better).toFixed(4)}`);
  assert.equal(wrong, []);
  assert.ok(sums.auto <= 1.01 * sums.better, `whole grid: ${sums.auto} against ${sums.better}`);
});

test.run();
