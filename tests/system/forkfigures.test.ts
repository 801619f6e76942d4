/**
 * The figures of fork strategies that are cheap enough, held to their bounds: the same as `npm run bench:fork -- --quick`, one test a
 * bound (P58: fork=auto never costs more than fork=copy); and that the document of the full ones is not out of date.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FIGURES, holds, type Report } from "../bench/forkfigures";
import { forkRun } from "../bench/forkrun";
import { figureRows } from "../docs/figures";
import { builtImages } from "../guest/guest";

const QUICK = ["fork", "storm", "shell", "touch", "history", "family", "swap"];

/** Figures that a property asks for. */
const ASKED_BY: Readonly<Record<string, { property: string }>> = { storm: { property: "P58" } };

const built = await builtImages();
// All runs come first: uvu starts as soon as the event loop turns after the first suite.
const reports: [name: string, report: Report][] = [];
for (const figure of FIGURES.filter(({ name }) => QUICK.includes(name))) {
  const results = Object.entries(figure.runs(true)).map(([name, run]) => [name, forkRun(built, run)] as const);
  reports.push([figure.name, await figure.report(Object.fromEntries(results), built)]);
}

for (const [name, { bounds, rows }] of reports) {
  const test = suite(`system/forkfigures ${name}`);
  for (const bound of bounds) {
    const title = [ASKED_BY[name]?.property, bound.what].filter((word) => word !== undefined).join(" ");
    test(title, () => assert.ok(holds(bound), JSON.stringify(bound)));
  }
  if (name === "storm") {
    test("docs/figures.md says what it still comes to", () => {
      const documented = figureRows("storm");
      assert.ok(documented.length > 0);
      for (const [mode, , ratio] of rows) {
        const [, , written] = documented.find(([row]) => row === mode) ?? [];
        assert.ok(Math.abs(Number(ratio) - Number(written)) <= 0.02, `${mode}: ${ratio}, written is ${written}`);
      }
    });
  }
  test.run();
}
