/** The whole machine: small guests on processor and board, stop reasons, events, determinism, wrong use. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { cycleOfPitTick, pitTickAt } from "../../cpu/board/clock";
import { EventKind, Machine } from "../../cpu/index";
import { at, EAX, ECX, ESP, Program } from "./guest";
import { boot, EXIT_OK, eventsOf, fingerprint, latin1, run, throwsMachineError } from "./machinerig";
import * as programs from "./programs";

const test = suite("cpu/machine");

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
