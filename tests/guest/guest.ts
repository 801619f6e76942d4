/**
 * Guest test programs on our machine: boots the built images, runs one program of the initrd's /tests as init's child, and
 * makes every case that it prints a test of its own. May import cpu, tools/image, tools/lab, uvu.
 */
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type DiskBackend, type DiskFault, EventKind, Machine, type StopReason } from "../../cpu/index";
import { type BuiltAll, buildAll } from "../../tools/image/build";
import { type GuestCase, readTap } from "../../tools/lab/tap";

export const MODES = ["copy", "share", "auto"] as const;
export type Mode = (typeof MODES)[number];

/** Instructions after which a guest program is taken to hang. */
const BUDGET = 4e9;

let images: Promise<BuiltAll> | undefined;

/** Our kernel and initrd, up to date. Throws CompileError for a mistake in a source. */
export function builtImages(): Promise<BuiltAll> {
  images ??= buildAll(join(process.cwd(), "dist"));
  return images;
}

/** What one boot gave. */
export interface GuestRun {
  output: string;
  stop: StopReason;
  instret: number;
  cycles: number;
}

export interface GuestOptions {
  commandLine: string;
  /** 64 unless told. */
  memoryMB?: number;
  /** Instructions after which the program is taken to hang: BUDGET unless told. */
  maxInstructions?: number;
  /** The IDE disk, and what goes wrong with it; none unless told. */
  disk?: DiskBackend;
  diskFaults?: readonly DiskFault[];
  /** Given the machine before it runs, to listen to it. */
  onMachine?: (machine: Machine) => void;
  /** Called for each mark, with its 32-bit value and the machine's counts. */
  onMark?: (value: number, instret: number, cycles: number) => void;
}

/** A machine that has loaded the images, and what it will print. */
export function machineFor(built: BuiltAll, options: GuestOptions): { machine: Machine; output: () => string } {
  let output = "";
  const onSerial = (bytes: Uint8Array) => (output += Buffer.from(bytes).toString("latin1"));
  const { disk, diskFaults } = options;
  const machine = new Machine({
    memoryMB: options.memoryMB ?? 64,
    onSerial,
    ...(disk === undefined ? {} : { disk }),
    ...(diskFaults === undefined ? {} : { diskFaults }),
  });
  machine.loadMultiboot(built.kernel, { commandLine: options.commandLine, modules: [built.initrd] });
  const { onMark } = options;
  if (onMark) {
    machine.onEvent(({ a, instret, cycles }) => onMark(a, instret, cycles), [EventKind.Mark]);
  }
  options.onMachine?.(machine);
  return { machine, output: () => output.replaceAll("\r\n", "\n") };
}

/** Boots and runs to the end. */
export function runGuest(built: BuiltAll, options: GuestOptions): GuestRun {
  const { machine, output } = machineFor(built, options);
  const stop = machine.run({ maxInstructions: options.maxInstructions ?? BUDGET });
  return { output: output(), stop, instret: machine.instret, cycles: machine.cycles };
}

/** Kernel command line, `settings` of its own among it, that runs a test program as init's child; freed frames are filled unless told. */
export function testCommandLine(
  mode: Mode,
  program: string,
  programArguments = "",
  poison = true,
  settings = "",
): string {
  return `fork=${mode} poison=${poison ? "on" : "off"} ${settings} -- /tests/${program} ${programArguments}`.trimEnd();
}

/** Guest output in a message: prefixed, so that no line of it looks like the runner's. */
export function quoted(output: string): string {
  return output
    .trimEnd()
    .split("\n")
    .map((line) => `  guest| ${line}`)
    .join("\n");
}

/** The cases of a run; one more, failed, when the run did not end as a run whose cases all pass does. */
export function casesOf(run: GuestRun): GuestCase[] {
  const cases = readTap(run.output);
  const { stop } = run;
  if (cases.every(({ ok }) => ok) && !(stop.reason === "exit" && stop.value === 0)) {
    cases.push({ name: `the run ends well, not with ${JSON.stringify(stop)}`, ok: false, notes: [run.output] });
  }
  return cases;
}

/** Registers every case of a test program, in each mode, as a test; with `property` as one of that. To be awaited at the top of a test file. */
export async function guestTests(
  program: string,
  options: { memoryMB?: number; arguments?: string; poison?: boolean; settings?: string; property?: string } = {},
): Promise<void> {
  const { arguments: programArguments = "", poison = true, settings = "", property, ...machineOptions } = options;
  const built = await builtImages();
  // All runs come first: uvu starts as soon as the event loop turns after the first suite.
  const runs = MODES.map((mode) => {
    const commandLine = testCommandLine(mode, program, programArguments, poison, settings);
    return { mode, cases: casesOf(runGuest(built, { commandLine, ...machineOptions })) };
  });
  for (const { mode, cases } of runs) {
    const test = suite(`guest/${program} fork=${mode} ${settings}`.trimEnd());
    for (const { name, ok, notes } of cases) {
      const named = property === undefined ? name : `${property} ${name}`;
      test(named, () => assert.ok(ok, `the guest says:\n${quoted(notes.join("\n"))}`));
    }
    test.run();
  }
}
