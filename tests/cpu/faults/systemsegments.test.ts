/** Loads of segment registers, LLDT, LTR, and the questions LAR LSL VERR VERW ARPL: each condition of their pages. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { mem, type OperandValue, sreg } from "../../../cpu/encoder";
import { AX, CODE0, CX, DATA0, EAX, GDT, type Line, Rig, TSS } from "../rig";
import { A, CODE, DATA, type FaultRow, faults, GP, NO_ERROR, NP, paged, SS, stackWords, UD } from "./systemrig";

const test = suite("cpu/faults/systemsegments");

const [LIMITED, ES, SS_NUMBER, DS, FS, GS] = [0xff, 0, 2, 3, 4, 5];
const NAMES = ["es", "cs", "ss", "ds", "fs", "gs"];
const nothing = (): void => undefined;
const segment =
  (attributes: number, limit = 0xfffff) =>
  (rig: Rig): void =>
    rig.descriptor(A, 0, limit, attributes);

/** The ways to load a segment register with a selector: MOV from register and memory, POP, and the far load. */
function loads(number: number, selector: number): [name: string, line: Line, prepare: (rig: Rig) => unknown][] {
  const name = NAMES[number];
  return [
    [`mov ${name}`, ["mov", sreg(number), AX], (rig) => rig.cpu.setRegister(0, selector)],
    [
      `mov ${name} from memory`,
      ["mov", sreg(number), mem(2, { displacement: DATA })],
      (rig) => rig.word(DATA, selector),
    ],
    [`pop ${name}`, ["pop", sreg(number)], (rig) => stackWords(rig, [selector])],
    [`l${name}`, [`l${name}`, EAX, mem(6, { displacement: DATA, far: true })], (rig) => rig.word(DATA + 4, selector)],
  ];
}

type Load = [
  name: string,
  selector: number,
  prepare: (rig: Rig) => unknown,
  vector: number,
  error: number,
  ring?: 0 | 3,
];

const DATA_LOADS: Load[] = [
  ["beyond the GDT", 0x1000, nothing, GP, 0x1000],
  ["its last byte beyond the GDT", 0x78, (rig) => rig.cpu.setDescriptorTable("gdt", GDT, 0x7e), GP, 0x78],
  ["in an LDT that is not there", 0xc, nothing, GP, 0xc],
  [
    "beyond the LDT",
    0x104,
    (rig) => rig.cpu.setSegment(6, { selector: A, base: 0x4000, limit: LIMITED, attributes: 0x8200 }),
    GP,
    0x104,
  ],
  ["a system segment", A, segment(0x0082), GP, A],
  ["execute-only code", A, segment(0xc098), GP, A],
  ["data, RPL above DPL", A | 3, segment(0xc092), GP, A],
  ["data, CPL above DPL", A, segment(0xc092), GP, A, 3],
  ["readable code, RPL above DPL", A | 3, segment(0xc09a), GP, A],
  ["readable code, CPL above DPL", A, segment(0xc09a), GP, A, 3],
  ["data, not present", A, segment(0xc012), NP, A],
  ["conforming code, not present", A | 3, segment(0xc01e), NP, A, 3],
  ["not present and not allowed: privilege comes first", A | 3, segment(0xc012), GP, A],
];

const STACK_LOADS: Load[] = [
  ["null", 0, nothing, GP, 0],
  ["null with RPL", 3, nothing, GP, 0, 3],
  ["beyond the GDT", 0x1000, nothing, GP, 0x1000],
  ["in an LDT that is not there", 0xc, nothing, GP, 0xc],
  ["RPL is not CPL", A | 3, segment(0xc092), GP, A],
  ["RPL is not CPL, in ring 3", A, segment(0xc0f2), GP, A, 3],
  ["DPL is not CPL", A, segment(0xc0f2), GP, A],
  ["read-only data", A, segment(0xc090), GP, A],
  ["code", A, segment(0xc09a), GP, A],
  ["a system segment", A, segment(0x0082), GP, A],
  ["not present", A, segment(0xc012), SS, A],
  ["not present and not writable: the type comes first", A, segment(0xc010), GP, A],
];

test("ES DS FS GS: every refusal, by each instruction that loads them", () => {
  for (const number of [ES, DS, FS, GS]) {
    for (const [name, selector, prepare, vector, error, ring = 0] of DATA_LOADS) {
      for (const [how, line, fill] of loads(number, selector)) {
        faults([`${how}: ${name}`, line, (rig) => [prepare(rig), fill(rig)], vector, error, ring]);
      }
    }
  }
});

test("SS: every refusal, by each instruction that loads it", () => {
  for (const [name, selector, prepare, vector, error, ring = 0] of STACK_LOADS) {
    for (const [how, line, fill] of loads(SS_NUMBER, selector)) {
      faults([`${how}: ${name}`, line, (rig) => [prepare(rig), fill(rig)], vector, error, ring]);
    }
  }
});

test("CS is loaded by no MOV and no POP, and there is no sixth segment register", () => {
  for (const bytes of [
    [0x8e, 0xc8],
    [0x8e, 0xf0],
    [0x8e, 0xf8],
    [0x8c, 0xf0],
  ]) {
    faults(["mov", ["db", ...bytes], nothing, UD, NO_ERROR]);
  }
});

test("a descriptor on a page that is gone, or whose accessed bit cannot be set: #PF by the supervisor", () => {
  const gdtPage =
    (flags: number) =>
    (rig: Rig): void => {
      paged(rig, 7);
      // The table moves to a page of its own, so that the handlers' segments stay where they are: they are not looked up.
      rig.cpu.ram.copyWithin(DATA + 0x1000, GDT, GDT + 0x100);
      rig.word(rig.pte(DATA + 0x1000), flags === 0 ? 0 : (DATA + 0x1000) | flags);
      rig.cpu.setDescriptorTable("gdt", DATA + 0x1000, 0xff);
    };
  for (const [flags, error] of [
    [0, 0],
    [1, 3],
  ]) {
    const rig = new Rig();
    rig.descriptor(A, 0, 0xfffff, 0xc092);
    gdtPage(flags)(rig);
    rig.code(CODE, ["mov", sreg(DS), AX]);
    rig.cpu.setRegister(0, A);
    rig.stopAtTraps = false;
    const pages: number[][] = [];
    rig.cpu.listener = (kind, a, b) => {
      if (kind === 5) pages.push([a, b]);
    };
    rig.run(CODE, 1);
    assert.equal(pages[0], [DATA + 0x1000 + A + (flags === 0 ? 0 : 4), error]);
    assert.is(rig.cpu.segment(DS).selector, DATA0);
  }
});

/** LLDT and LTR, from a register and from memory. */
function tables(mnemonic: string, selector: number): [string, Line, (rig: Rig) => unknown][] {
  return [
    [mnemonic, [mnemonic, AX], (rig) => rig.cpu.setRegister(0, selector)],
    [`${mnemonic} from memory`, [mnemonic, mem(2, { displacement: DATA })], (rig) => rig.word(DATA, selector)],
  ];
}

test("LLDT and LTR", () => {
  const rows: [string, Load][] = [
    ["lldt", ["CPL above 0", A, segment(0x0082), GP, 0, 3]],
    ["lldt", ["in the LDT", A | 4, segment(0x0082), GP, A | 4]],
    ["lldt", ["beyond the GDT", 0x1000, nothing, GP, 0x1000]],
    ["lldt", ["a TSS", A, segment(0x0089), GP, A]],
    ["lldt", ["data", DATA0, nothing, GP, DATA0]],
    ["lldt", ["not present", A, segment(0x0002), NP, A]],
    ["ltr", ["CPL above 0", A, segment(0x0089), GP, 0, 3]],
    ["ltr", ["null", 3, nothing, GP, 0]],
    ["ltr", ["in the LDT", A | 4, segment(0x0089), GP, A | 4]],
    ["ltr", ["beyond the GDT", 0x1000, nothing, GP, 0x1000]],
    ["ltr", ["a busy 32-bit TSS", A, segment(0x008b), GP, A]],
    ["ltr", ["a busy 16-bit TSS", A, segment(0x0083), GP, A]],
    ["ltr", ["an LDT", A, segment(0x0082), GP, A]],
    ["ltr", ["code", CODE0, nothing, GP, CODE0]],
    ["ltr", ["not present", A, segment(0x0009), NP, A]],
  ];
  for (const [mnemonic, [name, selector, prepare, vector, error, ring = 0]] of rows) {
    for (const [how, line, fill] of tables(mnemonic, selector)) {
      faults([`${how}: ${name}`, line, (rig) => [prepare(rig), fill(rig)], vector, error, ring]);
    }
  }
});

test("LTR of a 16-bit TSS marks it busy; LLDT of null takes the LDT away", () => {
  const rig = new Rig();
  rig.descriptor(A, TSS, 0x2b, 0x0081);
  rig.code(CODE, ["ltr", AX], ["lldt", CX], ["int", 0x80]);
  rig.cpu.setSegment(6, { selector: A, base: 0x4000, limit: LIMITED, attributes: 0x8200 });
  rig.cpu.setRegister(0, A);
  rig.cpu.setRegister(1, 2);
  assert.is(rig.run(CODE)?.vector, 0x80);
  assert.is(rig.cpu.ram[GDT + A + 5], 0x83);
  assert.equal(rig.cpu.segment(7), { selector: A, base: TSS, limit: 0x2b, attributes: 0x8300 });
  assert.equal(rig.cpu.segment(6), { selector: 2, base: 0, limit: 0, attributes: 0 });
});

/** What the manual says of each type, by S and the four type bits: does LAR, LSL, VERR, VERW know it? */
const SYSTEM_TYPES: Record<number, [lar: boolean, lsl: boolean]> = {
  0: [false, false],
  1: [true, true],
  2: [true, true],
  3: [true, true],
  4: [true, false],
  5: [true, false],
  6: [false, false],
  7: [false, false],
  8: [false, false],
  9: [true, true],
  10: [false, false],
  11: [true, true],
  12: [true, false],
  13: [false, false],
  14: [false, false],
  15: [false, false],
};

const asked = new Rig();

/** Asks about descriptor A; ZF and EAX. */
function ask(line: Line, attributes: number, selector: number, ring: 0 | 3, limit = 0x12345): [boolean, number] {
  const rig = asked;
  rig.descriptor(A, 0x1000, limit, attributes);
  rig.code(CODE, line, ["int", 0x80]);
  rig.ring(ring);
  rig.registers = [0xeeeeeeee, selector, 0, 0, rig.cpu.register(4), 0, 0, 0];
  const gdt = rig.word(GDT + A + 4);
  assert.is(rig.run(CODE)?.vector, 0x80);
  assert.is(rig.word(GDT + A + 4), gdt, "no accessed bit is set");
  return [(rig.word(rig.cpu.register(4) + 8) & 0x40) !== 0, rig.cpu.register(0)];
}

const LAR: Line = ["lar", EAX, CX];
const LSL: Line = ["lsl", EAX, CX];
const VERR: Line = ["verr", CX];
const VERW: Line = ["verw", CX];

test("LAR and LSL: every system type", () => {
  for (const [type, [lar, lsl]] of Object.entries(SYSTEM_TYPES)) {
    const attributes = 0x0080 | Number(type);
    assert.equal(ask(LAR, attributes, A, 0), [lar, lar ? attributes << 8 : 0xeeeeeeee], `LAR ${type}`);
    assert.equal(ask(LSL, attributes, A, 0), [lsl, lsl ? 0x12345 : 0xeeeeeeee], `LSL ${type}`);
    // Not present is no obstacle, privilege is.
    assert.is(ask(LAR, attributes & ~0x80, A, 0)[0], lar, `LAR ${type}, not present`);
    assert.is(ask(LAR, attributes, A, 3)[0], false, `LAR ${type}, CPL above DPL`);
    assert.is(ask(LSL, attributes, A | 3, 0)[0], false, `LSL ${type}, RPL above DPL`);
    assert.is(ask(LAR, attributes | 0x60, A | 3, 3)[0], lar, `LAR ${type}, DPL 3`);
    for (const line of [VERR, VERW]) assert.is(ask(line, attributes, A, 0)[0], false, `${line[0 as never]} ${type}`);
  }
});

test("LAR, LSL, VERR and VERW: code and data of every type, by privilege", () => {
  for (let type = 0; type < 16; type++) {
    const [code, conforming, wr] = [(type & 8) !== 0, (type & 12) === 12, (type & 2) !== 0];
    for (const [dpl, selector, ring] of [
      [0, A, 0],
      [0, A | 3, 0],
      [0, A, 3],
      [3, A | 3, 3],
      [3, A, 0],
    ] as const) {
      const attributes = 0xc090 | (dpl << 5) | type;
      const visible = conforming || dpl >= Math.max(ring, selector & 3);
      const text = `type ${type} DPL ${dpl} RPL ${selector & 3} CPL ${ring}`;
      assert.equal(
        ask(LAR, attributes, selector, ring),
        [visible, visible ? 0xc09000 | (dpl << 13) | (type << 8) : 0xeeeeeeee],
        text,
      );
      assert.equal(ask(LSL, attributes, selector, ring), [visible, visible ? 0x12345fff : 0xeeeeeeee], text);
      assert.is(ask(VERR, attributes, selector, ring)[0], visible && (!code || wr), text);
      assert.is(ask(VERW, attributes, selector, ring)[0], visible && !code && wr, text);
    }
  }
});

test("the questions about null and about what no table holds: ZF is clear", () => {
  for (const line of [LAR, LSL, VERR, VERW]) {
    for (const selector of [0, 3, 0x1000, 0xc]) assert.equal(ask(line, 0xc092, selector, 0), [false, 0xeeeeeeee]);
  }
  // 16-bit forms leave the upper half.
  assert.equal(ask(["lar", AX, CX], 0xc0f2, A, 0), [true, 0xeeeef200]);
  assert.equal(ask(["lsl", AX, CX], 0xc0f2, A, 0), [true, 0xeeee5fff]);
});

test("ARPL: every pair of RPLs, and memory that must be writable only where it changes", () => {
  for (let destination = 0; destination < 4; destination++) {
    for (let source = 0; source < 4; source++) {
      const rig = new Rig();
      rig.code(CODE, ["arpl", AX, CX], ["int", 0x80]);
      rig.registers = [0x70 | destination, 0x80 | source, 0, 0, rig.cpu.register(4), 0, 0, 0];
      rig.run(CODE);
      assert.is(rig.cpu.register(0), 0x70 | Math.max(destination, source));
      assert.is((rig.word(rig.cpu.register(4) + 8) & 0x40) !== 0, destination < source);
    }
  }
});

/** Instructions with a memory operand of `size` bytes: what they do there. */
const OPERANDS: [
  name: string,
  size: number,
  access: "read" | "write" | "modify",
  line: (operand: OperandValue) => Line,
][] = [
  ["lgdt", 6, "read", (m) => ["lgdt", m]],
  ["lidt", 6, "read", (m) => ["lidt", m]],
  ["sgdt", 6, "write", (m) => ["sgdt", m]],
  ["sidt", 6, "write", (m) => ["sidt", m]],
  ["lldt", 2, "read", (m) => ["lldt", m]],
  ["ltr", 2, "read", (m) => ["ltr", m]],
  ["sldt", 2, "write", (m) => ["sldt", m]],
  ["str", 2, "write", (m) => ["str", m]],
  ["smsw", 2, "write", (m) => ["smsw", m]],
  ["lmsw", 2, "read", (m) => ["lmsw", m]],
  ["lar", 2, "read", (m) => ["lar", EAX, m]],
  ["lsl", 2, "read", (m) => ["lsl", EAX, m]],
  ["verr", 2, "read", (m) => ["verr", m]],
  ["verw", 2, "read", (m) => ["verw", m]],
  ["arpl", 2, "modify", (m) => ["arpl", m, CX]],
  ["mov fs, m", 2, "read", (m) => ["mov", sreg(FS), m]],
  ["mov m, fs", 2, "write", (m) => ["mov", m, sreg(FS)]],
  ["lfs", 6, "read", (m) => ["lfs", EAX, { ...m, far: true } as OperandValue]],
];

test("memory operands: #GP(0) and #SS(0) by limit, type and null segment, #PF by either page", () => {
  for (const [name, size, access, line] of OPERANDS) {
    const at = (displacement: number, number?: number): Line =>
      line(mem(size, { displacement, ...(number === undefined ? {} : { segment: number }) }));
    const raises = (
      what: string,
      row: Line,
      prepare: (rig: Rig) => unknown,
      vector: number,
      error: number,
      ring: 0 | 3 = 0,
    ): void => {
      // ARPL changes its operand, so that it must be writable.
      const all = (rig: Rig): void => {
        rig.cpu.setRegister(1, 3);
        prepare(rig);
      };
      faults([`${name}: ${what}`, row, all, vector, error, ring] as FaultRow);
    };
    const limit =
      (number: number, last: number, attributes = 0x409300) =>
      (rig: Rig): void =>
        rig.cpu.setSegment(number, { selector: DATA0, base: 0, limit: last, attributes });
    raises("beyond DS", at(DATA), limit(DS, DATA + size - 2), GP, 0);
    raises("beyond GS", at(DATA, GS), limit(GS, DATA + size - 2), GP, 0);
    raises("beyond SS", at(DATA, SS_NUMBER), limit(SS_NUMBER, DATA + size - 2), SS, 0);
    raises(
      "null DS",
      at(DATA),
      (rig) => rig.cpu.setSegment(DS, { selector: 0, base: 0, limit: 0, attributes: 0 }),
      GP,
      0,
    );
    raises("no page", at(DATA), (rig) => paged(rig, 0), 14, access === "write" ? 2 : 0);
    raises("no second page", at(DATA + 0x1000 - size / 2), (rig) => paged(rig, 3, 0), 14, access === "write" ? 2 : 0);
    if (access !== "read") {
      raises("read-only DS", at(DATA), limit(DS, -1 >>> 0, 0xc09100), GP, 0);
      raises("by CS", at(DATA, 1), nothing, GP, 0);
      raises("a read-only page", at(DATA), (rig) => paged(rig, 1), 14, 3);
    } else raises("execute-only code", at(DATA, FS), limit(FS, -1 >>> 0, 0xc09900), GP, 0);
    // What ring 3 may run at all sees the supervisor's page as such; what it may not is #GP(0) before any access.
    const privileged = ["lgdt", "lidt", "lldt", "ltr", "lmsw"].includes(name);
    raises(
      "in ring 3",
      at(DATA),
      (rig) => paged(rig, 3),
      privileged ? GP : 14,
      privileged ? 0 : access === "write" ? 7 : 5,
      3,
    );
  }
});

test.run();
