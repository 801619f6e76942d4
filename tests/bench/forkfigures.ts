/**
 * The figures of fork strategies that the project stands for: what is run for each, how it reads as a table, and the bounds that must
 * hold. The benchmark runs them in full (bench/fork.ts); the tests hold the cheap ones to the same bounds with `quick`
 * (tests/system/forkfigures). May import forkrun, tools/lab, kernel/abi.
 */
import { Region } from "../../kernel/abi/marks";
import type { BuiltAll } from "../../tools/image/build";
import type { SeenRegion } from "../../tools/lab/experiment";
import { scriptOf } from "../../tools/lab/experiments/storm";
import { type DemoRow, joinDemo } from "../../tools/lab/forkdemo";
import { gccPerPte, ourPerPte } from "../../tools/lab/loop";
import type { RegionCount } from "../../tools/lab/regions";
import { MODES } from "../guest/guest";
import type { ForkResult, ForkRun } from "./forkrun";

/** Something that must hold: `value` is at most `most`, at least `least`. */
export interface Bound {
  what: string;
  value: number;
  most?: number;
  least?: number;
}

export interface Report {
  head: string[];
  rows: (string | number)[][];
  bounds: Bound[];
  /** All numbers, where the table shows the worst. */
  points?: unknown;
}

export interface Figure {
  name: string;
  title: string;
  /** The machines to run, by a name of each. */
  runs(quick: boolean): Record<string, ForkRun>;
  report(results: Record<string, ForkResult>, built: BuiltAll): Report | Promise<Report>;
}

export function holds({ value, most, least }: Bound): boolean {
  return value <= (most ?? Infinity) && value >= (least ?? -Infinity);
}

const KB = 1024;
const FRAME_BYTES = 4096;
/** Blocks of the reverse map in a frame. */
const BLOCKS_A_FRAME = 128;

function ratio(value: number): string {
  return value.toFixed(4);
}

function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`the guest never told ${what}`);
  return value;
}

/** A region's count while the process that began it ran. */
function ownOf({ own, ...region }: SeenRegion): RegionCount {
  return { ...region, ...own };
}

/** The same run in every mode, and without a reverse map where told. */
function inModes(run: Omit<ForkRun, "mode">, plain = false): Record<string, ForkRun> {
  const runs: [string, ForkRun][] = MODES.map((mode) => [mode, { ...run, mode }]);
  if (plain) {
    for (const mode of ["copy", "share"] as const) runs.push([`${mode}, no rmap`, { ...run, mode, plain: true }]);
  }
  return Object.fromEntries(runs);
}

/** Slots besides those of the memory that is forked: program, stack. */
const OTHER_TABLES = 4;

const fork: Figure = {
  name: "fork",
  title: "fork of a process with so much private memory, all written",
  runs: (quick) => inModes({ program: `/bin/forkdemo ${quick ? "16" : "256 512"}`, memoryMB: quick ? 64 : 640 }, true),
  report(results) {
    const rows: Report["rows"] = [];
    const bounds: Bound[] = [];
    const demos = Object.entries(results).map(
      ([name, { output, regions }]) => [name, joinDemo("", "on", output, regions.map(ownOf)).rows] as const,
    );
    for (const { megabytes } of demos[0]?.[1] ?? []) {
      const of = (name: string): DemoRow["fork"] => {
        const row = demos.find(([one]) => one === name)?.[1].find((each) => each.megabytes === megabytes);
        return found(row, `${name} at ${megabytes} MB`).fork;
      };
      for (const [name] of demos) {
        const { instructions, cycles, frames, tablesCopied } = of(name);
        const share = of(name.endsWith("no rmap") ? "share, no rmap" : "share");
        const times = `${(cycles / share.cycles).toFixed(1)}x`;
        rows.push([`${megabytes} MB`, name, instructions, cycles, frames, tablesCopied, times]);
      }
      const [copy, share, auto] = [of("copy"), of("share"), of("auto")];
      const at = `at ${megabytes} MB`;
      const most = 8000 + 40 * (megabytes / 4 + OTHER_TABLES);
      bounds.push({ what: `share, instructions ${at}`, value: share.instructions, most });
      bounds.push({ what: `share, frames ${at}`, value: share.frames, most: 1 });
      bounds.push({ what: `copy, instructions a pte ${at}`, value: copy.instructions / (megabytes * 256), most: 55 });
      const least = megabytes / 1.28;
      bounds.push({ what: `cycles of copy for one of share ${at}`, value: copy.cycles / share.cycles, least });
      // The directory, the tables, and what blocks the reverse map of their pages begins.
      const autoMost = 1 + auto.tablesCopied + Math.ceil(auto.rmapAdds / BLOCKS_A_FRAME);
      bounds.push({ what: `auto, frames ${at}`, value: auto.frames, most: autoMost });
    }
    return { head: ["memory", "fork", "instructions", "cycles", "frames", "tables copied", "to share"], rows, bounds };
  },
};

const loop: Figure = {
  name: "loop",
  title: "the loop that copies a table, rmap entries included: instructions a pte",
  runs: () => ({}),
  async report(_results, built) {
    const [gcc, ours] = [gccPerPte(process.cwd()), ourPerPte(built)];
    if (gcc === undefined)
      return { head: ["kernel", "gcc -O2", "ratio"], rows: [[ours.toFixed(1), "no gcc", ""]], bounds: [] };
    const bounds = [{ what: "ours to gcc -O2's", value: ours / gcc, most: 1.3 }];
    return {
      head: ["kernel", "gcc -O2", "ratio"],
      rows: [[ours.toFixed(1), gcc.toFixed(1), ratio(ours / gcc)]],
      bounds,
    };
  },
};

/** A table of cycles by mode, and auto at most as dear as copy. */
function modesReport(results: Record<string, ForkResult>, cyclesOf: (result: ForkResult) => number): Report {
  const cycles = Object.entries(results).map(([name, result]) => [name, cyclesOf(result)] as const);
  const of = (name: string): number => found(cycles.find(([one]) => one === name)?.[1], name);
  const rows = cycles.map(([name, value]) => {
    const base = name.endsWith("no rmap") ? "copy, no rmap" : "copy";
    return [name, value, ratio(value / of(base))];
  });
  return {
    head: ["fork", "cycles", "to copy"],
    rows,
    bounds: [{ what: "auto to copy", value: of("auto") / of("copy"), most: 1 }],
  };
}

const storm: Figure = {
  name: "storm",
  title: "fork + exec + exit of a tiny process, one after another",
  runs: (quick) => inModes({ program: `/bin/forkstorm ${quick ? 500 : 10_000}` }, true),
  report: (results) =>
    modesReport(
      results,
      ({ regions }) =>
        found(
          regions.find(({ id }) => id === Region.Storm),
          "its region",
        ).cycles,
    ),
};

const shell: Figure = {
  name: "shell",
  title: "a shell script that starts small commands, 2,000 in full",
  runs: (quick) => inModes({ program: "/bin/sh /script", script: scriptOf(quick ? 100 : 2000) }, true),
  report: (results) => modesReport(results, ({ program }) => program.cycles),
};

/** The cost of writing k pages, in each mode. */
interface Point {
  name: string;
  copy: number;
  share: number;
  auto: number;
}

/** Points of runs of forktouch named `MODE REST`, rounds added up. */
function pointsOf(results: Record<string, ForkResult>): Point[] {
  const points = new Map<string, Point>();
  for (const [name, { output, regions }] of Object.entries(results)) {
    const [mode, rest = ""] = name.split(/ (.*)/);
    for (const [, tag, place] of output.matchAll(/^forktouch (\d+): (.*) round \d+$/gm)) {
      const region = regions.find((one) => one.id === Region.Touch && one.tag === Number(tag));
      const key = `${rest}: ${place}`;
      const point = points.get(key) ?? { name: key, copy: 0, share: 0, auto: 0 };
      point[mode as "copy"] += found(region, `line ${tag}`).cycles;
      points.set(key, point);
    }
  }
  return [...points.values()];
}

/** The worst of each group of points, and the bounds on all of them. */
function gridReport(
  points: readonly Point[],
  groupOf: (point: Point) => string,
  wholeMost: number | undefined,
): Report {
  const shareTo = ({ share, copy }: Point) => share / copy;
  const autoTo = ({ copy, share, auto }: Point) => auto / Math.min(copy, share);
  const worst = (group: readonly Point[], value: (point: Point) => number) => Math.max(...group.map(value));
  const sum = (group: readonly Point[], value: (point: Point) => number) =>
    group.reduce((all, one) => all + value(one), 0);
  const whole = (group: readonly Point[]) =>
    sum(group, ({ auto }) => auto) / sum(group, ({ copy, share }) => Math.min(copy, share));
  const rows = [...new Set(points.map(groupOf))].map((name) => {
    const group = points.filter((point) => groupOf(point) === name);
    const least = Math.min(...group.map(shareTo));
    return [
      name,
      group.length,
      ratio(least),
      ratio(worst(group, shareTo)),
      ratio(worst(group, autoTo)),
      ratio(whole(group)),
    ];
  });
  const bounds: Bound[] = [
    { what: "points", value: points.length, least: 1 },
    { what: "share to copy, worst point", value: worst(points, shareTo), most: 1.02 },
    { what: "auto to the better, worst point", value: worst(points, autoTo), most: 1.05 },
    { what: "auto to the better, whole grid", value: whole(points), ...(wholeMost ? { most: wholeMost } : {}) },
  ];
  const head = ["pages", "points", "share/copy, least", "most", "auto/better, most", "whole"];
  return { head, rows, bounds, points };
}

/** k from 1 to n: each up to twice `perOctave`, then so many to the octave. */
function grid(n: number, perOctave: number): number[] {
  const ks = new Set<number>();
  for (let k = 1; k <= Math.min(n, 2 * perOctave); k++) ks.add(k);
  for (let octaves = 0; ks.size > 0 && 2 ** octaves <= n; octaves += 1 / perOctave) ks.add(Math.round(2 ** octaves));
  return [...ks.add(n)].sort((a, b) => a - b);
}

/** forktouch in each mode, named for pointsOf. */
function touchRuns(name: string, program: string): [string, ForkRun][] {
  return MODES.map((mode) => [`${mode} ${name}`, { mode, program: `/bin/forktouch ${program}`, memoryMB: 64 }]);
}

const touch: Figure = {
  name: "touch",
  title: "writing k of n pages after fork, whole cost from fork to the child's end",
  runs: (quick) => {
    const runs = quick
      ? [
          ...touchRuns("2 x 1024", `2 1024 1 0 1 2 16 256 2048`),
          ...touchRuns("1 x 32", `1 32 1 0 ${grid(32, 2).join(" ")}`),
        ]
      : [
          ...touchRuns("1 x 32", `1 32 1 0 ${grid(32, 16).join(" ")}`),
          ...touchRuns("2 x 1024", `2 1024 1 0 ${grid(2048, 4).join(" ")}`),
          ...touchRuns("4 x 1024", `4 1024 1 0 ${grid(4096, 1).join(" ")}`),
        ];
    return Object.fromEntries(runs);
  },
  report: (results) => gridReport(pointsOf(results), ({ name }) => name.replace(/ \d+$/, ""), 1.01),
};

/** Rounds after which forkpolicy's streak begins anew: nobody writes in these. 0: in each round somebody does. */
const IDLE = [0, 5, 17, 66];

const history: Figure = {
  name: "history",
  title: "many forks one after another, one page written after each but every i-th: what fork=auto learns",
  runs: (quick) => {
    const runs: [string, ForkRun][] = [];
    const fills: readonly number[] = quick ? [16] : [16, 1024];
    for (const filled of fills) {
      for (const idle of quick ? [0, 9] : IDLE) {
        runs.push(...touchRuns(`${filled} of 1024, i = ${idle}`, `1 ${filled} ${quick ? 27 : 132} ${idle} 1`));
      }
    }
    return Object.fromEntries(runs);
  },
  report: (results) => gridReport(pointsOf(results), ({ name }) => name.replace(/:.*$/, ""), 1.01),
};

const family: Figure = {
  name: "family",
  title: "page tables and reverse map of live children of a process, in full 50 of one of 256 MB",
  runs: (quick) => inModes({ program: `/bin/forkfamily ${quick ? "4 128" : "50 256"}`, memoryMB: quick ? 192 : 384 }),
  report(results) {
    const line = /^forkfamily: children \d+ directories (\d+) tables (\d+) chain-frames (\d+) chain-bytes (\d+)$/m;
    const all = Object.entries(results).map(([name, { output }]) => {
      const [directories = 0, tables = 0, chainFrames = 0, chainBytes = 0] = (line.exec(output)?.slice(1) ?? []).map(
        Number,
      );
      const kilobytes = ((directories + tables + chainFrames) * FRAME_BYTES) / KB;
      return { name, directories, tables, chainBytes, kilobytes };
    });
    const of = (name: string): number =>
      found(
        all.find((one) => one.name === name),
        name,
      ).kilobytes;
    const rows = all.map(({ name, directories, tables, chainBytes, kilobytes }) => {
      return [
        name,
        directories,
        tables,
        Math.round(chainBytes / KB),
        kilobytes,
        `1/${(of("copy") / kilobytes).toFixed(1)}`,
      ];
    });
    const bounds = [{ what: "copy's memory for one of share's", value: of("copy") / of("share"), least: 20 }];
    return { head: ["fork", "directories", "tables", "chains, kB", "all, kB", "to copy"], rows, bounds };
  },
};

const swap: Figure = {
  name: "swap",
  title: "8 children read what they share, in lockstep, on less memory than that: unmapping for swap-out",
  runs: (quick) =>
    quick
      ? inModes({ program: "/bin/forkread 8 16 1", memoryMB: 16, swapMB: 32 })
      : inModes({ program: "/bin/forkread 8 64 1", memoryMB: 48, swapMB: 128 }),
  report(results) {
    const line = /^forkread: children \d+ written (\d+) read (\d+) evicted (\d+)$/m;
    const all = Object.entries(results).map(([name, { output, unmap, regions }]) => {
      const [written = -1, read = -1] = (line.exec(output)?.slice(1) ?? []).map(Number);
      const { cycles } = found(
        regions.find(({ id }) => id === Region.Read),
        "its region",
      );
      return { name, written, read, unmap, cycles };
    });
    const of = (name: string) =>
      found(
        all.find((one) => one.name === name),
        name,
      );
    const rows = all.map(({ name, written, read, unmap, cycles }) => [
      ...[name, unmap.pages, unmap.cycles, (unmap.cycles / unmap.pages).toFixed(0)],
      ...[`1/${(of("copy").unmap.cycles / unmap.cycles).toFixed(1)}`, read, written, cycles],
    ]);
    const [copy, share] = [of("copy"), of("share")];
    const bounds: Bound[] = [
      {
        what: "copy's cycles of unmapping for one of share's",
        value: copy.unmap.cycles / share.unmap.cycles,
        least: 3,
      },
      { what: "sectors written: share more than copy", value: share.written - copy.written, most: 0 },
      { what: "pages taken out of tables", value: share.unmap.pages, least: 1 },
    ];
    const head = [
      "fork",
      "pages unmapped",
      "cycles of it",
      "a page",
      "to copy",
      "sectors read",
      "written",
      "cycles in all",
    ];
    return { head, rows, bounds };
  },
};

/** All figures, in the order of the document. */
export const FIGURES: readonly Figure[] = [fork, loop, storm, shell, touch, history, family, swap];
