/** Points of the laboratory's experiments for its tests, run in this process. May import tools/lab, tools/image. */
import { join } from "node:path";
import { buildAll } from "../../../tools/image/build";
import type { Experiment, Mode, Values } from "../../../tools/lab/experiment";
import { Initrds } from "../../../tools/lab/images";
import { type PointResult, runPoint, setupOf } from "../../../tools/lab/point";

export type Figures = Readonly<Record<string, number>>;

const root = process.cwd();
const { kernel } = await buildAll(join(root, "dist"));
const initrds = new Initrds(root);

/** Runs one point, ended well or not. */
export async function runOne(experiment: Experiment, values: Values, mode: Mode): Promise<PointResult> {
  const initrd = await initrds.get(experiment, values);
  const point = { experiment: experiment.name, values, mode, costs: {} };
  return runPoint(experiment, point, { kernel, initrd }, setupOf(experiment, values, mode), false);
}

/** Figures of a point. Throws Error with the reason if it fails. */
export async function figuresOf(experiment: Experiment, values: Values, mode: Mode): Promise<Figures> {
  const result = await runOne(experiment, values, mode);
  if (result.status === "failed") throw new Error(`${experiment.name} ${mode}: ${result.reason}`);
  return result.figures;
}

/** The figures of a point in these modes. */
export async function inModes<M extends Mode>(
  experiment: Experiment,
  values: Values,
  modes: readonly M[],
): Promise<Record<M, Figures>> {
  const figures: [M, Figures][] = [];
  for (const mode of modes) figures.push([mode, await figuresOf(experiment, values, mode)]);
  return Object.fromEntries(figures) as Record<M, Figures>;
}

/** A figure that there must be. */
export function one(figures: Figures, name: string): number {
  const value = figures[name];
  if (value === undefined) throw new Error(`there is no figure ${name}`);
  return value;
}
