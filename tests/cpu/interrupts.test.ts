import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RunExit } from "../../cpu/cpu";
import { creg, sreg } from "../../cpu/encoder";
import {
  AL,
  at,
  CODE0,
  CODE3,
  DATA0,
  DATA3,
  DX,
  EAX,
  ECX,
  FREE,
  GDT,
  HANDLER,
  IDT,
  KERNEL_STACK,
  type Line,
  Rig,
  TSS,
  TSS_SELECTOR,
} from "./rig";

const test = suite("cpu/interrupts");

const CODE = FREE;
const STACK3 = FREE + 0xf000;
const [UD, DF, TS, NP, SS, GP] = [6, 8, 10, 11, 12, 13];
const IF = 0x200;
const TF = 0x100;
const IOPL3 = 0x3000;
const ARITHMETIC = 0x8d5;

/** The words that a handler finds on its stack, lowest first. */
function frame(rig: Rig, words: number): number[] {
  return Array.from({ length: words }, (_, i) => rig.word(rig.cpu.register(4) + 4 * i));
}

test("frames: INT and faults, in the ring and to an inner one, with and without error code", () => {
  const rig = new Rig();
  rig.code(CODE, ["int", 0x40]);
  rig.cpu.eflags = 2 | ARITHMETIC | IF;
  rig.run(CODE);
  assert.equal(frame(rig, 3), [CODE + 2, CODE0, 2 | ARITHMETIC | IF]);
  assert.is(rig.cpu.register(4), KERNEL_STACK - 12);
  assert.is(rig.cpu.eip, HANDLER);
  assert.is(rig.cpu.eflags, 2 | ARITHMETIC, "an interrupt gate clears IF");

  rig.ring(3).cpu.eflags = 2 | IF;
  rig.run(CODE);
  assert.equal(frame(rig, 5), [CODE + 2, CODE3, 2 | IF, STACK3, DATA3]);
  assert.is(rig.cpu.segment(1).selector, CODE0);
  assert.is(rig.cpu.segment(2).selector, DATA0);
  assert.is(rig.cpu.cpl, 0);

  rig.code(CODE, ["hlt"]);
  rig.ring(3);
  assert.equal(rig.run(CODE), { vector: GP, error: 0, eip: CODE, cr2: 0 });
  assert.equal(frame(rig, 6), [0, CODE, CODE3, 0x10002, STACK3, DATA3], "RF is set in a fault's EFLAGS");
});

test("a trap gate leaves IF; 16-bit gates push words", () => {
  const rig = new Rig();
  rig.code(CODE, ["int", 0x40]);
  rig.gate(0x40, HANDLER, CODE0, 0x8f);
  rig.cpu.eflags = 2 | IF;
  rig.run(CODE);
  assert.is(rig.cpu.eflags, 2 | IF);
  rig.gate(0x40, HANDLER, CODE0, 0x86);
  rig.ring(0).cpu.eflags = 2 | IF;
  rig.stopAtTraps = false;
  rig.run(CODE);
  assert.is(rig.cpu.register(4), KERNEL_STACK - 6);
  assert.is(rig.word(KERNEL_STACK - 4), ((2 | IF) << 16) | CODE0);
});

test("gates that refuse: privilege, presence, type, limit, null and bad selectors", () => {
  const cases: [string, (rig: Rig) => void, number, number, 0 | 3][] = [
    ["DPL of the gate below CPL", (rig) => rig.gate(0x40, HANDLER, CODE0, 0x8e), GP, 0x40 * 8 + 2, 3],
    ["not present", (rig) => rig.gate(0x40, HANDLER, CODE0, 0x6e), NP, 0x40 * 8 + 2, 0],
    ["a call gate", (rig) => rig.gate(0x40, HANDLER, CODE0, 0xec), GP, 0x40 * 8 + 2, 0],
    ["beyond the IDT", (rig) => rig.cpu.setDescriptorTable("idt", IDT, 0x40 * 8 + 6), GP, 0x40 * 8 + 2, 0],
    ["null selector", (rig) => rig.gate(0x40, HANDLER, 3, 0xee), GP, 0, 0],
    ["selector beyond the GDT", (rig) => rig.gate(0x40, HANDLER, 0x2008, 0xee), GP, 0x2008, 0],
    ["a data segment", (rig) => rig.gate(0x40, HANDLER, DATA0, 0xee), GP, DATA0, 0],
    ["an outer ring's code", (rig) => rig.gate(0x40, HANDLER, CODE3, 0xee), GP, CODE3 & ~3, 0],
    ["code not present", (rig) => rig.descriptor(0x30, 0, 0xfffff, 0xc01b), NP, 0x30, 0],
    ["EIP beyond the code segment", (rig) => rig.descriptor(0x30, 0, 0xff, 0x409b), GP, 0, 0],
    [
      "TSS too small",
      (rig) => rig.cpu.setSegment(7, { selector: TSS_SELECTOR, base: TSS, limit: 5, attributes: 0x8b00 }),
      TS,
      TSS_SELECTOR,
      3,
    ],
    ["no stack in the TSS", (rig) => rig.word(TSS + 8, 0), TS, 0, 3],
    ["the stack's RPL", (rig) => rig.word(TSS + 8, DATA3), TS, DATA3 & ~3, 3],
    [
      "a stack that is read-only",
      (rig) => [rig.descriptor(0x38, 0, 0xfffff, 0xc091), rig.word(TSS + 8, 0x38)],
      TS,
      0x38,
      3,
    ],
    ["a stack not present", (rig) => [rig.descriptor(0x38, 0, 0xfffff, 0xc013), rig.word(TSS + 8, 0x38)], SS, 0x38, 3],
    [
      "a stack without room",
      (rig) => [rig.descriptor(0x38, 0, 0xf, 0x4093), rig.word(TSS + 8, 0x38), rig.word(TSS + 4, 0x100)],
      SS,
      0x38,
      3,
    ],
  ];
  for (const [name, spoil, vector, error, ring] of cases) {
    const rig = new Rig();
    rig.code(CODE, ["int", 0x40]);
    if (/^code not|^EIP/.test(name)) rig.gate(0x40, HANDLER, 0x30, 0xee);
    // The fault itself goes to a conforming segment, so that it needs no stack.
    rig.descriptor(0x50, 0, 0xfffff, 0xc09f);
    for (const fault of [TS, NP, SS, GP]) rig.gate(fault, HANDLER, 0x50, 0x8e);
    rig.ring(ring);
    spoil(rig);
    const instret = rig.cpu.instret;
    assert.equal(rig.run(CODE), { vector, error, eip: CODE, cr2: 0 }, name);
    assert.is(rig.cpu.instret, instret, name);
  }
});

test("external events set EXT in the error code", () => {
  const rig = new Rig();
  rig.code(CODE, ["nop"], ["nop"]);
  rig.gate(0x20, HANDLER, CODE0, 0x6e);
  rig.cpu.eflags = 2 | IF;
  rig.cpu.setInterruptLine(1);
  assert.equal(rig.run(CODE), { vector: NP, error: 0x20 * 8 + 3, eip: CODE, cr2: 0 });
});

test("double fault: contributory after contributory, page fault after page fault; and shutdown", () => {
  const rig = new Rig();
  // #GP whose gate is not present: #NP while delivering #GP.
  rig.code(CODE, ["mov", EAX, creg(0)]);
  rig.gate(GP, HANDLER, CODE0, 0x0e);
  rig.ring(3);
  assert.equal(rig.run(CODE), { vector: DF, error: 0, eip: CODE, cr2: 0 });
  // #UD is benign: #NP is delivered after it.
  rig.code(CODE, ["ud2"]);
  rig.gate(UD, HANDLER, CODE0, 0x0e);
  assert.equal(rig.ring(0).run(CODE), { vector: NP, error: UD * 8 + 3, eip: CODE, cr2: 0 });
  // #PF whose handler's page is gone.
  const paged = new Rig();
  paged.map(CODE, CODE).page();
  paged.code(CODE, ["mov", EAX, at(null, 0xc00000)]);
  paged.gate(14, HANDLER, 0x2000, 0x8e);
  assert.is(paged.run(CODE)?.vector, DF);
  paged.gate(DF, HANDLER, CODE0, 0x0e);
  assert.is(paged.ring(0).run(CODE), null);
  assert.is(paged.exit, RunExit.TripleFault);
  assert.is(paged.cpu.eip, CODE);
  assert.is(paged.cpu.run(1e9), RunExit.TripleFault, "it stays so");
});

test("IRET: same ring, outer ring, and what the flags may do", () => {
  const rig = new Rig();
  const push = (...words: number[]): void => {
    const esp = KERNEL_STACK - 4 * words.length;
    for (const [i, word] of words.entries()) rig.word(esp + 4 * i, word);
    rig.ring(0).cpu.setRegister(4, esp);
  };
  rig.code(CODE, ["iretd"]);
  rig.code(CODE + 0x100, ["int", 0x80]);
  push(CODE + 0x100, CODE0, 2 | ARITHMETIC | IF | IOPL3);
  assert.is(rig.run(CODE)?.vector, 0x80);
  assert.is(rig.word(KERNEL_STACK - 4), 2 | ARITHMETIC | IF | IOPL3);

  push(CODE + 0x100, CODE3, 2 | IF, STACK3 - 8, DATA3);
  for (const segment of [0, 3, 4])
    rig.cpu.setSegment(segment, { selector: DATA0, base: 0, limit: 0xffffffff, attributes: 0xc09300 });
  rig.cpu.setSegment(5, { selector: DATA3, base: 0, limit: 0xffffffff, attributes: 0xc0f300 });
  assert.is(rig.run(CODE)?.vector, 0x80);
  assert.equal(frame(rig, 5), [CODE + 0x102, CODE3, 2 | IF, STACK3 - 8, DATA3]);
  assert.equal(
    [0, 3, 4, 5].map((segment) => rig.cpu.segment(segment).selector),
    [0, 0, 0, DATA3],
    "ring-0 data is taken away",
  );

  // In ring 3 neither IOPL nor (below IOPL 3) IF change.
  rig.ring(3).cpu.eflags = 2 | IF;
  rig.word(STACK3 - 12, CODE + 0x100);
  rig.word(STACK3 - 8, CODE3);
  rig.word(STACK3 - 4, 2 | IOPL3 | ARITHMETIC);
  rig.cpu.setRegister(4, STACK3 - 12);
  assert.is(rig.run(CODE)?.vector, 0x80);
  assert.is(frame(rig, 3)[2], 2 | IF | ARITHMETIC);
});

test("IRET that refuses leaves ESP and everything as it was", () => {
  const good = [CODE, CODE3, 2, STACK3, DATA3];
  const cases: [string, (words: number[], rig: Rig) => void, number, number][] = [
    ["null CS", (w) => (w[1] = 3), GP, 0],
    ["CS beyond the GDT", (w) => (w[1] = 0x2003), GP, 0x2000],
    ["data in CS", (w) => (w[1] = DATA3), GP, DATA3 & ~3],
    ["CS.DPL is not its RPL", (w) => (w[1] = CODE0 | 3), GP, CODE0],
    ["CS not present", (w, rig) => [rig.descriptor(0x30, 0, 0xfffff, 0xc07b), w.fill(0x33, 1, 2)], NP, 0x30],
    ["null SS", (w) => (w[4] = 0), GP, 0],
    ["SS.RPL is not CS.RPL", (w) => (w[4] = DATA3 & ~3), GP, DATA3 & ~3],
    ["SS is code", (w) => (w[4] = CODE3), GP, CODE3 & ~3],
    ["SS not present", (w, rig) => [rig.descriptor(0x30, 0, 0xfffff, 0xc073), w.fill(0x33, 4)], SS, 0x30],
    ["EIP beyond CS", (w, rig) => [rig.descriptor(0x30, 0, 0xff, 0x40fb), w.fill(0x33, 1, 2)], GP, 0],
    ["virtual-8086 mode beyond 64 KB", (w) => (w[2] = 0x20002), GP, 0],
  ];
  for (const [name, spoil, vector, error] of cases) {
    const rig = new Rig();
    rig.code(CODE, ["iretd"]);
    const words = [...good];
    spoil(words, rig);
    const esp = KERNEL_STACK - 32;
    for (const [i, word] of words.entries()) rig.word(esp + 4 * i, word);
    rig.cpu.setRegister(4, esp);
    assert.equal(rig.run(CODE), { vector, error, eip: CODE, cr2: 0 }, name);
    assert.is(rig.cpu.register(4), esp - 16, name);
    assert.equal(
      [1, 2].map((s) => rig.cpu.segment(s).selector),
      [CODE0, DATA0],
      name,
    );
  }
});

/** Lines of straight code that is interrupted after `instructions`. */
function interruptedAfter(lines: Line[], eflags: number): number {
  const rig = new Rig();
  const start = CODE;
  rig.code(start, ...lines);
  rig.cpu.eflags = eflags;
  rig.cpu.setInterruptLine(1);
  const trap = rig.run(start);
  assert.is(trap?.vector, 0x20);
  return rig.cpu.instret;
}

test("shadows: STI and a load of SS put interrupts off by one instruction", () => {
  const nops: Line[] = [["nop"], ["nop"], ["nop"]];
  assert.is(interruptedAfter(nops, 2 | IF), 0);
  assert.is(interruptedAfter([["sti"], ...nops], 2), 2);
  assert.is(interruptedAfter([["sti"], ["sti"], ...nops], 2), 2, "a second STI gives no second shadow");
  assert.is(interruptedAfter([["mov", EAX, DATA0], ["cli"], ["sti"], ["mov", sreg(2), EAX], ...nops], 2), 5);
  assert.is(
    interruptedAfter(
      [["push", sreg(2)], ["pop", sreg(2)], ...nops].map((line) => line as Line).toSpliced(0, 0, ["sti"]),
      2,
    ),
    2,
  );
});

test("HLT: sleeps, wakes by an interrupt behind itself, and STI; HLT loses none", () => {
  const rig = new Rig();
  rig.code(CODE, ["sti"], ["hlt"], ["int", 0x80]);
  assert.is(rig.run(CODE), null);
  assert.is(rig.exit, RunExit.Halted);
  assert.is(rig.go(), null);
  assert.is(rig.exit, RunExit.Halted, "still");
  rig.cpu.setInterruptLine(1);
  assert.equal(rig.go(), { vector: 0x20, error: -1, eip: CODE + 2, cr2: 0 });
  rig.ring(0).cpu.eflags = 2;
  rig.cpu.setInterruptLine(1);
  assert.equal(rig.run(CODE), { vector: 0x20, error: -1, eip: CODE + 2, cr2: 0 });
  assert.not(rig.cpu.halted);
});

test("single step: after each instruction with TF, also between repetitions, not behind MOV SS or into a handler", () => {
  const rig = new Rig();
  rig.code(
    CODE,
    ["mov", ECX, 2],
    { op: "stosb", values: [], options: { prefixes: 4 } },
    ["mov", sreg(2), EAX],
    ["nop"],
    ["int", 0x80],
  );
  rig.registers = [DATA0, 0, 0, 0, KERNEL_STACK, 0, 0, FREE + 0x8000];
  const eips: number[] = [];
  rig.cpu.eip = CODE;
  for (;;) {
    rig.cpu.eflags = 2 | TF;
    rig.cpu.setRegister(4, KERNEL_STACK);
    const trap = rig.go();
    if (trap === null || trap.vector !== 1) {
      assert.is(trap?.vector, 0x80);
      assert.is(rig.word(rig.cpu.register(4) + 8) & TF, TF);
      break;
    }
    assert.is(rig.cpu.eflags & TF, 0);
    assert.is(rig.cpu.debugRegister(6) & 0x4000, 0x4000);
    eips.push(trap.eip - CODE);
    rig.cpu.eip = trap.eip;
  }
  assert.equal(eips, [5, 5, 7, 10]);
});

test("IOPL: CLI, STI, POPF and IN, OUT in ring 3, and the bitmap", () => {
  const faults = (line: Line, eflags: number, bitmap?: (rig: Rig) => void): boolean => {
    const rig = new Rig();
    rig.code(CODE, line, ["int", 0x80]);
    bitmap?.(rig);
    rig.ring(3).cpu.eflags = eflags;
    rig.cpu.setRegister(2, 0x3f9);
    rig.word(STACK3, 2 | IF);
    const trap = rig.run(CODE);
    if (trap?.vector === GP) assert.is(trap.error, 0);
    return trap?.vector === GP;
  };
  for (const line of [["cli"], ["sti"], ["in", AL, DX], ["out", DX, AL], ["outsb"]] as Line[]) {
    assert.ok(faults(line, 2), `${line} at IOPL 0`);
    assert.not(faults(line, 2 | IOPL3), `${line} at IOPL 3`);
  }
  // The bitmap right behind the TSS; port 0x3f9 is bit 1 of byte 0x7f.
  const open =
    (bits: number, limit = 0x68 + 0x80) =>
    (rig: Rig): void => {
      rig.cpu.ram.fill(0xff, TSS + 0x68, TSS + 0x68 + 0x82);
      rig.cpu.ram[TSS + 0x68 + 0x7f] = bits;
      rig.cpu.setSegment(7, { selector: TSS_SELECTOR, base: TSS, limit, attributes: 0x8b00 });
    };
  assert.not(faults(["in", AL, DX], 2, open(0xfd)));
  assert.ok(faults(["in", AL, DX], 2, open(0x02)));
  assert.ok(faults(["in", EAX, DX], 2, open(0xfd)), "each of four ports must be open");
  assert.not(faults(["in", EAX, DX], 2, open(0xe1)));
  assert.ok(faults(["in", AL, DX], 2, open(0xfd, 0x68 + 0x7f)), "beyond the limit");
  // POPF in ring 3 at IOPL 0 changes neither IF nor IOPL, silently.
  const rig = new Rig();
  rig.code(CODE, ["popfd"], ["int", 0x80]);
  rig.ring(3).cpu.eflags = 2 | IF;
  rig.word(STACK3, 2 | IOPL3 | ARITHMETIC);
  rig.run(CODE);
  assert.is(frame(rig, 3)[2], 2 | IF | ARITHMETIC);
});

test("privileged instructions are #GP(0) outside ring 0", () => {
  const lines: Line[] = [
    ["hlt"],
    ["clts"],
    ["lgdt", at(null, GDT, 6)],
    ["lidt", at(null, IDT, 6)],
    ["invlpg", at(null, 0, 0)],
    ["mov", EAX, creg(3)],
    ["mov", creg(0), EAX],
    ["lldt", at(null, FREE, 2)],
    ["ltr", at(null, FREE, 2)],
    ["lmsw", at(null, FREE, 2)],
    ["wbinvd"],
    ["invd"],
  ];
  for (const line of lines) {
    const rig = new Rig();
    rig.code(CODE, line);
    assert.equal(rig.ring(3).run(CODE), { vector: GP, error: 0, eip: CODE, cr2: 0 }, `${line}`);
  }
});

test("devices see the counts of the instruction's start; RDTSC reads its own", () => {
  const rig = new Rig();
  rig.code(CODE, ["nop"], ["nop"], ["in", AL, 0x60], ["nop"], ["out", 0x61, AL], ["rdtsc"], ["int", 0x80]);
  rig.run(CODE);
  const { instructions } = rig.cpu.costs;
  assert.equal(
    rig.io.map(({ instret, cycles }) => [instret, cycles]),
    [
      [2, 2],
      [4, 3 + instructions.in],
    ],
  );
  assert.is(rig.cpu.register(0), 3 + instructions.in + instructions.out);
  assert.is(rig.cpu.register(2), 0);
});

test("alignment checks: in ring 3 with AM and AC, #AC(0)", () => {
  const rig = new Rig();
  rig.code(CODE, ["mov", EAX, at(null, FREE + 0x8001)], ["int", 0x80]);
  rig.ring(3).cpu.eflags = 2 | 0x40000;
  assert.is(rig.run(CODE)?.vector, 0x80, "AM is clear");
  rig.cpu.setControl(0, rig.cpu.control(0) | 0x40000);
  rig.ring(3).cpu.eflags = 2 | 0x40000;
  assert.equal(rig.run(CODE), { vector: 17, error: 0, eip: CODE, cr2: 0 });
  rig.ring(0).cpu.eflags = 2 | 0x40000;
  assert.is(rig.run(CODE)?.vector, 0x80, "ring 0 is not checked");
});

test.run();
