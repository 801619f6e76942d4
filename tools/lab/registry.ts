/**
 * Experiments by name: those of this tree, and a person's own, a JavaScript module whose default export is the declaration. May import the
 * experiments, Node.
 */
import { existsSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { LabError } from "./errors";
import type { Experiment } from "./experiment";
import { EXPERIMENTS } from "./experiments/index";

/** All of the tree's. */
export function allExperiments(): readonly Experiment[] {
  return EXPERIMENTS;
}

/** What a declaration must have, each with the type of its value. */
const WANTED = {
  name: "string",
  title: "string",
  question: "string",
  program: "string",
  arguments: "function",
} as const;
const LISTS = ["parameters", "figures"] as const;

/** What is wrong with a declaration; undefined if nothing is. */
function wrongWith(declared: unknown): string | undefined {
  if (typeof declared !== "object" || declared === null) return "its default export is no declaration";
  const fields = declared as Record<string, unknown>;
  const bare = Object.entries({ ...WANTED, memoryMB: "function" }).find(([name, type]) => typeof fields[name] !== type);
  if (bare !== undefined) return `the declaration wants ${bare[0]}, a ${bare[1]}`;
  const empty = LISTS.find((name) => !Array.isArray(fields[name]) || (fields[name] as unknown[]).length === 0);
  if (empty !== undefined) return `the declaration wants ${empty}, a list`;
  if (!/^[a-z][a-z0-9-]*$/.test(fields.name as string))
    return `the name '${fields.name}' wants small letters, digits, -`;
  return undefined;
}

/**
 * The experiment of that name, or of that file (`.mjs` or `.js`), whose sources then are beside it; sources that are not there are looked
 * for from the root. Throws LabError.
 */
export async function findExperiment(name: string): Promise<Experiment> {
  if (!/\.m?js$/.test(name)) {
    const found = EXPERIMENTS.find((experiment) => experiment.name === name);
    if (found !== undefined) return found;
    const names = EXPERIMENTS.map((experiment) => experiment.name).join(", ");
    throw new LabError(`no experiment is called '${name}'; there are: ${names}`);
  }
  const file = path.resolve(name);
  if (!existsSync(file)) throw new LabError(`${name}: no such file`);
  let declared: unknown;
  try {
    declared = ((await import(pathToFileURL(file).href)) as { default: unknown }).default;
  } catch (error) {
    throw new LabError(`${name}: ${(error as Error).message.split("\n")[0]}`);
  }
  const wrong = wrongWith(declared);
  if (wrong !== undefined) throw new LabError(`${name}: ${wrong}`);
  const experiment = declared as Experiment;
  if (EXPERIMENTS.some((other) => other.name === experiment.name))
    throw new LabError(`${name}: there is an experiment called '${experiment.name}' already`);
  const beside = (source: string): string => {
    const own = path.resolve(path.dirname(file), source);
    return existsSync(own) ? own : source;
  };
  return { ...experiment, program: beside(experiment.program), others: (experiment.others ?? []).map(beside) };
}
