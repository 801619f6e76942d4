/**
 * The thread that makes lines of another thread's events and writes them (eventthread.ts). May import eventrecords, eventthread (types),
 * places, programs, output, textsink, filter, Node.
 *
 * Invariant: however it goes, it says so in the end: nobody waits for it in vain.
 */
import { constants, setPriority } from "node:os";
import { workerData } from "node:worker_threads";
import { nextRecord, readEvent } from "./eventrecords";
import { type EventWorkerData, type EventWorkerEnd, Shared, type ToEventWorker } from "./eventthread";
import type { TraceEvent, TraceEventKind, TraceEventListener } from "./eventtypes";
import { kindsOf } from "./filter";
import { Output } from "./output";
import { Places } from "./places";
import { type ProcessSource, Programs, programsOf } from "./programs";
import { TextSink } from "./textsink";

const { kernel, modules, options, descriptor, shared, port } = workerData as EventWorkerData;

/** The other thread's events, as if they happened here. */
class Repeated implements ProcessSource {
  pid = -1;
  readonly kernel = undefined;
  readonly machine = undefined;
  private readonly listeners: (readonly [TraceEventListener, readonly TraceEventKind[]])[] = [];

  on(listener: TraceEventListener, kinds: readonly TraceEventKind[]): void {
    this.listeners.push([listener, kinds]);
  }

  tell(event: TraceEvent): void {
    this.pid = event.pid;
    for (const [listener, kinds] of this.listeners) if (kinds.includes(event.kind)) listener(event);
  }
}

// The run goes first: where there are not processors for all, lines are made later. Elsewhere a priority is the whole process's.
if (process.platform === "linux") setPriority(constants.priority.PRIORITY_LOW);

const events = new Repeated();
const places = new Places(new Programs(kernel, programsOf(modules), events));
const shown: ReadonlySet<TraceEventKind> = new Set(kindsOf(options.filter.letters));
const { pids } = options.filter;
const output = new Output(descriptor);
const sink = new TextSink(options, (line) => output.write(line));
/** More pieces than there ever are. */
const MOST_PIECES = 0x7fffffff;
let lines = 0;
/** Of the last event that was read, and of that at which it went wrong. */
let instret = 0;
let failedAt: number | undefined;
let isOver = false;

function show(event: TraceEvent): void {
  events.tell(event);
  if (output.error !== undefined || !shown.has(event.kind) || !(pids?.includes(event.pid) ?? true)) return;
  lines++;
  sink.event(event, places.of(event));
  if (output.error !== undefined) fail();
}

function fail(): void {
  failedAt ??= instret;
  Atomics.store(shared, Shared.Failed, 1);
}

function read(words: Int32Array): void {
  for (let at = 0; at < words.length; at = nextRecord(words, at)) {
    const event = readEvent(words, at);
    instret = event.instret;
    show(event);
  }
  output.flush();
  if (output.error !== undefined) fail();
}

function end(wrong?: unknown): void {
  isOver = true;
  const error = wrong === undefined ? output.error : (wrong as NodeJS.ErrnoException);
  const result: EventWorkerEnd = { lines };
  if (error !== undefined) Object.assign(result, { error: error.code ?? error.message, failedAt });
  port.postMessage(result);
  Atomics.store(shared, Shared.Done, 1);
  Atomics.notify(shared, Shared.Done);
}

// What nobody foresaw: the other thread is told, and waits for nothing any more.
process.on("uncaughtException", (error) => {
  if (isOver) return;
  fail();
  end(error);
  Atomics.store(shared, Shared.Read, MOST_PIECES);
  Atomics.notify(shared, Shared.Read);
});

port.on("message", (message: ToEventWorker) => {
  if (isOver) return;
  if (message === "end") {
    end();
    return;
  }
  read(message);
  Atomics.add(shared, Shared.Read, 1);
  Atomics.notify(shared, Shared.Read);
});
