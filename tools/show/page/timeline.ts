/**
 * The timeline of the page: a lane for each process with what happened to it, over the counts of page tables and of shared ones. The
 * moments stand side by side, however much time lies between them. May import recording's types, svg.
 */
import type { Happening, Recording } from "../recording";
import { escaped } from "../svg";

const LANE = 24;
const LEFT = 132;
const RIGHT = 12;
const CHART = 84;
const TOP = 8;
const LEAST_STEP = 5;
const MOST_STEP = 80;

/** What is drawn of an event: a letter, and a class for its colour. Shares are told by their fork. */
const GLYPHS: Readonly<Record<string, readonly [letter: string, name: string]>> = {
  fork: ["F", "fork"],
  exec: ["E", "exec"],
  exit: ["X", "exit"],
  unshare: ["U", "unshare"],
  release: ["R", "release"],
  copyOnWrite: ["C", "copy on write"],
  swapOut: ["O", "swap out"],
  swapIn: ["I", "swap in"],
  panic: ["!", "panic"],
};
/** Of several events at one moment the first of these is drawn; the others are in its words. */
const ORDER = ["panic", "fork", "exec", "exit", "unshare", "copyOnWrite", "release", "swapIn", "swapOut"];

export class Timeline {
  private step = LEAST_STEP;
  private height = 0;

  constructor(
    private readonly svg: SVGSVGElement,
    private readonly recording: Recording,
    private readonly choose: (step: number) => void,
  ) {
    svg.addEventListener("click", (event) => {
      const { left } = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / Math.max(1, svg.getBoundingClientRect().width);
      const at = Math.round(((event.clientX - left) * scale - LEFT) / this.step);
      if (at >= 0 && at < recording.steps.length) this.choose(at);
    });
    this.draw();
  }

  /** Pids in the order in which they are met, and the moments of their lives. */
  private lanes(): { pid: number; name: string; first: number; last: number }[] {
    const lanes = new Map<number, { pid: number; name: string; first: number; last: number }>();
    for (const [index, { processes }] of this.recording.steps.entries()) {
      for (const [pid, process] of processes) {
        const lane = lanes.get(pid);
        if (process === null) {
          if (lane !== undefined) lane.last = index;
        } else if (lane === undefined) {
          lanes.set(pid, { pid, name: process.name, first: index, last: this.recording.steps.length - 1 });
        } else {
          lane.name = process.name;
          lane.last = this.recording.steps.length - 1;
        }
      }
    }
    return [...lanes.values()].sort((one, two) => one.pid - two.pid);
  }

  /** Draws all of it; to be called when the page's width changes. */
  draw(): void {
    const { steps } = this.recording;
    const available = (this.svg.parentElement?.clientWidth ?? 800) - LEFT - RIGHT - 4;
    this.step = Math.max(LEAST_STEP, Math.min(MOST_STEP, available / Math.max(1, steps.length - 1)));
    const lanes = this.lanes();
    const width = LEFT + RIGHT + this.step * Math.max(1, steps.length - 1);
    this.height = TOP + CHART + 14 + lanes.length * LANE + 4;
    const parts = [this.chart(), `<line id="now" y1="0" y2="${this.height}" x1="0" x2="0"/>`];
    const heights = new Map<number, number>();
    for (const [index, { pid, name, first, last }] of lanes.entries()) {
      const y = TOP + CHART + 14 + index * LANE + LANE / 2;
      heights.set(pid, y);
      parts.push(
        `<text x="0" y="${y + 4}">${escaped(`pid ${pid} ${name}`.slice(0, 19))}</text>`,
        `<line class="life" x1="${this.x(first)}" x2="${this.x(last)}" y1="${y}" y2="${y}"/>`,
      );
    }
    for (const [step, { happenings }] of steps.entries()) {
      for (const pid of new Set(happenings.map((one) => one.pid))) {
        const own = happenings.filter((one) => one.pid === pid);
        const y = heights.get(pid);
        if (y !== undefined) parts.push(this.glyph(own, step, y));
      }
    }
    this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    this.svg.setAttribute("width", String(width));
    this.svg.setAttribute("height", String(this.height));
    this.svg.innerHTML = parts.join("");
  }

  /** Marks the moment that is shown. */
  show(step: number): void {
    // A transform moves it without laying out the thousands of marks around it.
    const now = this.svg.querySelector<SVGElement>("#now");
    if (now !== null) now.style.transform = `translateX(${this.x(step)}px)`;
  }

  private x(step: number): number {
    return LEFT + step * this.step;
  }

  private glyph(happenings: readonly Happening[], step: number, y: number): string {
    const kinds = new Set(happenings.map(({ kind }) => kind));
    const kind = ORDER.find((one) => kinds.has(one));
    if (kind === undefined) return "";
    const [letter, name] = GLYPHS[kind];
    const words = happenings
      .map(({ text }) => text)
      .slice(0, 12)
      .join("\n");
    const size = Math.min(9, Math.max(3, this.step / 2 - 0.5));
    const text = size < 6 ? "" : `<text x="${this.x(step)}" y="${y + 4}">${letter}</text>`;
    return `<g class="event ${kind}"><title>${escaped(`${name}: ${words}`)}</title><circle cx="${this.x(step)}" cy="${y}" r="${size}"/>${text}</g>`;
  }

  private chart(): string {
    const { steps } = this.recording;
    const most = Math.max(1, ...steps.map(({ tableCount }) => tableCount));
    const y = (count: number): number => TOP + CHART - (count / most) * (CHART - 10);
    const line = (value: (step: (typeof steps)[number]) => number): string =>
      steps
        .map((step, i) => `${i === 0 ? "M" : "H"}${this.x(i)}${i === 0 ? ` ${y(value(step))}` : ` V${y(value(step))}`}`)
        .join("");
    const total = line(({ tableCount }) => tableCount);
    const end = `V${TOP + CHART}H${LEFT}Z`;
    return [
      `<text x="0" y="${y(most) + 4}" class="total">page tables</text><text x="0" y="${y(most) + 20}" class="shared">shared ones</text>`,
      `<text x="${LEFT - 8}" y="${y(most) + 4}" text-anchor="end" class="small">${most}</text>`,
      `<text x="${LEFT - 8}" y="${TOP + CHART + 4}" text-anchor="end" class="small">0</text>`,
      `<path class="total-area" d="${total}${end}"/><path class="total-line" d="${total}"/>`,
      `<path class="shared-area" d="${line(({ sharedCount }) => sharedCount)}${end}"/>`,
      `<line class="axis" x1="${LEFT}" x2="${this.x(Math.max(1, steps.length - 1))}" y1="${TOP + CHART}" y2="${TOP + CHART}"/>`,
    ].join("");
  }
}
