/**
 * One point of an experiment: its machine, run to the end, and what it gave. The same point gives the same figures on every host; only `seconds`
 * is the host's. May import cpu's public face, tools/disk and the rest of tools/lab.
 */
import { type BufferDisk, Machine, MachineError, type StopReason } from "../../cpu/index";
import { swapDisk } from "../disk/swaparea";
import { type Costs, costTable } from "./costs";
import { type Distribution, type Experiment, MODES, type Mode, type Values } from "./experiment";
import { Observer } from "./observe";
import { type Counts, NO_COUNTS, ReferenceCounter } from "./references";

/** Instructions after which a point has failed, where its experiment does not say. */
const BUDGET = 2e11;

/** What is run. Plain data: it goes to threads, and its JSON names it. */
export interface Point {
  experiment: string;
  values: Values;
  mode: Mode;
  costs: Costs;
}

/** What it boots. */
export interface Images {
  kernel: Uint8Array;
  initrd: Uint8Array;
}

/** What of an experiment makes its machine. */
export interface Setup {
  memoryMB: number;
  /** 0: no disk. */
  swapMB: number;
  commandLine: string;
  budget: number;
}

/** Some quantiles of many measurements: pairs of a share of them (0 to 1) and the value that so many do not exceed. */
export interface Quantiles {
  count: number;
  mean: number;
  at: [share: number, value: number][];
}

export type Outcome =
  | { status: "ok"; figures: Record<string, number>; distributions: Record<string, Quantiles> }
  | { status: "failed"; reason: string };

/** Memory references and TLB misses by the experiment's names of regions: sums over all regions of a name. */
export type References = Record<string, Counts>;

export type PointResult = Outcome & { instructions: number; cycles: number; references?: References };

/** The machine that a point wants. */
export function setupOf(experiment: Experiment, values: Values, mode: Mode): Setup {
  const swapMB = experiment.swapMB?.(values) ?? 0;
  const words = [`/bin/${experiment.name}`, ...experiment.arguments(values)];
  return {
    memoryMB: experiment.memoryMB(values),
    swapMB,
    commandLine: `quiet ${MODES[mode]} ${swapMB > 0 ? "swap=on " : ""}-- ${words.join(" ")}`,
    budget: experiment.budget ?? BUDGET,
  };
}

/** A machine that has loaded its images, and who watches it. Throws MachineError. */
function machineOf(
  setup: Setup,
  costs: Costs,
  { kernel, initrd }: Images,
  counting: boolean,
): { machine: Machine; seen: Observer } {
  const disk: BufferDisk | undefined = setup.swapMB > 0 ? swapDisk(setup.swapMB) : undefined;
  const seen = new Observer(disk);
  const machine = new Machine({
    memoryMB: setup.memoryMB,
    costs: costTable(costs),
    onSerial: (bytes) => seen.serial(bytes),
    ...(disk === undefined ? {} : { disk }),
  });
  machine.loadMultiboot(kernel, { commandLine: setup.commandLine, modules: [initrd] });
  seen.listen(machine, counting ? new ReferenceCounter(machine) : undefined);
  return { machine, seen };
}

/** Why a run is no result; undefined if it ended well. */
function failure(stop: StopReason, seen: Observer, instructions: number): string | undefined {
  const said = seen.output.trim().split("\n").slice(-3).join(" | ");
  const after = `after ${instructions} instructions${said === "" ? "" : `; the guest said: ${said}`}`;
  if (seen.panicked) return `the guest kernel panicked ${after}`;
  if (stop.reason === "budget") return `out of budget ${after}`;
  if (stop.reason !== "exit") return `the machine stopped (${stop.reason}) ${after}`;
  if (stop.value !== 0) return `the program failed ${after}`;
  return undefined;
}

/** Shares that a distribution is kept at: dense where latencies are looked at. */
const SHARES = [
  0, 0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99, 0.995,
  0.998, 0.999, 0.9995, 0.9999, 1,
];

/** By nearest rank. Throws Error where there is nothing. */
function quantiles({ name }: Distribution, measured: readonly number[]): Quantiles {
  if (measured.length === 0) throw new Error(`the guest never measured ${name}`);
  const sorted = [...measured].sort((a, b) => a - b);
  const last = sorted.length - 1;
  const valueAt = (share: number) =>
    sorted[Math.min(last, Math.max(0, Math.ceil(share * sorted.length) - 1))] as number;
  const sum = sorted.reduce((all, one) => all + one, 0);
  return { count: sorted.length, mean: sum / sorted.length, at: SHARES.map((share) => [share, valueAt(share)]) };
}

/** What the experiment reads from what was seen. */
function read(experiment: Experiment, seen: Observer, values: Values): Outcome {
  try {
    const figures = experiment.figures.map(({ name, read }) => {
      const value = read(seen, values);
      if (!Number.isFinite(value)) throw new Error(`${name} is ${value}`);
      return [name, value] as const;
    });
    const distributions = (experiment.distributions ?? []).map(
      (one) => [one.name, quantiles(one, one.read(seen, values))] as const,
    );
    return {
      status: "ok",
      figures: Object.fromEntries(figures),
      distributions: Object.fromEntries(distributions),
    };
  } catch (error) {
    return { status: "failed", reason: (error as Error).message };
  }
}

/** What was counted, by region. */
function referencesOf({ regions = {} }: Experiment, seen: Observer): References {
  const names = Object.entries(regions).map(([name, id]) => {
    const sum = { ...NO_COUNTS };
    for (const { references } of seen.regions(id)) {
      for (const [what, count] of Object.entries(references ?? {})) sum[what as keyof Counts] += count;
    }
    return [name, sum] as const;
  });
  return Object.fromEntries(names);
}

/**
 * Runs a point, in the machine that its experiment says unless told, and counts references where that is asked for: no other figure changes by
 * it. What the guest does wrong is a result; nothing is thrown for it.
 */
export function runPoint(
  experiment: Experiment,
  { values, mode, costs }: Point,
  images: Images,
  setup = setupOf(experiment, values, mode),
  counting = false,
): PointResult {
  let machine: Machine | undefined;
  let references: { references?: References } = {};
  let outcome: Outcome;
  try {
    const made = machineOf(setup, costs, images, counting);
    machine = made.machine;
    const stop = machine.run({ maxInstructions: setup.budget });
    const reason = failure(stop, made.seen, machine.instret);
    outcome = reason === undefined ? read(experiment, made.seen, values) : { status: "failed", reason };
    if (counting) references = { references: referencesOf(experiment, made.seen) };
  } catch (error) {
    if (!(error instanceof MachineError || error instanceof RangeError)) throw error;
    outcome = { status: "failed", reason: `no machine of ${setup.memoryMB} MB: ${error.message}` };
  }
  const { instret: instructions = 0, cycles = 0 } = machine ?? {};
  return { ...outcome, ...references, instructions, cycles };
}
