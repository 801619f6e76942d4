/**
 * How the cases of a guest program are run for a mutant: by themselves, or with what the host does for them in their own tests. May
 * import tests/guest, tests/bench, tools.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BufferDisk, type Machine, type StopReason } from "../../cpu/index";
import { Region } from "../../kernel/abi/marks";
import type { BuiltAll } from "../../tools/image/build";
import type { GuestCase } from "../../tools/lab/tap";
import { forkRun } from "../bench/forkrun";
import { casesOf, type GuestOptions, type GuestRun, type Mode, runGuest, testCommandLine } from "../guest/guest";
import { Injector } from "../guest/inject";
import { diskImage } from "../guest/mapdisk";
import { runWithHelp } from "../guest/spurious";
import { SWAP_MEMORY_MB, swappingOptions } from "../guest/swapping";

/** A program's cases, and how the machine stopped. */
export interface CaseRun {
  cases: GuestCase[];
  stop: StopReason;
}

/** What to run. `names`: the cases that are wanted. */
export interface Wanted {
  built: BuiltAll;
  mode: Mode;
  program: string;
  names: string[];
  settings: string;
  options: Omit<GuestOptions, "commandLine">;
}

const asRun = (run: GuestRun): CaseRun => ({ cases: casesOf(run), stop: run.stop });

function inQuotes(names: string[]): string {
  return names.map((name) => `"${name}"`).join(" ");
}

function runPlain({ built, mode, program, names, settings, options }: Wanted): CaseRun {
  return asRun(
    runGuest(built, { ...options, commandLine: testCommandLine(mode, program, inQuotes(names), true, settings) }),
  );
}

/** What the host has seen of memory belongs to every case: which one it was does not matter. */
function runInjected({ built, mode, program, names, settings, options }: Wanted): CaseRun {
  const injectors: Injector[] = [];
  const onMachine = (machine: Machine) => {
    injectors.push(new Injector(machine, built.kernel));
    options.onMachine?.(machine);
  };
  const swaps = program === "injectswap";
  const commandLine = testCommandLine(
    mode,
    program,
    `host ${inQuotes(names)}`,
    false,
    `reclaim=off ${swaps ? "swap=on" : ""} ${settings}`,
  );
  const machineOptions = { memoryMB: SWAP_MEMORY_MB, ...options, onMachine };
  const run = asRun(runGuest(built, { ...(swaps ? swappingOptions(machineOptions) : machineOptions), commandLine }));
  if (injectors[0].problems.length > 0) for (const one of run.cases) one.ok = false;
  return run;
}

/** P58 is measured: fork=auto against the fork=copy of the same kernel. */
function runStorm({ built }: Wanted): CaseRun {
  const [auto, copy] = (["auto", "copy"] as const).map(
    (mode) => forkRun(built, { mode, program: STORM }).regions.find(({ id }) => id === Region.Storm)?.cycles ?? 0,
  );
  const name = `P58 auto ${auto} cycles, copy ${copy}`;
  return { cases: [{ name, ok: auto <= copy, notes: [] }], stop: { reason: "exit", value: 0 } };
}
const STORM = "/bin/forkstorm 200";

/** On a machine with a swap disk that can refuse. */
function runSwapping({ built, mode, program, names, settings, options }: Wanted): CaseRun {
  const commandLine = testCommandLine(mode, program, inQuotes(names), false, `swap=on ${settings}`);
  return asRun(runGuest(built, { ...swappingOptions(options), commandLine }));
}

/** On a machine with the disk that the program expects. */
function runOnDisk({ built, mode, program, names, settings, options }: Wanted): CaseRun {
  const commandLine = testCommandLine(mode, program, inQuotes(names), true, settings);
  return asRun(runGuest(built, { ...options, commandLine, disk: new BufferDisk(diskImage()) }));
}

const HOSTED: Readonly<Record<string, (wanted: Wanted) => CaseRun>> = {
  spurious: ({ built, mode, options }) => asRun(runWithHelp(built, mode, options)),
  diskmap: runOnDisk,
  inject: runInjected,
  injectswap: runInjected,
  swapping: runSwapping,
  forkstorm: runStorm,
};

/** Runs the wanted cases of a program. */
export function runCases(wanted: Wanted): CaseRun {
  return (HOSTED[wanted.program] ?? runPlain)(wanted);
}

/** Names of the cases of a guest program, as its source has them. */
export function caseNames(program: string, root: string): string[] {
  if (program === "forkstorm") return ["P58 auto costs no more than copy"];
  const text = readFileSync(join(root, "userland/tests", `${program}.ts`), "utf8");
  return [...text.matchAll(/\btest\(\s*cstr\("([^"]+)"\)/g)].map(([, name]) => name);
}
