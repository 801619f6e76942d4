/** Task switches that go well: what is saved, loaded, marked and flushed, by each way in, for both kinds of TSS. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { far, mem, sreg } from "../../../cpu/encoder";
import {
  AX,
  CODE0,
  CODE3,
  DATA0,
  DATA3,
  EAX,
  ECX,
  FREE,
  GDT,
  KERNEL_STACK,
  type Line,
  PRESENT,
  TSS,
  TSS_SELECTOR,
  USER,
  WRITE,
} from "../rig";
import {
  BUSY16,
  BUSY32,
  CODE,
  FIELD16,
  LDT,
  LDT_SELECTOR,
  NEXT,
  NEXT_CODE,
  NEXT_STACK,
  NEXT_TSS,
  NT,
  SPARE,
  TASK_GATE,
  TaskRig,
  TS,
  TSS16,
  TSS32,
  WATCH,
  WATCH_CODE,
  WATCH_STACK,
  WATCH_TSS,
} from "./taskrig";

const test = suite("cpu/tasks/switch");

const OLD = [0x11111111, 0x22222222, 0x33333333, 0x44444444, KERNEL_STACK, 0x66666666, 0x77777777, 0x88888888];

/** A rig at the transfer `line`, with registers of its own and of the next task. */
function ready(...line: Line[]): TaskRig {
  const rig = new TaskRig();
  rig.code(CODE, ...line, "behind", ["int", 0x80]);
  rig.registers = OLD;
  rig.cpu.eflags = 0x2 | 0x8d5;
  for (let i = 0; i < 8; i++) if (i !== 4) rig.word(NEXT_TSS + 0x28 + 4 * i, 0xa0000000 + i);
  rig.fields(NEXT_TSS, { eip: NEXT_CODE, esp: NEXT_STACK, eflags: 0x46, fs: DATA3, gs: 0 });
  return rig;
}

/** What must be so in the next task, whatever led there. */
function inNext(rig: TaskRig, eip: number, text: string): void {
  const { cpu } = rig;
  assert.is(rig.task, NEXT, text);
  assert.equal(rig.access(NEXT), BUSY32, `${text}: busy`);
  assert.is(cpu.segment(7).attributes & 0xff00, BUSY32 << 8, text);
  assert.is(cpu.control(0) & TS, TS, `${text}: TS`);
  assert.equal(
    rig.registers,
    Array.from({ length: 8 }, (_, i) => (i === 4 ? NEXT_STACK : 0xa0000000 + i)),
    text,
  );
  assert.equal(
    [0, 1, 2, 3, 4, 5].map((segment) => cpu.segment(segment).selector),
    [DATA0, CODE0, DATA0, DATA0, DATA3, 0],
    text,
  );
  assert.equal(cpu.segment(5), { selector: 0, base: 0, limit: 0, attributes: 0 });
  // The old task's registers are in its TSS.
  assert.equal(
    Array.from({ length: 8 }, (_, i) => rig.word(TSS + 0x28 + 4 * i)),
    OLD,
    text,
  );
  assert.equal([rig.field(TSS, "eip"), rig.field(TSS, "eflags")], [eip, 0x8d7], text);
  assert.equal(
    (["es", "cs", "ss", "ds", "fs", "gs"] as const).map((name) => rig.field(TSS, name)),
    [DATA0, CODE0, DATA0, DATA0, DATA0, DATA0],
    text,
  );
}

test("JMP, CALL and INT, to a TSS and through task gates in GDT, LDT and IDT", () => {
  const inLdt = (rig: TaskRig): void => {
    rig.word(LDT + 8, NEXT << 16);
    rig.word(LDT + 12, 0x8500);
    rig.cpu.setSegment(6, { selector: LDT_SELECTOR, base: LDT, limit: 0xff, attributes: 0x8200 });
  };
  const ways: [name: string, line: Line, nested: boolean, setup?: (rig: TaskRig) => void][] = [
    ["jmp TSS", ["jmp", far(NEXT, 0xdead)], false],
    ["jmp gate", ["jmp", far(TASK_GATE, 0xdead)], false],
    ["jmp gate in the LDT", ["jmp", far(0xc, 0xdead)], false, inLdt],
    ["jmp by memory", ["jmp", mem(6, { displacement: FREE + 0x8000, far: true })], false],
    ["call TSS", ["call", far(NEXT, 0xdead)], true],
    ["call gate", ["call", far(TASK_GATE, 0xdead)], true],
    ["call gate in the LDT", ["call", far(0xc, 0xdead)], true, inLdt],
    ["int", ["int", 0x40], true, (rig) => rig.taskGate(0x40, NEXT)],
    ["int3", ["int3"], true, (rig) => rig.taskGate(3, NEXT)],
  ];
  for (const [name, line, nested, setup] of ways) {
    const rig = ready(line);
    const { behind } = rig.code(CODE, line, "behind", ["int", 0x80]);
    rig.word(FREE + 0x8004, NEXT);
    rig.word(NEXT_TSS, 0xbeef0000 | 0x1234);
    rig.stopAtTraps = false;
    setup?.(rig);
    assert.is(rig.run(CODE, 1), null, name);
    assert.is(rig.cpu.eip, NEXT_CODE, name);
    inNext(rig, behind, name);
    assert.is(rig.cpu.eflags, 0x46 | (nested ? NT : 0), name);
    assert.is(rig.access(TSS_SELECTOR), nested ? BUSY32 : TSS32, `${name}: the old task's busy bit`);
    assert.is(rig.word(NEXT_TSS), 0xbeef0000 + (nested ? TSS_SELECTOR : 0x1234), `${name}: the link`);
    assert.is(rig.cpu.control(3), 0, `${name}: no CR3 without paging`);
  }
});

test("IRET with NT goes back to the task that waits, and leaves the other free, with NT clear in its image", () => {
  const rig = ready(["call", far(NEXT, 0)]);
  rig.code(NEXT_CODE, ["mov", EAX, 5], ["iretd"], "again", ["hlt"]);
  const events: number[][] = [];
  const listen = rig.cpu.listener;
  rig.cpu.listener = (kind, a, b) => {
    if (kind === 1) events.push([a, b]);
    listen?.(kind, a, b);
  };
  assert.is(rig.run(CODE)?.vector, 0x80);
  assert.is(rig.task, TSS_SELECTOR);
  assert.equal([rig.access(TSS_SELECTOR), rig.access(NEXT)], [BUSY32, TSS32]);
  assert.equal([rig.cpu.register(0), rig.cpu.register(1), rig.field(NEXT_TSS, "eax")], [OLD[0], OLD[1], 5]);
  assert.is(rig.field(NEXT_TSS, "eflags"), 0x46);
  assert.is(rig.field(NEXT_TSS, "eip"), NEXT_CODE + 6);
  assert.is(rig.word(rig.cpu.register(4) + 8), 0x8d7, "its own flags, without NT");
  assert.equal(events, [[CODE + 7, 0]]);
});

test("16-bit TSS: as the new task and as the old one", () => {
  const rig = ready(["call", far(NEXT, 0)], ["nop"]);
  rig.descriptor(NEXT, NEXT_TSS, 0x2b, TSS16);
  rig.cpu.ram.fill(0, NEXT_TSS, NEXT_TSS + 0x68);
  const put = (offset: number, value: number): void => rig.view.setUint16(NEXT_TSS + offset, value, true);
  rig.cpu.ram.fill(0xee, NEXT_TSS + 0x2c, NEXT_TSS + 0x68);
  rig.descriptor(SPARE, CODE, 0xffff, 0x009b);
  put(FIELD16.eip, 0x200);
  put(FIELD16.eflags, 0x0047);
  for (let i = 0; i < 8; i++) put(FIELD16.eax + 2 * i, 0xb000 + i);
  put(FIELD16.es, DATA0);
  put(FIELD16.cs, SPARE);
  put(FIELD16.ss, DATA0);
  put(FIELD16.ds, DATA0);
  // inc ax; iret
  rig.cpu.ram.set([0x40, 0xcf], CODE + 0x200);
  rig.stopAtTraps = false;
  rig.run(CODE, 1);
  assert.is(rig.cpu.eip, 0x200);
  assert.is(rig.cpu.eflags, 0x47 | NT);
  assert.equal(
    rig.registers.map((value) => value >>> 0),
    Array.from({ length: 8 }, (_, i) => 0xffffb000 + i),
  );
  assert.equal(
    [0, 1, 2, 3, 4, 5, 6].map((segment) => rig.cpu.segment(segment).selector),
    [DATA0, SPARE, DATA0, DATA0, 0, 0, 0],
  );
  assert.is(rig.access(NEXT), BUSY16);
  rig.stopAtTraps = true;
  assert.is(rig.go()?.vector, 0x80);
  assert.is(rig.cpu.register(0), OLD[0]);
  assert.is(rig.view.getUint16(NEXT_TSS + FIELD16.eax, true), 0xb001);
  assert.is(rig.view.getUint16(NEXT_TSS + FIELD16.eip, true), 0x202);
  assert.is(rig.view.getUint16(NEXT_TSS + FIELD16.eflags, true) & NT, 0);
  assert.is(rig.view.getUint16(NEXT_TSS, true), TSS_SELECTOR);
  assert.ok(
    rig.cpu.ram.subarray(NEXT_TSS + 0x2c, NEXT_TSS + 0x68).every((byte) => byte === 0xee),
    "nothing behind it",
  );
  assert.is(rig.access(NEXT), TSS16);
});

test("an exception through a task gate: error code on the new stack, RF in the image, EIP of the culprit", () => {
  const rig = ready(["mov", sreg(4), AX]);
  rig.watch();
  rig.cpu.setRegister(0, 0x1234);
  const trap = rig.run(CODE);
  assert.equal([trap?.vector, trap?.error], [13, 0x1234 & ~3]);
  assert.is(rig.task, WATCH);
  assert.is(rig.cpu.eip, WATCH_CODE);
  assert.is(rig.cpu.register(4), WATCH_STACK - 4);
  assert.is(rig.word(WATCH_STACK - 4), 0x1234);
  assert.equal([rig.field(TSS, "eip"), rig.field(TSS, "eflags")], [CODE, 0x108d7]);
  assert.is(rig.field(WATCH_TSS, "link"), TSS_SELECTOR);
  assert.is(rig.cpu.eflags & NT, NT);
});

test("an exception in a 16-bit task gate's task pushes a word", () => {
  const rig = ready(["ud2"], ["hlt"]);
  rig.descriptor(WATCH, WATCH_TSS, 0x2b, TSS16);
  rig.cpu.ram.fill(0, WATCH_TSS, WATCH_TSS + 0x68);
  rig.descriptor(SPARE, WATCH_STACK & ~0xffff, 0xffff, 0x0093);
  const put = (offset: number, value: number): void => rig.view.setUint16(WATCH_TSS + offset, value, true);
  for (const [offset, value] of [
    [FIELD16.eflags, 2],
    [FIELD16.esp, WATCH_STACK & 0xffff],
    [FIELD16.cs, CODE0],
    [FIELD16.ss, SPARE],
  ])
    put(offset, value);
  rig.taskGate(13, WATCH);
  rig.cpu.setDescriptorTable("idt", 0x2000, 13 * 8 + 7);
  rig.code(CODE, ["int", 0x40]);
  rig.word(WATCH_STACK - 4, 0xffffffff);
  rig.run(CODE);
  assert.is(rig.task, WATCH);
  assert.is(rig.cpu.register(4) & 0xffff, (WATCH_STACK & 0xffff) - 2);
  assert.is(rig.word(WATCH_STACK - 4), (((0x40 << 3) | 2) << 16) | 0xffff);
});

test("an external interrupt through a task gate, and back", () => {
  const rig = ready(["nop"], ["nop"]);
  rig.taskGate(0x20, NEXT);
  rig.code(NEXT_CODE, ["iretd"]);
  rig.cpu.eflags = 0x202;
  rig.cpu.setInterruptLine(1);
  const trap = rig.run(CODE);
  assert.is(trap?.vector, 0x20);
  assert.is(rig.task, NEXT);
  assert.equal([rig.field(TSS, "eip"), rig.field(TSS, "eflags")], [CODE, 0x202], "no RF for an interrupt");
  rig.cpu.setInterruptLine(0);
  assert.is(rig.go()?.vector, 0x80);
  assert.is(rig.task, TSS_SELECTOR);
});

test("HLT is over when an interrupt switches tasks", () => {
  const rig = ready(["hlt"]);
  rig.taskGate(0x20, NEXT);
  rig.cpu.eflags = 0x202;
  rig.run(CODE);
  assert.ok(rig.cpu.halted);
  rig.cpu.setInterruptLine(1);
  rig.go();
  assert.not(rig.cpu.halted);
  assert.is(rig.field(TSS, "eip"), CODE + 1);
});

test("to ring 3: the selectors of the TSS decide, and IRET comes back from there", () => {
  const rig = ready(["call", far(NEXT, 0)]);
  rig.fields(NEXT_TSS, {
    eip: NEXT_CODE,
    esp: NEXT_STACK,
    eflags: 0x3202,
    cs: CODE3,
    ss: DATA3,
    ds: DATA3,
    es: DATA3,
    fs: 0,
  });
  rig.code(NEXT_CODE, ["iretd"]);
  rig.stopAtTraps = false;
  rig.run(CODE, 1);
  assert.equal([rig.cpu.cpl, rig.cpu.eip, rig.cpu.eflags], [3, NEXT_CODE, 0x3202 | NT]);
  rig.stopAtTraps = true;
  assert.is(rig.go()?.vector, 0x80);
  assert.is(rig.cpu.cpl, 0);
});

test("a ring-3 task may go through a task gate of DPL 3 to a TSS of DPL 0, and not to the TSS itself", () => {
  const rig = ready(["jmp", far(TASK_GATE, 0)]);
  rig.descriptor(TASK_GATE, 0, 0, 0xe5);
  rig.word(GDT + TASK_GATE, NEXT << 16);
  rig.ring(3);
  rig.stopAtTraps = false;
  rig.run(CODE, 1);
  assert.is(rig.task, NEXT);
  assert.is(rig.field(TSS, "cs"), CODE3);
});

test("the LDT and its segments", () => {
  const rig = ready(["jmp", far(NEXT, 0)]);
  rig.descriptor(8, FREE, 0xffff, 0x4093, LDT);
  rig.fields(NEXT_TSS, { eip: NEXT_CODE, esp: NEXT_STACK, ldt: LDT_SELECTOR, ds: 0xc });
  rig.stopAtTraps = false;
  rig.run(CODE, 1);
  assert.equal(rig.cpu.segment(6), { selector: LDT_SELECTOR, base: LDT, limit: 0xff, attributes: 0x8200 });
  assert.is(rig.cpu.segment(3).base, FREE);
});

test("CR3: loaded with paging, TLB flushed when it changes and not when it stays", () => {
  for (const same of [false, true]) {
    const rig = ready(["jmp", far(NEXT, 0)]);
    for (let page = FREE; page < FREE + 0x10000; page += 0x1000) rig.map(page, page, PRESENT | WRITE | USER);
    rig.page();
    const directory = rig.cpu.control(3);
    // The second directory is a copy elsewhere.
    rig.cpu.ram.copyWithin(0x20000, directory, directory + 0x1000);
    const target = same ? directory : 0x20000;
    rig.fields(NEXT_TSS, { eip: NEXT_CODE, esp: NEXT_STACK, cr3: target });
    const events: number[] = [];
    const listen = rig.cpu.listener;
    rig.cpu.listener = (kind, a, b) => {
      if (kind === 2 || kind === 3) events.push(kind, a);
      listen?.(kind, a, b);
    };
    rig.stopAtTraps = false;
    rig.run(CODE, 1);
    assert.is(rig.task, NEXT);
    assert.is(rig.cpu.control(3), target);
    assert.equal(events, same ? [] : [2, 0x20000, 3, 0]);
  }
});

test("T: #DB with DR6.BT before the first instruction, also behind an interrupt's task gate; DR7's local bits go", () => {
  for (const line of [
    ["jmp", far(NEXT, 0)],
    ["int", 0x40],
  ] as const) {
    const rig = ready(line as never);
    rig.taskGate(0x40, NEXT);
    rig.word(NEXT_TSS + 0x64, 1);
    rig.cpu.r[47] = 0x7ff;
    const listen = rig.cpu.listener;
    const vectors: number[] = [];
    rig.cpu.listener = (kind, a, b) => {
      if (kind === 0) vectors.push(a);
      listen?.(kind, a, b);
    };
    const trap = rig.run(CODE);
    assert.is(vectors.at(-1), 1);
    assert.is(trap?.eip, NEXT_CODE);
    assert.is(rig.cpu.debugRegister(6) & 0x8000, 0x8000);
    assert.is(rig.cpu.debugRegister(7), 0x7ff & ~0x155);
    assert.is(rig.task, NEXT);
  }
});

test("TF of the new task traps behind its first instruction, TF of the old one not at all", () => {
  const rig = ready(["jmp", far(NEXT, 0)]);
  rig.code(NEXT_CODE, ["nop"], ["nop"], ["hlt"]);
  rig.cpu.eflags = 0x102;
  assert.is(rig.run(CODE), null);
  assert.is(rig.cpu.eip, NEXT_CODE + 3);
  const other = ready(["jmp", far(NEXT, 0)]);
  other.code(NEXT_CODE, ["nop"], ["nop"], ["hlt"]);
  other.fields(NEXT_TSS, { eip: NEXT_CODE, esp: NEXT_STACK, eflags: 0x102 });
  assert.equal(other.run(CODE), { vector: 1, error: -1, eip: NEXT_CODE + 1, cr2: 0 });
});

test("a TSS that crosses a page", () => {
  const rig = ready(["call", far(NEXT, 0)]);
  const base = FREE + 0xafd0;
  rig.cpu.ram.copyWithin(base, NEXT_TSS, NEXT_TSS + 0x68);
  rig.descriptor(NEXT, base, 0x67, TSS32);
  for (let page = FREE; page < FREE + 0x10000; page += 0x1000) rig.map(page, page, PRESENT | WRITE | USER);
  rig.page();
  for (const tss of [base, TSS]) rig.word(tss + 0x1c, rig.cpu.control(3));
  rig.registers = OLD;
  rig.code(NEXT_CODE, ["mov", ECX, 7], ["iretd"]);
  assert.is(rig.run(CODE)?.vector, 0x80);
  assert.equal([rig.word(base + 0x2c), rig.word(base + 0x28)], [7, 0xa0000000]);
  assert.is(rig.word(base), TSS_SELECTOR);
});

test("a switch costs the table's figure on top of the instruction's", () => {
  const rig = ready(["jmp", far(NEXT, 0)]);
  rig.stopAtTraps = false;
  rig.run(CODE, 1);
  const { instructions, taskSwitch } = rig.cpu.costs;
  assert.equal([rig.cpu.cycles, rig.cpu.instret], [instructions["jmp far"] + taskSwitch, 1]);
});

test.run();
