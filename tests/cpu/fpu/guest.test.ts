/** The x87 as a guest sees it: #NM, #MF, IRQ 13, faults of memory operands, environments in every format, save and restore. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { STANDARD_COSTS } from "../../../cpu/costs";
import { DecodeResult, decode } from "../../../cpu/decoder";
import { creg, st } from "../../../cpu/encoder";
import { isImplemented } from "../../../cpu/exec/bind";
import { invalidCode } from "../../../cpu/exec/system";
import { ROWS } from "../../../cpu/isa";
import { Operation } from "../../../cpu/operation";
import { Random } from "../../fuzz/random";
import { AX, at, CODE0, DATA0, EAX, ECX, FREE, HANDLER, type Line, PRESENT, Rig, USER, WRITE } from "../rig";
import { codeOf, X87_ROWS } from "./values";

const test = suite("cpu/fpu/guest");

const CODE = FREE;
const DATA = FREE + 0x10000;
const [NM, MF, AC, PF] = [7, 16, 17, 14];
const CR0_NE = 0x31;
const END: Line = ["int", 0x80];

function rig(): Rig {
  const made = new Rig();
  made.cpu.setControl(0, CR0_NE);
  return made;
}

/** Runs lines from a fresh x87 and expects them to reach their end. */
function finishes(one: Rig, ...lines: Line[]): void {
  one.code(CODE, ["fninit"], ...lines, END);
  assert.is(one.run(CODE)?.vector, 0x80);
}

function status(one: Rig): number {
  one.code(CODE + 0x8000, ["fnstsw", AX], END);
  one.run(CODE + 0x8000);
  return one.cpu.register(0) & 0xffff;
}

test("every row has a handler and clocks of its own", () => {
  const random = new Random(1);
  for (const row of X87_ROWS) {
    const op = new Operation(invalidCode);
    const bytes = Uint8Array.from([...codeOf(row, random), ...new Array(16).fill(0)]);
    assert.is(decode(bytes, 0, 16, 4, op), DecodeResult.Ok, row.mnemonic);
    assert.is(ROWS[op.row], row, row.mnemonic);
    assert.ok(isImplemented(op), `${row.mnemonic} ${row.operands}`);
    assert.ok(STANDARD_COSTS.instructions[row.mnemonic] >= 3, row.mnemonic);
  }
});

test("reset is not FNINIT: +0.0 everywhere, nothing masked", () => {
  const one = rig();
  one.code(CODE, ["fnsave", at(null, DATA, 0)], ["fnstenv", at(null, DATA + 0x100, 0)], END);
  assert.is(one.run(CODE)?.vector, 0x80);
  assert.equal([one.word(DATA), one.word(DATA + 4), one.word(DATA + 8)], [0xffff0040, 0xffff0000, 0xffff5555]);
  assert.equal([one.word(DATA + 28), one.word(DATA + 36) & 0xffff], [0, 0]);
  // FNSAVE has left what FNINIT leaves.
  const after = DATA + 0x100;
  assert.equal([one.word(after), one.word(after + 4), one.word(after + 8)], [0xffff037f, 0xffff0000, 0xffffffff]);
});

test("#NM: EM and TS for x87 instructions, MP with TS for FWAIT; nothing has happened", () => {
  const one = rig();
  finishes(one, ["fld1"]);
  for (const [cr0, line, vector] of [
    [4, ["fldz"], NM],
    [8, ["fldz"], NM],
    [8, ["fnsave", at(null, DATA, 0)], NM],
    [8, ["fnstsw", AX], NM],
    [8, ["fnclex"], NM],
    [8, ["fninit"], NM],
    [8, ["fwait"], 0x80],
    [4, ["fwait"], 0x80],
    [2, ["fwait"], 0x80],
    [10, ["fwait"], NM],
    [2, ["fld1"], 0x80],
  ] as [number, Line, number][]) {
    one.cpu.setControl(0, CR0_NE | cr0);
    one.code(CODE, line, END);
    assert.is(one.run(CODE)?.vector, vector, `${cr0} ${line}`);
    if (vector === NM) assert.is(one.trap?.eip, CODE);
  }
  one.cpu.setControl(0, CR0_NE);
  // FLD1 twice and nothing else.
  assert.is((status(one) >> 11) & 7, 6);
});

test("lazy switching: TS, #NM, FNSAVE and FRSTOR give each task its own x87", () => {
  const one = rig();
  const [mine, other] = [DATA, DATA + 0x200];
  one.stopAtTraps = false;
  // The handler saves the one and restores the other.
  one.code(HANDLER + 0x100, ["clts"], ["fnsave", at(null, mine, 0)], ["frstor", at(null, other, 0)], ["iretd"]);
  one.gate(NM, HANDLER + 0x100, CODE0, 0x8e);
  one.code(
    CODE,
    ["fninit"],
    ["fldpi"],
    ["fnsave", at(null, other, 0)],
    ["fld1"],
    ["mov", EAX, CR0_NE | 8],
    ["mov", creg(0), EAX],
    ["fchs"],
    ["fstp", at(null, DATA + 0x400, 10)],
    ["hlt"],
  );
  one.run(CODE);
  assert.equal(
    [one.word(DATA + 0x400), one.word(DATA + 0x404), one.word(DATA + 0x408) & 0xffff],
    [0x2168c235, 0xc90fdaa2, 0xc000],
  );
  assert.equal([one.word(mine + 28), one.word(mine + 32), one.word(mine + 36) & 0xffff], [0, 0x80000000, 0x3fff]);
});

/** 1/0 with the zero divide unmasked: pending, and no fault yet. */
const DIVIDE_BY_ZERO: Line[] = [
  ["fninit"],
  ["mov", at(null, DATA), 0x37b],
  ["fldcw", at(null, DATA, 2)],
  ["fld1"],
  ["fldz"],
  ["fdivp", st(1), st(0)],
];

test("#MF comes at the next waiting instruction, and only there", () => {
  const waiting: Line[] = [
    ["fwait"],
    ["fld1"],
    ["fnop"],
    ["fldcw", at(null, DATA, 2)],
    ["frstor", at(null, DATA, 0)],
    ["ffree", st(0)],
    ["fincstp"],
  ];
  for (const line of waiting) {
    const one = rig();
    const labels = one.code(CODE, ...DIVIDE_BY_ZERO, ["nop"], "here", line, END);
    const trap = one.run(CODE);
    assert.equal([trap?.vector, trap?.error, trap?.eip], [MF, -1, labels.here], `${line}`);
    // Neither operand has been popped; B, ES and ZE are set.
    assert.is(status(one), 0xb084);
  }
  const silent: Line[] = [
    ["fnstsw", AX],
    ["fnstcw", at(null, DATA, 2)],
    ["fnstenv", at(null, DATA, 0)],
    ["fnclex"],
    ["fninit"],
    ["fnsave", at(null, DATA, 0)],
    ["fneni"],
    ["fndisi"],
    ["fnsetpm"],
  ];
  for (const line of silent) {
    const one = rig();
    one.code(CODE, ...DIVIDE_BY_ZERO, line, END);
    assert.is(one.run(CODE)?.vector, 0x80, `${line}`);
  }
  for (const line of [
    ["fnclex"],
    ["fninit"],
    ["fnsave", at(null, DATA, 0)],
    ["fnstenv", at(null, DATA, 0)],
  ] as Line[]) {
    const one = rig();
    one.code(CODE, ...DIVIDE_BY_ZERO, line, ["fwait"], END);
    assert.is(one.run(CODE)?.vector, 0x80, `${line} and FWAIT`);
  }
});

test("a page fault of a memory operand leaves the x87 and memory alone", () => {
  const frstor: Line = ["frstor", at(null, DATA + 0xfc0, 0)];
  const fldenv: Line = ["fldenv", at(null, DATA + 0xff0, 0)];
  const lines: Line[] = [
    ["fld", at(null, DATA + 0xffc, 8)],
    ["fld", at(null, DATA + 0xffe, 10)],
    ["fadd", at(null, DATA + 0xffe, 4)],
    ["fst", at(null, DATA + 0xffc, 8)],
    ["fstp", at(null, DATA + 0xff8, 10)],
    ["fistp", at(null, DATA + 0xfff, 2)],
    ["fbstp", at(null, DATA + 0xffa, 10)],
    ["fnstcw", at(null, DATA + 0xfff, 2)],
    ["fnstenv", at(null, DATA + 0xff0, 0)],
    ["fnsave", at(null, DATA + 0xfc0, 0)],
    frstor,
    fldenv,
  ];
  for (const line of lines) {
    const one = rig();
    for (const page of [CODE, CODE + 0x8000, DATA]) one.map(page, page, PRESENT | WRITE | USER);
    one.page();
    one.cpu.setControl(0, 0x80000000 | CR0_NE);
    one.code(CODE, ["fninit"], ["fldpi"], END);
    assert.is(one.run(CODE)?.vector, 0x80);
    one.cpu.ram.fill(0x5a, DATA, DATA + 0x2000);
    const before = one.cpu.r.slice(96, 130);
    one.code(CODE, line, END);
    const trap = one.run(CODE);
    // What is loaded in one piece is asked for at its last byte first.
    const last = line === frstor ? DATA + 0xfc0 + 107 : line === fldenv ? DATA + 0xff0 + 27 : DATA + 0x1000;
    assert.equal([trap?.vector, trap?.cr2], [PF, last], `${line}`);
    assert.equal(one.cpu.r.slice(96, 130), before, `${line}`);
    assert.ok(
      one.cpu.ram.subarray(DATA, DATA + 0x2000).every((byte) => byte === 0x5a),
      `${line}`,
    );
  }
});

test("operands that cross a page work, and the state survives FNSAVE and FRSTOR there", () => {
  const one = rig();
  for (const page of [CODE, CODE + 0x8000]) one.map(page, page);
  // The second page lies elsewhere.
  one.map(DATA, DATA);
  one.map(DATA + 0x1000, DATA + 0x5000);
  one.page();
  one.cpu.setControl(0, 0x80000000 | CR0_NE);
  finishes(
    one,
    ["fldpi"],
    ["fldl2e"],
    ["fchs"],
    ["fnsave", at(null, DATA + 0xfc1, 0)],
    ["frstor", at(null, DATA + 0xfc1, 0)],
    ["fstp", at(null, DATA + 0xffb, 10)],
    ["fld", at(null, DATA + 0xffb, 10)],
    ["fst", at(null, DATA + 0x20, 8)],
  );
  assert.equal([one.word(DATA + 0x24), one.word(DATA + 0x20)], [0xbff71547, 0x652b82fe]);
  assert.is((status(one) >> 11) & 7, 6);
});

test("the last instruction's address, opcode and operand, also from the middle of a block", () => {
  const one = rig();
  const labels = one.code(
    CODE,
    ["fninit"],
    ["nop"],
    ["fld1"],
    "add",
    ["fadd", at(null, DATA + 4, 4)],
    ["nop"],
    ["fnstcw", at(null, DATA, 2)],
    ["fnstenv", at(null, DATA + 0x40, 0)],
    END,
  );
  one.run(CODE);
  const words = [3, 4, 5, 6].map((index) => one.word(DATA + 0x40 + 4 * index));
  assert.equal(
    words,
    [labels.add, (0x005 << 16) | CODE0, DATA + 4, 0xffff0000 | DATA0].map((word) => word >>> 0),
  );
});

test("environments in real mode, 16 and 32 bits, hold linear addresses", () => {
  const one = rig();
  one.cpu.setControl(0, 0x30);
  // Flat still, but for the selectors, by which the linear address is reckoned.
  const labels = one.code(
    CODE,
    ["fninit"],
    ["fld1"],
    "add",
    ["fadd", at(null, DATA + 4, 4)],
    ["fnstenv", at(null, DATA + 0x40, 28)],
    ["fnstenv", at(null, DATA + 0x80, 14)],
    ["fldenv", at(null, DATA + 0x40, 28)],
    ["fnstenv", at(null, DATA + 0xc0, 28)],
    ["hlt"],
  );
  one.run(CODE);
  const [ip, dp] = [(CODE0 << 4) + labels.add, (DATA0 << 4) + DATA + 4];
  const wide = [3, 4, 5, 6].map((index) => one.word(DATA + 0x40 + 4 * index));
  const expected = [
    0xffff0000 | (ip & 0xffff),
    ((ip >> 16) << 12) | 0x005,
    0xffff0000 | (dp & 0xffff),
    (dp >> 16) << 12,
  ];
  assert.equal(
    wide,
    expected.map((word) => word >>> 0),
  );
  assert.equal(
    [3, 4, 5, 6].map((index) => one.word(DATA + 0xc0 + 4 * index)),
    wide,
    "through FLDENV",
  );
  const narrow = [3, 4, 5, 6].map((index) => one.view.getUint16(DATA + 0x80 + 2 * index, true));
  assert.equal(
    narrow,
    [ip & 0xffff, ((ip >> 16) << 12) | 0x005, dp & 0xffff, (dp >> 16) << 12].map((word) => word & 0xffff),
  );
});

test("the register stack: a ninth push and an empty operand", () => {
  const one = rig();
  const ones: Line[] = new Array(9).fill(["fld1"]);
  finishes(one, ...ones);
  // IE, SF, C1, and the indefinite on top.
  assert.is(status(one), 0x3a41);
  finishes(one, ["fld1"], ["faddp", st(1), st(0)]);
  assert.is(status(one), 0x41);
  // Unmasked, the stack stays as it is.
  one.code(
    CODE,
    ["fninit"],
    ["mov", at(null, DATA), 0x37e],
    ["fldcw", at(null, DATA, 2)],
    ["fld1"],
    ["fsubp", st(1), st(0)],
    END,
  );
  one.run(CODE);
  assert.is(status(one), 0xb8c1);
});

test("#AC: a double lies at a multiple of 8, and the saved state at one of 4", () => {
  for (const [line, vector] of [
    [["fld", at(null, DATA + 4, 8)], AC],
    [["fld", at(null, DATA + 8, 8)], 0x80],
    [["fstp", at(null, DATA + 12, 10)], AC],
    [["fnsave", at(null, DATA + 2, 0)], AC],
    [["fnsave", at(null, DATA + 4, 0)], 0x80],
  ] as [Line, number][]) {
    const one = rig();
    one.code(CODE, line, END);
    one.ring(3).cpu.eflags = 0x40002;
    one.cpu.setControl(0, CR0_NE | 0x40000);
    assert.is(one.run(CODE)?.vector, vector, `${line}`);
  }
});

/** The sum of 1/i for i from 1 to n, times ten to show it, rounded as doubles are. */
function harmonic(one: Rig, n: number, engine: number): number {
  one.code(
    CODE,
    ["fninit"],
    ["mov", at(null, DATA), 0x27f],
    ["fldcw", at(null, DATA, 2)],
    ["mov", ECX, n],
    ["fldz"],
    "loop",
    ["mov", at(null, DATA), ECX],
    ["fld1"],
    ["fidiv", at(null, DATA, 4)],
    ["faddp", st(1), st(0)],
    ["dec", ECX],
    ["jnz", "@loop"],
    ["fst", at(null, DATA, 8)],
    END,
  );
  if (engine === 1) one.cpu.onInstruction = () => false;
  assert.is(one.run(CODE, 10_000_000)?.vector, 0x80);
  return one.view.getFloat64(DATA, true);
}

test("a loop gives the double that JavaScript gives, stepped and hot", () => {
  let sum = 0;
  for (let i = 20_000; i >= 1; i--) sum += 1 / i;
  const [hot, stepped] = [rig(), rig()];
  assert.is(harmonic(hot, 20_000, 0), sum);
  assert.is(harmonic(stepped, 20_000, 1), sum);
  assert.equal([stepped.cpu.instret, stepped.cpu.cycles], [hot.cpu.instret, hot.cpu.cycles]);
});

test("a saved processor goes on with its x87", () => {
  const one = rig();
  finishes(one, ["fldpi"], ["fld1"]);
  const other = new Rig();
  other.cpu.restore(one.cpu.save());
  other.code(CODE, ["fdivp", st(1), st(0)], ["fst", at(null, DATA, 8)], END);
  assert.is(other.run(CODE)?.vector, 0x80);
  assert.is(other.view.getFloat64(DATA, true), Math.PI);
});

test.run();
