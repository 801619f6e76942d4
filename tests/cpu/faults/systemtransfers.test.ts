/** Far JMP, CALL, RET, IRET and INT n: each #GP, #NP, #SS and #TS of their pages. (Tasks: tests/cpu/tasks.) */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { far, mem } from "../../../cpu/encoder";
import {
  CODE0,
  CODE3,
  DATA0,
  DATA3,
  FREE_SELECTOR,
  HANDLER,
  IDT,
  KERNEL_STACK,
  type Line,
  Rig,
  TSS,
  TSS_SELECTOR,
} from "../rig";
import {
  A,
  B,
  C,
  CODE,
  callGate,
  DATA,
  type FaultRow,
  farPointer,
  faults,
  GP,
  NP,
  paged,
  SS,
  STACK3,
  stackWords,
  TS,
} from "./systemrig";

const test = suite("cpu/faults/systemtransfers");

const nothing = (): void => undefined;
const segment =
  (attributes: number, limit = 0xfffff, selector = A) =>
  (rig: Rig): void =>
    rig.descriptor(selector, 0, limit, attributes);
const OUTER_ESP = STACK3 - 0x20;

/** Rows for JMP and CALL to a selector, direct and through memory. */
function jumps(
  name: string,
  selector: number,
  prepare: (rig: Rig) => unknown,
  vector: number,
  error: number,
  ring: 0 | 3 = 0,
): FaultRow[] {
  return ["jmp", "call"].flatMap((mnemonic): FaultRow[] => [
    [`${mnemonic}: ${name}`, [mnemonic, far(selector, CODE)], prepare, vector, error, ring],
    [
      `${mnemonic} by memory: ${name}`,
      [mnemonic, mem(6, { displacement: DATA, far: true })],
      (rig) => [farPointer(rig, DATA, CODE, selector), prepare(rig)],
      vector,
      error,
      ring,
    ],
  ]);
}

const JUMPS: FaultRow[] = [
  ...jumps("null selector", 3, nothing, GP, 0),
  ...jumps("selector beyond the GDT", 0x1000, nothing, GP, 0x1000),
  ...jumps("selector in an LDT that is not there", 0xc, nothing, GP, 0xc),
  ...jumps("data segment", DATA0, nothing, GP, DATA0),
  ...jumps("a system segment that is no target", A, segment(0x0082), GP, A),
  ...jumps("an interrupt gate", A, segment(0x008e), GP, A),
  ...jumps("conforming, DPL above CPL", A, segment(0xc0fe), GP, A),
  ...jumps("not conforming, RPL above CPL", CODE0 | 1, nothing, GP, CODE0),
  ...jumps("not conforming, DPL above CPL", CODE3 & ~3, nothing, GP, CODE3 & ~3),
  ...jumps("not conforming, DPL below CPL", CODE0, nothing, GP, CODE0, 3),
  ...jumps("not conforming, DPL below CPL and not present: privilege comes first", A, segment(0xc01a), GP, A, 3),
  ...jumps("not present", A, segment(0xc01a), NP, A),
  ...jumps("not present and beyond its limit: presence comes first", A, segment(0x401a, 0xff), NP, A),
  ...jumps("EIP beyond the limit", A, segment(0x409a, 0xff), GP, 0),
  ...jumps("gate: DPL below CPL", C, (rig) => callGate(rig, CODE0, 0x8c), GP, C, 3),
  ...jumps("gate: DPL below RPL", C | 3, (rig) => callGate(rig, CODE0, 0x8c), GP, C),
  ...jumps("gate: not present", C, (rig) => callGate(rig, CODE0, 0x0c), NP, C),
  ...jumps(
    "gate: not present and DPL below CPL: privilege comes first",
    C,
    (rig) => callGate(rig, CODE0, 0x0c),
    GP,
    C,
    3,
  ),
  ...jumps("gate: null code selector", C, (rig) => callGate(rig, 0, 0x8c), GP, 0),
  ...jumps("gate: code selector beyond the GDT", C, (rig) => callGate(rig, 0x1000, 0x8c), GP, 0x1000),
  ...jumps("gate: no code segment", C, (rig) => callGate(rig, DATA0, 0x8c), GP, DATA0),
  ...jumps("gate: code's DPL above CPL", C, (rig) => callGate(rig, CODE3, 0x8c), GP, CODE3 & ~3),
  ...jumps("gate: code not present", C, (rig) => [segment(0xc01a)(rig), callGate(rig, A, 0x8c)], NP, A),
  ...jumps("gate: EIP beyond the limit", C, (rig) => [segment(0x409a, 0xff)(rig), callGate(rig, A, 0x8c)], GP, 0),
  ...jumps(
    "gate: 16-bit EIP beyond the limit",
    C,
    (rig) => [segment(0x409a, 0xff)(rig), callGate(rig, A, 0x84, 0x100)],
    GP,
    0,
  ),
  ["jmp: a gate to an inner ring", ["jmp", far(C, 0)], (rig) => callGate(rig, CODE0, 0xec), GP, CODE0, 3],
];

test("JMP and CALL: selectors, descriptors, gates", () => {
  for (const row of JUMPS) faults(row);
});

const inner =
  (prepare: (rig: Rig) => unknown) =>
  (rig: Rig): void => {
    callGate(rig, A, 0xec, CODE + 0x100, 3);
    segment(0xc09b)(rig);
    prepare(rig);
  };
const CALL: Line = ["call", far(C, 0)];

/** A call to an inner ring: its stack. The handlers' own stack is that of ring 0 too, so the gate leads to ring 1. */
const INNER: FaultRow[] = [
  ["null SS in the TSS", 0, TS, 0],
  ["SS beyond the GDT", 0x1001, TS, 0x1000],
  ["SS's RPL is not the ring", B, TS, B],
  ["SS's DPL is not the ring", DATA0 | 1, TS, DATA0],
  ["SS is code", A | 1, TS, A],
].map(
  ([name, selector, vector, error]): FaultRow => [
    `call to an inner ring: ${name}`,
    CALL,
    inner((rig) => {
      ringOne(rig);
      rig.word(TSS + 0x10, selector as number);
    }),
    vector as number,
    error as number,
    3,
  ],
);

/** The gate's code in ring 1, with a stack of its own in the TSS. */
function ringOne(rig: Rig): void {
  rig.descriptor(A, 0, 0xfffff, 0xc0bb);
  rig.descriptor(B, 0, 0xfffff, 0xc0b3);
  rig.word(TSS + 0x0c, 0x7800);
  rig.word(TSS + 0x10, B | 1);
}

INNER.push(
  [
    "call to an inner ring: SS is read-only",
    CALL,
    inner((rig) => [ringOne(rig), segment(0xc0b1, 0xfffff, B)(rig)]),
    TS,
    B,
    3,
  ],
  [
    "call to an inner ring: SS not present",
    CALL,
    inner((rig) => [ringOne(rig), segment(0xc033, 0xfffff, B)(rig)]),
    SS,
    B,
    3,
  ],
  [
    "call to an inner ring: no room for parameters and frame",
    CALL,
    inner((rig) => [ringOne(rig), segment(0x40b3, 0x77ff, B)(rig), rig.word(TSS + 0x0c, 0x1b)]),
    SS,
    B,
    3,
  ],
  [
    "call to an inner ring: the TSS ends before the stack's fields",
    CALL,
    inner((rig) => [
      ringOne(rig),
      rig.cpu.setSegment(7, { selector: TSS_SELECTOR, base: TSS, limit: 0x10, attributes: 0x8b00 }),
    ]),
    TS,
    TSS_SELECTOR,
    3,
  ],
  [
    "call to an inner ring: parameters beyond the old stack",
    CALL,
    inner((rig) => [
      ringOne(rig),
      rig.cpu.setSegment(2, { selector: DATA3, base: 0, limit: STACK3 + 7, attributes: 0x40f300 }),
    ]),
    SS,
    0,
    3,
  ],
  [
    "call to an inner ring: code not present",
    CALL,
    inner((rig) => [ringOne(rig), segment(0xc03b)(rig), rig.word(TSS + 0x10, 0)]),
    NP,
    A,
    3,
  ],
  [
    "call to an inner ring: EIP beyond the limit",
    CALL,
    inner((rig) => [ringOne(rig), segment(0x40ba, 0xff)(rig)]),
    GP,
    0,
    3,
  ],
);

test("CALL to an inner ring: the new stack, and the order of the checks", () => {
  for (const row of INNER) faults(row);
});

test("CALL to the same ring without room for the return address: #SS(0)", () => {
  for (const line of [
    ["call", far(CODE0, CODE)],
    ["call", far(C, 0)],
  ] as Line[]) {
    const rig = new Rig();
    callGate(rig, CODE0, 0x8c);
    rig.code(CODE, line);
    // Room for the handler's frame below, none for the call's.
    rig.cpu.setSegment(2, { selector: DATA0, base: 0, limit: KERNEL_STACK - 0x101, attributes: 0x409300 });
    rig.cpu.setRegister(4, KERNEL_STACK - 0xfc);
    rig.gate(SS, HANDLER, CODE0, 0xee);
    rig.run(CODE);
    // The handler has no room either: a double fault, then none for that.
    assert.is(rig.exit, 4);
    assert.equal([rig.cpu.eip, rig.cpu.register(4)], [CODE, KERNEL_STACK - 0xfc]);
  }
});

test("a 16-bit call gate to an inner ring copies words", () => {
  const rig = new Rig();
  ringOne(rig);
  callGate(rig, A, 0xe4, 0x8000, 2);
  rig.cpu.ram.set([0xcd, 0x80], 0x8000);
  rig.code(CODE, ["call", far(C, 0)]);
  rig.ring(3);
  rig.word(STACK3, 0x22221111);
  rig.stopAtTraps = false;
  rig.run(CODE, 1);
  assert.is(rig.cpu.register(4), 0x7800 - 12);
  assert.equal(
    Array.from({ length: 6 }, (_, i) => rig.view.getUint16(0x7800 - 12 + 2 * i, true)),
    [(CODE + 7) & 0xffff, CODE3, 0x1111, 0x2222, STACK3 & 0xffff, DATA3],
  );
  assert.equal([rig.cpu.cpl, rig.cpu.eip, rig.cpu.segment(2).selector], [1, 0x8000, B | 1]);
});

/** Rows for RETF and IRET from ring 0 with these words above EIP: `words` are CS, (flags,) ESP and SS. */
function returns(
  name: string,
  cs: number,
  ss: number,
  prepare: (rig: Rig) => unknown,
  vector: number,
  error: number,
  ring: 0 | 3 = 0,
): FaultRow[] {
  const forms: [Line, (eip: number) => number[]][] = [
    [["retf"], (eip) => [eip, cs, OUTER_ESP, ss]],
    [["retf", 8], (eip) => [eip, cs, 0, 0, OUTER_ESP, ss]],
    [["iretd"], (eip) => [eip, cs, 2, OUTER_ESP, ss]],
  ];
  return forms.map(
    ([line, words]): FaultRow => [
      `${line.toString()}: ${name}`,
      line,
      (rig) => [prepare(rig), stackWords(rig, words(CODE))],
      vector,
      error,
      ring,
    ],
  );
}

const RETURNS: FaultRow[] = [
  ...returns("null CS", 3, DATA3, nothing, GP, 0),
  ...returns("CS beyond the GDT", 0x1003, DATA3, nothing, GP, 0x1000),
  ...returns("CS in an LDT that is not there", 0xf, DATA3, nothing, GP, 0xc),
  ...returns("CS is data", DATA3, DATA3, nothing, GP, DATA3 & ~3),
  ...returns("RPL below CPL", CODE0, DATA0, nothing, GP, CODE0, 3),
  ...returns("conforming, DPL above RPL", A | 2, DATA3, segment(0xc0fe), GP, A),
  ...returns("not conforming, DPL is not RPL", CODE0 | 3, DATA3, nothing, GP, CODE0),
  ...returns("CS not present", A | 3, DATA3, segment(0xc07a), NP, A),
  ...returns("CS not present, SS null: the first comes first", A | 3, 0, segment(0xc07a), NP, A),
  ...returns("same ring, EIP beyond the limit", A, 0, segment(0x409a, 0xff), GP, 0),
  ...returns("outer ring, null SS", CODE3, 0, nothing, GP, 0),
  ...returns("outer ring, SS beyond the GDT", CODE3, 0x1003, nothing, GP, 0x1000),
  ...returns("outer ring, SS's RPL is not CS's", CODE3, DATA3 & ~1, nothing, GP, DATA3 & ~3),
  ...returns("outer ring, SS is read-only", CODE3, A | 3, segment(0xc0f0), GP, A),
  ...returns("outer ring, SS is code", CODE3, CODE3, nothing, GP, CODE3 & ~3),
  ...returns("outer ring, SS's DPL is not CS's RPL", CODE3, DATA0 | 3, nothing, GP, DATA0),
  ...returns("outer ring, SS not present", CODE3, A | 3, segment(0xc072), SS, A),
  ...returns("outer ring, EIP beyond the limit", A | 3, DATA3, segment(0x40fa, 0xff), GP, 0),
  ...returns("outer ring, EIP beyond the limit, SS null: SS comes first", A | 3, 0, segment(0x40fa, 0xff), GP, 0),
  ...returns(
    "outer ring, EIP beyond the limit, SS not present: SS comes first",
    A | 3,
    B | 3,
    (rig) => [segment(0x40fa, 0xff)(rig), segment(0xc072, 0xfffff, B)(rig)],
    SS,
    B,
  ),
];

test("RETF and IRET: code and stack of the return", () => {
  for (const row of RETURNS) faults(row);
});

test("RETF and IRET beyond the stack: #SS(0), for the first words and for the outer ones", () => {
  for (const [line, words, first] of [
    // Of CS two bytes are read.
    [["retf"], 4, 6],
    [["iretd"], 5, 12],
  ] as const) {
    for (const missing of [first, 4 * words]) {
      const rig = new Rig();
      rig.code(CODE, line as unknown as Line);
      rig.descriptor(0x70, 0, 0xfffff, 0xc09b);
      for (const [i, word] of [CODE, CODE3, ...(words === 5 ? [2] : []), OUTER_ESP, DATA3].entries())
        rig.word(0x6f00 + 4 * i, word);
      rig.cpu.setSegment(2, { selector: DATA0, base: 0, limit: 0x6f00 + missing - 2, attributes: 0x409300 });
      rig.cpu.setRegister(4, 0x6f00);
      assert.equal(rig.run(CODE), { vector: SS, error: 0, eip: CODE, cr2: 0 }, `${line} ${missing}`);
      assert.is(rig.cpu.segment(1).selector, CODE0);
    }
  }
});

test("INT n: each gate that refuses", () => {
  const INT: Line = ["int", 0x40];
  const error = 0x40 * 8 + 2;
  const gate =
    (selector: number, type: number, offset = HANDLER) =>
    (rig: Rig): void =>
      rig.gate(0x40, offset, selector, type);
  const rows: FaultRow[] = [
    ["DPL below CPL", INT, gate(CODE0, 0x8e), GP, error, 3],
    ["DPL below CPL, not present: privilege comes first", INT, gate(CODE0, 0x0e), GP, error, 3],
    ["not present", INT, gate(CODE0, 0x6e), NP, error],
    ["a code segment's descriptor", INT, gate(CODE0, 0xfe), GP, error],
    ["an LDT's", INT, gate(CODE0, 0xe2), GP, error],
    ["a call gate", INT, gate(CODE0, 0xec), GP, error],
    ["a 16-bit call gate", INT, gate(CODE0, 0xe4), GP, error],
    ["a TSS", INT, gate(CODE0, 0xe9), GP, error],
    ["null code selector", INT, gate(0, 0xee), GP, 0],
    ["code selector beyond the GDT", INT, gate(0x1000, 0xee), GP, 0x1000],
    ["no code segment", INT, gate(DATA0, 0xee), GP, DATA0],
    ["code's DPL above CPL", INT, gate(CODE3, 0xee), GP, CODE3 & ~3],
    ["code not present", INT, (rig) => [segment(0xc01a)(rig), gate(A, 0xee)(rig)], NP, A],
    ["EIP beyond the limit", INT, (rig) => [segment(0x409a, 0xff)(rig), gate(A, 0xee)(rig)], GP, 0],
    ["inner ring: null SS", INT, (rig) => [ringOne(rig), gate(A, 0xee)(rig), rig.word(TSS + 0x10, 0)], TS, 0, 3],
    [
      "inner ring: SS beyond the GDT",
      INT,
      (rig) => [ringOne(rig), gate(A, 0xee)(rig), rig.word(TSS + 0x10, 0x1001)],
      TS,
      0x1000,
      3,
    ],
    ["inner ring: SS's RPL", INT, (rig) => [ringOne(rig), gate(A, 0xee)(rig), rig.word(TSS + 0x10, B)], TS, B, 3],
    [
      "inner ring: SS's DPL",
      INT,
      (rig) => [ringOne(rig), gate(A, 0xee)(rig), rig.word(TSS + 0x10, DATA0 | 1)],
      TS,
      DATA0,
      3,
    ],
    [
      "inner ring: SS is read-only",
      INT,
      (rig) => [ringOne(rig), gate(A, 0xee)(rig), segment(0xc0b1, 0xfffff, B)(rig)],
      TS,
      B,
      3,
    ],
    [
      "inner ring: SS not present",
      INT,
      (rig) => [ringOne(rig), gate(A, 0xee)(rig), segment(0xc033, 0xfffff, B)(rig)],
      SS,
      B,
      3,
    ],
    [
      "inner ring: no room",
      INT,
      (rig) => [ringOne(rig), gate(A, 0xee)(rig), segment(0x40b3, 0xff, B)(rig), rig.word(TSS + 0x0c, 0x113)],
      SS,
      B,
      3,
    ],
    [
      "inner ring: the TSS is too small",
      INT,
      (rig) => [
        ringOne(rig),
        gate(A, 0xee)(rig),
        rig.cpu.setSegment(7, { selector: TSS_SELECTOR, base: TSS, limit: 0x10, attributes: 0x8b00 }),
      ],
      TS,
      TSS_SELECTOR,
      3,
    ],
    ["beyond the IDT", INT, (rig) => rig.cpu.setDescriptorTable("idt", IDT, 0x40 * 8 + 6), GP, error],
  ];
  for (const row of rows) faults(row);
});

test("far pointers in memory: #GP(0) and #SS(0) by the limit, #PF by the page, also where it crosses one", () => {
  for (const mnemonic of ["jmp", "call"]) {
    const at = (displacement: number, segment?: number): Line => [
      mnemonic,
      mem(6, { displacement, far: true, ...(segment === undefined ? {} : { segment }) }),
    ];
    const limited = (number: number) => (rig: Rig) =>
      rig.cpu.setSegment(number, { selector: DATA0, base: 0, limit: DATA + 4, attributes: 0x409300 });
    faults([`${mnemonic}: beyond DS`, at(DATA), limited(3), GP, 0]);
    faults([`${mnemonic}: beyond SS`, at(DATA, 2), limited(2), SS, 0]);
    faults([
      `${mnemonic}: null DS`,
      at(DATA),
      (rig) => rig.cpu.setSegment(3, { selector: 0, base: 0, limit: 0, attributes: 0 }),
      GP,
      0,
    ]);
    faults([`${mnemonic}: no page`, at(DATA), (rig) => paged(rig, 0), 14, 0]);
    faults([`${mnemonic}: no second page`, at(DATA + 0xffc), (rig) => paged(rig, 3, 0), 14, 0]);
    faults([`${mnemonic}: a supervisor's page`, at(DATA), (rig) => paged(rig, 3), 14, 5, 3]);
  }
  // Modifying nothing but what is translated: far pointers are read only. FREE_SELECTOR is what A is.
  assert.is(A, FREE_SELECTOR);
});

test.run();
