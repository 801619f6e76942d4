/** The report's style sheet: light and dark as the reader's system is, wide tables scroll by themselves. May import nothing. */
export const STYLE = `
:root{color-scheme:light dark;--paper:#fff;--ink:#1d2129;--faint:#5b6472;--rule:#d9dee6;--panel:#f6f7f9;--bad:#b3261e;
--copy:#b3470f;--share:#0b65c2;--auto:#0f7a4a;--copy-no-rmap:#8a6d1f;--share-no-rmap:#6b4fb3;--line0:#a61e6d;--line1:#0b7285;--line2:#5f3dc4;--line3:#7a5c00}
@media (prefers-color-scheme:dark){:root{--paper:#14171c;--ink:#e4e7ec;--faint:#a0a9b8;--rule:#333a45;--panel:#1c2027;--bad:#ff8a80;
--copy:#ff9d66;--share:#6fb3ff;--auto:#5fd39a;--copy-no-rmap:#d9b95c;--share-no-rmap:#b59cff;--line0:#ff8fc7;--line1:#5fd0e0;--line2:#b3a1ff;--line3:#d9b95c}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main,header,footer{max-width:1180px;margin:0 auto;padding:0 16px}
h1{font-size:1.7rem;margin:1.2rem 0 .3rem}h2{font-size:1.3rem;margin:2.4rem 0 .3rem;padding-top:.6rem;border-top:1px solid var(--rule)}
h3{font-size:1rem;margin:1.4rem 0 .3rem}p{max-width:72ch;margin:.4rem 0}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem .9rem;list-style:none;padding:0;margin:.6rem 0}nav a{display:inline-block;padding:.4rem 0}
a{color:var(--share)}a:focus-visible,summary:focus-visible,.scroll:focus-visible{outline:2px solid var(--share);outline-offset:2px}
code{font:.9em ui-monospace,monospace;overflow-wrap:anywhere}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;margin:.6rem 0;padding:0;list-style:none;font-size:.9rem}
.legend li{display:flex;align-items:center;gap:.4rem}.key{width:28px;height:12px}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));gap:1rem;margin:1rem 0}
.charts.two{grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));max-width:780px}
figure{margin:0;padding:.6rem;background:var(--panel);border-radius:6px}figcaption{font-size:.9rem;font-weight:600}
figure p{font-size:.85rem;color:var(--faint);margin:.2rem 0 0}
.chart{width:100%;height:auto;display:block}.chart text{fill:var(--ink);font-size:12.5px}.chart .axis{fill:var(--faint)}
.right{text-anchor:end}.middle{text-anchor:middle}.grid path{stroke:var(--rule);fill:none}
.line{fill:none;stroke-width:2}.point{stroke:var(--panel);stroke-width:1}.crossing{fill:none;stroke:var(--ink);stroke-width:1.5;pointer-events:all}
.copy .line{stroke:var(--copy)}.copy .point{fill:var(--copy)}.share .line{stroke:var(--share);stroke-width:4.5;stroke-opacity:.6}.share .point{fill:var(--share)}
.auto .line{stroke:var(--auto)}.auto .point{fill:var(--auto)}
.copy-no-rmap .line{stroke:var(--copy-no-rmap);stroke-dasharray:5 3}.copy-no-rmap .point{fill:var(--copy-no-rmap)}
.share-no-rmap .line{stroke:var(--share-no-rmap);stroke-dasharray:5 3}.share-no-rmap .point{fill:var(--share-no-rmap)}
${[0, 1, 2, 3].map((i) => `.line${i} .line{stroke:var(--line${i})}.line${i} .point{fill:var(--line${i})}`).join("\n")}
.scroll{overflow-x:auto;margin:.4rem 0}table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:.3rem 0}th,td{padding:.25rem .6rem;border-bottom:1px solid var(--rule);text-align:left;vertical-align:top}
th{color:var(--faint);font-weight:600;white-space:nowrap}td.n,th.n{text-align:right;white-space:nowrap}td.w{min-width:9rem}
.failed{color:var(--bad);font-weight:600}.faint{color:var(--faint);font-size:.88rem}
summary{cursor:pointer;padding:.4rem 0}dl{display:grid;grid-template-columns:minmax(8rem,auto) 1fr;gap:.2rem 1rem;font-size:.88rem}dd{margin:0;overflow-wrap:anywhere}dt{color:var(--faint)}
@media (max-width:480px){dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}h1{font-size:1.4rem}}
@media print{details>*{display:block}}
`;
