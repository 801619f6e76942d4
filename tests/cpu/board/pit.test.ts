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
