/** What `tine profile` does. May import tools/profile, tools/trace/programs, picocolors and the rest of tools/cli. */
import pc from "picocolors";
import { Profiler } from "../profile/profiler";
import { foldedStacks, functionRows, lineRows, type Unit } from "../profile/report";
import { programsOf } from "../trace/programs";
import { guestProgram, type ProgramOptions } from "./guestprogram";
import { GuestRuns, sayEnd } from "./guestrun";
import { writeResult } from "./outputfile";

export interface ProfileOptions extends ProgramOptions {
  by: Unit;
  top: number;
  folded?: boolean;
  svg?: string;
  json?: boolean;
}

/** Version of the JSON that --json prints. */
const JSON_VERSION = 1;

interface Column<Row> {
  head: string;
  text: (row: Row) => string;
  left?: boolean;
}

/** Rows in columns, numbers to the right. */
function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string[] {
  const cells = [columns.map(({ head }) => head), ...rows.map((row) => columns.map(({ text }) => text(row)))];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i].length)));
  return cells.map((line, at) => {
    const text = line.map((cell, i) => (columns[i].left ? cell.padEnd(widths[i]) : cell.padStart(widths[i])));
    return at === 0 ? pc.bold(text.join("  ").trimEnd()) : text.join("  ").trimEnd();
  });
}

const number = (value: number): string => value.toLocaleString("en-US");
const percent = (part: number, whole: number): string => `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;

/** Profiles the program's run and prints it; an exit code only where the machine did not end well. Throws CliError. */
export async function runProfile(path: string, args: readonly string[], options: ProfileOptions): Promise<void> {
  const { by, top } = options;
  const { recipe } = await guestProgram(path, args, options);
  const runs = new GuestRuns(options.budget);
  const machine = await runs.machine(recipe, () => true);
  const profiler = new Profiler(machine, recipe.kernel, programsOf(recipe.modules));
  const drive = runs.drive(machine, {
    run: (step) => profiler.run(step),
    type: (bytes) => machine.input(bytes),
  });
  const stop = await drive();
  const { profile } = profiler;
  const { instructions, cycles } = profile;
  const say = (line: string) => process.stdout.write(`${line}\n`);
  if (options.svg !== undefined) {
    const { flameSvg } = await import("../profile/flame");
    const heading = `${path} ${args.join(" ")}`.trim();
    writeResult(options.svg, flameSvg(`${heading}: ${number(profile[by])} ${by}, fork=${options.fork}`, profile, by));
  }
  const functions = functionRows(profile, by);
  const lines = lineRows(profile, by);
  if (options.json) say(JSON.stringify({ version: JSON_VERSION, instructions, cycles, functions, lines }));
  else if (options.folded) for (const line of foldedStacks(profile, by)) say(line);
  else {
    say(`${number(instructions)} instructions, ${number(cycles)} cycles`);
    const costs = [
      { head: "instructions", text: (row: { instructions: number }) => number(row.instructions) },
      { head: "cycles", text: (row: { cycles: number }) => number(row.cycles) },
      { head: "%", text: (row: { instructions: number; cycles: number }) => percent(row[by], profile[by]) },
    ];
    const functionColumns: Column<(typeof functions)[number]>[] = [
      ...costs,
      { head: `with callees`, text: ({ total }) => percent(total[by], profile[by]) },
      { head: "function", text: ({ name }) => name, left: true },
      { head: "of", text: ({ image }) => image, left: true },
    ];
    for (const line of table(functions.slice(0, top), functionColumns)) say(line);
    say("");
    const lineColumns: Column<(typeof lines)[number]>[] = [
      ...costs,
      { head: "line", text: ({ place }) => place, left: true },
      { head: "of", text: ({ image }) => image, left: true },
    ];
    for (const line of table(lines.slice(0, top), lineColumns)) say(line);
  }
  sayEnd(stop, instructions);
}
