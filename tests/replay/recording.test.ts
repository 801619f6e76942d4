/** Recordings: a run in a file, from which any window comes out as it was; and files that are damaged, cut, foreign. */
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { BufferDisk, Machine } from "../../cpu/index";
import { swapDisk } from "../../tools/disk/swaparea";
import { bootRecipe, type Recipe } from "../../tools/replay/recipe";
import { Recording, RecordingError, RecordingWriter } from "../../tools/replay/recording";
import { withFiles } from "../cli/tine";
import { builtImages } from "../guest/guest";
import { littleKernel, tracerOf } from "../trace/little";

const test = suite("replay/recording");
const { kernel, initrd } = await builtImages();

function recipeOf(commandLine: string, memoryMB = 16): Recipe {
  return { memoryMB, kernel, kernelName: "kernel.elf", commandLine, modules: [initrd] };
}

const FORKS = recipeOf("fork=share -- /bin/forkstorm 30");

/** Records a run; the machine as it ended. `during` is called between slices. */
function record(
  path: string,
  recipe: Recipe,
  options: { disk?: BufferDisk; spacing?: number; during?: (machine: Machine) => void; end?: boolean } = {},
): Machine {
  const { disk, spacing = 100_000, during, end = true } = options;
  const machine = bootRecipe(recipe, disk);
  const writer = new RecordingWriter(path, recipe, disk, "forkstorm 30", spacing);
  for (;;) {
    writer.checkpoint(machine);
    const { reason } = machine.run({ maxInstructions: writer.nextCheckpoint - machine.instret });
    during?.(machine);
    if (reason === "budget") continue;
    if (end) writer.end(machine, reason);
    return machine;
  }
}

/** All that a guest can see of a machine. */
function stateOf(machine: Machine): unknown {
  const { cpu, board } = machine.save();
  return {
    registers: machine.registers,
    cycles: machine.cycles,
    tlb: cpu.tlb,
    frames: cpu.frames,
    contents: Buffer.from(cpu.contents).toString("base64"),
    board,
  };
}

test("any moment of a recording is that of the run, whichever checkpoint it is reached from", () => {
  withFiles({}, (folder) => {
    const path = join(folder, "run.tine");
    const ended = record(path, FORKS);
    const recording = Recording.open(path);
    assert.equal([recording.endsAt, recording.endReason, recording.command], [ended.instret, "exit", "forkstorm 30"]);
    const machine = recording.machine();
    for (const moment of [1_234_567, 1_234_568, 700_000, ended.instret - 3, 0, 1_600_001]) {
      recording.goTo(machine, moment);
      assert.ok(machine.instret <= moment && moment - machine.instret <= 100_000, "a checkpoint lies close before");
      machine.run({ maxInstructions: moment - machine.instret });
      const direct = bootRecipe(FORKS, undefined);
      direct.run({ maxInstructions: moment });
      assert.equal(stateOf(machine), stateOf(direct), `at ${moment}`);
    }
  });
});

test("a frame that has become zero since the last whole checkpoint is zero again", () => {
  withFiles({}, (folder) => {
    const path = join(folder, "run.tine");
    const wait = (label: string) => `mov ecx, 100000\n${label}: dec ecx\njnz ${label}`;
    const body = `mov dword ptr [0x200000], 5\n${wait("one")}\nmov dword ptr [0x200000], 0\n${wait("two")}`;
    const recipe = { ...recipeOf(""), kernel: littleKernel(body), modules: [] };
    // The first whole checkpoint of a machine with the frame filled.
    const machine = bootRecipe(recipe, undefined);
    machine.run({ maxInstructions: 50_000 });
    const writer = new RecordingWriter(path, recipe, undefined, "little", 100_000);
    writer.checkpoint(machine);
    machine.run({ maxInstructions: 250_000 });
    writer.checkpoint(machine);
    writer.end(machine, "budget");
    const again = bootRecipe(recipe, undefined);
    Recording.open(path).goTo(again, 300_000);
    assert.is(again.instret, 300_000);
    assert.equal(stateOf(again), stateOf(machine));
  });
});

test("a window's trace is the same from the recording as from the run", () => {
  withFiles({}, (folder) => {
    const path = join(folder, "run.tine");
    record(path, FORKS);
    const filter = { from: 1_300_000, to: 1_303_000 };
    const linesOf = (machine: Machine) => {
      const { tracer, lines } = tracerOf(machine, kernel, [initrd], { filter });
      for (; !tracer.isDone; tracer.atBoundary())
        machine.run({ maxInstructions: tracer.nextBoundary() - machine.instret });
      return lines;
    };
    const recording = Recording.open(path);
    const machine = recording.machine();
    recording.goTo(machine, filter.from);
    assert.ok(machine.instret > 1_000_000);
    const live = linesOf(bootRecipe(FORKS, undefined));
    assert.equal(linesOf(machine), live);
    assert.ok(live.length > 1000);
  });
});

test("input is in the recording, with its moments", () => {
  withFiles({}, (folder) => {
    const path = join(folder, "run.tine");
    const recipe = recipeOf("fork=share");
    const lines = ["echo one\n", "echo two\n", "exit 7\n"];
    let output = "";
    const machine = bootRecipe(recipe, undefined, (bytes) => (output += Buffer.from(bytes).toString()));
    const writer = new RecordingWriter(path, recipe, undefined, "sh", 200_000);
    for (;;) {
      if (machine.instret >= writer.nextCheckpoint) writer.checkpoint(machine);
      const { reason } = machine.run({ maxInstructions: writer.nextCheckpoint - machine.instret, stopWhenIdle: true });
      const line = reason === "idle" ? lines.shift() : undefined;
      if (line !== undefined) machine.input(Buffer.from(line));
      else if (reason !== "budget" && reason !== "idle") {
        writer.end(machine, reason);
        break;
      }
    }
    const recording = Recording.open(path);
    assert.is(Buffer.concat(recording.input.map(({ bytes }) => bytes)).toString(), "echo one\necho two\nexit 7\n");
    let replayed = "";
    const again = recording.machine((bytes) => (replayed += Buffer.from(bytes).toString()));
    again.run({ maxInstructions: 1e9 });
    assert.equal([again.instret, again.cycles, replayed], [machine.instret, machine.cycles, output]);
    const late = recording.machine();
    recording.goTo(late, recording.input[2].atInstret - 1);
    assert.ok(late.instret > 0);
    late.run({ maxInstructions: 1e9 });
    assert.equal([late.instret, late.cycles], [machine.instret, machine.cycles]);
  });
});

test("a disk is in the recording, as it was at first and as it had become", () => {
  withFiles({}, (folder) => {
    const path = join(folder, "run.tine");
    const recipe = { ...recipeOf("swap=on fork=share -- /tests/swapping", 16), disk: { swapMB: 8 } };
    const ended = record(path, recipe, { disk: swapDisk(8), spacing: 3_000_000 });
    const recording = Recording.open(path);
    const machine = recording.machine();
    recording.goTo(machine, ended.instret - 1_000_000);
    assert.ok(machine.instret > 0);
    machine.run({ maxInstructions: 1e9 });
    assert.equal([machine.instret, machine.cycles], [ended.instret, ended.cycles]);
  });
});

test("a recording that was cut is one up to its last whole chunk", () => {
  withFiles({}, (folder) => {
    const path = join(folder, "run.tine");
    const ended = record(path, FORKS);
    const size = readFileSync(path).length;
    truncateSync(path, size - 3);
    assert.is(Recording.open(path).endReason, undefined, "its end is missing");
    truncateSync(path, Math.floor(size * 0.9));
    const cut = Recording.open(path);
    assert.ok(cut.endsAt > 0 && cut.endsAt < ended.instret);
    const machine = cut.machine();
    cut.goTo(machine, cut.endsAt);
    machine.run({ maxInstructions: cut.endsAt - machine.instret });
    const direct = bootRecipe(FORKS, undefined);
    direct.run({ maxInstructions: cut.endsAt });
    assert.equal(stateOf(machine), stateOf(direct));
  });
});

test("what is no recording, or one that cannot be read, is told in one line", () => {
  withFiles({ "text.tine": "hello\n", "empty.tine": "", "short.tine": "TINERUN\n" }, (folder) => {
    const good = join(folder, "good.tine");
    record(good, FORKS);
    const bytes = readFileSync(good);
    const at = (name: string, change: (copy: Buffer) => void) => {
      const copy = Buffer.from(bytes);
      change(copy);
      writeFileSync(join(folder, name), copy);
    };
    at("version.tine", (copy) => copy.writeUInt32LE(9, 8));
    at("kind.tine", (copy) => copy.writeUInt32LE(77, 12));
    at("image.tine", (copy) => (copy[2000] ^= 1));
    at("head.tine", (copy) => (copy[40] ^= 1));
    const reason = (name: string): string => {
      try {
        const recording = Recording.open(join(folder, name));
        recording.goTo(recording.machine(), recording.endsAt);
        return "";
      } catch (error) {
        assert.ok(error instanceof RecordingError, String(error));
        return error.message.slice(folder.length + 1);
      }
    };
    assert.is(reason("text.tine"), "text.tine: not a recording of a run");
    assert.is(reason("empty.tine"), "empty.tine: not a recording of a run");
    assert.is(reason("short.tine"), "short.tine: truncated");
    assert.is(reason("version.tine"), "version.tine: a recording of a run of version 9; this is version 1");
    assert.match(reason("kind.tine"), /^kind\.tine: damaged: chunk 0 is of no kind/);
    assert.match(reason("image.tine"), /^image\.tine: damaged: the checksum of chunk 1 is wrong$/);
    assert.match(reason("head.tine"), /^head\.tine: damaged: the checksum of chunk 0 is wrong$/);
    writeFileSync(join(folder, "cut.tine"), bytes.subarray(0, 3000));
    assert.is(reason("cut.tine"), "cut.tine: truncated: an image is missing");
    // Behind the images the last checkpoint is damaged: what lies before it can still be gone to.
    at("late.tine", (copy) => (copy[copy.length - 400] ^= 1));
    const late = Recording.open(join(folder, "late.tine"));
    late.goTo(late.machine(), 150_000);
  });
});

test.run();
