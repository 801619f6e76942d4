/** What a trace shows when less than all is asked for; and that the machine is single-stepped only for that. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Machine } from "../../cpu/index";
import { ALL_LETTERS, EVENT_LETTERS, type TraceFilter } from "../../tools/trace/filter";
import { TraceError } from "../../tools/trace/tracer";
import { from, traced, tracerOf } from "./little";
import { AREA, initrd, kernel, machineOf } from "./scenes";

const test = suite("trace/filters");

/** Lines of the scenes under a filter, and how many instructions the machine took one by one. */
function shown(filter: Partial<TraceFilter>): { lines: string[]; steps: number; machine: Machine } {
  const machine = machineOf();
  const { tracer, lines } = tracerOf(machine, kernel, [initrd], { filter });
  const { cpu } = machine;
  let steps = 0;
  // Counts what the tracer's hook is called for.
  const hooked = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(cpu), "onInstruction");
  Object.defineProperty(cpu, "onInstruction", {
    configurable: true,
    get: () => hooked?.get?.call(cpu),
    set: (hook: (() => boolean) | null) =>
      hooked?.set?.call(
        cpu,
        hook &&
          (() => {
            steps++;
            return hook();
          }),
      ),
  });
  for (;;) {
    const budget = Math.min(tracer.nextBoundary(), 2e6) - machine.instret;
    const { reason } = machine.run({ maxInstructions: budget });
    tracer.atBoundary();
    if (reason !== "budget" || tracer.isDone) break;
  }
  tracer.end();
  return { lines, steps, machine };
}

const instructions = (lines: readonly string[]) => lines.filter((line) => !line.includes(" !"));
const count = (line: string) => Number.parseInt(line, 10);
const functionOf = (line: string) => line.split(" ")[4].split("+")[0];

test("events alone: no instruction is stepped through, and each event says where", () => {
  const { lines, steps } = shown({ letters: EVENT_LETTERS });
  assert.is(steps, 0);
  assert.ok(lines.every((line) => line.includes(" !")));
  const has = (pattern: RegExp) =>
    assert.ok(
      lines.some((line) => pattern.test(line)),
      String(pattern),
    );
  has(/ r3 p2 !SYS fork\(\) at main\+0x[0-9a-f]+ .*:\d+$/);
  has(/ r0 p2 !SHARE table 0x[0-9a-f]+ slot 320 users 1>2 at /);
  has(/ r0 p3 !UNSHARE why=write table 0x[0-9a-f]+>0x[0-9a-f]+ slot 320 users 2>1 at /);
  has(/ r0 p3 !COW page 50001000 frame 0x[0-9a-f]+>0x[0-9a-f]+ at /);
  has(/ r3 p3 !PF 0x50001000 user write, not allowed, error 7 at main\+/);
  has(/ r3 p3 !PF 0x50001000 done: unshared, copied, frame 0x[0-9a-f]+, \d+ instructions$/);
  has(/ r0 p4 !UNSHARE why=munmap /);
  has(/ r0 p5 !EXEC \/bin\/true$/);
  has(/ r0 p6 !EXIT killed by SIGSEGV$/);
  has(/ r3 p2 !MARK note 7 at main/);
  has(/ r0 p2 !FORK child 3$/);
  has(/ r0 p3 !SWITCH 2 > 3 scenes$/);
});

test("letters choose kinds of events", () => {
  const { lines } = shown({ letters: "m" });
  assert.ok(lines.length > 5);
  for (const line of lines) assert.match(line, /!(SHARE|UNSHARE|RELEASE|COW) /);
});

test("a window by instret is stepped through, and nothing else", () => {
  const { lines, steps, machine } = shown({ from: 600_000, to: 600_100 });
  const counts = instructions(lines).map(count);
  assert.is(counts[0], 600_000);
  assert.ok(counts.every((at) => at >= 600_000 && at < 600_100));
  assert.ok(steps <= 101, `${steps} steps`);
  assert.is(machine.instret, 600_100, "and then the trace is done");
});

test("a ring: the other is not stepped through", () => {
  const { lines, steps } = shown({ letters: "u", after: "exec:scenes" });
  assert.ok(instructions(lines).length > 100);
  for (const line of lines) assert.match(line, /^\d+ r3 p[1-6] /);
  assert.ok(steps < 1.2 * lines.length, `${steps} steps for ${lines.length} lines`);
  const kernelOnly = shown({ rings: [0], letters: "k", after: "fork", until: "exit" });
  assert.ok(kernelOnly.lines.length > 100);
  for (const line of kernelOnly.lines) assert.match(line, / r0 /);
});

test("a process: the others are not stepped through", () => {
  const { lines, steps } = shown({ letters: ALL_LETTERS, pids: [3] });
  assert.ok(instructions(lines).length > 100);
  for (const line of lines) assert.match(line, /^\d+ r[03] p3 /);
  assert.ok(steps < 1.2 * lines.length + 2000, `${steps} steps for ${lines.length} lines`);
});

test("a function with all that it calls, from its first instruction to its return", () => {
  const { lines } = shown({ letters: "ku", functions: ["copyTable"], after: "exec:scenes" });
  const inside = instructions(lines);
  assert.match(inside[0], /copyTable kernel\/mm\/pagetable\.ts/, "it begins at the beginning");
  const names = new Set(inside.map(functionOf));
  assert.ok(names.has("allocPages") || names.has("allocZeroedFrame"), [...names].join(" "));
  assert.not.ok(names.has("makeTableWritable"), "its caller is not shown");
  assert.match(inside.at(-1) ?? "", /copyTable\+.* ret\b/);
  const user = shown({ letters: "u", functions: ["touchPages"] }).lines;
  assert.ok(user.length > 5);
  assert.ok(
    user.every((line) => functionOf(line) === "touchPages"),
    user.map(functionOf).join(" "),
  );
});

test("a range of addresses", () => {
  const whole = shown({ letters: "k", after: "fork", until: "exit" }).lines;
  const [, address] = /0010:([0-9a-f]{8})/.exec(whole[50]) ?? [];
  const first = Number.parseInt(address, 16);
  const { lines } = shown({ letters: "k", after: "fork", until: "exit", ranges: [[first, first + 8]] });
  const expected = whole.filter((line) => {
    const eip = Number.parseInt(/0010:([0-9a-f]{8})/.exec(line)?.[1] ?? "", 16);
    return eip >= first && eip <= first + 8;
  });
  assert.ok(expected.length > 0);
  assert.equal(lines, expected);
});

test("jumps alone", () => {
  const { lines } = shown({ letters: "kj", from: 600_000, to: 605_000 });
  assert.ok(lines.length > 100);
  for (const line of lines) assert.match(line, / (j[a-z]+|call|ret|iretd|int|loop)\b/);
});

test("from one event to another, each shown, the N-th by its number", () => {
  const { lines } = shown({ letters: EVENT_LETTERS, after: "fork#3", until: "exit:4" });
  assert.match(lines[0], /!FORK child 4$/);
  assert.match(lines.at(-1) ?? "", /p4 !EXIT exited 0$/);
  const unshare = shown({ letters: "m", after: "unshare:munmap", until: "release" }).lines;
  assert.match(unshare[0], /why=munmap/);
});

test("between the guest's own marks", () => {
  const { lines, steps } = shown({ letters: "u", marked: true });
  const names = new Set(instructions(lines).map(functionOf));
  assert.ok(
    [...names].every((name) => name === "addUp" || name === "main"),
    [...names].join(" "),
  );
  assert.ok(lines.length > 3 && steps < 100, `${lines.length} lines, ${steps} steps`);
});

test("a watched word: whoever writes it, with what it was and is", () => {
  const { lines } = shown({ letters: "", watches: [{ address: AREA + 4096, isPhysical: false }], pids: [2, 3] });
  const written = lines.filter((line) => line.includes("!WATCH"));
  const values = written.map((line) =>
    /!WATCH 50001000->[0-9a-f]{8} ([0-9a-f]+>[0-9a-f]+) by (\w+)/.exec(line)?.slice(1, 3),
  );
  assert.equal(values[0], ["0>7", "touchPages"]);
  assert.ok(
    values.some((one) => one?.[0] === "7>8" && one[1] === "main"),
    JSON.stringify(written),
  );
  const before = lines[lines.indexOf(written[0]) - 1];
  assert.match(before, /touchPages.* mov .*\[50001000->[0-9a-f]{8} 0>7 /, "the instruction's own line comes first");
});

test("a watched word: also what is written without a change, and by a physical address", () => {
  const body =
    "mov dword ptr [spare], 5\nmov dword ptr [spare], 5\nmov byte ptr [spare + 3], 0\nmov ecx, 1\nmov edi, spare\nrep stosd\nmov [spare + 4], edi";
  const [line] = from(traced(body).lines, "[spare]".length > 0 ? "<spare>, 5" : "");
  const physical = Number.parseInt(/->([0-9a-f]{8})/.exec(line)?.[1] ?? "", 16);
  const { lines } = traced(body, { filter: { letters: "", watches: [{ address: physical, isPhysical: true }] } });
  const marks = lines
    .filter((text) => text.includes("!WATCH"))
    .map((text) => / ([0-9a-f]+>[0-9a-f]+) by/.exec(text)?.[1]);
  assert.equal(marks.slice(0, 3), ["0>5", "5>5", "5>5"]);
  assert.is(marks.length, 4, "and the string instruction");
});

test("frames that are allocated and freed, with what for and by whom", () => {
  const { lines } = shown({ letters: "f", after: "fork", until: "exit" });
  assert.ok(
    lines.some((line) => /p3 !FRAME alloc 0x[0-9a-f]+ table by copyTable\+/.test(line)),
    lines.slice(0, 9).join("\n"),
  );
  assert.ok(lines.some((line) => /p3 !FRAME alloc 0x[0-9a-f]+ data by /.test(line)));
  assert.ok(lines.some((line) => /p3 !FRAME free 0x[0-9a-f]+ /.test(line)));
});

test("a function or an event that there is not is told in one line", () => {
  assert.throws(
    () => shown({ functions: ["noSuchFunction"] }),
    (error: Error) => error instanceof TraceError && /noSuchFunction/.test(error.message),
  );
  assert.throws(
    () => shown({ after: "frok" }),
    (error: Error) => error instanceof TraceError && /frok.*fork/.test(error.message),
  );
});

test("whatever is shown, the run is the same", () => {
  const quiet = machineOf();
  quiet.run({ maxInstructions: 1e9 });
  for (const filter of [
    { letters: "u" },
    { pids: [3] },
    { letters: "kuf", after: "fork", until: "exit" },
    { letters: "", watches: [{ address: AREA, isPhysical: false }] },
  ]) {
    const { machine } = shown(filter);
    if (machine.instret < quiet.instret) machine.run({ maxInstructions: 1e9 });
    assert.equal([machine.instret, machine.cycles], [quiet.instret, quiet.cycles], JSON.stringify(filter));
  }
});

test.run();
