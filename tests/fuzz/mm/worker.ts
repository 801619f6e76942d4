/**
 * One worker thread of the fuzzer: tries the seeds that it is given, a few at a time, and tells of each. May import fuzz, images.
 */
import { parentPort } from "node:worker_threads";
import { type Finding, Fuzzer } from "./fuzz";
import { fuzzImages } from "./images";

/** Seeds to try: so many from the first on. */
export interface Task {
  first: number;
  count: number;
}

/** `ready` asks for a first task; `done` for the next. */
export type Report =
  | { kind: "ready" }
  | { kind: "passed"; seed: number }
  | { kind: "failed"; seed: number; text: string }
  | { kind: "shrunk"; finding: Finding }
  | { kind: "done" };

/** Serves tasks until the thread is ended. */
export async function work(): Promise<void> {
  const port = parentPort;
  if (port === null) throw new Error("this is no worker thread");
  const tell = (report: Report) => port.postMessage(report);
  const fuzzer = new Fuzzer(await fuzzImages());
  port.on("message", ({ first, count }: Task) => {
    for (let seed = first; seed < first + count; seed++) {
      const text = fuzzer.try(seed);
      if (text === undefined) {
        tell({ kind: "passed", seed });
        continue;
      }
      tell({ kind: "failed", seed, text });
      tell({ kind: "shrunk", finding: fuzzer.shrink(seed, text) });
    }
    tell({ kind: "done" });
  });
  tell({ kind: "ready" });
}
