/** What `tine show --html` and `--perfetto` do: the whole run. May import tools/show and the rest of tools/cli. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Recipe } from "../replay/recipe";
import { pageHtml } from "../show/html";
import { perfettoTrace } from "../show/perfetto";
import { record } from "../show/recording";
import { programLayout } from "./guestprogram";
import { type GuestRuns, sayEnd } from "./guestrun";
import { outputFolder } from "./images";
import { writeResult } from "./outputfile";
import type { ShowOptions } from "./showrun";

/** Writes what the options ask for. A run that does not end well is shown too, and said. */
export async function runRecording(
  runs: GuestRuns,
  recipe: Recipe,
  title: string,
  options: ShowOptions,
): Promise<void> {
  const { html, perfetto, fork } = options;
  const layout = await programLayout(recipe);
  if (html !== undefined) {
    const machine = await runs.machine(recipe, () => true);
    const { recording, stop } = await record(machine, layout, runs.drive(machine), { title, fork });
    const script = readFileSync(join(outputFolder(), "showpage.mjs"), "utf8");
    writeResult(html, pageHtml(recording, script));
    sayEnd(stop, machine.instret);
  }
  if (perfetto !== undefined) {
    // After a page it is the same run again, which prints the same.
    const machine = await runs.machine(recipe, () => html === undefined);
    const { events, stop } = await perfettoTrace(machine, layout, runs.drive(machine));
    const lines = events.map((event) => JSON.stringify(event)).join(",\n");
    writeResult(perfetto, `{"displayTimeUnit":"ns","traceEvents":[\n${lines}\n]}\n`);
    if (html === undefined) sayEnd(stop, machine.instret);
  }
}
