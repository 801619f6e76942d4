/**
 * That blocks are only a cache: code that changes is seen at once, and nobody can tell from time, counts or registers how the
 * code was cut, where an interrupt came, or how often run() returned.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MINIMAL_TLB, STANDARD_TLB, type TlbGeometry } from "../../cpu/costs";
import { RunExit } from "../../cpu/cpu";
import { Random } from "../fuzz/random";
import {
  at,
  CR0_WP,
  EAX,
  EBP,
  EBX,
  ECX,
  EDI,
  EDX,
  ESI,
  ESP,
  FREE,
  type Line,
  PRESENT,
  Rig,
  rep,
  USER,
  WRITE,
} from "./rig";

const test = suite("cpu/blocks");

const CODE = FREE;
const DATA = 0x200000;
const INC_EBX = 0x43;
const DEC_EBX = 0x4b;

test("an instruction that rewrites the next one of its own block", () => {
  const rig = new Rig();
  const labels = rig.code(
    CODE,
    ["mov", EBX, 10],
    ["mov", at(null, 0, 1), DEC_EBX],
    "patched",
    ["inc", EBX],
    ["int", 0x80],
  );
  rig.code(CODE, ["mov", EBX, 10], ["mov", at(null, labels.patched, 1), DEC_EBX]);
  for (const code of [INC_EBX, INC_EBX]) {
    rig.cpu.ram[labels.patched] = code;
    rig.cpu.codeChanged(labels.patched, 1);
    assert.is(rig.ring(0).run(CODE)?.vector, 0x80);
    assert.is(rig.cpu.register(3), 9);
  }
});

test("code rewritten through another mapping of its frame, by every kind of store, also across a page", () => {
  const OTHER = 0x00c00000;
  const CALLED = 0x00d00000;
  const stores: Record<string, Line[]> = {
    mov: [["mov", at(null, OTHER + 0x100, 1), DEC_EBX]],
    "mov word": [["mov", at(null, OTHER + 0xff, 2), (DEC_EBX << 8) | 0x90]],
    xchg: [
      ["mov", EAX, 0xc3c3c34b | 0],
      ["xchg", at(null, OTHER + 0x100), EAX],
    ],
    add: [["add", at(null, OTHER + 0x100, 1), DEC_EBX - INC_EBX]],
    push: [
      ["mov", EBP, ESP],
      ["mov", ESP, OTHER + 0x104],
      ["push", 0xc3c3c34b | 0],
      ["mov", ESP, EBP],
    ],
    stosb: [["mov", EDI, OTHER + 0x100], ["mov", EAX, DEC_EBX], ["stosb"]],
    "rep stosb": [["mov", EDI, OTHER + 0xf0], ["mov", ECX, 17], ["mov", EAX, DEC_EBX], rep("stosb")],
    "rep movsd": [["mov", ESI, DATA], ["mov", EDI, OTHER + 0x100], ["mov", ECX, 1], rep("movsd")],
    "across a page": [["mov", at(null, OTHER - 2), 0xc34b9090 | 0]],
  };
  for (const [name, store] of Object.entries(stores)) {
    const rig = new Rig();
    const frame = DATA + 0x5000;
    const entry = name === "across a page" ? 0 : 0x100;
    rig
      .map(CODE, CODE)
      .map(OTHER, frame)
      .map(OTHER - 0x1000, DATA + 0x8000)
      .map(CALLED, frame)
      .map(DATA, DATA)
      .page();
    rig.cpu.ram.set([INC_EBX, 0xc3], frame + entry);
    rig.cpu.ram.set([DEC_EBX, 0xc3, 0xc3, 0xc3], DATA);
    rig.code(
      CODE,
      ["mov", EDX, CALLED + entry],
      ["mov", EBX, 100],
      ["call", EDX],
      ["call", EDX],
      ...store,
      ["call", EDX],
      ["int", 0x80],
    );
    assert.is(rig.run(CODE)?.vector, 0x80, name);
    assert.is(rig.cpu.register(3), 101, name);
    rig.cpu.ram.set([INC_EBX], frame + entry);
  }
});

test("a frame that is freed and filled with other code", () => {
  const rig = new Rig();
  const PAGE = 0x00c00000;
  rig.map(CODE, CODE).map(PAGE, DATA).page();
  rig.cpu.ram.set([INC_EBX, 0xc3], DATA);
  rig.cpu.ram.set([DEC_EBX, 0xc3], DATA + 0x1000);
  rig.code(CODE, ["mov", EDX, PAGE], ["call", EDX], ["int", 0x80]);
  rig.code(CODE + 0x100, ["invlpg", at(null, PAGE, 0)], ["int", 0x80]);
  for (const [frame, expected] of [
    [DATA, 1],
    [DATA + 0x1000, 0],
    [DATA, 1],
  ] as const) {
    rig.map(PAGE, frame);
    rig.ring(0).run(CODE + 0x100);
    assert.is(rig.ring(0).run(CODE)?.vector, 0x80);
    assert.is(rig.cpu.register(3), expected);
  }
});

test("an instruction across two pages: either half rewritten, and the second page mapped anew", () => {
  const rig = new Rig();
  const PAGE = 0x00c00000;
  const EIP = PAGE + 0xffd;
  rig
    .map(CODE, CODE)
    .map(PAGE, DATA)
    .map(PAGE + 0x1000, DATA + 0x3000)
    .map(DATA, DATA)
    .map(DATA + 0x3000, DATA + 0x3000)
    .page();
  rig.cpu.ram.set([0xb8, 0x11, 0x22], DATA + 0xffd);
  rig.cpu.ram.set([0x33, 0x44, 0xcd, 0x80], DATA + 0x3000);
  rig.cpu.ram.set([0x77, 0x88, 0xcd, 0x80], DATA + 0x6000);
  const value = (): number => {
    assert.is(rig.ring(0).run(EIP)?.vector, 0x80);
    return rig.cpu.register(0);
  };
  assert.is(value(), 0x44332211);
  rig.code(CODE, ["mov", at(null, DATA + 0x3001, 1), 0x55], ["mov", at(null, DATA + 0xffe, 1), 0x66], ["int", 0x80]);
  rig.ring(0).run(CODE);
  assert.is(value(), 0x55332266);
  rig.map(PAGE + 0x1000, DATA + 0x6000);
  rig.code(CODE + 0x100, ["invlpg", at(null, PAGE + 0x1000, 0)], ["int", 0x80]);
  rig.ring(0).run(CODE + 0x100);
  assert.is(value(), 0x88772266);
});

test("data beside code in one page is written without harm", () => {
  const rig = new Rig();
  rig.code(
    CODE,
    ["mov", ECX, 1000],
    "loop",
    ["inc", at(null, CODE + 0x800)],
    ["dec", ECX],
    ["jnz", "@loop"],
    ["int", 0x80],
  );
  assert.is(rig.run(CODE)?.vector, 0x80);
  assert.is(rig.word(CODE + 0x800), 1000);
});

/** A program that touches everything: arithmetic, memory over many pages, calls, strings, traps, ring 3. Never ends. */
function program(random: Random, rig: Rig): void {
  const registers = [EAX, EBX, EDX, EBP];
  const any = () => random.pick(registers);
  const lines: (Line | string)[] = ["top"];
  const address = () => at(null, DATA + random.below(0x40000));
  for (let i = 0; i < 120; i++) {
    const kinds: (() => (Line | string)[])[] = [
      () => [[random.pick(["add", "sub", "xor", "adc", "and"]), any(), any()]],
      () => [["imul", any(), any(), random.next() | 0]],
      () => [["add", any(), random.next() | 0]],
      () => [["mov", any(), address()]],
      () => [["mov", address(), any()]],
      () => [["add", address(), any()]],
      () => [
        ["push", any()],
        ["pop", any()],
      ],
      () => [["call", "@leaf"]],
      () => [["int", 0x41]],
      () => [
        ["mov", ECX, random.below(40)],
        ["mov", EDI, DATA + random.below(0x30000)],
        ["mov", ESI, DATA + random.below(0x30000)],
        rep(random.pick(["movsb", "movsd", "stosd", "lodsb", "scasb"])),
      ],
      () => [
        ["test", any(), any()],
        [random.pick(["jz", "jl", "jbe", "js", "jo"]), `@skip${i}`],
        ["inc", any()],
        `skip${i}`,
      ],
      () => [["mov", ECX, 1 + random.below(5)], `loop${i}`, ["rol", any(), 7], ["dec", ECX], ["jnz", `@loop${i}`]],
    ];
    lines.push(...random.pick(kinds)());
  }
  lines.push(["jmp", "@top"], "leaf", ["xor", EAX, 0x5a5a5a5a], ["push", EBX], ["pop", EDX], ["ret"]);
  // The end of a page lies somewhere in the code.
  rig.code(CODE + 0xf00, ...lines);
}

/** Where nothing may differ. */
function fingerprint(rig: Rig): string {
  const { cpu } = rig;
  let sum = 0;
  for (let at = DATA; at < DATA + 0x40000; at += 4) sum = (Math.imul(sum, 31) + rig.word(at)) | 0;
  return JSON.stringify([
    cpu.instret,
    cpu.cycles,
    cpu.eip,
    cpu.eflags,
    rig.registers,
    sum,
    Array.from(cpu.tlb.save()).reduce((a, b) => (Math.imul(a, 31) + b) | 0, 0),
  ]);
}

function begin(seed: number, tlb: TlbGeometry): Rig {
  const rig = new Rig({ tlb, memoryBytes: 8 << 20 });
  rig.stopAtTraps = false;
  program(new Random(seed), rig);
  // The handler counts and goes back.
  rig.code(0x8800, ["push", EAX], ["inc", at(null, DATA)], ["pop", EAX], ["iretd"]);
  rig.gate(0x41, 0x8800, 8, 0xee);
  rig.gate(0x20, 0x8800, 8, 0xee);
  for (let page = 0; page < 0x10000; page += 0x1000) rig.map(CODE + page, CODE + page, PRESENT | WRITE | USER);
  for (let page = 0; page < 0x50000; page += 0x1000) rig.map(DATA + page, DATA + page, PRESENT | WRITE | USER);
  rig.page(CR0_WP).ring(3);
  rig.cpu.eflags = 2 | 0x200;
  rig.cpu.eip = CODE + 0xf00;
  return rig;
}

const LENGTH = 4000;

/** Runs to LENGTH instructions, with an interrupt every `period` cycles. */
function drive(rig: Rig, period: number, slice: () => number): void {
  const { cpu } = rig;
  cpu.deadline = period;
  while (cpu.instret < LENGTH) {
    const exit = cpu.run(Math.min(LENGTH, cpu.instret + slice()));
    if (exit === RunExit.Deadline) {
      // A device's event: the line goes up, and down again when the processor has seen it.
      cpu.setInterruptLine(1);
      cpu.deadline += period;
    } else assert.is(exit, RunExit.Budget);
  }
}

test("block by block, step by step, in slices, with interrupts at any cycle: the same to the cycle", () => {
  for (const tlb of [STANDARD_TLB, MINIMAL_TLB, { ...STANDARD_TLB, sets: 4, ways: 2, randomSeed: 5 }]) {
    for (let seed = 1; seed <= 6; seed++) {
      for (const period of [97, 1013, Infinity]) {
        const build = (hooked: boolean): Rig => {
          const rig = begin(seed, tlb);
          rig.cpu.bus.acknowledge = () => {
            rig.cpu.setInterruptLine(0);
            return 0x20;
          };
          if (hooked) rig.cpu.onInstruction = () => false;
          return rig;
        };
        const whole = build(false);
        drive(whole, period, () => LENGTH);
        const stepped = build(true);
        drive(stepped, period, () => LENGTH);
        const name = `seed ${seed}, period ${period}, ${tlb.sets} sets`;
        assert.is(fingerprint(stepped), fingerprint(whole), `${name}: stepped`);
        const sliced = build(false);
        const random = new Random(seed);
        drive(sliced, period, () => 1 + random.below(50));
        assert.is(fingerprint(sliced), fingerprint(whole), `${name}: sliced`);
      }
    }
  }
});

test("a fault in a block takes back what did not run, to the cycle", () => {
  const rig = new Rig();
  rig.code(CODE, ["nop"], ["imul", EAX, EBX], ["ud2"], ["nop"]);
  const { instructions, trapEntry, trapRingChange } = rig.cpu.costs;
  rig.run(CODE);
  assert.is(rig.cpu.instret, 2);
  assert.is(rig.cpu.cycles, 1 + instructions.imul + trapEntry);
  // From the middle of a longer block, into another ring, with a table walk on the way.
  const paged = new Rig();
  paged.map(CODE, CODE).page().ring(3);
  paged.code(CODE, ["nop"], ["nop"], ["mov", EAX, at(null, 0xc00000)], ["nop"], ["nop"]);
  paged.run(CODE);
  const first = paged.cpu.cycles;
  paged.ring(3).run(CODE);
  assert.is(paged.cpu.instret, 4);
  // All but the walk of the missing page hits by now: one read, of an empty directory entry.
  assert.is(paged.cpu.cycles - first, 2 + paged.cpu.costs.walkRead + trapEntry + trapRingChange);
});

test("save and restore in the middle", () => {
  const whole = begin(3, STANDARD_TLB);
  drive(whole, Infinity, () => LENGTH);
  const first = begin(3, STANDARD_TLB);
  first.cpu.run(1700);
  const second = new Rig({ memoryBytes: 8 << 20 });
  second.stopAtTraps = false;
  second.cpu.restore(structuredClone(first.cpu.save()));
  drive(second, Infinity, () => LENGTH);
  assert.is(fingerprint(second), fingerprint(whole));
  assert.throws(() => new Rig().cpu.restore(first.cpu.save()), /size of memory/);
});

test("run() stops exactly at its budget, and never behind its deadline by more than an instruction", () => {
  const rig = begin(1, STANDARD_TLB);
  for (let i = 1; i < 400; i++) {
    assert.is(rig.cpu.run(i * 3), RunExit.Budget);
    assert.is(rig.cpu.instret, i * 3);
  }
  const start = rig.cpu.cycles;
  for (let deadline = start + 10; deadline < start + 4000; deadline += 37) {
    rig.cpu.deadline = deadline;
    assert.is(rig.cpu.run(1e9), RunExit.Deadline);
    assert.ok(rig.cpu.cycles >= deadline && rig.cpu.cycles < deadline + 200);
  }
});

test("a hook is called before each instruction, sees it, and can stop before it", () => {
  const rig = new Rig();
  const labels = rig.code(CODE, ["mov", ECX, 3], "a", ["dec", ECX], ["jnz", "@a"], ["int", 0x80]);
  const seen: number[] = [];
  rig.cpu.onInstruction = () => {
    seen.push(rig.cpu.eip - CODE);
    return rig.cpu.eip === labels.a && rig.cpu.register(1) === 2 && seen.length < 5;
  };
  assert.is(rig.run(CODE), null);
  assert.is(rig.exit, RunExit.Hook);
  assert.is(rig.cpu.eip, labels.a);
  assert.is(rig.cpu.instret, 3);
  rig.cpu.onInstruction = null;
  assert.is(rig.go()?.vector, 0x80);
  assert.equal(seen, [0, 5, 6, 5]);
});

test.run();
