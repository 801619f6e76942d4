/**
 * The figures of fork strategies that are cheap enough, held to their bounds: the same as `npm run bench:fork -- --quick`, one test a
 * bound (P58: fork=auto never costs more than fork=copy); and that the document of the full ones is not out of date.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FIGURES, holds } from "../bench/forkfigures";
import { forkRun } from "../bench/forkrun";
import { figureRows } from "../docs/figures";
import { builtImages } from "../guest/guest";

const QUICK = ["fork", "storm", "shell", "touch", "history", "family", "swap"];

const built = await builtImages();
for (const figure of FIGURES.filter(({ name }) => QUICK.includes(name))) {
  const test = suite(`system/forkfigures ${figure.name}`);
  const results = Object.entries(figure.runs(true)).map(([name, run]) => [name, forkRun(built, run)] as const);
  const { bounds, rows } = await figure.report(Object.fromEntries(results), built);
  for (const bound of bounds) {
    test(`${figure.name === "storm" ? "P58 " : ""}${bound.what}`, () => assert.ok(holds(bound), JSON.stringify(bound)));
  }
  if (figure.name === "storm") {
    test("docs/figures.md says what it still comes to", () => {
      const documented = figureRows("storm");
      assert.ok(documented.length > 0);
      for (const [mode, , ratio] of rows) {
        const [, , written] = documented.find(([name]) => name === mode) ?? [];
        assert.ok(Math.abs(Number(ratio) - Number(written)) <= 0.01, `${mode}: ${ratio}, written is ${written}`);
      }
    });
  }
  test.run();
}
