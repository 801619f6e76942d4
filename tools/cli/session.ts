/**
 * A machine in a worker, seen from the main thread: what starts one, what comes back. The terminal stays alive whatever
 * the guest does. May import Node and the worker's types.
 */
import { Worker } from "node:worker_threads";
import type { Screen, StopReason } from "../../cpu/index";
import type { RegionCount } from "../lab/regions";
import type { Recipe } from "../replay/recipe";
import type { TraceEnd, TraceSpec } from "../trace/session";

/** Instructions shown, unasked, when the kernel panics. */
export const PANIC_TRACE = 40;

/** What a worker needs to run one machine. All of it is copied to the worker. */
export interface SessionSpec extends Recipe {
  /** Instructions after which the run ends with reason "budget". */
  maxInstructions: number;
  /** Where console input comes from. `none`: time jumps while the guest sleeps. `terminal`: bytes are given at once. */
  input: "none" | "pipe" | "terminal";
  /** The screen is told of, and input goes to the keyboard as scan codes: these at the start, more as it comes. */
  screen?: { keys: Uint8Array };
  /** How many instructions to show of the end of the run, and how; of any run, or only of one that went wrong. */
  last: { count: number; when: "always" | "panic"; spec?: TraceSpec };
  /** A trace of the whole run. */
  trace?: TraceSpec;
  /** File to record the run in, and what to note there of how it came about. The disk is a copy in memory then. */
  record?: { path: string; command: string };
  /** Every how many returns to user mode to audit the guest's memory; 0 or absent for never. Wants a kernel of ours. */
  auditEvery?: number;
  /** File to write the machine's state to at the end. */
  saveState?: string;
}

/** Why a run ended: the machine's reason, `stopped` from outside, an audit that found something, or a trace with nothing more to show. */
export type SessionEnd = StopReason | { reason: "stopped" } | { reason: "audit" } | { reason: "traced" };

/** How a run ended, and what was gathered. */
export interface SessionResult {
  end: SessionEnd;
  instret: number;
  cycles: number;
  /** Exit code of the guest's first process, as a shell would give it; absent when it never ended. */
  programStatus: number | undefined;
  /** A Mark.Panic was seen. */
  panicked: boolean;
  regions: RegionCount[];
  /** The end of the run, in lines. */
  last: string[];
  /** How the trace of the run went. */
  trace: TraceEnd | undefined;
  /** What went wrong with the file of the recording, in Node's code. */
  recordError: string | undefined;
  /** What an audit found, in lines. */
  audit: string[];
}

/** From the worker. `error` is a documented MachineError's message: bad input. */
export type FromWorker =
  | { kind: "serial"; bytes: Uint8Array }
  | { kind: "screen"; screen: Screen }
  | { kind: "progress"; instret: number }
  | { kind: "end"; result: SessionResult }
  | { kind: "error"; message: string };

/** To the worker: `start` once and first. */
export type ToWorker =
  | { kind: "start"; spec: SessionSpec }
  | { kind: "input"; bytes: Uint8Array }
  | { kind: "inputEnd" }
  | { kind: "stop" };

export interface SessionHandlers {
  serial(bytes: Uint8Array): void;
  screen?(screen: Screen): void;
  progress?(instret: number): void;
}

export class SessionError extends Error {}

/** A thread that is coming up already, for the next session. */
let waiting: Worker | undefined;

/** Gives the next session a thread that was started before there was a session; undefined for none. */
export function offerThread(thread: Worker | undefined): void {
  waiting = thread;
}

/** Ends the offered thread if no session has taken it. */
export function dropThread(): void {
  void waiting?.terminate();
  waiting = undefined;
}

function takeThread(): Worker {
  const thread = waiting ?? new Worker(new URL("./worker.mjs", import.meta.url));
  waiting = undefined;
  thread.ref();
  return thread;
}

/** A machine's thread, which comes up while its images are still being read. */
export class Session {
  private readonly worker: Worker;
  /** Settles when the machine stopped; rejects with SessionError on bad input. */
  readonly result: Promise<SessionResult>;

  constructor(handlers: SessionHandlers) {
    this.worker = takeThread();
    this.result = new Promise((resolve, reject) => {
      this.worker.on("message", (message: FromWorker) => {
        if (message.kind === "serial") handlers.serial(message.bytes);
        else if (message.kind === "screen") handlers.screen?.(message.screen);
        else if (message.kind === "progress") handlers.progress?.(message.instret);
        else if (message.kind === "end") resolve(message.result);
        else reject(new SessionError(message.message));
      });
      this.worker.on("error", reject);
      this.worker.on("exit", () => reject(new SessionError("the machine's thread ended early")));
    });
    // A session may be closed before anybody asks how it went.
    this.result.catch(() => {});
  }

  /** Runs the machine of the spec; once only. */
  start(spec: SessionSpec): void {
    this.post({ kind: "start", spec });
  }

  /** Console input, delivered at the machine's current instruction. */
  input(bytes: Uint8Array): void {
    this.post({ kind: "input", bytes });
  }

  /** No more input will come. */
  inputEnd(): void {
    this.post({ kind: "inputEnd" });
  }

  /** Ends the run between two instructions; `result` settles with reason "stopped". */
  stop(): void {
    this.post({ kind: "stop" });
  }

  /** Frees the thread. */
  async close(): Promise<void> {
    await this.worker.terminate();
  }

  private post(message: ToWorker): void {
    this.worker.postMessage(message);
  }
}
