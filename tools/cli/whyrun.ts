/** What `tine why` does. May import tools/{audit,replay,show,trace,why} and the rest of tools/cli. */
import { LayoutError, modelOf } from "../audit/model";
import { History } from "../replay/history";
import { findMoment } from "../show/find";
import { SnapshotError } from "../show/snapshot";
import { programsOf } from "../trace/programs";
import { explainFrame } from "../why/explain";
import { explanationLines } from "../why/text";
import { CliError } from "./exitcodes";
import { guestProgram, type ProgramOptions, programLayout } from "./guestprogram";
import { GuestRuns } from "./guestrun";
import { notFound, targetOf } from "./showrun";

export interface WhyOptions extends ProgramOptions {
  at: string;
}

const PAGE_BYTES = 4096;

/** The number of a frame below `frames`. Throws CliError. */
function frameOf(text: string, frames: number): number {
  const frame = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (frame < frames) return frame;
  throw new CliError(`${text}: it wants the number of a frame, up to 0x${(frames - 1).toString(16)}`);
}

/** Explains a frame of the program's run. Throws CliError. */
export async function runWhy(text: string, path: string, args: readonly string[], options: WhyOptions): Promise<void> {
  const target = targetOf(options.at);
  const frame = frameOf(text, (options.mem * 1024 * 1024) / PAGE_BYTES);
  const { recipe } = await guestProgram(path, args, options);
  const layout = await programLayout(recipe);
  const runs = new GuestRuns(options.budget);
  // The run is gone through again and again; it prints once.
  let prints = true;
  const machine = await runs.machine(recipe, () => prints);
  const history = new History(machine);
  try {
    const drive = runs.drive(machine, {
      run: (step) => history.run(step),
      type: (bytes) => history.type(bytes),
    });
    const found = await findMoment(machine, layout, target, drive);
    if (!("snapshot" in found)) throw notFound(options.at, found);
    prints = false;
    const programs = programsOf(recipe.modules);
    runs.say(`looking back for what changed frame 0x${frame.toString(16)}`);
    const explanation = explainFrame({ history, layout, kernel: recipe.kernel, programs }, frame);
    runs.clear();
    const names = new Map(found.snapshot.processes.map(({ pid, name }) => [pid, name]));
    for (const line of explanationLines(explanation, names, modelOf(layout).kindNames)) {
      process.stdout.write(`${line}\n`);
    }
  } catch (error) {
    if (error instanceof SnapshotError || error instanceof LayoutError)
      throw new CliError(`--at ${options.at}: ${error.message}`);
    throw error;
  }
}
