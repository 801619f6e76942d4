/** Repeated string instructions: what they count and charge, where they stop and go on, and that bulk work shows nowhere. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RunExit } from "../../cpu/cpu";
import { Random } from "../fuzz/random";
import { FREE, KERNEL_STACK, type Line, PRESENT, Rig, rep, WRITE } from "./rig";

const test = suite("cpu/strings");

const CODE = FREE;
const DATA = 0x200000;
const DF = 0x400;
const REPNE = 2;

test("counts and cycles: one instruction a repetition, the set-up once, and one for no repetition", () => {
  const rig = new Rig();
  rig.code(CODE, rep("movsd"), ["int", 0x80]);
  const { instructions, repetitions } = rig.cpu.costs;
  const entry = (count: number): [number, number] => {
    rig.ring(0);
    rig.registers = [0, count, 0, 0, KERNEL_STACK, 0, DATA, DATA + 0x10000];
    const before = [rig.cpu.instret, rig.cpu.cycles];
    rig.cpu.eip = CODE;
    rig.cpu.onInstruction = () => rig.cpu.eip !== CODE;
    rig.cpu.run(1e9);
    return [rig.cpu.instret - before[0], rig.cpu.cycles - before[1]];
  };
  assert.equal(entry(0), [1, instructions.movsd]);
  assert.equal(entry(1), [1, instructions.movsd + repetitions.movsd]);
  assert.equal(entry(1000), [1000, instructions.movsd + 1000 * repetitions.movsd]);
  // Stopped and gone on: the same in all.
  rig.cpu.onInstruction = null;
  rig.ring(0);
  rig.registers = [0, 1000, 0, 0, KERNEL_STACK, 0, DATA, DATA + 0x10000];
  rig.cpu.eip = CODE;
  const start = [rig.cpu.instret, rig.cpu.cycles];
  for (let left = 1000; left > 0; left -= 7) {
    assert.is(rig.cpu.run(start[0] + 1000 - Math.max(left - 7, 0)), RunExit.Budget);
    assert.is(rig.cpu.register(1), Math.max(left - 7, 0));
    assert.is(rig.cpu.eip, left > 7 ? CODE : CODE + 2);
  }
  assert.is(rig.cpu.cycles - start[1], instructions.movsd + 1000 * repetitions.movsd);
});

test("a deadline stops between two repetitions, at the first one that reaches it", () => {
  for (const op of ["movsb", "stosd", "lodsb"]) {
    const rig = new Rig();
    rig.code(CODE, rep(op), ["int", 0x80]);
    rig.registers = [0, 10_000, 0, 0, KERNEL_STACK, 0, DATA, DATA + 0x10000];
    const each = rig.cpu.costs.repetitions[op];
    rig.cpu.deadline = 1001;
    rig.cpu.eip = CODE;
    assert.is(rig.cpu.run(1e9), RunExit.Deadline);
    assert.is(10_000 - rig.cpu.register(1), Math.ceil(1001 / each), op);
    assert.is(rig.cpu.cycles, Math.ceil(1001 / each) * each, op);
    assert.is(rig.cpu.eip, CODE);
  }
});

test("a page fault in the middle: done repetitions stay done, and the instruction goes on after it", () => {
  const HOLE = 0x00c00000;
  for (const [op, size] of [
    ["movsb", 1],
    ["movsd", 4],
    ["stosb", 1],
    ["stosd", 4],
    ["lodsd", 4],
    ["scasb", 1],
    ["cmpsd", 4],
  ] as const) {
    for (const offset of [0, 3]) {
      const rig = new Rig();
      rig
        .map(CODE, CODE)
        .map(HOLE - 0x1000, DATA + 0x1000)
        .map(DATA, DATA)
        .page();
      rig.code(CODE, rep(op), ["int", 0x80]);
      rig.cpu.ram.fill(0, DATA, DATA + 0x2000);
      const start = HOLE - 40 - offset;
      const reads = /^lods|^scas|^cmps/.test(op);
      rig.registers = [0, 100, 0, 0, KERNEL_STACK, 0, op === "lodsd" ? start : DATA, start];
      const trap = rig.run(CODE);
      const done = Math.floor((40 + offset) / size);
      const at = start + done * size;
      // An element across the edge faults in its second page.
      assert.equal(trap, { vector: 14, error: reads ? 0 : 2, eip: CODE, cr2: Math.max(at, HOLE) }, `${op} ${offset}`);
      assert.is(rig.cpu.register(1), 100 - done, op);
      if (op !== "lodsd") assert.is(rig.cpu.register(7), at, op);
      if (!/^stos|^scas/.test(op)) assert.is(rig.cpu.register(6), (op === "lodsd" ? start : DATA) + done * size, op);
      assert.is(rig.cpu.instret, done, op);
      // The handler maps the page.
      const rest = rig.registers;
      rig.map(HOLE, DATA + 0x3000, PRESENT | WRITE);
      rig.ring(0);
      rig.registers = [...rest.slice(0, 4), KERNEL_STACK, ...rest.slice(5)];
      assert.is(rig.run(CODE)?.vector, 0x80, op);
      assert.is(rig.cpu.register(1), 0, op);
    }
  }
});

test("interrupts come between repetitions, with EIP on the instruction", () => {
  const rig = new Rig();
  rig.code(CODE, rep("movsb"), ["int", 0x80]);
  rig.registers = [0, 5000, 0, 0, KERNEL_STACK, 0, DATA, DATA + 0x10000];
  rig.cpu.eflags = 0x202;
  rig.cpu.deadline = 3000;
  rig.cpu.eip = CODE;
  assert.is(rig.cpu.run(1e9), RunExit.Deadline);
  rig.cpu.setInterruptLine(1);
  rig.cpu.deadline = Infinity;
  const trap = rig.go();
  assert.equal(trap, { vector: 0x20, error: -1, eip: CODE, cr2: 0 });
  assert.is(rig.cpu.register(1), 5000 - rig.cpu.instret);
});

test("compares end on ZF as REPE and REPNE say", () => {
  const rig = new Rig();
  rig.cpu.ram.set(Buffer.from("aaaab"), DATA);
  rig.cpu.ram.set(Buffer.from("aaaac"), DATA + 0x100);
  const after = (line: Line): number[] => {
    rig.code(CODE, line, ["int", 0x80]);
    rig.ring(0);
    rig.registers = [0x62, 10, 0, 0, KERNEL_STACK, 0, DATA + 0x100, DATA];
    assert.is(rig.run(CODE)?.vector, 0x80);
    return [rig.cpu.register(1), rig.cpu.register(7) - DATA];
  };
  assert.equal(after(rep("scasb", REPNE)), [5, 5]);
  assert.equal(after(rep("scasb")), [9, 1]);
  assert.equal(after(rep("cmpsb")), [5, 5]);
  assert.equal(after(rep("cmpsb", REPNE)), [9, 1]);
});

test("bulk copies and fills equal a byte-by-byte model: overlaps, directions, pages, sizes", () => {
  const random = new Random(11);
  const LINEAR = 0x00c00000;
  for (let round = 0; round < 300; round++) {
    const rig = rigs[round & 1];
    const name = random.pick(["movsb", "movsw", "movsd", "stosb", "stosw", "stosd"]);
    const size = { b: 1, w: 2, d: 4 }[name[4] as "b" | "w" | "d"];
    const down = random.oneIn(4);
    const count = random.below(3000);
    const span = 0x4000;
    const from = span + random.below(span);
    const to = random.oneIn(2) ? from + random.below(64) - 32 : span + random.below(span);
    rig.code(CODE, rep(name), ["int", 0x80]);
    for (let i = 0; i < 4 * span; i += 4) rig.word(DATA + i, random.next());
    const model = rig.cpu.ram.slice(DATA, DATA + 4 * span);
    const step = down ? -size : size;
    const value = random.next();
    const stored = new Uint8Array(Uint32Array.of(value).buffer);
    for (let i = 0; i < count; i++) {
      // An element is read whole before it is written.
      const element = name.startsWith("stos") ? stored : model.slice(from + i * step, from + i * step + size);
      model.set(element.subarray(0, size), to + i * step);
    }
    rig.ring(0);
    rig.cpu.eflags = 2 | (down ? DF : 0);
    rig.registers = [value, count, 0, 0, KERNEL_STACK, 0, LINEAR + from, LINEAR + to];
    assert.is(rig.run(CODE, 1e6)?.vector, 0x80);
    assert.equal(
      Buffer.compare(rig.cpu.ram.subarray(DATA, DATA + 4 * span), model),
      0,
      `${name} ${from} ${to} ${count} ${down}`,
    );
    assert.is(rig.cpu.register(7), LINEAR + to + count * step);
  }
});

test("bulk comparisons equal an element-by-element model: counts, cycles, flags, deadlines", () => {
  const random = new Random(12);
  const [CF, ZF, SF] = [1, 0x40, 0x80];
  // Without paging no miss is charged, so that cycles are known; with it and a TLB in which nothing stays, the rest.
  const sides = [
    { rig: new Rig(), linear: DATA },
    { rig: rigs[1], linear: 0x00c00000 },
  ];
  const times = { ended: 0, ranOut: 0, stopped: 0 };
  for (let round = 0; round < 600; round++) {
    const { rig, linear } = sides[round & 1];
    const { cpu, view } = rig;
    const charged = linear === DATA;
    const name = random.pick(["cmpsb", "cmpsw", "cmpsd", "scasb", "scasw", "scasd"]);
    const scans = name.startsWith("scas");
    const size = { b: 1, w: 2, d: 4 }[name[4] as "b" | "w" | "d"];
    const [whileZero, down] = [random.oneIn(2), random.oneIn(6)];
    const step = down ? -size : size;
    const count = 1 + random.below(3000);
    const value = random.next();
    const [from, to] = [0x4000 + random.below(0x3000), 0xb000 + random.below(0x2000)];
    // As ZF wants it, up to an element that differs in one byte where it should not, or does not where it should.
    const turn = random.below(4000);
    for (let i = 0; i <= turn; i++) {
      const same = (i === turn) !== whileZero;
      const odd = random.below(size);
      for (let byte = 0; byte < size; byte++) {
        const wanted = scans ? value >>> (8 * byte) : random.next();
        cpu.ram[DATA + from + i * step + byte] = wanted;
        cpu.ram[DATA + to + i * step + byte] = same || byte !== odd ? wanted : wanted ^ (1 + random.below(255));
      }
    }
    const element = (at: number): number =>
      size === 1
        ? view.getInt8(DATA + at)
        : size === 2
          ? view.getInt16(DATA + at, true)
          : view.getInt32(DATA + at, true);
    const operands = (i: number): [number, number] => [
      scans ? (value << (32 - 8 * size)) >> (32 - 8 * size) : element(from + i * step),
      element(to + i * step),
    ];
    // Words cost what doublewords do.
    const cost = name.replace("w", "d");
    const each = cpu.costs.repetitions[cost];
    const deadline = charged && random.oneIn(2) ? 1 + random.below(each * count) : Infinity;
    let [steps, done] = [0, false];
    while (!done && steps * each < deadline) {
      const [a, b] = operands(steps++);
      done = steps === count || (a === b) !== whileZero;
    }
    rig.code(CODE, rep(name, whileZero ? 4 : REPNE), ["int", 0x80]);
    rig.ring(0);
    const before = random.next() & (CF | ZF | SF);
    cpu.eflags = 2 | before | (down ? DF : 0);
    rig.registers = [value, count, 0, 0, KERNEL_STACK, 0, linear + from, linear + to];
    cpu.eip = CODE;
    const began = [cpu.instret, cpu.cycles];
    cpu.deadline = cpu.cycles + deadline;
    cpu.run(cpu.instret + steps);
    cpu.deadline = Infinity;
    const told = `${name} ${from} ${to} ${count} ${down} ${whileZero} round ${round}`;
    assert.is(cpu.instret - began[0], steps, told);
    if (charged) assert.is(cpu.cycles - began[1], steps * each + (done ? cpu.costs.instructions[cost] : 0), told);
    const moved = steps * step;
    assert.equal(rig.registers.slice(6), [linear + from + (scans ? 0 : moved), linear + to + moved], told);
    assert.is(cpu.register(1), count - steps, told);
    assert.is(cpu.eip > CODE, done, told);
    const [a, b] = operands(steps - 1);
    const carry = unsigned(a, size) < unsigned(b, size);
    const sign = (a - b) & (1 << (8 * size - 1));
    const flags = (carry ? CF : 0) | (a === b ? ZF : 0) | (sign !== 0 ? SF : 0);
    // Between two repetitions the flags are still those of before.
    assert.is(cpu.eflags & (CF | ZF | SF), done ? flags : before, told);
    times[!done ? "stopped" : steps === count ? "ranOut" : "ended"]++;
  }
  for (const kind of Object.values(times)) assert.ok(kind > 40, JSON.stringify(times));
});

function unsigned(value: number, size: number): number {
  return size === 4 ? value >>> 0 : value & ((1 << (8 * size)) - 1);
}

/** Two machines with the data area mapped, one with a TLB in which nothing stays. */
const rigs = [{}, { tlb: { sets: 1, ways: 2, largeSets: 1, largeWays: 1, randomSeed: -1 } }].map((options) => {
  const rig = new Rig(options);
  rig.map(CODE, CODE);
  for (let page = 0; page < 0x10000; page += 0x1000) rig.map(0x00c00000 + page, DATA + page);
  return rig.page();
});

test("INS and OUTS touch the port only when memory allows", () => {
  const rig = new Rig();
  rig.map(CODE, CODE).page();
  rig.code(CODE, rep("outsb"), ["int", 0x80]);
  rig.registers = [0, 3, 0x300, 0, KERNEL_STACK, 0, CODE, 0];
  assert.is(rig.run(CODE)?.vector, 0x80);
  assert.equal(
    rig.io.map(({ port, value }) => [port, value]),
    [
      [0x300, 0xf3],
      [0x300, 0x6e],
      [0x300, 0xcd],
    ],
  );
  assert.equal(
    rig.io.map(({ instret }) => instret),
    [0, 1, 2],
  );
  rig.code(CODE, ["insb"]);
  rig.ring(0);
  rig.registers = [0, 3, 0x300, 0, KERNEL_STACK, 0, CODE, 0x00c00000];
  assert.is(rig.run(CODE)?.vector, 14);
  assert.is(rig.io.length, 3);
});

test.run();
