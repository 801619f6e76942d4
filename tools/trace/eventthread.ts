/**
 * A trace of events alone: this thread writes down what happens, as records, and another one (eventworker.ts) makes lines of them and writes
 * these, so that the run is hardly slower for it. May import cpu's public face and registers, the events of this folder, Node.
 *
 * Invariant: the lines are those that a Tracer shows. What has been handed over and not been read yet is bounded: who is too far ahead waits.
 */
import { closeSync, openSync } from "node:fs";
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import type { Machine } from "../../cpu/index";
import { Attention, Word } from "../../cpu/registers";
import { kernelLayout } from "../image/layout";
import { EventLog } from "./eventrecords";
import { Events } from "./events";
import type { TraceEventKind } from "./eventtypes";
import { kindsOf, type TraceFilter } from "./filter";
import type { TraceEnd, TraceSession, TraceSpec } from "./session";
import type { TextOptions } from "./textsink";

/** What both threads see: words. */
export const enum Shared {
  /** Pieces that have been read. */
  Read,
  /** 1: what is written is of no use any more. */
  Failed,
  /** 1: everything has been written, and how it went has been posted. */
  Done,
  Words,
}

/** What the other thread is given. */
export interface EventWorkerData {
  kernel: Uint8Array;
  modules: readonly Uint8Array[];
  options: TextOptions;
  descriptor: number;
  shared: Int32Array;
  port: MessagePort;
}

/** What it is told: records, or that there will be none any more. */
export type ToEventWorker = Int32Array | "end";

/** What it says in the end: its error in Node's code, and at which instret it was. */
export interface EventWorkerEnd {
  lines: number;
  error?: string;
  failedAt?: number;
}

/** Pieces that may wait to be read: some 64 KB each. */
const MOST_WAITING = 256;
/** Boundaries after which a piece is handed over though it is not full: somebody may be looking. */
const PATIENCE = 4;
/** How long the other thread may take for a piece, in milliseconds, before it counts as dead. */
const MOST_WAIT_MS = 60_000;

/** Room for what is short-lived there, which is nearly everything, in megabytes. */
const YOUNG_MB = 64;

/** Kinds by which the other thread knows which program a process executes. */
const OF_PROGRAMS: readonly TraceEventKind[] = ["exec", "fork", "exit"];

export class EventThread implements TraceSession {
  readonly isSlow = false;
  private readonly shared = new Int32Array(new SharedArrayBuffer(4 * Shared.Words));
  private readonly port: MessagePort;
  private readonly worker: Worker;
  private readonly log: EventLog;
  private readonly descriptor: number;
  private handed = 0;
  private boundaries = 0;
  private ended: TraceEnd | undefined;

  /** Throws Node's error for a file that cannot be written. */
  constructor(
    private readonly machine: Machine,
    { kernel, modules }: { kernel: Uint8Array; modules: readonly Uint8Array[] },
    private readonly spec: TraceSpec & { output: string | number },
  ) {
    const { output, fields, syntax, filter } = spec;
    this.descriptor = typeof output === "number" ? output : openSync(output, "w");
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    const workerData: EventWorkerData = {
      kernel,
      modules,
      options: { fields, syntax, filter },
      descriptor: this.descriptor,
      shared: this.shared,
      port: port2,
    };
    this.worker = new Worker(new URL("./eventworker.mjs", import.meta.url), {
      workerData,
      transferList: [port2],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    });
    // A thread that dies for want of memory cannot say so itself.
    this.worker.on("error", () => Atomics.store(this.shared, Shared.Failed, 1));
    this.log = new EventLog((words) => this.hand(words));
    new Events(machine, kernelLayout(kernel)).logTo(this.log, kindsFor(filter));
  }

  nextBoundary(): number {
    return Number.POSITIVE_INFINITY;
  }

  atBoundary(): void {
    const sleeps = (this.machine.cpu.r[Word.Attention] & Attention.Halted) !== 0;
    if (++this.boundaries % PATIENCE === 0 || sleeps) this.log.handOver();
  }

  get isDone(): boolean {
    return this.ended !== undefined || Atomics.load(this.shared, Shared.Failed) !== 0;
  }

  end(): TraceEnd {
    this.ended ??= this.finish();
    return this.ended;
  }

  private hand(words: Int32Array): void {
    this.waitFor(Shared.Read, this.handed - MOST_WAITING);
    this.handed++;
    this.port.postMessage(words satisfies ToEventWorker, [words.buffer as ArrayBuffer]);
  }

  /** Waits until a shared word is at least that; false: the other thread does not answer any more. */
  private waitFor(index: Shared, least: number): boolean {
    for (let seen = Atomics.load(this.shared, index); seen < least; seen = Atomics.load(this.shared, index)) {
      if (Atomics.wait(this.shared, index, seen, MOST_WAIT_MS) === "timed-out") {
        Atomics.store(this.shared, Shared.Failed, 1);
        return false;
      }
    }
    return true;
  }

  private finish(): TraceEnd {
    this.log.handOver();
    this.port.postMessage("end" satisfies ToEventWorker);
    const answers = this.waitFor(Shared.Read, this.handed) && this.waitFor(Shared.Done, 1);
    const told = answers ? (receiveMessageOnPort(this.port)?.message as EventWorkerEnd) : undefined;
    this.port.close();
    void this.worker.terminate();
    if (typeof this.spec.output === "string") closeSync(this.descriptor);
    const { lines, failedAt, error } = told ?? { lines: 0, error: "the thread that writes it does not answer" };
    const end = { lines, instret: failedAt ?? this.machine.instret };
    return error === undefined ? end : { ...end, error };
  }
}

function kindsFor({ letters }: TraceFilter): TraceEventKind[] {
  return [...new Set([...kindsOf(letters), ...OF_PROGRAMS])];
}
