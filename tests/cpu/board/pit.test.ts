/** The 8254, driven at its ports with a clock of the test's own. Times are in PIT ticks. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { cycleOfPitTick, NOMINAL_HZ, PIT_HZ, pitTickAt } from "../../../cpu/board/clock";
import { Pit } from "../../../cpu/board/pit";

const test = suite("cpu/board/pit");

class Bench {
  cycles = 0;
  instret = 0;
  level = 0;
  rises = 0;
  readonly pit = new Pit(this, (level) => {
    if (level === 1 && this.level === 0) this.rises++;
    this.level = level;
  });

  constructor() {
    this.rises = 0;
  }

  /** Lets time pass to a tick in one step. */
  at(tick: number): this {
    this.cycles = cycleOfPitTick(tick);
    this.pit.advance();
    return this;
  }

  /** Lets time pass event by event; returns the ticks at which IRQ 0 rose. */
  risesUntil(tick: number): number[] {
    const ticks: number[] = [];
    const end = cycleOfPitTick(tick);
    while (this.pit.edgeAt <= end) {
      this.cycles = this.pit.edgeAt;
      const before = this.rises;
      this.pit.advance();
      if (this.rises > before) ticks.push(pitTickAt(this.cycles));
    }
    this.cycles = end;
    return ticks;
  }

  program(channel: number, mode: number, count: number): this {
    this.pit.writePort(0x43, 1, (channel << 6) | 0x30 | (mode << 1));
    this.pit.writePort(0x40 + channel, 1, count & 0xff);
    this.pit.writePort(0x40 + channel, 1, (count >> 8) & 0xff);
    return this;
  }

  count(channel: number): number {
    this.pit.writePort(0x43, 1, channel << 6);
    return this.pit.readPort(0x40 + channel) | (this.pit.readPort(0x40 + channel) << 8);
  }

  /** Status and count of a channel by read-back. */
  readBack(channel: number): { status: number; count: number } {
    this.pit.writePort(0x43, 1, 0xc0 | (2 << channel));
    const port = 0x40 + channel;
    return { status: this.pit.readPort(port), count: this.pit.readPort(port) | (this.pit.readPort(port) << 8) };
  }
}

test("ticks and cycles are exact inverses, also far out", () => {
  assert.is(pitTickAt(NOMINAL_HZ), PIT_HZ);
  assert.is(pitTickAt(NOMINAL_HZ - 1), PIT_HZ - 1);
  assert.is(pitTickAt(NOMINAL_HZ * 1_000_000), PIT_HZ * 1_000_000);
  for (const base of [0, 1, 12345, PIT_HZ, 10 ** 9, 10 ** 12]) {
    for (let tick = base; tick < base + 300; tick++) {
      const cycle = cycleOfPitTick(tick);
      assert.is(pitTickAt(cycle), tick);
      if (cycle > 0) assert.is(pitTickAt(cycle - 1), tick - 1);
    }
  }
});

test("nothing happens before it is programmed", () => {
  const b = new Bench();
  assert.is(b.pit.edgeAt, Infinity);
  b.at(1e6);
  assert.is(b.rises, 0);
});

test("mode 0: low from the control word, high one tick after the count has run out, once", () => {
  const b = new Bench().at(100).program(0, 0, 50);
  assert.is(b.level, 0);
  assert.equal(b.risesUntil(100_000), [151]);
  assert.is(b.pit.edgeAt, Infinity);
});

test("mode 0: the count goes on past zero; a new count starts again", () => {
  const b = new Bench().program(0, 0, 10);
  assert.is(b.at(1).count(0), 10);
  assert.is(b.at(5).count(0), 6);
  assert.is(b.at(11).count(0), 0);
  assert.is(b.at(12).count(0), 0xffff);
  b.pit.writePort(0x40, 1, 20);
  assert.is(b.level, 0, "the first byte of a new count takes the output down");
  b.pit.writePort(0x40, 1, 0);
  assert.equal(b.risesUntil(1000), [33]);
});

test("mode 2: a rise every count ticks, low for the one before", () => {
  const b = new Bench().program(0, 2, 100);
  assert.equal(b.risesUntil(450), [101, 201, 301, 401]);
  assert.is(b.at(500).level, 0);
  assert.is(b.at(501).level, 1);
});

test("mode 2: the count runs from count down to 1", () => {
  const b = new Bench().program(0, 2, 4);
  const counts = [];
  for (let tick = 1; tick <= 9; tick++) counts.push(b.at(tick).count(0));
  assert.equal(counts, [4, 3, 2, 1, 4, 3, 2, 1, 4]);
});

test("mode 2: a new count waits for the end of the period", () => {
  const b = new Bench().program(0, 2, 100).at(150);
  b.pit.writePort(0x40, 1, 30);
  b.pit.writePort(0x40, 1, 0);
  assert.equal(b.risesUntil(300), [201, 231, 261, 291]);
});

test("mode 3: high for half, the longer half when the count is odd; the count goes by twos", () => {
  const b = new Bench().program(0, 3, 7);
  const levels = [];
  for (let tick = 1; tick <= 15; tick++) levels.push(b.at(tick).level);
  assert.equal(levels, [1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1]);
  const c = new Bench().program(0, 3, 8);
  const counts = [];
  for (let tick = 1; tick <= 9; tick++) counts.push(c.at(tick).count(0));
  assert.equal(counts, [8, 6, 4, 2, 8, 6, 4, 2, 8]);
});

test("mode 3: a new count waits for the end of the half period", () => {
  const b = new Bench().program(0, 3, 100).at(20);
  b.pit.writePort(0x40, 1, 20);
  b.pit.writePort(0x40, 1, 0);
  // High until 51, then the low half of the new period until 61.
  assert.is(b.at(51).level, 0);
  assert.is(b.at(60).level, 0);
  assert.is(b.at(61).level, 1);
  assert.is(b.at(71).level, 0);
  assert.equal(b.risesUntil(121), [81, 101, 121]);
});

test("a count of 0 is 65,536, or 10,000 in BCD", () => {
  assert.equal(new Bench().program(0, 2, 0).risesUntil(200_000), [65_537, 131_073, 196_609]);
  const b = new Bench();
  b.pit.writePort(0x43, 1, 0x35);
  b.pit.writePort(0x40, 1, 0);
  b.pit.writePort(0x40, 1, 0);
  assert.equal(b.risesUntil(20_001), [10_001, 20_001]);
});

test("BCD counts", () => {
  const b = new Bench();
  b.pit.writePort(0x43, 1, 0x35);
  b.pit.writePort(0x40, 1, 0x34);
  b.pit.writePort(0x40, 1, 0x12);
  assert.is(b.at(1).count(0), 0x1234);
  assert.is(b.at(6).count(0), 0x1229);
  assert.equal(b.risesUntil(1235), [1235]);
});

test("edges that nobody looked at are one rise", () => {
  const b = new Bench().program(0, 2, 100);
  b.at(1050);
  assert.is(b.rises, 1);
  assert.is(b.level, 1);
});

test("a count of 1 in a periodic mode never moves the line", () => {
  for (const mode of [2, 3]) assert.is(new Bench().program(0, mode, 1).pit.edgeAt, Infinity);
});

test("access: low byte only, high byte only, low then high", () => {
  const b = new Bench();
  b.pit.writePort(0x43, 1, 0x14);
  b.pit.writePort(0x40, 1, 0x40);
  b.at(1);
  assert.is(b.pit.readPort(0x40), 0x40);
  assert.is(b.pit.readPort(0x40), 0x40);
  b.pit.writePort(0x43, 1, 0x24);
  b.pit.writePort(0x40, 1, 0x12);
  b.at(2);
  assert.is(b.pit.readPort(0x40), 0x12);
  b.program(0, 2, 0x1234).at(3);
  assert.is(b.pit.readPort(0x40), 0x34);
  assert.is(b.pit.readPort(0x40), 0x12);
});

test("a latched count stands still until both bytes are read; a second latch changes nothing", () => {
  const b = new Bench().program(2, 0, 1000);
  b.pit.writePort(0x61, 1, 1);
  b.at(11);
  b.pit.writePort(0x43, 1, 0x80);
  b.at(500);
  b.pit.writePort(0x43, 1, 0x80);
  assert.is(b.pit.readPort(0x42) | (b.pit.readPort(0x42) << 8), 990);
  assert.is(b.pit.readPort(0x42) | (b.pit.readPort(0x42) << 8), 501);
});

test("read-back: status then count; null count until the count is loaded", () => {
  const b = new Bench().program(0, 2, 300);
  assert.is(b.readBack(0).status, 0xf4, "output high, null count, low and high byte, mode 2");
  assert.equal(b.at(1).readBack(0), { status: 0xb4, count: 300 });
  b.program(0, 0, 5);
  assert.is(b.at(5).readBack(0).status, 0x30);
  assert.is(b.at(9).readBack(0).status, 0xb0);
});

test("read-back latches only the channels and the things asked for; the control port reads all ones", () => {
  const b = new Bench().program(0, 2, 300).program(2, 2, 400).at(5);
  b.pit.writePort(0x43, 1, 0xe2); // status of channel 0
  b.at(105);
  assert.is(b.pit.readPort(0x40), 0xb4);
  assert.is(b.pit.readPort(0x40) | (b.pit.readPort(0x40) << 8), 196, "the count was not latched");
  b.pit.writePort(0x43, 1, 0xda); // counts of channels 0 and 2
  b.at(155);
  assert.is(b.pit.readPort(0x40) | (b.pit.readPort(0x40) << 8), 196);
  assert.is(b.count(0), 146);
  b.pit.writePort(0x61, 1, 1);
  b.at(200);
  assert.is(b.pit.readPort(0x42) | (b.pit.readPort(0x42) << 8), 400);
  assert.is(b.pit.readPort(0x43), 0xff);
});

test("channel 2 counts while its gate is up; port 0x61 shows its output", () => {
  const b = new Bench().program(2, 0, 100);
  assert.is(b.at(50).count(2), 100);
  b.pit.writePort(0x61, 1, 1);
  assert.is(b.at(80).count(2), 70);
  b.pit.writePort(0x61, 1, 0);
  assert.is(b.at(1000).count(2), 70);
  b.pit.writePort(0x61, 1, 3);
  b.at(1069);
  assert.is(b.pit.readPort(0x61) & 0x2f, 0x03);
  b.at(1070);
  assert.is(b.pit.readPort(0x61) & 0x2f, 0x23);
});

test("channel 2 in modes 1 and 5: a rising gate starts it", () => {
  const b = new Bench().program(2, 1, 10);
  assert.is(b.at(30).pit.readPort(0x61) & 0x20, 0x20);
  b.pit.writePort(0x61, 1, 1);
  assert.is(b.at(31).pit.readPort(0x61) & 0x20, 0);
  b.pit.writePort(0x61, 1, 0);
  assert.is(b.at(40).pit.readPort(0x61) & 0x20, 0, "a falling gate does not stop it");
  assert.is(b.at(41).pit.readPort(0x61) & 0x20, 0x20);
  b.program(2, 5, 10);
  b.pit.writePort(0x61, 1, 1);
  assert.is(b.at(51).pit.readPort(0x61) & 0x20, 0x20);
  assert.is(b.at(52).pit.readPort(0x61) & 0x20, 0);
  assert.is(b.at(53).pit.readPort(0x61) & 0x20, 0x20);
});

test("mode 2 on channel 2: a low gate stops it high, a rising one reloads", () => {
  const b = new Bench();
  b.pit.writePort(0x61, 1, 1);
  b.program(2, 2, 10).at(5);
  b.pit.writePort(0x61, 1, 0);
  assert.is(b.at(10).pit.readPort(0x61) & 0x20, 0x20);
  b.pit.writePort(0x61, 1, 1);
  assert.is(b.at(11).count(2), 10);
  assert.is(b.at(20).pit.readPort(0x61) & 0x20, 0);
});

test("the memory refresh bit of port 0x61 toggles", () => {
  const b = new Bench();
  const bits = new Set<number>();
  for (let tick = 0; tick < 40; tick++) bits.add(b.at(tick).pit.readPort(0x61) & 0x10);
  assert.is(bits.size, 2);
});

test("mode 4: high, low for one tick when the count has run out; a new count starts again", () => {
  const b = new Bench().program(0, 4, 10);
  assert.is(b.at(10).level, 1);
  assert.is(b.at(11).level, 0);
  assert.is(b.at(12).level, 1);
  assert.is(b.pit.edgeAt, Infinity);
  b.pit.writePort(0x40, 1, 5);
  b.pit.writePort(0x40, 1, 0);
  assert.equal(b.risesUntil(100), [19]);
});

test("modes 1 and 5 on channel 0 never start: its gate does not rise", () => {
  for (const mode of [1, 5]) {
    const b = new Bench().program(0, mode, 10);
    assert.is(b.pit.edgeAt, Infinity);
    assert.is(b.at(100).level, 1);
  }
});

test("modes 6 and 7 are 2 and 3", () => {
  assert.is(new Bench().program(0, 6, 10).readBack(0).status & 0x0e, 0x04);
  assert.is(new Bench().program(0, 7, 10).readBack(0).status & 0x0e, 0x06);
  assert.equal(new Bench().program(0, 6, 10).risesUntil(25), [11, 21]);
});

test("a control word forgets half a count, latches, the old count and a stopped gate", () => {
  const b = new Bench().program(2, 2, 100).at(5);
  b.pit.writePort(0x42, 1, 0x99); // half of a count
  b.pit.readPort(0x42); // half of a read
  b.pit.writePort(0x43, 1, 0xc8); // count and status latched
  b.program(2, 0, 0x102).at(6);
  assert.is(b.pit.readPort(0x42), 0x02, "low byte of the new count, not a status");
  assert.is(b.pit.readPort(0x42), 0x01);
  b.pit.writePort(0x61, 1, 1);
  assert.is(b.at(7).count(2), 0x101);
  const c = new Bench().program(0, 2, 100).at(50);
  c.pit.writePort(0x40, 1, 30); // would take over at 101
  c.pit.writePort(0x40, 1, 0);
  assert.is(c.program(0, 2, 1000).pit.edgeAt, cycleOfPitTick(1050));
  assert.equal(c.risesUntil(1100), [1051]);
});

test("the count is what it was until the next tick loads it, and binary or BCD past zero", () => {
  const b = new Bench().program(0, 0, 3).at(6);
  assert.is(b.count(0), 0xfffe);
  b.pit.writePort(0x43, 1, 0x31); // BCD
  b.pit.writePort(0x40, 1, 3);
  b.pit.writePort(0x40, 1, 0);
  assert.is(b.at(11).count(0), 0x9999);
});

test("mode 0: a gate that is low when the count comes holds it back", () => {
  const b = new Bench();
  b.program(2, 0, 100).at(40);
  b.pit.writePort(0x61, 1, 1);
  assert.is(b.at(41).count(2), 99);
  b.pit.writePort(0x61, 1, 0);
  b.pit.writePort(0x61, 1, 1);
  assert.is(b.at(42).count(2), 98, "down and up within a tick costs nothing");
});

test("mode 2: a new count while the gate is low begins when it rises", () => {
  const b = new Bench();
  b.pit.writePort(0x61, 1, 1);
  b.program(2, 2, 10).at(5);
  b.pit.writePort(0x61, 1, 0);
  b.pit.writePort(0x42, 1, 20);
  b.pit.writePort(0x42, 1, 0);
  b.at(30);
  b.pit.writePort(0x61, 1, 1);
  assert.is(b.at(31).count(2), 20);
});

test("nextRise passes over a fall, stops short at a new count, and changes nothing", () => {
  const b = new Bench().program(0, 2, 100).at(10);
  assert.is(b.pit.nextRise(), cycleOfPitTick(101));
  assert.is(b.at(100).pit.nextRise(), cycleOfPitTick(101));
  const c = new Bench().program(0, 3, 100).at(10);
  assert.is(c.pit.nextRise(), cycleOfPitTick(101));
  assert.is(c.at(60).pit.nextRise(), cycleOfPitTick(101));
  c.at(110).pit.writePort(0x40, 1, 40);
  c.pit.writePort(0x40, 1, 0);
  assert.is(c.pit.nextRise(), cycleOfPitTick(151), "the fall at which the new count begins");
  assert.equal(c.risesUntil(260), [171, 211, 251]);
  assert.is(new Bench().program(0, 0, 100).pit.nextRise(), cycleOfPitTick(101));
  assert.is(new Bench().program(0, 0, 100).at(200).pit.nextRise(), Infinity);
  assert.is(new Bench().program(0, 4, 100).pit.nextRise(), cycleOfPitTick(102));
});

test("save and restore go on to the tick", () => {
  const b = new Bench().program(0, 3, 101).program(2, 0, 500);
  b.at(77);
  b.pit.writePort(0x40, 1, 33);
  const state = structuredClone(b.pit.save());
  const c = new Bench();
  c.cycles = b.cycles;
  c.level = b.level;
  c.pit.restore(state);
  assert.equal(c.pit.save(), state);
  for (const x of [b, c]) x.pit.writePort(0x40, 1, 0);
  assert.equal(c.risesUntil(1000), b.risesUntil(1000));
});

test.run();
