/** A report as text for a terminal. May import cli-table3, the rest of report/. */
import Table from "cli-table3";
import type { Baseline } from "../loop";
import { saidOf } from "./conclusions";
import type { ExperimentResults, MergedResults } from "./merge";
import { provenance } from "./provenance";
import {
  distributionTable,
  failedTable,
  figureTable,
  hostTable,
  othersTable,
  type ReportTable,
  referencesTable,
} from "./tables";

/** One table, its title above it. */
function tableText({ title, head, rows, note }: ReportTable): string {
  const out = new Table({
    head,
    colAligns: head.map((_, column) => (rows.some((row) => row[column]?.number) ? "right" : "left")),
    chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" },
    style: { head: [], border: [] },
  });
  for (const row of rows) out.push(row.map(({ text }) => text));
  return `${title}\n${out.toString()}\n${note === undefined ? "" : `${note}\n`}`;
}

/** Tables of one experiment; `brief`: of the figures that are compared only. */
export function tablesOf(results: ExperimentResults, brief: boolean): ReportTable[] {
  const { figures, distributions = [] } = results.experiment;
  const compared = new Set((results.experiment.comparisons ?? []).map(({ figure }) => figure));
  const shown = figures.filter(({ name }) => !brief || compared.size === 0 || compared.has(name));
  const tables = [
    failedTable(results),
    ...shown.map((figure) => figureTable(results, figure)),
    ...distributions.map((distribution) => distributionTable(results, distribution)),
    referencesTable(results),
    ...(brief ? [] : [othersTable(results), hostTable(results)]),
  ];
  return tables.filter((table): table is ReportTable => table !== undefined && table.rows.length > 0);
}

function experimentText(results: ExperimentResults, brief: boolean): string {
  const { name, title } = results.experiment;
  const { said, note } = saidOf(results);
  const conclusions = said.map(({ text, under }) => `- ${text}\n${under === "" ? "" : `  ${under}\n`}`);
  const tables = tablesOf(results, brief).map(tableText);
  const parts = [
    `${name}: ${title}\n`,
    ...tables,
    ...(brief || conclusions.length === 0 ? [] : [conclusions.join("") + (note === "" ? "" : `${note}\n`)]),
  ];
  return parts.join("\n");
}

/** All of it: what was left out is not told here. */
export function textReport(merged: MergedResults, extent: "brief" | "whole"): string {
  const { experiments } = merged;
  if (extent === "brief") return experiments.map((results) => experimentText(results, true)).join("\n");
  const made = provenance(merged).map(({ what, value }) => `${what}: ${value}\n`);
  return [...experiments.map((results) => experimentText(results, false)), made.join("")].join("\n");
}

/** Whether copy is an honest baseline, in two sentences. */
export function baselineText({ ours, gcc, compiler, measured }: Baseline): string {
  const where = measured ? "" : ", measured elsewhere: there is no gcc here";
  return `The loop that copies a page table, reverse map included: ${ours.toFixed(1)} instructions a pte in our kernel, ${gcc.toFixed(1)} for the same loop in C by ${compiler}${where}. Ratio ${(ours / gcc).toFixed(3)}.\n`;
}
