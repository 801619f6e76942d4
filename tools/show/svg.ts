/**
 * The picture of a snapshot as SVG: of one, or of the same moment under several strategies side by side. Colours come from classes,
 * light and dark, so that the page uses the same drawing. May import graph, words. Runs in the page too: nothing of Node.
 */
import { type Box, type Edge, type Graph, graphOf } from "./graph";
import type { Snapshot } from "./snapshot";
import { totalsOf, totalsText } from "./words";

/** One picture of several that stand side by side. */
export interface Panel {
  title: string;
  snapshot: Snapshot;
}

const MARGIN = 20;
const BETWEEN = 56;
/** Room for title, totals and the columns' names above a picture, and for the legend below. */
const HEAD = 84;
const FOOT = 44;
/** Users from which on the darkest colour is used. */
const MOST_USERS = 5;

/** Colours: `u0` to `u5` by users; the strokes of edges are the borders of the boxes. */
export const GRAPH_STYLE = `
.tine { color-scheme: light dark; --ink: #1c2330; --faint: #4f5c70; --ground: #ffffff;
  --f0: #eef1f5; --s0: #8391a5; --f1: #dcebf9; --s1: #4a86c0; --f2: #fde8c4; --s2: #c77f0e; --f3: #fbd0b0; --s3: #cf5a12;
  --f4: #f6b5a5; --s4: #bf3a1c; --f5: #e79aa6; --s5: #97203c; }
@media (prefers-color-scheme: dark) { .tine { --ink: #e8edf4; --faint: #9aa8bb; --ground: #12161d;
  --f0: #232a35; --s0: #7d8aa0; --f1: #17324b; --s1: #66a6e0; --f2: #46330f; --s2: #e0a73a; --f3: #4d2a12; --s3: #ee8a47;
  --f4: #54231a; --s4: #f0735a; --f5: #541a2b; --s5: #f06f92; } }
.tine text { font: 12px system-ui, sans-serif; fill: var(--ink); }
.tine .small { font-size: 11px; fill: var(--faint); }
.tine .head { font-size: 15px; font-weight: 600; }
.tine .ground { fill: var(--ground); }
.tine .box rect { stroke-width: 1.4; }
.tine .edge { fill: none; stroke-width: 1.5; }
.tine .read-only { stroke-dasharray: 5 3; }
${[0, 1, 2, 3, 4, 5].map((n) => `.tine .u${n} rect { fill: var(--f${n}); stroke: var(--s${n}); } .tine .edge.u${n} { stroke: var(--s${n}); }`).join("\n")}
`;

/** Text that is safe between tags and in attributes. */
export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (one) => `&#${one.charCodeAt(0)};`);
}

function classOf(users: number): string {
  return `u${Math.min(users, MOST_USERS)}`;
}

function boxSvg(box: Box, interactive: boolean): string {
  const { id, kind, x, y, width, height, users, title, text, detail } = box;
  const focus = interactive ? ` tabindex="0" role="button" aria-label="${escaped(detail)}" data-id="${id}"` : "";
  return [
    `<g class="box ${kind} ${classOf(users)}"${focus}><title>${escaped(detail)}</title>`,
    `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="5"/>`,
    `<text x="${x + 8}" y="${y + 15}">${escaped(title)}</text>`,
    `<text class="small" x="${x + 8}" y="${y + 29}">${escaped(text)}</text></g>`,
  ].join("");
}

function edgeSvg({ from, to, users, readOnly }: Edge, boxes: ReadonlyMap<string, Box>): string {
  const start = boxes.get(from);
  const end = boxes.get(to);
  if (start === undefined || end === undefined) return "";
  const [x1, y1] = [start.x + start.width, start.y + start.height / 2];
  const [x2, y2] = [end.x, end.y + end.height / 2];
  const bend = (x1 + x2) / 2;
  return `<path class="edge ${classOf(users)}${readOnly ? " read-only" : ""}" d="M${x1} ${y1}C${bend} ${y1} ${bend} ${y2} ${x2} ${y2}"/>`;
}

/** Edges and boxes of a picture, without a frame around. `interactive`: boxes take the focus and carry data-id. */
export function graphSvg({ boxes, edges }: Graph, interactive = false): string {
  const byId = new Map(boxes.map((box) => [box.id, box]));
  return [...edges.map((edge) => edgeSvg(edge, byId)), ...boxes.map((box) => boxSvg(box, interactive))].join("\n");
}

const COLUMN_NAMES = ["process", "directory", "tables", "frames"];
const LEGEND = ["1 user", "2", "3", "4", "5 or more"];

function columnNames({ boxes }: Graph, y: number): string {
  const x = (["process", "directory", "table", "frames"] as const).map(
    (kind) => boxes.find((box) => box.kind === kind)?.x,
  );
  return COLUMN_NAMES.flatMap((name, i) =>
    x[i] === undefined ? [] : [`<text class="small" x="${x[i]}" y="${y}">${name}</text>`],
  ).join("");
}

function legend(y: number): string {
  let x = MARGIN;
  const parts = LEGEND.map((text, i) => {
    const part = `<g class="box u${i + 1}"><rect x="${x}" y="${y}" width="14" height="14" rx="3"/></g><text class="small" x="${x + 20}" y="${y + 11}">${text}</text>`;
    x += 30 + text.length * 7;
    return part;
  });
  parts.push(
    `<path class="edge u1 read-only" d="M${x + 8} ${y + 7}h32"/><text class="small" x="${x + 48}" y="${y + 11}">pde without W</text>`,
  );
  return parts.join("");
}

/** A whole SVG file. */
export function svgOf(heading: string, panels: readonly Panel[]): string {
  const graphs = panels.map(({ snapshot }) => graphOf(snapshot));
  const width =
    2 * MARGIN + graphs.reduce((sum, graph) => sum + graph.width, 0) + BETWEEN * Math.max(0, panels.length - 1);
  const tallest = Math.max(0, ...graphs.map((graph) => graph.height));
  const height = HEAD + tallest + FOOT;
  let x = MARGIN;
  const drawn = panels.map(({ title, snapshot }, index) => {
    const graph = graphs[index];
    const part = [
      `<g transform="translate(${x} 0)"><text class="head" y="48">${escaped(title)}</text>`,
      `<text class="small" x="${Math.max(110, title.length * 9)}" y="48">${escaped(totalsText(totalsOf(snapshot)))}</text>`,
      columnNames(graph, HEAD - 10),
      `<g transform="translate(0 ${HEAD})">${graphSvg(graph)}</g></g>`,
    ].join("\n");
    x += graph.width + BETWEEN;
    return part;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="tine" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(heading)}">`,
    `<style>${GRAPH_STYLE}</style><rect class="ground" width="100%" height="100%"/>`,
    `<text x="${MARGIN}" y="24">${escaped(heading)}</text>`,
    ...drawn,
    legend(HEAD + tallest + 18),
    "</svg>\n",
  ].join("\n");
}
