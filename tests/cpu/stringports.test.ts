/**
 * REP INS and REP OUTS in bulk against the same one by one: two machines with a disk, of which the bus of one offers no blocks. All
 * that a guest, a device or a budget can tell is compared at every stop.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Board } from "../../cpu/board/board";
import { BufferDisk } from "../../cpu/board/disk";
import { type Bus, type CpuOptions, RunExit } from "../../cpu/cpu";
import { Random } from "../fuzz/random";
import { FREE, KERNEL_STACK, PRESENT, Rig, rep, TSS, TSS_SELECTOR, USER, WRITE } from "./rig";

const test = suite("cpu/stringports");

const CODE = FREE;
/** Pages of the buffer, where they are in memory, and what lies between them in the address space: the last is a hole. */
const DATA = 0x200000;
const LINEAR = 0x00c00000;
const PAGES = 4;
const PAGE = 4096;
const [DATA_PORT, COUNT, LOW, STATUS] = [0x1f0, 0x1f2, 0x1f3, 0x1f7];
const [READ_MULTIPLE, WRITE_MULTIPLE, SET_MULTIPLE] = [0xc4, 0xc5, 0xc6];
const [BUSY, DATA_REQUEST] = [0x80, 8];
const [IF, DF, TF, IOPL_3] = [0x200, 0x400, 0x100, 0x3000];
const IMAGE = Uint8Array.from({ length: 64 * 512 }, (_, i) => (i * 7 + (i >> 9) * 13) & 0xff);
/** The I/O permission bitmap of the scenes in ring 3 without IOPL. */
const BITMAP = TSS + 0x200;
/** TLBs: one in which nothing stays, one in which a page of odd number drives out the TSS's, and the usual one. */
const TLBS: Partial<CpuOptions>[] = [
  { tlb: { sets: 1, ways: 2, largeSets: 1, largeWays: 1, randomSeed: -1 } },
  { tlb: { sets: 2, ways: 1, largeSets: 1, largeWays: 1, randomSeed: -1 } },
  {},
];

/** What happened, for the whole test to have been of use. */
const tally = { elements: 0, faults: 0, interrupts: 0, steps: 0, stops: 0, deadlines: 0, bits: 0, codeWrites: 0 };

interface Side {
  rig: Rig;
  board: Board;
}

/** A processor on a real board with a disk. */
function side(options: Partial<CpuOptions>, inBlocks: boolean): Side {
  const rig = new Rig(options);
  const ignored = () => undefined;
  const signals = { transmit: ignored, exit: ignored, mark: ignored, reset: ignored };
  const board = new Board(rig.cpu, signals, { memoryMB: 4, startTime: 0, disk: new BufferDisk(IMAGE) });
  const bus: Bus = rig.cpu.bus;
  bus.read = (port, size) => board.read(port, size);
  bus.write = (port, size, value) => board.write(port, size, value);
  bus.acknowledge = () => board.acknowledge();
  if (inBlocks) {
    bus.readBlock = (port, size, target, offset, count) => {
      const moved = board.readBlock(port, size, target, offset, count);
      tally.elements += moved;
      return moved;
    };
    bus.writeBlock = (port, size, source, offset, count) => {
      const moved = board.writeBlock(port, size, source, offset, count);
      tally.elements += moved;
      return moved;
    };
  }
  for (const [base, second] of [
    [0x20, 4],
    [0xa0, 2],
  ])
    for (const [at, value] of [0x11, base, second, 1].entries()) board.write(at === 0 ? base : base + 1, 1, value);
  return { rig, board };
}

/** A TSS with a bitmap that allows the ports below 0x3F8. */
function allowByBitmap(rig: Rig): void {
  rig.cpu.setSegment(7, { selector: TSS_SELECTOR, base: TSS, limit: BITMAP - TSS + 0x7f, attributes: 0x8b00 });
  rig.word(TSS + 100, (BITMAP - TSS) << 16);
}

/** Waits for the drive as a polling driver would. */
function settle({ rig, board }: Side): void {
  while ((board.read(0x3f6, 1) & BUSY) !== 0) rig.cpu.cycles += 100;
}

/** A scene by its seed: what both sides do, and what it looked like at every stop. */
function scene(seed: number, inBlocks: boolean): { log: unknown[]; ram: Uint8Array } {
  const random = new Random(seed);
  const here = side(random.pick(TLBS), inBlocks);
  const { rig, board } = here;
  const { cpu } = rig;
  const count = (what: keyof typeof tally): void => {
    if (inBlocks) tally[what]++;
  };
  // Timer and disk interrupt, or not; the timer's period is some tens of repetitions to some thousands.
  board.write(0x43, 1, 0x34);
  const period = 2 + random.below(random.pick([8, 200]));
  for (const byte of [period & 0xff, period >> 8]) board.write(0x40, 1, byte);
  board.write(0x21, 1, random.pick([0xff, 0xfb, 0xfa, 0xfe]));
  board.write(0xa1, 1, 0xbf);
  for (const [port, value] of [
    [COUNT, random.pick([1, 2, 4, 8, 16])],
    [STATUS, SET_MULTIPLE],
  ])
    board.write(port, 1, value);
  settle(here);

  const ring = random.oneIn(3) ? 3 : 0;
  const byBitmap = ring === 3 && random.oneIn(2);
  const isOut = random.oneIn(2);
  const size = random.pick([1, 2, 2, 2, 4, 4]);
  const name = `${isOut ? "outs" : "ins"}${size === 1 ? "b" : size === 2 ? "w" : "d"}`;
  rig.map(CODE, CODE);
  // The page before the last one may be that of the code: what comes in changes the running instruction.
  const overCode = random.oneIn(6);
  for (let page = 0; page < PAGES - 1; page++)
    rig.map(LINEAR + page * PAGE, overCode && page === 1 ? CODE : DATA + page * PAGE);
  if (random.oneIn(2)) rig.page();
  const linear = (cpu.control(0) & 0x80000000) !== 0 ? LINEAR : DATA;
  rig.code(CODE + 0x800, rep(name), ["ud2"]);
  for (let i = 0; i < PAGES * PAGE; i += 4) rig.word(DATA + i, random.next());
  if (byBitmap) {
    allowByBitmap(rig);
    if (random.oneIn(3)) rig.word(BITMAP + (DATA_PORT >> 3), 1 << random.below(2));
  }
  rig.ring(ring as 0 | 3);

  const log: unknown[] = [];
  const eflags = 2 | (random.oneIn(6) ? DF : 0) | (random.oneIn(40) ? TF : 0) | (random.oneIn(2) ? IF : 0);
  cpu.eflags = eflags | (byBitmap ? 0 : IOPL_3);
  // Often near the hole.
  const start =
    (random.oneIn(2) ? 2 * PAGE + random.below(PAGE) : random.below(2 * PAGE)) & (random.oneIn(3) ? -1 : -size);
  const port = random.oneIn(12) ? 0x2f8 : DATA_PORT;
  rig.registers = [
    random.next(),
    1 + random.below(random.pick([20, 3000])),
    port,
    0,
    KERNEL_STACK,
    0,
    linear + start,
    linear + start,
  ];
  let state = rig.registers;
  let eip = CODE + 0x800;
  for (let turn = 0; turn < 150; turn++) {
    // The drive is given a command whenever it wants one, at the same boundaries on both sides.
    if (turn % 3 === 0 && (board.read(STATUS, 1) & (BUSY | DATA_REQUEST)) === 0) {
      board.write(COUNT, 1, random.pick([1, 8, 16, 40]));
      board.write(LOW, 1, random.below(20));
      board.write(STATUS, 1, isOut ? WRITE_MULTIPLE : READ_MULTIPLE);
      if (random.oneIn(2)) settle(here);
    }
    cpu.eip = eip;
    const trap = rig.go(random.pick([1, 3, 100, 10_000, 10_000]));
    log.push([rig.exit, trap, cpu.instret, cpu.cycles, cpu.eip, cpu.eflags, rig.registers, cpu.deadline, board.save()]);
    if (trap === null) {
      if (rig.exit === RunExit.Deadline) {
        board.advance();
        count("deadlines");
      } else count("stops");
      eip = cpu.eip;
      state = rig.registers;
      continue;
    }
    // As a handler would return: to where it came from, with what it had.
    const resume = rig.registers;
    if (trap.vector === 14) {
      count("faults");
      rig.map(trap.cr2 & -PAGE, DATA + 3 * PAGE, PRESENT | WRITE | USER);
    } else if (trap.vector >= 0x20 && trap.vector < 0x22 + 0xb0) {
      count("interrupts");
      board.read(STATUS, 1);
      for (const chip of [0xa0, 0x20]) board.write(chip, 1, 0x20);
    } else if (trap.vector === 1) count("steps");
    else {
      if (trap.vector === 13 && byBitmap) count("bits");
      if (overCode && !isOut) count("codeWrites");
      break;
    }
    rig.ring(ring as 0 | 3);
    cpu.eflags = eflags | (byBitmap ? 0 : IOPL_3);
    rig.registers = [...resume.slice(0, 4), state[4], ...resume.slice(5)];
    eip = trap.eip;
  }
  return { log, ram: cpu.ram };
}

test("in bulk and one by one are the same at every stop: counts, cycles, faults, interrupts, devices, memory", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const [bulk, single] = [scene(seed, true), scene(seed, false)];
    for (const [at, stop] of single.log.entries()) assert.equal(bulk.log[at], stop, `seed ${seed}, stop ${at}`);
    assert.is(bulk.log.length, single.log.length, `seed ${seed}`);
    assert.is(Buffer.compare(bulk.ram, single.ram), 0, `seed ${seed}: memory`);
  }
  for (const [what, times] of Object.entries(tally)) assert.ok(times > 5, `${what}: ${JSON.stringify(tally)}`);
  assert.ok(tally.elements > 30_000, JSON.stringify(tally));
});

test("where the permission bitmap is asked, each step asks it, and misses its page where another drives that out", () => {
  const WORDS = 200;
  const cycles = [true, false].map((inBlocks) => {
    const here = side(TLBS[1], inBlocks);
    const { rig, board } = here;
    rig
      .map(CODE, CODE)
      .map(LINEAR + PAGE, DATA)
      .page();
    rig.code(CODE, rep("insw"), ["ud2"]);
    allowByBitmap(rig);
    board.write(STATUS, 1, 0x20);
    settle(here);
    rig.ring(3);
    rig.registers = [0, WORDS, DATA_PORT, 0, KERNEL_STACK, 0, 0, LINEAR + PAGE];
    const start = rig.cpu.cycles;
    assert.is(rig.run(CODE)?.vector, 6);
    assert.is(rig.cpu.ram[DATA + 2 * WORDS - 1], IMAGE[2 * WORDS - 1]);
    return rig.cpu.cycles - start;
  });
  assert.is(cycles[0], cycles[1]);
});

test("the drive offers all of a block but its last word, and only while and how it would move them one by one", () => {
  const { rig, board } = side({}, true);
  const { bytes } = rig.cpu;
  const at = rig.cpu.ram.byteOffset + DATA;
  const read = (size: 1 | 2 | 4) => board.readBlock(DATA_PORT, size, bytes, at, 1000);
  assert.is(read(2), 0, "no command");
  for (const [port, value] of [
    [COUNT, 2],
    [STATUS, 0x20],
  ])
    board.write(port, 1, value);
  assert.is(read(2), 0, "busy");
  settle({ rig, board });
  assert.is(board.writeBlock(DATA_PORT, 2, bytes, at, 1000), 0, "the other direction");
  assert.is(read(1), 0, "bytes");
  assert.is(board.readBlock(STATUS, 2, bytes, at, 1000), 0, "another port");
  assert.is(board.readBlock(DATA_PORT, 2, bytes, at, 3), 3, "no more than asked");
  assert.is(read(4), 126, "506 bytes are left");
  assert.is(read(4), 0);
  assert.is(board.read(DATA_PORT, 2), IMAGE[510] | (IMAGE[511] << 8));
  assert.is(board.read(0x3f6, 1) & BUSY, BUSY, "the second sector");
});

test.run();
