/** What a report's figures are of: images, costs, versions, and the commands that give them again. May import ../sizes, ./merge. */
import { sizeText } from "../sizes";
import type { ExperimentResults, MergedResults } from "./merge";

/** Distinct values, most frequent first, in words. */
function distinct(values: readonly string[]): string {
  return [...new Set(values)].join(", ");
}

/** Lines for the foot of a report. */
export function provenance({ experiments }: MergedResults): { what: string; value: string }[] {
  const lines = experiments.flatMap(({ points }) => points.map(({ line }) => line));
  const failed = lines.filter(({ status }) => status === "failed").length;
  return [
    { what: "points", value: `${lines.length}, ${failed} failed` },
    { what: "kernel (SHA-256)", value: distinct(lines.map(({ kernel }) => kernel)) },
    { what: "cost table", value: `version ${distinct(lines.map(({ costVersion }) => String(costVersion)))}` },
    { what: "tine", value: distinct(lines.map(({ versions }) => versions.tine)) },
    { what: "Node (no figure depends on it)", value: distinct(lines.map(({ versions }) => versions.node)) },
    { what: "host processors (host time only)", value: distinct(lines.map(({ host }) => host.processor)) },
  ];
}

/** The command that gives an experiment's points again. */
export function commandOf({ experiment, modes, places, costs, base }: ExperimentResults): string {
  const values = experiment.parameters.map(({ name, unit }) => {
    const all = [...new Set(places.map((place) => place[name]))];
    const texts = all
      .map((value) => (unit === "KB" ? sizeText(value as number).replace(" ", "") : String(value)))
      .join(",");
    return name === "size" ? `--sizes ${texts}` : `--set ${name}=${texts}`;
  });
  const set = Object.entries(base).map(([name, cycles]) => `--cost ${name}=${cycles}`);
  const sensitivity = costs.length > 1 ? ["--sensitivity"] : [];
  return ["tine lab run", experiment.name, ...values, `--modes ${modes.join(",")}`, ...set, ...sensitivity].join(" ");
}
