/**
 * What declarations of experiments have in common: sizes, and ways to read a figure from a region or from a line `NAME=NUMBER` of the guest's. May
 * import kernel/abi, ../experiment.
 */
import type { Region } from "../../../kernel/abi/marks";
import { type Figure, numberOf, type Parameter, type Seen, type Values } from "../experiment";

const KB_A_MB = 1024;

/** Megabytes as the KB that a size is given in. */
export function megabytes(...sizes: readonly number[]): number[] {
  return sizes.map((size) => size * KB_A_MB);
}

/** Megabytes, rounded up, of a size parameter. */
export function megabytesOf(values: Values, name = "size"): number {
  return Math.ceil(numberOf(values, name) / KB_A_MB);
}

/** The size of the memory that is forked. */
export function sizeParameter(values: readonly number[], full: readonly number[], least = 4): Parameter {
  return {
    name: "size",
    title: "private memory, all written",
    unit: "KB",
    least,
    most: KB_A_MB * KB_A_MB,
    values,
    full,
  };
}

/** The middle one of a region's rounds, or the mean of the two in the middle, by `cost`. */
function middle(costs: readonly number[]): number {
  const sorted = [...costs].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return ((sorted[Math.floor(half)] as number) + (sorted[Math.ceil(half) - 1] as number)) / 2;
}

/** All regions of a kind. Throws Error if there is none. */
function regionsOf(seen: Seen, id: Region): ReturnType<Seen["regions"]> {
  seen.region(id);
  return seen.regions(id);
}

/** What the middle one of all regions of that kind cost, whoever ran. */
export function wholeCycles(id: Region): Figure["read"] {
  return (seen) => middle(regionsOf(seen, id).map(({ cycles }) => cycles));
}

/** The same, counted only while the process that began it ran. */
export function ownCycles(id: Region): Figure["read"] {
  return (seen) => middle(regionsOf(seen, id).map(({ own }) => own.cycles));
}

export function ownInstructions(id: Region): Figure["read"] {
  return (seen) => middle(regionsOf(seen, id).map(({ own }) => own.instructions));
}

/** A figure that the guest says: a line with its name. */
export function said(name: string, title: string, unit: string): Figure {
  return { name, title, unit, read: (seen) => seen.value(name) };
}
