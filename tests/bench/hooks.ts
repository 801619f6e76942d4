/**
 * What tracing costs a run that nobody traces: the machine beside one from which the hooks are cut out when it is bundled, in turns, in this
 * process. May import esbuild, cpu's types, tools, statistics.
 *
 * Invariants: a piece that is to be cut and is not there just as often as expected is an error, so that the comparison cannot quietly become one
 * of the machine with itself; both machines give the same instret and cycles.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Plugin } from "esbuild";
import type { Machine } from "../../cpu/index";
import { type BuiltAll, buildAll } from "../../tools/image/build";
import { type Spread, spread } from "./statistics";

/** How many times the machine without hooks the machine may take. */
export const HOOKS_LIMIT = 1.02;

/** A piece of source, what stands in its place then, and how often it is there: once unless told. */
interface Cut {
  piece: string;
  left?: string;
  times?: number;
}

/** All that there is for onEvent(), onInstruction() and breakpoints on the way of a run, by file. */
export const HOOKS: Readonly<Record<string, readonly Cut[]>> = {
  "cpu/interpreter.ts": [
    { piece: "const ONE_BY_ONE = Attention.Hook | ", left: "const ONE_BY_ONE = " },
    {
      piece: `  if ((attention & Attention.Hook) !== 0) {
    if (cpu.hookStops()) return RunExit.Hook;
    // The hook may have asked for the other way to stop.
    if ((r[Word.Attention] & Attention.Stop) !== 0) return AGAIN;
  }
`,
    },
  ],
  "cpu/interrupts.ts": [
    { piece: "  if (listener !== null) listener(CpuEvent.TrapEntry, vector, errorCode);\n" },
    {
      piece: `    if (vector === Vector.PageFault && cpu.listener !== null) {
      cpu.listener(CpuEvent.PageFault, r[Word.Cr2] >>> 0, errorCode);
    }
`,
    },
  ],
  "cpu/exec/return.ts": [
    {
      piece: `  if (cpu.listener !== null && (r[Word.Cr0] & Cr0.PE) !== 0)
    cpu.listener(CpuEvent.Iret, r[Word.Eip] >>> 0, r[Word.Cpl]);
`,
    },
  ],
  "cpu/exec/system.ts": [{ piece: "    if (cpu.listener !== null) cpu.listener(CpuEvent.Invlpg, linear >>> 0, 0);\n" }],
  "cpu/paging.ts": [
    { piece: "  if (cpu.listener !== null) cpu.listener(CpuEvent.TlbFlush, keepGlobal ? 0 : 1, 0);\n" },
    { piece: "      if (cpu.listener !== null) cpu.listener(CpuEvent.Cr3Load, value >>> 0, 0);\n" },
  ],
  "cpu/compile/traps.ts": [{ piece: "  slowWhenHeard(e);\n", times: 2 }],
  "cpu/machine.ts": [
    { piece: "mark: (value: number) => this.listeners.emit(EventKind.Mark, value, 0),", left: "mark: () => {}," },
    { piece: "    this.listeners.emit(EventKind.Exit, value, 0);\n" },
  ],
};

/** A file's source without its hooks. Throws Error where one is not there as it should be. */
export function withoutHooks(file: string, source: string): string {
  let text = source;
  for (const { piece, left = "", times = 1 } of HOOKS[file] ?? []) {
    const found = text.split(piece).length - 1;
    if (found !== times) throw new Error(`${file}: ${found} times, and not ${times}: ${piece.trim()}`);
    text = text.replaceAll(piece, left);
  }
  return text;
}

const cutter: Plugin = {
  name: "hooks",
  setup(build) {
    const left = new Set(Object.keys(HOOKS));
    for (const file of Object.keys(HOOKS)) {
      build.onLoad({ filter: new RegExp(`[\\\\/]${file.replaceAll("/", "[\\\\/]")}$`) }, ({ path }) => {
        left.delete(file);
        return { contents: withoutHooks(file, readFileSync(path, "utf8")), loader: "ts" };
      });
    }
    build.onEnd(() => (left.size === 0 ? undefined : { errors: [{ text: `never bundled: ${[...left].join(", ")}` }] }));
  },
};

type MachineClass = typeof Machine;

/** The machine, bundled into a folder and loaded from there. */
async function bundled(folder: string, name: string, plugins: Plugin[]): Promise<MachineClass> {
  const { build } = await import("esbuild");
  const outfile = join(folder, `${name}.mjs`);
  await build({
    entryPoints: [resolve("cpu/index.ts")],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "silent",
    plugins,
  });
  const module: { Machine: MachineClass } = await import(pathToFileURL(outfile).href);
  return module.Machine;
}

/** Both machines. They are bundled below dist/. */
export async function bothMachines(): Promise<{ hooked: MachineClass; bare: MachineClass }> {
  const folder = mkdtempSync(resolve("dist/hooks-"));
  try {
    return { hooked: await bundled(folder, "hooked", []), bare: await bundled(folder, "bare", [cutter]) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One run of forkstorm: processor time in seconds, and where it ended. */
export function stormRun(machineClass: MachineClass, { kernel, initrd }: BuiltAll, forks: number) {
  const machine = new machineClass({ memoryMB: 64 });
  machine.loadMultiboot(kernel, { commandLine: `fork=share -- /bin/forkstorm ${forks}`, modules: [initrd] });
  const begun = process.cpuUsage();
  const { reason } = machine.run({ maxInstructions: 1e10 });
  const { user, system } = process.cpuUsage(begun);
  return { seconds: (user + system) / 1e6, end: `${reason} ${machine.instret} ${machine.cycles}` };
}

export interface HookCosts {
  /** Of the times with hooks over those without: of the medians, of the least ones, and of each round. */
  medians: number;
  minima: number;
  rounds: Spread;
  count: number;
}

/** Rounds that do not count: both machines' code is compiled in them. */
const WARM_UP = 3;
/** Short rounds for each that a user asks for: noise comes in bursts. */
const ROUNDS_EACH = 20;

/** Measures; each round runs both, and the next one in the other order. Throws Error when they do not do the same. */
export async function hookCosts(repeat: number, scale: number, progress: (text: string) => void): Promise<HookCosts> {
  const built = await buildAll("dist");
  const { hooked, bare } = await bothMachines();
  const count = repeat * ROUNDS_EACH;
  const forks = Math.max(10, Math.round(100 * scale));
  const times: { hooked: number; bare: number }[] = [];
  for (let round = -WARM_UP; round < count; round++) {
    if (round % ROUNDS_EACH === 0) progress(`hooks, ${round} of ${count}`);
    const early = round % 2 === 0 ? stormRun(hooked, built, forks) : stormRun(bare, built, forks);
    const late = round % 2 === 0 ? stormRun(bare, built, forks) : stormRun(hooked, built, forks);
    if (early.end !== late.end) throw new Error(`with and without hooks: ${early.end}, ${late.end}`);
    const [one, two] = round % 2 === 0 ? [early, late] : [late, early];
    if (round >= 0) times.push({ hooked: one.seconds, bare: two.seconds });
  }
  const [one, two] = [spread(times.map((each) => each.hooked)), spread(times.map((each) => each.bare))];
  return {
    medians: one.median / two.median,
    minima: one.min / two.min,
    rounds: spread(times.map((each) => each.hooked / each.bare)),
    count,
  };
}
