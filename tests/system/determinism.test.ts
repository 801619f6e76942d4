/**
 * The same run twice is the same run: instructions, cycles and every byte, also when it is cut into slices or goes on from
 * a saved state, and whoever listens.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "../../cpu/index";
import { builtImages, type GuestRun, MODES, machineFor, runGuest } from "../guest/guest";

const test = suite("system/determinism");
const built = await builtImages();

/** Runs in slices of a number of instructions that nothing divides. */
function runInSlices(commandLine: string, slice: number): GuestRun {
  const { machine, output } = machineFor(built, { commandLine });
  let stop = machine.run({ maxInstructions: slice });
  while (stop.reason === "budget") stop = machine.run({ maxInstructions: slice });
  return { output: output(), stop, instret: machine.instret, cycles: machine.cycles };
}

// Preemption, sleeping and signals are in the one, sizes of memory in the other.
const PROGRAMS = [
  { mode: "share", program: "/tests/process" },
  { mode: "copy", program: "/bin/forkdemo 4 16" },
] as const;

for (const { mode, program } of PROGRAMS) {
  test(`${program} fork=${mode}: twice, to the instruction`, () => {
    const commandLine = `fork=${mode} -- ${program}`;
    const first = runGuest(built, { commandLine });
    assert.is(first.stop.reason, "exit");
    assert.equal(runGuest(built, { commandLine, onMark: () => {} }), first, "with a listener");
    assert.equal(runInSlices(commandLine, 99_991), first, "in slices");
  });
}

for (const mode of MODES) {
  test(`fork=${mode}: from a saved state`, () => {
    const commandLine = `fork=${mode} -- /bin/forkdemo 4`;
    const whole = runGuest(built, { commandLine });
    const { machine, output } = machineFor(built, { commandLine });
    machine.run({ maxInstructions: Math.floor(whole.instret / 2) });
    let rest = "";
    const onSerial = (bytes: Uint8Array) => (rest += Buffer.from(bytes).toString("latin1"));
    const second = Machine.restore(machine.save(), { onSerial });
    const stop = second.run({ maxInstructions: whole.instret });
    const { instret, cycles } = second;
    assert.equal({ output: output() + rest.replaceAll("\r\n", "\n"), stop, instret, cycles }, whole);
  });
}

test.run();
