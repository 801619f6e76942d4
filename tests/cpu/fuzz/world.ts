/**
 * A processor in a world of chance: random bytes and random instructions as code, under random page tables, descriptors,
 * gates and task-state segments, in real, virtual-8086, 16- or 32-bit protected mode, on a random model. Everything comes
 * from the seed. May import cpu/, tests/cpu/host.
 *
 *     0x00000  (real mode) interrupt vectors     0x05000  page table of the low 4 MB
 *     0x01000  GDT, 0x02000 IDT                  0x06000  task-state segments, 0x07000 LDT
 *     0x03000  TSS, 0x04000 page directory       0x10000  code, up to 0xa0000; noise elsewhere
 */
import { MINIMAL_TLB, STANDARD_TLB } from "../../../cpu/costs";
import { Cpu, type CpuOptions } from "../../../cpu/cpu";
import { ROWS } from "../../../cpu/isa";
import { Random } from "../../fuzz/random";
import { generate, runsStraight, straightPiece } from "../host/generate";
import { CODE16, DATA32, FLAT_SELECTORS } from "../host/layout";

export const MEMORY = 0x304000;
const [GDT, IDT, TSS, DIRECTORY, TABLE, TASKS, LDT, CODE, CODE_END] = [
  0x1000, 0x2000, 0x3000, 0x4000, 0x5000, 0x6000, 0x7000, 0x10000, 0xa0000,
];
const TASK_BYTES = 0x80;
const TASK_COUNT = 8;
/** The first of the GDT's task descriptors. */
const FIRST_TASK = 56;
const POOL_SIZE = 3000;
const NOISE_BYTES = 1 << 20;
const [VM, PG, WP, PE, ET] = [0x20000, 0x80000000, 0x10000, 1, 0x10];
const SOUND_CODE = [0x08, 0x1b];
const SOUND_DATA = [0x10, 0x23];

export type World = "real" | "virtual" | "16-bit" | "32-bit";

/** How a processor is run: what must not be seen in what it does. */
export interface Engine {
  readonly name: string;
  readonly options: Partial<CpuOptions>;
  /** Stopped before each instruction. */
  readonly stepped: boolean;
}

export const ENGINES: readonly Engine[] = [
  { name: "blocks", options: { compileAfter: Infinity }, stepped: false },
  { name: "stepped", options: { compileAfter: Infinity }, stepped: true },
  { name: "compiled at once", options: { compileAfter: 0 }, stepped: false },
  { name: "compiled later", options: { compileAfter: 3 }, stepped: false },
];

/** Instructions that mean something, in 16- and in 32-bit code; half with the registers that lead them to memory. */
function pool(size: 2 | 4): number[][] {
  const random = new Random(size);
  const selectors = size === 4 ? FLAT_SELECTORS : [DATA32, CODE16, DATA32, DATA32, DATA32, DATA32];
  return Array.from({ length: POOL_SIZE }, () => {
    const row = random.pick(ROWS.slice(1));
    if (runsStraight(row) && random.oneIn(2)) {
      const piece = straightPiece(row, random, selectors);
      if (piece === null) return [0x90];
      const moves = [...piece.registers].flatMap(([register, to]) => [
        ...(size === 2 ? [0x66] : []),
        ...[0xb8 + register, to & 255, (to >> 8) & 255, (to >> 16) & 255, to >>> 24],
      ]);
      return [...moves, ...piece.code];
    }
    const registers = Array.from({ length: 8 }, () => random.next());
    return (
      generate(row, random, { registers, fixed: new Set(), selectors, pokes: [], straight: false })?.code ?? [0x90]
    );
  });
}

const POOLS = new Map<2 | 4, number[][]>();
const NOISE = (() => {
  const random = new Random(99);
  return Uint8Array.from({ length: NOISE_BYTES }, () => random.next() & 0xff);
})();

/** Code at CODE: mostly instructions of the size, some bytes of chance between them. */
function fillCode(ram: Uint8Array, random: Random, size: 2 | 4): void {
  let instructions = POOLS.get(size);
  if (instructions === undefined) {
    instructions = pool(size);
    POOLS.set(size, instructions);
  }
  const part = 0x12000;
  let at = CODE;
  while (at < CODE + part - 64) {
    const bytes = random.oneIn(4) ? [random.next() & 0xff] : random.pick(instructions);
    ram.set(bytes, at);
    at += bytes.length;
  }
  for (let to = CODE + part; to < CODE_END; to += part)
    ram.copyWithin(to, CODE, Math.min(CODE + part, CODE + CODE_END - to));
}

interface Filler {
  readonly random: Random;
  readonly word: (at: number, value: number) => void;
}

function fillDescriptors({ random, word }: Filler): void {
  for (let i = 6; i < FIRST_TASK; i++) {
    word(GDT + 8 * i, random.next());
    word(GDT + 8 * i + 4, random.oneIn(2) ? random.next() : 0x00cf9000 | (random.next() & 0x6f00));
  }
  for (const [i, high] of [0xcf9b00, 0xcf9300, 0xcffb00, 0xcff300].entries()) {
    word(GDT + 8 + 8 * i, 0xffff);
    word(GDT + 12 + 8 * i, high);
  }
  word(GDT + 0x28, (TSS << 16) | 0x67);
  word(GDT + 0x2c, 0x8b00);
  for (let i = 0; i < 32; i++) {
    word(LDT + 8 * i, random.oneIn(2) ? 0xffff : random.next());
    word(
      LDT + 8 * i + 4,
      random.oneIn(3) ? random.next() : random.pick([0xcffb00, 0xcff300, 0x8ffb00, 0x00f300, 0xcff700]),
    );
  }
  for (let i = 0; i < TASK_COUNT; i++) {
    const base = TASKS + TASK_BYTES * i;
    word(GDT + 8 * (FIRST_TASK + i), (base << 16) | (random.oneIn(4) ? 0x2b : 0x67));
    word(GDT + 8 * (FIRST_TASK + i) + 4, random.pick([0x8900, 0x8900, 0xe900, 0x8b00, 0x8100, 0xe500, 0x0900]));
    for (let at = 0; at < TASK_BYTES; at += 4) word(base + at, random.next());
    if (random.oneIn(4)) continue;
    const ring = random.below(2);
    word(base + 4, 0x9000);
    word(base + 8, 0x10);
    word(base + 28, DIRECTORY);
    word(base + 32, CODE + random.below(0x1000));
    word(base + 36, 2 | (random.next() & 0x3ed5) | (random.oneIn(4) ? VM : 0));
    for (const segment of [0, 2, 3, 4, 5]) word(base + 72 + 4 * segment, SOUND_DATA[ring]);
    word(base + 76, SOUND_CODE[ring]);
    word(base + 96, random.oneIn(2) ? 0 : 0x38);
  }
}

function fillGates({ random, word }: Filler): void {
  const types = [0x8e, 0xee, 0xef, 0x8f, 0xe6, 0x85, 0xe5, 0x0e];
  for (let vector = 0; vector < 256; vector++) {
    const offset = CODE + random.below(CODE_END - CODE);
    const type = random.pick(types);
    const task = (type & 0x1f) === 5 && random.oneIn(2);
    const selector = task
      ? 8 * (FIRST_TASK + random.below(TASK_COUNT))
      : random.pick([8, 8, 8, 0x18, random.below(512)]);
    word(IDT + 8 * vector, (selector << 16) | (offset & 0xffff));
    word(IDT + 8 * vector + 4, (offset & 0xffff0000) | (type << 8));
    // Real mode's vectors.
    word(4 * vector, ((CODE >> 4) << 16) | random.below(0x8000));
  }
}

/** Low memory is there for the supervisor, the code for all; elsewhere chance decides, tables and RAM's end included. */
function fillPages({ random, word }: Filler): void {
  for (let slot = 0; slot < 1024; slot++) {
    word(DIRECTORY + 4 * slot, random.oneIn(3) ? (random.below(MEMORY * 2) & ~0xfff) | (random.next() & 0x1ff) : 0);
  }
  word(DIRECTORY, TABLE | 7);
  for (let page = 0; page < 1024; page++) {
    const sound = page * 4096 < MEMORY ? (page * 4096) | (page < 16 ? 3 : 7) : 0;
    word(TABLE + 4 * page, random.oneIn(20) ? random.next() & 0x007ff07f : sound);
  }
  for (let page = 0; page < 10; page++) word(TABLE + 4 * page, (page * 4096) | 3);
}

/** Segments and mode. */
function enter(cpu: Cpu, world: World, random: Random): void {
  const flat = (selector: number, attributes: number, limit = 0xffffffff) => ({ selector, base: 0, limit, attributes });
  const paged = random.oneIn(4) ? 0 : PG;
  cpu.setDescriptorTable("gdt", GDT, 0x1ff);
  cpu.setDescriptorTable("idt", IDT, 0x7ff);
  cpu.setSegment(7, { selector: 0x28, base: TSS, limit: 0x67, attributes: 0x8b00 });
  cpu.setSegment(6, { selector: 0x30, base: LDT, limit: 0xff, attributes: 0x8200 });
  cpu.setControl(3, DIRECTORY);
  const flags = 2 | (random.next() & 0x3ed5) | (random.oneIn(4) ? 0x40000 : 0);
  cpu.eip = CODE + random.below(0x1000);
  if (world === "real" || world === "virtual") {
    const dpl = world === "virtual" ? 0x6000 : 0;
    if (world === "real") {
      cpu.setControl(0, ET);
      cpu.setDescriptorTable("idt", 0, 0x3ff);
    } else cpu.setControl(0, (PE | ET | paged | (random.oneIn(2) ? WP : 0)) >>> 0);
    cpu.eflags = flags | (world === "virtual" ? VM : 0);
    for (const segment of [0, 2, 3, 4, 5]) {
      const selector = random.below(0x9000);
      cpu.setSegment(segment, { selector, base: selector << 4, limit: 0xffff, attributes: 0x9300 | dpl });
    }
    cpu.setSegment(1, {
      selector: CODE >> 4,
      base: CODE,
      limit: 0xffff,
      attributes: (world === "real" ? 0x9b00 : 0x9300) | dpl,
    });
    cpu.eip = random.below(0x8000);
    return;
  }
  cpu.setControl(0, (PE | ET | paged | (random.oneIn(2) ? WP : 0) | (random.oneIn(2) ? 0x40000 : 0)) >>> 0);
  const ring = random.below(2);
  const dpl = ring * 0x6000;
  const limit = random.oneIn(4) ? 0xfefff : 0xffffffff;
  const big = world === "32-bit" ? 0xc00000 : 0x800000;
  for (const segment of [0, 2, 3]) cpu.setSegment(segment, flat(SOUND_DATA[ring], 0x9300 | dpl | big, limit));
  cpu.setSegment(1, flat(SOUND_CODE[ring], 0x9b00 | dpl | big));
  cpu.eflags = flags;
}

/** The processor of a seed. Its bus answers by the port, and asks for interrupts. */
export function randomWorld(seed: number, { options, stepped }: Engine): { cpu: Cpu; world: World } {
  const random = new Random(seed);
  const world = random.pick(["real", "virtual", "16-bit", "32-bit", "32-bit", "32-bit"] as const);
  const cpu: Cpu = new Cpu({
    memoryBytes: MEMORY,
    tlb: seed % 3 === 0 ? MINIMAL_TLB : STANDARD_TLB,
    model: random.pick(["386", "486", "586", "686", "686"]),
    ...options,
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
  for (let at = 0; at < MEMORY; at += NOISE_BYTES) ram.set(NOISE.subarray(0, Math.min(NOISE_BYTES, MEMORY - at)), at);
  fillCode(ram, random, world === "32-bit" ? 4 : 2);
  const filler: Filler = { random, word: (at, value) => view.setUint32(at, value >>> 0, true) };
  fillDescriptors(filler);
  fillGates(filler);
  filler.word(TSS + 4, 0x9000);
  filler.word(TSS + 8, 0x10);
  filler.word(TSS + 100, random.oneIn(2) ? 0x680000 : random.next());
  fillPages(filler);
  enter(cpu, world, random);
  for (let register = 0; register < 8; register++) cpu.setRegister(register, random.below(MEMORY));
  cpu.setRegister(4, world === "32-bit" ? 0xa0000 + random.below(0x1000) * 4 : 0x8000 + random.below(0x1000) * 2);
  cpu.deadline = 500;
  if (stepped) cpu.onInstruction = () => false;
  return { cpu, world };
}
