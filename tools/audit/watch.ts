/**
 * Audits a running machine at its returns to user mode, every one or every N-th, and stops it at the first that finds something.
 * May import auditor, history, cpu. Costs the guest nothing: instret and cycles are those of a run without it.
 */
import { EventKind, type Machine } from "../../cpu/index";
import type { KernelLayout } from "../image/layout";
import { Auditor } from "./auditor";
import { MarkHistory } from "./history";
import type { Finding } from "./view";

const USER_RING = 3;
/** Marks shown below a finding. */
const MARKS_SHOWN = 6;

export class AuditWatch {
  /** Returns to user mode, and audits made. */
  returns = 0;
  audits = 0;
  /** What the audit that stopped the machine found. */
  findings: readonly Finding[] = [];
  private readonly auditor: Auditor;
  private readonly history = new MarkHistory();

  /** Watches from now on, at every `every`-th return. Throws LayoutError for a kernel that is not one of ours. */
  constructor(
    private readonly machine: Machine,
    layout: KernelLayout,
    private readonly every: number,
  ) {
    this.auditor = new Auditor(machine, layout);
    machine.onEvent((event) => {
      if (event.kind === EventKind.Mark) this.history.add(event);
      if (event.kind === EventKind.Iret && event.b === USER_RING) this.returned();
    });
  }

  /** The machine was stopped by this watch. */
  get found(): boolean {
    return this.findings.length > 0;
  }

  private returned(): void {
    this.returns++;
    if (this.found || this.returns % this.every !== 0) return;
    this.audits++;
    this.findings = [...this.auditor.audit()];
    if (this.found) this.machine.cpu.requestStop();
  }

  /** The findings in lines, each with the marks that led there. */
  report(): string[] {
    return this.findings.flatMap((finding) => [
      this.auditor.describe(finding),
      ...this.history.about(finding, MARKS_SHOWN).map((line) => `  ${line}`),
    ]);
  }
}
