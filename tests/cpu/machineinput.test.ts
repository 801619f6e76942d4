/** Input to a machine: stamped, repeated from its log, and what a sleeping guest is woken by. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Booted, boot, EXIT_OK, fingerprint, latin1, run } from "./machinerig";
import * as programs from "./programs";

const test = suite("cpu/machineinput");

test("stamped input arrives at its instruction, and a log repeats the run", () => {
  const first = boot(programs.echoWithTimer(11932));
  first.machine.input(latin1("ab"), { atInstret: 2000 });
  first.machine.input(latin1("hello"), { atInstret: 500 });
  assert.equal(first.machine.run({ maxInstructions: 1000 }), { reason: "budget" });
  first.machine.input(latin1("now"));
  assert.equal(first.machine.run({ maxInstructions: 5000 }), { reason: "budget" });
  assert.is(first.serial(), "ifmmpopxbc");
  first.machine.input(latin1("q"), { atInstret: 6500 });
  assert.equal(first.machine.run({ maxInstructions: 1e6 }), EXIT_OK);
  assert.is(first.serial(), "ifmmpopxbcr");
  const log = first.machine.inputLog;
  assert.equal(
    log.map((record) => [record.atInstret, Buffer.from(record.bytes).toString()]),
    [
      [500, "hello"],
      [1000, "now"],
      [2000, "ab"],
      [6500, "q"],
    ],
  );
  const second = boot(programs.echoWithTimer(11932));
  for (const { bytes, ...stamp } of log) second.machine.input(bytes, stamp);
  assert.equal(second.machine.run({ maxInstructions: 1e6 }), EXIT_OK);
  assert.is(second.serial(), first.serial());
  assert.equal(fingerprint(second.machine), fingerprint(first.machine));
  assert.equal(second.machine.inputLog, log);
});

test("input while time passes in HLT is repeated at its cycle", () => {
  const first = boot(programs.echoWithTimer(60_000));
  first.machine.run({ maxInstructions: 1e6, maxCycles: 1_000_000 });
  assert.is(first.machine.cycles, 1_000_000, "asleep");
  first.machine.input(latin1("xq"));
  assert.equal(first.machine.run({ maxInstructions: 1e6 }), EXIT_OK);
  const second = boot(programs.echoWithTimer(60_000));
  for (const { bytes, ...stamp } of first.machine.inputLog) second.machine.input(bytes, stamp);
  assert.equal(second.machine.run({ maxInstructions: 1e6 }), EXIT_OK);
  assert.equal(fingerprint(second.machine), fingerprint(first.machine));
});

test("a guest that nothing else could wake gets later input at once", () => {
  const { machine, serial } = boot(programs.echo());
  machine.input(latin1("abc"), { atInstret: 1_000_000 });
  machine.input(latin1("q"), { atInstret: 2_000_000 });
  assert.equal(machine.run({ maxInstructions: 10_000 }), EXIT_OK);
  assert.is(serial(), "bcdr");
  const log = machine.inputLog;
  assert.ok(log[1].atInstret < 10_000, "the log has the real moment");
  const second = boot(programs.echo());
  for (const { bytes, ...stamp } of log) second.machine.input(bytes, stamp);
  second.machine.run({ maxInstructions: 10_000 });
  assert.equal(fingerprint(second.machine), fingerprint(machine));
});

test("input for a cycle finds a busy guest at the first boundary there", () => {
  const { machine, serial } = boot(programs.echoByPolling());
  const bytes = latin1("xyzq");
  machine.input(bytes, { atCycles: 50_000 });
  bytes.fill(0);
  assert.equal(machine.run({ maxInstructions: 1e6 }), EXIT_OK);
  assert.is(serial(), "xyz");
  const { atCycles } = machine.inputLog[0];
  assert.ok(atCycles >= 50_000 && atCycles < 50_020, `${atCycles}`);
});

test("input from a hook or an event listener arrives at the next boundary", () => {
  const { machine, serial } = boot(programs.echoByPolling());
  machine.onInstruction(() => {
    if (machine.instret === 1500) machine.input(latin1("a"));
    if (machine.instret === 9000) machine.input(latin1("q"));
  });
  assert.equal(machine.run({ maxInstructions: 1e6 }), EXIT_OK);
  assert.is(serial(), "a");
  assert.equal(
    machine.inputLog.map((record) => record.atInstret),
    [1501, 9001],
  );
});

test("a timer that is masked wakes nobody", () => {
  const { machine } = boot(programs.maskedTimer());
  assert.equal(machine.run({ maxInstructions: 1e6 }), { reason: "halt" });
  machine.input(latin1("x"));
  assert.equal(machine.run({ maxInstructions: 1e6 }), EXIT_OK);
});

test("stopWhenIdle: idle with the next event's cycle; the next run sleeps through it", () => {
  const { machine } = boot(programs.timerTicks(2, 1193, 3));
  let wakeCycles = 0;
  for (let tick = 0; tick < 3; tick++) {
    const stop = machine.run({ maxInstructions: 1e6, stopWhenIdle: true });
    assert.is(stop.reason, "idle");
    if (stop.reason !== "idle") return;
    assert.ok(stop.wakeCycles > machine.cycles);
    if (tick > 0) assert.ok(Math.abs(stop.wakeCycles - wakeCycles - 1193 / 0.01193182) < 2);
    wakeCycles = stop.wakeCycles;
  }
  assert.equal(machine.run({ maxInstructions: 1e6, stopWhenIdle: true }), EXIT_OK);
});

test("stopWhenIdle: a guest that waits for input is idle until it gets some", () => {
  const { machine, serial } = boot(programs.echo());
  const waiting = { reason: "idle", wakeCycles: Infinity };
  for (let i = 0; i < 3; i++) assert.equal(machine.run({ maxInstructions: 1e6, stopWhenIdle: true }), waiting);
  assert.equal(machine.run({ maxInstructions: 1e6 }), { reason: "halt" }, "without the option");
  machine.input(latin1("q"));
  let stop = machine.run({ maxInstructions: 1e6, stopWhenIdle: true });
  while (stop.reason === "idle" && stop.wakeCycles < Infinity)
    stop = machine.run({ maxInstructions: 1e6, stopWhenIdle: true });
  assert.equal(stop, EXIT_OK);
  assert.is(serial(), "r");
  assert.equal(run(programs.sleepForEver(true), { stopWhenIdle: true }).stop, { reason: "halt" });
});

test("a serial listener may give input", () => {
  const booted: Booted = boot(programs.echo(), {
    onSerial: (bytes) => {
      text += Buffer.from(bytes).toString();
      if (text === "b\n") booted.machine.input(latin1("q"));
    },
  });
  let text = "";
  booted.machine.input(latin1("a\t"), { atInstret: 1000 });
  assert.equal(booted.machine.run({ maxInstructions: 1e6 }), EXIT_OK);
  assert.is(text, "b\nr");
});

test.run();
