/** `tine boot --rom` and `--screen`: what a ROM shows as text, on a terminal, and what is typed at its keyboard. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CODE_PAGE_437, type Screen, screenRows } from "../../cpu/index";
import { keysOfTerminal } from "../../tools/cli/keys";
import { ScreenView } from "../../tools/cli/screen";
import { Program } from "../cpu/guest";
import { AH, AL, AX, DI, Rom, SI } from "../cpu/rom";
import { needCommand } from "../skip";
import { tine, withFiles } from "./tine";

const test = suite("cli/screen");

const ESCAPE = "\x1b";
const DS = { kind: "sreg", number: 3 } as const;
const ES = { kind: "sreg", number: 0 } as const;

/** A ROM that shows `keys>`, then the scan code of each key that goes down as a letter, until Escape; then it exits. */
function typewriter(): Uint8Array {
  const rom = new Rom().op("mov", AX, 0xb800).op("mov", ES, AX).op("mov", AX, 0xf000).op("mov", DS, AX);
  rom.op("mov", DI, 0).op("mov", SI, { label: "text" }).op("mov", AH, 0x1e);
  rom.label("next").op("lodsb").op("test", AL, AL).jump("jz", "poll").op("stosw").jump("jmp", "next");
  rom.label("poll").op("in", AL, 0x64).op("test", AL, 1).jump("jz", "poll").op("in", AL, 0x60);
  rom.op("cmp", AL, 1).jump("jz", "end").op("test", AL, 0x80).jump("jnz", "poll");
  rom.op("add", AL, 0x23).op("mov", AH, 0x07).op("stosw").jump("jmp", "poll");
  rom.label("end").op("mov", AL, 0x73).send().op("mov", AL, 10).send().outb(0xf4, 0);
  return rom.label("text").text("keys>\0").finish();
}

test("a ROM's serial port is stdout; a reset starts it again", () => {
  const rom = new Rom().op("in", AL, 0x92).outb(0x70, 0x0f).op("in", AL, 0x71).op("test", AL, AL).jump("jnz", "again");
  rom.outb(0x71, 1).op("mov", AL, 0x31).send().outb(0x64, 0xfe).label("stay").jump("jmp", "stay");
  rom.label("again").op("mov", AL, 0x32).send().op("mov", AL, 10).send().outb(0xf4, 0);
  withFiles({ "bios.rom": rom.finish() }, (cwd) => {
    const { status, stdout, stderr } = tine(["boot", "--rom", "bios.rom"], { cwd });
    assert.equal([status, stdout, stderr], [0, "12\n", ""]);
  });
});

test("a kernel that resets ends its run well, and tine says so", () => {
  withFiles({ "reset.elf": new Program().outb(0x64, 0xfe).elf() }, (cwd) => {
    const ended = tine(["boot", "reset.elf"], { cwd });
    assert.equal(ended, { status: 0, stdout: "", stderr: "tine: the guest reset the machine after 2 instructions\n" });
  });
});

test("without a terminal: stdin is typed, the last screen is stdout, the serial port stderr", () => {
  withFiles({ "type.rom": typewriter() }, (cwd) => {
    const ended = tine(["boot", "--rom", "type.rom", "--screen"], { cwd, input: "qwe\x1b" });
    assert.equal(ended, { status: 0, stdout: "keys>345\n", stderr: "s\n" });
  });
});

/** Runs a command under a pseudo-terminal, typing each text when the one before it has been seen. */
function onTerminal(
  command: string,
  cwd: string,
  steps: readonly (readonly [string, string])[],
  env = {},
): Promise<string> {
  const child = spawn("script", ["-qec", command, "/dev/null"], {
    cwd,
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  let seen = "";
  let step = 0;
  child.stdout.on("data", (data: Buffer) => {
    seen += data.toString("utf8");
    while (step < steps.length && seen.includes(steps[step][0])) child.stdin.write(steps[step++][1]);
  });
  const timer = setTimeout(() => child.kill(), 60_000);
  return new Promise((resolve) => {
    child.on("close", () => {
      clearTimeout(timer);
      resolve(seen);
    });
  });
}

for (const plain of [false, true]) {
  test(`on a terminal${plain ? ", NO_COLOR" : ""}: the screen is drawn, what changes again, and the terminal comes back`, async () => {
    needCommand("script");
    const command = `${process.execPath} ${join(process.cwd(), "tools/cli/tine.mjs")} boot --rom type.rom --screen`;
    const folder = mkdtempSync(join(tmpdir(), "tine-screen-"));
    writeFileSync(join(folder, "type.rom"), typewriter());
    const steps = [
      ["keys>", "q"],
      ["3", ESCAPE],
    ] as const;
    const seen = await onTerminal(command, folder, steps, { NO_COLOR: plain ? "1" : "" });
    rmSync(folder, { recursive: true });
    assert.ok(seen.includes("\x1b[?1049h") && seen.includes("\x1b[?1049l"), JSON.stringify(seen));
    assert.is(seen.includes("\x1b[0;93;44m"), !plain, "yellow on blue");
    if (plain) assert.not.match(seen, new RegExp(`${ESCAPE}\\[[\\d;]*m`));
    assert.match(seen, "keys>3\r\n", "the last screen stays as text");
    assert.is(seen.split("keys>").length, 3, "drawn once, and once as text");
    assert.ok(seen.endsWith("s\r\n"), "the serial port's output, behind all else");
  });
}

/** One control sequence, or one character. */
const PIECES = new RegExp(`${ESCAPE}\\[\\??[\\d;]*[a-zA-Z]|[^${ESCAPE}]`, "gu");

/** A terminal that knows what ScreenView says: its cells after some output. */
function applied(cells: string[][], output: string): string[][] {
  let [row, column] = [0, 0];
  for (const piece of output.match(PIECES) ?? []) {
    if (!piece.startsWith("\x1b")) cells[row][column++] = piece;
    else if (piece.endsWith("H"))
      [row, column] = piece
        .slice(2, -1)
        .split(";")
        .map((part) => Number(part) - 1);
    else if (piece.endsWith("J")) for (const line of cells) line.fill(" ");
  }
  return cells;
}

test("any sequence of screens: the terminal shows the last one, and little is drawn for little", () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return Math.floor((seed / 0x80000000) * below);
  };
  const screen: Screen = {
    columns: 80,
    rows: 25,
    characters: new Uint8Array(2000).fill(32),
    attributes: new Uint8Array(2000).fill(7),
    blinks: true,
    cursor: null,
  };
  const view = new ScreenView(true);
  const cells = Array.from({ length: 25 }, () => new Array<string>(80).fill("?"));
  for (let round = 0; round < 200; round++) {
    for (let i = random(20); i > 0; i--) screen.characters[random(2000)] = random(256);
    for (let i = random(5); i > 0; i--) screen.attributes[random(2000)] = random(256);
    screen.cursor = random(2) === 0 ? null : { row: random(25), column: random(80) };
    if (round % 50 === 49) view.forget();
    const output = view.draw(structuredClone(screen), { rows: 25, columns: 80 });
    if (round % 50 !== 49 && round !== 0) assert.ok(output.length < 1000, `${output.length}`);
    applied(cells, output);
    assert.equal(
      cells.map((line) => line.join("").trimEnd()),
      screenRows(screen),
      `round ${round}`,
    );
  }
  const small = applied(
    Array.from({ length: 10 }, () => new Array<string>(40).fill("?")),
    new ScreenView(false).draw(screen, { rows: 10, columns: 40 }),
  );
  assert.is(small[9].join(""), [...screen.characters.subarray(720, 760)].map((code) => CODE_PAGE_437[code]).join(""));
  assert.is(small[0].length, 40, "nothing beyond the terminal");
});

test("keys of a terminal: text, control, arrows, function keys, Alt, Escape alone", () => {
  const keys = (text: string) => [...keysOfTerminal(Buffer.from(text))].map((code) => code.toString(16)).join(" ");
  assert.is(keys("a\r"), "1e 9e 1c 9c");
  assert.is(keys("\x03"), "1d 2e ae 9d");
  assert.is(keys("\x1b[Ax"), "e0 48 e0 c8 2d ad");
  assert.is(keys("\x1bOP\x1b[24~"), "3b bb 58 d8");
  assert.is(keys("\x1bx"), "38 2d ad b8");
  assert.is(keys("\x1b"), "1 81");
  assert.is(keys("\x1b\x1b[3~"), "1 81 e0 53 e0 d3");
});

test.run();
