/** A machine saved, restored and taken over by another state. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "../../cpu/index";
import { Program } from "./guest";
import { boot, EXIT_OK, fingerprint, latin1, throwsMachineError } from "./machinerig";
import * as programs from "./programs";

const test = suite("cpu/machinestate");

test("save and restore: goes on to the same instruction, cycle and byte", () => {
  const [n, m] = [70_001, 90_000];
  for (const start of [programs.churn, () => programs.echoWithTimer(1193)]) {
    const whole = boot(start());
    whole.machine.input(latin1("some input, pasted"), { atInstret: n - 700 });
    whole.machine.input(latin1("and later"), { atInstret: n + 500 });
    whole.machine.run({ maxInstructions: n });
    const state = structuredClone(whole.machine.save());
    const before = whole.serial();
    const restored: string[] = [];
    const other = Machine.restore(state, { onSerial: (bytes) => restored.push(Buffer.from(bytes).toString("latin1")) });
    assert.equal(fingerprint(other), fingerprint(whole.machine));
    for (const machine of [whole.machine, other]) machine.run({ maxInstructions: m });
    assert.equal(fingerprint(other), fingerprint(whole.machine));
    assert.is(before + restored.join(""), whole.serial());
    assert.equal(other.inputLog, whole.machine.inputLog);
    assert.equal(other.save().board, whole.machine.save().board);
  }
});

test("save and restore between any two slices changes nothing", () => {
  const input: [string, number][] = [
    ["typed while busy", 3000],
    ["and again, a longer piece than the FIFO holds", 9000],
  ];
  const start = () => {
    const booted = boot(programs.echoWithTimer(600));
    for (const [text, atInstret] of input) booted.machine.input(latin1(text), { atInstret });
    return booted;
  };
  const length = 20_000;
  const whole = start();
  whole.machine.run({ maxInstructions: length });
  let { machine } = start();
  for (let n = 1; machine.instret < length; n = (n * 5 + 3) % 991) {
    machine.run({ maxInstructions: Math.min(n, length - machine.instret) });
    machine = Machine.restore(machine.save());
  }
  assert.equal(fingerprint(machine), fingerprint(whole.machine));
  const [one, other] = [machine.save(), whole.machine.save()];
  assert.equal(one.board, other.board);
  assert.equal(one.input, other.input);
  assert.is(one.input.log.length, 2);
});

test("save and restore: asleep, and behind an exit", () => {
  const sleeper = boot(programs.timerTicks(2, 11932, 2)).machine;
  assert.is(sleeper.run({ maxInstructions: 1e6, stopWhenIdle: true }).reason, "idle");
  const woken = Machine.restore(sleeper.save());
  assert.equal(woken.run({ maxInstructions: 1e6 }), EXIT_OK);
  const p = new Program();
  p.exit(5).exit(6);
  const { machine } = boot(p);
  assert.equal(machine.run({ maxInstructions: 2 }), { reason: "exit", value: 5 }, "the exit comes before the budget");
  assert.equal(Machine.restore(machine.save()).run({ maxInstructions: 2 }), { reason: "exit", value: 6 });
});

test("takeOver: a machine goes back to a state again and again, whatever it has done since", () => {
  const { machine, serial } = boot(programs.churn());
  machine.run({ maxInstructions: 70_001 });
  const state = structuredClone(machine.save());
  const before = serial().length;
  const ends = [0, 1, 2].map((round) => {
    machine.run({ maxInstructions: 90_000 });
    const end = { print: fingerprint(machine), sent: serial().slice(before) };
    // What was decoded and is overwritten here must not be run in the next round.
    if (round === 1) machine.writePhysical(0x100000, new Uint8Array(0x8000).fill(0x90));
    machine.input(latin1("gone"), { atInstret: machine.instret + 10 });
    machine.takeOver(state);
    assert.equal(fingerprint(machine), fingerprint(Machine.restore(state)));
    return end;
  });
  assert.equal(ends[1].print, ends[0].print);
  assert.equal(ends[2].print, ends[0].print);
  const [now, then] = [machine.save(), state];
  assert.equal([now.board, now.input, now.cpu.tlb], [then.board, then.input, then.cpu.tlb]);
  throwsMachineError(() => machine.takeOver({ ...state, cpu: { ...state.cpu, words: undefined as never } }), /damaged/);
  throwsMachineError(() => machine.run({ maxInstructions: 1 }), /nothing has been loaded/);
  machine.takeOver(state);
  machine.run({ maxInstructions: 90_000 });
  assert.equal(fingerprint(machine), ends[0].print);
});

test("takeOver: code that the state has otherwise is decoded afresh", () => {
  const value = (exit: number) => new Program().exit(exit);
  const { machine } = boot(value(5));
  const state = machine.save();
  assert.equal(machine.run({ maxInstructions: 9 }), { reason: "exit", value: 5 });
  const other = boot(value(6)).machine.save();
  machine.takeOver(other);
  assert.equal(machine.run({ maxInstructions: 9 }), { reason: "exit", value: 6 });
  machine.takeOver(state);
  assert.equal(machine.run({ maxInstructions: 9 }), { reason: "exit", value: 5 });
});

test("a saved state leaves zero pages out", () => {
  const { machine } = boot(programs.churn(), { memoryMB: 64 });
  machine.run({ maxInstructions: 1000 });
  assert.ok(machine.save().cpu.contents.length < 2 << 20);
});

test("bad states are refused", () => {
  const state = boot(programs.churn()).machine.save();
  throwsMachineError(() => Machine.restore({ ...state, version: 99 }), /version 99/);
  throwsMachineError(() => Machine.restore({ ...state, memoryMB: 8 }), /size of memory/);
  throwsMachineError(() => Machine.restore({ ...state, memoryMB: -1 }), /memory of -1 MB/);
  throwsMachineError(() => Machine.restore({ ...state, cpu: { ...state.cpu, version: 77 } }), /77/);
  throwsMachineError(() => Machine.restore(state, { cpu: "486" }), /of CPU model 686, this is 486/);
  throwsMachineError(() => new Machine({ memoryMB: 4, cpu: "8086" as "386" }), /'8086': there are 386, 486, 586, 686/);
  const frames = Uint32Array.of(0xffffff);
  throwsMachineError(() => Machine.restore({ ...state, cpu: { ...state.cpu, frames } }), /damaged/);
  for (const nothing of [undefined, null, 3, {}, { version: 1, memoryMB: 4 }])
    throwsMachineError(() => Machine.restore(nothing as unknown as typeof state), /version|damaged/);
  Machine.restore(state);
});

test.run();
