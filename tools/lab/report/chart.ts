/**
 * A chart of lines as SVG: axes, a colour and kind of point for each line, marks where lines cross. Colours are the page's, by class. It is drawn small, with
 * letters that are large in it, so that it can be read on a telephone. May import ./axis.
 */
import { type Axis, axisOf, roomyTicks, type Scale } from "./axis";

export interface Series {
  name: string;
  points: readonly { x: number; y: number }[];
}

export interface ChartAxis {
  title: string;
  scale: Scale;
  /** Powers of two. */
  binary?: boolean;
  /** A value in words. */
  text(value: number): string;
  /** Ticks instead of round numbers; where there are too many of them, some. */
  ticks?: readonly number[];
}

export interface LineChart {
  title: string;
  x: ChartAxis;
  y: ChartAxis;
  series: readonly Series[];
  marks?: readonly { x: number; y: number; text: string }[];
}

const WIDTH = 400;
const HEIGHT = 290;
const LEFT = 62;
const RIGHT = 24;
const TOP = 12;
const BOTTOM = 48;
const RADIUS = 3.5;

/** What HTML and XML would take for something else. */
export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

const short = (value: number): string => String(Math.round(value * 10) / 10);

type Shape = (x: number, y: number) => string;

const square: Shape = (x, y) => `M${x - RADIUS} ${y - RADIUS}h${2 * RADIUS}v${2 * RADIUS}h${-2 * RADIUS}z`;
const disc: Shape = (x, y) =>
  `M${x - RADIUS} ${y}a${RADIUS} ${RADIUS} 0 1 0 ${2 * RADIUS} 0a${RADIUS} ${RADIUS} 0 1 0 ${-2 * RADIUS} 0z`;
const triangle: Shape = (x, y) => `M${x} ${y - 1.3 * RADIUS}l${1.2 * RADIUS} ${2.1 * RADIUS}h${-2.4 * RADIUS}z`;
const diamond: Shape = (x, y) =>
  `M${x} ${y - 1.3 * RADIUS}l${1.3 * RADIUS} ${1.3 * RADIUS}l${-1.3 * RADIUS} ${1.3 * RADIUS}l${-1.3 * RADIUS} ${-1.3 * RADIUS}z`;

/** How a line looks: its class in the style sheet, and a shape of its own for its points, so that colour is not all that tells lines apart. */
interface Look {
  style: string;
  shape: Shape;
}

/** Of modes, the same in all charts. */
const MODE_LOOKS: Readonly<Record<string, Look>> = {
  copy: { style: "copy", shape: square },
  share: { style: "share", shape: disc },
  auto: { style: "auto", shape: triangle },
  "copy-no-rmap": { style: "copy-no-rmap", shape: diamond },
  "share-no-rmap": { style: "share-no-rmap", shape: diamond },
};
/** Of other lines, by their place in the chart. */
const VALUE_LOOKS = [square, disc, triangle, diamond].map((shape, index): Look => ({ style: `line${index}`, shape }));

/** The look of the line with that name, the index-th of its chart. */
function lookOf(name: string, index: number): Look {
  return MODE_LOOKS[name] ?? (VALUE_LOOKS[index % VALUE_LOOKS.length] as Look);
}

/** The small picture of a line for a legend. */
export function legendMark(name: string, index: number): string {
  const { style, shape } = lookOf(name, index);
  return `<svg class="key ${style}" viewBox="0 0 28 12" aria-hidden="true"><path class="line" d="M0 6H28"/><path class="point" d="${shape(14, 6)}"/></svg>`;
}

class Plot {
  private readonly x: Axis;
  private readonly y: Axis;

  constructor(private readonly chart: LineChart) {
    const points = chart.series.flatMap((series) => series.points);
    this.x = axisOf(
      points.map(({ x }) => x),
      chart.x.scale,
      chart.x.binary,
    );
    this.y = axisOf(
      points.map(({ y }) => y),
      chart.y.scale,
      chart.y.binary,
    );
  }

  private left(x: number): string {
    return short(LEFT + this.x.at(x) * (WIDTH - LEFT - RIGHT));
  }

  private top(y: number): string {
    return short(HEIGHT - BOTTOM - this.y.at(y) * (HEIGHT - TOP - BOTTOM));
  }

  private grid(): string {
    const { x, y } = this.chart;
    const bottom = HEIGHT - BOTTOM;
    const ticks = ({ ticks: wanted }: ChartAxis, axis: Axis) => (wanted ? roomyTicks(axis, wanted) : axis.ticks);
    const across = ticks(y, this.y).map(
      (value) =>
        `<path d="M${LEFT} ${this.top(value)}H${WIDTH - RIGHT}"/><text x="${LEFT - 6}" y="${this.top(value)}" dy="4" class="right">${escaped(y.text(value))}</text>`,
    );
    const up = ticks(x, this.x).map(
      (value) =>
        `<path d="M${this.left(value)} ${TOP}V${bottom}"/><text x="${this.left(value)}" y="${bottom + 16}" class="middle">${escaped(x.text(value))}</text>`,
    );
    return `<g class="grid">${across.join("")}${up.join("")}</g>`;
  }

  private line({ name, points }: Series, index: number): string {
    const { x, y } = this.chart;
    const { style, shape } = lookOf(name, index);
    const path = points.map((point, i) => `${i === 0 ? "M" : "L"}${this.left(point.x)} ${this.top(point.y)}`);
    const dots = points.map((point) => {
      const said = escaped(`${name}: ${x.text(point.x)}: ${y.text(point.y)}`);
      return `<path class="point" d="${shape(Number(this.left(point.x)), Number(this.top(point.y)))}"><title>${said}</title></path>`;
    });
    return `<g class="${style}"><path class="line" d="${path.join("")}"/>${dots.join("")}</g>`;
  }

  private marks(): string {
    const marks = (this.chart.marks ?? []).map(
      ({ x, y, text }) =>
        `<circle class="crossing" cx="${this.left(x)}" cy="${this.top(y)}" r="7"><title>${escaped(text)}</title></circle>`,
    );
    return marks.join("");
  }

  svg(): string {
    const { title, x, y, series } = this.chart;
    const middle = (TOP + HEIGHT - BOTTOM) / 2;
    return [
      `<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">`,
      this.grid(),
      ...series.map((each, index) => this.line(each, index)),
      this.marks(),
      `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 10}" class="middle axis">${escaped(x.title)}</text>`,
      `<text transform="rotate(-90 13 ${middle})" x="13" y="${middle}" class="middle axis">${escaped(y.title)}</text>`,
      "</svg>",
    ].join("");
  }
}

/** The chart; undefined for one without points. */
export function lineChart(chart: LineChart): string | undefined {
  return chart.series.some(({ points }) => points.length > 0) ? new Plot(chart).svg() : undefined;
}
