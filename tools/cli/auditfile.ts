/** What `tine audit` does with a saved machine. May import tools/audit and exitcodes.ts. */
import { Auditor, type AuditSummary } from "../audit/auditor";
import { LayoutError } from "../audit/model";
import { loadState, StateFileError } from "../audit/statefile";
import type { Finding } from "../audit/view";
import { CliError, ExitCode } from "./exitcodes";

interface Audited {
  cpl: number;
  instret: number;
  summary: AuditSummary;
  findings: readonly Finding[];
  /** The findings in words. */
  lines: string[];
}

function auditFile(path: string): Audited {
  try {
    const { machine, layout } = loadState(path);
    if (layout === undefined) throw new CliError(`${path}: its kernel carries no layout to audit it by`);
    const auditor = new Auditor(machine, layout);
    const findings = auditor.audit();
    const lines = findings.map((finding) => auditor.describe(finding));
    return { cpl: machine.registers.cpl, instret: machine.instret, summary: auditor.summary(), findings, lines };
  } catch (error) {
    if (error instanceof StateFileError) throw new CliError(error.message);
    if (error instanceof LayoutError) throw new CliError(`${path}: ${error.message}`);
    throw error;
  }
}

function print({ cpl, instret, summary, findings, lines }: Audited): void {
  const say = (text: string) => process.stdout.write(`${text}\n`);
  say(`after ${instret} instructions, ${cpl === 3 ? "in user mode" : "in the kernel"}`);
  for (const { pid, name, rss } of summary.processes) say(`pid ${pid} (${name}): ${rss} pages resident`);
  const { tables, shared, frames, ptes } = summary;
  say(`${tables} page tables, ${shared} of them shared; ${frames} data frames, mapped by ${ptes} ptes`);
  for (const line of lines) say(line);
  const { length } = findings;
  say(length === 0 ? "no difference" : `${length} difference${length === 1 ? "" : "s"}`);
}

/** Audits the file and prints what was found; sets the process's exit code. Throws CliError for a file that cannot be audited. */
export function runAudit(path: string, options: { json?: boolean }): void {
  const audited = auditFile(path);
  if (options.json) process.stdout.write(`${JSON.stringify(audited, null, 2)}\n`);
  else print(audited);
  if (audited.findings.length > 0) process.exitCode = ExitCode.Panic;
}
