/** A trace of events alone, whose lines another thread makes: they are those that one thread makes by itself, however the trace ends. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EVENT_LETTERS, isOfEventsAlone, NO_FILTER } from "../../tools/trace/filter";
import { tine, withFiles } from "../cli/tine";

const test = suite("trace/eventthread");

/** Forks, execs, faults, system calls with strings, buffers and lists. */
const MANY = `
import { argument, cstr, execve, exit, fork, mmapAnonymous, MAP_PRIVATE, parseDec, printf, PROT_READ, PROT_WRITE, waitpid } from "tine";
export function main(argc: i32, argv: usize, envp: usize): i32 {
  const forks: u32 = parseDec(argument(argv, 1));
  if (forks == 0) return 3;
  const area = mmapAnonymous(0x60000000, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  store<u32>(area, 1);
  store<usize>(area + 4096, argument(argv, 0));
  store<usize>(area + 4100, cstr("0"));
  for (let i: u32 = 0; i < forks; i++) {
    const pid = fork();
    if (pid == 0) {
      store<u32>(area, i);
      if (i % 8 == 0) execve(argument(argv, 0), area + 4096, envp);
      exit(i);
    }
    waitpid(pid, area + 8192);
  }
  printf(cstr("a\\tb %d\\n"), load<u32>(area));
  return 0;
}`;
/** It shows the same, but an end that never comes keeps all in one thread. */
const IN_ONE_THREAD = ["--until", "exec:/never"];

test("which traces are of events alone", () => {
  const events = { ...NO_FILTER, letters: EVENT_LETTERS };
  assert.ok(isOfEventsAlone(events) && isOfEventsAlone({ ...events, letters: "s", pids: [2] }));
  for (const other of [
    { letters: "sk" },
    { letters: "f" },
    { from: 1 },
    { to: 9 },
    { marked: true },
    { after: "fork" },
  ]) {
    assert.not.ok(isOfEventsAlone({ ...events, ...other }), JSON.stringify(other));
  }
  assert.not.ok(isOfEventsAlone({ ...events, watches: [{ address: 0, isPhysical: false }] }));
  assert.ok(isOfEventsAlone({ ...events, watches: [] }), "an empty list is none");
});

test("shows the lines of the trace in one thread: all events, some of one process", () => {
  withFiles({ "many.ts": MANY }, (cwd) => {
    for (const words of [
      ["--trace", "events"],
      ["--trace", "sx", "--pid", "5"],
    ]) {
      for (const [file, more] of [
        ["two.txt", []],
        ["one.txt", IN_ONE_THREAD],
      ] as const) {
        const { status, stderr } = tine(["trace", ...words, ...more, "--output", file, "many.ts", "16"], { cwd });
        assert.is(status, 0, stderr);
        const lines = readFileSync(join(cwd, file), "utf8").split("\n").length - 1;
        assert.match(stderr, new RegExp(`^tine: ${file}: ${lines} lines, up to instruction \\d+$`, "m"));
      }
      const [two, one] = ["two.txt", "one.txt"].map((file) => readFileSync(join(cwd, file), "utf8"));
      assert.ok(two === one, `${words.join(" ")}: a line differs`);
      assert.ok(two.split("\n").length > (words.length > 2 ? 3 : 100), "there is something to compare");
    }
    const text = readFileSync(join(cwd, "two.txt"), "utf8");
    assert.match(text, /many\.ts:\d+/, "places are named");
  });
});

test("a window far behind the beginning, of which the trace has only waited, shows what the whole trace has there", () => {
  withFiles({ "many.ts": MANY }, (cwd) => {
    const from = 4_000_000;
    const words = ["trace", "--trace", "events", "many.ts", "200"];
    const lines = (...more: string[]) =>
      tine([...words.slice(0, 3), ...more, ...words.slice(3)], { cwd }).stdout.split("\n");
    const whole = lines().filter((line) => Number.parseInt(line, 10) >= from);
    const window = lines("--from", String(from)).filter((line) => line !== "");
    assert.ok(whole.length > 1000, `${whole.length} lines`);
    assert.equal(window, whole);
  });
});

test("on a full disk, and where nobody reads it: the trace ends, says where, and the run goes no further", () => {
  withFiles({ "many.ts": MANY }, (cwd) => {
    const program = `"${process.execPath}" "${join(process.cwd(), "tools/cli/tine.mjs")}" trace --trace events`;
    const shell = (command: string) => spawnSync("sh", ["-c", command], { cwd, encoding: "utf8", timeout: 120_000 });
    const full = shell(`${program} --output /dev/full many.ts 4`);
    assert.is(full.status, 2, full.stderr);
    assert.match(
      full.stderr,
      /^tine: \/dev\/full: no space left on the disk: the trace ends at instruction \d+, after \d+ lines$/m,
    );
    const head = shell(`(${program} many.ts 300; echo status $? >&2) | head -2`);
    assert.is(head.stdout.split("\n").length, 3);
    assert.match(
      head.stderr,
      /^tine: nobody reads the trace any more: it ends at instruction \d+, after \d+ lines\nstatus 0$/m,
    );
  });
});

test.run();
