/**
 * The figures of fork strategies that are cheap enough, held to their bounds: the same as `npm run bench:fork -- --quick`, one test a
 * bound. (P58: fork=auto never costs more than fork=copy.)
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FIGURES, holds } from "../bench/forkfigures";
import { forkRun } from "../bench/forkrun";
import { builtImages } from "../guest/guest";

const QUICK = ["fork", "storm", "shell", "touch", "history", "family", "swap"];

const built = await builtImages();
for (const figure of FIGURES.filter(({ name }) => QUICK.includes(name))) {
  const test = suite(`system/forkfigures ${figure.name}`);
  const results = Object.entries(figure.runs(true)).map(([name, run]) => [name, forkRun(built, run)] as const);
  const { bounds } = await figure.report(Object.fromEntries(results), built);
  for (const bound of bounds) {
    test(`${figure.name === "storm" ? "P58 " : ""}${bound.what}`, () => assert.ok(holds(bound), JSON.stringify(bound)));
  }
  test.run();
}
