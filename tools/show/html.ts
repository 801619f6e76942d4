/** The style of the page of a recorded run, dark and light, and its HTML. May import recording's types, svg. */
import type { Recording } from "./recording";
import { escaped, GRAPH_STYLE } from "./svg";

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2330; --faint: #566377; --ground: #f4f6f9; --card: #ffffff; --line: #d5dbe4; --focus: #0b63ce;
  --tables: #2b6ca3; --shared: #8f5a00; --shared-area: #eebd6a;
  --k-free: #eceff3; --k-reserved: #c3cad4; --k-stack: #8fb8a8; --k-kernel: #79a892; --k-slab: #5f9a86; --k-chain: #3f8a86; --k-index: #2f6f76;
  --k-directory: #8a63c9; --k-table-0: #888; --k-table-1: #1f5fa0; --k-table-2: #a86200; --k-table-3: #b04400; --k-table-4: #9c2409; --k-table-5: #780d2a;
  --k-data-0: #cfd9e2; --k-data-1: #a5cbee; --k-data-2: #f6cd83; --k-data-3: #f4aa78; --k-data-4: #ea8069; --k-data-5: #cf5a74; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8edf4; --faint: #9dabbc; --ground: #0e1218; --card: #161c25; --line: #2d3644; --focus: #7db7ff;
  --tables: #66a6e0; --shared: #e0a73a; --shared-area: #93702a;
  --k-free: #222b38; --k-reserved: #3a4452; --k-stack: #2f5c4c; --k-kernel: #3a6d58; --k-slab: #45806a; --k-chain: #4d9a95; --k-index: #62b3ba;
  --k-directory: #a98be6; --k-table-1: #8fc4f5; --k-table-2: #ffc65c; --k-table-3: #ff9d5c; --k-table-4: #ff7f66; --k-table-5: #ff7aa0;
  --k-data-0: #2c3644; --k-data-1: #2c5a86; --k-data-2: #8a6416; --k-data-3: #96501d; --k-data-4: #9c3a25; --k-data-5: #962c4b; } }
* { box-sizing: border-box; }
body { margin: 0; font: 14px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--ground); }
header { position: sticky; top: 0; z-index: 1; padding: 12px 20px; background: var(--card); border-bottom: 1px solid var(--line); }
h1 { font-size: 17px; margin: 0 0 6px; } h2 { font-size: 15px; margin: 0 0 8px; } h3 { font-size: 14px; margin: 0 0 4px; }
p { margin: 0 0 6px; } .faint, .small { color: var(--faint); }
.controls { display: flex; gap: 10px; align-items: center; flex-wrap: wrap; }
.controls input { flex: 1 1 260px; min-width: 160px; accent-color: var(--focus); }
button { font: inherit; color: var(--ink); background: var(--ground); border: 1px solid var(--line); border-radius: 6px; padding: 3px 10px; cursor: pointer; }
button:disabled { opacity: .45; cursor: default; }
#moment-text { font-weight: 600; margin: 6px 0 0; min-height: 1.45em; } #moment-when { margin: 0; color: var(--faint); }
main { display: grid; grid-template-columns: minmax(0, 1fr) minmax(240px, 320px); gap: 16px; padding: 16px 20px; }
section, aside { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 14px 16px; min-width: 0; }
section.wide { grid-column: 1 / -1; } .scroll { overflow: auto; } #graph-scroll { max-height: 560px; min-height: 220px; } #timeline-scroll { max-height: 440px; contain: content; }
@media (max-width: 860px) { main { grid-template-columns: minmax(0, 1fr); padding: 12px; } header { padding: 10px 12px; } }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 4px; }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink); } svg { display: block; } svg .small { font-size: 11px; fill: var(--faint); }
.box { cursor: pointer; } .box:focus-visible { outline: none; } .tine .box:focus-visible rect, .tine .box.selected rect { stroke: var(--focus); stroke-width: 3; }
#timeline { cursor: pointer; } #now { stroke: var(--focus); stroke-width: 2; } .life { stroke: var(--line); stroke-width: 6; stroke-linecap: round; } .axis { stroke: var(--line); }
.total-line { fill: none; stroke: var(--tables); stroke-width: 2; } .total-area { fill: var(--tables); opacity: .18; } .shared-area { fill: var(--shared-area); }
svg text.total { fill: var(--tables); font-weight: 600; } svg text.shared { fill: var(--shared); font-weight: 600; }
.event circle { fill: var(--faint); } .event text { fill: #fff; text-anchor: middle; font: 700 11px system-ui, sans-serif; }
.event.fork circle { fill: #2f7d4f; } .event.exec circle { fill: #5b6b8a; } .event.exit circle { fill: #4a4f58; } .event.unshare circle { fill: #b3591a; }
.event.copyOnWrite circle { fill: #9a3c6b; } .event.release circle { fill: #6f6243; } .event.panic circle { fill: #c0182f; }
.key { display: flex; flex-wrap: wrap; gap: 4px 16px; list-style: none; margin: 8px 0 0; padding: 0; font-size: 12px; color: var(--faint); }
.key b { color: var(--ink); font-weight: 600; } .swatch { display: inline-block; width: 12px; height: 12px; border-radius: 2px; margin-right: 5px; vertical-align: -2px; }
.letter { display: inline-block; width: 16px; height: 16px; border-radius: 8px; color: #fff; text-align: center; font: 700 10px/16px system-ui; margin-right: 5px; }
canvas { display: block; cursor: crosshair; } aside ul { margin: 0 0 8px; padding-left: 18px; overflow-wrap: anywhere; } aside { align-self: start; position: sticky; top: 132px; max-height: calc(100vh - 150px); overflow: auto; }
@media (max-width: 860px) { aside { position: static; max-height: none; } }
`;

const LETTERS = [
  ["F", "#2f7d4f", "fork"],
  ["E", "#5b6b8a", "exec"],
  ["U", "#b3591a", "unshare"],
  ["C", "#9a3c6b", "copy on write"],
  ["R", "#6f6243", "release of shared tables"],
  ["X", "#4a4f58", "exit"],
] as const;

/** JSON that may stand in a script element. */
function embedded(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

/** The whole page; `script` is page/page.ts, bundled. */
export function pageHtml(recording: Recording, script: string): string {
  const { title, fork, steps } = recording;
  const heading = escaped(`${title}, fork=${fork}`);
  const most = Math.max(1, ...steps.map(({ moments }) => moments));
  const missing = most === 1 ? "" : `<p class="faint">There are many: each stands for up to ${most}.</p>`;
  const letters = LETTERS.map(
    ([letter, colour, name]) => `<li><span class="letter" style="background: ${colour}">${letter}</span>${name}</li>`,
  ).join("");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${heading}</title><link rel="icon" href="data:,"><style>${STYLE}${GRAPH_STYLE}</style></head>
<body><header><h1>${heading}</h1>
<div class="controls"><button id="previous" type="button">Previous</button>
<label for="moment">Moment</label><input id="moment" type="range" min="0" step="1" value="0">
<button id="next" type="button">Next</button><span id="moment-number"></span></div>
<p id="moment-text" aria-live="polite"></p><p id="moment-when"></p>${missing}</header>
<main><section aria-labelledby="graph-title"><h2 id="graph-title">Who shares what</h2>
<div class="scroll" id="graph-scroll"><svg id="graph" class="tine" role="group" aria-labelledby="graph-title"></svg></div>
<ul class="key"><li>Orange to red: shared by two and more. Dashed: a pde without W.</li></ul></section>
<aside aria-labelledby="details-title"><h2 id="details-title">Who maps it</h2>
<p id="details-hint" class="faint">Choose a table, a frame or a process: click it, or reach it with Tab and press Enter.</p>
<div id="details" aria-live="polite"></div></aside>
<section class="wide" aria-labelledby="timeline-title"><h2 id="timeline-title">What happened to each process</h2>
<div class="scroll" id="timeline-scroll" tabindex="0" data-arrows aria-labelledby="timeline-title"><svg id="timeline" role="img" aria-label="Timeline of the processes"></svg></div><ul class="key">${letters}</ul></section>
<section class="wide" aria-labelledby="frames-title"><h2 id="frames-title">All frames</h2>
<p id="frame-words" class="faint" aria-live="polite"></p>
<div class="scroll"><canvas id="frames" tabindex="0" data-arrows role="application" aria-label="Map of all frames: arrow keys move, Enter chooses"></canvas></div>
<ul class="key" id="frame-legend"></ul><p class="small">A dotted row stands for many that are alike and never change.</p></section></main>
<script type="application/json" id="recording">${embedded(recording)}</script>
<script type="module">${script.replaceAll("</script", "<\\/script")}</script></body></html>
`;
}
