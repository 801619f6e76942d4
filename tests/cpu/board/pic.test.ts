/** The pair of 8259A, driven at its ports and lines. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Pic } from "../../../cpu/board/pic";

const test = suite("cpu/board/pic");

const MASTER = 0x20;
const SLAVE = 0xa0;

function initialise(pic: Pic, icw1 = 0x11, icw4 = 0x01): void {
  for (const [port, base, wiring] of [
    [MASTER, 0x20, 0x04],
    [SLAVE, 0x28, 0x02],
  ]) {
    pic.writePort(port, 1, icw1);
    pic.writePort(port + 1, 1, base);
    pic.writePort(port + 1, 1, wiring);
    if ((icw1 & 1) !== 0) pic.writePort(port + 1, 1, icw4);
  }
}

function ready(icw1?: number, icw4?: number): Pic {
  const pic = new Pic();
  initialise(pic, icw1, icw4);
  return pic;
}

/** The vector taken, or −1 when INTR is low. */
function take(pic: Pic): number {
  return pic.output() === 0 ? -1 : pic.acknowledge();
}

function readRequests(pic: Pic, port = MASTER): number {
  pic.writePort(port, 1, 0x0a);
  return pic.readPort(port);
}

function readInService(pic: Pic, port = MASTER): number {
  pic.writePort(port, 1, 0x0b);
  return pic.readPort(port);
}

test("asks for nothing before ICW1 to ICW4", () => {
  const pic = new Pic();
  pic.setLine(3, 1);
  assert.is(pic.output(), 0);
  pic.writePort(MASTER, 1, 0x11);
  pic.writePort(MASTER + 1, 1, 0x40);
  pic.writePort(MASTER + 1, 1, 0x04);
  pic.setLine(4, 1);
  assert.is(pic.output(), 0, "ICW4 is still to come");
  pic.writePort(MASTER + 1, 1, 0x01);
  assert.is(take(pic), 0x44);
});

test("ICW1 forgets requests: a line that is high already must rise again", () => {
  const pic = ready();
  pic.setLine(1, 1);
  initialise(pic);
  assert.is(pic.output(), 0);
  pic.setLine(1, 0);
  pic.setLine(1, 1);
  assert.is(take(pic), 0x21);
});

test("the vector is base plus input, in service until EOI", () => {
  const pic = ready();
  pic.setLine(4, 1);
  assert.is(take(pic), 0x24);
  assert.is(readInService(pic), 0x10);
  assert.is(readRequests(pic), 0);
  pic.setLine(4, 0);
  pic.setLine(4, 1);
  assert.is(pic.output(), 0, "its own level is blocked");
  pic.writePort(MASTER, 1, 0x20);
  assert.is(take(pic), 0x24);
});

test("an edge is one request, however long the line stays high", () => {
  const pic = ready();
  pic.setLine(0, 1);
  assert.is(take(pic), 0x20);
  pic.writePort(MASTER, 1, 0x20);
  pic.setLine(0, 1);
  assert.is(pic.output(), 0);
});

test("in level mode a high line asks again after EOI", () => {
  const pic = ready(0x19);
  pic.setLine(0, 1);
  assert.is(take(pic), 0x20);
  pic.writePort(MASTER, 1, 0x20);
  assert.is(take(pic), 0x20);
  pic.setLine(0, 0);
  pic.writePort(MASTER, 1, 0x20);
  assert.is(pic.output(), 0);
});

test("fixed priority: a lower input waits, a higher one nests", () => {
  const pic = ready();
  pic.setLine(3, 1);
  assert.is(take(pic), 0x23);
  pic.setLine(5, 1);
  assert.is(pic.output(), 0);
  pic.setLine(1, 1);
  assert.is(take(pic), 0x21);
  assert.is(readInService(pic), 0x0a);
  pic.writePort(MASTER, 1, 0x20); // non-specific: the highest in service, 1
  assert.is(readInService(pic), 0x08);
  pic.writePort(MASTER, 1, 0x63); // specific: 3
  assert.is(take(pic), 0x25);
});

test("the mask holds a request back and keeps it", () => {
  const pic = ready();
  pic.writePort(MASTER + 1, 1, 0x01);
  assert.is(pic.readPort(MASTER + 1), 0x01);
  pic.setLine(0, 1);
  assert.is(pic.output(), 0);
  assert.is(readRequests(pic), 1);
  assert.not(pic.admits(0));
  pic.writePort(MASTER + 1, 1, 0);
  assert.ok(pic.admits(0));
  assert.is(take(pic), 0x20);
  assert.not(pic.admits(0), "in service");
});

test("a request withdrawn before the acknowledge is a spurious IR7, which is not in service", () => {
  const pic = ready();
  pic.setLine(5, 1);
  assert.is(pic.output(), 1);
  pic.setLine(5, 0);
  assert.is(pic.output(), 0);
  assert.is(pic.acknowledge(), 0x27);
  assert.is(readInService(pic), 0);
});

test("the slave comes through input 2, and both need an EOI", () => {
  const pic = ready();
  pic.setLine(14, 1);
  assert.is(take(pic), 0x2e);
  assert.is(readInService(pic), 0x04);
  assert.is(readInService(pic, SLAVE), 0x40);
  pic.setLine(9, 1);
  assert.is(pic.output(), 0, "the master's input 2 is in service");
  pic.setLine(10, 1);
  pic.writePort(SLAVE, 1, 0x20);
  pic.writePort(MASTER, 1, 0x20);
  assert.is(take(pic), 0x29);
  pic.writePort(SLAVE, 1, 0x20);
  pic.writePort(MASTER, 1, 0x20);
  assert.is(take(pic), 0x2a, "what the slave has still to ask for is a new edge");
});

test("special fully nested mode lets the slave's higher inputs nest", () => {
  const pic = ready(0x11, 0x11);
  pic.setLine(14, 1);
  assert.is(take(pic), 0x2e);
  pic.setLine(9, 1);
  assert.is(take(pic), 0x29);
});

test("a spurious request of the slave leaves the master's input 2 in service", () => {
  const pic = ready();
  pic.setLine(10, 1);
  pic.writePort(MASTER + 1, 1, 0xfb);
  pic.writePort(SLAVE + 1, 1, 0xff); // INT of the slave falls: the master's request goes with it
  assert.is(pic.output(), 0);
  pic.writePort(SLAVE + 1, 1, 0);
  assert.is(take(pic), 0x2a);
});

test("automatic EOI leaves nothing in service; with rotation the served input becomes the lowest", () => {
  const pic = ready(0x11, 0x03);
  pic.setLine(0, 1);
  assert.is(take(pic), 0x20);
  assert.is(readInService(pic), 0);
  pic.writePort(MASTER, 1, 0x80); // rotate in automatic EOI
  pic.setLine(1, 1);
  assert.is(take(pic), 0x21);
  pic.setLine(0, 0);
  pic.setLine(0, 1);
  pic.setLine(3, 1);
  assert.is(take(pic), 0x23, "after 1 has gone to the end, 3 comes before 0");
  assert.is(take(pic), 0x20);
});

test("rotation: on EOI, on specific EOI, and by setting the lowest priority", () => {
  const pic = ready();
  pic.setLine(0, 1);
  assert.is(take(pic), 0x20);
  pic.writePort(MASTER, 1, 0xa0); // rotate on non-specific EOI: 0 is now the lowest
  pic.setLine(0, 0);
  pic.setLine(0, 1);
  pic.setLine(7, 1);
  assert.is(take(pic), 0x27);
  pic.writePort(MASTER, 1, 0xe7); // rotate on specific EOI of 7
  assert.is(take(pic), 0x20);
  pic.writePort(MASTER, 1, 0x20);
  pic.writePort(MASTER, 1, 0xc3); // lowest: 3, so 4 is the highest
  pic.setLine(3, 1);
  pic.setLine(4, 1);
  assert.is(take(pic), 0x24);
});

test("special mask mode lets lower inputs through a masked one in service", () => {
  const pic = ready();
  pic.setLine(2 + 1, 1);
  assert.is(take(pic), 0x23);
  pic.setLine(6, 1);
  assert.is(pic.output(), 0);
  pic.writePort(MASTER + 1, 1, 0x08);
  pic.writePort(MASTER, 1, 0x68);
  assert.is(take(pic), 0x26);
  pic.writePort(MASTER, 1, 0x20); // non-specific EOI passes over the masked 3
  assert.is(readInService(pic), 0x08);
});

test("poll: the next read acknowledges", () => {
  const pic = ready();
  pic.writePort(MASTER, 1, 0x0c);
  assert.is(pic.readPort(MASTER), 0);
  pic.setLine(6, 1);
  pic.writePort(MASTER, 1, 0x0c);
  assert.is(pic.readPort(MASTER), 0x86);
  assert.is(pic.output(), 0);
  assert.is(readInService(pic), 0x40);
  pic.setLine(0, 1);
  pic.writePort(MASTER, 1, 0x0c);
  assert.is(pic.readPort(MASTER), 0x80);
});

test("without cascade: ready after ICW2, or after ICW4 if that was asked for", () => {
  const single = new Pic();
  for (const [a0, value] of [
    [0, 0x13],
    [1, 0x60],
    [1, 0x03], // ICW4: automatic EOI
  ])
    single.writePort(MASTER + a0, 1, value);
  single.setLine(1, 1);
  assert.is(take(single), 0x61);
  assert.is(readInService(single), 0);
  const pic = new Pic();
  pic.writePort(MASTER, 1, 0x12);
  pic.writePort(MASTER + 1, 1, 0x58);
  pic.setLine(0, 1);
  assert.is(take(pic), 0x58);
});

test("ICW1 puts everything back: mask, modes, priorities, service, what is read", () => {
  const pic = ready(0x11, 0x13);
  for (const [port, value] of [
    [MASTER, 0x80], // rotate in automatic EOI
    [MASTER, 0xc2], // 2 is the lowest
    [MASTER, 0x6b], // special mask, read in-service
  ]) {
    pic.writePort(port, 1, value);
    pic.writePort(port | 0x80, 1, value);
  }
  pic.writePort(SLAVE, 1, 0x0c); // poll
  pic.setLine(3, 1);
  pic.setLine(3, 0);
  pic.writePort(MASTER, 1, 0x11); // once without ICW4's automatic EOI, to leave something in service
  for (const value of [0x20, 0x04, 0x01]) pic.writePort(MASTER + 1, 1, value);
  pic.setLine(5, 1);
  take(pic);
  pic.setLine(5, 0);
  pic.writePort(MASTER + 1, 1, 0xaa);
  pic.writePort(MASTER, 1, 0x6f); // special mask, read in-service, poll
  pic.writePort(MASTER, 1, 0x80);
  pic.writePort(MASTER, 1, 0xc2);
  initialise(pic);
  assert.equal(pic.save(), ready().save());
  // Ready, ICW1, ICW4, base 0x20, no requests, nothing in service or masked, lines low, 7 the lowest, no modes.
  assert.equal(pic.save().master, [4, 0x11, 1, 0x20, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0]);
});

test("in level mode ICW1 keeps what is high", () => {
  const pic = new Pic();
  pic.setLine(3, 1);
  initialise(pic, 0x19);
  assert.is(take(pic), 0x23);
});

test("cascaded without ICW4: ready after ICW3", () => {
  const pic = ready(0x10);
  pic.setLine(15, 1);
  assert.is(take(pic), 0x2f);
});

test("every input has its vector; IRQ 7 is real when its line is high", () => {
  for (let irq = 0; irq < 16; irq++) {
    if (irq === 2) continue;
    const pic = ready();
    assert.ok(pic.admits(irq), `${irq}`);
    pic.setLine(irq, 1);
    assert.is(take(pic), 0x20 + irq);
    assert.is(readInService(pic, irq < 8 ? MASTER : SLAVE), 1 << (irq & 7));
    assert.not(pic.admits(irq));
  }
});

test("a slave's input is admitted only if both chips let it through", () => {
  const pic = ready();
  pic.writePort(MASTER + 1, 1, 0x04);
  assert.not(pic.admits(8));
  pic.writePort(MASTER + 1, 1, 0);
  pic.writePort(SLAVE + 1, 1, 0x01);
  assert.not(pic.admits(8));
  assert.ok(pic.admits(9));
});

test("OCW3 without its enable bits changes neither special mask nor what is read", () => {
  const pic = ready();
  pic.setLine(3, 1);
  take(pic);
  pic.setLine(6, 1);
  pic.writePort(MASTER + 1, 1, 0x08);
  pic.writePort(MASTER, 1, 0x6b);
  for (const value of [0x08, 0x29]) {
    pic.writePort(MASTER, 1, value); // ESMM and RR are off
    assert.is(pic.readPort(MASTER), 0x08);
    assert.is(pic.output(), 1);
  }
  pic.writePort(MASTER, 1, 0x48); // special mask off
  assert.is(pic.output(), 0);
});

test("automatic EOI without rotation keeps the order; OCW2 000 ends rotation", () => {
  const pic = ready(0x11, 0x03);
  const order = () => {
    for (const irq of [1, 4]) {
      pic.setLine(irq, 0);
      pic.setLine(irq, 1);
    }
    return [take(pic), take(pic)];
  };
  assert.equal(order(), [0x21, 0x24]);
  assert.equal(order(), [0x21, 0x24]);
  pic.writePort(MASTER, 1, 0x80);
  pic.setLine(1, 0);
  pic.setLine(1, 1);
  take(pic);
  pic.writePort(MASTER, 1, 0x00);
  assert.equal(order(), [0x24, 0x21], "1 is the lowest, and stays so");
  assert.equal(order(), [0x24, 0x21]);
});

test("OCW2 with the no-operation code does nothing", () => {
  const pic = ready();
  pic.setLine(3, 1);
  take(pic);
  const before = pic.save();
  pic.writePort(MASTER, 1, 0x43);
  assert.equal(pic.save(), before);
  pic.writePort(SLAVE, 1, 0x20); // an EOI with nothing in service
  assert.equal(pic.save(), before);
});

test("the edge/level registers: a level input asks as long as its line is high; fixed inputs stay edge-triggered", () => {
  const pic = ready();
  pic.writePort(0x4d0, 1, 0xff);
  pic.writePort(0x4d1, 1, 0xff);
  assert.equal([pic.readPort(0x4d0), pic.readPort(0x4d1)], [0xf8, 0xde]);
  pic.setLine(5, 1);
  assert.is(take(pic), 0x25);
  pic.writePort(MASTER, 1, 0x20);
  assert.is(pic.output(), 1, "asks again: the line is still high");
  pic.setLine(5, 0);
  assert.is(pic.output(), 0);
  pic.setLine(11, 1);
  assert.is(take(pic), 0x2b);
  pic.writePort(SLAVE, 1, 0x20);
  pic.writePort(MASTER, 1, 0x20);
  assert.is(take(pic), 0x2b);
  pic.setLine(11, 0);
  pic.writePort(SLAVE, 1, 0x20);
  pic.writePort(MASTER, 1, 0x20);
  pic.setLine(1, 1);
  assert.is(take(pic), 0x21);
  pic.writePort(MASTER, 1, 0x20);
  assert.is(pic.output(), 0, "IRQ 1 is edge-triggered");
  pic.setLine(6, 1);
  take(pic);
  pic.writePort(MASTER, 1, 0x11);
  assert.is(pic.readPort(0x4d0), 0xf8, "ICW1 leaves them");
});

test("save and restore", () => {
  const pic = ready();
  pic.setLine(12, 1);
  pic.setLine(1, 1);
  take(pic);
  const state = structuredClone(pic.save());
  const other = new Pic();
  other.restore(state);
  assert.equal(other.save(), state);
  for (const p of [pic, other]) {
    p.writePort(MASTER, 1, 0x20);
    assert.is(take(p), 0x2c);
  }
});

test.run();
