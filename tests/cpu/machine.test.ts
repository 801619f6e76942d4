/** The whole machine: small guests on processor and board, stop reasons, determinism, input, save and restore. */
import { spawnSync } from "node:child_process";
import { buildSync } from "esbuild";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { cycleOfPitTick, pitTickAt } from "../../cpu/board/clock";
import {
  EventKind,
  Machine,
  MachineError,
  type MachineEvent,
  type MachineOptions,
  type RunOptions,
  type StopReason,
} from "../../cpu/index";
import { at, CR, EAX, ECX, ESP, Program } from "./guest";
import * as programs from "./programs";

const test = suite("cpu/machine");

interface Booted {
  machine: Machine;
  serial: () => string;
}

function boot(program: Program, options: Partial<MachineOptions> = {}): Booted {
  let text = "";
  const onSerial = (bytes: Uint8Array) => {
    text += Buffer.from(bytes).toString("latin1");
  };
  const machine = new Machine({ memoryMB: 4, onSerial, ...options });
  machine.loadMultiboot(program.elf());
  return { machine, serial: () => text };
}

/** Boots and runs; enough for any of the short programs. */
function run(program: Program, options: Partial<RunOptions> = {}): Booted & { stop: StopReason } {
  const booted = boot(program);
  return { ...booted, stop: booted.machine.run({ maxInstructions: 10_000_000, ...options }) };
}

function eventsOf(machine: Machine, ...kinds: EventKind[]): MachineEvent[] {
  const events: MachineEvent[] = [];
  machine.onEvent((event) => {
    if (kinds.length === 0 || kinds.includes(event.kind)) events.push({ ...event });
  });
  return events;
}

/** All that a guest or a listener can see of a machine, for comparison. */
function fingerprint(machine: Machine) {
  const { instret, cycles, registers } = machine;
  let hash = 0;
  for (const byte of machine.readPhysical(0, machine.memoryMB << 20)) hash = (Math.imul(hash, 31) + byte) | 0;
  return { instret, cycles, registers, hash };
}

function throwsMachineError(body: () => unknown, message: RegExp): void {
  try {
    body();
  } catch (error) {
    assert.instance(error, MachineError);
    assert.match((error as MachineError).message, message);
    return;
  }
  assert.unreachable("nothing was thrown");
}

const latin1 = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
const EXIT_OK = { reason: "exit", value: 0 };

test("starts as a multiboot loader leaves it", () => {
  const { machine } = boot(programs.marks());
  const { registers } = machine;
  assert.is(registers.eax, 0x2badb002);
  assert.is(registers.eip, 0x100010);
  assert.is(registers.cr0 & 0x80000001, 1);
  assert.is(registers.eflags, 2);
  assert.is(registers.cpl, 0);
  assert.is(new DataView(machine.readPhysical(registers.ebx, 4).buffer).getUint32(0, true) & 0x200, 0x200);
  assert.is(machine.instret, 0);
  assert.is(machine.cycles, 0);
});

test("hello by polling and by interrupt", () => {
  for (const program of [programs.helloByPolling, programs.helloByInterrupt]) {
    const { stop, serial } = run(program("hello, world\nand again"));
    assert.equal(stop, EXIT_OK);
    assert.is(serial(), "hello, world\nand again");
  }
});

test("serial output comes line by line, not only at the end", () => {
  const pieces: string[] = [];
  const { machine } = boot(programs.helloByPolling("one\ntwo\nthree"), {
    onSerial: (bytes) => pieces.push(Buffer.from(bytes).toString()),
  });
  machine.run({ maxInstructions: 1e6 });
  assert.equal(pieces, ["one\n", "two\n", "three"]);
});

test("the timer interrupts a sleeping guest at the exact cycle", () => {
  for (const [mode, count] of [
    [2, 1193],
    [3, 1193],
    [2, 11],
  ]) {
    const { machine } = boot(programs.timerTicks(mode, count, 10));
    const traps = eventsOf(machine, EventKind.TrapEntry);
    assert.equal(machine.run({ maxInstructions: 1e6 }), EXIT_OK);
    assert.is(traps.length, 10);
    assert.ok(traps.every((trap) => trap.a === 0x20));
    // A tick wakes the guest at its edge; delivery costs the same each time.
    const first = pitTickAt(traps[0].cycles);
    const delivery = traps[0].cycles - cycleOfPitTick(first);
    for (const [i, trap] of traps.entries()) assert.is(trap.cycles, cycleOfPitTick(first + i * count) + delivery);
  }
});

test("mode 0 interrupts once; then the guest sleeps for ever", () => {
  const { stop, machine } = run(programs.timerTicks(0, 500, 2));
  assert.equal(stop, { reason: "halt" });
  assert.is(machine.registers.ecx, 1);
});

/** Cycles from the boundary at which an interrupt is taken to the event that tells of it. */
function deliveryCycles(): number {
  const { machine } = boot(programs.timerTicks(2, 1193, 1));
  const traps = eventsOf(machine, EventKind.TrapEntry);
  const idle = machine.run({ maxInstructions: 1e6, stopWhenIdle: true });
  machine.run({ maxInstructions: 1e6 });
  return traps[0].cycles - (idle.reason === "idle" ? idle.wakeCycles : Number.NaN);
}

test("a busy guest is interrupted at the first boundary at or after the edge", () => {
  const program = programs.busyTicks(1193, 20);
  const { machine } = boot(program);
  const delivery = deliveryCycles();
  machine.setBreakpoint(program.address("count"));
  machine.run({ maxInstructions: 1e7 });
  machine.clearBreakpoint(program.address("count"));
  // The next edge is the fall before the rise.
  const rise = pitTickAt(machine.save().board.pit.edgeAt) + 1;
  const traps = eventsOf(machine, EventKind.TrapEntry);
  let boundary = 0;
  let [early, late] = [0, 0];
  machine.onEvent(({ kind, cycles }) => {
    if (kind !== EventKind.TrapEntry) return;
    const edge = cycleOfPitTick(rise + (traps.length - 1) * 1193);
    if (cycles - delivery < edge) early++;
    if (boundary >= edge) late++;
  });
  machine.onInstruction(() => {
    boundary = machine.cycles;
  });
  assert.equal(machine.run({ maxInstructions: 1e7 }), EXIT_OK);
  assert.is(traps.length, 20);
  assert.equal([early, late], [0, 0]);
});

test("an acknowledged interrupt is not taken again while its handler lets others in", () => {
  assert.equal(run(programs.nestingTicks(1193, 5)).stop, EXIT_OK);
});

test("the exit port gives its value, and the run can go on behind it", () => {
  const p = new Program();
  p.exit(42).op("mov", EAX, 0x1234567).op("out", 0xf4, EAX).exit(0);
  const { machine } = boot(p);
  assert.equal(machine.run({ maxInstructions: 100 }), { reason: "exit", value: 42 });
  assert.is(machine.instret, 2);
  assert.equal(machine.run({ maxInstructions: 100 }), { reason: "exit", value: 0x1234567 });
  assert.equal(machine.run({ maxInstructions: 100 }), EXIT_OK);
});

test("marks and instret at their ports", () => {
  const { machine } = boot(programs.marks());
  const events = eventsOf(machine);
  assert.equal(machine.run({ maxInstructions: 100 }), { reason: "exit", value: 7 });
  assert.equal(
    events.map(({ kind, a, instret }) => [kind, a, instret]),
    [
      [EventKind.Mark, 0x01020304, 2],
      [EventKind.Mark, 4, 6], // instret before the IN that read it
      [EventKind.Mark, 0, 10],
      [EventKind.Mark, 0xffff, 15], // a 16-bit read sees no counter
      [EventKind.Exit, 7, 19],
    ],
  );
});

test("ports without a device read all ones", () => {
  const { machine } = boot(programs.openPorts());
  const marks = eventsOf(machine, EventKind.Mark);
  machine.run({ maxInstructions: 100 });
  assert.equal(
    marks.map((mark) => mark.a),
    [0xff, 0xffff, 0xffffffff],
  );
});

test("HLT with no way to wake is a halt", () => {
  for (const interrupts of [false, true]) {
    const { stop, machine } = run(programs.sleepForEver(interrupts));
    assert.equal(stop, { reason: "halt" });
    assert.equal(machine.run({ maxInstructions: 100 }), { reason: "halt" });
  }
});

test("a triple fault shuts the machine down at the instruction, for good", () => {
  const program = programs.tripleFault();
  const { stop, machine } = run(program);
  assert.equal(stop, { reason: "tripleFault", eip: program.address("ud") });
  assert.is(machine.instret, 2);
  assert.equal(machine.run({ maxInstructions: 10 }), stop);
  assert.is(machine.instret, 2);
});

test("budgets of instructions are exact, within repetitions too", () => {
  const { machine } = boot(programs.churn());
  let expected = 0;
  for (const slice of [1, 2, 3, 1000, 7, 40_000, 1, 1, 1, 123_457]) {
    assert.equal(machine.run({ maxInstructions: slice }), { reason: "budget" });
    expected += slice;
    assert.is(machine.instret, expected);
  }
  assert.equal(machine.run({ maxInstructions: 0 }), { reason: "budget" });
  assert.is(machine.instret, expected);
});

test("budgets of cycles stop at the first boundary, also asleep", () => {
  const { machine } = boot(programs.churn());
  machine.run({ maxInstructions: Infinity, maxCycles: 100_000 });
  assert.ok(machine.cycles >= 100_000 && machine.cycles < 100_100, `${machine.cycles}`);
  const sleeper = boot(programs.timerTicks(2, 0, 3)).machine;
  assert.equal(sleeper.run({ maxInstructions: Infinity, maxCycles: 1_000_000 }), { reason: "budget" });
  assert.is(sleeper.cycles, 1_000_000);
});

test("breakpoints stop before the instruction; the next run goes on with it", () => {
  const p = new Program();
  p.op("mov", ECX, 3).label("loop").op("dec", ECX).jump("jnz", "loop").label("end").exit(0);
  const { machine } = boot(p);
  const loop = p.address("loop");
  machine.setBreakpoint(loop);
  for (const ecx of [3, 2, 1]) {
    assert.equal(machine.run({ maxInstructions: 1000 }), { reason: "breakpoint", address: loop });
    assert.is(machine.registers.eip, loop);
    assert.is(machine.registers.ecx, ecx);
  }
  machine.clearBreakpoint(loop);
  assert.equal(machine.run({ maxInstructions: 1000 }), EXIT_OK);
});

test("the hook sees each instruction before it runs", () => {
  const p = new Program();
  p.op("mov", ECX, 3).label("loop").op("dec", ECX).jump("jnz", "loop").exit(0);
  const { machine } = boot(p);
  const seen: number[][] = [];
  machine.onInstruction(() => seen.push([machine.instret, machine.registers.eip, machine.registers.ecx]));
  machine.run({ maxInstructions: 1000 });
  const [loop, jump] = [p.address("loop"), p.address("loop") + 1];
  assert.equal(seen.slice(1, 5), [
    [1, loop, 3],
    [2, jump, 2],
    [3, loop, 2],
    [4, jump, 1],
  ]);
  assert.is(seen.length, machine.instret);
});

test("events: a listener can be taken away, and several can listen", () => {
  const { machine } = boot(programs.churn());
  let [one, two] = [0, 0];
  let marks = 0;
  const remove = machine.onEvent(() => one++);
  machine.onEvent(() => two++);
  machine.onEvent(
    ({ kind }) => {
      assert.is(kind, EventKind.Mark);
      marks++;
    },
    [EventKind.Mark],
  );
  machine.run({ maxInstructions: 200_000 });
  assert.ok(one > 0 && one === two);
  assert.ok(marks < one, `${marks} marks of ${one} events`);
  remove();
  const before = one;
  machine.run({ maxInstructions: 200_000 });
  assert.is(one, before);
  assert.ok(two > one);
});

test("the same run twice, in one piece, in slices, and under a listener, hook and breakpoints: all the same", () => {
  const length = 150_000;
  const whole = boot(programs.churn());
  whole.machine.run({ maxInstructions: length });
  const expected = fingerprint(whole.machine);
  const variants: Record<string, (machine: Machine) => void> = {
    again: (machine) => machine.run({ maxInstructions: length }),
    slices: (machine) => {
      for (let left = length, n = 1; left > 0; left -= n, n = Math.min(left, (n * 7) % 997)) {
        machine.run({ maxInstructions: n });
      }
    },
    "slices of cycles": (machine) => {
      while (machine.instret < length) machine.run({ maxInstructions: length - machine.instret, maxCycles: 777 });
    },
    listener: (machine) => {
      machine.onEvent(() => {});
      machine.run({ maxInstructions: length });
    },
    hook: (machine) => {
      machine.onInstruction(() => {});
      machine.run({ maxInstructions: length });
    },
    breakpoint: (machine) => {
      machine.setBreakpoint(machine.registers.eip + 5);
      while (machine.run({ maxInstructions: length - machine.instret }).reason !== "budget");
    },
  };
  for (const [name, variant] of Object.entries(variants)) {
    const other = boot(programs.churn());
    variant(other.machine);
    assert.equal(fingerprint(other.machine), expected, name);
    assert.is(other.serial(), whole.serial(), name);
  }
});

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

test("passTime: the timer interrupts at the instruction where time was let pass", () => {
  const [count, cycles] = [11932, 1_000_016];
  const { machine } = boot(programs.busyTicks(count, 3));
  const interrupts: number[] = [];
  machine.onEvent(({ kind, instret }) => {
    if (kind === EventKind.TrapEntry) interrupts.push(instret);
  });
  machine.run({ maxInstructions: 500 });
  assert.equal(interrupts, []);
  machine.passTime(cycles);
  machine.run({ maxInstructions: 1 });
  assert.equal(interrupts, [500]);
  throwsMachineError(() => machine.passTime(-1), /-1 cycles/);
  throwsMachineError(() => machine.passTime(Number.NaN), /NaN cycles/);
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

test("wrong use is refused with a line", () => {
  for (const memoryMB of [0, 1, 1.5, 5000, Number.NaN])
    throwsMachineError(() => new Machine({ memoryMB }), /whole number from 2 to 1792/);
  const empty = new Machine({ memoryMB: 2 });
  throwsMachineError(() => empty.run({ maxInstructions: 1 }), /nothing has been loaded/);
  throwsMachineError(() => empty.save(), /nothing has been loaded/);
  throwsMachineError(() => empty.loadMultiboot(latin1("no kernel")), /neither an ELF file nor multiboot/);
  const { machine } = boot(programs.churn());
  throwsMachineError(() => machine.loadMultiboot(programs.churn().elf()), /booted already/);
  throwsMachineError(() => machine.run({ maxInstructions: Number.NaN }), /NaN instructions/);
  machine.run({ maxInstructions: 10 });
  throwsMachineError(() => machine.input(latin1("x"), { atInstret: 9 }), /the machine is at 10/);
  throwsMachineError(() => machine.writePhysical(4 << 20, latin1("x")), /RAM ends before/);
  let inside = 0;
  machine.onInstruction(() => {
    if (inside++ > 0) return;
    throwsMachineError(() => machine.run({ maxInstructions: 1 }), /while the machine runs/);
    throwsMachineError(() => machine.save(), /while the machine runs/);
  });
  machine.run({ maxInstructions: 10 });
  assert.is(inside, 10);
});

test("memory from outside: physical, virtual, and code that is written over", () => {
  const p = new Program();
  p.op("mov", ECX, 1000).label("loop").op("dec", ECX).jump("jnz", "loop").exit(1);
  const { machine } = boot(p);
  machine.run({ maxInstructions: 101 });
  assert.is(machine.translate(0x100000), 0x100000);
  const loop = p.address("loop");
  assert.equal([...machine.readVirtual(loop, 3)], [0x49, 0x0f, 0x85]);
  const end = 4 << 20;
  assert.is(machine.readPhysical(end - 2, 10).length, 2);
  assert.is(machine.readVirtual(end - 2, 10).length, 2);
  machine.writePhysical(loop + 1, Uint8Array.of(0xb0, 9, 0xe6, 0xf4)); // mov al, 9; out 0xf4, al
  assert.equal(machine.run({ maxInstructions: 1000 }), { reason: "exit", value: 9 });
  assert.is(machine.instret, 104);
});

test("paging: translate and readVirtual walk the tables, for another directory too, and the TLB can be seen", () => {
  const p = new Program();
  const [directory, table] = [0x200000, 0x201000];
  const words: [number, number][] = [[directory, table | 7]];
  for (let page = 0; page < 0x180; page++) words.push([table + 4 * page, (page << 12) | 7]);
  words.push([table + 4 * 0x300, 0x123007]);
  for (const [address, value] of words) p.op("mov", EAX, value).op("mov", at(EAX, address - value), EAX);
  p.op("mov", EAX, directory).op("mov", CR[3], EAX);
  p.op("mov", EAX, CR[0]).op("or", EAX, 0x80000000).op("mov", CR[0], EAX);
  p.op("mov", EAX, 0x300000).op("mov", ECX, at(EAX)).exit(0);
  const { machine } = boot(p);
  machine.run({ maxInstructions: 1e6 });
  assert.is(machine.translate(0x300abc), 0x123abc);
  assert.is(machine.translate(0x301000), -1);
  assert.is(machine.translate(0x800000), -1);
  assert.is(machine.translate(0x300abc, 0x210000), -1);
  assert.equal(machine.readVirtual(0x300000, 8), machine.readPhysical(0x123000, 8));
  assert.is(machine.readVirtual(0x300ffc, 8).length, 4);
  const entry = machine.tlbEntries().find(({ linear }) => linear === 0x300000);
  assert.equal(entry, {
    linear: 0x300000,
    physical: 0x123000,
    bytes: 4096,
    writable: true,
    user: true,
    dirty: false,
    global: false,
  });
});

test("two machines in one process do not know of each other", () => {
  const alone = boot(programs.churn());
  alone.machine.run({ maxInstructions: 60_000 });
  const [one, two] = [boot(programs.churn()), boot(programs.echoWithTimer(1193))];
  two.machine.input(latin1("abc"), { atInstret: 300 });
  for (let i = 0; i < 60; i++) {
    one.machine.run({ maxInstructions: 1000 });
    two.machine.run({ maxInstructions: 321 });
  }
  assert.equal(fingerprint(one.machine), fingerprint(alone.machine));
  assert.is(two.serial(), "bcd");
});

test("a machine of 64 MB, all of it used, stays below 250 MB of RSS", () => {
  const script = `
    import { Machine } from "./cpu/index";
    import { touchAll } from "./tests/cpu/programs";
    const machine = new Machine({ memoryMB: 64 });
    machine.loadMultiboot(touchAll(64 << 20).elf());
    const stop = machine.run({ maxInstructions: 1e6 });
    console.log(JSON.stringify({ reason: stop.reason, kilobytes: process.resourceUsage().maxRSS }));`;
  const { outputFiles } = buildSync({
    stdin: { contents: script, resolveDir: process.cwd(), loader: "ts" },
    bundle: true,
    format: "esm",
    platform: "node",
    write: false,
  });
  const child = spawnSync(process.execPath, ["--input-type=module", "-"], { input: outputFiles[0].text });
  const { reason, kilobytes } = JSON.parse(child.stdout.toString());
  assert.is(reason, "exit");
  assert.ok(kilobytes > 64_000 && kilobytes < 250_000, `${kilobytes} KB`);
});

const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);

test("random bytes as code: nothing is thrown", () => {
  const reasons = new Map<string, number>();
  let instructions = 0;
  for (let seed = 1; seed <= 60; seed++) {
    let state = Math.imul(seed, 0x9e3779b1);
    const random = () => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      return state >>> 24;
    };
    // Exceptions go to handlers that step over a byte, so that more than the first few bytes are run.
    const p = new Program();
    p.enter();
    if (seed % 3 === 0) p.enterUser(seed % 2 === 0 ? 0x202 : 2);
    p.jump("jmp", "garbage");
    p.label("withCode").op("add", ESP, 4).label("without").op("inc", at(ESP)).op("iretd");
    const gates: Record<number, string> = {};
    for (let vector = 0; vector < 32; vector++) gates[vector] = WITH_ERROR_CODE.has(vector) ? "withCode" : "without";
    p.label("garbage");
    for (let i = 0; i < 4000; i++) p.bytes(random());
    p.tables(gates);
    const { machine } = boot(p);
    const stop = machine.run({ maxInstructions: 3500, stopWhenIdle: seed % 2 === 0 });
    reasons.set(stop.reason, (reasons.get(stop.reason) ?? 0) + 1);
    instructions += machine.instret;
  }
  assert.ok(instructions > 50_000, `${instructions} instructions, ${JSON.stringify([...reasons])}`);
});

test.run();
