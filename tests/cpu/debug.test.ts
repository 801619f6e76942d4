/** Breakpoints of DR0 to DR7, RF, and the debug registers themselves. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { dreg, reg } from "../../cpu/encoder";
import { Word } from "../../cpu/registers";
import {
  ACCESSES,
  armed,
  BD,
  CODE,
  DATA,
  DB,
  DONE,
  EXECUTE,
  GP,
  IF,
  IRQ,
  next,
  PF,
  PORTS,
  pushedFlags,
  RF,
  SETUP,
  setPushedFlags,
  start,
  status,
  stoppedAt,
  TF,
  taken,
  UD,
  WRITES,
} from "./debugrig";
import {
  AL,
  AX,
  at,
  CODE0,
  EAX,
  EBX,
  ECX,
  EDX,
  FREE,
  HANDLER,
  KERNEL_STACK,
  type Line,
  Rig,
  rep,
  type Trap,
} from "./rig";

const test = suite("cpu/debug");

test("a breakpoint on an instruction is a fault before it; RF lets it run once", () => {
  for (const n of [0, 1, 2, 3]) {
    for (const enable of [1, 2]) {
      const breakpoints = Array.from({ length: n + 1 }, (_, i) => ({
        address: CODE + 1,
        kind: EXECUTE,
        enable: i === n ? enable : 0,
      }));
      const rig = armed(breakpoints);
      const { trap, labels } = start(rig, ["nop"], ["inc", EAX], ["nop"]);
      assert.equal([trap.vector, trap.error, trap.eip], [DB, -1, CODE + 1]);
      assert.is(taken(rig), 1 << n);
      assert.is(rig.cpu.register(0), 0, "it has not run");
      assert.is(pushedFlags(rig) & RF, 0);
      assert.is(next(rig).eip, CODE + 1, "without RF it comes again");
      assert.is(taken(rig), 1 << n);
      setPushedFlags(rig, RF);
      const last = next(rig);
      assert.equal([last.vector, last.eip, rig.cpu.register(0)], [DONE, labels.end, 1]);
      assert.is(taken(rig), 0);
      assert.is(rig.run(CODE)?.vector, DB, "and the next time");
    }
  }
  // Not enabled; another byte of the instruction.
  for (const breakpoint of [
    { address: CODE + 1, kind: EXECUTE, enable: 0 },
    { address: CODE + 2, kind: EXECUTE },
  ]) {
    assert.is(start(armed([breakpoint]), ["nop"], ["add", EAX, 1], ["nop"]).trap.vector, DONE);
  }
});

test("RF shields one instruction: a loop is stopped each time round, a repeated instruction once", () => {
  const rig = armed([{ address: CODE + 5, kind: EXECUTE }]);
  rig.cpu.setRegister(1, 3);
  const { trap } = start(rig, ["mov", EDX, 7], "again", ["inc", EAX], ["dec", ECX], ["jnz", "@again"]);
  assert.equal([trap.vector, trap.eip], [DB, CODE + 5]);
  for (let round = 1; round <= 3; round++) {
    assert.is(rig.cpu.register(0), round - 1);
    setPushedFlags(rig, RF);
    assert.is(next(rig).vector, round < 3 ? DB : DONE);
  }

  const repeated = armed([{ address: CODE, kind: EXECUTE }]);
  repeated.registers = [0, 5, 0, 0, KERNEL_STACK, 0, DATA, DATA + 0x100];
  assert.is(start(repeated, rep("movsb")).trap.vector, DB);
  setPushedFlags(repeated, RF);
  // Its repetitions one by one: none is stopped.
  repeated.trap = null;
  for (let i = 0; i < 12 && repeated.trap === null; i++) repeated.cpu.run(repeated.cpu.instret + 1);
  assert.is((repeated.trap as Trap | null)?.vector, DONE);
  assert.is(repeated.cpu.register(1), 0);
});

test("faults push RF, interrupts and INT n push it as it is", () => {
  const rig = armed([]);
  rig.code(HANDLER, ["iretd"]);
  assert.is(start(rig, ["ud2"]).trap.vector, UD);
  assert.is(pushedFlags(rig) & RF, RF);
  assert.is(start(rig, ["int", 0x33]).trap.vector, 0x33);
  assert.is(pushedFlags(rig) & RF, 0);
  // Into an instruction with RF set and an interrupt waiting: RF is kept for it. Then RF has served.
  for (const flags of [RF | IF, IF]) {
    const other = armed([]);
    other.interruptVector = IRQ;
    const frame = KERNEL_STACK - 12;
    other.word(frame, CODE + 0x80);
    other.word(frame + 4, CODE0);
    other.word(frame + 8, flags | 2);
    other.code(CODE + 0x80, ["nop"], ["nop"], ["int", DONE]);
    other.code(CODE, ["iretd"]);
    other.cpu.setRegister(4, frame);
    other.cpu.setInterruptLine(1);
    assert.equal([other.run(CODE)?.vector, stoppedAt(other)], [IRQ, CODE + 0x80]);
    assert.is(pushedFlags(other) & RF, flags & RF);
    other.cpu.setInterruptLine(0);
    assert.is(next(other).vector, DONE);
    assert.is(pushedFlags(other) & RF, 0);
  }
  // POPFD does not set it.
  const popped = armed([{ address: CODE + 6, kind: EXECUTE }]);
  const { trap } = start(popped, ["push", RF | 2], ["popfd"], ["nop"]);
  assert.equal([trap.vector, trap.eip], [DB, CODE + 6]);
});

test("a handler's first instruction is not shielded by the RF of what it interrupted", () => {
  const rig = armed([{ address: HANDLER, kind: EXECUTE }]);
  const frame = KERNEL_STACK - 12;
  rig.word(frame, CODE + 0x80);
  rig.word(frame + 4, CODE0);
  rig.word(frame + 8, RF | 2);
  rig.gate(DB, HANDLER + 0x40, CODE0, 0xee);
  rig.code(CODE + 0x80, ["ud2"]);
  rig.code(CODE, ["iretd"]);
  rig.cpu.setRegister(4, frame);
  assert.is(rig.run(CODE)?.vector, UD);
  assert.equal([rig.go()?.vector, stoppedAt(rig)], [DB, HANDLER]);
});

test("data breakpoints: a trap behind the access, for exactly the bytes and kinds watched", () => {
  const accesses: [string, Line, number, number, boolean, boolean][] = [
    ["mov read", ["mov", EAX, at(null, DATA)], 0, 4, true, false],
    ["mov write", ["mov", at(null, DATA), EAX], 0, 4, false, true],
    ["word write", ["mov", at(null, DATA + 2, 2), AX], 2, 2, false, true],
    ["byte read", ["movzx", EAX, at(null, DATA + 3, 1)], 3, 1, true, false],
    ["modify", ["add", at(null, DATA), EAX], 0, 4, true, true],
    ["compare", ["cmp", at(null, DATA + 1, 1), 0], 1, 1, true, false],
    ["push", ["push", at(null, DATA)], 0, 4, true, false],
    ["pop", ["pop", at(null, DATA)], 0, 4, false, true],
    ["misaligned", ["mov", at(null, DATA - 2), EAX], -2, 4, false, true],
    ["movs to", ["movsb"], 0x200, 1, false, true],
    ["descriptor", ["sgdt", at(null, DATA, 6)], 0, 6, false, true],
  ];
  for (const kind of [WRITES, ACCESSES]) {
    for (const bytes of [1, 2, 4, 8] as const) {
      for (const offset of [-8, -4, -2, -1, 0, 1, 2, 3, 4, 5, 8, 0x200]) {
        if (offset % bytes !== 0) continue;
        const rig = armed([{ address: DATA + offset, kind, bytes }]);
        for (const [name, line, from, size, reads, writes] of accesses) {
          rig.ring(0);
          rig.registers = [0, 0, 0, 0, KERNEL_STACK, 0, DATA + 0x300, DATA + 0x200];
          const { trap, labels } = start(rig, ["nop"], line, ["nop"]);
          const overlaps = from < offset + bytes && offset < from + size;
          const hit = overlaps && (writes || (reads && kind === ACCESSES));
          const text = `${name}, ${bytes} bytes at ${offset}, kind ${kind}`;
          assert.is(trap.vector, hit ? DB : DONE, text);
          if (!hit) continue;
          assert.is(trap.eip, labels.done - 1, `${text}: behind it`);
          assert.is(taken(rig), 1, text);
          assert.is(pushedFlags(rig) & RF, 0, text);
          assert.is(next(rig).vector, DONE, text);
        }
      }
    }
  }
});

test("the access has happened; an unaligned address is watched from its aligned one; two breakpoints are one trap", () => {
  const rig = armed([
    { address: DATA + 2, kind: WRITES, bytes: 4 },
    { address: 0, kind: WRITES, enable: 0 },
    { address: DATA + 3, kind: ACCESSES, bytes: 1 },
  ]);
  rig.cpu.setRegister(0, 0x11223344);
  const { trap } = start(rig, ["mov", at(null, DATA), EAX], ["nop"]);
  assert.is(trap.vector, DB);
  assert.is(rig.word(DATA), 0x11223344);
  assert.is(taken(rig), 0b101);
  assert.is(next(rig).vector, DONE);
});

test("an access that crosses into the watched page, from ring 3", () => {
  const rig = armed([{ address: DATA + 0x1000, kind: WRITES, bytes: 2 }], 0, (made) => {
    made.page();
    for (const page of [SETUP, CODE, DATA, DATA + 0x1000]) made.map(page, page);
    made.map(FREE + 0xe000, FREE + 0xe000).map(FREE + 0xf000, FREE + 0xf000);
  });
  rig.ring(3);
  const { trap, labels } = start(rig, ["mov", at(null, DATA + 0xffd), EAX], ["nop"]);
  assert.equal([trap.vector, trap.eip, taken(rig)], [DB, labels.done - 1, 1]);
  assert.is(next(rig).vector, DONE);
});

test("an instruction that faults behind a watched access is not reported; when it has run it is", () => {
  const rig = armed([{ address: DATA, kind: ACCESSES, bytes: 4 }], 0, (made) => {
    made.page();
    for (const page of [SETUP, CODE, DATA]) made.map(page, page);
  });
  rig.registers = [0, 0, 0, 0, KERNEL_STACK, 0, DATA, DATA + 0x1000];
  const { trap } = start(rig, ["movsd"]);
  assert.equal([trap.vector, trap.cr2, taken(rig)], [PF, DATA + 0x1000, 0]);
  rig.map(DATA + 0x1000, DATA + 0x1000);
  // The handler takes the error code off.
  rig.cpu.setRegister(4, rig.cpu.register(4) + 4);
  assert.equal([next(rig).vector, taken(rig)], [DB, 1]);
  assert.equal([rig.cpu.register(6), rig.cpu.register(7)], [DATA + 4, DATA + 0x1004]);
});

test("a repeated string instruction traps between two repetitions, with RF pushed for all but the last", () => {
  const rig = armed([{ address: DATA + 4, kind: WRITES, bytes: 4 }]);
  rig.registers = [0, 3, 0, 0, KERNEL_STACK, 0, FREE + 0x3000, DATA];
  const { trap, labels } = start(rig, rep("movsd"));
  assert.equal([trap.vector, trap.eip, rig.cpu.register(1), taken(rig)], [DB, CODE, 1, 1]);
  assert.is(pushedFlags(rig) & RF, RF);
  assert.is(next(rig).vector, DONE);

  const last = armed([{ address: DATA + 8, kind: WRITES, bytes: 4 }]);
  last.registers = [0, 3, 0, 0, KERNEL_STACK, 0, FREE + 0x3000, DATA];
  const second = start(last, rep("stosd"));
  assert.equal([second.trap.eip, last.cpu.register(1), pushedFlags(last) & RF], [labels.done, 0, 0]);
});

test("while no breakpoint is enabled nothing is slow; while one is, time does not change", () => {
  const lines: Line[] = [["mov", at(null, DATA), EAX], ["mov", EBX, at(null, DATA)], ["nop"]];
  const counts = [[], [{ address: DATA + 0x800, kind: ACCESSES }], [{ address: CODE - 1, kind: EXECUTE }]].map(
    (breakpoints) => {
      const rig = armed(breakpoints);
      assert.is(rig.cpu.r[Word.ReadBit] === 0, breakpoints.length > 0);
      assert.is(rig.cpu.r[Word.WriteBit] === 0, breakpoints.length > 0);
      rig.cpu.cycles = 0;
      rig.cpu.instret = 0;
      assert.is(start(rig, ...lines).trap.vector, DONE);
      return [rig.cpu.cycles, rig.cpu.instret];
    },
  );
  assert.equal(counts[1], counts[0]);
  assert.equal(counts[2], counts[0]);
  const rig = armed([{ address: DATA, kind: ACCESSES }]);
  assert.is(start(rig, ["mov", dreg(7), EAX], ...lines).trap.vector, DONE, "DR7 is cleared");
  assert.is.not(rig.cpu.r[Word.ReadBit], 0);
});

test("ports are watched under CR4.DE: IN, OUT, INS, OUTS, by their bytes", () => {
  const lines: [Line, number, number][] = [
    [["in", AL, 0x40], 0x40, 1],
    [["out", 0x40, EAX], 0x40, 4],
    [["in", AX, reg(2, 2)], 0x42, 2],
    [["insb"], 0x42, 1],
    [["outsd"], 0x42, 4],
  ];
  for (const enabled of [8, 0]) {
    for (const [line, port, size] of lines) {
      for (const watched of [0x3e, 0x40, 0x42, 0x44, 0x46]) {
        const rig = armed([{ address: watched, kind: PORTS, bytes: 2 }]);
        rig.cpu.setControl(4, enabled);
        rig.registers = [0, 0, 0x42, 0, KERNEL_STACK, 0, DATA, DATA];
        const { trap, labels } = start(rig, line, ["nop"]);
        const hit = enabled !== 0 && port < watched + 2 && watched < port + size;
        assert.is(trap.vector, hit ? DB : DONE, `${line} ${watched.toString(16)} DE ${enabled}`);
        assert.is(rig.io.length, 1);
        if (hit) assert.equal([trap.eip, taken(rig)], [labels.done - 1, 1]);
      }
    }
  }
  const rig = armed([{ address: 0x42, kind: PORTS }]);
  rig.cpu.setControl(4, 8);
  rig.registers = [0, 2, 0x42, 0, KERNEL_STACK, 0, DATA, DATA];
  assert.equal([start(rig, rep("insb")).trap.eip, rig.cpu.register(1), pushedFlags(rig) & RF], [CODE, 1, RF]);
});

test("DR7.GD: any MOV of a debug register is a #DB fault, and the handler finds GD clear", () => {
  for (const line of [
    ["mov", EAX, dreg(0)],
    ["mov", dreg(3), EAX],
    ["mov", EAX, dreg(6)],
    ["mov", dreg(7), EAX],
    ["mov", EAX, dreg(5)],
  ] as Line[]) {
    const rig = armed([], 0x2000);
    rig.cpu.setRegister(0, 5);
    const { trap } = start(rig, line);
    assert.equal([trap.vector, trap.eip, status(rig), rig.cpu.register(0)], [DB, CODE, 0xffff0ff0 + BD, 5]);
    assert.equal([rig.cpu.debugRegister(7), pushedFlags(rig) & RF], [0x700, RF]);
    assert.is(next(rig).vector, DONE, "now it runs");
  }
  // Any debug exception clears it. Privilege comes first.
  const stepped = armed([], 0x2000);
  stepped.cpu.eflags = TF | 2;
  assert.equal([start(stepped, ["nop"]).trap.vector, stepped.cpu.debugRegister(7)], [DB, 0x700]);
  const user = armed([], 0x2000);
  user.ring(3);
  assert.equal([start(user, ["mov", EAX, dreg(0)]).trap.vector, user.cpu.debugRegister(7)], [GP, 0x2700]);
});

test("the registers hold what they hold; DR4 and DR5 are DR6 and DR7, or #UD under CR4.DE", () => {
  const values = { 0: 0xffffffff, 3: 0x12345678, 4: 0xffffefff, 5: 0xffff27ff & ~0xff, 6: 0xffffefff, 7: 0xffff2700 };
  for (const [number, expected] of Object.entries(values)) {
    const rig = new Rig();
    // No breakpoint is enabled and GD is clear, so that the value can be read.
    rig.cpu.setRegister(0, Number(number) === 5 || Number(number) === 7 ? 0xffffdf00 : 0xffffffff);
    if (number === "3") rig.cpu.setRegister(0, expected);
    const { trap } = start(rig, ["mov", dreg(Number(number)), EAX], ["mov", EBX, dreg(Number(number))]);
    assert.is(trap.vector, DONE);
    const wanted = number === "5" || number === "7" ? 0xffff0700 : expected;
    assert.is(rig.cpu.register(3), wanted >>> 0, `DR${number}`);
  }
  for (const number of [4, 5]) {
    for (const line of [
      ["mov", EAX, dreg(number)],
      ["mov", dreg(number), EAX],
    ] as Line[]) {
      const rig = new Rig();
      rig.cpu.setControl(4, 8);
      assert.equal([start(rig, line).trap.vector, stoppedAt(rig)], [UD, CODE]);
    }
  }
});

test.run();
