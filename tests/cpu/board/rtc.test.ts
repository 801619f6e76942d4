/** The real-time clock, driven at its ports with a clock of the test's own. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CRYSTAL_HZ, crystalTickAt, cycleOfCrystalTick, NOMINAL_HZ } from "../../../cpu/board/clock";
import { Rtc } from "../../../cpu/board/rtc";

const test = suite("cpu/board/rtc");

class Bench {
  cycles = 0;
  readonly instret = 0;
  level = 0;
  rises = 0;
  readonly rtc: Rtc;

  constructor(date = Date.UTC(2002, 1, 18), memoryMB = 64, hasDisk = false) {
    this.rtc = new Rtc(this, date / 1000, { memoryMB, hasDisk }, (level) => {
      if (level === 1 && this.level === 0) this.rises++;
      this.level = level;
    });
  }

  read(address: number): number {
    this.rtc.writePort(0x70, 1, address);
    return this.rtc.readPort(0x71);
  }

  write(address: number, value: number): this {
    this.rtc.writePort(0x70, 1, address);
    this.rtc.writePort(0x71, 1, value);
    return this;
  }

  at(seconds: number): this {
    this.cycles = Math.round(seconds * NOMINAL_HZ);
    this.rtc.advance();
    return this;
  }

  /** Century, year, month, day, weekday, hours, minutes, seconds as they stand in the registers, as hexadecimal. */
  get time(): string {
    return [0x32, 9, 8, 7, 6, 4, 2, 0].map((at) => this.read(at).toString(16).padStart(2, "0")).join(" ");
  }

  /** Seconds at which IRQ 8 rises until `end`; C is read at each. */
  rising(end: number): number[] {
    const found: number[] = [];
    while (this.rtc.interruptAt <= end * NOMINAL_HZ) {
      this.cycles = this.rtc.interruptAt;
      const before = this.rises;
      this.rtc.advance();
      assert.is(this.rises, before + 1, "the line rises when it was said to");
      found.push(this.cycles / NOMINAL_HZ);
      this.read(0x0c);
    }
    return found;
  }
}

test("crystal ticks and cycles are exact inverses, also far out", () => {
  assert.is(crystalTickAt(NOMINAL_HZ), CRYSTAL_HZ);
  assert.is(crystalTickAt(NOMINAL_HZ - 1), CRYSTAL_HZ - 1);
  for (const base of [0, 1, 12_345, 10 ** 9, 10 ** 12]) {
    for (let tick = base; tick < base + 300; tick++) {
      const cycle = cycleOfCrystalTick(tick);
      assert.is(crystalTickAt(cycle), tick);
      if (cycle > 0) assert.is(crystalTickAt(cycle - 1), tick - 1);
    }
  }
});

test("the date that it is given, and its course, by BCD of 24 hours", () => {
  const b = new Bench();
  assert.is(b.time, "20 02 02 18 02 00 00 00");
  assert.is(b.at(0.999).time, "20 02 02 18 02 00 00 00");
  assert.is(b.at(1).time, "20 02 02 18 02 00 00 01");
  assert.is(b.at(86_399).time, "20 02 02 18 02 23 59 59");
  assert.is(b.at(86_400).time, "20 02 02 19 03 00 00 00");
  assert.is(b.at(86_400 * 11).time, "20 02 03 01 06 00 00 00", "2002 is no leap year");
  assert.is(new Bench(Date.UTC(1999, 11, 31, 23, 59, 58)).at(2).time, "20 00 01 01 07 00 00 00");
  assert.is(new Bench(Date.UTC(2004, 1, 28, 23, 59, 59)).at(1).time, "20 04 02 29 01 00 00 00");
});

test("seen often or seldom, the clock says the same", () => {
  const [seldom, often] = [new Bench(), new Bench()];
  for (let second = 0; second < 200_000; second += 317.5) often.at(second).read(0);
  assert.is(often.at(200_000).time, seldom.at(200_000).time);
});

test("binary and 12 hours, set while SET holds the updates", () => {
  const b = new Bench().write(0x0b, 0x86);
  for (const [at, value] of [
    [0, 58],
    [2, 59],
    [4, 11],
    [6, 7],
    [7, 31],
    [8, 12],
    [9, 99],
    [0x32, 19],
  ])
    b.write(at, value);
  assert.is(b.at(10).time, "13 63 0c 1f 07 0b 3b 3a", "held");
  b.write(0x0b, 0x04);
  assert.is(b.at(11).time, "13 63 0c 1f 07 0b 3b 3b");
  assert.is(b.at(12).time, "13 63 0c 1f 07 8c 00 00", "noon is 12 with bit 7");
  assert.is(b.at(12 + 43_200).time, "14 00 01 01 01 0c 00 00", "midnight is 12 without");
  b.write(0x0b, 0x00).write(4, 0x92).write(2, 0x59).write(0, 0x59);
  assert.is(b.at(43_213).time.slice(-8), "81 00 00", "BCD: 12:59:59 pm, then 1 pm");
});

test("UIP: from 2,228 µs before the time changes, to the change; not while SET or the divider holds it", () => {
  const b = new Bench();
  const uip = (seconds: number) => b.at(seconds).read(0x0a) >> 7;
  assert.equal([0, 0.9977, 0.9979, 0.99999, 1, 1.5, 1.9979].map(uip), [0, 0, 1, 1, 0, 0, 1]);
  b.write(0x0b, 0x82);
  assert.is(uip(2.9979), 0);
  b.write(0x0b, 0x02).write(0x0a, 0x76);
  assert.is(uip(3.9979), 0);
  assert.is(b.read(0x0a), 0x76);
});

test("the divider: held, the clock stands; released, the first update comes after half a second", () => {
  const b = new Bench().write(0x0a, 0x60);
  b.at(5.3).write(0x0a, 0x26);
  assert.is(b.time.slice(-2), "00");
  assert.is(b.at(5.79).time.slice(-2), "00");
  assert.is(b.at(5.81).time.slice(-2), "01");
  assert.is(b.at(6.81).time.slice(-2), "02");
});

test("periodic interrupts at each rate, from the divider's phase", () => {
  for (const [rate, hertz] of [
    [3, 8192],
    [6, 1024],
    [15, 2],
    [1, 256],
    [2, 128],
  ]) {
    const b = new Bench().write(0x0a, 0x20 | rate).write(0x0b, 0x42);
    const rises = b.rising(1);
    assert.is(rises.length, hertz, `rate ${rate}`);
    assert.ok(Math.abs(rises[0] - 1 / hertz) < 1e-7);
    assert.is(rises.at(-1), 1);
  }
  assert.equal(new Bench().write(0x0a, 0x20).write(0x0b, 0x42).rising(5), [], "rate 0 is none");
});

test("update interrupts each second; alarms at their time, with any-value bytes, and none at a time that is none", () => {
  assert.equal(new Bench().write(0x0b, 0x12).rising(3), [1, 2, 3]);
  const alarm = (hour: number, minute: number, second: number) =>
    new Bench().write(5, hour).write(3, minute).write(1, second).write(0x0b, 0x22);
  assert.equal(alarm(0x00, 0x01, 0x10).rising(86_471), [70, 86_470]);
  assert.equal(alarm(0xc0, 0x30, 0x00).rising(7200), [1800, 5400]);
  assert.equal(alarm(0xff, 0xff, 0x05).rising(130), [5, 65, 125]);
  assert.equal(alarm(0xff, 0xff, 0xff).rising(2), [1, 2]);
  assert.equal(alarm(0x25, 0x00, 0x00).rising(200_000), []);
});

test("C tells all flags, enabled or not, and reading it clears them and drops the line; no rise while it is high", () => {
  const b = new Bench().write(0x0b, 0x12);
  b.at(1);
  assert.is(b.level, 1);
  b.at(10);
  assert.is(b.rises, 1);
  assert.is(b.read(0x0c), 0xd0, "update, with the request bit, and periodic");
  assert.is(b.level, 0);
  assert.is(b.read(0x0c), 0);
  b.write(0x0b, 0x02).at(12);
  assert.is(b.read(0x0c), 0x50, "flags without a request");
  b.at(14).write(0x0b, 0x12);
  assert.is(b.level, 1, "an interrupt enabled whose flag is set is due at once");
  b.write(0x0b, 0x92);
  assert.is(b.read(0x0b), 0x82, "SET clears UIE");
});

test("C and D cannot be written; D says that memory is valid; the address port cannot be read and masks NMI", () => {
  const b = new Bench().write(0x0c, 0xff).write(0x0d, 0);
  assert.is(b.read(0x0c), 0);
  assert.is(b.read(0x0d), 0x80);
  assert.is(b.rtc.readPort(0x70), 0xff);
  assert.not(b.rtc.masksNmi);
  b.rtc.writePort(0x70, 1, 0x8f);
  assert.ok(b.rtc.masksNmi);
  b.rtc.writePort(0x71, 1, 0x5a);
  assert.is(b.read(0x0f), 0x5a, "bit 7 is no part of the address");
  assert.is(b.write(0x7f, 0xa5).read(0x7f), 0xa5);
});

test("sizes of memory, and the checksum over what firmware keeps", () => {
  const word = (b: Bench, at: number) => b.read(at) | (b.read(at + 1) << 8);
  const sizes = (memoryMB: number) => {
    const b = new Bench(0, memoryMB, true);
    let sum = 0;
    for (let at = 0x10; at <= 0x2d; at++) sum += b.read(at);
    assert.is((b.read(0x2e) << 8) | b.read(0x2f), sum);
    return [word(b, 0x15), word(b, 0x17), word(b, 0x30), word(b, 0x34)];
  };
  assert.equal(sizes(2), [640, 1024, 1024, 0]);
  assert.equal(sizes(16), [640, 15 * 1024, 15 * 1024, 0]);
  assert.equal(sizes(1792), [640, 65_535, 65_535, 1776 * 16]);
});

test("save and restore", () => {
  const b = new Bench().write(0x0b, 0x72).write(0x0a, 0x2f).at(1.2);
  const state = structuredClone(b.rtc.save());
  const other = new Bench(0);
  other.cycles = b.cycles;
  other.rtc.restore(state);
  assert.is(other.rtc.interruptAt, b.rtc.interruptAt);
  assert.is(other.read(0x0c), b.read(0x0c));
  assert.equal(other.rising(4), b.rising(4));
  assert.is(other.time, b.time);
});

test.run();
