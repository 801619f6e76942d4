/**
 * Steps and events as lines, for whoever writes them. May import format, filter, tracer (types).
 */
import type { Syntax } from "./code";
import type { TraceEvent } from "./eventtypes";
import type { Field, TraceFilter } from "./filter";
import { TextFormat } from "./format";
import type { Step } from "./step";
import type { TraceSink } from "./tracer";

/** What lines look like. */
export interface TextOptions {
  /** Fields of a line. */
  fields: readonly Field[];
  syntax: Syntax;
  filter: TraceFilter;
}

/** Whether events need to say where they happen: where no instruction's line before them does. */
export function eventsNeedPlace({ letters }: TraceFilter): boolean {
  return !/[kuj]/.test(letters);
}

/** Writes steps and events as text. */
export class TextSink implements TraceSink {
  private readonly format: TextFormat;

  constructor(
    { fields, syntax, filter }: TextOptions,
    private readonly write: (line: string) => void,
  ) {
    this.format = new TextFormat({ fields: new Set(fields), syntax, where: eventsNeedPlace(filter) });
  }

  step(step: Step): void {
    this.write(this.format.step(step));
  }

  event(event: TraceEvent, where: string): void {
    this.write(this.format.event(event, where));
  }
}
