/**
 * Task switches that fail: each condition of the manual's table 7-1, before the commit point (the switching instruction's
 * fault, nothing has changed) and behind it (the new task's fault, with its EIP, and what was saved saved).
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RunExit } from "../../../cpu/cpu";
import { far } from "../../../cpu/encoder";
import { CODE0, CODE3, DATA0, DATA3, FREE, GDT, IDT, type Line, PRESENT, TSS, TSS_SELECTOR, USER, WRITE } from "../rig";
import {
  BUSY32,
  CODE,
  type Field,
  LDT_SELECTOR,
  NEXT,
  NEXT_CODE,
  NEXT_STACK,
  NEXT_TSS,
  NT,
  SPARE,
  TASK_GATE,
  TaskRig,
  TSS16,
  TSS32,
  WATCH,
  WATCH_STACK,
  WATCH_TSS,
} from "./taskrig";

const test = suite("cpu/tasks/faults");

const [UD, DF, TS, NP, SS, GP, PF] = [6, 8, 10, 11, 12, 13, 14];

const JMP: Line = ["jmp", far(NEXT, 0)];
const CALL: Line = ["call", far(NEXT, 0)];
const GATE: Line = ["call", far(TASK_GATE, 0)];
const INT: Line = ["int", 0x40];
const IRET: Line = ["iretd"];
const INT_ERROR = 0x40 * 8 + 2;

const gateTo = (rig: TaskRig, tss: number, access = 0x85): void => {
  rig.word(GDT + TASK_GATE, tss << 16);
  rig.word(GDT + TASK_GATE + 4, access << 8);
};
/** IRET with NT, and this link. */
const linkTo = (rig: TaskRig, link: number): void => {
  rig.cpu.eflags = 2 | NT;
  rig.word(TSS, link);
};
const next = (rig: TaskRig, access: number, limit = 0x67): void => rig.descriptor(NEXT, NEXT_TSS, limit, access);

type Before = [name: string, line: Line, spoil: (rig: TaskRig) => unknown, vector: number, error: number, ring?: 0 | 3];

const BEFORE: readonly Before[] = [
  ["JMP: the TSS is busy", JMP, (rig) => next(rig, BUSY32), GP, NEXT],
  ["CALL: the TSS is busy", CALL, (rig) => next(rig, BUSY32), GP, NEXT],
  ["JMP to the running task", ["jmp", far(TSS_SELECTOR, 0)], () => undefined, GP, TSS_SELECTOR],
  ["CALL: DPL of the TSS below CPL", CALL, () => undefined, GP, NEXT, 3],
  ["JMP: DPL of the TSS below RPL", ["jmp", far(NEXT | 3, 0)], () => undefined, GP, NEXT],
  ["JMP: the TSS is not present", JMP, (rig) => next(rig, 0x09), NP, NEXT],
  ["CALL: the TSS is not present", CALL, (rig) => next(rig, 0x09), NP, NEXT],
  ["JMP: a 32-bit TSS below 67H", JMP, (rig) => next(rig, TSS32, 0x66), TS, NEXT],
  ["JMP: a 16-bit TSS below 2BH", JMP, (rig) => next(rig, TSS16, 0x2a), TS, NEXT],
  [
    "JMP: a TSS in the LDT",
    ["jmp", far(0xc, 0)],
    (rig) => {
      rig.cpu.setSegment(6, { selector: LDT_SELECTOR, base: 0x4800, limit: 0xff, attributes: 0x8200 });
      rig.descriptor(8, NEXT_TSS, 0x67, TSS32, 0x4800);
    },
    GP,
    0xc,
  ],
  ["gate: DPL below CPL", GATE, () => undefined, GP, TASK_GATE, 3],
  ["gate: DPL below RPL", ["call", far(TASK_GATE | 3, 0)], () => undefined, GP, TASK_GATE],
  ["gate: not present", GATE, (rig) => gateTo(rig, NEXT, 0x05), NP, TASK_GATE],
  ["gate: the TSS is in the LDT", GATE, (rig) => gateTo(rig, NEXT | 4), GP, NEXT | 4],
  ["gate: the TSS is beyond the GDT", GATE, (rig) => gateTo(rig, 0x1000), GP, 0x1000],
  ["gate: null", GATE, (rig) => gateTo(rig, 0), GP, 0],
  ["gate: no TSS", GATE, (rig) => gateTo(rig, DATA0), GP, DATA0],
  ["gate: the TSS is busy", GATE, (rig) => [gateTo(rig, NEXT), next(rig, BUSY32)], GP, NEXT],
  ["gate: the TSS is not present", GATE, (rig) => next(rig, 0x09), NP, NEXT],
  ["gate: the TSS is too small", GATE, (rig) => next(rig, TSS32, 0x66), TS, NEXT],
  ["INT: the gate's DPL below CPL", INT, (rig) => rig.taskGate(0x40, NEXT, 0x85), GP, INT_ERROR, 3],
  ["INT: the gate is not present", INT, (rig) => rig.taskGate(0x40, NEXT, 0x65), NP, INT_ERROR],
  ["INT: the TSS is in the LDT", INT, (rig) => rig.taskGate(0x40, NEXT | 4), GP, NEXT | 4],
  ["INT: the TSS is beyond the GDT", INT, (rig) => rig.taskGate(0x40, 0x1000), GP, 0x1000],
  ["INT: null", INT, (rig) => rig.taskGate(0x40, 0), GP, 0],
  ["INT: no TSS", INT, (rig) => rig.taskGate(0x40, CODE0), GP, CODE0],
  ["INT: the TSS is busy", INT, (rig) => next(rig, BUSY32), GP, NEXT],
  ["INT: the TSS is not present", INT, (rig) => next(rig, 0x09), NP, NEXT],
  ["INT: the TSS is too small", INT, (rig) => next(rig, TSS32, 0x66), TS, NEXT],
  ["IRET: the link is in the LDT", IRET, (rig) => linkTo(rig, NEXT | 4), TS, NEXT | 4],
  ["IRET: the link is beyond the GDT", IRET, (rig) => linkTo(rig, 0x1000), TS, 0x1000],
  ["IRET: the link is null", IRET, (rig) => linkTo(rig, 0), TS, 0],
  ["IRET: the link is no TSS", IRET, (rig) => linkTo(rig, DATA0), TS, DATA0],
  ["IRET: the link's task is not busy", IRET, (rig) => linkTo(rig, NEXT), TS, NEXT],
  ["IRET: the link's TSS is not present", IRET, (rig) => [linkTo(rig, NEXT), next(rig, 0x0b)], NP, NEXT],
  ["IRET: the link's TSS is too small", IRET, (rig) => [linkTo(rig, NEXT), next(rig, BUSY32, 0x66)], TS, NEXT],
  [
    "the running TSS has no room for the registers",
    JMP,
    (rig) => rig.cpu.setSegment(7, { selector: TSS_SELECTOR, base: TSS, limit: 0x5e, attributes: 0x8b00 }),
    TS,
    TSS_SELECTOR,
  ],
  ["no task is running", JMP, (rig) => rig.cpu.setSegment(7, { selector: 0, base: 0, limit: 0, attributes: 0 }), TS, 0],
];

test("before the commit point: the fault of the instruction, and nothing has changed", () => {
  for (const [name, line, spoil, vector, error, ring = 0] of BEFORE) {
    const rig = new TaskRig();
    rig.code(CODE, line, ["hlt"]);
    rig.ring(ring);
    rig.taskGate(0x40, NEXT);
    spoil(rig);
    const before = rig.snapshot();
    assert.equal(rig.run(CODE), { vector, error, eip: CODE, cr2: 0 }, name);
    assert.is(rig.snapshot(), before, name);
    assert.is(rig.cpu.instret, 0, name);
  }
});

test("an external interrupt's task gate that refuses has EXT in the error code", () => {
  const rig = new TaskRig();
  rig.code(CODE, ["nop"]);
  rig.cpu.eflags = 0x202;
  rig.cpu.setInterruptLine(1);
  rig.taskGate(0x20, NEXT);
  next(rig, BUSY32);
  assert.equal(rig.run(CODE), { vector: GP, error: NEXT | 1, eip: CODE, cr2: 0 });
});

test("a TSS whose page is gone or read-only: #PF, and nothing has changed", () => {
  const spoils: [string, (rig: TaskRig) => number, number][] = [
    ["the new TSS is not there", (rig) => at(rig, NEXT_TSS, 0), 0],
    ["the new TSS's link cannot be written", (rig) => at(rig, NEXT_TSS, NEXT_TSS | PRESENT), 3],
    ["the old TSS is read-only", (rig) => at(rig, TSS, TSS | PRESENT), 3],
    ["the GDT is read-only", (rig) => at(rig, GDT, GDT | PRESENT), 3],
  ];
  function at(rig: TaskRig, page: number, pte: number): number {
    rig.word(rig.pte(page), pte);
    return page;
  }
  for (const [name, spoil, error] of spoils) {
    const rig = new TaskRig();
    // The handler's page, its stack's and the code's are good; the code segments are accessed already.
    rig.map(CODE, CODE).page();
    rig.code(CODE, CALL, ["hlt"]);
    const page = spoil(rig);
    const before = rig.snapshot();
    const trap = rig.run(CODE);
    assert.equal([trap?.vector, trap?.error, trap?.eip], [PF, error, CODE], name);
    assert.is((trap?.cr2 as number) & ~0xfff, page, name);
    assert.is(rig.snapshot(), before, name);
  }
});

type Behind = [
  name: string,
  values: Partial<Record<Field, number>>,
  spoil: (rig: TaskRig) => unknown,
  vector: number,
  error: number,
];

const spare = (access: number) => (rig: TaskRig) => rig.descriptor(SPARE, 0, 0xfffff, 0xc000 | access);
const good = (): void => undefined;

const BEHIND: readonly Behind[] = [
  ["LDT in an LDT", { ldt: LDT_SELECTOR | 4 }, good, TS, LDT_SELECTOR | 4],
  ["LDT beyond the GDT", { ldt: 0x1000 }, good, TS, 0x1000],
  ["LDT is none", { ldt: DATA0 }, good, TS, DATA0],
  ["LDT not present", { ldt: LDT_SELECTOR }, (rig) => rig.descriptor(LDT_SELECTOR, 0, 0xff, 0x02), TS, LDT_SELECTOR],
  ["CS null", { cs: 0 }, good, TS, 0],
  ["CS beyond the GDT", { cs: 0x1000 }, good, TS, 0x1000],
  ["CS is data", { cs: DATA0 }, good, TS, DATA0],
  ["CS's DPL is not its RPL", { cs: CODE0 | 3 }, good, TS, CODE0],
  ["CS conforming, DPL above RPL", { cs: SPARE }, spare(0xfe), TS, SPARE],
  ["CS not present", { cs: SPARE }, spare(0x1a), NP, SPARE],
  ["SS null", { ss: 0 }, good, TS, 0],
  ["SS beyond the GDT", { ss: 0x1000 }, good, TS, 0x1000],
  ["SS is code", { ss: CODE0 }, good, TS, CODE0],
  ["SS is read-only", { ss: SPARE }, spare(0x90), TS, SPARE],
  ["SS's RPL is not CPL", { ss: DATA0 | 3 }, good, TS, DATA0],
  ["SS's DPL is not CPL", { ss: DATA3 & ~3 }, good, TS, DATA3 & ~3],
  ["SS not present", { ss: SPARE }, spare(0x12), SS, SPARE],
  ["EIP beyond CS", { cs: SPARE, eip: 0x100 }, (rig) => rig.descriptor(SPARE, 0, 0xff, 0x409a), GP, 0],
  ...(["es", "ds", "fs", "gs"] as const).flatMap((name): Behind[] => [
    [`${name} beyond the GDT`, { [name]: 0x1000 }, good, TS, 0x1000],
    [`${name} is a system segment`, { [name]: NEXT }, good, TS, NEXT],
    [`${name} is execute-only`, { [name]: SPARE }, spare(0x98), TS, SPARE],
    [`${name}'s RPL above DPL`, { [name]: DATA0 | 3 }, good, TS, DATA0],
    [
      `${name}'s DPL below CPL`,
      { cs: CODE3, ss: DATA3, ds: DATA3, es: DATA3, [name]: DATA0 },
      (rig) => rig.word(NEXT_TSS + 0x24, 0x202),
      TS,
      DATA0,
    ],
    [`${name} not present`, { [name]: SPARE }, spare(0x12), NP, SPARE],
  ]),
];

test("behind the commit point: the fault of the new task, whose image is complete", () => {
  for (const [name, values, spoil, vector, error] of BEHIND) {
    for (const [way, line] of [
      ["jmp", JMP],
      ["call", CALL],
      ["int", INT],
    ] as const) {
      const rig = new TaskRig();
      rig.code(CODE, line, ["hlt"]);
      const fields = { eip: NEXT_CODE, esp: NEXT_STACK, fs: 0, gs: 0, ...values };
      rig.fields(NEXT_TSS, fields);
      rig.word(NEXT_TSS + 0x28, 0xaaaa);
      rig.taskGate(0x40, NEXT);
      spoil(rig);
      rig.watch();
      let trap = rig.run(CODE);
      if (trap?.vector === 0x40) trap = rig.go();
      const text = `${way}, ${name}`;
      assert.equal([trap?.vector, trap?.error], [vector, error], text);
      // The watcher was called by the new task.
      assert.is(rig.task, WATCH, text);
      assert.is(rig.field(WATCH_TSS, "link"), NEXT, text);
      assert.is(rig.word(WATCH_STACK - 4), error, text);
      // The old task was saved, the new one's registers and all its selectors were loaded.
      assert.is(rig.field(TSS, "eip"), CODE + (way === "int" ? 2 : 7), text);
      assert.is(rig.field(NEXT_TSS, "eip"), fields.eip, text);
      assert.is(rig.field(NEXT_TSS, "eax"), 0xaaaa, text);
      for (const field of ["es", "cs", "ss", "ds", "fs", "gs"] as const) {
        const loaded = { es: DATA0, cs: CODE0, ss: DATA0, ds: DATA0, ...fields }[field];
        assert.is(rig.field(NEXT_TSS, field), loaded, `${text}: ${field}`);
      }
      assert.equal([rig.access(NEXT), rig.access(TSS_SELECTOR)], [BUSY32, way === "jmp" ? TSS32 : BUSY32], text);
    }
  }
});

test("behind the commit point of an IRET, and of an exception's gate with EXT", () => {
  const rig = new TaskRig();
  rig.code(CODE, IRET);
  linkTo(rig, NEXT);
  next(rig, BUSY32);
  rig.fields(NEXT_TSS, { eip: NEXT_CODE, esp: NEXT_STACK, ds: 0x1000 });
  rig.watch();
  let trap = rig.run(CODE);
  assert.equal([trap?.vector, trap?.error, rig.field(WATCH_TSS, "link")], [TS, 0x1000, NEXT]);
  assert.equal([rig.access(TSS_SELECTOR), rig.field(TSS, "eflags")], [TSS32, 2]);

  const other = new TaskRig();
  other.code(CODE, ["ud2"]);
  other.taskGate(UD, NEXT);
  other.fields(NEXT_TSS, { eip: NEXT_CODE, esp: NEXT_STACK, ds: 0x1000 });
  other.watch();
  trap = other.run(CODE);
  assert.equal([trap?.vector, trap?.error, other.field(WATCH_TSS, "link")], [TS, 0x1001, NEXT]);

  const beyond = new TaskRig();
  beyond.code(CODE, ["ud2"]);
  beyond.taskGate(UD, NEXT);
  beyond.descriptor(SPARE, 0, 0xff, 0x409b);
  beyond.fields(NEXT_TSS, { eip: NEXT_CODE, esp: NEXT_STACK, cs: SPARE });
  beyond.watch();
  trap = beyond.run(CODE);
  assert.equal([trap?.vector, trap?.error, beyond.field(NEXT_TSS, "eip")], [GP, 1, NEXT_CODE], "EIP beyond CS");
});

test("a contributory fault's task that faults at its loads: double fault; and the same in the double fault's: shutdown", () => {
  const rig = new TaskRig();
  rig.code(CODE, ["int", 0x41]);
  rig.cpu.setDescriptorTable("idt", IDT, 0x40 * 8 + 7);
  rig.taskGate(GP, NEXT);
  rig.fields(NEXT_TSS, { eip: NEXT_CODE, esp: NEXT_STACK, es: 0x1000 });
  rig.taskGate(DF, WATCH);
  const trap = rig.run(CODE);
  assert.equal([trap?.vector, trap?.error], [DF, 0]);
  assert.is(rig.field(WATCH_TSS, "link"), NEXT);
  assert.is(rig.word(WATCH_STACK - 4), 0);

  const shut = new TaskRig();
  shut.code(CODE, ["int", 0x41]);
  shut.cpu.setDescriptorTable("idt", IDT, 0x40 * 8 + 7);
  shut.taskGate(GP, NEXT);
  shut.fields(NEXT_TSS, { eip: NEXT_CODE, esp: NEXT_STACK, es: 0x1000 });
  shut.fields(WATCH_TSS, { eip: NEXT_CODE, esp: NEXT_STACK, es: 0x1000 });
  shut.taskGate(DF, WATCH);
  shut.run(CODE);
  assert.is(shut.exit, RunExit.TripleFault);
});

test("no room for the error code on the new stack: #SS(EXT) in the new task", () => {
  const rig = new TaskRig();
  rig.code(CODE, ["int", 0x41]);
  rig.cpu.setDescriptorTable("idt", IDT, 0x40 * 8 + 7);
  rig.taskGate(GP, NEXT);
  rig.descriptor(SPARE, 0, 0xff, 0x4093);
  rig.fields(NEXT_TSS, { eip: NEXT_CODE, esp: 0x104, ss: SPARE });
  rig.taskGate(DF, WATCH);
  const trap = rig.run(CODE);
  assert.equal([trap?.vector, rig.field(WATCH_TSS, "link")], [DF, NEXT], "#SS behind #GP");
});

test("CR3 of the new task leads nowhere: #PF at its descriptors, in the new task", () => {
  const rig = new TaskRig();
  rig.map(CODE, CODE).map(NEXT_CODE, NEXT_CODE).page();
  rig.code(CODE, JMP);
  // A directory that maps all of the rig but the GDT.
  const directory = rig.cpu.control(3);
  const [second, table] = [0x30000, 0x31000];
  rig.cpu.ram.copyWithin(second, directory, directory + 0x1000);
  rig.cpu.ram.copyWithin(table, rig.word(directory) & ~0xfff, (rig.word(directory) & ~0xfff) + 0x1000);
  rig.word(second, table | PRESENT | WRITE | USER);
  rig.word(table + (GDT >> 10), 0);
  rig.fields(NEXT_TSS, { eip: NEXT_CODE, esp: NEXT_STACK, cr3: second });
  rig.run(CODE);
  // Every handler needs the GDT too: shutdown, in the new task.
  assert.is(rig.exit, RunExit.TripleFault);
  assert.equal([rig.task, rig.cpu.control(3), rig.cpu.eip], [NEXT, second, NEXT_CODE]);
  assert.is(rig.cpu.control(2) & ~0xfff, GDT);
});

test("a segment that a conforming one may be: DS with conforming code of an inner ring", () => {
  const rig = new TaskRig();
  rig.code(CODE, JMP);
  spare(0x9e)(rig);
  rig.fields(NEXT_TSS, { eip: NEXT_CODE, esp: FREE, cs: CODE3, ss: DATA3, es: DATA3, ds: SPARE | 3 });
  rig.code(NEXT_CODE, ["int", 0x40]);
  rig.word(NEXT_TSS + 4, NEXT_STACK);
  rig.word(NEXT_TSS + 8, DATA0);
  assert.is(rig.run(CODE)?.vector, 0x40);
});

test.run();
