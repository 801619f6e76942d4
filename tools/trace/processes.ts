/**
 * The processes of a run, and which of them runs. May import kernelview, traps.
 *
 * Invariant: who has ended is used again for the next that begins, so that a run of many forks does not make ever more objects.
 */
import type { KernelView } from "./kernelview";
import { Process } from "./traps";

export class Processes {
  private readonly byPid = new Map<number, Process>();
  private running = new Process(-1);
  /** Who has just ended: the kernel runs in its name until the next switch. */
  private ended: Process | undefined;
  private readonly spare: Process[] = [];
  /** Whom the last switch led to. */
  private lastPid = -1;

  /** `kernel` is undefined for one that is not ours. */
  constructor(private readonly kernel: KernelView | undefined) {}

  /** The process that runs, as the kernel's memory says; of a kernel that is not ours, as its last switch said. */
  current(): Process {
    if (this.kernel === undefined) return this.running;
    const pid = this.kernel.currentPid();
    if (pid !== this.running.pid) this.running = this.of(pid);
    return this.running;
  }

  /** The process of a number; a new one if nothing is known of it. */
  of(pid: number): Process {
    let process = this.byPid.get(pid);
    if (process === undefined) {
      process = this.spare.pop() ?? new Process(pid);
      process.reset(pid);
      this.byPid.set(pid, process);
    }
    return process;
  }

  /** Forgets what was known, and reads which processes there are. */
  readAll(): void {
    const { kernel } = this;
    this.byPid.clear();
    this.ended = undefined;
    this.lastPid = kernel?.currentPid() ?? -1;
    if (kernel === undefined) {
      this.running = new Process(-1);
      return;
    }
    for (const { pid, directory, isNew } of kernel.tasks()) {
      const process = this.of(pid);
      process.directory = directory;
      process.isStale = !isNew;
    }
    this.running = this.of(kernel.currentPid());
    this.running.isStale = false;
  }

  /** Another one runs now; the result is the pid of whoever ran before. */
  switchTo(pid: number): number {
    const { lastPid, ended } = this;
    this.lastPid = pid;
    this.running = this.of(pid);
    this.ended = undefined;
    if (ended !== undefined && ended !== this.running && this.byPid.delete(ended.pid)) this.spare.push(ended);
    return lastPid;
  }

  /** A process has been made. */
  begin(pid: number): Process {
    const process = this.of(pid);
    if (process === this.ended) this.ended = undefined;
    process.reset(pid);
    return process;
  }

  /** A process is gone for good: its number may be given to another. */
  end(pid: number): void {
    this.ended = this.begin(pid);
  }
}
