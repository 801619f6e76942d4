/**
 * A trace as the command line asks for it: plain data, and what it does beside a run. May import the rest of tools/trace, cpu.
 */
import type { Machine } from "../../cpu/index";
import type { Syntax } from "./code";
import type { TraceEvent } from "./eventtypes";
import { FIELDS, type Field, type TraceFilter } from "./filter";
import { TextFormat } from "./format";
import { Output } from "./output";
import type { Step } from "./step";
import { Tracer, type TraceSink } from "./tracer";

/** Where a trace's text goes when no file is named. */
export const STDOUT = 1;
export const STDERR = 2;

/** What to trace, and how to show it. Fit for structured cloning. */
export interface TraceSpec {
  filter: TraceFilter;
  /** Fields of a line. */
  fields: readonly Field[];
  syntax: Syntax;
  /** File for the text, or a descriptor. */
  output: string | number;
}

/** Why a trace has ended, for whoever asked for it. */
export interface TraceEnd {
  lines: number;
  /** instret at which nothing more was shown. */
  instret: number;
  /** The file could not be written, in Node's code: "ENOSPC"; "EPIPE": nobody reads it any more. */
  error?: string;
}

/** Whether events need to say where they happen: where no instruction's line before them does. */
export function eventsNeedPlace({ letters }: TraceFilter): boolean {
  return !/[kuj]/.test(letters);
}

/** Writes steps and events as text. */
export class TextSink implements TraceSink {
  private readonly format: TextFormat;

  constructor(
    { fields, syntax, filter }: Pick<TraceSpec, "fields" | "syntax" | "filter">,
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

/** What a line shows that all of a trace is kept of. */
export const ALL_FIELDS: readonly Field[] = FIELDS;

/** A trace that goes on beside a run. */
export class TraceSession {
  private readonly tracer: Tracer;
  private readonly output: Output;
  private endedAt: number | undefined;

  /** Throws TraceError, or Node's error for a file that cannot be written. */
  constructor(
    private readonly machine: Machine,
    { kernel, modules }: { kernel: Uint8Array; modules: readonly Uint8Array[] },
    spec: TraceSpec,
  ) {
    this.output = new Output(spec.output);
    const sink = new TextSink(spec, (line) => {
      this.output.write(line);
      if (this.output.isBroken) this.stop();
    });
    const memory = spec.fields.includes("memory");
    this.tracer = new Tracer(machine, { kernel, modules, filter: spec.filter, sink, memory });
  }

  private stop(): void {
    this.endedAt ??= this.machine.instret;
    this.tracer.end();
  }

  /** Up to which instret the machine may run before atBoundary() must be called. */
  nextBoundary(): number {
    return this.tracer.nextBoundary();
  }

  /** To be called between two runs of the machine. */
  atBoundary(): void {
    this.tracer.atBoundary();
    this.output.flush();
    if (this.output.isBroken) this.stop();
  }

  /** Nothing more will be shown. */
  get isDone(): boolean {
    return this.tracer.isDone;
  }

  /** Ends it, and says how it went. */
  end(): TraceEnd {
    this.stop();
    this.output.close();
    const { error } = this.output;
    const end = { lines: this.tracer.count, instret: this.endedAt ?? this.machine.instret };
    return error === undefined ? end : { ...end, error: error.code ?? error.message };
  }
}
