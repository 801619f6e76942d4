/** The 16550, driven at its ports with a clock of the test's own. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { serialCycles } from "../../../cpu/board/clock";
import { Uart } from "../../../cpu/board/uart";

const test = suite("cpu/board/uart");

const [DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR] = [0, 1, 2, 3, 4, 5, 6, 7];
const FCR = IIR;
const CHARACTER = serialCycles(10, 1);

class Bench {
  cycles = 1000;
  instret = 0;
  level = 0;
  rises = 0;
  readonly sent: number[] = [];
  readonly uart = new Uart(
    this,
    (byte) => this.sent.push(byte),
    (level) => {
      if (level === 1 && this.level === 0) this.rises++;
      this.level = level;
    },
  );

  /** 8 bits, no parity, one stop bit, 115,200 baud, OUT2 on. */
  constructor() {
    this.write(LCR, 0x83).write(DATA, 1).write(IER, 0).write(LCR, 0x03).write(MCR, 0x0b);
  }

  read(register: number): number {
    return this.uart.readPort(0x3f8 + register);
  }

  write(register: number, value: number): this {
    this.uart.writePort(0x3f8 + register, 1, value);
    return this;
  }

  pass(cycles: number): this {
    const end = this.cycles + cycles;
    while (this.uart.eventAt <= end) {
      this.cycles = Math.max(this.cycles, this.uart.eventAt);
      this.uart.advance();
    }
    this.cycles = end;
    return this;
  }

  drain(): string {
    let text = "";
    while ((this.read(LSR) & 1) !== 0) text += String.fromCharCode(this.read(DATA));
    return text;
  }
}

const bytes = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));

test("a byte written is sent at once, and the transmitter is always empty", () => {
  const b = new Bench();
  assert.is(b.read(LSR), 0x60);
  b.write(DATA, 0x41).write(DATA, 0xff);
  assert.equal(b.sent, [0x41, 0xff]);
  assert.is(b.read(LSR), 0x60);
});

test("the divisor latch hides data and interrupt enable", () => {
  const b = new Bench().write(IER, 5);
  b.write(LCR, 0x83).write(DATA, 0x34).write(IER, 0x12);
  assert.is(b.read(DATA), 0x34);
  assert.is(b.read(IER), 0x12);
  b.write(LCR, 0x03);
  assert.is(b.read(IER), 5);
  assert.equal(b.sent, []);
});

test("the scratch register keeps what is written; unused bits read zero", () => {
  const b = new Bench().write(SCR, 0xa5).write(IER, 0xff).write(MCR, 0xff);
  assert.is(b.read(SCR), 0xa5);
  assert.is(b.read(IER), 0x0f);
  assert.is(b.read(MCR), 0x1f);
});

test("transmit interrupt: due when enabled, cleared by reading IIR, due again after each byte", () => {
  const b = new Bench().write(IER, 2);
  assert.is(b.level, 1);
  assert.is(b.read(IIR), 0x02);
  assert.is(b.level, 0);
  assert.is(b.read(IIR), 0x01);
  b.write(DATA, 1);
  assert.is(b.level, 1);
  assert.is(b.rises, 2);
  b.write(DATA, 2);
  assert.is(b.rises, 3, "each byte is an edge of its own");
  b.write(IER, 0);
  assert.is(b.level, 0);
  b.write(IER, 2);
  assert.is(b.level, 1, "enabling it again while the transmitter is empty asks again");
});

test("a received byte: data ready, interrupt until it is read", () => {
  const b = new Bench().write(IER, 1);
  b.uart.receive(bytes("x"));
  assert.is(b.read(LSR), 0x61);
  assert.is(b.level, 1);
  assert.is(b.read(IIR), 0x04);
  assert.is(b.level, 1, "reading IIR does not clear it");
  assert.is(b.read(DATA), 0x78);
  assert.is(b.level, 0);
  assert.is(b.read(LSR), 0x60);
});

test("bytes follow each other a character time apart", () => {
  const b = new Bench().write(FCR, 1).write(IER, 1);
  b.uart.receive(bytes("abc"));
  assert.is(b.drain(), "a");
  b.pass(CHARACTER - 1);
  assert.is(b.drain(), "");
  b.pass(1);
  assert.is(b.drain(), "b");
  b.pass(CHARACTER);
  assert.is(b.drain(), "c");
  assert.is(b.uart.eventAt, Infinity);
});

test("the character time follows divisor and format", () => {
  const b = new Bench().write(LCR, 0x83).write(DATA, 12).write(IER, 0).write(LCR, 0x1f).write(FCR, 1); // 9,600 8E2
  b.uart.receive(bytes("ab"));
  assert.is(b.uart.eventAt, 1000 + serialCycles(12, 12));
  const c = new Bench().write(LCR, 0x83).write(DATA, 0).write(IER, 0).write(LCR, 0x03).write(FCR, 1);
  c.uart.receive(bytes("ab"));
  assert.is(c.uart.eventAt, 1000 + CHARACTER, "a divisor of 0 counts as 1");
});

test("the other end stops while there is no room, and nothing is lost", () => {
  const text = "The quick brown fox jumps over the lazy dog.";
  for (const fifo of [0, 1]) {
    const b = new Bench().write(FCR, fifo);
    b.uart.receive(bytes(text));
    let got = "";
    for (let i = 0; i < 100 && got.length < text.length; i++) {
      b.pass(20 * CHARACTER);
      const part = b.drain();
      assert.is(part.length, Math.min(fifo === 1 ? 16 : 1, text.length - got.length));
      got += part;
    }
    assert.is(got, text);
    assert.is(b.read(LSR) & 0x02, 0);
  }
});

test("FIFO: the interrupt waits for the trigger level, or for four character times of silence", () => {
  const b = new Bench().write(FCR, 0x81).write(IER, 1); // trigger at 8
  assert.is(b.read(IIR), 0xc1);
  b.uart.receive(bytes("1234567"));
  b.pass(6 * CHARACTER);
  assert.is(b.level, 0);
  b.uart.receive(bytes("8"));
  assert.is(b.level, 1);
  assert.is(b.read(IIR), 0xc4);
  assert.is(b.read(DATA), 0x31);
  assert.is(b.level, 0, "below the trigger level again");
  b.pass(4 * CHARACTER - 1);
  assert.is(b.level, 0);
  b.pass(1);
  assert.is(b.level, 1);
  assert.is(b.read(IIR), 0xcc);
  assert.is(b.read(DATA), 0x32);
  assert.is(b.level, 0);
  assert.is(b.drain(), "345678");
  b.pass(100 * CHARACTER);
  assert.is(b.level, 0, "no timeout on an empty FIFO");
});

test("FIFO control: clearing, and switching it empties it", () => {
  const b = new Bench().write(FCR, 1);
  b.uart.receive(bytes("ab"));
  b.pass(2 * CHARACTER);
  b.write(FCR, 3);
  assert.is(b.read(LSR) & 1, 0);
  b.uart.receive(bytes("c"));
  assert.is(b.read(LSR) & 1, 1);
  b.write(FCR, 0);
  assert.is(b.read(LSR) & 1, 0);
  assert.is(b.read(IIR), 0x01);
});

test("OUT2 gates the interrupt line", () => {
  const b = new Bench().write(MCR, 0x03).write(IER, 1);
  b.uart.receive(bytes("x"));
  assert.is(b.read(IIR), 0x04);
  assert.is(b.level, 0);
  assert.not(b.uart.listens);
  b.write(MCR, 0x0b);
  assert.is(b.level, 1);
  assert.ok(b.uart.listens);
});

test("priorities: line status, received data, transmitter, modem status", () => {
  const b = new Bench().write(MCR, 0x1f); // loopback
  b.read(MSR);
  b.write(DATA, 1).write(DATA, 2); // the second overruns
  b.write(MCR, 0x10).write(IER, 0x0f);
  assert.is(b.read(IIR), 0x06);
  assert.is(b.read(LSR), 0x63);
  assert.is(b.read(LSR), 0x61, "reading clears the overrun");
  assert.is(b.read(IIR), 0x04);
  assert.is(b.read(DATA), 2, "without a FIFO the new byte overwrites the old one");
  assert.is(b.read(IIR), 0x02);
  assert.is(b.read(IIR), 0x00);
  assert.is(b.read(MSR), 0x0f, "all four modem lines fell");
  assert.is(b.read(IIR), 0x01);
});

test("loopback: what is sent is received, and nothing leaves", () => {
  const b = new Bench().write(MCR, 0x1b).write(FCR, 1);
  for (let i = 0; i < 20; i++) b.write(DATA, 0x61 + i);
  assert.equal(b.sent, []);
  assert.is(b.read(LSR), 0x63, "the seventeenth overran the FIFO");
  assert.is(b.drain(), "abcdefghijklmnop");
  assert.is(b.read(MSR) & 0xf0, 0xb0, "RTS, DTR and OUT2 as CTS, DSR and DCD");
  assert.is(b.level, 0, "the interrupt line is disconnected");
});

test("a terminal is connected, whatever the port's own outputs are", () => {
  const b = new Bench();
  assert.is(b.read(MSR), 0xb0);
  b.write(MCR, 0x04);
  assert.is(b.read(MSR), 0xb0);
  b.write(MCR, 0x10);
  assert.is(b.read(MSR), 0x0b, "in loopback the lines fall; ring was never on");
  b.write(MCR, 0x14);
  assert.is(b.read(MSR), 0x40);
  b.write(MCR, 0x10);
  assert.is(b.read(MSR), 0x04, "the end of a ring");
});

test("a cause that is not enabled neither shows nor interrupts", () => {
  const b = new Bench().write(MCR, 0x1f);
  b.write(DATA, 1).write(DATA, 2).write(MCR, 0x0b); // overrun, data, modem changes, transmitter empty
  assert.is(b.read(IIR), 0x01);
  assert.is(b.level, 0);
  for (const [enable, cause] of [
    [8, 0],
    [2, 2],
    [1, 4],
    [4, 6],
  ]) {
    b.write(IER, enable);
    assert.is(b.level, 1);
    assert.is(b.read(IIR), cause);
    b.write(IER, 0);
    assert.is(b.level, 0);
  }
});

test("writing the enable register again does not bring back a transmitter interrupt already seen", () => {
  const b = new Bench().write(IER, 2);
  assert.is(b.read(IIR), 2);
  b.write(IER, 3);
  assert.is(b.level, 0);
  b.write(IER, 1);
  assert.is(b.level, 0);
});

test("a new trigger level keeps what the FIFO holds", () => {
  const b = new Bench().write(FCR, 0xc1).write(IER, 1);
  b.uart.receive(bytes("abcd"));
  b.pass(3 * CHARACTER);
  assert.is(b.level, 0);
  b.write(FCR, 0x41);
  assert.is(b.read(IIR), 0xc4);
  assert.is(b.drain(), "abcd");
});

test("more input behind input that is still on its way keeps the line's pace", () => {
  const b = new Bench().write(FCR, 1);
  b.uart.receive(bytes("ab"));
  b.uart.receive(bytes("cd"));
  assert.is(b.drain(), "a");
  b.pass(CHARACTER);
  assert.is(b.drain(), "b");
  b.pass(2 * CHARACTER);
  assert.is(b.drain(), "cd");
});

test("clearing a full FIFO lets the other end go on, a character time later", () => {
  const b = new Bench().write(FCR, 1).write(IER, 1);
  b.uart.receive(bytes("0123456789abcdefXYZ"));
  b.pass(40 * CHARACTER);
  b.write(FCR, 3);
  assert.is(b.level, 0);
  b.pass(CHARACTER - 1);
  assert.is(b.drain(), "");
  b.pass(1);
  assert.is(b.level, 1);
  assert.is(b.drain(), "X");
});

test("save and restore in the middle of a paste", () => {
  const b = new Bench().write(FCR, 0x41).write(IER, 3);
  b.uart.receive(bytes("0123456789abcdefghijklmnopqrstuvwxyz"));
  b.pass(7 * CHARACTER + 5);
  assert.is(b.drain().length, 8);
  b.pass(3 * CHARACTER);
  const state = structuredClone(b.uart.save());
  const c = new Bench();
  c.cycles = b.cycles;
  c.uart.restore(state);
  assert.equal(c.uart.save(), state);
  assert.is(c.uart.eventAt, b.uart.eventAt);
  for (const x of [b, c]) x.pass(100 * CHARACTER);
  assert.is(c.read(IIR), b.read(IIR));
  const text = b.drain();
  assert.is(c.drain(), text);
  assert.is(text.length, 16);
});

test.run();
