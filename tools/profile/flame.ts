/**
 * A profile as a flame graph: the width of a box is what the function cost with all that it called, on one path of calls. May
 * import callstack, profiler, report's types, tools/show/svg.
 */
import { escaped } from "../show/svg";
import type { CallNode } from "./callstack";
import type { Profile } from "./profiler";
import type { Unit } from "./report";

const WIDTH = 1200;
const ROW = 18;
const HEAD = 44;
const MARGIN = 10;
/** Narrower boxes than this many pixels are left out, narrower ones than that have no text. */
const LEAST = 0.4;
const LEAST_TEXT = 28;
const CHARACTER = 6.6;

const STYLE = `
.flame { color-scheme: light dark; --ink: #1c2330; --ground: #fff; --kernel: #f3b08a; --user: #a8cbe8; --root: #dfe4ea; --line: #fff; }
@media (prefers-color-scheme: dark) { .flame { --ink: #eef2f7; --ground: #12161d; --kernel: #7a3d1d; --user: #234d70; --root: #2b333f; --line: #12161d; } }
.flame text { font: 11px ui-monospace, monospace; fill: var(--ink); pointer-events: none; }
.flame .title { font: 600 14px system-ui, sans-serif; }
.flame rect { stroke: var(--line); stroke-width: .6; }
.flame .kernel { fill: var(--kernel); } .flame .user { fill: var(--user); } .flame .root { fill: var(--root); }
`;

interface Measured {
  node: CallNode;
  value: number;
  children: Measured[];
}

function measure(node: CallNode, unit: Unit): Measured {
  const children = [...node.children.values()]
    .map((child) => measure(child, unit))
    .sort((one, two) => one.node.name.localeCompare(two.node.name));
  return { node, value: node[unit] + children.reduce((sum, child) => sum + child.value, 0), children };
}

/** A whole SVG file; roots at the bottom. */
export function flameSvg(heading: string, profile: Profile, unit: Unit): string {
  const roots = profile.roots.map((root) => measure(root, unit)).filter(({ value }) => value > 0);
  const total = roots.reduce((sum, { value }) => sum + value, 0);
  const scale = (WIDTH - 2 * MARGIN) / Math.max(1, total);
  const boxes: { text: string; depth: number }[] = [];
  const draw = ({ node, value, children }: Measured, x: number, depth: number): void => {
    const width = value * scale;
    if (width < LEAST) return;
    const kind = node.owner === undefined ? "root" : node.owner.image === "kernel" ? "kernel" : "user";
    const share = ((100 * value) / total).toFixed(2);
    const title = `${node.name}: ${value.toLocaleString("en-US")} ${unit} (${share} %)`;
    const label = node.name.slice(0, Math.floor((width - 6) / CHARACTER));
    const text = width < LEAST_TEXT ? "" : `<text x="${(x + 3).toFixed(1)}" y="Y+13">${escaped(label)}</text>`;
    const rect = `<rect class="${kind}" x="${x.toFixed(1)}" y="Y" width="${width.toFixed(1)}" height="${ROW}"/>`;
    boxes.push({ depth, text: `<g><title>${escaped(title)}</title>${rect}${text}</g>` });
    let at = x;
    for (const child of children) {
      draw(child, at, depth + 1);
      at += child.value * scale;
    }
  };
  let x = MARGIN;
  for (const root of roots) {
    draw(root, x, 0);
    x += root.value * scale;
  }
  const deepest = Math.max(0, ...boxes.map(({ depth }) => depth));
  const height = HEAD + (deepest + 1) * ROW + MARGIN;
  const placed = boxes.map(({ text, depth }) => {
    const y = HEAD + (deepest - depth) * ROW;
    return text.replace('y="Y+13"', `y="${y + 13}"`).replace('y="Y"', `y="${y}"`);
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="flame" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(heading)}">`,
    `<style>${STYLE}</style><rect width="100%" height="100%" style="fill: var(--ground)"/>`,
    `<text class="title" x="${MARGIN}" y="26">${escaped(heading)}</text>`,
    ...placed,
    "</svg>\n",
  ].join("\n");
}
