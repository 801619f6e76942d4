/**
 * The page of a recorded run, in the browser: which moment is shown and what is selected, and the parts that draw it. May import the
 * parts, and of tools/show what runs without Node.
 *
 * Invariants: it loads nothing; everything that can be clicked can be reached and used by keyboard.
 */
import { DeltaReader } from "../delta";
import { graphOf } from "../graph";
import type { Recording } from "../recording";
import type { Snapshot } from "../snapshot";
import { graphSvg } from "../svg";
import { grouped, totalsOf, totalsText } from "../words";
import { detailsOf, type Selection } from "./details";
import { FrameMap } from "./framemap";
import { Timeline } from "./timeline";

/** The element with an id, which the page's HTML has. */
export function element<E extends Element>(id: string): E {
  return document.getElementById(id) as unknown as E;
}

const recording = JSON.parse(element("recording").textContent ?? "") as Recording;
const reader = new DeltaReader(recording.steps, recording.kinds);
const last = recording.steps.length - 1;
const slider = element<HTMLInputElement>("moment");

let current = 0;
let snapshot: Snapshot = reader.at(0);
let selection: Selection | undefined;

const timeline = new Timeline(element("timeline"), recording, (step) => show(step));
const frameMap = new FrameMap(element("frames"), element("frame-words"), element("frame-legend"), recording, (frame) =>
  select(frameSelection(frame)),
);

/** What a frame is to the reader: a table, or a frame. */
function frameSelection(frame: number): Selection {
  return snapshot.tables.some((table) => table.frame === frame) ? { kind: "table", frame } : { kind: "frame", frame };
}

/** Shows a moment: the nearest that there is. */
function show(step: number): void {
  current = Math.max(0, Math.min(last, step));
  snapshot = reader.at(current);
  slider.value = String(current);
  const { text, instret } = recording.steps[current];
  slider.setAttribute("aria-valuetext", `moment ${current + 1}: ${text}`);
  element("moment-number").textContent = `${current + 1} of ${last + 1}`;
  element("moment-text").textContent = text;
  element("moment-when").textContent = `after ${grouped(instret)} instructions: ${totalsText(totalsOf(snapshot))}`;
  element<HTMLButtonElement>("previous").disabled = current === 0;
  element<HTMLButtonElement>("next").disabled = current === last;
  drawGraph();
  timeline.show(current);
  frameMap.show(snapshot);
  drawDetails();
}

function drawGraph(): void {
  const graph = graphOf(snapshot);
  const svg = element<SVGSVGElement>("graph");
  const focused = document.activeElement?.getAttribute("data-id");
  svg.setAttribute("viewBox", `-2 -2 ${graph.width + 4} ${graph.height + 4}`);
  svg.setAttribute("width", String(graph.width + 4));
  svg.setAttribute("height", String(graph.height + 4));
  svg.innerHTML = graphSvg(graph, true);
  if (focused) svg.querySelector<SVGElement>(`[data-id="${focused}"]`)?.focus({ preventScroll: true });
}

function drawDetails(): void {
  element("details").innerHTML = selection === undefined ? "" : detailsOf(snapshot, selection);
  element<HTMLElement>("details-hint").hidden = selection !== undefined;
  const frames = new Set<number>();
  if (selection?.kind === "table" || selection?.kind === "frame") frames.add(selection.frame);
  if (selection?.kind === "frames") for (const frame of selection.frames) frames.add(frame);
  if (selection?.kind === "table") {
    const chosen = selection.frame;
    for (const { frame, ptes } of snapshot.mapped) if (ptes.some(({ table }) => table === chosen)) frames.add(frame);
  }
  frameMap.mark(frames);
  const id = selection?.id ?? (selection?.kind === "table" ? `table-${selection.frame}` : undefined);
  for (const box of document.querySelectorAll("#graph .box")) {
    box.classList.toggle("selected", id !== undefined && box.getAttribute("data-id") === id);
  }
}

function select(wanted: Selection): void {
  selection = wanted;
  drawDetails();
}

/** Selects what a box of the graph stands for. */
function selectBox(box: Element): void {
  const id = box.getAttribute("data-id") ?? "";
  const [kind, ...numbers] = id.split("-");
  if (kind === "table") select({ kind: "table", frame: Number(numbers[0]) });
  else if (kind === "frames") {
    const [mappings, ...tables] = numbers.map(Number);
    const names = tables.join();
    const frames = snapshot.mapped
      .filter(({ ptes }) => ptes.length === mappings)
      .filter(({ ptes }) => [...new Set(ptes.map(({ table }) => table))].sort((a, b) => a - b).join() === names)
      .map(({ frame }) => frame);
    select(frames.length === 1 ? { kind: "frame", frame: frames[0], id } : { kind: "frames", frames, id });
  } else select({ kind: "process", pid: Number(numbers[0]), id });
}

slider.max = String(last);
slider.addEventListener("input", () => show(Number(slider.value)));
element("previous").addEventListener("click", () => show(current - 1));
element("next").addEventListener("click", () => show(current + 1));
const graphElement = element<SVGSVGElement>("graph");
graphElement.addEventListener("click", ({ target }) => {
  const box = (target as Element).closest(".box");
  if (box !== null) selectBox(box);
});
graphElement.addEventListener("keydown", (event) => {
  const box = (event.target as Element).closest(".box");
  if (box === null || (event.key !== "Enter" && event.key !== " ")) return;
  event.preventDefault();
  selectBox(box);
});
/** Left and right go through the moments wherever nothing else uses them. */
document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (target === slider || (target instanceof Element && target.closest("[data-arrows]") !== null)) return;
  if (key === "ArrowRight") show(current + 1);
  else if (key === "ArrowLeft") show(current - 1);
  else if (key === "Home" && target === document.body) show(0);
  else if (key === "End" && target === document.body) show(last);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => show(current));
addEventListener("resize", () => {
  timeline.draw();
  timeline.show(current);
  frameMap.measure();
});
show(0);
