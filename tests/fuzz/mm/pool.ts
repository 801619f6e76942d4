/**
 * The seeds spread over worker threads, with progress on stderr. May import worker, Node.
 */
import { Worker } from "node:worker_threads";
import type { Finding } from "./fuzz";
import type { Report, Task } from "./worker";

export interface PoolOptions {
  first: number;
  seeds: number;
  jobs: number;
  /** File whose evaluation in a worker thread calls work(). */
  script: URL;
  /** A line for people, as soon as something is known. */
  onLine: (line: string) => void;
}

export interface PoolResult {
  passed: number;
  findings: Finding[];
  /** Seeds of which the small program is still missing when the run is cut off. */
  unshrunk: number[];
}

/** Seeds that a worker takes at once. */
const TASK_SEEDS = 10;
/** Between two reports of progress: on a terminal, where one takes the other's place, and in a file. */
const PROGRESS_MS = 500;
const FILE_PROGRESS_MS = 60_000;

export class Pool {
  private readonly result: PoolResult = { passed: 0, findings: [], unshrunk: [] };
  private readonly workers: Worker[] = [];
  private next: number;
  private readonly began = Date.now();

  constructor(private readonly options: PoolOptions) {
    this.next = options.first;
  }

  /** Runs all seeds; or until stop(). Rejects with the error of a worker that breaks down. */
  async run(): Promise<PoolResult> {
    const { jobs, script } = this.options;
    const interval = process.stderr.isTTY ? PROGRESS_MS : FILE_PROGRESS_MS;
    const progress = setInterval(() => this.showProgress(), interval);
    try {
      const ends = Array.from({ length: jobs }, () => {
        const worker = new Worker(script);
        this.workers.push(worker);
        return new Promise<void>((resolve, reject) => {
          worker.on("message", (report: Report) => this.heard(worker, report));
          worker.on("error", reject);
          worker.on("exit", () => resolve());
        });
      });
      await Promise.all(ends);
    } finally {
      clearInterval(progress);
      if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
      await this.stop();
    }
    return this.result;
  }

  /** Ends all workers now. */
  async stop(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }

  private heard(worker: Worker, report: Report): void {
    const { result } = this;
    switch (report.kind) {
      case "passed":
        result.passed++;
        break;
      case "failed":
        result.unshrunk.push(report.seed);
        this.tell(`seed ${report.seed}: ${report.text}`);
        this.tell(`  replay: npm run fuzz:mm -- --seeds 1 --first ${report.seed}`);
        break;
      case "shrunk":
        result.unshrunk = result.unshrunk.filter((seed) => seed !== report.finding.seed);
        result.findings.push(report.finding);
        break;
      default:
        this.giveTask(worker);
    }
  }

  private tell(line: string): void {
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    this.options.onLine(line);
  }

  private giveTask(worker: Worker): void {
    const end = this.options.first + this.options.seeds;
    if (this.next >= end) {
      void worker.terminate();
      return;
    }
    const task: Task = { first: this.next, count: Math.min(TASK_SEEDS, end - this.next) };
    this.next += task.count;
    worker.postMessage(task);
  }

  private showProgress(): void {
    const { passed, findings, unshrunk } = this.result;
    const done = passed + findings.length + unshrunk.length;
    const seconds = (Date.now() - this.began) / 1000;
    const rate = done / seconds;
    const left = rate > 0 ? Math.ceil((this.options.seeds - done) / rate) : 0;
    const failed = findings.length + unshrunk.length;
    const text = `${done} of ${this.options.seeds} seeds, ${failed} failed, ${rate.toFixed(1)} a second, ${left} s left`;
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
  }
}
