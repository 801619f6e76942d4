/** The display adapter's registers, its beam, and the screen out of RAM. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { NOMINAL_HZ } from "../../../cpu/board/clock";
import { CODE_PAGE_437 } from "../../../cpu/board/codepage";
import { Display, screenRows } from "../../../cpu/board/display";

const test = suite("cpu/board/display");

function bench() {
  const clock = { cycles: 0, instret: 0 };
  const display = new Display(clock);
  const ram = new Uint8Array(0x100000);
  const crtc = (index: number, value: number) => {
    display.writePort(0x3d4, 1, index);
    display.writePort(0x3d5, 1, value);
  };
  return { clock, display, ram, crtc };
}

test("cells, attributes, cursor and start address", () => {
  const { display, ram, crtc } = bench();
  const put = (cell: number, text: string, attribute: number) => {
    for (const [i, character] of [...text].entries())
      ram.set([character.charCodeAt(0), attribute], 0xb8000 + 2 * (cell + i));
  };
  put(0, "top", 0x07);
  put(81, "second", 0x9e);
  put(24 * 80 + 79, "x", 0x4f);
  let screen = display.screen(ram);
  const rows = screenRows(screen);
  assert.equal([rows.length, rows[0], rows[1], rows[24]], [25, "top", " second", `${" ".repeat(79)}x`]);
  assert.is(screen.attributes[81], 0x9e);
  assert.ok(screen.blinks);
  assert.equal(screen.cursor, { row: 0, column: 0 });
  crtc(0x0e, 0x00);
  crtc(0x0f, 85);
  assert.equal(display.screen(ram).cursor, { row: 1, column: 5 });
  crtc(0x0d, 80);
  screen = display.screen(ram);
  assert.is(screenRows(screen)[0], " second");
  assert.equal(screen.cursor, { row: 0, column: 5 });
  crtc(0x0a, 0x20);
  assert.is(display.screen(ram).cursor, null);
  crtc(0x0c, 0x3f);
  crtc(0x0d, 0xff);
  assert.is(screenRows(display.screen(ram))[0], " top", "the buffer wraps at 32 KB");
});

test("index and data registers keep what is written; CRTC 0 to 7 are protected by bit 7 of 11h", () => {
  const { display, crtc } = bench();
  for (const [port, index] of [
    [0x3c4, 2],
    [0x3ce, 6],
    [0x3d4, 0x0f],
  ]) {
    display.writePort(port, 1, index);
    display.writePort(port + 1, 1, 0x5a);
    assert.equal([display.readPort(port), display.readPort(port + 1)], [index, 0x5a]);
  }
  crtc(0x01, 0x27);
  assert.is(display.readPort(0x3d5), 0x4f);
  crtc(0x11, 0x0e);
  crtc(0x01, 0x27);
  assert.is(display.readPort(0x3d5), 0x27);
  display.writePort(0x3c2, 1, 0xe3);
  assert.is(display.readPort(0x3cc), 0xe3);
});

test("the attribute controller's flip-flop, reset by a read of 3DA, and blinking", () => {
  const { display, ram } = bench();
  display.writePort(0x3c0, 1, 0x10);
  display.readPort(0x3da);
  display.writePort(0x3c0, 1, 0x30);
  display.writePort(0x3c0, 1, 0x04);
  assert.equal([display.readPort(0x3c0), display.readPort(0x3c1)], [0x30, 0x04]);
  assert.not(display.screen(ram).blinks);
});

test("the palette: three bytes of six bits a colour, index counting up", () => {
  const { display } = bench();
  display.writePort(0x3c8, 1, 254);
  for (let i = 0; i < 7; i++) display.writePort(0x3c9, 1, 0xc0 + i);
  display.writePort(0x3c7, 1, 255);
  assert.equal(
    [1, 2, 3, 4].map(() => display.readPort(0x3c9)),
    [3, 4, 5, 6],
  );
});

test("the beam: 70 vertical retraces a second, at the same cycles each time", () => {
  const rises = () => {
    const { clock, display } = bench();
    const found: number[] = [];
    let before = 0;
    for (; clock.cycles < NOMINAL_HZ / 2; clock.cycles += 1000) {
      const retrace = display.readPort(0x3da) & 8;
      if (retrace !== 0 && before === 0) found.push(clock.cycles);
      if (retrace !== 0) assert.is(display.readPort(0x3ba) & 1, 1, "nothing is seen in retrace");
      before = retrace;
    }
    return found;
  };
  assert.is(rises().length, 35);
  assert.equal(rises(), rises());
  const { clock, display } = bench();
  assert.is(display.readPort(0x3da), 0, "the first line is seen");
  clock.cycles = 3000;
  assert.is(display.readPort(0x3da), 1, "and its end is not");
});

test("code page 437", () => {
  assert.is(CODE_PAGE_437.length, 256);
  assert.is(new Set(CODE_PAGE_437).size, 254, "0, 32 and 255 are blanks");
  assert.equal([0x41, 0x82, 0xdb, 0xc4, 0x01].map((code) => CODE_PAGE_437[code]).join(""), "Aé█─☺");
});

test("save and restore", () => {
  const { display, ram, crtc } = bench();
  crtc(0x0f, 7);
  display.writePort(0x3c0, 1, 0x10);
  const other = bench();
  other.display.restore(structuredClone(display.save()));
  assert.equal(other.display.screen(ram).cursor, { row: 0, column: 7 });
  other.display.writePort(0x3c0, 1, 0x04);
  assert.is(other.display.readPort(0x3c1), 0x04, "the flip-flop too");
});

test.run();
