/** A run as differences and as a trace for Perfetto: what is read back is what was seen, and the trace is in its format. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { NOMINAL_HZ } from "../../cpu/index";
import { DeltaReader } from "../../tools/show/delta";
import { type PerfettoEvent, perfettoTrace } from "../../tools/show/perfetto";
import { MOST_STEPS, record, watchSnapshots } from "../../tools/show/recording";
import type { Snapshot } from "../../tools/show/snapshot";
import { layout } from "../audit/planted";
import { builtImages, machineFor } from "../guest/guest";
import { driveOf } from "./drive";

const test = suite("show/recording");
const built = await builtImages();

function fresh(fork = "share", program = "/bin/forkdemo 4") {
  return machineFor(built, { commandLine: `quiet fork=${fork} -- ${program}`, memoryMB: 16 }).machine;
}

/** What of a snapshot differences keep, in an order of its own. */
function kept({ processes, tables, frames, mapped, instret }: Snapshot) {
  return {
    instret,
    processes,
    frames,
    tables: [...tables].sort((one, two) => one.frame - two.frame),
    mapped: mapped.map(({ frame, ptes }) => ({ frame, ptes })),
  };
}

for (const program of ["/bin/forkdemo 4", "/bin/forkfamily 5 1"]) {
  test(`${program}: every moment can be read back, in any order`, async () => {
    const seen: ReturnType<typeof kept>[] = [];
    const watched = fresh("share", program);
    await watchSnapshots(watched, layout, driveOf(watched), (_, snapshot) => seen.push(kept(snapshot)));
    const machine = fresh("share", program);
    const { recording } = await record(machine, layout, driveOf(machine), { title: program, fork: "share" });
    assert.is(recording.steps.length, seen.length);
    assert.ok(seen.length > 10);
    const { steps, kinds } = JSON.parse(JSON.stringify(recording)) as typeof recording;
    const reader = new DeltaReader(steps, kinds);
    const order = [...seen.keys()].sort((one, two) => ((one * 7919) % 101) - ((two * 7919) % 101));
    for (const index of order) assert.equal(kept(reader.at(index)), seen[index], `moment ${index}`);
  });
}

test("recording changes nothing, and is small", async () => {
  const machine = fresh();
  const { recording } = await record(machine, layout, driveOf(machine), { title: "", fork: "share" });
  const plain = fresh();
  await driveOf(plain)();
  assert.equal([machine.instret, machine.cycles], [plain.instret, plain.cycles]);
  assert.ok(JSON.stringify(recording).length < 16 << 10);
  const kinds = new Set(recording.steps.flatMap(({ happenings }) => happenings.map(({ kind }) => kind)));
  for (const kind of ["fork", "exec", "share", "unshare", "copyOnWrite", "release", "exit"])
    assert.ok(kinds.has(kind), kind);
  assert.ok(
    recording.steps.some(({ happenings }) => happenings.some(({ text }) => /unshares slot 384 \(write\)/.test(text))),
  );
});

test("with too many moments a step stands for several: none is lost, and memory is right after each", async () => {
  const seen: ReturnType<typeof kept>[] = [];
  const watched = fresh();
  await watchSnapshots(watched, layout, driveOf(watched), (_, snapshot) => seen.push(kept(snapshot)));
  const recordingOf = async (mostSteps = MOST_STEPS) => {
    const machine = fresh();
    const { recording } = await record(machine, layout, driveOf(machine), { title: "", fork: "share", mostSteps });
    return recording;
  };
  const all = await recordingOf();
  for (const mostSteps of [3, 4, 7]) {
    const recording = await recordingOf(mostSteps);
    const { steps, kinds } = recording;
    assert.ok(steps.length <= mostSteps && steps.length > mostSteps / 2 - 1, `${steps.length} steps`);
    const texts = (of: typeof recording): string[] =>
      of.steps.flatMap(({ happenings }) => happenings.map((one) => one.text));
    assert.equal(texts(recording), texts(all));
    const reader = new DeltaReader(steps, kinds);
    let moments = 0;
    for (const [index, step] of steps.entries()) {
      moments += step.moments;
      assert.equal(kept(reader.at(index)), seen[moments - 1], `step ${index} of ${steps.length}`);
    }
    assert.is(moments, seen.length);
  }
});

const traced = fresh();
const trace = (await perfettoTrace(traced, layout, driveOf(traced))).events;

test("Perfetto: timestamps ascend, every B has its E on its track, every process and track has a name", () => {
  const open = new Map<string, PerfettoEvent[]>();
  const named = new Set<string>();
  let last = 0;
  for (const event of trace) {
    const track = `${event.pid}/${event.tid}`;
    assert.type(event.pid, "number");
    assert.type(event.tid, "number");
    if (event.ph === "M") {
      named.add(`${event.name} ${event.pid}`);
      continue;
    }
    assert.ok(Number.isFinite(event.ts) && event.ts >= last, `${event.name} at ${event.ts}, after ${last}`);
    last = event.ts;
    assert.ok(
      named.has(`process_name ${event.pid}`) && named.has(`thread_name ${event.pid}`),
      `${event.pid} has a name`,
    );
    const stack = open.get(track) ?? [];
    open.set(track, stack);
    if (event.ph === "B") stack.push(event);
    else if (event.ph === "E") assert.is(stack.pop()?.name, event.name, `the innermost slice ends at ${event.ts}`);
    else if (event.ph === "i") assert.is(event.s, "t");
    else {
      assert.is(event.ph, "C");
      assert.ok(Object.values(event.args ?? {}).every((value) => typeof value === "number" && value >= 0));
    }
  }
  for (const [track, stack] of open) assert.equal(stack, [], `open on ${track}`);
});

test("Perfetto: forks, faults, system calls and unshares are there, at guest time", async () => {
  const machine = fresh();
  let unshare = -1;
  await watchSnapshots(machine, layout, driveOf(machine), ({ events }) => {
    if (unshare < 0) unshare = events.find(({ kind }) => kind === "unshare")?.cycles ?? -1;
  });
  const instants = trace.filter(({ ph }) => ph === "i");
  const first = instants.find(({ name }) => name.startsWith("unshares"));
  assert.is(first?.ts, (unshare / NOMINAL_HZ) * 1e6);
  assert.ok(instants.some(({ name }) => name === "forks pid 4"));
  const slices = trace.filter(({ ph }) => ph === "B");
  assert.ok(slices.some(({ cat, name }) => cat === "syscall" && name === "fork"));
  assert.ok(slices.some(({ cat, name }) => cat === "fault" && name.startsWith("page fault (write 0x60000000")));
  // A slice is open until what it is about is over.
  const open = new Map<number, PerfettoEvent[]>();
  let within = 0;
  for (const event of trace) {
    const stack = open.get(event.pid) ?? [];
    open.set(event.pid, stack);
    if (event.ph === "B") stack.push(event);
    else if (event.ph === "E") stack.pop();
    else if (event.ph === "i" && /^unshares .*\(write\)/.test(event.name)) {
      within++;
      assert.ok(
        stack.some(({ cat }) => cat === "fault" || cat === "syscall"),
        `${event.name} is within the fault or the call that did it`,
      );
    }
  }
  assert.ok(within > 0, "tables are unshared by writes");
  const counters = trace.filter(({ ph, name, pid }) => ph === "C" && name === "page tables" && pid === 2);
  assert.ok(counters.some(({ args }) => args?.shared === 3));
});

test.run();
