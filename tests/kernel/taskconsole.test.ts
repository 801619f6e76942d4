/** The console's line discipline in V8 (taskworld.ts), against a model in JavaScript; and on the machine with programs. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../fuzz/random";
import { builtImages, machineFor } from "../guest/guest";
import { TaskWorld, WouldSleep } from "./taskworld";

const test = suite("kernel/task console");

const INTERRUPT = 3;
const END_OF_FILE = 4;
const BACKSPACE = 8;
const TAB = 9;
const NEWLINE = 10;
const RETURN = 13;
const KILL = 21;
const DELETE = 127;
const LINE_BYTES = 1023;
const TCSETS = 0x5402;

/** Canonical mode as POSIX has it: lines in, and what is written back. */
class Discipline {
  screen = "";
  lines: { data: number[]; ended: boolean }[] = [];
  private line: number[] = [];

  type(bytes: Iterable<number>): void {
    for (const raw of bytes) this.take(raw === RETURN ? NEWLINE : raw);
  }

  private take(byte: number): void {
    if (byte === INTERRUPT) {
      this.line = [];
      this.lines = [];
      this.screen += "^C\r\n";
    } else if (byte === DELETE || byte === BACKSPACE) this.erase(1);
    else if (byte === KILL) this.erase(this.line.length);
    else if (byte === END_OF_FILE) this.end([]);
    else if (byte === NEWLINE) {
      this.screen += "\r\n";
      this.end([NEWLINE]);
    } else if (this.line.length === LINE_BYTES) this.screen += "\x07";
    else {
      this.line.push(byte);
      const shown = byte >= 32 || byte === TAB;
      this.screen += shown ? String.fromCharCode(byte) : `^${String.fromCharCode(byte + 64)}`;
    }
  }

  private erase(count: number): void {
    for (const byte of this.line.splice(this.line.length - Math.min(count, this.line.length)).reverse())
      this.screen += "\b \b".repeat(byte >= 32 ? 1 : 2);
  }

  private end(mark: number[]): void {
    this.lines.push({ data: [...this.line, ...mark], ended: true });
    this.line = [];
  }

  /** What one read of up to `count` bytes gives. */
  read(count: number): number[] {
    const first = this.lines[0];
    const got = first.data.splice(0, count);
    if (first.data.length === 0) this.lines.shift();
    return got;
  }
}

/** What people type, with every special byte often. */
function keys(random: Random): Uint8Array {
  const special = [INTERRUPT, END_OF_FILE, BACKSPACE, TAB, NEWLINE, RETURN, KILL, DELETE, 0, 0x1b, 0xff];
  return Uint8Array.from({ length: 1 + random.below(60) }, () =>
    random.oneIn(3) ? random.pick(special) : 32 + random.below(95),
  );
}

test("lines, echo and erasing agree with the model on random keys", async () => {
  const world = await TaskWorld.boot();
  const console = world.open("/dev/console", 2);
  const model = new Discipline();
  const random = new Random(4);
  for (let round = 0; round < 600; round++) {
    const typed = keys(random);
    world.type(typed);
    model.type(typed);
    assert.is(world.output, model.screen);
    world.output = "";
    model.screen = "";
    while (model.lines.length > 0) {
      const count = 1 + random.below(80);
      assert.equal([...(world.read(console, count) as Uint8Array)], model.read(count));
    }
  }
});

test("a line that is too long rings the bell and can still be ended", async () => {
  const world = await TaskWorld.boot();
  const console = world.open("/dev/console", 2);
  const model = new Discipline();
  const typed = new Uint8Array(1100).fill(0x61);
  world.type(typed);
  world.type(Uint8Array.of(RETURN));
  model.type([...typed, RETURN]);
  assert.is(world.output, model.screen);
  assert.equal([...(world.read(console, 5000) as Uint8Array)], model.read(5000));
});

test("input that comes faster than it is read waits outside and none is lost", async () => {
  const world = await TaskWorld.boot();
  const console = world.open("/dev/console", 2);
  let sent = "";
  for (let i = 0; i < 3000; i++) sent += `line ${i}\n`;
  world.type(Buffer.from(sent));
  assert.ok(world.waiting > 0);
  let got = "";
  while (got.length < sent.length) got += Buffer.from(world.read(console, 100) as Uint8Array).toString();
  assert.is(got, sent);
});

test("a reader without a line waits; one in raw mode gets bytes as they come", async () => {
  const world = await TaskWorld.boot();
  const file = world.open("/dev/console", 2);
  world.type(Buffer.from("half a line"));
  assert.throws(
    () => world.read(file, 10),
    (error: unknown) => error instanceof WouldSleep,
  );
  const raw = await TaskWorld.boot();
  const console = raw.open("/dev/console", 2);
  // termios without ICANON, ECHO, ISIG: every flag 0, VMIN 1.
  const settings = new Uint8Array(36);
  settings[17 + 6] = 1;
  const user = 0x10001000;
  raw.put(user, settings);
  assert.is(raw.kernel.fileControl(console, TCSETS, user), 0);
  raw.type(Uint8Array.of(INTERRUPT, END_OF_FILE, RETURN, DELETE, 65));
  assert.equal([...(raw.read(console, 10) as Uint8Array)], [INTERRUPT, END_OF_FILE, RETURN, DELETE, 65]);
  assert.is(raw.output, "");
});

/** Instructions in which the guest has done all that a line makes it do; while it waits, ticks use them up. */
const SETTLING = 2e6;

/** Types each line once the guest has done with the one before, and returns all output. */
async function session(
  lines: readonly string[],
  commandLine = "fork=share",
): Promise<{ output: string; exit: unknown }> {
  const { machine, output } = machineFor(await builtImages(), { commandLine });
  for (const line of lines) {
    assert.is(machine.run({ maxInstructions: SETTLING }).reason, "budget", output());
    machine.input(Buffer.from(line, "latin1"));
  }
  const exit = machine.run({ maxInstructions: 2e9 });
  return { output: output(), exit };
}

test("^C ends the program in the foreground, not the shell", async () => {
  const { output, exit } = await session(["cat\r", "typed\r", "\x03", "echo status $?\r", "exit 7\r"]);
  assert.match(output, /\$ cat\ntyped\ntyped\n\^C\n/);
  assert.match(output, /status 130\n/);
  assert.equal(exit, { reason: "exit", value: 2 });
});

test("^D ends a program's input, and at the prompt the shell", async () => {
  const { output, exit } = await session(["cat\r", "one\rtwo", "\x04", "\x04", "echo status $?\r", "\x04"]);
  assert.match(output, /one\none\ntwotwo/);
  assert.match(output, /status 0\n/);
  assert.equal(exit, { reason: "exit", value: 0 });
});

test.run();
