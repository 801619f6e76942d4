/** The console on a terminal: the escape key, and a real session with a shell under a pseudo-terminal. */
import { spawn } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ConsoleText, EscapeKey } from "../../tools/cli/terminal";
import { needCommand } from "../skip";

const test = suite("cli/terminal");

/** What the guest gets of typed bytes, and what the escape key asked for. */
function typed(...pieces: number[][]): { guest: number[]; asked: string[] } {
  const asked: string[] = [];
  const key = new EscapeKey({ quit: () => asked.push("quit"), help: () => asked.push("help") });
  return { guest: pieces.flatMap((piece) => [...key.filter(Uint8Array.from(piece))]), asked };
}

const CTRL_A = 1;
const CTRL_C = 3;

test("Ctrl-C and letters go to the guest", () => {
  assert.equal(typed([0x78, CTRL_C, 0x68]), { guest: [0x78, CTRL_C, 0x68], asked: [] });
});

test("Ctrl-A x quits, also when typed in two pieces", () => {
  assert.equal(typed([CTRL_A, 0x78]), { guest: [], asked: ["quit"] });
  assert.equal(typed([CTRL_A], [0x78]), { guest: [], asked: ["quit"] });
});

test("Ctrl-A Ctrl-A sends one Ctrl-A; Ctrl-A h helps; any other key after it is dropped", () => {
  assert.equal(typed([CTRL_A, CTRL_A, 0x78]), { guest: [CTRL_A, 0x78], asked: [] });
  assert.equal(typed([CTRL_A, 0x68, CTRL_A, 0x7a]), { guest: [], asked: ["help"] });
});

test("CR LF becomes LF, also when it comes in two pieces; a CR elsewhere stays", () => {
  const text = new ConsoleText();
  const written = ["one\r\ntwo\r", "\n10%\r20%\r", "30%\r\n"].map((piece) => text.filter(Buffer.from(piece)));
  assert.is(Buffer.concat(written).toString(), "one\ntwo\n10%\r20%\r30%\n");
});

/** Runs `tine boot` under a pseudo-terminal; `steps` are (text to wait for, keys to type then). */
function talk(
  steps: readonly (readonly [awaited: string, keys: string])[],
): Promise<{ status: number | null; screen: string }> {
  const child = spawn("script", ["-qec", `${process.execPath} tools/cli/tine.mjs boot`, "/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let screen = "";
  let seen = 0;
  let step = 0;
  child.stdout.on("data", (data: Buffer) => {
    screen += data.toString("latin1");
    for (let found = 0; step < steps.length && found >= 0; ) {
      const [awaited, keys] = steps[step] ?? ["", ""];
      found = screen.indexOf(awaited, seen);
      if (found < 0) break;
      seen = found + awaited.length;
      step++;
      child.stdin.write(keys);
    }
  });
  const timer = setTimeout(() => child.kill(), 60_000);
  return new Promise((resolve) => {
    child.on("close", (status) => {
      clearTimeout(timer);
      resolve({ status, screen });
    });
  });
}

test("a person types at the shell: echo, rubout, Ctrl-C, exit", async () => {
  needCommand("script");
  const { status, screen } = await talk([
    ["$ ", "echo one twx\x7fo\r"],
    ["one two\r\n", "cat\r"],
    ["cat\r\n", "echoed\r"],
    ["echoed\r\nechoed\r\n", "\x03"],
    ["$ ", "echo status $?\r"],
    ["status 130", "exit 5\r"],
  ]);
  assert.match(screen, "status 130", "Ctrl-C ended cat, and the shell went on");
  assert.is(status, 5, `the shell's exit status is tine's:\n${screen}`);
});

test("Ctrl-A x quits a running guest", async () => {
  needCommand("script");
  const { status } = await talk([
    ["$ ", "cat\r"],
    ["cat\r\n", "\x01x"],
  ]);
  assert.is(status, 130);
});

test.run();
