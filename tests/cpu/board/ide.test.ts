/** The IDE channel's registers, transfers, faults and times, through the board; what QEMU does with the same is in qemu.test.ts. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BufferDisk } from "../../../cpu/board/disk";
import { COMMAND_CYCLES } from "../../../cpu/board/ide";
import { SECTOR_CYCLES } from "../../../cpu/board/idemedium";
import {
  Bench,
  CONTROL,
  COUNT,
  DATA,
  DEVICE,
  ERROR,
  filled,
  HIGH,
  IMAGE,
  image,
  LOW,
  MID,
  SECTORS,
  STATUS,
  sectorsOf,
} from "./idebench";

const test = suite("cpu/board/ide");

test("without a disk nobody answers", () => {
  const bench = new Bench(null);
  bench.board.write(STATUS, 1, 0xec);
  for (const port of [DATA, ERROR, COUNT, DEVICE, STATUS, CONTROL]) assert.is(bench.in(port), 0xff);
});

test("IDENTIFY DEVICE: the capacity, LBA, blocks of 16, and what INITIALIZE PARAMETERS and SET MULTIPLE change", () => {
  const bench = new Bench();
  assert.equal(bench.done(0xec), [0x58, 0]);
  const identity = () => {
    const bytes = bench.words(256);
    return (word: number) => bytes[2 * word] | (bytes[2 * word + 1] << 8);
  };
  let word = identity();
  assert.is(word(60) | (word(61) << 16), SECTORS);
  assert.equal([word(1), word(3), word(6), word(47), word(49) & 0x200, word(59)], [4, 16, 63, 0x8010, 0x200, 0]);
  assert.is(bench.status(), 0x50, "no data left");
  assert.is(bench.board.read(DATA, 2), 0, "nothing comes without DRQ");
  assert.equal(bench.out([DEVICE, 0xe7]).done(0xc6, 0, 8), [0x50, 0]);
  bench.out([DEVICE, 0xa7], [COUNT, 32], [STATUS, 0x91]).settle();
  bench.done(0xec);
  word = identity();
  assert.equal([word(54), word(55), word(56), word(59)], [16, 8, 32, 0x108]);
});

test("READ SECTORS: contents, one interrupt a sector, registers at the end, exact times", () => {
  const bench = new Bench();
  bench.command(0x20, 100, 2);
  assert.is(bench.in(CONTROL), 0x80);
  assert.is(bench.deadline, COMMAND_CYCLES + SECTOR_CYCLES);
  bench.cycles = bench.deadline - 1;
  assert.is(bench.in(CONTROL), 0x80);
  bench.cycles++;
  bench.board.advance();
  assert.is(bench.level, 1);
  assert.is(bench.in(CONTROL), 0x58);
  assert.is(bench.level, 1, "the alternate status leaves the interrupt");
  bench.board.acknowledge();
  bench.out([0xa0, 0x20], [0x20, 0x20]);
  assert.is(bench.status(), 0x58);
  assert.is(bench.level, 0);
  assert.equal(bench.words(256), sectorsOf(100, 1));
  assert.is(bench.in(CONTROL), 0x80);
  assert.is(bench.deadline, bench.cycles + SECTOR_CYCLES);
  assert.is(bench.settle(), SECTOR_CYCLES);
  assert.is(bench.level, 1, "an interrupt for the second");
  assert.equal(bench.words(256), sectorsOf(101, 1));
  assert.is(bench.status(), 0x50);
  assert.equal(
    [LOW, MID, HIGH, COUNT].map((port) => bench.in(port)),
    [102, 0, 0, 0],
  );
  assert.is(bench.deadline, Infinity);
});

test("32-bit and 8-bit reads of the data register", () => {
  const bench = new Bench();
  bench.done(0x20, 5);
  const bytes = sectorsOf(5, 1);
  assert.is(bench.board.read(DATA, 4), (bytes[0] | (bytes[1] << 8) | (bytes[2] << 16) | (bytes[3] << 24)) >>> 0);
  assert.is(bench.board.read(DATA, 1), bytes[4]);
  assert.is(bench.board.read(DATA, 2), bytes[6] | (bytes[7] << 8));
});

test("a count of 0 is 256 sectors", () => {
  const bench = new Bench();
  bench.command(0x20, 7, 0);
  const got: number[] = [];
  for (let i = 0; i < 256; i++) {
    bench.settle();
    got.push(...bench.words(256));
  }
  assert.equal(got, sectorsOf(7, 256));
  assert.is(bench.status(), 0x50);
});

test("WRITE SECTORS: no interrupt for the first block, one after each", () => {
  const disk = new BufferDisk(IMAGE);
  const bench = new Bench(disk);
  bench.command(0x30, 9, 2);
  assert.is(bench.deadline, Infinity);
  assert.is(bench.settle(), COMMAND_CYCLES);
  assert.is(bench.level, 0);
  bench.put(filled(1));
  assert.equal([...disk.contents().subarray(9 * 512, 10 * 512)], sectorsOf(9, 1), "not on the medium before its time");
  assert.is(bench.settle(), SECTOR_CYCLES);
  assert.is(bench.level, 1);
  assert.is(bench.status(), 0x58);
  bench.put(filled(2)).settle();
  assert.is(bench.status(), 0x50);
  assert.equal(disk.contents().subarray(9 * 512, 11 * 512), Uint8Array.from([...filled(1), ...filled(2)]));
  assert.equal([...disk.contents().subarray(11 * 512, 12 * 512)], sectorsOf(11, 1));
  assert.equal(IMAGE.subarray(9 * 512, 9 * 512 + 4), Uint8Array.from(sectorsOf(9, 1).slice(0, 4)), "the image stays");
});

test("READ and WRITE MULTIPLE: refused before SET MULTIPLE MODE; blocks, with a short one at the end", () => {
  const disk = new BufferDisk(IMAGE);
  const bench = new Bench(disk);
  assert.equal(bench.done(0xc4), [0x41, 4]);
  assert.equal(bench.done(0xc5), [0x41, 4]);
  for (const bad of [3, 32, 129]) assert.equal(bench.done(0xc6, 0, bad), [0x41, 4]);
  assert.equal(bench.done(0xc6, 0, 4), [0x50, 0]);
  bench.command(0xc4, 50, 6);
  assert.is(bench.settle(), COMMAND_CYCLES + 4 * SECTOR_CYCLES);
  assert.equal(bench.words(4 * 256), sectorsOf(50, 4));
  assert.is(bench.settle(), 2 * SECTOR_CYCLES);
  assert.equal(bench.words(2 * 256), sectorsOf(54, 2));
  assert.is(bench.status(), 0x50);
  bench.command(0xc5, 60, 5).settle();
  bench.put(filled(3, 4)).settle();
  assert.is(bench.status(), 0x58);
  bench.put(filled(4)).settle();
  assert.is(bench.status(), 0x50);
  assert.equal(disk.contents().subarray(60 * 512, 65 * 512), Uint8Array.from([...filled(3, 4), ...filled(4)]));
  assert.equal(bench.done(0xc6, 0, 0), [0x50, 0]);
  assert.equal(bench.done(0xc4), [0x41, 4], "0 turns blocks off");
});

test("CHS addresses by the default geometry and another", () => {
  const bench = new Bench();
  const read = (cylinder: number, head: number, sector: number) => {
    bench.out([DEVICE, 0xa0 | head], [COUNT, 1], [LOW, sector], [MID, cylinder & 255], [HIGH, cylinder >> 8]);
    bench.out([STATUS, 0x20]).settle();
    return bench.status() === 0x58 ? bench.words(256) : bench.in(ERROR);
  };
  assert.equal(read(0, 0, 1), sectorsOf(0, 1));
  assert.equal(read(1, 2, 3), sectorsOf((1 * 16 + 2) * 63 + 2, 1));
  assert.equal(
    [LOW, MID, DEVICE].map((port) => bench.in(port)),
    [4, 1, 0xa2],
  );
  assert.is(read(0, 0, 0), 0x10, "sectors count from 1");
  assert.is(read(0, 0, 64), 0x10);
  assert.is(read(4, 0, 1), 0x10);
  bench.out([DEVICE, 0xa3], [COUNT, 8], [STATUS, 0x91]).settle();
  assert.equal(read(2, 3, 8), sectorsOf((2 * 4 + 3) * 8 + 7, 1));
  assert.is(read(2, 4, 1), 0x10);
});

test("nIEN hides the interrupt and takes the deadline away; a new command drops it", () => {
  const bench = new Bench();
  bench.out([CONTROL, 2]).command(0xe7);
  assert.is(bench.deadline, Infinity);
  bench.settle();
  assert.is(bench.level, 0);
  bench.out([CONTROL, 0]);
  assert.is(bench.level, 1, "it was only hidden");
  bench.board.acknowledge();
  bench.out([0xa0, 0x20], [0x20, 0x20]).command(0xe7);
  assert.is(bench.level, 0);
  bench.settle();
  assert.is(bench.level, 1, "and rises again");
});

test("the absent slave: a status of 0, commands fall flat; the drive is as before", () => {
  const bench = new Bench();
  bench.out([DEVICE, 0xf0]);
  assert.equal([bench.in(STATUS), bench.in(CONTROL)], [0, 0]);
  bench.out([STATUS, 0xec]);
  assert.is(bench.settle(), 0);
  assert.is(bench.level, 0);
  assert.is(bench.out([DEVICE, 0xe0]).status(), 0x50);
});

test("while it is busy or wants data the registers cannot be written", () => {
  const bench = new Bench();
  bench.command(0x20, 20).out([LOW, 99], [STATUS, 0xec]).settle();
  bench.out([COUNT, 99], [STATUS, 0xec]);
  assert.equal(bench.words(256), sectorsOf(20, 1));
  assert.is(bench.in(COUNT), 0);
});

test("faults: the n-th transfer fails once, another is late", () => {
  const bench = new Bench(undefined, [
    { transfer: 2, fails: true },
    { transfer: 3, delayCycles: 12_340 },
  ]);
  assert.equal(bench.done(0x20, 10), [0x58, 0]);
  bench.words(256);
  assert.equal(bench.done(0x20, 11), [0x41, 0x40]);
  bench.command(0x20, 11);
  assert.is(bench.settle(), COMMAND_CYCLES + SECTOR_CYCLES + 12_340);
  assert.equal(bench.words(256), sectorsOf(11, 1));
  const writer = new Bench(undefined, [{ transfer: 1, fails: true }]);
  writer.command(0x30, 3).settle();
  writer.put(filled(9)).settle();
  assert.equal([writer.status(), writer.in(ERROR)], [0x61, 4]);
  writer.done(0x20, 3);
  assert.equal(writer.words(256), sectorsOf(3, 1), "a write that failed has changed nothing");
});

test("faults: a lost interrupt, of a read and of either block of a write", () => {
  for (const lost of [1, 2, 3]) {
    const bench = new Bench(undefined, [{ transfer: lost, losesInterrupt: true }]);
    const levels: number[] = [];
    const step = () => {
      bench.settle();
      levels.push(bench.level);
      bench.status();
    };
    bench.command(0x20, 8);
    step();
    assert.equal(bench.words(256), sectorsOf(8, 1));
    bench.command(0x30, 20, 2).settle();
    bench.put(filled(1));
    step();
    bench.put(filled(2));
    step();
    assert.equal(levels, lost === 1 ? [0, 1, 1] : lost === 2 ? [1, 0, 1] : [1, 1, 0]);
    assert.is(bench.status(), 0x50);
  }
});

test("saved at any moment of a write, it goes on to the same end", () => {
  const script = (bench: Bench, between: (bench: Bench, step: number) => Bench) => {
    let b = bench;
    let step = 0;
    const next = (f: (b: Bench) => void) => {
      f(b);
      b = between(b, step++);
    };
    next((x) => x.command(0xc6, 0, 2).settle());
    next((x) => x.command(0xc5, 30, 4));
    next((x) => x.settle());
    next((x) => x.put(filled(5)));
    next((x) => x.put(filled(6)));
    next((x) => x.settle());
    next((x) => x.put(filled(7, 2)).settle());
    next((x) => x.command(0xc4, 31, 2).settle());
    return { got: b.words(512), status: b.status(), cycles: b.cycles, saved: b.board.save() };
  };
  const plain = script(new Bench(), (b) => b);
  assert.equal(plain.got, [...filled(6), ...filled(7)]);
  for (let at = 0; at < 8; at++) {
    const split = script(new Bench(), (b, step) => {
      if (step !== at) return b;
      const other = new Bench();
      other.cycles = b.cycles;
      other.board.restore(structuredClone(b.board.save()));
      return other;
    });
    assert.equal(split, plain, `saved at step ${at}`);
  }
  assert.throws(() => new Bench(null).board.restore(plain.saved), /has a disk/);
  assert.throws(() => new Bench().board.restore(new Bench(null).board.save()), /no disk/);
  assert.throws(() => new Bench(new BufferDisk(image(8))).board.restore(plain.saved), /4096 sectors, this one 8/);
});

test.run();
