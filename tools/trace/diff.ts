/**
 * The first difference of two traces: where two runs part. May import format, code's and events' types, tracer's types.
 *
 * Traces are compared line by line, event by event; what each line shows decides. By "line" or "function" only the way through the source is
 * compared: lines that follow each other in the same place are one.
 */
import type { TraceEvent } from "./eventtypes";
import type { Field } from "./filter";
import { eventText, TextFormat } from "./format";
import type { Step } from "./step";
import type { TraceSink } from "./tracer";

/** What is compared: everything, the source lines, or the functions that are gone through. */
export type DiffBy = "instruction" | "line" | "function";

/** One place of a trace, as it is compared and as it is shown. */
export interface DiffLine {
  key: string;
  text: string;
  /** Function and source line; "" for what has none. */
  function: string;
  source: string;
}

/** Gathers what a trace gives as lines to compare. */
export class DiffSink implements TraceSink {
  /** What has been gathered; whoever compares takes lines away from the front. */
  readonly lines: DiffLine[] = [];
  private readonly compared: TextFormat;
  private readonly shown: TextFormat;
  private lastKey = "";

  constructor(
    fields: readonly Field[],
    private readonly by: DiffBy,
  ) {
    this.shown = new TextFormat({ fields: new Set(fields), syntax: "intel", where: true });
    // When something happens is no difference by itself.
    const compared = fields.filter((field) => field !== "instret");
    this.compared = new TextFormat({ fields: new Set(compared), syntax: "intel", where: false });
  }

  step(step: Step): void {
    const { symbol, source } = step.code;
    const [name] = symbol.split("+");
    const key =
      this.by === "instruction"
        ? this.compared.step(step)
        : this.by === "line"
          ? `${name} ${source}`
          : `${step.pid} ${name}`;
    if (this.by !== "instruction" && key === this.lastKey) return;
    this.lastKey = key;
    this.lines.push({ key, text: this.shown.step(step).trimEnd(), function: name, source });
  }

  event(event: TraceEvent, where: string): void {
    if (this.by !== "instruction") return;
    const [symbol = "", source = ""] = where.split(" ");
    const { kind, pid } = event;
    // How long a fault took is when it happened.
    const key =
      kind === "pageFaultEnd" ? eventText({ ...event, instret: 0, faultInstret: 0 }) : eventText(event, where);
    this.lines.push({
      key: `${pid} ${key}`,
      text: this.shown.event(event, where).trimEnd(),
      function: symbol.split("+")[0],
      source,
    });
  }
}

/** Where two traces part: the lines before, which they have in common, and the first that each has and the other has not. */
export interface Difference {
  common: readonly string[];
  /** Places that they have in common. */
  count: number;
  /** undefined: this one has ended. */
  first: DiffLine | undefined;
  second: DiffLine | undefined;
}

/** A trace that gives more lines to its sink each time that it is asked; done: there are no more. */
export interface DiffSource {
  sink: DiffSink;
  more: Iterator<unknown>;
}

/** Lines shown before a difference. */
const CONTEXT = 5;

/** The first difference; undefined: there is none. */
export function firstDifference(one: DiffSource, two: DiffSource): Difference | undefined {
  let common: string[] = [];
  let count = 0;
  for (;;) {
    fill(one);
    fill(two);
    const a = one.sink.lines;
    const b = two.sink.lines;
    if (a.length === 0 && b.length === 0) return undefined;
    const length = Math.min(a.length, b.length);
    let same = 0;
    while (same < length && a[same].key === b[same].key) same++;
    count += same;
    common = [...common, ...a.slice(Math.max(0, same - CONTEXT), same).map(({ text }) => text)].slice(-CONTEXT);
    if (same < length || length === 0) return { common, count, first: a[same], second: b[same] };
    a.splice(0, length);
    b.splice(0, length);
  }
}

/** Asks for more until there is a line, or there will be none. */
function fill({ sink, more }: DiffSource): void {
  while (sink.lines.length === 0 && !more.next().done);
}
