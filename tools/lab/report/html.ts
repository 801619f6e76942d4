/**
 * The report as one HTML file that needs nothing else: no script, no font, no picture from elsewhere. May import the rest of report/.
 */

import type { Baseline } from "../loop";
import { escaped, legendMark } from "./chart";
import { type ChartGroup, type ChartPicture, chartsOf } from "./charts";
import { saidOf } from "./conclusions";
import { EVEN } from "./curves";
import type { ExperimentResults, MergedResults } from "./merge";
import { commandOf, provenance } from "./provenance";
import { STYLE } from "./style";
import type { ReportTable } from "./tables";
import { baselineText, tablesOf } from "./text";

/** Rows above which a table is folded, and panels above which a chart is. */
const LONG = 24;
const MANY = 6;

function cellsOf(row: ReportTable["rows"][number]): string {
  const cells = row.map(({ text, number }) => {
    const shown = text === "FAILED" ? `<span class="failed">FAILED</span>` : escaped(text);
    return `<td class="${number ? "n" : text.length > 30 ? "w" : ""}">${shown}</td>`;
  });
  return `<tr>${cells.join("")}</tr>`;
}

function tableHtml({ title, head, rows, note }: ReportTable): string {
  const heads = head.map((text, column) => {
    const isNumber = rows.some((row) => row[column]?.number);
    return `<th scope="col"${isNumber ? ' class="n"' : ""}>${escaped(text)}</th>`;
  });
  const table = `<div class="scroll" tabindex="0" role="region" aria-label="${escaped(title)}"><table><caption>${escaped(title)}</caption><thead><tr>${heads.join("")}</tr></thead><tbody>${rows.map(cellsOf).join("")}</tbody></table></div>${note === undefined ? "" : `<p class="faint">${escaped(note)}</p>`}`;
  if (rows.length <= LONG) return table;
  return `<details><summary>${escaped(title)}: ${rows.length} rows</summary>${table}</details>`;
}

function panelHtml(caption: string, { svg, notes }: ChartPicture): string {
  const said = notes.map((note) => `<p>${escaped(note)}</p>`).join("");
  return `<figure><figcaption>${escaped(caption)}</figcaption>${svg}${said}</figure>`;
}

/** Panels side by side below what their lines are. */
function panelsHtml(lines: readonly string[], panels: readonly string[]): string {
  const legend = lines.map((name, index) => `<li>${legendMark(name, index)}${escaped(name)}</li>`).join("");
  return `<ul class="legend">${legend}</ul><div class="charts${panels.length === 4 ? " two" : ""}">${panels.join("")}</div>`;
}

/** A chart with panels of its own, below its title. */
function groupHtml({ title, panels, lines }: ChartGroup): string {
  const body = panelsHtml(
    lines,
    panels.map((panel) => panelHtml(panel.where, panel)),
  );
  if (panels.length <= MANY) return `<h3>${escaped(title)}</h3>${body}`;
  return `<details><summary>${escaped(title)}: ${panels.length} charts</summary>${body}</details>`;
}

/** Charts of one panel side by side, then those of more. */
function chartsHtml(results: ExperimentResults): string {
  const groups = chartsOf(results);
  const single = groups.filter(({ panels }) => panels.length === 1);
  const pictures = single.map(({ title, panels: [panel] }) => panelHtml(title, panel as ChartPicture));
  const first = pictures.length === 0 ? "" : panelsHtml(single[0]?.lines ?? [], pictures);
  return [first, ...groups.filter(({ panels }) => panels.length > 1).map(groupHtml)].join("");
}

function experimentHtml(results: ExperimentResults): string {
  const { name, title, question } = results.experiment;
  const { said, note } = saidOf(results);
  const conclusions = said.map(({ text, under }) => {
    const fared = under === "" ? "" : ` <span class="faint">(${escaped(under)})</span>`;
    return `<li>${escaped(text)}${fared}</li>`;
  });
  const { failed } = results;
  return [
    `<section id="${escaped(name)}"><h2>${escaped(name)}: ${escaped(title)}</h2><p>${escaped(question)}</p>`,
    failed.length > 0 ? `<p class="failed">${failed.length} of ${results.points.length} points failed.</p>` : "",
    chartsHtml(results),
    conclusions.length > 0 ? `<h3>Conclusions</h3><ul>${conclusions.join("")}</ul>` : "",
    note === "" ? "" : `<p class="faint">${escaped(note)}</p>`,
    ...tablesOf(results, false).map(tableHtml),
    `<p class="faint">Again: <code>${escaped(commandOf(results))}</code></p></section>`,
  ].join("");
}

function baselineHtml(baseline: Baseline): string {
  const said = escaped(baselineText(baseline));
  return `<section id="loop"><h2>Is copy an honest baseline?</h2><p>${said}</p><p class="faint">Again: <code>tine lab loop</code></p></section>`;
}

/** The whole page. */
export function htmlReport(merged: MergedResults, baseline: Baseline): string {
  const { experiments, notices } = merged;
  const links = experiments.map(
    ({ experiment: { name } }) => `<li><a href="#${escaped(name)}">${escaped(name)}</a></li>`,
  );
  const made = provenance(merged).map(({ what, value }) => `<dt>${escaped(what)}</dt><dd>${escaped(value)}</dd>`);
  return [
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">`,
    `<title>Fork laboratory</title><style>${STYLE}</style></head><body><header><h1>Fork laboratory</h1>`,
    `<p>Ways to fork, compared on one deterministic machine: figures are of the guest, and the same on every host. Curves closer than ${EVEN * 100}% count as even; a ring marks where two cross or come together for good.</p>`,
    `<nav aria-label="experiments"><ul>${links.join("")}<li><a href="#loop">honest baseline</a></li><li><a href="#made">how it was made</a></li></ul></nav>`,
    notices.map((text) => `<p class="failed">${escaped(text)}</p>`).join(""),
    `</header><main>${experiments.map(experimentHtml).join("")}${baselineHtml(baseline)}</main>`,
    `<footer id="made"><h2>How it was made</h2><dl>${made.join("")}</dl></footer></body></html>\n`,
  ].join("");
}
