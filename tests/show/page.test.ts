/** The page of a run in a real browser: it loads alone, moves, answers clicks and keys, in light and dark, wide and narrow. */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { tine } from "../cli/tine";
import { closeBrowser, withPage } from "./browser";

const test = suite("show/page");
const WIDE = { viewport: { width: 1280, height: 900 } };
let folder = "";
let file = "";

test.before(() => {
  folder = mkdtempSync(join(tmpdir(), "tine-page-"));
  file = join(folder, "out.html");
  const { status, stderr } = tine(["show", "--fork", "share", "--html", file, "userland/bin/forkdemo.ts", "4"]);
  assert.is(status, 0, stderr);
});
test.after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await closeBrowser();
});

/** What is drawn now: the moment's number, the graph, and the pixels of the frames. */
function picture(page: Page): Promise<{ number: string; graph: string; frames: string; now: string }> {
  return page.evaluate(`({
    number: document.getElementById("moment-number").textContent,
    graph: document.getElementById("graph").innerHTML,
    frames: document.getElementById("frames").toDataURL(),
    now: document.getElementById("now").style.transform,
  })`);
}

/** Goes to the first moment whose words match. */
async function goTo(page: Page, words: RegExp): Promise<void> {
  for (let i = 0; i < 100; i++) {
    if (words.test((await page.textContent("#moment-text")) ?? "")) return;
    await page.click("#next");
  }
  throw new Error(`no moment ${words}`);
}

test("the page is one small file that loads nothing, and says nothing on the console", async () => {
  assert.ok(statSync(file).size < 64 << 10, `${statSync(file).size} bytes`);
  await withPage(file, WIDE, async (page, noise) => {
    await page.click("#next");
    assert.equal(noise, { console: [], requests: [] });
    assert.match((await page.title()) ?? "", /forkdemo.ts 4, fork=share/);
  });
});

test("the slider moves, by keys and by its value, and all three pictures change", async () => {
  await withPage(file, WIDE, async (page, noise) => {
    const before = await picture(page);
    await page.focus("#moment");
    for (let i = 0; i < 4; i++) await page.keyboard.press("ArrowRight");
    const after = await picture(page);
    assert.match(before.number, /^1 of /);
    assert.match(after.number, /^5 of /);
    for (const part of ["graph", "frames", "now"] as const) assert.is.not(after[part], before[part], part);
    await page.fill("#moment", "0");
    assert.equal(await picture(page), before, "and back");
    await page.evaluate("document.activeElement.blur()");
    await page.keyboard.press("ArrowRight");
    assert.match((await picture(page)).number, /^2 of /, "arrow keys work anywhere");
    await page.keyboard.press("End");
    assert.is(await page.isDisabled("#next"), true);
    assert.match((await page.textContent("#moment-text")) ?? "", /exits|ends/);
    assert.equal(noise.console, []);
  });
});

test("a shared table is one box with an edge from each sharer; choosing it, by mouse or keys, says who uses it", async () => {
  await withPage(file, WIDE, async (page, noise) => {
    await goTo(page, /forks pid 4/);
    const tables = page.locator("#graph .table.u2");
    assert.is(await tables.count(), 3);
    assert.is(await page.locator("#graph .edge.u2.read-only").count(), 6, "two pdes each, without W");
    const table = tables.nth(1);
    await table.click();
    const details = (await page.textContent("#details")) ?? "";
    assert.match(details, /Table in frame 0x[0-9a-f]+/);
    assert.match(details, /pid 2 forkdemo, its pde has W = 0/);
    assert.match(details, /pid 4 forkdemo, its pde has W = 0/);
    assert.match(details, /It maps 1,024 frames/);
    await page.focus("#next");
    for (let i = 0; i < 3 && (await page.evaluate("document.activeElement.dataset.id")) === undefined; i++) {
      await page.keyboard.press("Tab");
    }
    const ring = await page.evaluate("getComputedStyle(document.activeElement.querySelector('rect')).strokeWidth");
    assert.is(ring, "3px", "the focus can be seen");
    await page.keyboard.press("Enter");
    assert.match((await page.textContent("#details")) ?? "", /^pid 1 init/);
    assert.equal(noise.console, []);
  });
});

test("the map of frames: a click and the keys choose a frame, and say who maps it", async () => {
  await withPage(file, WIDE, async (page, noise) => {
    await goTo(page, /forks pid 4/);
    const chosen = /Frame 0x|Table in frame 0x/;
    await page.locator("#frames").click({ position: { x: 5, y: 5 } });
    assert.match((await page.textContent("#details")) ?? "", chosen);
    const seen = new Set<string>();
    await page.keyboard.press("ArrowDown");
    for (let i = 0; i < 128; i++) {
      await page.keyboard.press("ArrowRight");
      const words = (await page.textContent("#frame-words")) ?? "";
      seen.add(words.replace(/^frame 0x\w+: /, ""));
      if (!/mapped by 1 pte/.test(words)) continue;
      await page.keyboard.press("Enter");
      assert.match((await page.textContent("#details")) ?? "", /through table 0x[0-9a-f]+: pid/);
      break;
    }
    assert.ok(seen.size > 2, `${[...seen]}`);
    assert.equal(noise.console, []);
  });
});

/** Contrast of two colours `rgb(r, g, b)`. Source: WCAG 2.1, contrast ratio. */
function contrast(one: string, two: string): number {
  const luminance = (colour: string): number => {
    const [r, g, b] = (colour.match(/[\d.]+/g) ?? []).map((part) => {
      const value = Number(part) / 255;
      return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [high, low] = [luminance(one), luminance(two)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

for (const colorScheme of ["light", "dark"] as const) {
  test(`in ${colorScheme} all text can be read, and the page does not scroll sideways on a narrow screen`, async () => {
    await withPage(file, { colorScheme, viewport: { width: 400, height: 800 } }, async (page, noise) => {
      const colours = (await page.evaluate(`(() => {
        const of = (selector) => getComputedStyle(document.querySelector(selector));
        const card = of("section").backgroundColor;
        return [
          [of("body").color, of("body").backgroundColor], [of("#moment-when").color, of("header").backgroundColor],
          [of(".key").color, card], [of("#timeline text").fill, card], [of("#graph .u1 text").fill, of("#graph .u1 rect").fill],
          [of("#graph .u1 .small").fill, of("#graph .u1 rect").fill],
        ];
      })()`)) as [string, string][];
      for (const [text, ground] of colours) {
        assert.ok(contrast(text, ground) >= 4.5, `${text} on ${ground}: ${contrast(text, ground).toFixed(2)}`);
      }
      const dark = contrast(colours[0][1], "rgb(0, 0, 0)") < 2;
      assert.is(dark, colorScheme === "dark");
      assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"));
      assert.equal(noise, { console: [], requests: [] });
    });
  });
}

test.run();
