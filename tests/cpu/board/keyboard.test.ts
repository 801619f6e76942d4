/** The keyboard controller and the keyboard, driven at their ports with a clock of the test's own. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BYTE_CYCLES, KeyboardController } from "../../../cpu/board/keyboardcontroller";
import { SET1_TO_SET2, SET2_TO_SET1, scanCodesOf } from "../../../cpu/board/scancodes";

const test = suite("cpu/board/keyboard");

class Bench {
  cycles = 0;
  readonly instret = 0;
  level = 0;
  rises = 0;
  resets = 0;
  a20: 0 | 1 = 1;
  readonly controller: KeyboardController;

  constructor() {
    const bench = this;
    this.controller = new KeyboardController(this, {
      get a20() {
        return bench.a20;
      },
      set a20(level) {
        bench.a20 = level;
      },
      setInterrupt: (level) => {
        if (level === 1 && this.level === 0) this.rises++;
        this.level = level;
      },
      reset: () => {
        this.resets++;
      },
    });
  }

  command(...codes: number[]): this {
    for (const [i, code] of codes.entries()) this.controller.writePort(i === 0 ? 0x64 : 0x60, 1, code);
    return this;
  }

  get status(): number {
    return this.controller.readPort(0x64);
  }

  get data(): number {
    return this.controller.readPort(0x60);
  }

  pass(cycles: number): this {
    this.cycles += cycles;
    this.controller.advance();
    return this;
  }

  /** All bytes that come, in order. */
  all(): number[] {
    const bytes: number[] = [];
    for (;;) {
      // A break code that is translated takes two bytes of the keyboard.
      for (let i = 0; i < 2 && (this.status & 1) === 0; i++) this.pass(BYTE_CYCLES);
      if ((this.status & 1) === 0) return bytes;
      bytes.push(this.data);
    }
  }

  /** What the keyboard answers to bytes, each sent when the answer to the one before has been read. */
  ask(...bytes: number[]): number[] {
    return bytes.flatMap((byte) => {
      this.controller.writePort(0x60, 1, byte);
      return this.all();
    });
  }
}

test("self test, interface test, command byte, memory, ports", () => {
  const b = new Bench();
  assert.is(b.status, 0x14);
  assert.is(b.command(0xaa).status & 9, 9);
  assert.is(b.data, 0x55);
  assert.is(b.status & 1, 0);
  assert.is(b.command(0xab).data, 0);
  assert.is(b.command(0x60, 0x61).command(0x20).data, 0x61);
  assert.is(b.command(0x75, 0x5a).command(0x35).data, 0x5a);
  assert.is(b.command(0xc0).data, 0xa0);
  assert.is(b.command(0xd0).data, 0xc3);
  assert.is(b.command(0xd2, 0x77).data, 0x77);
  assert.is(b.command(0xe0).data, 0);
});

test("no mouse: its commands get no answer", () => {
  const b = new Bench();
  for (const code of [0xa7, 0xa8, 0xa9]) assert.equal(b.command(code).all(), []);
  assert.equal(b.command(0xd4, 0xff).all(), []);
});

test("keys come a byte time apart as set 1, each with IRQ 1, and wait while a byte is unread", () => {
  const b = new Bench();
  b.controller.press([0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8]);
  assert.is(b.controller.interruptAt, BYTE_CYCLES);
  b.pass(BYTE_CYCLES - 1);
  assert.is(b.status & 1, 0);
  b.pass(1);
  assert.is(b.level, 1);
  b.pass(100 * BYTE_CYCLES);
  assert.is(b.rises, 1);
  assert.is(b.data, 0x1e);
  assert.is(b.level, 0);
  assert.is(b.controller.interruptAt, b.cycles + BYTE_CYCLES);
  assert.equal(b.all(), [0x9e, 0xe0, 0x48, 0xe0, 0xc8]);
  assert.is(b.data, 0xc8, "an empty buffer shows the last byte");
});

test("without translation set 2; with set 1 chosen that; the interrupt bit; disabled, keys wait", () => {
  const b = new Bench().command(0x60, 0x04);
  b.controller.press([0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8, 0x41]);
  assert.equal(b.all(), [0x1c, 0xf0, 0x1c, 0xe0, 0x75, 0xe0, 0xf0, 0x75, 0x83]);
  assert.is(b.rises, 0);
  assert.equal(b.ask(0xf0, 0x01), [0xfa, 0xfa]);
  b.controller.press([0x1e, 0x9e]);
  assert.equal(b.all(), [0x1e, 0x9e]);
  b.command(0x60, 0x45).command(0xad);
  b.controller.press([0x02]);
  assert.equal(b.all(), []);
  assert.is(b.controller.interruptAt, Infinity);
  assert.equal(b.command(0xae).all(), [SET2_TO_SET1[0x02]], "set 1 translated is what it is");
});

test("keyboard commands", () => {
  const b = new Bench().command(0x60, 0x04);
  assert.equal(b.ask(0xff), [0xfa, 0xaa]);
  assert.equal(b.ask(0xee), [0xee]);
  assert.equal(b.ask(0xed, 0x07), [0xfa, 0xfa]);
  assert.equal(b.ask(0xf3, 0x20), [0xfa, 0xfa]);
  assert.equal(b.ask(0xf2), [0xfa, 0xab, 0x83]);
  assert.equal(b.ask(0xf0, 0x00), [0xfa, 0xfa, 0x02]);
  assert.equal(b.ask(0xf0, 0x03), [0xfa, 0xfe]);
  assert.equal(b.ask(0xf6), [0xfa]);
  assert.equal(b.ask(0xf8), [0xfa]);
  assert.equal(b.ask(0xfe), [0xfa], "the last byte again");
  assert.equal(b.ask(0xe5), [0xfe], "no command");
  assert.equal(b.ask(0xed, 0xf4), [0xfa, 0xfa], "a command instead of a parameter");
  assert.equal(b.ask(0xf5), [0xfa]);
  b.controller.press([0x1e]);
  assert.equal(b.all(), [], "lost while scanning is off");
  assert.equal(b.ask(0xf4), [0xfa]);
  b.controller.press([0x1e]);
  assert.equal(b.all(), [0x1c]);
  assert.equal(b.command(0x60, 0x45).ask(0xf2), [0xfa, 0xab, 0x41], "answers are translated too");
});

test("a byte for the keyboard enables it", () => {
  const b = new Bench().command(0xad);
  assert.equal(b.ask(0xf4), [0xfa]);
  assert.is(b.command(0x20).data & 0x10, 0);
});

test("A20 by output port, own commands and port 92, which read back one latch", () => {
  const b = new Bench();
  b.command(0xd1, 0xdd);
  assert.is(b.a20, 0);
  assert.is(b.command(0xd0).data & 2, 0);
  assert.is(b.controller.readPort(0x92), 0);
  b.controller.writePort(0x92, 1, 2);
  assert.is(b.a20, 1);
  assert.is(b.command(0xd0).data & 2, 2);
  b.command(0xdd);
  assert.is(b.a20, 0);
  b.command(0xdf);
  assert.is(b.a20, 1);
  assert.is(b.resets, 0);
});

test("the reset line: pulse, output port, port 92", () => {
  const b = new Bench().command(0xff).command(0xf1);
  assert.is(b.resets, 0);
  b.command(0xfe);
  assert.is(b.resets, 1);
  b.command(0xd1, 0xde);
  assert.is(b.resets, 2);
  for (let i = 0; i < 2; i++) b.controller.writePort(0x92, 1, 3);
  assert.is(b.resets, 4, "the bit falls with the reset");
});

test("the translation table and its inverse; text of a US keyboard", () => {
  for (let code = 1; code < 0x60; code++) assert.is(SET2_TO_SET1[SET1_TO_SET2[code]], code);
  assert.equal([...scanCodesOf("a")], [0x1e, 0x9e]);
  assert.equal([...scanCodesOf("A")], [0x2a, 0x1e, 0x9e, 0xaa]);
  assert.equal([...scanCodesOf("\x03")], [0x1d, 0x2e, 0xae, 0x9d]);
  assert.equal([...scanCodesOf("\n\té ")], [0x1c, 0x9c, 0x0f, 0x8f, 0x39, 0xb9]);
  const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join("");
  const makes = new Set<string>();
  for (const character of printable) makes.add([...scanCodesOf(character)].join());
  assert.is(makes.size, 95, "each character has keys of its own");
});

test("save and restore in the middle of an answer", () => {
  const b = new Bench();
  b.controller.press([0x1e, 0x9e]);
  b.pass(BYTE_CYCLES);
  b.controller.writePort(0x60, 1, 0xed);
  const state = structuredClone(b.controller.save());
  const rest = [...b.all(), ...b.ask(0x02, 0xf2)];
  const other = new Bench();
  other.cycles = BYTE_CYCLES;
  other.controller.restore(state);
  assert.equal([...other.all(), ...other.ask(0x02, 0xf2)], rest);
  assert.equal(rest, [0x1e, 0xfa, 0x9e, 0xfa, 0xfa, 0xab, 0x41]);
});

test.run();
