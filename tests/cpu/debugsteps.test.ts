/** Single steps, the shadows of STI and loads of SS, NMI, and which trap comes first. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { mem } from "../../cpu/encoder";
import { Time } from "../../cpu/registers";
import {
  ACCESSES,
  armed,
  BS,
  CODE,
  DATA,
  DB,
  DONE,
  EXECUTE,
  GP,
  IF,
  IRQ,
  NMI,
  next,
  OTHER_STACK,
  pushedFlags,
  RF,
  SS_REG,
  setPushedFlags,
  start,
  stoppedAt,
  TF,
  taken,
  WRITES,
} from "./debugrig";
import { AX, at, CODE0, CODE3, DATA0, DATA3, EAX, ESP, FREE, HANDLER, KERNEL_STACK, type Line, Rig, rep } from "./rig";

const test = suite("cpu/debugsteps");

test("a load of SS holds traps back until the next instruction is over, and breakpoints on that one", () => {
  const stack: Line[] = [["mov", SS_REG, at(null, DATA, 2)], ["nop"], ["nop"]];
  const watched = armed([{ address: DATA, kind: ACCESSES }]);
  watched.word(DATA, DATA0);
  const { trap, labels } = start(watched, ...stack);
  assert.equal([trap.vector, trap.eip, taken(watched)], [DB, labels.done - 1, 1]);

  const onNext = armed([{ address: CODE + 2, kind: EXECUTE }]);
  onNext.cpu.setRegister(0, DATA0);
  assert.is(start(onNext, ["mov", SS_REG, AX], ["nop"]).trap.vector, DONE);

  // INT n behind it: the handler is entered, and the trap comes at its first instruction.
  const system = armed([{ address: DATA, kind: ACCESSES }]);
  system.word(DATA, DATA0);
  const both = start(system, ["mov", SS_REG, at(null, DATA, 2)], ["int", 0x33], "behind");
  assert.equal([both.trap.vector, both.trap.eip, taken(system)], [DB, HANDLER, 1]);
  assert.is(system.word(system.cpu.register(4) + 12), both.labels.behind, "below it, the frame of INT");

  // LSS has no shadow.
  const lss = armed([{ address: DATA, kind: ACCESSES }]);
  lss.word(DATA, OTHER_STACK);
  lss.word(DATA + 4, DATA0);
  const far = start(lss, ["lss", ESP, mem(6, { displacement: DATA, far: true })], ["nop"]);
  assert.equal([far.trap.vector, far.trap.eip], [DB, far.labels.done - 1]);
});

test("single steps: each instruction but the one behind a load of SS; not into INT n; through STI and HLT", () => {
  const rig = armed([]);
  rig.cpu.setRegister(0, DATA0);
  rig.cpu.eflags = TF | 2;
  const { trap, labels } = start(
    rig,
    ["nop"],
    "one",
    ["mov", SS_REG, AX],
    ["nop"],
    "two",
    ["sti"],
    "three",
    ["cli"],
    "four",
    ["hlt"],
    "five",
    ["push", EAX],
    "six",
    ["pop", SS_REG],
    ["nop"],
  );
  assert.equal([trap.vector, trap.eip, taken(rig)], [DB, labels.one, BS]);
  for (const label of ["two", "three", "four", "five", "six", "done"]) {
    assert.equal([next(rig).vector, stoppedAt(rig), taken(rig)], [DB, labels[label], BS], label);
    assert.ok((pushedFlags(rig) & TF) !== 0);
  }
  assert.equal([next(rig).vector, stoppedAt(rig), taken(rig)], [DONE, labels.end, 0]);
  assert.is(rig.cpu.eflags & TF, 0);
});

test("TF set by POPF or IRET takes effect behind the next instruction; cleared by POPF, behind POPF still", () => {
  const set = armed([]);
  const { trap, labels } = start(set, ["push", TF | 2], ["popfd"], ["nop"], "one", ["nop"]);
  assert.equal([trap.vector, trap.eip], [DB, labels.one]);
  const clear = armed([]);
  clear.cpu.eflags = TF | 2;
  const second = start(clear, ["push", 2], "one", ["popfd"], "two", ["nop"]);
  assert.is(second.trap.eip, second.labels.one);
  assert.equal([next(clear).eip, pushedFlags(clear) & TF], [second.labels.two, 0]);
  assert.is(next(clear).vector, DONE);
  const user = armed([]);
  for (const [offset, value] of [CODE + 0x80, CODE3, TF | 2, FREE + 0xf000, DATA3].entries()) {
    user.word(KERNEL_STACK - 20 + 4 * offset, value);
  }
  user.cpu.setRegister(4, KERNEL_STACK - 20);
  user.code(CODE + 0x80, ["nop"], ["nop"]);
  assert.equal([start(user, ["iretd"]).trap.vector, stoppedAt(user)], [DB, CODE + 0x81]);
});

test("single steps of a repeated instruction: one a repetition, with RF; with a breakpoint one trap for both", () => {
  const rig = armed([{ address: DATA + 1, kind: WRITES }]);
  rig.registers = [0, 3, 0, 0, KERNEL_STACK, 0, DATA, DATA];
  rig.cpu.eflags = TF | 2;
  const { trap, labels } = start(rig, rep("stosb"));
  assert.equal([trap.eip, rig.cpu.register(1), taken(rig), pushedFlags(rig) & RF], [CODE, 2, BS, RF]);
  assert.equal([next(rig).eip, rig.cpu.register(1), taken(rig)], [CODE, 1, BS | 1]);
  assert.equal([next(rig).eip, rig.cpu.register(1), taken(rig)], [labels.done, 0, BS]);
  assert.is(pushedFlags(rig) & RF, 0);
});

test("a trap comes before an interrupt, and before a breakpoint on the next instruction", () => {
  const rig = armed([{ address: CODE + 1, kind: EXECUTE }]);
  rig.interruptVector = IRQ;
  rig.cpu.eflags = TF | IF | 2;
  const labels = rig.code(CODE, ["nop"], ["nop"], ["nop"], ["int", DONE]);
  rig.cpu.eip = CODE;
  rig.code(HANDLER, ["iretd"]);
  rig.gate(DB, HANDLER, CODE0, 0xee);
  // The line goes up while the first instruction runs.
  rig.cpu.run(rig.cpu.instret);
  rig.trap = null;
  rig.cpu.eflags = TF | 2;
  assert.equal([rig.go()?.vector, stoppedAt(rig), taken(rig)], [DB, CODE + 1, BS]);
  rig.cpu.setInterruptLine(1);
  setPushedFlags(rig, IF);
  assert.equal([next(rig).vector, stoppedAt(rig), taken(rig)], [IRQ, CODE + 1, 0]);
  rig.cpu.setInterruptLine(0);
  assert.equal([next(rig).vector, stoppedAt(rig), taken(rig)], [DB, CODE + 1, 1]);
  setPushedFlags(rig, RF);
  assert.equal([next(rig).vector, stoppedAt(rig)], [DB, CODE + 2]);
  assert.ok(labels.end > 0);
});

test("NMI: at once, whatever IF says; blocked until IRET, one more remembered; held back by a load of SS", () => {
  const rig = armed([]);
  rig.code(CODE, ["nop"], ["mov", SS_REG, AX], ["nop"], "shadowed", ["nop"], ["hlt"], ["nop"], ["int", DONE]);
  rig.cpu.setRegister(0, DATA0);
  rig.cpu.eip = CODE;
  rig.cpu.run(rig.cpu.instret + 2);
  rig.cpu.raiseNmi();
  assert.equal([rig.go()?.vector, stoppedAt(rig)], [NMI, CODE + 4], "behind the shadow");
  rig.cpu.raiseNmi();
  rig.cpu.raiseNmi();
  rig.code(HANDLER, ["nop"], ["iretd"]);
  rig.cpu.run(rig.cpu.instret + 1);
  assert.is(rig.cpu.eip, HANDLER + 1, "not in its own handler");
  assert.equal([rig.go()?.vector, stoppedAt(rig)], [NMI, CODE + 4], "once more, before the next instruction");
  rig.cpu.run(rig.cpu.instret + 4);
  assert.ok(rig.cpu.halted);
  rig.cpu.raiseNmi();
  assert.equal([rig.go()?.vector, stoppedAt(rig)], [NMI, CODE + 6], "it wakes from HLT");
  assert.is(next(rig).vector, DONE);
});

test("an IRET that faults lets NMIs in again", () => {
  const rig = armed([]);
  rig.code(CODE, ["nop"], ["int", DONE]);
  rig.cpu.eip = CODE;
  rig.cpu.raiseNmi();
  assert.is(rig.go()?.vector, NMI);
  rig.word(rig.cpu.register(4) + 4, 0);
  rig.cpu.raiseNmi();
  assert.is(rig.go()?.vector, GP, "a null CS");
  assert.is(rig.go()?.vector, NMI);
});

test("a saved state keeps breakpoints, a pending RF and NMI", () => {
  const rig = armed([{ address: CODE + 1, kind: EXECUTE }]);
  rig.code(CODE, ["nop"], ["nop"], ["int", DONE]);
  assert.is(rig.run(CODE)?.vector, DB);
  setPushedFlags(rig, RF);
  rig.cpu.run(rig.cpu.instret + 1);
  assert.is(rig.cpu.eip, CODE + 1);
  const state = rig.cpu.save();
  const other = new Rig();
  other.cpu.restore(state);
  assert.is(other.cpu.time[Time.ResumeAt], other.cpu.instret);
  assert.is(other.go()?.vector, DONE);
  other.cpu.restore(state);
  other.cpu.time[Time.ResumeAt] = -1;
  assert.is(other.go()?.vector, DB);
});

test.run();
