/**
 * Random bytes as code, under random page tables, descriptors and gates: nothing is thrown, run() always comes back, memory
 * beyond RAM stays as it is, and stepping sees the same as blocks. More rounds by FUZZ_ROUNDS and FUZZ_SEED.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MINIMAL_TLB, STANDARD_TLB } from "../../cpu/costs";
import { Cpu, RunExit } from "../../cpu/cpu";
import { ROWS } from "../../cpu/isa";
import { Layout } from "../../cpu/registers";
import { Random } from "../fuzz/random";
import { generate } from "./host/generate";
import { CODE32, DATA32 } from "./host/layout";

const test = suite("cpu/fuzz");

const ROUNDS = Number(process.env.FUZZ_ROUNDS ?? 50);
const SEED = Number(process.env.FUZZ_SEED ?? 1);
const MEMORY = 1 << 20;
const INSTRUCTIONS = 3000;
const [GDT, IDT, TSS, DIRECTORY, CODE] = [0x1000, 0x2000, 0x3000, 0x4000, 0x10000];

/** Instructions that mean something. */
const POOL = (() => {
  const random = new Random(SEED);
  const selectors = [DATA32, CODE32, DATA32, DATA32, DATA32, DATA32];
  return Array.from({ length: 4000 }, () => {
    const registers = Array.from({ length: 8 }, () => random.next());
    const around = { registers, fixed: new Set<number>(), selectors, pokes: [], straight: false };
    return generate(random.pick(ROWS.slice(1)), random, around)?.code ?? [0x90];
  });
})();

/** A machine full of whatever the seed gives. `hooked`: stepped. */
function machine(seed: number, hooked: boolean): Cpu {
  const random = new Random(seed);
  const cpu: Cpu = new Cpu({
    memoryBytes: MEMORY,
    tlb: seed % 3 === 0 ? MINIMAL_TLB : STANDARD_TLB,
    bus: {
      read: (port) => {
        cpu.setInterruptLine((port & 1) as 0 | 1);
        return port;
      },
      write: (_port, _size, value) => cpu.setInterruptLine((value & 1) as 0 | 1),
      acknowledge: () => {
        cpu.setInterruptLine(0);
        return cpu.register(0) & 0xff;
      },
    },
  });
  const { ram } = cpu;
  const view = new DataView(ram.buffer, ram.byteOffset, ram.length);
  const word = (at: number, value: number): void => view.setUint32(at, value >>> 0, true);
  // Code that means something, and code that does not.
  for (let at = CODE; at < MEMORY - 64; ) {
    const bytes = random.oneIn(3) ? [random.next() & 0xff] : random.pick(POOL);
    ram.set(bytes, at);
    at += bytes.length;
  }
  // Descriptors of every kind; the first four are sound.
  for (let i = 6; i < 64; i++) {
    word(GDT + 8 * i, random.next());
    word(GDT + 8 * i + 4, random.oneIn(2) ? random.next() : 0x00cf9000 | (random.next() & 0x6f00));
  }
  for (const [i, high] of [0xcf9b00, 0xcf9300, 0xcffb00, 0xcff300].entries()) {
    word(GDT + 8 + 8 * i, 0xffff);
    word(GDT + 12 + 8 * i, high);
  }
  const types = [0x8e, 0xee, 0xef, 0x8f, 0xe6, 0x85, 0x0e];
  for (let vector = 0; vector < 256; vector++) {
    const offset = CODE + random.below(MEMORY - 2 * CODE);
    word(IDT + 8 * vector, (random.pick([8, 8, 8, 0x18, random.below(512)]) << 16) | (offset & 0xffff));
    word(IDT + 8 * vector + 4, (offset & 0xffff0000) | (random.pick(types) << 8));
  }
  word(TSS + 4, 0x9000);
  word(TSS + 8, 0x10);
  // Low memory is there for the supervisor, the code for all; elsewhere chance decides, tables and RAM's end included.
  for (let slot = 0; slot < 1024; slot++) {
    word(DIRECTORY + 4 * slot, random.oneIn(3) ? (random.below(MEMORY * 2) & ~0xfff) | (random.next() & 0x1ff) : 0);
  }
  word(DIRECTORY, 0x5007);
  for (let page = 0; page < 1024; page++) {
    const sound = page * 4096 < MEMORY ? (page * 4096) | (page < 16 ? 3 : 7) : 0;
    word(0x5000 + 4 * page, random.oneIn(20) ? random.next() & 0x001ff07f : sound);
  }
  for (const page of [1, 2, 3, 4, 5, 8]) word(0x5000 + 4 * page, (page * 4096) | 3);
  cpu.setDescriptorTable("gdt", GDT, 0x1ff);
  cpu.setDescriptorTable("idt", IDT, 0x7ff);
  cpu.setSegment(7, { selector: 0x28, base: TSS, limit: 0x67, attributes: 0x8b00 });
  cpu.setControl(3, DIRECTORY);
  cpu.setControl(4, 0x90);
  cpu.setControl(0, 0x11 | (random.oneIn(4) ? 0 : 0x80000000) | (random.oneIn(2) ? 0x10000 : 0));
  const ring = random.oneIn(2) ? 3 : 0;
  const limit = random.oneIn(4) ? 0xfefff : 0xffffffff;
  for (const segment of [0, 2, 3]) {
    cpu.setSegment(segment, { selector: ring ? 0x23 : 0x10, base: 0, limit, attributes: 0xc09300 | (ring << 13) });
  }
  cpu.setSegment(1, { selector: ring ? 0x1b : 8, base: 0, limit: 0xffffffff, attributes: 0xc09b00 | (ring << 13) });
  for (let register = 0; register < 8; register++) cpu.setRegister(register, random.below(MEMORY));
  cpu.setRegister(4, 0xa0000 + random.below(0x1000) * 4);
  cpu.eflags = 2 | (random.next() & 0x3ed5);
  cpu.eip = CODE + random.below(0x1000);
  cpu.deadline = 500;
  if (hooked) cpu.onInstruction = () => false;
  return cpu;
}

/** Runs it through, waking it whenever it sleeps; gives the last exit. */
function drive(cpu: Cpu): RunExit {
  for (;;) {
    const exit = cpu.run(INSTRUCTIONS);
    if (exit === RunExit.Budget || exit === RunExit.TripleFault) return exit;
    // A chain of faults may go on without an instruction; time ends it.
    if (cpu.cycles > 60 * INSTRUCTIONS) return exit;
    if (exit === RunExit.Halted && (cpu.eflags & 0x200) === 0) return exit;
    cpu.setInterruptLine(1);
    cpu.deadline = cpu.cycles + 501;
  }
}

function fingerprint(cpu: Cpu): string {
  let sum = 0;
  for (let at = 0; at < MEMORY; at += 4) sum = (Math.imul(sum, 31) + cpu.words[(Layout.Ram + at) >> 2]) | 0;
  const segments = Array.from({ length: 8 }, (_, segment) => cpu.segment(segment));
  const registers = Array.from({ length: 8 }, (_, register) => cpu.register(register));
  return JSON.stringify([cpu.instret, cpu.cycles, cpu.eip, cpu.eflags, registers, segments, cpu.control(2), sum]);
}

test("random machines: no exception, no endless instruction, and the same stepped as in blocks", () => {
  const exits = [0, 0, 0, 0, 0, 0];
  let instructions = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const seed = SEED * 100_003 + round;
    const blocks = machine(seed, false);
    const stepped = machine(seed, true);
    const exit = drive(blocks);
    assert.is(drive(stepped), exit, `seed ${seed}`);
    assert.is(fingerprint(stepped), fingerprint(blocks), `seed ${seed}`);
    assert.ok(blocks.bytes.subarray(Layout.OnesPage, Layout.OnesPage + 4096).every((byte) => byte === 0xff));
    exits[exit]++;
    instructions += blocks.instret;
  }
  assert.ok(instructions > ROUNDS * 200, `too little happens: ${instructions} instructions`);
  assert.ok(exits[RunExit.Budget] > 0 && exits[RunExit.TripleFault] > 0, `${exits}`);
});

test.run();
