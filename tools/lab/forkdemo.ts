/**
 * The main job: boot with one fork strategy, run /bin/forkdemo, and join what the guest counted (its lines) with what the
 * marks measured (regions). May import kernel/abi and ./regions; knows nothing of how the machine is run.
 */
import { Region } from "../../kernel/abi/marks";
import type { RegionCount } from "./regions";

/** Settings of the kernel's `rmap=`. */
export type Rmap = "on" | "off";

/** One size under one strategy, as `tine demo --json` prints it. */
export interface DemoRow {
  mode: string;
  /** Whether the kernel keeps a reverse map. */
  rmap: Rmap;
  megabytes: number;
  /** From the fork call to its return in the parent. */
  fork: { instructions: number; cycles: number; frames: number; rmapAdds: number; tablesCopied: number };
  /** The child's first write to a page that it inherited. */
  firstWrite: { instructions: number };
  /** The child's exit, to its last instruction. */
  exit: { instructions: number };
  /** Page tables that got a copy of their own between fork and exit. */
  unshares: number;
}

/** What one boot gave. */
export interface DemoRun {
  rows: DemoRow[];
  leakedFrames: number;
}

const LINE = /^forkdemo (\d+) MB: frames (\d+) rmap (\d+) copied (\d+) unshared (\d+) leaked (\d+)\r?$/gm;

/** Joins console output and regions. Throws Error naming what is missing: the guest did not do what it should. */
export function joinDemo(mode: string, rmap: Rmap, output: string, regions: readonly RegionCount[]): DemoRun {
  const measured = (id: Region, megabytes: number, what: string): RegionCount => {
    const found = regions.find((region) => region.id === id && region.tag === megabytes);
    if (found === undefined) throw new Error(`fork=${mode}, ${megabytes} MB: the guest never measured its ${what}`);
    return found;
  };
  let leakedFrames = 0;
  const rows = [...output.matchAll(LINE)].map((match): DemoRow => {
    const [megabytes = 0, frames = 0, rmapAdds = 0, tablesCopied = 0, unshares = 0, leaked = 0] = match
      .slice(1)
      .map(Number);
    leakedFrames += leaked;
    const { instructions, cycles } = measured(Region.Fork, megabytes, "fork");
    return {
      mode,
      rmap,
      megabytes,
      fork: { instructions, cycles, frames, rmapAdds, tablesCopied },
      firstWrite: { instructions: measured(Region.FirstWrite, megabytes, "first write").instructions },
      exit: { instructions: measured(Region.Exit, megabytes, "exit").instructions },
      unshares,
    };
  });
  return { rows, leakedFrames };
}
