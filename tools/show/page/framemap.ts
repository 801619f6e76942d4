/**
 * The heat map of all frames: a cell each, coloured by owner, and page tables by their users, data by how many ptes map it. A cursor
 * goes over it by mouse or arrow keys. Rows that are the same throughout the run, such as memory that nobody ever used, are folded into
 * one. May import delta's and snapshot's types, svg, words.
 */
import type { Recording } from "../recording";
import type { Snapshot } from "../snapshot";
import { escaped } from "../svg";
import { counted, hex } from "../words";

const LEAST_CELL = 4;
const MOST_CELL = 12;
const COLUMNS = 128;
/** Folded rows are drawn through every so many cells. */
const FOLD_MARK = 4;
/** From so many on the darkest colour. */
const MOST_COUNT = 5;

/** Colours are variables of the page's style: `--k-data-1`, `--k-free`. */
function colourName(kind: string, count: number): string {
  return kind === "table" || kind === "data" ? `--k-${kind}-${Math.min(count, MOST_COUNT)}` : `--k-${kind}`;
}

/** A row of the picture: `rows` rows of frames from `first` on, one unless they are folded. */
interface Row {
  first: number;
  rows: number;
}

export class FrameMap {
  private kinds: string[] = [];
  private counts: number[] = [];
  private marked: ReadonlySet<number> = new Set();
  private cursor = 0;
  private cell = LEAST_CELL;
  private columns = COLUMNS;
  private rows: Row[] = [];
  /** The columns that the rows are for. */
  private laidOut = 0;
  private width: number;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly words: HTMLElement,
    private readonly legend: HTMLElement,
    private readonly recording: Recording,
    private readonly choose: (frame: number) => void,
  ) {
    this.width = canvas.parentElement?.clientWidth ?? COLUMNS * LEAST_CELL;
    const frameAt = ({ offsetX, offsetY }: MouseEvent): number => {
      const column = Math.min(this.columns - 1, Math.max(0, Math.floor(offsetX / this.cell)));
      const row = Math.min(this.rows.length - 1, Math.max(0, Math.floor(offsetY / this.cell)));
      return this.rows[row].first + column;
    };
    canvas.addEventListener("mousemove", (event) => this.say(frameAt(event)));
    canvas.addEventListener("click", (event) => this.moveTo(frameAt(event), true));
    canvas.addEventListener("focus", () => this.draw());
    canvas.addEventListener("blur", () => this.draw());
    canvas.addEventListener("keydown", (event) => {
      const steps: Record<string, number> = {
        ArrowLeft: -1,
        ArrowRight: 1,
        ArrowUp: -this.columns,
        ArrowDown: this.columns,
        PageUp: -this.columns * 8,
        PageDown: this.columns * 8,
        Home: -this.kinds.length,
        End: this.kinds.length,
      };
      const step = steps[event.key];
      if (step !== undefined) this.moveTo(this.beyondFolds(this.cursor + step, Math.sign(step)), false);
      else if (event.key === "Enter" || event.key === " ") this.choose(this.cursor);
      else return;
      event.preventDefault();
    });
  }

  /** Shows memory at another moment. */
  show({ frames, tables, mapped }: Snapshot): void {
    this.kinds = [];
    for (const { count, kind } of frames) for (let i = 0; i < count; i++) this.kinds.push(kind);
    this.counts = new Array<number>(this.kinds.length).fill(0);
    for (const { frame, users } of tables) this.counts[frame] = users;
    for (const { frame, ptes } of mapped) this.counts[frame] = ptes.length;
    this.draw();
    this.drawLegend();
    this.say(this.cursor);
  }

  /** Puts a frame around these. */
  mark(frames: ReadonlySet<number>): void {
    this.marked = frames;
    this.draw();
  }

  /** A frame that is drawn: where `frame` is folded away, the next one in that direction. */
  private beyondFolds(frame: number, direction: number): number {
    const row = this.rowOf(frame);
    if (row === undefined || row.rows === 1 || frame < row.first + this.columns) return frame;
    return direction > 0 ? row.first + row.rows * this.columns : row.first + (frame % this.columns);
  }

  private rowOf(frame: number): Row | undefined {
    return this.rows.find(({ first, rows }) => frame >= first && frame < first + rows * this.columns);
  }

  /** Folds the rows whose frames are of one kind and never change; the same at every moment. */
  private layOut(): void {
    const { columns, recording } = this;
    if (this.laidOut === columns) return;
    this.laidOut = columns;
    const changed = new Set<number>();
    for (const { frames } of recording.steps.slice(1)) {
      for (const [first, count] of frames)
        for (let i = 0; i < count; i++) changed.add(Math.floor((first + i) / columns));
    }
    const sameKind = (first: number): boolean =>
      this.kinds.slice(first, first + columns).every((kind, _, all) => kind === all[0] && kind !== "data");
    this.rows.length = 0;
    let last: Row | undefined;
    for (let first = 0; first < this.kinds.length; first += columns) {
      const folds = !changed.has(first / columns) && sameKind(first);
      if (folds && last !== undefined && this.kinds[last.first] === this.kinds[first]) {
        last.rows++;
        continue;
      }
      const row = { first, rows: 1 };
      this.rows.push(row);
      last = folds ? row : undefined;
    }
  }

  /** Where the cell of a frame is drawn; undefined where it is folded away. */
  private place(frame: number): [x: number, y: number] | undefined {
    const row = this.rows.findIndex(({ first }) => frame >= first && frame < first + this.columns);
    return row < 0 ? undefined : [(frame % this.columns) * this.cell, row * this.cell];
  }

  private moveTo(frame: number, chosen: boolean): void {
    this.cursor = Math.max(0, Math.min(this.kinds.length - 1, frame));
    this.draw();
    this.say(this.cursor);
    if (chosen) this.choose(this.cursor);
  }

  private say(frame: number): void {
    const kind = this.kinds[frame];
    if (kind === undefined) return;
    const count = this.counts[frame];
    const more =
      kind === "table" ? `, ${counted(count, "user")}` : kind === "data" ? `, mapped by ${counted(count, "pte")}` : "";
    const row = this.rowOf(frame);
    const fold =
      row === undefined || row.rows === 1
        ? ""
        : `, as are all from ${hex(row.first)} to ${hex(row.first + row.rows * this.columns - 1)}`;
    this.words.textContent = `frame ${hex(frame)}: ${kind}${more}${fold}`;
  }

  /** Measures the page and draws; to be called when its width changes. Measuring makes the browser lay the whole page out. */
  measure(): void {
    this.width = this.canvas.parentElement?.clientWidth ?? this.width;
    this.draw();
  }

  private draw(): void {
    const { canvas, kinds, counts, width } = this;
    this.columns = width < COLUMNS * LEAST_CELL ? COLUMNS / 2 : COLUMNS;
    this.cell = Math.max(LEAST_CELL, Math.min(MOST_CELL, Math.floor(width / this.columns)));
    this.layOut();
    const { columns, cell, rows } = this;
    const density = devicePixelRatio || 1;
    canvas.width = columns * cell * density;
    canvas.height = rows.length * cell * density;
    canvas.style.width = `${columns * cell}px`;
    const context = canvas.getContext("2d");
    if (context === null) return;
    context.scale(density, density);
    const style = getComputedStyle(canvas);
    const colours = new Map<string, string>();
    const gap = cell > 5 ? 1 : 0.5;
    for (const [y, row] of rows.entries()) {
      for (let frame = row.first; frame < Math.min(row.first + columns, kinds.length); frame++) {
        const name = colourName(kinds[frame], counts[frame]);
        let colour = colours.get(name);
        if (colour === undefined) {
          colour = style.getPropertyValue(name) || "#888";
          colours.set(name, colour);
        }
        const folded = row.rows > 1 && frame % FOLD_MARK === 0;
        context.fillStyle = folded ? style.getPropertyValue("--line") : colour;
        context.fillRect((frame % columns) * cell, y * cell, cell - gap, cell - gap);
      }
    }
    context.strokeStyle = style.getPropertyValue("--ink");
    context.lineWidth = 1;
    for (const frame of this.marked) {
      const place = this.place(frame);
      if (place !== undefined) context.strokeRect(...place, cell - gap, cell - gap);
    }
    const place = this.place(this.cursor);
    if (document.activeElement !== canvas || place === undefined) return;
    context.strokeStyle = style.getPropertyValue("--focus");
    context.lineWidth = 2;
    context.strokeRect(place[0] - 1, place[1] - 1, cell + 1, cell + 1);
  }

  private drawLegend(): void {
    const seen = new Map<string, { text: string; frames: number }>();
    for (const [frame, kind] of this.kinds.entries()) {
      const count = Math.min(this.counts[frame], MOST_COUNT);
      const name = colourName(kind, count);
      const entry = seen.get(name);
      if (entry === undefined) seen.set(name, { text: legendText(kind, count), frames: 1 });
      else entry.frames++;
    }
    this.legend.innerHTML = [...seen]
      .sort(([one], [two]) => one.localeCompare(two))
      .map(
        ([name, { text, frames }]) =>
          `<li><span class="swatch" style="background: var(${name})"></span>${escaped(text)} <b>${frames}</b></li>`,
      )
      .join("");
  }
}

function legendText(kind: string, count: number): string {
  if (kind !== "table" && kind !== "data") return kind;
  return `${kind}, ${counted(count, kind === "table" ? "user" : "pte")}${count === MOST_COUNT ? " or more" : ""}`;
}
