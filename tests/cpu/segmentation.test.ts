import { suite } from "uvu";
import * as assert from "uvu/assert";
import { creg, far, mem, sreg } from "../../cpu/encoder";
import { Random } from "../fuzz/random";
import {
  AX,
  at,
  CODE0,
  CODE3,
  CX,
  DATA0,
  DATA3,
  EAX,
  EBX,
  ECX,
  EDI,
  ESI,
  FREE,
  FREE_SELECTOR,
  GDT,
  HANDLER,
  IDT,
  KERNEL_STACK,
  type Line,
  Rig,
  rep,
  TSS_SELECTOR,
} from "./rig";

const test = suite("cpu/segmentation");

const CODE = FREE;
const DATA = 0x200000;
const STACK3 = FREE + 0xf000;
const [NP, SS, GP] = [11, 12, 13];
/** Access bytes with G and D as in Rig.descriptor. */
const DATA_RO = 0xc091;
const DATA_DOWN = 0xc097;
const CODE_XO = 0xc099;
const CODE_CONFORMING = 0xc09f;
const [SS_REG, DS, FS] = [2, 3, 4].map(sreg);
const A = FREE_SELECTOR;
const B = FREE_SELECTOR + 8;

test("loads of DS: what each descriptor answers", () => {
  type Row = [name: string, ring: 0 | 3, selector: number, attributes: number, vector: number, error: number];
  const rows: Row[] = [
    ["null", 0, 0, 0, 0, 0],
    ["null with RPL", 3, 3, 0, 0, 0],
    ["data", 0, A, 0xc093, 0, 0],
    ["read-only data", 0, A, DATA_RO, 0, 0],
    ["readable code", 0, A, 0xc09b, 0, 0],
    ["execute-only code", 0, A, CODE_XO, GP, A],
    ["a system segment", 0, A, 0x0082, GP, A],
    ["not present", 0, A, 0xc013, NP, A],
    ["CPL above DPL", 3, A, 0xc093, GP, A],
    ["RPL above DPL", 0, A | 3, 0xc093, GP, A],
    ["DPL 3 by ring 3", 3, A | 3, 0xc0f3, 0, 0],
    ["conforming code of ring 0 by ring 3", 3, A | 3, CODE_CONFORMING, 0, 0],
    ["beyond the GDT", 0, 0x1000, 0, GP, 0x1000],
    ["in an LDT that is not there", 0, 4, 0, GP, 4],
  ];
  for (const [name, ring, selector, attributes, vector, error] of rows) {
    for (const through of ["mov", "pop", "lds"]) {
      const rig = new Rig();
      rig.descriptor(A, 0x1234, 0xfffff, attributes & ~1);
      const load: Line[] = {
        mov: [["mov", DS, AX]] as Line[],
        pop: [
          ["push", EAX],
          ["pop", DS],
        ] as Line[],
        lds: [["lds", EBX, mem(6, { displacement: DATA, far: true })]] as Line[],
      }[through] as Line[];
      rig.word(DATA + 4, selector);
      const labels = rig.code(CODE, ...load, "behind", ["int", 0x80]);
      rig.ring(ring);
      rig.cpu.setRegister(0, selector);
      const trap = rig.run(CODE);
      const text = `${through} ${name}`;
      if (vector === 0) {
        assert.is(trap?.vector, 0x80, text);
        const { selector: now, base } = rig.cpu.segment(3);
        assert.equal([now, base], [selector, selector < 4 ? 0 : 0x1234], text);
        if (selector > 3) assert.is(rig.word(GDT + A + 4) & 0x100, 0x100, `${text}: accessed`);
      } else {
        assert.is(trap?.vector, vector, text);
        assert.is(trap?.error, error, text);
        assert.ok((trap?.eip as number) < labels.behind, text);
        assert.is(rig.cpu.segment(3).selector, ring === 0 ? DATA0 : DATA3, text);
        if (selector === A && attributes !== 0) assert.is(rig.word(GDT + A + 4) & 0x100, 0, `${text}: not accessed`);
      }
    }
  }
});

test("loads of SS: exactly the ring's writable data", () => {
  const rows: [string, number, number, number, number][] = [
    ["good", A, 0xc093, 0, 0],
    ["null", 0, 0, GP, 0],
    ["read-only", A, DATA_RO, GP, A],
    ["code", A, 0xc09b, GP, A],
    ["wrong RPL", A | 3, 0xc093, GP, A],
    ["wrong DPL", A, 0xc0f3, GP, A],
    ["not present", A, 0xc013, SS, A],
  ];
  for (const [name, selector, attributes, vector, error] of rows) {
    const rig = new Rig();
    rig.descriptor(A, 0, 0xfffff, attributes);
    rig.code(CODE, ["mov", SS_REG, AX], ["nop"], ["int", 0x80]);
    rig.cpu.setRegister(0, selector);
    const trap = rig.run(CODE);
    assert.is(trap?.vector, vector === 0 ? 0x80 : vector, name);
    if (vector !== 0) assert.is(trap?.error, error, name);
  }
});

test("limits: up and down, each size at the edge; #SS for the stack; null, read-only, execute-only", () => {
  const faults = (base: number, limit: number, attributes: number, line: Line): number => {
    const rig = new Rig();
    rig.descriptor(A, base, limit, attributes);
    rig.code(CODE, ["mov", EAX, A], ["mov", FS, EAX], line, ["int", 0x80]);
    rig.cpu.setRegister(3, DATA);
    const trap = rig.run(CODE);
    return trap?.vector === 0x80 ? 0 : (trap?.vector as number);
  };
  const fs = (offset: number, size: number, segment = 4) => mem(size, { displacement: offset, segment });
  const read = (offset: number, size = 4): Line => ["test", fs(offset, size), 1];
  for (const size of [1, 2, 4]) {
    assert.is(faults(DATA, 0xff, 0x4093, read(0x100 - size, size)), 0, `${size} to the last byte`);
    assert.is(faults(DATA, 0xff, 0x4093, read(0x101 - size, size)), GP, `${size} beyond`);
    assert.is(faults(DATA, 0xff, 0x4097, read(0x100, size)), 0, `${size} above an expand-down limit`);
    assert.is(faults(DATA, 0xff, 0x4097, read(0xff, size)), GP, `${size} at it`);
    assert.is(faults(DATA, 0xff, 0x0097, read(0x10000 - size, size)), 0, `${size} to the top of 64 KB`);
    assert.is(faults(DATA, 0xff, 0x0097, read(0x10001 - size, size)), GP, `${size} beyond 64 KB`);
  }
  assert.is(faults(DATA, 0, 0xc093, read(0xffc)), 0, "granularity: 4 KB");
  assert.is(faults(DATA, 0, 0xc093, read(0xffd)), GP);
  assert.is(faults(DATA, 0xff, 0x4093, read(-1, 1)), GP);
  assert.is(faults(0, 0xfffff, DATA_RO, ["mov", fs(DATA, 4), EBX]), GP, "read-only");
  assert.is(faults(0, 0xfffff, 0xc09b, ["mov", fs(DATA, 4), EBX]), GP, "code is never written");
  assert.is(faults(0, 0xfffff, 0xc09b, ["mov", EBX, fs(DATA, 4)]), 0, "readable code is read");
  assert.is(faults(0, 0xfffff, 0xc093, ["mov", fs(DATA, 4, 1), EBX]), GP, "nor by a CS prefix");
  // Null segments, with selectors that load.
  const rig = new Rig();
  rig.code(CODE, ["xor", EAX, EAX], ["mov", DS, EAX], ["mov", EBX, at(null, DATA)]);
  assert.equal(rig.run(CODE), { vector: GP, error: 0, eip: CODE + 4, cr2: 0 });
  // The stack.
  const stack = new Rig();
  stack.descriptor(A, 0, 0x6ff, (DATA_DOWN & ~0x8000) | 0x4000);
  stack.code(CODE, ["mov", EAX, A], ["mov", SS_REG, EAX], ["mov", ECX, ECX], ["push", EAX], ["push", EAX]);
  stack.descriptor(0x50, 0, 0xfffff, 0xc093);
  stack.cpu.setRegister(4, 0x704);
  stack.gate(SS, HANDLER, CODE0, 0x8e);
  // Ring 0 cannot push its own frame there: a double fault, and no shutdown, needs room; so look at the vector only.
  const seen: number[] = [];
  stack.cpu.onInstruction = () => seen.push(stack.cpu.register(4)) < 0;
  stack.run(CODE, 20);
  assert.is(seen[4], 0x700, "one push fits, the next does not");
});

test("16-bit stacks and code: SP wraps, IP is cut, ESP's upper half stays", () => {
  const rig = new Rig();
  rig.descriptor(A, DATA, 0xffff, 0x009b);
  rig.descriptor(B, DATA, 0xffff, 0x0093);
  // push ax; pop bx; call +0; pop cx; enter 4,0; leave; int 80
  rig.cpu.ram.set([0x50, 0x5b, 0xe8, 0, 0, 0x59, 0xc8, 4, 0, 0, 0xc9, 0xcd, 0x80], DATA + 0x100);
  rig.cpu.setSegment(1, { selector: A, base: DATA, limit: 0xffff, attributes: 0x9b00 });
  for (const segment of [2, 3, 0])
    rig.cpu.setSegment(segment, { selector: B, base: DATA, limit: 0xffff, attributes: 0x9300 });
  rig.registers = [0x12345678, 0, 0, 0, 0xabcd0000, 0xffff1111, 0, 0];
  rig.gate(0x80, HANDLER, CODE0, 0xee);
  rig.stopAtTraps = false;
  rig.cpu.listener = null;
  rig.cpu.onInstruction = () => rig.cpu.eip === 0x10b;
  rig.run(0x100);
  assert.equal(
    rig.registers.map((value) => value.toString(16)),
    ["12345678", "105", "0", "5678", "abcd0000", "ffff1111", "0", "0"],
  );
  assert.is(rig.word(DATA + 0xfffc), 0x11110000, "BP, at the top of the 64 KB");
});

test("far jumps and calls: direct, conforming, by gate, and the refusals", () => {
  const code = (rig: Rig, line: Line): void => {
    rig.code(CODE, line, ["int", 0x80]);
    rig.code(CODE + 0x100, ["mov", EAX, sreg(1)], ["int", 0x81]);
  };
  type Row = [
    name: string,
    ring: 0 | 3,
    selector: number,
    setup: (rig: Rig) => void,
    vector: number,
    error: number,
    cs: number,
  ];
  const gate = (rig: Rig, selector: number, access: number, offset = CODE + 0x100, count = 0): void => {
    rig.word(GDT + A, (selector << 16) | (offset & 0xffff));
    rig.word(GDT + A + 4, (offset & 0xffff0000) | (access << 8) | count);
  };
  const rows: Row[] = [
    ["direct", 0, CODE0, () => undefined, 0, 0, CODE0],
    ["in ring 3", 3, CODE3, () => undefined, 0, 0, CODE3],
    ["RPL above CPL", 0, CODE0 | 3, () => undefined, GP, CODE0, 0],
    ["inner ring", 3, CODE0, () => undefined, GP, CODE0, 0],
    ["outer ring", 0, CODE3, () => undefined, GP, CODE3 & ~3, 0],
    ["conforming", 3, A, (rig) => rig.descriptor(A, 0, 0xfffff, CODE_CONFORMING), 0, 0, A | 3],
    ["null", 0, 0, () => undefined, GP, 0, 0],
    ["data", 0, DATA0, () => undefined, GP, DATA0, 0],
    ["not present", 0, A, (rig) => rig.descriptor(A, 0, 0xfffff, 0xc01b), NP, A, 0],
    ["beyond the limit", 0, A, (rig) => rig.descriptor(A, 0, 0xff, 0x409b), GP, 0, 0],
    ["a gate", 0, A, (rig) => gate(rig, CODE0, 0x8c), 0, 0, CODE0],
    ["a gate of lower privilege", 3, A, (rig) => gate(rig, CODE0, 0x8c), GP, A, 0],
    ["a gate not present", 0, A, (rig) => gate(rig, CODE0, 0x0c), NP, A, 0],
    ["a gate to data", 0, A, (rig) => gate(rig, DATA0, 0x8c), GP, DATA0, 0],
    ["a gate to null", 0, A, (rig) => gate(rig, 0, 0x8c), GP, 0, 0],
    ["a busy task", 0, TSS_SELECTOR, (rig) => rig.descriptor(TSS_SELECTOR, 0x3000, 0x67, 0x8b), GP, TSS_SELECTOR, 0],
  ];
  for (const [name, ring, selector, setup, vector, error, cs] of rows) {
    for (const mnemonic of ["jmp", "call"]) {
      const rig = new Rig();
      setup(rig);
      code(rig, [mnemonic, far(selector, CODE + 0x100)]);
      rig.ring(ring);
      const esp = rig.cpu.register(4);
      const trap = rig.run(CODE);
      const text = `${mnemonic} ${name}`;
      if (vector !== 0) {
        assert.equal(trap, { vector, error, eip: CODE, cr2: 0 }, text);
        continue;
      }
      assert.is(trap?.vector, 0x81, text);
      assert.is(rig.cpu.register(0), cs, text);
      if (mnemonic === "call")
        assert.equal([rig.word(esp - 8), rig.word(esp - 4)], [CODE + 7, ring ? CODE3 : CODE0], text);
    }
  }
});

test("a call gate to ring 0 and the far return: stacks, parameters, and back", () => {
  const rig = new Rig();
  rig.word(GDT + A, (CODE0 << 16) | ((CODE + 0x100) & 0xffff));
  rig.word(GDT + A + 4, ((CODE + 0x100) & 0xffff0000) | 0xec00 | 2);
  rig.code(CODE, ["push", 0x111], ["push", 0x222], ["call", far(A | 3, 0)], "back", ["int", 0x80]);
  const labels = rig.code(
    CODE + 0x100,
    ["mov", EBX, mem(4, { base: 4, displacement: 8 })],
    ["mov", ECX, mem(4, { base: 4, displacement: 12 })],
    ["mov", EAX, sreg(2)],
    ["retf", 8],
  );
  rig.ring(3);
  assert.is(rig.run(CODE)?.vector, 0x80);
  assert.equal(rig.registers.slice(0, 4), [DATA0, 0x111, 0, 0x222]);
  assert.equal(rig.word(KERNEL_STACK - 8), STACK3, "both stacks dropped the parameters");
  assert.is(rig.word(KERNEL_STACK - 16), CODE3);
  assert.ok(labels.end > 0);
  // As a jump it may not change the ring.
  rig.code(CODE, ["jmp", far(A | 3, 0)]);
  assert.equal(rig.ring(3).run(CODE), { vector: GP, error: CODE0, eip: CODE, cr2: 0 });
});

test("LAR LSL VERR VERW ARPL", () => {
  const ask = (line: Line, selector: number, ring: 0 | 3 = 0): [zero: boolean, eax: number] => {
    const rig = new Rig();
    rig.descriptor(A, 0x1000, 0x12345, 0xc093);
    rig.descriptor(B, 0, 0xff, 0x4099);
    rig.code(CODE, line, ["int", 0x80]);
    rig.ring(ring);
    rig.registers = [0xeeee, selector, 0, 0, rig.cpu.register(4), 0, 0, 0];
    assert.is(rig.run(CODE)?.vector, 0x80);
    const flags = ring === 0 ? rig.word(rig.cpu.register(4) + 8) : rig.word(KERNEL_STACK - 12);
    return [(flags & 0x40) !== 0, rig.cpu.register(0)];
  };
  const [LAR, LSL, VERR, VERW]: Line[] = [
    ["lar", EAX, CX],
    ["lsl", EAX, CX],
    ["verr", CX],
    ["verw", CX],
  ];
  assert.equal(ask(LAR, A), [true, 0xc09300]);
  assert.equal(ask(LSL, A), [true, 0x12345fff]);
  assert.equal(ask(LSL, B), [true, 0xff]);
  assert.equal(ask(LAR, A, 3), [false, 0xeeee], "not visible to ring 3");
  assert.equal(ask(LAR, 0), [false, 0xeeee]);
  assert.equal(ask(LAR, 0x2000), [false, 0xeeee]);
  assert.equal(
    [ask(VERR, A), ask(VERW, A), ask(VERR, B), ask(VERW, B), ask(VERR, A, 3)].map(([zero]) => zero),
    [true, true, false, false, false],
  );
  const rig = new Rig();
  rig.code(CODE, ["arpl", AX, CX], ["int", 0x80]);
  rig.registers = [8, 3, 0, 0, KERNEL_STACK, 0, 0, 0];
  rig.run(CODE);
  assert.is(rig.cpu.register(0), 0xb);
  assert.is(rig.word(KERNEL_STACK - 4) & 0x40, 0x40);
});

test("LLDT, LTR, SLDT, STR, and segments of an LDT", () => {
  const rig = new Rig();
  rig.descriptor(A, 0x4000, 0x1f, 0x0082);
  rig.descriptor(TSS_SELECTOR, 0x3000, 0x67, 0x0089);
  rig.descriptor(0x8, DATA, 0xffff, 0x4093, 0x4000);
  rig.word(DATA + 16, 4711);
  rig.code(
    CODE,
    ["mov", EAX, A],
    ["lldt", AX],
    ["mov", EAX, TSS_SELECTOR],
    ["ltr", AX],
    ["sldt", EBX],
    ["str", ECX],
    ["mov", EAX, 0xc],
    ["mov", FS, EAX],
    ["mov", ESI, mem(4, { displacement: 16, segment: 4 })],
    ["int", 0x80],
  );
  assert.is(rig.run(CODE)?.vector, 0x80);
  assert.equal([rig.cpu.register(3), rig.cpu.register(1), rig.cpu.register(6)], [A, TSS_SELECTOR, 4711]);
  assert.is((rig.word(GDT + TSS_SELECTOR + 4) >> 8) & 0xff, 0x8b, "busy");
  rig.code(CODE, ["ltr", AX]);
  rig.ring(0).cpu.setRegister(0, TSS_SELECTOR);
  assert.equal(rig.run(CODE), { vector: GP, error: TSS_SELECTOR, eip: CODE, cr2: 0 }, "a busy task");
  rig.code(CODE, ["lldt", AX]);
  rig.ring(0).cpu.setRegister(0, DATA0);
  assert.equal(rig.run(CODE), { vector: GP, error: DATA0, eip: CODE, cr2: 0 });
});

test("the tables' registers, and control registers, go in and out", () => {
  const rig = new Rig();
  rig.word(DATA, (0x5678 << 16) | 0x07ff);
  rig.word(DATA + 4, 0x1234);
  rig.code(
    CODE,
    ["sidt", at(null, DATA + 8, 6)],
    ["lgdt", at(null, DATA, 6)],
    ["sgdt", at(null, DATA + 16, 6)],
    ["mov", EAX, creg(0)],
    ["smsw", EBX],
    ["int", 0x81],
  );
  rig.gate(0x81, HANDLER, CODE0, 0xee);
  rig.stopAtTraps = true;
  rig.cpu.onInstruction = () => rig.cpu.eip === CODE + 7 * 3 + 3 + 3;
  rig.run(CODE);
  assert.equal([rig.word(DATA + 8), rig.word(DATA + 12) & 0xffff], [(((IDT & 0xffff) << 16) | 0x7ff) >>> 0, 0]);
  assert.equal([rig.word(DATA + 16), rig.word(DATA + 20) & 0xffff], [0x567807ff, 0x1234]);
  assert.equal([rig.cpu.register(0), rig.cpu.register(3)], [0x11, 0x11]);
  const impossible: Line[][] = [
    [
      ["mov", EAX, 0x80000000 | 0],
      ["mov", creg(0), EAX],
    ],
    [
      ["mov", EAX, 0x20000011],
      ["mov", creg(0), EAX],
    ],
    [
      ["mov", EAX, 0x20],
      ["mov", creg(4), EAX],
    ],
  ];
  for (const lines of impossible) {
    const other = new Rig();
    other.code(CODE, ...lines);
    assert.is(other.run(CODE)?.vector, GP);
  }
});

test("flat segments skip the checks and nothing else: the same program with a checked DS", () => {
  const lines = (random: Random): Line[] => {
    const out: Line[] = [
      ["mov", ESI, DATA],
      ["mov", EDI, DATA + 0x2000],
    ];
    for (let i = 0; i < 60; i++) {
      const address = mem(4, {
        base: [6, 7][random.below(2)],
        index: 1,
        scale: random.below(3),
        displacement: random.below(256),
      });
      const forms: Line[] = [
        ["mov", EAX, address],
        ["add", address, EAX],
        ["mov", address, EBX],
        ["cmp", EBX, address],
        ["push", address],
        ["pop", EBX],
        ["imul", EBX, address],
        ["mov", ECX, random.below(16)],
        ["xchg", EAX, address],
        rep("movsd"),
        ["stosd"],
        ["lodsb"],
        ["call", EAX],
      ];
      out.push(forms[random.below(forms.length - 1)]);
    }
    return [...out, ["int", 0x80]];
  };
  for (let seed = 0; seed < 30; seed++) {
    const run = (flat: boolean) => {
      const rig = new Rig();
      rig.map(CODE, CODE);
      for (let page = 0; page < 0x8000; page += 0x1000) rig.map(DATA + page, DATA + page);
      rig.page();
      // A limit one page short of 4 GB makes the difference.
      const limit = flat ? 0xffffffff : 0xffffefff;
      for (const segment of [0, 2, 3])
        rig.cpu.setSegment(segment, { selector: DATA0, base: 0, limit, attributes: 0xc09300 });
      for (let i = 0; i < 0x8000; i += 4) rig.word(DATA + i, Math.imul(i, 0x9e3779b1));
      rig.code(CODE, ...lines(new Random(seed)));
      const trap = rig.run(CODE);
      return [
        trap,
        rig.registers,
        rig.cpu.cycles,
        rig.cpu.instret,
        Buffer.from(rig.cpu.ram.subarray(DATA, DATA + 0x8000)).toString("base64"),
      ];
    };
    assert.equal(run(true), run(false), `seed ${seed}`);
  }
});

test.run();
