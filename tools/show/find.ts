/**
 * Finds a moment of a run, and the same moment of another run of the same program under another fork strategy. May import moments,
 * snapshot, cpu's public face.
 */
import type { Machine, StopReason } from "../../cpu/index";
import type { KernelLayout } from "../image/layout";
import { type Moment, MomentWatch, momentText, type Position, type Target } from "./moments";
import { type Snapshot, SnapshotReader } from "./snapshot";

/** A moment that was found, and memory then. */
export interface Found {
  snapshot: Snapshot;
  /** What happened then. */
  text: string;
  position: Position;
}

/** The run had no such moment. */
export interface NotFound {
  /** How the run ended. */
  stop: StopReason;
  instret: number;
  /** How many events of the kind there were. */
  counted: number;
}

/**
 * Runs a machine up to a target, `budget` instructions at most. Throws LayoutError for a kernel that is not ours, SnapshotError for
 * a moment at which there is nothing to see.
 */
export function findMoment(machine: Machine, layout: KernelLayout, target: Target, budget: number): Found | NotFound {
  const reader = new SnapshotReader(machine, layout);
  let found: Found | undefined;
  let watch: MomentWatch | undefined;
  const note = (text: string): void => {
    found = { snapshot: reader.take(), text, position: { ...watch!.position } };
  };
  watch = new MomentWatch(machine, layout, (moment) => {
    if (found !== undefined || "instret" in target || (watch!.counts.get(target.kind) ?? 0) < target.nth) return;
    note(momentText(moment));
    machine.cpu.requestStop();
  });
  const most = "instret" in target ? Math.min(budget, target.instret) : budget;
  const stop = machine.run({ maxInstructions: most });
  watch.stop();
  if ("instret" in target && machine.instret >= target.instret) {
    note(machine.registers.cpl === 3 ? "in user mode" : "in the kernel");
  }
  if (found !== undefined) return found;
  // A machine that sleeps for good ends so too.
  if ("kind" in target && target.kind === "end" && stop.reason !== "budget") {
    note("the run ends");
    return found!;
  }
  const counted = "instret" in target ? 0 : (watch.counts.get(target.kind) ?? 0);
  return { stop, instret: machine.instret, counted };
}

/** Runs a machine to the moment that is as far as `position`: the last one there with as many copies of pages, or less. */
export function correspondingMoment(machine: Machine, layout: KernelLayout, position: Position, budget: number): Found {
  const reader = new SnapshotReader(machine, layout);
  let found: Found | undefined;
  let watch: MomentWatch | undefined;
  const note = (moment: Moment): void => {
    found = { snapshot: reader.take(), text: momentText(moment), position: { ...watch!.position } };
  };
  watch = new MomentWatch(machine, layout, (moment) => {
    const { lives, copies } = watch!.position;
    if (lives > position.lives || (lives === position.lives && copies > position.copies)) machine.cpu.requestStop();
    else if (lives === position.lives) note(moment);
  });
  machine.run({ maxInstructions: budget });
  watch.stop();
  return found ?? { snapshot: reader.take(), text: "the run ends", position: { ...watch.position } };
}
