/** CPU models: what each has and lacks; and the instructions that came after the 486. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MODEL_NAMES, type ModelName } from "../../cpu/cpu";
import { creg, mem, reg, treg } from "../../cpu/encoder";
import { CONDITIONS } from "../../cpu/isa";
import { CR0_WP, EAX, EBX, ECX, EDX, ESI, FREE, type Line, PRESENT, Rig, type Trap, USER, WRITE } from "./rig";

const test = suite("cpu/models");

const CODE = FREE;
const DATA = FREE + 0x2000;
const [UD, GP, PF] = [6, 13, 14];
const DONE = 0x80;
const CR4 = creg(4);

/** Runs lines in a ring on a model; the trap that ended them, DONE where nothing went wrong. */
function run(rig: Rig, lines: Line[], ring: 0 | 3 = 0): Trap | null {
  rig.code(CODE, ...lines, ["int", DONE]);
  const { registers } = rig;
  const { eflags } = rig.cpu;
  rig.ring(ring);
  const esp = rig.cpu.register(4);
  rig.registers = registers.map((value, register) => (register === 4 ? esp : value));
  rig.cpu.eflags = eflags;
  return rig.run(CODE);
}

test("each model has exactly the instructions of its time", () => {
  const rows: [string, number[], number][] = [
    ["bt", [0x0f, 0xa3, 0xc0], 3],
    ["movzx", [0x0f, 0xb6, 0xc0], 3],
    ["bswap", [0x0f, 0xc8], 4],
    ["cmpxchg", [0x0f, 0xb1, 0xc0], 4],
    ["cmpxchg byte", [0x0f, 0xb0, 0xc0], 4],
    ["xadd", [0x0f, 0xc1, 0xc0], 4],
    ["invd", [0x0f, 0x08], 4],
    ["wbinvd", [0x0f, 0x09], 4],
    ["invlpg", [0x0f, 0x01, 0x38], 4],
    ["cpuid", [0x0f, 0xa2], 5],
    ["rdtsc", [0x0f, 0x31], 5],
    ["rdmsr", [0x0f, 0x32], 5],
    ["wrmsr", [0x0f, 0x30], 5],
    ["cmpxchg8b", [0x0f, 0xc7, 0x08], 5],
    ["mov eax, cr4", [0x0f, 0x20, 0xe0], 5],
    ["mov cr4, edi", [0x0f, 0x22, 0xe7], 5],
    ["mov eax, cr0", [0x0f, 0x20, 0xc0], 3],
    ["cmovo", [0x0f, 0x40, 0xc0], 6],
    ["cmovg", [0x0f, 0x4f, 0xc0], 6],
    ["nop ebx", [0x0f, 0x1f, 0xc3], 6],
    ["endbr32", [0xf3, 0x0f, 0x1e, 0xfb], 6],
    ["prefetchnta", [0x0f, 0x18, 0x00], 6],
    ["pause", [0xf3, 0x90], 3],
    ["ud0", [0x0f, 0xff, 0xc0], 9],
    ["ud1", [0x0f, 0xb9, 0xc0], 9],
    ["ud2", [0x0f, 0x0b], 9],
  ];
  for (const name of MODEL_NAMES) {
    for (const [text, bytes, since] of rows) {
      const rig = new Rig({ model: name });
      rig.registers = [DATA, 0x10, 0, DATA, 0, 0, DATA, 0];
      const trap = run(rig, [["db", ...bytes]]);
      assert.is(trap?.vector, Number(name[0]) >= since ? DONE : UD, `${text} on a ${name}`);
      if (trap?.vector === UD) assert.is(trap.eip, CODE, `${text} on a ${name}`);
    }
  }
});

/** CPUID's answer: EAX, EBX, ECX, EDX. */
function cpuid(model: ModelName, leaf: number): number[] {
  const rig = new Rig({ model });
  rig.registers = [leaf, 1, 2, 3, 0, 0, 0, 0];
  assert.is(run(rig, [["cpuid"]])?.vector, DONE);
  return [0, 3, 1, 2].map((register) => rig.cpu.register(register));
}

test("CPUID says what is there", () => {
  const [FPU, DE, PSE, TSC, MSR, CX8, PGE, CMOV] = [0, 2, 3, 4, 5, 8, 13, 15].map((bit) => 1 << bit);
  const pentium = FPU | DE | PSE | TSC | MSR | CX8;
  const expected = { 586: [0x52c, pentium], 686: [0x619, pentium | PGE | CMOV] } as const;
  for (const model of ["586", "686"] as const) {
    const [highest, ...words] = cpuid(model, 0);
    assert.is(highest, 1);
    assert.is(Buffer.from(Uint32Array.from([words[0], words[2], words[1]]).buffer).toString(), "TineTineTine");
    for (const leaf of [1, 2, 7, 0x80000000]) {
      assert.equal(cpuid(model, leaf), [expected[model][0], 0, 0, expected[model][1]], `leaf ${leaf}`);
    }
  }
  assert.is(new Rig().cpu.model.name, "686");
});

test("test registers: TR6 and TR7 on a 386, TR3 to TR7 on a 486, none later; for ring 0", () => {
  const first: Record<ModelName, number> = { 386: 6, 486: 3, 586: 8, 686: 8 };
  for (const model of MODEL_NAMES) {
    for (const register of [3, 4, 5, 6, 7]) {
      const rig = new Rig({ model });
      rig.cpu.setRegister(0, 0x12345000);
      const lines: Line[] = [
        ["mov", treg(register), EAX],
        ["mov", ECX, treg(register)],
      ];
      const has = register >= first[model];
      assert.is(run(rig, lines)?.vector, has ? DONE : UD, `TR${register} of a ${model}`);
      if (has) assert.is(rig.cpu.register(1), 0x12345000, `TR${register} of a ${model}`);
      const outer = run(new Rig({ model }), [["mov", EAX, treg(register)]], 3);
      assert.is(outer?.vector, has ? GP : UD, `TR${register} of a ${model} in ring 3`);
    }
  }
});

test("a look-up by TR6 finds what the TLB holds, and leaves it alone", () => {
  const rig = new Rig({ model: "386" });
  rig.map(CODE, CODE).map(0x00c00000, DATA).page();
  const lookUp: Line[] = [
    ["mov", EAX, 0x00c00001],
    ["mov", treg(6), EAX],
  ];
  assert.is(
    run(rig, [
      ...lookUp,
      ["mov", EBX, treg(7)],
      ["mov", EDX, mem(4, { displacement: 0x00c00000 })],
      ...lookUp,
      ["mov", ECX, treg(7)],
    ])?.vector,
    DONE,
  );
  assert.is(rig.cpu.register(3), 0, "not there before the page is touched");
  assert.is(rig.cpu.register(1), DATA | 0x10, "its frame, and the hit");
});

test("CR0, CR4 and EFLAGS hold what the model has", () => {
  const cr0 = { 386: 0x1f, 486: 0x6005003f, 586: 0x6005003f, 686: 0x6005003f };
  const cr4 = { 386: 0, 486: 0, 586: 0x1c, 686: 0x9c };
  const flags = { 386: 0, 486: 0x40000, 586: 0x240000, 686: 0x240000 };
  for (const model of MODEL_NAMES) {
    const rig = new Rig({ model });
    rig.cpu.setRegister(0, 0x7fffffff);
    const setCr0: Line[] = [
      ["mov", creg(0), EAX],
      ["mov", EAX, creg(0)],
    ];
    assert.is(run(rig, setCr0)?.vector, DONE, model);
    assert.is(rig.cpu.register(0), cr0[model], `CR0 of a ${model}`);

    // As application note 485 tells the models: which flags can be toggled.
    const toggle = new Rig({ model });
    const lines: Line[] = [["pushfd"], ["pop", EAX], ["xor", EAX, 0x240000], ["push", EAX], ["popfd"], ["pushfd"]];
    assert.is(run(toggle, [...lines, ["pop", EAX]])?.vector, DONE);
    assert.is(toggle.cpu.register(0), flags[model] | 2, `EFLAGS of a ${model}`);

    if (cr4[model] === 0) continue;
    for (let bit = 0; bit < 32; bit++) {
      const one = new Rig({ model });
      one.cpu.setRegister(0, 1 << bit);
      const there = (cr4[model] & (1 << bit)) !== 0;
      assert.is(run(one, [["mov", CR4, EAX]])?.vector, there ? DONE : GP, `CR4 bit ${bit} of a ${model}`);
      assert.is(one.cpu.control(4), there ? 1 << bit : 0);
    }
  }
});

test("without WP the 386's supervisor writes to read-only pages; its kernel cannot ask for more", () => {
  for (const [model, vector] of [
    ["386", DONE],
    ["486", PF],
  ] as const) {
    const rig = new Rig({ model });
    rig.page(0);
    rig.map(CODE, CODE, PRESENT | USER);
    rig.map(DATA, DATA, PRESENT | USER);
    const lines: Line[] = [
      ["mov", EAX, creg(0)],
      ["or", EAX, CR0_WP],
      ["mov", creg(0), EAX],
      ["mov", mem(4, { displacement: DATA }), EAX],
    ];
    assert.is(run(rig, lines)?.vector, vector, model);
  }
});

test("the time-stamp counter: read, written with its upper half cleared, and the cycles go on", () => {
  const rig = new Rig();
  rig.registers = [0x12345678, 0x10, 0x99999999, 0, 0, 0, 0, 0];
  const lines: Line[] = [["wrmsr"], ["rdtsc"], ["mov", EBX, EAX], ["mov", ESI, EDX], ["rdmsr"]];
  assert.is(run(rig, lines)?.vector, DONE);
  const costs = rig.cpu.costs.instructions;
  assert.is(rig.cpu.register(3) - 0x12345678, costs.wrmsr, "RDTSC sees the cycles at its own start");
  assert.is(rig.cpu.register(6), 0);
  assert.is(rig.cpu.register(0) - rig.cpu.register(3), costs.rdtsc + 2, "RDMSR too");
  assert.is(rig.cpu.register(2), 0);

  // Carries and borrows between the halves.
  for (const [cycles, written, later, low, high] of [
    [0x1_0000_0010, 0xffffffff, 5, 4, 1],
    [0x2_8000_0000, 0, 0x1_8000_0000, 0x80000000, 1],
    [3, 0xfffffff0, 0x30, 0x20, 1],
  ]) {
    const other = new Rig();
    other.cpu.cycles = cycles;
    other.registers = [written, 0x10, 0, 0, 0, 0, 0, 0];
    assert.is(run(other, [["wrmsr"]])?.vector, DONE);
    other.cpu.cycles = cycles + later;
    assert.is(run(other, [["rdtsc"]])?.vector, DONE);
    assert.equal([other.cpu.register(0), other.cpu.register(2)], [low, high], `${cycles} ${written}`);
  }
});

test("model-specific registers that do not exist, and ring 3, are #GP(0); so is RDTSC there under CR4.TSD", () => {
  for (const mnemonic of ["rdmsr", "wrmsr"]) {
    for (const [ecx, ring, vector] of [
      [0x10, 0, DONE],
      [0x10, 3, GP],
      [0x1b, 0, GP],
      [0x11, 0, GP],
      [0, 0, GP],
      [0xffffffff, 0, GP],
    ] as const) {
      const rig = new Rig();
      rig.registers = [7, ecx, 9, 0, 0, 0, 0, 0];
      const trap = run(rig, [[mnemonic]], ring);
      assert.is(trap?.vector, vector, `${mnemonic} ${ecx} ring ${ring}`);
      if (vector === GP) {
        assert.equal([trap?.error, trap?.eip], [0, CODE]);
        assert.equal(rig.registers.slice(0, 3), [7, ecx, 9], "nothing changed");
      }
    }
  }
  for (const [tsd, ring, vector] of [
    [0, 3, DONE],
    [4, 0, DONE],
    [4, 3, GP],
  ] as const) {
    const rig = new Rig();
    rig.cpu.setControl(4, tsd);
    assert.is(run(rig, [["rdtsc"]], ring)?.vector, vector);
  }
});

test("CMPXCHG8B compares EDX:EAX, stores ECX:EBX or loads, and changes ZF alone", () => {
  const memory = mem(8, { displacement: DATA });
  for (const [low, high, equal] of [
    [0x11111111, 0x22222222, true],
    [0x11111110, 0x22222222, false],
    [0x11111111, 0x22222223, false],
  ] as const) {
    for (const flags of [0x8d5, 0]) {
      const rig = new Rig();
      rig.word(DATA, low);
      rig.word(DATA + 4, high);
      rig.registers = [0x11111111, 0x44444444, 0x22222222, 0x33333333, 0, 0, 0, 0];
      rig.cpu.eflags = flags | 2;
      assert.is(run(rig, [{ op: "cmpxchg8b", values: [memory], options: { prefixes: 1 } }])?.vector, DONE);
      const pushed = rig.word(rig.cpu.register(4) + 8);
      assert.is(pushed & 0x8d5, (flags & ~0x40) | (equal ? 0x40 : 0));
      assert.equal([rig.word(DATA), rig.word(DATA + 4)], equal ? [0x33333333, 0x44444444] : [low, high]);
      assert.equal([rig.cpu.register(0), rig.cpu.register(2)], equal ? [0x11111111, 0x22222222] : [low, high]);
    }
  }
  // Across two pages, the second of which may not be written: nothing changes, whether or not they are equal.
  for (const value of [0, 1]) {
    const rig = new Rig();
    rig.page();
    for (const page of [CODE, DATA, DATA + 0x1000]) rig.map(page, page);
    rig.map(DATA + 0x1000, DATA + 0x1000, PRESENT | USER);
    rig.registers = [value, 5, 0, 6, 0, 0, 0, 0];
    const trap = run(rig, [["cmpxchg8b", mem(8, { displacement: DATA + 0xffc })]]);
    assert.equal([trap?.vector, trap?.error, trap?.cr2], [PF, 3, DATA + 0x1000]);
    assert.equal([rig.word(DATA + 0xffc), rig.word(DATA + 0x1000), rig.cpu.register(0)], [0, 0, value]);
    rig.map(DATA + 0x1000, DATA + 0x1000, PRESENT | WRITE);
    rig.cpu.setControl(3, rig.cpu.control(3));
    assert.is(rig.run(CODE)?.vector, DONE);
    assert.equal([rig.word(DATA + 0xffc), rig.word(DATA + 0x1000)], value === 0 ? [6, 5] : [0, 0]);
  }
});

test("CMOVcc moves as SETcc sets, 16 bits leave the upper half, and memory is read in any case", () => {
  for (const [code, name] of CONDITIONS.entries()) {
    for (const flags of [0, 1, 4, 0x40, 0x80, 0x800, 0x880, 0x41, 0x8d5]) {
      const rig = new Rig();
      rig.registers = [0xaaaaaaaa, 0xbbbbbbbb, 0, 0xcccccccc, 0, 0, 0xdddddddd, 0];
      rig.word(DATA, 0x12345678);
      rig.cpu.eflags = flags | 2;
      const lines: Line[] = [
        [`set${name}`, reg(2, 1)],
        [`cmov${name}`, EAX, ECX],
        [`cmov${name}`, reg(3, 2), mem(2, { displacement: DATA })],
        [`cmov${name}`, ESI, mem(4, { displacement: DATA })],
      ];
      assert.is(run(rig, lines)?.vector, DONE);
      const [eax, , edx, ebx, , , esi] = rig.registers;
      const expected = edx === 1 ? [0xbbbbbbbb, 0xcccc5678, 0x12345678] : [0xaaaaaaaa, 0xcccccccc, 0xdddddddd];
      assert.equal([eax, ebx, esi], expected, `${code} ${flags}`);
    }
  }
  const rig = new Rig();
  rig.page();
  rig.map(CODE, CODE);
  const trap = run(rig, [["cmovz", EAX, mem(4, { displacement: DATA })]]);
  assert.equal([trap?.vector, trap?.error, trap?.cr2], [PF, 0, DATA], "the condition does not hold");
});

test("hints touch no memory and change nothing", () => {
  const rig = new Rig();
  rig.page();
  rig.map(CODE, CODE);
  rig.registers = [1, 2, 3, 4, 0, 6, 7, 8];
  const hints: Line[] = [];
  for (let opcode = 0x18; opcode <= 0x1f; opcode++) {
    // [disp32] of a page that is not there, and a register; each digit.
    for (let digit = 0; digit < 8; digit++) {
      hints.push(
        ["db", 0x0f, opcode, (digit << 3) | 5, 0, 0, 0, 0x80],
        ["db", 0xf3, 0x0f, opcode, 0xc3 | (digit << 3)],
      );
    }
  }
  const before = rig.registers;
  assert.is(run(rig, [...hints, ["db", 0xf3, 0x90]])?.vector, DONE);
  assert.equal(
    rig.registers.filter((_, register) => register !== 4),
    before.filter((_, register) => register !== 4),
  );
});

test.run();
