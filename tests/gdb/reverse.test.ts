/** Backwards: the last stop before the present moment, exact, wherever checkpoints lie; and by gdb's own commands. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Position, Progress, Stop } from "../../tools/gdb/control";
import { Random } from "../fuzz/random";
import { needCommand } from "../skip";
import { type Rig, runGdb, startRig } from "./rig";

const test = suite("gdb/reverse");

function finish(progress: Progress): Stop {
  for (;;) {
    const step = progress.next(false);
    if (step.done) return step.value;
  }
}

/** Positions at which the run stops, from where it stands to its end; watchpoints at the instruction that they noticed. */
function forwards({ debugged }: Rig): { kind: string; instret: number }[] {
  const { control } = debugged;
  const found: { kind: string; instret: number }[] = [];
  for (;;) {
    const stop = finish(control.forward());
    if (stop.kind === "end") return found;
    const { instret } = control.position;
    found.push({ kind: stop.kind, instret: stop.kind === "watch" ? instret - 1 : instret });
  }
}

function backwards({ debugged }: Rig): { kind: string; instret: number }[] {
  const { control } = debugged;
  const found: { kind: string; instret: number }[] = [];
  for (;;) {
    const stop = finish(control.backward());
    if (stop.kind === "beginning") return found;
    found.push({ kind: stop.kind, instret: control.position.instret });
    assert.ok(found.length < 1000, "each search leads further back");
  }
}

/** An address in the kernel by what its layout calls it. */
function kernelAddress(rig: Rig, kind: "constants" | "variables", name: string): number {
  const address = rig.layout[kind][name];
  assert.ok(address, `the layout has ${name}`);
  return address;
}

test("breakpoints and watchpoints are met backwards where they were met forwards, at any spacing of checkpoints", async () => {
  let expected: string | undefined;
  for (const spacing of [20_000, 1_000_000]) {
    const rig = await startRig({ history: { spacing } });
    try {
      const { stops } = rig.debugged;
      stops.setBreakpoint(rig.symbol("handleMmFault"), false, true);
      // vmstat.faults, which is counted at the end of each fault.
      const faults = kernelAddress(rig, "constants", "mm/vmstat/vmstat") + 32;
      stops.addWatch({ kind: 2, address: faults, bytes: 4 });
      const there = forwards(rig);
      assert.ok(there.filter(({ kind }) => kind === "watch").length >= 5, "faults are counted");
      assert.ok(there.filter(({ kind }) => kind === "breakpoint").length >= 5, "faults happen");
      const back = backwards(rig);
      assert.equal(back.reverse(), there);
      expected ??= JSON.stringify(there);
      assert.is(JSON.stringify(there), expected, "the run does not depend on the spacing");
      assert.is(rig.output(), "counter 42\ncounter 2\n", "told once");
    } finally {
      rig.close();
    }
  }
});

test("a step forwards and one back lead to the same moment, through traps too", async () => {
  const rig = await startRig({ history: { spacing: 100_000 } });
  try {
    const { control } = rig.debugged;
    finish(control.forward());
    const end = control.machine.instret;
    const random = new Random(11);
    let deliveries = 0;
    for (let round = 0; round < 40; round++) {
      finish(control.seek(random.below(end - 2000)));
      // Off the middle of a repeated instruction, to which no step leads back.
      finish(control.forward(() => true));
      for (let walk = 0; walk < 30; walk++) {
        const before: Position = { ...control.position };
        const registers = JSON.stringify(control.machine.registers);
        finish(control.forward(() => true));
        const after: Position = { ...control.position };
        if (after.instret === before.instret) deliveries++;
        if (walk % 10 !== 0 && after.instret !== before.instret) continue;
        const there = JSON.stringify(control.machine.registers);
        assert.is(finish(control.backward(() => true)).kind, "step");
        assert.equal(control.position, before);
        assert.is(JSON.stringify(control.machine.registers), registers);
        finish(control.forward(() => true));
        assert.equal(control.position, after);
        assert.is(JSON.stringify(control.machine.registers), there);
      }
    }
    // Faults are rare: go to one.
    const fault = rig.symbol("trapEntry");
    finish(control.seek(0));
    rig.debugged.stops.setBreakpoint(fault, false, true);
    finish(control.forward());
    for (let i = 0; i < 4; i++) {
      finish(control.backward(() => true));
      if (control.position.step > 0) deliveries++;
    }
    assert.ok(deliveries > 0, "a trap was gone through");
  } finally {
    rig.close();
  }
});

test("the guest's output is told once, and ^C in the middle of a search leads back", async () => {
  const rig = await startRig({ history: { spacing: 20_000 } });
  try {
    const { control, stops } = rig.debugged;
    finish(control.forward());
    finish(control.backward());
    finish(control.forward());
    assert.is(rig.output(), "counter 42\ncounter 2\n");
    const present = { ...control.position };
    const registers = JSON.stringify(control.machine.registers);
    stops.addWatch({ kind: 2, address: 0xc0001000, bytes: 4 });
    const search = control.backward();
    for (let i = 0; i < 5; i++) search.next(false);
    const step = search.next(true);
    assert.ok(step.done && step.value.kind === "interrupt");
    assert.equal(control.position, present);
    assert.is(JSON.stringify(control.machine.registers), registers);
  } finally {
    rig.close();
  }
});

test("gdb: from the end back to a watchpoint, reverse-step, reverse-next, reverse-finish, to the beginning and on again", async () => {
  needCommand("gdb");
  const rig = await startRig();
  try {
    const at = await runGdb(rig, [
      ...[
        "continue",
        "print $instret",
        "watch counter",
        "reverse-continue",
        "print counter",
        "info threads",
        "print $instret",
      ],
      ...["stepi", "print counter", "reverse-stepi", "print counter", "delete", "reverse-finish", "reverse-step"],
      ...[
        "tbreak copyPageRange",
        "reverse-continue",
        "bt 1",
        "next",
        "next",
        "reverse-next",
        "reverse-continue",
        "print $instret",
      ],
      ...["tbreak addToCounter", "continue", "print by"],
      ...[
        "monitor seek 200000",
        "print $instret",
        "monitor seek 999999999",
        "print $instret",
        "monitor seek 0",
        "print $eip",
      ],
    ]);
    assert.match(at[0], /the guest ended its run with \d+ after \d+ instructions/);
    assert.match(at[3], /hit Hardware watchpoint 1: counter\n\nOld value = .*\nNew value = 1\n/);
    assert.is(/= (\d+)/.exec(at[4])?.[1], "1");
    assert.match(at[5], /\* \d+ +Thread 2 "program" \(running\)/, "it was the parent who wrote last");
    assert.match(at[8], /= 2\n/);
    assert.match(at[10], /= 1\n/);
    assert.match(at[12], /addToCounter \(by=1\)|main \(/);
    assert.match(at[15], /hit Temporary breakpoint 2, copyPageRange \(|"program" hit/);
    assert.match(at[16], /^#0 +copyPageRange/);
    assert.match(at[20], /No more reverse-execution history/);
    assert.is(/= (\d+)/.exec(at[21])?.[1], "0");
    assert.is(/= (\d+)/.exec(at[24])?.[1], "41");
    assert.match(at[25], /^at instruction 200000\n$/);
    assert.is(/= (\d+)/.exec(at[26])?.[1], "200000", "gdb notices by itself");
    assert.is(
      /^at instruction (\d+)/.exec(at[27])?.[1],
      /after (\d+) instructions/.exec(at[0])?.[1],
      "not beyond the end",
    );
    assert.is(/= (\d+)/.exec(at[28])?.[1], /^at instruction (\d+)/.exec(at[27])?.[1]);
    assert.match(at[29], /^at instruction 0\n$/);
  } finally {
    rig.close();
  }
});

test.run();
