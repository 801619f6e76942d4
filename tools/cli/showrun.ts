/** What `tine show` does. May import tools/show, picocolors and the rest of tools/cli. */
import pc from "picocolors";
import { LayoutError } from "../audit/model";
import type { Recipe } from "../replay/recipe";
import { correspondingMoment, type Found, findMoment, type NotFound } from "../show/find";
import { SnapshotError } from "../show/snapshot";
import { parseTarget, type Target } from "../show/target";
import { treeOf } from "../show/tree";
import { grouped, totalsOf, totalsText } from "../show/words";
import { CliError, ExitCode } from "./exitcodes";
import { guestProgram, type ProgramOptions, programLayout, withFork } from "./guestprogram";
import { GuestRuns } from "./guestrun";
import { writeResult } from "./outputfile";

export interface ShowOptions extends ProgramOptions {
  at: string;
  json?: boolean;
  svg?: string;
  html?: string;
  perfetto?: string;
}

/** The moment that a user named. Throws CliError. */
export function targetOf(text: string): Target {
  try {
    return parseTarget(text);
  } catch (error) {
    throw new CliError(`--at ${text}: ${(error as Error).message}`);
  }
}

/** The error for a run without the moment. */
export function notFound(at: string, { stop, instret }: NotFound): CliError {
  const code = stop.reason === "budget" ? ExitCode.Budget : ExitCode.Usage;
  return new CliError(`--at ${at}: the run ended (${stop.reason}) after ${instret} instructions without it`, code);
}

/** Runs to the moment of --at. Throws CliError where the run has none. */
async function atMoment(runs: GuestRuns, recipe: Recipe, { at }: ShowOptions): Promise<Found> {
  const machine = await runs.machine(recipe, () => true);
  try {
    const found = await findMoment(machine, await programLayout(recipe), targetOf(at), runs.drive(machine));
    if ("snapshot" in found) return found;
    throw notFound(at, found);
  } catch (error) {
    if (error instanceof SnapshotError || error instanceof LayoutError)
      throw new CliError(`--at ${at}: ${error.message}`);
    throw error;
  }
}

/** The same moment of a run with fork=copy, without its output. */
async function underCopy(runs: GuestRuns, recipe: Recipe, found: Found): Promise<Found> {
  const copy = withFork(recipe, "copy");
  const machine = await runs.machine(copy, () => false);
  return correspondingMoment(machine, await programLayout(copy), found.position, runs.drive(machine));
}

/** Draws the program's memory as the options say. Throws CliError. */
export async function runShow(path: string, args: readonly string[], options: ShowOptions): Promise<void> {
  targetOf(options.at);
  const { recipe } = await guestProgram(path, args, options);
  const runs = new GuestRuns(options.budget);
  const heading = `${path} ${args.join(" ")}`.trim();
  if (options.html !== undefined || options.perfetto !== undefined) {
    const { runRecording } = await import("./showrecording");
    await runRecording(runs, recipe, heading, options);
    if (!options.json && options.svg === undefined) return;
  }
  const found = await atMoment(runs, recipe, options);
  const { snapshot, text } = found;
  if (options.svg !== undefined) {
    const { svgOf } = await import("../show/svg");
    const panels = [{ title: `fork=${options.fork}`, snapshot }];
    if (options.fork !== "copy") {
      const copy = await underCopy(runs, recipe, found);
      panels.push({ title: "fork=copy", snapshot: copy.snapshot });
    }
    writeResult(options.svg, svgOf(`${heading}: ${text}, after ${grouped(snapshot.instret)} instructions`, panels));
  }
  const say = (line: string) => process.stdout.write(`${line}\n`);
  if (options.json) say(JSON.stringify({ ...snapshot, fork: options.fork, event: text }));
  else if (options.svg === undefined) {
    say(pc.dim(`after ${grouped(snapshot.instret)} instructions, fork=${options.fork}: ${text}`));
    for (const line of treeOf(snapshot, process.stdout.columns)) say(line);
    if (options.fork !== "copy") {
      const { snapshot: copy } = await underCopy(runs, recipe, found);
      say(pc.dim(`fork=copy then: ${totalsText(totalsOf(copy))}`));
    }
  }
}
