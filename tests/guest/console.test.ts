/**
 * The shell on the console, as somebody types at it: prompt, echo, line editing, Ctrl-C, end of input, the fork bomb, and the
 * exit status of the run.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { builtImages, type GuestRun, machineFor, quoted } from "./guest";

const test = suite("guest/console");
const built = await builtImages();

/** Instructions between two looks at the screen, and how many looks there are before the guest is taken to hang. */
const SLICE = 1e6;
const LOOKS = 2000;

/**
 * Boots the shell and types: each time that the screen, which has changed, ends with the first string of
 * the next pair, the second string of it; at last runs to the end.
 */
function type(dialogue: readonly (readonly [screenEnd: string, typed: string])[], memoryMB = 64): GuestRun {
  const { machine, output } = machineFor(built, { commandLine: "fork=share", memoryMB });
  let seen = 0;
  for (const [screenEnd, typed] of dialogue) {
    for (let looks = 0; output().length === seen || !output().endsWith(screenEnd); looks++) {
      const { reason } = machine.run({ maxInstructions: SLICE, stopWhenIdle: true });
      const goesOn = (reason === "idle" || reason === "budget") && looks < LOOKS;
      assert.ok(goesOn, `${reason}, waiting for '${screenEnd}':\n${quoted(output())}`);
    }
    seen = output().length;
    machine.input(Buffer.from(typed, "latin1"));
  }
  const stop = machine.run({ maxInstructions: SLICE * LOOKS });
  return { output: output(), stop, instret: machine.instret, cycles: machine.cycles };
}

/** Types each line at a prompt. */
function typeLines(lines: readonly string[], memoryMB = 64): GuestRun {
  return type(
    lines.map((line) => ["$ ", line] as const),
    memoryMB,
  );
}

/** What stands on the screen after the kernel's own line. */
function screen(run: GuestRun): string {
  return run.output.slice(run.output.indexOf("$ "));
}

test("prompt, echo and output", () => {
  const run = typeLines(["echo one two\n", "ls /bin | wc\n", "exit 7\n"]);
  assert.match(screen(run), /^\$ echo one two\none two\n\$ ls \/bin \| wc\n\d+ \d+ \d+\n\$ exit 7\n/);
  assert.equal(run.stop, { reason: "exit", value: 2 }, "a status that is not 0 is a failure");
});

test("the end of input ends the shell, with the status of its last command", () => {
  const run = typeLines(["true\n", "\x04"]);
  assert.equal(run.stop, { reason: "exit", value: 0 });
});

test("erasing characters", () => {
  const run = typeLines(["echo abx\x7fc\n", "exit\n"]);
  assert.match(screen(run), /\nabc\n/);
});

test("Ctrl-C ends the command, not the shell", () => {
  const run = type([
    ["$ ", "sleep 1000\n"],
    ["sleep 1000\n", "\x03"],
    ["^C\n$ ", "echo status $?\n"],
    ["$ ", "exit\n"],
  ]);
  assert.match(screen(run), /\nstatus 130\n/);
  assert.equal(run.stop, { reason: "exit", value: 0 });
});

test("a command in the background that never sleeps can be killed", () => {
  const run = typeLines(["cat /dev/zero > /dev/null &\n", "kill -9 $!\n", "wait\n", "echo over\n", "exit\n"]);
  assert.match(screen(run), /\nover\n/);
});

test("after a fork bomb the shell goes on", () => {
  const run = typeLines(["forkbomb\n", "echo alive $?\n", "exit\n"], 16);
  assert.match(
    screen(run),
    /forkbomb: \d+ children, then (EAGAIN|ENOMEM)\nforkbomb: \d+ killed\n\$ echo alive \$\?\nalive 0\n/,
  );
  assert.equal(run.stop, { reason: "exit", value: 0 });
});

test.run();
