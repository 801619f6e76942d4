/** A report as Markdown, for pasting. May import the rest of report/. */
import type { Baseline } from "../loop";
import { saidOf } from "./conclusions";
import type { ExperimentResults, MergedResults } from "./merge";
import { provenance } from "./provenance";
import type { ReportTable } from "./tables";
import { baselineText, tablesOf } from "./text";

/** What Markdown would take for something else. */
function escaped(text: string): string {
  return text.replace(/[\\|*_<`]/g, (character) => `\\${character}`).replaceAll("\n", " ");
}

function tableMarkdown({ title, head, rows, note }: ReportTable): string {
  const numbers = head.map((_, column) => rows.some((row) => row[column]?.number));
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    `### ${escaped(title)}`,
    "",
    line(head.map(escaped)),
    line(numbers.map((isNumber) => (isNumber ? "---:" : "---"))),
    ...rows.map((row) => line(row.map(({ text }) => escaped(text)))),
    "",
    ...(note === undefined ? [] : [escaped(note), ""]),
  ].join("\n");
}

function experimentMarkdown(results: ExperimentResults): string {
  const { name, title, question } = results.experiment;
  const { said, note } = saidOf(results);
  const conclusions = said.map(({ text, under }) => `- ${escaped(text)}${under === "" ? "" : ` — ${escaped(under)}`}`);
  return [
    `## ${name}: ${escaped(title)}`,
    "",
    escaped(question),
    "",
    ...(conclusions.length > 0 ? [...conclusions, ""] : []),
    ...(note === "" ? [] : [escaped(note), ""]),
    ...tablesOf(results, false).map(tableMarkdown),
  ].join("\n");
}

/** All of it. */
export function markdownReport(merged: MergedResults, baseline: Baseline): string {
  const made = provenance(merged).map(({ what, value }) => `- ${what}: ${escaped(value)}`);
  const experiments = merged.experiments.map(experimentMarkdown);
  return ["# Fork laboratory", "", ...made, "", escaped(baselineText(baseline).trim()), "", ...experiments].join("\n");
}
