/** The report: looked at in a real browser, light and dark, wide and narrow; what it says under other costs, and what it leaves out. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { tine } from "../cli/tine";
import { closeBrowser, withPage } from "../show/browser";
import { writeTwin } from "./twin";

const test = suite("lab/report");
const folder = mkdtempSync(join(tmpdir(), "tine-labreport-"));
test.after(async () => {
  await closeBrowser();
  rmSync(folder, { recursive: true, force: true });
});
writeTwin(folder);
const lab = (words: string) => tine(["lab", ...words.split(" ")], { cwd: folder });

lab("run twin.mjs --out results");
lab("run twin.mjs --out results --sensitivity --sizes 64K --modes copy,share");
lab("run twin.mjs --out results --set status=0,4 --modes copy --sizes 64K");
lab("run twin.mjs --out results --references --sizes 64K");
const page = join(folder, "report.html");
const made = lab("report results --experiment twin.mjs --html report.html");

/** What the page looks like, worked out in it: contrasts by WCAG 2.1's formula, sizes in pixels. */
const LOOK = `(() => {
  const linear = (part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map((part) => linear(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((one, two) => two - one);
    return (x + 0.05) / (y + 0.05);
  };
  const styleOf = (selector) => getComputedStyle(document.querySelector(selector));
  const paper = styleOf("body").backgroundColor;
  const panel = styleOf("figure").backgroundColor;
  const modes = ["copy", "share", "auto"].map((mode) => styleOf(".chart ." + mode + " .line").stroke);
  const letters = [...document.querySelectorAll(".chart text")].map((text) => text.getBoundingClientRect());
  return {
    wide: document.documentElement.scrollWidth,
    ink: contrast(styleOf("body").color, paper),
    faint: contrast(styleOf(".faint").color, paper),
    lines: modes.map((colour) => contrast(colour, panel)),
    colours: new Set(modes).size,
    smallest: Math.min(...letters.map(({ height }) => height)),
    outside: letters.filter(({ left, right }) => left < 0 || right > innerWidth).length,
    charts: document.querySelectorAll("figure .chart").length,
    curves: document.querySelector("figure .chart").querySelectorAll(".line").length,
    points: document.querySelector("figure .chart").querySelectorAll(".point title").length,
    tables: document.querySelectorAll("table").length,
  };
})()`;

interface Look {
  wide: number;
  ink: number;
  faint: number;
  lines: number[];
  colours: number;
  smallest: number;
  outside: number;
  charts: number;
  curves: number;
  points: number;
  tables: number;
}

test("is one file that says what was measured, and what failed", () => {
  assert.is(made.status, 0, made.stderr);
  assert.is(made.stdout, "");
  const html = readFileSync(page, "utf8");
  assert.match(html, /<h2>twin: fork &#38; exit<\/h2><p>Is &#60;this&#62; quick\?<\/p>/);
  assert.match(html, /1 of \d+ points failed/);
  assert.match(html, /the program failed after \d+ instructions/);
  assert.match(html, /Nobody, 2002/);
  assert.match(html, /\d\d\.\d instructions a pte in our kernel, \d\d\.\d for the same loop in C by gcc/);
  assert.match(html, /holds with each constant halved and doubled|changes: /);
  assert.match(html, /tlbMisses/);
  assert.not.match(html, /<script|https?:/);
});

for (const [scheme, width] of [
  ["light", 1280],
  ["dark", 375],
] as const) {
  test(`can be read in Chromium, ${scheme}, ${width} pixels wide`, async () => {
    await withPage(page, { colorScheme: scheme, viewport: { width, height: 800 } }, async (tab, noise) => {
      assert.equal(noise, { console: [], requests: [] });
      const seen = (await tab.evaluate(LOOK)) as Look;
      assert.is(seen.wide, width, "nothing but the tables' own boxes scrolls to the side");
      assert.ok(seen.ink > 7 && seen.faint > 4.5, JSON.stringify(seen));
      assert.ok(seen.lines.every((contrast) => contrast > 3) && seen.colours === 3, JSON.stringify(seen));
      assert.ok(seen.smallest >= 9, `letters ${seen.smallest} pixels high`);
      assert.is(seen.outside, 0);
      assert.equal([seen.curves, seen.points], [3, 9]);
      assert.ok(seen.charts >= 4 && seen.tables >= 6, JSON.stringify(seen));
    });
  });
}

test("as Markdown: the same tables, nothing that Markdown would take for something else", () => {
  const { status, stdout } = lab("report results --experiment twin.mjs --md");
  assert.is(status, 0);
  assert.match(stdout, /^# Fork laboratory$/m);
  assert.match(stdout, /^\| 64 KB \| 0 \| [\d,]+ \| [\d,]+ \| [\d,]+ \| \d\.\d{3}x \|$/m);
  assert.match(stdout, /^\| 64 KB \| 4 \| FAILED \|/m);
  assert.match(stdout, /Is \\<this> quick\?/);
});

test("results of another kernel than the last one's are left out, and that is said", () => {
  const file = join(folder, "results/results.jsonl");
  const text = readFileSync(file, "utf8");
  const [first = ""] = text.split("\n");
  writeFileSync(join(folder, "results/0.jsonl"), `${first.replace(/"kernel":"../, '"kernel":"zz')}\n`);
  const { status, stderr } = lab("report results --experiment twin.mjs");
  assert.is(status, 0);
  assert.match(stderr, /^tine: twin: 1 results of other images than the last one's are left out$/m);
});

test("runs of one point that differ are told of", () => {
  const file = join(folder, "results/results.jsonl");
  // Points are written in the order in which they end, which is not the same each time.
  const first =
    readFileSync(file, "utf8")
      .split("\n")
      .find((line) => /"size":64,"status":0\D.*"mode":"copy"/.test(line)) ?? "";
  assert.ok(first !== "", "the point is among the results");
  writeFileSync(join(folder, "results/1.jsonl"), `${first.replace(/"first":\d/, '"first":9')}\n`);
  const { stderr } = lab("report results --experiment twin.mjs");
  assert.match(stderr, /^tine: twin size=64 status=0 copy: two runs say different things$/m);
});

test.run();
