/** Going to any moment of a run, there and back: the machine is the same however it got there. */
import { createHash } from "node:crypto";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Machine } from "../../cpu/index";
import { History } from "../../tools/replay/history";
import { Random } from "../fuzz/random";
import { builtImages, machineFor } from "../guest/guest";

const test = suite("replay/history");
const built = await builtImages();

const COMMAND = "fork=share -- /bin/forkdemo 4";

function fresh(commandLine = COMMAND): Machine {
  return machineFor(built, { commandLine, memoryMB: 16 }).machine;
}

/** A hash of all that a guest can see of a machine. */
function fingerprint(machine: Machine): string {
  const { cpu, board, input } = machine.save();
  const { registers, instret, cycles } = machine;
  const hash = createHash("sha256").update(cpu.contents).update(new Uint8Array(cpu.tlb.slice().buffer));
  return hash.update(JSON.stringify([registers, instret, cycles, cpu.frames.length, board, input])).digest("hex");
}

const whole = fresh();
whole.run({ maxInstructions: 1e9 });
const END = whole.instret;

test("a moment is the same by any way to it: forwards, backwards, after thinning", () => {
  const random = new Random(3);
  const moments = Array.from({ length: 8 }, () => random.below(END));
  const expected = new Map<number, string>();
  for (const moment of moments) {
    const machine = fresh();
    machine.run({ maxInstructions: moment });
    expected.set(moment, fingerprint(machine));
  }
  for (const [name, options] of Object.entries({
    many: { spacing: 50_000 },
    few: { spacing: 50_000, mostBytes: 8 << 20 },
  })) {
    const history = new History(fresh(), options);
    for (const moment of moments) {
      history.seek(moment);
      assert.is(history.machine.instret, moment);
      assert.is(fingerprint(history.machine), expected.get(moment), `${name}: the state at ${moment}`);
    }
    assert.is(history.frontier, Math.max(...moments));
    const bytes = history.moments.reduce((sum, { state }) => sum + state.cpu.contents.length, 0);
    if (name === "few") assert.ok(bytes <= 8 << 20 || history.moments.length === 2, `${bytes} bytes are kept`);
    else assert.ok(history.moments.length > 10, "a checkpoint each 50,000 instructions");
  }
});

test("the run ends as it did, also after going back, and seeking beyond the end stays there", () => {
  const history = new History(fresh(), { spacing: 100_000 });
  assert.is(history.run({ maxInstructions: 1e9 }).reason, "exit");
  const end = fingerprint(history.machine);
  assert.is(history.machine.instret, END);
  history.seek(1000);
  assert.is(history.machine.instret, 1000);
  history.seek(END + 5000);
  assert.is(fingerprint(history.machine), end, "the last moment");
  assert.throws(() => history.seek(-1), /the history begins at 0/);
});

test("input is at the same instruction each time, whether given before or after a checkpoint; none is taken in the past", () => {
  const history = new History(fresh("init=/bin/sh"), { spacing: 100_000 });
  const typed = (text: string): boolean => history.type(Buffer.from(text));
  const runToIdle = (): void => {
    for (;;) {
      const stop = history.run({ maxInstructions: 1e8, stopWhenIdle: true });
      // The disk's sleeps are short; the clock ticks on.
      if (stop.reason !== "idle" || stop.wakeCycles - history.machine.cycles > 500_000) return;
    }
  };
  runToIdle();
  const before = history.machine.instret;
  assert.ok(typed("echo one\n"), "input at the frontier");
  runToIdle();
  assert.ok(typed("echo two\n"));
  runToIdle();
  const after = history.machine.instret;
  const expected = fingerprint(history.machine);
  history.seek(before - 10);
  assert.not(typed("echo never\n"), "input in the past is refused");
  history.seek(after);
  assert.is(fingerprint(history.machine), expected, "both lines were typed again");

  const again = new History(fresh("init=/bin/sh"), { spacing: 100_000, input: history.machine.inputLog });
  again.seek(after);
  assert.is(fingerprint(again.machine), expected, "a new history with the same input");
});

test("a search backwards finds the last moment, wherever the checkpoints lie", () => {
  const seen: number[] = [];
  const observed = fresh();
  observed.onEvent(({ a, instret }) => {
    if (a >>> 24 === 5) seen.push(instret);
  });
  observed.run({ maxInstructions: 1e9 });
  assert.ok(seen.length > 2, "forkdemo shares tables");
  const history = new History(fresh(), { spacing: 30_000 });
  history.run({ maxInstructions: 1e9 });
  const { machine } = history;
  let last: number | undefined;
  machine.onEvent(({ a, instret }) => {
    if (a >>> 24 === 5) last = instret;
  });
  for (const wanted of [...seen].reverse()) {
    const found = history.searchBackwards((until) => {
      last = undefined;
      machine.run({ maxInstructions: until - machine.instret });
      return last;
    });
    assert.is(found, wanted);
    assert.is(machine.instret, wanted, "the machine is there");
  }
  assert.is(
    history.searchBackwards(() => undefined),
    undefined,
  );
  assert.is(machine.instret, 0, "nowhere: at the beginning");
});

test.run();
