/** The IDE drive's errors, resets, and commands that move no data. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BufferDisk } from "../../../cpu/board/disk";
import { RESET_CYCLES } from "../../../cpu/board/ide";
import {
  Bench,
  CONTROL,
  COUNT,
  DEVICE,
  ERROR,
  filled,
  HIGH,
  IMAGE,
  LOW,
  MID,
  SECTORS,
  STATUS,
  sectorsOf,
} from "./idebench";

const test = suite("cpu/board/idecommands");

test("errors: beyond the end, bad sectors with their address, write faults, unknown commands", () => {
  const bad = new BufferDisk({
    sectors: SECTORS,
    read: (sector, target) => {
      target.set(IMAGE.subarray(sector * 512, (sector + 1) * 512));
      return sector !== 102;
    },
  });
  const bench = new Bench(bad);
  assert.equal(bench.done(0x20, SECTORS), [0x41, 0x10]);
  assert.is(bench.level, 0, "reading Status took the interrupt");
  bench.command(0x20, SECTORS - 1, 2).settle();
  assert.equal(bench.words(256), sectorsOf(SECTORS - 1, 1));
  bench.settle();
  assert.equal([bench.status(), bench.in(ERROR)], [0x41, 0x10], "what lies before the end can be read");
  bench.command(0x20, 101, 3).settle();
  bench.words(256);
  bench.settle();
  assert.is(bench.level, 1);
  assert.equal([bench.status(), bench.in(ERROR), bench.in(LOW), bench.in(COUNT)], [0x41, 0x40, 102, 2]);
  assert.equal(bench.done(0x40, 100, 2), [0x50, 0], "READ VERIFY");
  assert.equal(bench.done(0x40, 90, 200), [0x41, 0x40]);
  assert.is(bench.in(LOW), 102);
  for (const code of [0x00, 0x08, 0xa0, 0xc8, 0xff]) assert.equal(bench.done(code), [0x41, 4]);
  bench.command(0x30, 102).settle();
  bench.put(filled(9)).settle();
  assert.is(bench.status(), 0x50);
  assert.equal(bench.done(0x20, 102), [0x58, 0], "a bad sector that has been written is good");
  const readOnly = new Bench(new BufferDisk(IMAGE, { readOnly: true }));
  readOnly.command(0x30, 3).settle();
  readOnly.put(filled(9)).settle();
  assert.equal([readOnly.status(), readOnly.in(ERROR)], [0x61, 4]);
  readOnly.done(0x20, 3);
  assert.equal(readOnly.words(256), sectorsOf(3, 1));
});

test("other commands: FLUSH, RECALIBRATE, SET FEATURES, DIAGNOSTIC", () => {
  const bench = new Bench();
  for (const code of [0xe7, 0x10, 0x1f]) assert.equal(bench.done(code), [0x50, 0]);
  const feature = (value: number, count = 0) => bench.out([ERROR, value]).done(0xef, 0, count);
  for (const [value, count] of [
    [0x02, 0],
    [0x82, 0],
    [0xaa, 0],
    [0x03, 0],
    [0x03, 0x0c],
  ])
    assert.equal(feature(value, count), [0x50, 0]);
  assert.equal(feature(0x03, 0x22), [0x41, 4], "no DMA");
  assert.equal(feature(0x99), [0x41, 4]);
  assert.equal(bench.done(0x90, 0x123456, 77), [0x50, 1]);
  assert.equal(
    [COUNT, LOW, MID, HIGH, DEVICE].map((port) => bench.in(port)),
    [1, 1, 0, 0, 0xa0],
  );
});

test("SEEK, by LBA and CHS, to where there is a sector and where there is none", () => {
  const bench = new Bench();
  assert.equal(bench.done(0x70, SECTORS - 1), [0x50, 0]);
  assert.is(bench.level, 0);
  assert.equal(bench.done(0x7f, SECTORS), [0x41, 0x10]);
  bench.out([DEVICE, 0xa0], [LOW, 0], [MID, 0], [HIGH, 0], [STATUS, 0x70]).settle();
  assert.equal([bench.status(), bench.in(ERROR)], [0x41, 0x10], "sector 0 of a track");
});

test("power modes, by the codes of ATA-1 and ATA-2; only a reset ends sleep", () => {
  const bench = new Bench();
  const mode = (code: number) => {
    assert.equal(bench.done(code, 0, 0x55), [0x50, 0]);
    return bench.in(COUNT);
  };
  for (const [standby, idle, check] of [
    [0xe0, 0xe1, 0xe5],
    [0xe2, 0xe3, 0xe5],
    [0x94, 0x95, 0x98],
    [0x96, 0x97, 0x98],
  ]) {
    assert.is(mode(standby), 0x55);
    assert.is(mode(check), 0x00);
    mode(idle);
    assert.is(mode(check), 0x80);
    assert.equal(bench.done(0x40, 0, 1), [0x50, 0]);
    assert.is(mode(check), 0xff, "work wakes it");
  }
  for (const sleep of [0xe6, 0x99]) {
    assert.equal(bench.done(sleep), [0x50, 0]);
    bench.command(0xec);
    assert.is(bench.deadline, Infinity, "nobody hears");
    bench.out([CONTROL, 4], [CONTROL, 0]);
    bench.cycles += RESET_CYCLES;
    assert.is(bench.in(STATUS), 0x50);
    assert.is(mode(0xe5), 0xff);
  }
});

test("every code without a command is aborted, and the drive works on", () => {
  const known = [0x90, 0x91, 0xc4, 0xc5, 0xc6, 0xe0, 0xe1, 0xe2, 0xe3, 0xe5, 0xe6, 0xe7, 0xec, 0xef];
  const ranges = [
    [0x10, 0x1f],
    [0x20, 0x21],
    [0x30, 0x31],
    [0x40, 0x41],
    [0x70, 0x7f],
    [0x94, 0x99],
  ];
  const bench = new Bench();
  for (let code = 0; code < 256; code++) {
    if (known.includes(code) || ranges.some(([first, last]) => code >= first && code <= last)) continue;
    assert.equal(bench.done(code), [0x41, 4], code.toString(16));
  }
  assert.equal(bench.done(0x21, 3), [0x58, 0], "READ SECTORS without retries");
  assert.equal(bench.words(256), sectorsOf(3, 1));
});

test("software reset in the middle of a command", () => {
  const bench = new Bench();
  bench.done(0xc6, 0, 16);
  bench.command(0x20, 5, 3).settle();
  bench.out([CONTROL, 4]);
  assert.is(bench.in(CONTROL), 0x80);
  bench.cycles += 1e9;
  assert.is(bench.in(CONTROL), 0x80, "as long as it is held");
  bench.out([CONTROL, 0]);
  assert.is(bench.settle(), RESET_CYCLES);
  assert.is(bench.level, 0);
  assert.is(bench.status(), 0x50);
  assert.equal(
    [ERROR, COUNT, LOW, MID, HIGH, DEVICE].map((port) => bench.in(port)),
    [1, 1, 1, 0, 0, 0xa0],
  );
  assert.equal(bench.done(0xc4), [0x41, 4], "the block size is forgotten");
});

test.run();
