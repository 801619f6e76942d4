/** The I/O bus with real devices on it: widths, neighbours, ports without a device. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Board } from "../../../cpu/board/board";

const test = suite("cpu/board/bus");

/** A board with a clock in the CPU's place, and what the board told it. */
class Bench {
  cycles = 0;
  instret = 0x1_2345_6789;
  deadline = 0;
  level = 0;
  readonly sent: number[] = [];
  readonly marks: number[] = [];
  readonly exits: number[] = [];
  readonly a20 = 1;
  readonly board = new Board(
    this,
    {
      transmit: (byte) => this.sent.push(byte),
      mark: (value) => this.marks.push(value),
      exit: (value) => this.exits.push(value),
      reset: () => undefined,
    },
    { memoryMB: 16, startTime: 0 },
  );

  setA20(): void {}

  ignoreCoprocessorError(): void {}
  setInterruptLine(level: 0 | 1): void {
    this.level = level;
  }
}

test("wide accesses to a byte-wide device are bytes at successive ports, low byte first", () => {
  const { board } = new Bench();
  board.write(0x3fb, 2, 0x0b03);
  assert.is(board.read(0x3fb, 1), 0x03);
  assert.is(board.read(0x3fc, 1), 0x0b);
  assert.is(board.read(0x3fb, 2), 0x0b03);
  board.write(0x3fc, 4, 0x5a_00_00_1f);
  assert.is(board.read(0x3ff, 1), 0x5a);
  assert.is(board.read(0x3fc, 4) >>> 24, 0x5a);
  assert.is(board.read(0x3fc, 1), 0x1f);
});

test("an access that reaches beyond a device finds its neighbour, or nothing", () => {
  const { board } = new Bench();
  board.write(0x3ff, 1, 0x77);
  assert.is(board.read(0x3ff, 2), 0xff77);
  assert.is(board.read(0x3ff, 4), 0xffffff77);
  assert.is(board.read(0x3fe, 2) >> 8, 0x77);
  board.write(0x21, 4, 0x12_34_56_78); // the PIC's mask, then ports without a device
  assert.is(board.read(0x21, 1), 0x78);
});

test("ports without a device read all ones, up to the last one and around", () => {
  const { board } = new Bench();
  for (const port of [0, 0x80, 0x3f0, 0x400, 0x7dc, 0x7ec, 0xffff]) {
    assert.is(board.read(port, 1), 0xff);
    assert.is(board.read(port, 2), 0xffff);
    assert.is(board.read(port, 4), 0xffffffff);
    board.write(port, 4, 0);
  }
});

test("the exit port takes any width; the mark port 32 bits only", () => {
  const { board, exits, marks } = new Bench();
  board.write(0xf4, 1, 0x101);
  board.write(0xf4, 2, 0x12345);
  board.write(0xf4, 4, 0xdeadbeef | 0);
  assert.equal(exits, [0x01, 0x2345, 0xdeadbeef]);
  assert.is(board.read(0xf4, 4), 0);
  board.write(0x7e0, 4, -1);
  board.write(0x7e0, 2, 1);
  board.write(0x7e0, 1, 1);
  board.write(0x7e4, 4, 1);
  assert.equal(marks, [0xffffffff]);
});

test("instret at its ports, 32 bits at a time", () => {
  const { board } = new Bench();
  assert.is(board.read(0x7e4, 4), 0x23456789);
  assert.is(board.read(0x7e8, 4), 1);
  assert.is(board.read(0x7e4, 2), 0xffff);
  assert.is(board.read(0x7e5, 1), 0xff);
  assert.is(board.read(0x7e0, 4), 0xffffffff);
});

test("the deadline is the next event that could interrupt: none while masked, right again when let through", () => {
  const bench = new Bench();
  const { board } = bench;
  for (const [port, value] of [
    [0x20, 0x11],
    [0x21, 0x20],
    [0x21, 0x04],
    [0x21, 0x01],
    [0x21, 0xff],
    [0x43, 0x34],
    [0x40, 100],
    [0x40, 0],
  ])
    board.write(port, 1, value);
  assert.is(bench.deadline, Infinity);
  assert.is(board.nextWake(), Infinity);
  bench.cycles = 50_000;
  board.write(0x21, 1, 0xfe);
  assert.ok(bench.deadline > 50_000 && bench.deadline < 50_000 + 101 * 84);
  assert.is(bench.level, 1, "edges went by while it was masked: one request");
  assert.is(board.acknowledge(), 0x20);
  assert.is(bench.level, 0);
  assert.is(bench.deadline, Infinity, "in service");
  board.write(0x20, 1, 0x20);
  assert.ok(bench.deadline < Infinity);
  bench.cycles = bench.deadline + 2 * 84;
  board.advance();
  assert.is(bench.level, 1);
});

test("the alarm bounds the deadline", () => {
  const bench = new Bench();
  bench.board.alarm = 777;
  bench.board.refresh();
  assert.is(bench.deadline, 777);
});

test.run();
