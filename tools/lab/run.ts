/**
 * A run of the laboratory: points become tasks, tasks become lines of results; what a directory holds already is not run again. May import the rest of
 * tools/lab, tools/image.
 */
import { cpus } from "node:os";
import { COST_VERSION } from "../../cpu/costs";
import packageJson from "../../package.json";
import type { Experiment } from "./experiment";
import { Initrds } from "./images";
import type { Answer } from "./messages";
import { type Point, type PointResult, setupOf } from "./point";
import { type PoolTask, runPool } from "./pool";
import { type Identity, identityKey, RESULT_VERSION, type ResultLine, sha256 } from "./results";

/** An experiment and where its declaration is: its name or its file. */
export interface Chosen {
  experiment: Experiment;
  source: string;
}

export interface LabRun {
  root: string;
  kernel: Uint8Array;
  chosen: readonly Chosen[];
  points: readonly Point[];
  repeat: number;
  references: boolean;
  /** Results that need not be made again. */
  done: readonly ResultLine[];
  jobs: number;
  /** For all threads together. */
  memoryMB: number;
  signal: AbortSignal;
  /** Instead of the experiment's, where told. */
  budget?: number;
  /** Called for each result as it comes, in any order: its place among all lines of the run, from 0, and whether it was made now. */
  onLine(line: ResultLine, place: number, fresh: boolean): void;
  onProgress(state: Progress): void;
}

/** How far a run is. */
export interface Progress {
  /** What is being made ready; absent once points run. */
  preparing?: string;
  done: number;
  failed: number;
  total: number;
  /** Estimated, of the host's time; absent before the first point has ended. */
  secondsLeft?: number;
}

interface LabTask extends PoolTask {
  identity: Identity;
  repeat: number;
  place: number;
}

/** Every run of every point, with the identity that its result has. */
async function allTasks(run: LabRun): Promise<LabTask[]> {
  const { root, kernel, chosen, points, repeat, references, budget } = run;
  const initrds = new Initrds(root, (preparing) =>
    run.onProgress({ preparing, done: 0, failed: 0, total: points.length * repeat }),
  );
  const kernelHash = sha256(kernel);
  const tasks: LabTask[] = [];
  for (const point of points) {
    const { experiment, source } = chosen.find(({ experiment: { name } }) => name === point.experiment) as Chosen;
    const initrd = await initrds.get(experiment, point.values);
    const { values, mode, costs } = point;
    const setup = { ...setupOf(experiment, values, mode), ...(budget === undefined ? {} : { budget }) };
    const { memoryMB, swapMB, commandLine } = setup;
    const identity: Identity = {
      experiment: experiment.name,
      values,
      mode,
      costs,
      commandLine,
      memoryMB,
      swapMB,
      budget: setup.budget,
      kernel: kernelHash,
      initrd: sha256(initrd),
      costVersion: COST_VERSION,
    };
    for (let i = 1; i <= repeat; i++) {
      const images = { kernel, initrd };
      tasks.push({ point, source, images, setup, references, memoryMB, identity, repeat: i, place: tasks.length });
    }
  }
  return tasks;
}

const versions = { tine: packageJson.version, node: process.versions.node };

function lineOf({ identity, repeat }: LabTask, answer: Answer): ResultLine {
  const processor = cpus()[0]?.model ?? "unknown";
  const failed: PointResult = {
    status: "failed",
    reason: "fault" in answer ? answer.fault : "",
    instructions: 0,
    cycles: 0,
  };
  const result = "fault" in answer ? failed : answer.result;
  const seconds = "fault" in answer ? 0 : Number(answer.seconds.toFixed(3));
  return {
    tineLab: RESULT_VERSION,
    ...identity,
    repeat,
    ...result,
    versions,
    host: { seconds, processor },
  };
}

/** What tells one run of a point from another. Counting references is work of its own. */
function runKey(identity: Identity, repeat: number, references: boolean): string {
  return `${identityKey(identity)} ${repeat} ${references}`;
}

/** How long the rest will take: as long as what has been run, by the megabytes of its machines. */
class Clock {
  private readonly began = performance.now();
  private done = 0;

  constructor(private left: number) {}

  /** Weight of a point: larger memories take longer to fill; a start takes its time too. */
  static weight({ memoryMB }: PoolTask): number {
    return memoryMB + 16;
  }

  secondsLeft(ended: PoolTask): number {
    const weight = Clock.weight(ended);
    this.done += weight;
    this.left -= weight;
    return (((performance.now() - this.began) / 1000) * this.left) / this.done;
  }
}

/** Runs what has not been run. Rejects when it is aborted, and with CompileError or LabError. */
export async function runLab(run: LabRun): Promise<void> {
  const { done, references, jobs, memoryMB, signal, onLine, onProgress } = run;
  const tasks = await allTasks(run);
  // A point that failed is tried again: what it failed of may have been mended.
  const known = new Map(
    done
      .filter(({ status }) => status === "ok")
      .map((line) => [runKey(line, line.repeat, line.references !== undefined), line]),
  );
  const todo: LabTask[] = [];
  for (const task of tasks) {
    const line = known.get(runKey(task.identity, task.repeat, references));
    if (line === undefined) todo.push(task);
    else onLine(line, task.place, false);
  }
  const state: Progress = { done: tasks.length - todo.length, failed: 0, total: tasks.length };
  onProgress({ ...state });
  const clock = new Clock(todo.reduce((sum, task) => sum + Clock.weight(task), 0));
  await runPool(todo, {
    jobs,
    memoryMB,
    signal,
    onAnswer(task, answer) {
      const ended = task as LabTask;
      const line = lineOf(ended, answer);
      state.done++;
      if (line.status === "failed") state.failed++;
      onLine(line, ended.place, true);
      onProgress({ ...state, secondsLeft: clock.secondsLeft(ended) });
    },
  });
}
