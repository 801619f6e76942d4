/** The snapshot against the auditor, which reads the same memory by itself; moments; what the terminal and SVG make of it. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Machine } from "../../cpu/index";
import { Auditor } from "../../tools/audit/auditor";
import { correspondingMoment, type Found, findMoment } from "../../tools/show/find";
import { graphOf, groupFrames } from "../../tools/show/graph";
import { type Snapshot, SnapshotError, SnapshotReader } from "../../tools/show/snapshot";
import { svgOf } from "../../tools/show/svg";
import { parseTarget } from "../../tools/show/target";
import { treeOf } from "../../tools/show/tree";
import { totalsOf } from "../../tools/show/words";
import { layout, Spoilt } from "../audit/planted";
import { builtImages, machineFor } from "../guest/guest";
import { driveOf } from "./drive";

const test = suite("show/snapshot");
const built = await builtImages();

function fresh(fork = "share"): Machine {
  return machineFor(built, { commandLine: `quiet fork=${fork} -- /bin/forkdemo 4`, memoryMB: 16 }).machine;
}

async function momentOf(text: string, machine = fresh()): Promise<Found> {
  const found = await findMoment(machine, layout, parseTarget(text), driveOf(machine));
  if (!("snapshot" in found)) throw new Error(`no ${text}: ${JSON.stringify(found)}`);
  return found;
}

const keys = (names: readonly { table: number; index: number }[]): string[] =>
  names.map(({ table, index }) => `${table}:${index}`).sort();

test("a snapshot says what the auditor reads: processes, tables, frames, ptes; the reverse map names each pte", async () => {
  for (const moment of ["exec", "fork#2", "unshare", "exit"]) {
    const machine = fresh();
    const { snapshot } = await momentOf(moment, machine);
    const auditor = new Auditor(machine, layout);
    assert.equal(auditor.audit(), [], `${moment}: memory is in order`);
    const summary = auditor.summary();
    const totals = totalsOf(snapshot);
    assert.equal(
      snapshot.processes.map(({ pid, name, resident }) => ({ pid, name, rss: resident })),
      summary.processes,
    );
    assert.equal(
      [totals.tables, totals.shared, totals.data, totals.ptes],
      [summary.tables, summary.shared, summary.frames, summary.ptes],
    );
    for (const { frame, ptes, rmap } of snapshot.mapped)
      assert.equal(keys(rmap), keys(ptes), `${moment}: frame ${frame}`);
    for (const { users, sharers, present, frame } of snapshot.tables) {
      assert.is(users, sharers.length);
      const mapped = snapshot.mapped.flatMap(({ ptes }) => ptes).filter(({ table }) => table === frame).length;
      assert.is(present, mapped);
    }
  }
});

test("the runs of frames cover memory once, and their kinds are those of what is drawn", async () => {
  const { snapshot } = await momentOf("fork#2");
  let next = 0;
  const kindOf = new Map<number, string>();
  for (const { first, count, kind } of snapshot.frames) {
    assert.is(first, next);
    next += count;
    for (let frame = first; frame < next; frame++) kindOf.set(frame, kind);
  }
  assert.is(next, 16 * 256, "16 MB of frames");
  for (const { frame } of snapshot.tables) assert.is(kindOf.get(frame), "table");
  for (const { directory } of snapshot.processes) assert.is(kindOf.get(directory), "directory");
  for (const { frame } of snapshot.mapped) assert.is(kindOf.get(frame), "data");
  assert.equal(JSON.parse(JSON.stringify(snapshot)), snapshot, "it is fit for JSON");
  assert.is(snapshot.version, 1);
});

test("a snapshot shows what is wrong: users and sharers are read apart, as are ptes and the reverse map", () => {
  const spoilt = new Spoilt();
  const { frame } = spoilt.sharedTable();
  const reader = new SnapshotReader(spoilt.machine, layout);
  const before = reader.take().tables.find((table) => table.frame === frame);
  spoilt.add(spoilt.view.page(frame) + spoilt.view.model.fields.TablePage.users, 1);
  const after = reader.take().tables.find((table) => table.frame === frame);
  assert.is(after?.users, (before?.users ?? 0) + 1);
  assert.equal(after?.sharers, before?.sharers);
  const pte = spoilt.pte(spoilt.sharedTable());
  const data = spoilt.view.words[pte] >>> 12;
  spoilt.set(spoilt.view.page(data) + spoilt.view.model.fields.Page.rmap, 0);
  const mapped = reader.take().mapped.find((one) => one.frame === data);
  assert.equal(mapped?.ptes, [{ table: frame, index: pte & 1023 }]);
  assert.equal(mapped?.rmap, []);
});

test("before the kernel has set up its memory there is no snapshot, and it says so", async () => {
  const machine = fresh();
  const found = findMoment(machine, layout, { kind: "instret", instret: 10 }, driveOf(machine));
  const error = await found.catch((reason) => reason);
  assert.instance(error, SnapshotError);
});

test("moments: the nth event since the program was executed; none where there is none", async () => {
  const second = await momentOf("fork#2");
  assert.match(second.text, /^pid 2 forks pid 4, 3 tables shared$/);
  assert.is(totalsOf(second.snapshot).shared, 3);
  assert.match((await momentOf("exec")).text, /^pid 2 executes \/bin\/forkdemo/);
  const exact = await momentOf(`instret:${second.snapshot.instret}`);
  assert.equal(exact.snapshot, second.snapshot, "the same moment by its number");
  const machine = fresh();
  const none = await findMoment(machine, layout, parseTarget("fork#9"), driveOf(machine));
  assert.not("snapshot" in none);
  assert.match((await momentOf("syscall:munmap")).text, /^syscall:munmap$/, "any event of the trace is a moment");
  for (const wrong of ["", "fork#0", "forks", "instret", "end#x", "panic:1", "instret:-1"]) {
    assert.throws(() => parseTarget(wrong), /^no moment is called/, wrong);
  }
});

test("the same moment under fork=copy: as many processes, no shared table, more page tables, as much memory of the program's", async () => {
  for (const moment of ["fork#2", "unshare#2", "exit#2"]) {
    const shared = await momentOf(moment);
    const machine = fresh("copy");
    const copied = await correspondingMoment(machine, layout, shared.position, driveOf(machine));
    const names = ({ processes }: Snapshot): string[] => processes.map(({ pid, name }) => `${pid} ${name}`);
    assert.equal(names(copied.snapshot), names(shared.snapshot), moment);
    assert.equal(copied.position, shared.position, moment);
    assert.is(totalsOf(copied.snapshot).shared, 0);
    assert.ok(totalsOf(copied.snapshot).tables >= totalsOf(shared.snapshot).tables, moment);
    const resident = ({ processes }: Snapshot): number[] => processes.map((one) => one.resident);
    assert.equal(resident(copied.snapshot), resident(shared.snapshot), moment);
  }
});

test("in the terminal a shared table is drawn once, with its sharers, and lines fit", async () => {
  const { snapshot } = await momentOf("fork#2");
  const lines = treeOf(snapshot);
  const table = snapshot.tables.find(({ slot }) => slot === 0x180);
  const name = `0x${table?.frame.toString(16)}`;
  assert.is(lines.filter((line) => line.includes(`table ${name} users 2`)).length, 1);
  assert.is(lines.filter((line) => line.includes(`${name} of pid 2`)).length, 1);
  assert.ok(lines.some((line) => line.includes("1024 present, shared with pid 4")));
  for (const columns of [24, 40, 60, 80]) {
    for (const line of treeOf(snapshot, columns)) assert.ok(line.length <= columns, `${columns}: ${line}`);
  }
});

test("the picture has one box for a shared table and an edge from each sharer; frames are grouped by who maps them", async () => {
  const { snapshot } = await momentOf("fork#2");
  const { boxes, edges } = graphOf(snapshot);
  for (const { frame, sharers, users } of snapshot.tables) {
    const box = boxes.filter(({ id }) => id === `table-${frame}`);
    assert.is(box.length, 1);
    assert.is(box[0].users, users);
    assert.is(edges.filter(({ to }) => to === `table-${frame}`).length, sharers.length);
  }
  assert.is(
    groupFrames(snapshot.mapped).reduce((sum, { frames }) => sum + frames.length, 0),
    snapshot.mapped.length,
  );
  for (const one of boxes) {
    for (const other of boxes) {
      if (one === other || one.kind !== other.kind) continue;
      assert.ok(one.y + one.height <= other.y || other.y + other.height <= one.y, `${one.id} lies over ${other.id}`);
    }
  }
  const svg = svgOf('a "moment" & <more>', [{ title: "fork=share", snapshot }]);
  assert.is(svg.match(/<g/g)?.length, svg.match(/<\/g>/g)?.length);
  assert.not(/<more>/.test(svg), "text is escaped");
});

test.run();
