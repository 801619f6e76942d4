import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { OperandValue } from "../../cpu/encoder";
import {
  ACCESSED,
  at,
  CR0_WP,
  DIRTY,
  EAX,
  EBX,
  ECX,
  EDX,
  ESI,
  ESP,
  FREE,
  KERNEL_STACK,
  LARGE,
  type Line,
  PRESENT,
  Rig,
  USER,
  WRITE,
} from "./rig";

const test = suite("cpu/paging");

const CODE = FREE;
const DATA = 0x200000;
const PAGE_FAULT = 14;
const CR4_PSE = 0x10;

/** A rig with user code at CODE that does `line` and then INT 0x80, data page not yet mapped. */
function rigFor(ring: 0 | 3, cr0: number, line: Line, large = 0): Rig {
  const rig = new Rig({ memoryBytes: 8 << 20 });
  rig.code(CODE, line, ["int", 0x80]);
  rig.map(CODE, CODE, PRESENT | USER);
  for (let page = 0; page < 0x10000; page += 0x1000) rig.map(CODE + 0x8000 + page, CODE + 0x8000 + page);
  return rig.page(cr0, large === 0 ? 0 : CR4_PSE).ring(ring);
}

test("rights: every combination of ring, access, WP and both levels' bits, for 4 KB and 4 MB pages", () => {
  let cases = 0;
  for (const ring of [0, 3] as const)
    for (const wp of [0, CR0_WP])
      for (const write of [false, true])
        for (const large of [0, LARGE])
          for (let pdeBits = 0; pdeBits < 8; pdeBits++)
            for (let pteBits = 0; pteBits < (large ? 1 : 8); pteBits++) {
              const linear = 0x00c00000;
              const rig = rigFor(
                ring,
                wp,
                write ? ["mov", at(null, linear), EAX] : ["mov", EAX, at(null, linear)],
                large,
              );
              if (large) rig.word(rig.pde(linear), 0x400000 | pdeBits | LARGE);
              else rig.map(linear, DATA, pteBits, pdeBits);
              const rights = large ? pdeBits : pdeBits & pteBits;
              const present = (rights & PRESENT) !== 0;
              const allowed =
                present &&
                (ring === 3
                  ? (rights & USER) !== 0 && (!write || (rights & WRITE) !== 0)
                  : !write || wp === 0 || (rights & WRITE) !== 0);
              const name = `ring ${ring} wp ${wp} write ${write} large ${large} pde ${pdeBits} pte ${pteBits}`;
              const trap = rig.run(CODE);
              const pde = rig.word(rig.pde(linear)) & 0xfff;
              const pte = large ? 0 : rig.word(rig.pte(linear)) & 0xfff;
              if (allowed) {
                assert.is(trap?.vector, 0x80, name);
                assert.is(pde, pdeBits | large | ACCESSED | (large && write ? DIRTY : 0), `${name}: pde`);
                if (!large) assert.is(pte, pteBits | ACCESSED | (write ? DIRTY : 0), `${name}: pte`);
              } else {
                const code = (present ? 1 : 0) | (write ? 2 : 0) | (ring === 3 ? 4 : 0);
                assert.equal(trap, { vector: PAGE_FAULT, error: code, eip: CODE, cr2: linear }, name);
                assert.is(pde, pdeBits | large, `${name}: pde after a fault`);
                if (!large) assert.is(pte, pteBits, `${name}: pte after a fault`);
              }
              cases++;
            }
  assert.is(cases, 2 * 2 * 2 * (64 + 8));
});

test("4 MB pages: only with CR4.PSE; reserved bits fault with their own code", () => {
  const linear = 0x00c12344;
  const rig = rigFor(0, CR0_WP, ["mov", EAX, at(null, linear)], LARGE);
  rig.word(0x412344, 0x12345678);
  rig.word(rig.pde(linear), 0x400000 | PRESENT | WRITE | LARGE);
  assert.is(rig.run(CODE)?.vector, 0x80);
  assert.is(rig.cpu.register(0), 0x12345678);
  assert.is(rig.cpu.translate(linear), 0x412344);
  rig.word(rig.pde(linear), 0x400000 | PRESENT | WRITE | LARGE | 0x2000);
  rig.cpu.setControl(3, rig.cpu.control(3));
  assert.equal(rig.run(CODE), { vector: PAGE_FAULT, error: 9, eip: CODE, cr2: linear });
  // Without PSE the bit means nothing, and the entry points at a table: page 0x400000, entry 0x12.
  rig.cpu.setControl(4, 0);
  rig.word(rig.pde(linear), 0x400000 | PRESENT | WRITE | LARGE);
  rig.word(0x400000 + 4 * 0x12, DATA | PRESENT);
  rig.word(DATA + 0x344, 0xabcd);
  assert.is(rig.run(CODE)?.vector, 0x80);
  assert.is(rig.cpu.register(0), 0xabcd);
});

test("fetch: a code page without user rights, a hole, and an instruction that crosses into a hole", () => {
  const rig = rigFor(3, CR0_WP, ["nop"]);
  const linear = 0x00c00000;
  assert.equal(rig.run(linear), { vector: PAGE_FAULT, error: 4, eip: linear, cr2: linear });
  rig.map(linear, DATA, PRESENT);
  assert.equal(rig.ring(3).run(linear), { vector: PAGE_FAULT, error: 5, eip: linear, cr2: linear });
  rig.map(linear, DATA, PRESENT | USER);
  rig.code(DATA + 0xffd, ["mov", EAX, 0x11223344]);
  const before = rig.cpu.instret;
  assert.equal(rig.ring(3).run(linear + 0xffd), {
    vector: PAGE_FAULT,
    error: 4,
    eip: linear + 0xffd,
    cr2: linear + 0x1000,
  });
  assert.is(rig.cpu.instret, before);
  // Mapped elsewhere, the second half comes from there.
  rig.map(linear + 0x1000, DATA + 0x3000, PRESENT | USER);
  rig.cpu.ram.set([0x55, 0x66, 0xcd, 0x81], DATA + 0x3000);
  assert.is(rig.ring(3).run(linear + 0xffd)?.vector, 0x81);
  assert.is(rig.cpu.register(0), 0x66553344);
});

/** Instructions that write, or read and write, with operands that cross from a mapped page into a hole at HOLE. */
const HOLE = 0x00d00000;
const EDGE = HOLE - 2;
const USER_STACK = FREE + 0xf000;
interface Crossing {
  lines: Line[];
  set?: Partial<Record<"eax" | "ecx" | "edx" | "ebx" | "esp" | "ebp" | "esi" | "edi", number>>;
  write?: boolean;
  /** Of the access that is tried first, where that does not begin before the hole. */
  cr2?: number;
}
const m = (size: number): OperandValue => at(null, EDGE, size);
const CROSSINGS: Record<string, Crossing> = {
  "mov m, r": { lines: [["mov", m(4), EAX]], write: true },
  "mov r, m": { lines: [["mov", EAX, m(4)]] },
  "add m, r": { lines: [["add", m(4), EAX]], write: true },
  "inc m": { lines: [["inc", m(4)]], write: true },
  "shl m": { lines: [["shl", m(4), 3]], write: true },
  "xchg m, r": { lines: [["xchg", m(4), EAX]], write: true },
  "cmpxchg m, r": { lines: [["cmpxchg", m(4), ECX]], write: true },
  "xadd m, r": { lines: [["xadd", m(4), ECX]], write: true },
  "not m": { lines: [["not", m(4)]], write: true },
  "bts m, r": { lines: [["bts", m(4), ECX]], set: { ecx: 3 }, write: true },
  "shld m, r": { lines: [["shld", m(4), ECX, 5]], write: true },
  "mul m": { lines: [["mul", m(4)]] },
  "idiv m": { lines: [["idiv", m(4)]] },
  "movzx m": { lines: [["movzx", EAX, at(null, HOLE - 1, 2)]] },
  push: { lines: [["push", EAX]], set: { esp: EDGE + 4 }, write: true },
  "push m": { lines: [["push", m(4)]] },
  "pop r": { lines: [["pop", EAX]], set: { esp: EDGE } },
  "pop m": { lines: [["pop", m(4)]], write: true },
  pushad: { lines: [["pushad"]], set: { esp: EDGE + 20 }, write: true, cr2: EDGE + 16 },
  popad: { lines: [["popad"]], set: { esp: EDGE - 12 } },
  pushfd: { lines: [["pushfd"]], set: { esp: EDGE + 4 }, write: true },
  popfd: { lines: [["popfd"]], set: { esp: EDGE } },
  enter: { lines: [["enter", 16, 0]], set: { esp: EDGE + 4, ebp: 5 }, write: true },
  "enter 3": { lines: [["enter", 16, 3]], set: { esp: EDGE + 6, ebp: USER_STACK }, write: true },
  "enter, frame in the hole": { lines: [["enter", 16, 3]], set: { ebp: EDGE + 4 } },
  leave: { lines: [["leave"]], set: { ebp: EDGE } },
  call: { lines: [["call", EAX]], set: { esp: EDGE + 4 }, write: true },
  "call m": { lines: [["call", m(4)]] },
  "jmp m": { lines: [["jmp", m(4)]] },
  ret: { lines: [["ret"]], set: { esp: EDGE } },
  iretd: { lines: [["iretd"]], set: { esp: EDGE - 4 } },
  retf: { lines: [["retf"]], set: { esp: EDGE } },
  movsd: { lines: [["movsd"]], set: { esi: FREE, edi: EDGE }, write: true },
  "movsd from the hole": { lines: [["movsd"]], set: { esi: EDGE, edi: FREE + 0x9000 } },
  stosd: { lines: [["stosd"]], set: { edi: EDGE }, write: true },
  lodsd: { lines: [["lodsd"]], set: { esi: EDGE } },
  cmpsd: { lines: [["cmpsd"]], set: { esi: FREE, edi: EDGE } },
  scasd: { lines: [["scasd"]], set: { edi: EDGE } },
  insd: { lines: [["insd"]], set: { edi: EDGE, edx: 0x300 }, write: true },
  outsd: { lines: [["outsd"]], set: { esi: EDGE, edx: 0x300 } },
  sgdt: { lines: [["sgdt", at(null, HOLE - 3, 6)]], write: true },
  sidt: { lines: [["sidt", at(null, HOLE - 3, 6)]], write: true },
  lgdt: { lines: [["lgdt", at(null, HOLE - 3, 6)]] },
  bound: { lines: [["bound", EAX, at(null, HOLE - 4, 8)]] },
  "setz m": { lines: [["setz", at(null, HOLE, 1)]], write: true },
  xlatb: { lines: [["xlatb"]], set: { ebx: HOLE, eax: 0 } },
};
const NAMES = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"] as const;

for (const [name, { lines, set = {}, write = false, cr2 = HOLE }] of Object.entries(CROSSINGS)) {
  test(`a fault leaves no trace: ${name}`, () => {
    const rig = new Rig();
    rig.code(CODE, ...lines, ["int", 0x80]);
    for (let page = 0; page < 0x10000; page += 0x1000) rig.map(CODE + page, CODE + page);
    rig.map(HOLE - 0x1000, DATA);
    rig.page();
    const registers = [0x1111, 0x2222, 0x3333, 0x4444, KERNEL_STACK, 0x6666, 0x7777, 0x8888];
    for (const [i, register] of NAMES.entries()) registers[i] = set[register] ?? registers[i];
    rig.registers = registers;
    // In ring 3, so that the handler has a stack of its own, but for what is privileged.
    const ring3 = name !== "lgdt";
    if (ring3) {
      rig.ring(3);
      rig.cpu.eflags = 0x3002 | 0x8d5;
      rig.registers = registers;
      if (set.esp === undefined) rig.cpu.setRegister(4, USER_STACK);
    }
    rig.cpu.ram.fill(0xa5, DATA, DATA + 0x1000);
    const before = rig.registers;
    const instret = rig.cpu.instret;
    const trap = rig.run(CODE);
    const error = (write ? 2 : 0) | (ring3 ? 4 : 0);
    assert.equal(trap, { vector: PAGE_FAULT, error, eip: CODE, cr2 }, name);
    assert.is(rig.cpu.instret, instret);
    const after = rig.registers;
    // The handler has its own stack in ring 0; the interrupted one's pointer is in the frame.
    after[4] = ring3 ? rig.word(KERNEL_STACK - 8) : after[4] + 16;
    assert.equal(after, before, "registers");
    assert.ok(
      rig.cpu.ram.subarray(DATA, DATA + 0x1000).every((byte) => byte === 0xa5),
      "memory",
    );
    assert.equal(rig.io, [], "ports");
    if (ring3) assert.is(rig.word(KERNEL_STACK - 12) & 0x8d5, 0x8d5, "flags");
  });
}

test("RAM ends: reads see ones, writes go nowhere, also across the end and without paging", () => {
  const rig = new Rig({ memoryBytes: 4 << 20 });
  const end = 4 << 20;
  rig.word(end - 4, 0x11223344);
  rig.code(
    CODE,
    ["mov", EAX, at(null, end)],
    ["mov", at(null, end), ESP],
    ["add", at(null, end + 8), ESP],
    ["mov", ECX, at(null, end + 8)],
    ["mov", EDX, at(null, end - 2)],
    ["mov", at(null, end - 2), ESI],
    ["mov", EBX, at(null, 0xfffffffc)],
    ["int", 0x80],
  );
  rig.cpu.setRegister(6, 0xaabbccdd);
  assert.is(rig.run(CODE)?.vector, 0x80);
  assert.equal(
    [0, 1, 2, 3].map((register) => rig.cpu.register(register)),
    [0xffffffff, 0xffffffff, 0xffff1122, 0xffffffff],
  );
  assert.is(rig.word(end - 4), 0xccdd3344);
  // Executing there: FF FF is no instruction.
  assert.equal(rig.run(end + 0x100), { vector: 6, error: -1, eip: end + 0x100, cr2: 0 });
});

test("an operand across a page goes to two frames, and linear addresses wrap at 4 GB", () => {
  const rig = new Rig();
  const linear = 0x00c00000;
  rig
    .map(CODE, CODE)
    .map(linear, DATA + 0x5000)
    .map(linear + 0x1000, DATA + 0x2000)
    .map(0xfffff000, DATA + 0x7000);
  rig.page();
  rig.code(
    CODE,
    ["mov", at(null, linear + 0xffe), EAX],
    ["add", at(null, linear + 0xffe), EAX],
    ["mov", at(null, 0xfffffffe), EAX],
    ["mov", EBX, at(null, 0xfffffffe)],
    ["int", 0x80],
  );
  rig.cpu.setRegister(0, 0x01020304);
  assert.is(rig.run(CODE)?.vector, 0x80);
  assert.is(rig.word(DATA + 0x5ffc) >>> 16, 0x0608);
  assert.is(rig.word(DATA + 0x2000) & 0xffff, 0x0204);
  assert.is(rig.cpu.register(3), 0x01020304);
  assert.is(rig.word(0) & 0xffff, 0x0102);
});

test("translate() leaves no trace", () => {
  const rig = new Rig().page();
  rig.map(0x00c00000, DATA, PRESENT);
  const cycles = rig.cpu.cycles;
  assert.is(rig.cpu.translate(0x00c00123), DATA + 0x123);
  assert.is(rig.cpu.translate(0x00c01000), -1);
  assert.is(rig.cpu.translate(0x01000000), -1);
  assert.is(rig.word(rig.pte(0x00c00000)), DATA | PRESENT);
  assert.is(rig.cpu.cycles, cycles);
});

test.run();
