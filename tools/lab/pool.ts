/**
 * Machines side by side: threads that take tasks, as many as the caller allows and as their machines' memory fits. May import Node, ./messages.
 * Invariants: tasks begin in their order, but one that does not fit the memory that is left lets smaller ones pass; at least one
 * always runs. What a task gives does not depend on what runs beside it.
 */
import { Worker } from "node:worker_threads";
import type { Answer, Task } from "./messages";

/** What a thread takes besides its machine's RAM, in megabytes: the engine, decoded and compiled code, TLBs. */
export const THREAD_MB = 200;
/** A thread that held a machine so large is not used again: its memory would come back late. */
const LARGE_MB = 128;
/** What a thread runs: ./worker.ts, bundled. */
const WORKER = new URL("./labworker.mjs", import.meta.url);

export interface PoolTask extends Task {
  /** Of its machine. */
  memoryMB: number;
}

export interface PoolOptions {
  /** Most threads. */
  jobs: number;
  /** Megabytes that all threads together may take. */
  memoryMB: number;
  signal: AbortSignal;
  /** The bundled ./worker.ts, where it does not lie beside the caller's bundle. */
  worker?: URL;
  onAnswer(task: PoolTask, answer: Answer): void;
}

function message(error: Error): string {
  return `the machine's thread ended: ${error.message}`;
}

/** Runs one task in a thread; a thread that dies is an answer too. */
function run(worker: Worker, { point, source, images, setup, references }: Task): Promise<Answer> {
  return new Promise((resolve) => {
    const failed = (error: Error): void => done({ fault: message(error) });
    const exited = (code: number): void => failed(new Error(`exit code ${code}`));
    const done = (answer: Answer): void => {
      worker.off("message", done).off("error", failed).off("exit", exited);
      resolve(answer);
    };
    worker.on("message", done).on("error", failed).on("exit", exited);
    worker.postMessage({ point, source, images, setup, references } satisfies Task);
  });
}

/** Runs all tasks. Rejects with the signal's reason when it is aborted, and with what onAnswer throws; no thread is left then. */
export async function runPool(tasks: readonly PoolTask[], options: PoolOptions): Promise<void> {
  const { jobs, memoryMB, signal, worker: file = WORKER, onAnswer } = options;
  signal.throwIfAborted();
  const queue = [...tasks];
  const idle: Worker[] = [];
  const all = new Set<Worker>();
  let used = 0;
  let running = 0;
  await new Promise<void>((resolve, reject) => {
    const start = (): void => {
      while (running < jobs && queue.length > 0 && !signal.aborted) {
        const fits = queue.findIndex((task) => running === 0 || used + task.memoryMB + THREAD_MB <= memoryMB);
        if (fits < 0) break;
        begin(queue.splice(fits, 1)[0] as PoolTask);
      }
      // A thread that waits holds memory that nobody counts.
      for (const worker of idle.splice(0)) void end(worker);
      if (running === 0 && queue.length === 0) resolve();
    };
    const begin = (task: PoolTask): void => {
      const worker = idle.pop() ?? new Worker(file);
      all.add(worker);
      running++;
      used += task.memoryMB + THREAD_MB;
      void run(worker, task).then(async (answer) => {
        if ("fault" in answer || task.memoryMB >= LARGE_MB) await end(worker);
        else idle.push(worker);
        running--;
        used -= task.memoryMB + THREAD_MB;
        if (signal.aborted) return;
        try {
          onAnswer(task, answer);
          start();
        } catch (error) {
          reject(error);
        }
      });
    };
    const end = async (worker: Worker): Promise<void> => {
      await worker.terminate();
      all.delete(worker);
    };
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    start();
  }).finally(() => Promise.all([...all].map((worker) => worker.terminate())));
}
