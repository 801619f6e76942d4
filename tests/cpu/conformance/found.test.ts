/** What the comparisons with the host's processor found, each as a case of its own. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { mem, sreg } from "../../../cpu/encoder";
import { Word } from "../../../cpu/registers";
import { at, EAX, EBX, ECX, EDX, FREE, FREE_SELECTOR, type Line, PRESENT, Rig, rep, USER, WRITE } from "../rig";

const test = suite("cpu/conformance/found");

const CODE = FREE;
const DATA = FREE + 0x10000;
const READ_ONLY = FREE + 0x20000;
const STACK = FREE + 0x30800;
const [CF, PF, ZF, OF] = [1, 4, 0x40, 0x800];
const ARITHMETIC = 0x8d5;
const [BOUND_RANGE, STACK_FAULT, GENERAL_PROTECTION, PAGE_FAULT, ALIGNMENT] = [5, 12, 13, 14, 17];

/** Ring 3 with paging: code, data and stack for writing, one page for reading only. */
function user(): Rig {
  const rig = new Rig();
  for (const page of [CODE, DATA, STACK & ~0xfff]) rig.map(page, page, PRESENT | WRITE | USER);
  rig.map(READ_ONLY, READ_ONLY, PRESENT | USER);
  rig.page();
  rig.ring(3);
  rig.cpu.setRegister(4, STACK);
  return rig;
}

test("PUSH of a segment register writes two bytes and moves ESP by four", () => {
  const rig = user();
  rig.word(STACK - 4, 0x12345678);
  rig.code(CODE, ["push", sreg(3)], ["int3"]);
  assert.is(rig.run(CODE)?.vector, 3);
  assert.is(rig.word(STACK - 4), 0x12340023);
});

test("ARPL writes only where the RPL rises", () => {
  const rig = user();
  rig.word(READ_ONLY, 3);
  rig.code(CODE, ["arpl", at(EBX, 0, 2), { kind: "reg", size: 2, number: 0 }], ["int3"]);
  rig.registers = [3, 0, 0, READ_ONLY, STACK, 0, 0, 0];
  assert.is(rig.run(CODE)?.vector, 3);
  rig.ring(3);
  rig.cpu.setRegister(4, STACK);
  rig.word(READ_ONLY, 1);
  assert.is(rig.run(CODE)?.vector, PAGE_FAULT);
  assert.is(rig.word(READ_ONLY), 1);
});

test("a shift by 0 needs a writable operand", () => {
  for (const line of [
    ["shl", at(EBX), { kind: "reg", size: 1, number: 1 }],
    ["shrd", at(EBX), EAX, { kind: "reg", size: 1, number: 1 }],
  ] as const) {
    const rig = user();
    rig.code(CODE, line, ["int3"]);
    rig.registers = [0, 32, 0, READ_ONLY, STACK, 0, 0, 0];
    assert.equal([rig.run(CODE)?.vector, rig.trap?.error, rig.trap?.cr2], [PAGE_FAULT, 7, READ_ONLY]);
  }
});

test("LMSW looks at the privilege level before its operand", () => {
  const rig = user();
  rig.code(CODE, ["lmsw", at(EBX, 0, 2)]);
  rig.registers = [0, 0, 0, 0x40000000, STACK, 0, 0, 0];
  assert.is(rig.run(CODE)?.vector, GENERAL_PROTECTION);
});

test("ENTER of 32 bits on a 16-bit stack: EBP takes the upper half of ESP", () => {
  const rig = user();
  rig.cpu.setSegment(2, { selector: 0x23, base: STACK - 0x800, limit: 0xfff, attributes: 0xf300 });
  rig.cpu.setRegister(4, 0x55550100);
  rig.code(CODE, ["enter", 8, 1], ["nop"]);
  rig.cpu.eip = CODE;
  rig.cpu.run(rig.cpu.instret + 1);
  assert.equal([rig.cpu.register(5), rig.cpu.register(4)], [0x555500fc, 0x555500f0]);
  assert.is(rig.word(STACK - 0x800 + 0xf8), 0x555500fc);
});

test("REP OUTS of nothing needs its port all the same", () => {
  const rig = user();
  rig.code(CODE, { op: "outsb", values: [], options: { prefixes: 4 } });
  rig.registers = [0, 0, 0x80, 0, STACK, 0, DATA, 0];
  assert.is(rig.run(CODE)?.vector, GENERAL_PROTECTION);
});

test("an instruction across the limit of CS is #GP though its second page is missing", () => {
  const rig = user();
  const last = CODE + 0xffe;
  rig.code(last, ["db", 0x0f, 0xb6]);
  rig.cpu.setSegment(1, { selector: 0x1b, base: 0, limit: CODE + 0xfff, attributes: 0x40fb00 });
  assert.equal([rig.run(last)?.vector, rig.trap?.error], [GENERAL_PROTECTION, 0]);
  rig.ring(3);
  rig.cpu.setRegister(4, STACK);
  assert.equal([rig.run(last)?.vector, rig.trap?.cr2], [PAGE_FAULT, CODE + 0x1000]);
});

test("#AC comes before a page fault of the same access", () => {
  const rig = user();
  rig.cpu.setControl(0, rig.cpu.control(0) | 0x40000);
  rig.cpu.eflags = 0x40002;
  rig.code(CODE, ["mov", EAX, at(EBX)]);
  rig.registers = [0, 0, 0, 0x40000001, STACK, 0, 0, 0];
  assert.is(rig.run(CODE)?.vector, ALIGNMENT);
});

/** A page that is not there, behind DATA. */
const MISSING = DATA + 0x1000;

test("of two accesses that would both fault, the first is told", () => {
  const cases: [Line, number, number, number][] = [
    // The limit of DS cuts off a selector, an upper bound, the end of an environment and of ten bytes.
    [["les", ECX, at(EBX, 0, 6)], MISSING, MISSING + 3, PAGE_FAULT],
    [["jmp", mem(6, { base: 3, far: true })], MISSING, MISSING + 3, PAGE_FAULT],
    [["bound", EAX, at(EBX, 0, 8)], MISSING - 4, MISSING - 1, BOUND_RANGE],
    [["fldenv", at(EBX, 0, 0)], MISSING, MISSING + 3, PAGE_FAULT],
    [["fbstp", at(EBX, 0, 10)], MISSING, MISSING + 7, PAGE_FAULT],
    [["les", ECX, at(EBX, 0, 6)], MISSING, MISSING + 2, GENERAL_PROTECTION],
  ];
  for (const [line, address, limit, vector] of cases) {
    const rig = user();
    rig.cpu.setSegment(3, { selector: 0x23, base: 0, limit, attributes: 0x40f300 });
    rig.code(CODE, ["fninit"], line, ["int3"]);
    rig.registers = [-1, 0, 0, address, STACK, 0, 0, 0];
    assert.is(rig.run(CODE)?.vector, vector, `${line} at 0x${address.toString(16)}`);
  }
});

test("pushes fault one after the other from the uppermost down", () => {
  const top = MISSING + 0x900;
  const lines: Line[] = [["pushad"], ["enter", 0x100, 3], ["call", { kind: "far", selector: 0x1b, offset: CODE }]];
  for (const line of lines) {
    const rig = user();
    rig.code(CODE, line);
    rig.registers = [0, 0, 0, 0, top, STACK, 0, 0];
    assert.equal([rig.run(CODE)?.vector, rig.trap?.cr2], [PAGE_FAULT, top - 4], `${line}`);
  }
});

test("far CALL asks for room on the stack before it looks at the limit of its target", () => {
  const rig = user();
  rig.descriptor(FREE_SELECTOR, 0, 0xfff, 0x40fb);
  rig.code(CODE, ["call", { kind: "far", selector: FREE_SELECTOR | 3, offset: 0x2000 }]);
  assert.equal([rig.run(CODE)?.vector, rig.trap?.error], [GENERAL_PROTECTION, 0]);
  rig.ring(3);
  rig.cpu.setRegister(4, STACK);
  rig.cpu.setSegment(2, { selector: 0x23, base: 0, limit: STACK - 5, attributes: 0x40f300 });
  assert.equal([rig.run(CODE)?.vector, rig.trap?.error], [STACK_FAULT, 0]);
});

/** Arithmetic flags after one instruction with EAX, ECX, EDX and all flags set before, or none. */
function flagsAfter(line: Parameters<Rig["code"]>[1], registers: readonly number[], before: number): number {
  const rig = user();
  rig.code(CODE, line, ["int3"]);
  rig.registers = [registers[0], registers[1], registers[2], 0, STACK, 0, 0, 0];
  rig.cpu.eflags = 2 | before;
  assert.is(rig.run(CODE)?.vector, 3);
  return rig.cpu.eflags & ARITHMETIC;
}

test("flags that the manual leaves undefined are the host's", () => {
  const cl = { kind: "reg", size: 1, number: 1 } as const;
  const cases: [Parameters<Rig["code"]>[1], number[], number][] = [
    // OF as by a count of 1: the two upper bits differ, or not.
    [["shl", EAX, cl], [0x40000000, 4, 0], OF | ZF | PF],
    [["shl", EAX, cl], [0x30000001, 4, 0], CF],
    [["shl", EAX, 4], [0x40000000, 0, 0], OF | ZF | PF],
    [["shr", EAX, cl], [0x80000000, 31, 0], OF],
    [["shr", EAX, 31], [0x80000000, 0, 0], OF],
    [["shrd", EAX, EDX, cl], [0, 8, 1], OF | PF],
    [["shld", EAX, EDX, cl], [0x40000000, 8, 0], OF | ZF | PF],
    [["imul", EAX, ECX], [0, 7, 0], PF],
    [["mul", ECX], [0x80000000, 2, 0], CF | OF | PF],
    [["bsf", EAX, ECX], [0, 8, 0], PF],
    [["bsr", EAX, ECX], [0, 0x100, 0], 0],
    [["bsf", EAX, ECX], [5, 0, 0], ZF | PF],
  ];
  for (const [line, registers, expected] of cases) {
    for (const before of [0, ARITHMETIC])
      assert.is(flagsAfter(line, registers, before), expected, `${JSON.stringify(line)} before ${before}`);
  }
  // Rotations leave the others alone.
  const others = ARITHMETIC & ~(CF | OF);
  assert.is(flagsAfter(["rol", EAX, cl], [0x40000000, 2, 0], others), others | CF | OF);
  assert.is(flagsAfter(["ror", EAX, cl], [1, 2, 0], others), others | OF);
  assert.is(flagsAfter(["rcr", EAX, cl], [0, 2, 0], others | CF), others | OF);
});

test("an x87 store that an unmasked exception keeps from storing does not look at its address", () => {
  const NOWHERE = 0x40000000;
  const store: Line = ["fistp", at(EBX, 0, 4)];
  /** Vector after FNINIT, a control word, one load or none, and the store; then the status word. */
  const after = (control: number, load: Line[], line: Line): number[] => {
    const rig = user();
    rig.word(DATA, control);
    rig.code(CODE, ["fninit"], ["fldcw", at(null, DATA, 2)], ...load, line, ["int3"]);
    rig.registers = [0, 0, 0, NOWHERE, STACK, 0, 0, 0];
    return [rig.run(CODE)?.vector ?? -1, rig.cpu.r[Word.FpuStatus] & 0x80ff];
  };
  const INFINITY: Line[] = [["fld1"], ["fldz"], ["fdivp", { kind: "st", number: 1 }, { kind: "st", number: 0 }]];
  // An empty stack, and what is no integer: unmasked, and masked, where the indefinite would be stored.
  assert.equal(after(0x37e, [], store), [3, 0x80c1]);
  assert.equal(after(0x37f, [], store), [PAGE_FAULT, 0]);
  assert.equal(after(0x37e, INFINITY, store), [3, 0x8085]);
  assert.equal(after(0x37f, INFINITY, store), [PAGE_FAULT, 4]);
  for (const line of [
    ["fst", at(EBX, 0, 4)],
    ["fstp", at(EBX, 0, 10)],
    ["fbstp", at(EBX, 0, 10)],
  ] as const) {
    assert.equal(after(0x37e, [], line), [3, 0x80c1]);
    assert.equal(after(0x37f, [], line), [PAGE_FAULT, 0]);
  }
  // What is found with the result does not keep it from being stored.
  assert.equal(after(0x35f, [["fldpi"]], store), [PAGE_FAULT, 0]);
});

test("far RET reads two bytes for CS", () => {
  const rig = user();
  const top = (STACK & ~0xfff) + 0xffa;
  rig.code(CODE, ["retf"]);
  rig.code(CODE + 0x100, ["int3"]);
  rig.word(top, CODE + 0x100);
  rig.view.setUint16(top + 4, 0x1b, true);
  rig.cpu.setRegister(4, top);
  assert.equal([rig.run(CODE)?.vector, rig.trap?.eip], [3, CODE + 0x101]);
  rig.ring(3);
  rig.cpu.setRegister(4, top + 1);
  assert.equal([rig.run(CODE)?.vector, rig.trap?.cr2], [PAGE_FAULT, top + 6]);
});

test("a comparison under REP sets the flags at its end: not at a fault or a stop between", () => {
  const END = DATA + 0x1000;
  for (const [name, prefix] of [
    ["cmpsb", 4],
    ["cmpsd", 2],
    ["scasb", 4],
    ["scasd", 2],
  ] as const) {
    for (const stops of [false, true]) {
      const rig = user();
      const same = prefix === 4;
      for (let i = 0; i < 0x40; i += 4) {
        rig.word(END - 0x40 + i, 0x55555555);
        rig.word(DATA + i, same ? 0x55555555 : 0x66666666);
      }
      rig.code(CODE, rep(name, prefix));
      rig.registers = [same ? 0x55555555 : 0x66666666, 0x100, 0, 0, STACK, 0, DATA, END - 0x40];
      rig.cpu.eflags = 2 | ARITHMETIC;
      if (stops) {
        rig.cpu.eip = CODE;
        rig.cpu.run(rig.cpu.instret + 5);
        assert.is(rig.cpu.register(1), 0x100 - 5);
        assert.is(rig.cpu.eflags & ARITHMETIC, ARITHMETIC, name);
      }
      assert.is(rig.run(CODE)?.vector, PAGE_FAULT);
      assert.is(rig.cpu.register(1), 0x100 - (name.endsWith("b") ? 0x40 : 0x10), name);
      assert.is(rig.cpu.eflags & ARITHMETIC, ARITHMETIC, name);
    }
  }
});

test.run();
