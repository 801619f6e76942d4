/**
 * A profile in words: by function, by source line, and as folded stacks, which flame graph tools read. May import callstack, profiler.
 * Invariant: the sums of all rows by function, of all by line, and of all stacks are the profile's totals.
 */
import type { CallNode } from "./callstack";
import type { FunctionName } from "./code";
import type { Profile } from "./profiler";

/** What is counted. */
export type Unit = "instructions" | "cycles";

interface Cost {
  instructions: number;
  cycles: number;
}

/** A function: what it cost itself, and with all that it called. */
export interface FunctionRow extends Cost {
  name: string;
  image: string;
  /** With what it called, and what its traps led to; of a function that calls itself, once. */
  total: Cost;
}

export interface LineRow extends Cost {
  image: string;
  /** `mm/ptshare.ts:113`; `?` where nothing is known. */
  place: string;
}

/** All functions, the dearest first. */
export function functionRows({ roots }: Profile, unit: Unit): FunctionRow[] {
  const rows = new Map<FunctionName, FunctionRow>();
  const visit = (node: CallNode, path: ReadonlySet<FunctionName>): Cost => {
    const sum = { instructions: node.instructions, cycles: node.cycles };
    const { owner } = node;
    const below = owner === undefined ? path : new Set(path).add(owner);
    for (const child of node.children.values()) {
      const cost = visit(child, below);
      sum.instructions += cost.instructions;
      sum.cycles += cost.cycles;
    }
    if (owner !== undefined) {
      let row = rows.get(owner);
      if (row === undefined) {
        row = {
          name: owner.name,
          image: owner.image,
          instructions: 0,
          cycles: 0,
          total: { instructions: 0, cycles: 0 },
        };
        rows.set(owner, row);
      }
      row.instructions += node.instructions;
      row.cycles += node.cycles;
      if (!path.has(owner)) {
        row.total.instructions += sum.instructions;
        row.total.cycles += sum.cycles;
      }
    }
    return sum;
  };
  for (const root of roots) visit(root, new Set());
  return sorted([...rows.values()], unit);
}

/** All source lines, the dearest first. */
export function lineRows({ images }: Profile, unit: Unit): LineRow[] {
  const rows = new Map<string, LineRow>();
  for (const image of images) {
    for (const { eip, instructions, cycles } of image.code.values()) {
      const line = image.line(eip);
      const place = line === undefined ? "?" : `${line.file}:${line.line}`;
      const key = `${image.name} ${place}`;
      let row = rows.get(key);
      if (row === undefined) {
        row = { image: image.name, place, instructions: 0, cycles: 0 };
        rows.set(key, row);
      }
      row.instructions += instructions;
      row.cycles += cycles;
    }
  }
  return sorted([...rows.values()], unit);
}

function sorted<Row extends Cost>(rows: Row[], unit: Unit): Row[] {
  return rows.sort((one, two) => two[unit] - one[unit]);
}

/** `forkdemo;main;trapEntry;sysFork 1234`: a line for each path of names that cost something by itself. */
export function foldedStacks({ roots }: Profile, unit: Unit): string[] {
  const sums = new Map<string, number>();
  const visit = (node: CallNode, path: string): void => {
    if (node[unit] > 0) sums.set(path, (sums.get(path) ?? 0) + node[unit]);
    for (const child of node.children.values()) visit(child, `${path};${child.name}`);
  };
  for (const root of roots) visit(root, root.name);
  return [...sums].map(([path, sum]) => `${path} ${sum}`);
}
