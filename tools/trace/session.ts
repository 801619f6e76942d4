/**
 * A trace as the command line asks for it: plain data, and what it does beside a run. May import the rest of tools/trace, cpu.
 */
import type { Machine } from "../../cpu/index";
import { BinarySink } from "./binary";
import { EventThread } from "./eventthread";
import type { TraceEvent } from "./eventtypes";
import { beginsByItself, isOfEventsAlone } from "./filter";
import { Output } from "./output";
import type { Step } from "./step";
import { eventsNeedPlace, type TextOptions, TextSink } from "./textsink";
import { Tracer, type TraceSink } from "./tracer";

/** What to trace, and how to show it. Fit for structured cloning. */
export interface TraceSpec extends TextOptions {
  /** File for the text, or a descriptor; absent: no text. */
  output?: string | number;
  /** File for the binary form, and what to note there of what was traced. */
  binary?: { path: string; command: string };
}

/** Why a trace has ended, for whoever asked for it. */
export interface TraceEnd {
  lines: number;
  /** instret at which nothing more was shown. */
  instret: number;
  /** The file could not be written, in Node's code: "ENOSPC"; "EPIPE": nobody reads it any more. */
  error?: string;
}

/** Gives the same to several. */
class Sinks implements TraceSink {
  constructor(private readonly sinks: readonly TraceSink[]) {}

  step(step: Step): void {
    for (const sink of this.sinks) sink.step(step);
  }

  event(event: TraceEvent, where: string): void {
    for (const sink of this.sinks) sink.event(event, where);
  }
}

/** A trace that goes on beside a run. */
export interface TraceSession {
  /** It may make the machine a hundred times slower: the caller had better look often at what else there is. */
  readonly isSlow: boolean;
  /** Up to which instret the machine may run before atBoundary() must be called. */
  nextBoundary(): number;
  /** To be called between two runs of the machine. */
  atBoundary(): void;
  /** Nothing more will be shown. */
  readonly isDone: boolean;
  /** Ends it, and says how it went. */
  end(): TraceEnd;
}

/** Begins a trace. Throws TraceError, or Node's error for a file that cannot be written. */
export function traceSession(
  machine: Machine,
  images: { kernel: Uint8Array; modules: readonly Uint8Array[] },
  spec: TraceSpec,
): TraceSession {
  const { output, binary, filter } = spec;
  if (output !== undefined && binary === undefined && machine.instret === 0 && isOfEventsAlone(filter)) {
    return new EventThread(machine, images, { ...spec, output });
  }
  return new TracerSession(machine, images, spec);
}

/**
 * Instructions before a trace's window from which on it listens: what a process is in when the window begins has then been seen to begin,
 * but for what takes longer. A machine whose trace only waits runs as if there were none.
 */
const LEAD = 2_000_000;

/** A trace that this thread makes and writes. */
class TracerSession implements TraceSession {
  /** Undefined up to `listensFrom`. */
  private tracer: Tracer | undefined;
  private readonly make: () => Tracer;
  private readonly listensFrom: number;
  private isStopped = false;
  private readonly output: Output | undefined;
  private readonly binary: BinarySink | undefined;
  private endedAt: number | undefined;

  constructor(
    private readonly machine: Machine,
    { kernel, modules }: { kernel: Uint8Array; modules: readonly Uint8Array[] },
    spec: TraceSpec,
  ) {
    const { filter } = spec;
    const sinks: TraceSink[] = [];
    if (spec.output !== undefined) {
      const output = new Output(spec.output);
      this.output = output;
      sinks.push(new TextSink(spec, (line) => this.write(output, line)));
    }
    if (spec.binary !== undefined) {
      const { path, command } = spec.binary;
      this.binary = new BinarySink(path, { command, where: eventsNeedPlace(filter) });
      sinks.push(this.binary);
    }
    const memory = this.binary !== undefined || spec.fields.includes("memory");
    const sink = sinks.length === 1 ? sinks[0] : new Sinks(sinks);
    this.make = () => new Tracer(machine, { kernel, modules, filter, sink, memory });
    this.listensFrom = beginsByItself(filter) ? filter.from - LEAD : 0;
    this.begin();
  }

  private begin(): void {
    if (this.machine.instret >= this.listensFrom) this.tracer ??= this.make();
  }

  private write(output: Output, line: string): void {
    output.write(line);
    if (output.error !== undefined) this.stop();
  }

  private stop(): void {
    this.endedAt ??= this.machine.instret;
    this.isStopped = true;
    this.tracer?.end();
  }

  private get error(): NodeJS.ErrnoException | undefined {
    return this.output?.error ?? this.binary?.error;
  }

  nextBoundary(): number {
    return this.tracer?.nextBoundary() ?? this.listensFrom;
  }

  atBoundary(): void {
    this.begin();
    this.tracer?.atBoundary();
    this.output?.flush();
    if (this.error !== undefined) this.stop();
  }

  get isDone(): boolean {
    return this.tracer?.isDone ?? this.isStopped;
  }

  get isSlow(): boolean {
    return this.tracer !== undefined;
  }

  end(): TraceEnd {
    this.stop();
    this.output?.close();
    const instret = this.endedAt ?? this.machine.instret;
    this.binary?.close(instret);
    const end = { lines: this.tracer?.count ?? 0, instret };
    return this.error === undefined ? end : { ...end, error: this.error.code ?? this.error.message };
  }
}
