/** What `tine show --html` and `--perfetto` do: the whole run. May import tools/show and the rest of tools/cli. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StopReason } from "../../cpu/index";
import type { Recipe } from "../replay/recipe";
import { pageHtml } from "../show/html";
import { perfettoTrace } from "../show/perfetto";
import { record } from "../show/recording";
import { ExitCode } from "./exitcodes";
import { programLayout, programMachine, serialToStderr } from "./guestprogram";
import { outputFolder } from "./images";
import type { ShowOptions } from "./showrun";

/** Writes what the options ask for. A run that does not end well is shown too, and said. */
export async function runRecording(recipe: Recipe, title: string, options: ShowOptions): Promise<void> {
  const { html, perfetto, budget, fork } = options;
  const layout = await programLayout(recipe);
  let serial = await serialToStderr();
  if (html !== undefined) {
    const machine = await programMachine(recipe, serial);
    const { recording, stop } = record(machine, layout, { budget, title, fork });
    const script = readFileSync(join(outputFolder(), "showpage.mjs"), "utf8");
    writeFileSync(html, pageHtml(recording, script));
    sayEnd(stop, machine.instret);
    // The second run prints the same.
    serial = () => {};
  }
  if (perfetto !== undefined) {
    const machine = await programMachine(recipe, serial);
    const { events, stop } = perfettoTrace(machine, layout, budget);
    const lines = events.map((event) => JSON.stringify(event)).join(",\n");
    writeFileSync(perfetto, `{"displayTimeUnit":"ns","traceEvents":[\n${lines}\n]}\n`);
    if (html === undefined) sayEnd(stop, machine.instret);
  }
}

function sayEnd(stop: StopReason, instret: number): void {
  if (stop.reason === "budget") {
    process.stderr.write(`tine: out of budget after ${instret} instructions\n`);
    process.exitCode = ExitCode.Budget;
  } else if (stop.reason === "tripleFault" || (stop.reason === "exit" && stop.value === 1)) {
    process.stderr.write(`tine: the machine stopped (${stop.reason}) after ${instret} instructions\n`);
    process.exitCode = ExitCode.Panic;
  }
}
