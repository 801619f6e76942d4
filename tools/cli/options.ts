/** Option values that several commands take, checked once. May import commander, cpu/. */
import { InvalidArgumentError, Option } from "commander";
import { MINIMAL_TLB, STANDARD_TLB, type TlbGeometry, UNBOUNDED_TLB } from "../../cpu/costs";
import { DEFAULT_MODEL, MODEL_NAMES } from "../../cpu/modelnames";
import { writableFile } from "./outputfile";

/** A whole number in a range, for commander; the message says what was wanted. */
export function wholeNumber(least: number, most: number, unit: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It wants a whole number of ${unit} from ${least} to ${most}.`);
  };
}

/** Megabytes of RAM: the kernel maps at most 896, and boots in 4. */
export const memoryOption = (initial: number): Option =>
  new Option("--mem <MB>", "guest memory in megabytes").argParser(wholeNumber(4, 896, "megabytes")).default(initial);

export const forkOption = (): Option =>
  new Option("--fork <mode>", "how fork treats page tables").choices(["copy", "share", "auto"]).default("auto");

/** A bound on the run; Infinity when it is not given. */
export const budgetOption = (): Option =>
  new Option("--budget <N>", "stop after N guest instructions (exit code 4)")
    .argParser(wholeNumber(1, Number.MAX_SAFE_INTEGER, "instructions"))
    .default(Number.POSITIVE_INFINITY, "no limit");

/** The end of a run alone. */
export const lastOption = (): Option =>
  new Option("--last <N>", "show only the last N instructions: before a panic, a failed assert, or the end").argParser(
    wholeNumber(1, 10_000_000, "instructions"),
  );

const TLBS: Readonly<Record<string, TlbGeometry>> = {
  standard: STANDARD_TLB,
  unbounded: UNBOUNDED_TLB,
  minimal: MINIMAL_TLB,
};
const MOST_SEED = 0x7fffffff;

function tlbGeometry(text: string): TlbGeometry {
  const known = TLBS[text];
  if (known !== undefined) return known;
  const seed = /^random:(\d+)$/.exec(text)?.[1];
  if (seed !== undefined && Number(seed) <= MOST_SEED) return { ...STANDARD_TLB, randomSeed: Number(seed) };
  const names = Object.keys(TLBS).join(", ");
  throw new InvalidArgumentError(`It wants one of ${names}, or random: and a seed up to ${MOST_SEED}.`);
}

/** The geometry of the charged TLB: others than the standard one turn missed flushes into failures that repeat. */
export const tlbOption = (): Option =>
  new Option("--tlb <geometry>", "the processor's TLB: standard, unbounded, minimal or random:SEED")
    .argParser(tlbGeometry)
    .default(STANDARD_TLB, "standard");

/** The CPU model. Our kernel needs a 586. */
export const cpuOption = (): Option =>
  new Option("--cpu <model>", "the processor's model").choices(MODEL_NAMES).default(DEFAULT_MODEL);

/** Audits of the guest's memory: at every return to user mode, or at every N-th. */
export const auditOption = (): Option =>
  new Option("--audit", "check all invariants of memory management at every return to user mode (exit code 3)");
export const auditEveryOption = (): Option =>
  new Option("--audit-every <N>", "the same at every N-th return only").argParser(
    wholeNumber(1, Number.MAX_SAFE_INTEGER, "returns"),
  );

/** What the two options above mean: every how many returns to audit, 0 for never. */
export function auditInterval({ audit, auditEvery }: { audit?: boolean; auditEvery?: number }): number {
  return auditEvery ?? (audit ? 1 : 0);
}

export const saveStateOption = (): Option =>
  new Option("--save-state <file>", "write the whole machine to a file at the end, for tine audit").argParser(
    writableFile,
  );
