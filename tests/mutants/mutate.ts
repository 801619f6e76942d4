/**
 * Builds a kernel with one fault, runs the guest cases that must notice it in one fork mode, audits that run, and says who noticed
 * what. May import mutants, tests/guest, tools, cpu.
 *
 * A run serves both detectors: audits cost the guest nothing, and end with the first difference that one of them finds.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { EventKind, type Machine } from "../../cpu/index";
import { Auditor } from "../../tools/audit/auditor";
import { buildKernel, compileKernel } from "../../tools/compiler/index";
import { ImageCache } from "../../tools/image/cache";
import { kernelLayout } from "../../tools/image/layout";
import { MODES, type Mode } from "../guest/guest";
import type { Mutant } from "./mutant";
import { type CaseRun, caseNames, runCases } from "./programs";

/** Instructions after which a mutant's run is cut off: the cases need at most half of that. */
const BUDGET = 2.5e8;
/** Audits of a run. The cases make fewer, unless the fault makes them loop. */
const MOST_AUDITS = 4000;
/** Of the returns from page faults, which come by the thousand, so many go by for each that is audited. */
const FAULTS_AN_AUDIT = 16;
const PAGE_FAULT = 14;
const USER_RING = 3;

/** How a case failed: by an assertion or a signal, because the kernel panicked before or in it, or because it never ended. */
export type Notice = "case" | "panic" | "hang";

/** What one run of a mutant showed. */
export interface Verdict {
  mode: Mode;
  /** For each of the mutant's `fails`: how its cases failed; undefined when all of them passed. */
  guest: { fails: string; by: Notice | undefined }[];
  /** The first audit that found anything: the invariants that it reported, and its first line. */
  audit: { invariants: string[]; line: string } | undefined;
  /** What went unnoticed that the list says is noticed; empty when the tests are good. */
  unnoticed: string[];
}

/** What a kernel's source has changed. */
export type Change = Pick<Mutant, "file" | "edits">;

/** The file's text with the mutant's edits. Throws when an edit does not apply, or in more than one place. */
export function mutatedText(mutant: Change, root: string): string {
  let text = readFileSync(join(root, "kernel", mutant.file), "utf8");
  for (const [search, replacement] of mutant.edits) {
    const places = text.split(search).length - 1;
    if (places !== 1) throw new Error(`${mutant.file}: "${search.trim()}" stands there ${places} times`);
    text = text.replace(search, () => replacement);
  }
  return text;
}

/** The kernel with the mutant's fault, or another change that a test needs. */
export function mutatedKernel(mutant: Change, root: string): Promise<Uint8Array> {
  return compileKernel({ root, virtual: { [resolve(root, "kernel", mutant.file)]: mutatedText(mutant, root) } });
}

/**
 * The same out of the image cache, for the few that several tests want: there it hangs on its edits, which are in its name, and on
 * the file as it is.
 */
export function keptMutatedKernel(mutant: Change, root: string): Promise<Uint8Array> {
  const file = resolve(root, "kernel", mutant.file);
  const virtual = { [file]: mutatedText(mutant, root) };
  return new ImageCache(root).get(`kernel, ${mutant.file} with ${JSON.stringify(mutant.edits)}`, async () => {
    const built = await buildKernel({ root, virtual });
    built.files.set(file, readFileSync(file, "utf8"));
    return built;
  });
}

/** The modes in which a mutant's fault can show. */
export function modesOf({ modes = MODES }: Mutant): readonly Mode[] {
  return modes;
}

/** Whether a case's name begins with a property's number or a word. */
export function isOf(name: string, fails: string): boolean {
  return name === fails || name.startsWith(`${fails} `);
}

/** Audits a machine at its returns to user mode until something is found; `found` has it then. */
class FirstFinding {
  found: Verdict["audit"];
  private left = MOST_AUDITS;
  private vector = 0;
  private faults = 0;

  constructor(machine: Machine, kernel: Uint8Array) {
    const layout = kernelLayout(kernel);
    if (!layout) throw new Error("a mutant's kernel has a layout");
    const auditor = new Auditor(machine, layout);
    machine.onEvent(({ kind, a, b }) => {
      if (kind === EventKind.TrapEntry) this.vector = a;
      if (kind !== EventKind.Iret || b !== USER_RING || this.found || this.left === 0) return;
      if (this.vector === PAGE_FAULT && ++this.faults % FAULTS_AN_AUDIT !== 0) return;
      this.left--;
      const findings = auditor.audit();
      if (findings.length === 0) return;
      const invariants = [...new Set(findings.map(({ invariant }) => invariant))];
      this.found = { invariants, line: auditor.describe(findings[0]) };
    });
  }
}

/** What a run says of one of the mutant's `fails`. A case that never came to its end has failed. */
function noticeOf({ cases, stop }: CaseRun, fails: string): Notice | undefined {
  const verdicts = cases.filter(({ name }) => isOf(name, fails));
  if (verdicts.some(({ ok }) => !ok)) return "case";
  const ended = stop.reason === "exit" && (stop.value === 0 || stop.value === 2);
  if (ended && verdicts.length > 0) return undefined;
  return stop.reason === "budget" || stop.reason === "halt" ? "hang" : "panic";
}

/** Runs a mutant, of which `kernel` was made, in one mode. */
export function judge(mutant: Mutant, kernel: Uint8Array, initrd: Uint8Array, mode: Mode, root: string): Verdict {
  const { program, fails, settings = "" } = mutant;
  const names = caseNames(program, root).filter((name) => fails.some((one) => isOf(name, one)));
  const watches: FirstFinding[] = [];
  const onMachine = (machine: Machine) => watches.push(new FirstFinding(machine, kernel));
  const options = { maxInstructions: BUDGET, onMachine };
  const run = runCases({ built: { kernel, initrd }, mode, program, names, settings, options });
  const guest = fails.map((one) => ({ fails: one, by: noticeOf(run, one) }));
  const audit = watches.find(({ found }) => found)?.found;
  const unnoticed = guest.filter(({ by }) => by === undefined).map((one) => one.fails);
  if (mutant.audit !== undefined && !audit?.invariants.includes(mutant.audit)) unnoticed.push(`audit ${mutant.audit}`);
  return { mode, guest, audit, unnoticed };
}

/** A verdict in a few words: `P10 case, audit I2`. */
export function inWords({ guest, audit }: Verdict): string {
  const cases = guest.map(({ fails, by }) => `${fails} ${by ?? "UNNOTICED"}`);
  return [...cases, audit === undefined ? "no audit" : `audit ${audit.invariants.join("+")}`].join(", ");
}
