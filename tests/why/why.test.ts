/** Why a frame is shared, on the kernel as it is: lives, stays, writes, and that the run is left where it was. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { modelOf } from "../../tools/audit/model";
import { History } from "../../tools/replay/history";
import { findMoment } from "../../tools/show/find";
import type { Snapshot } from "../../tools/show/snapshot";
import { parseTarget } from "../../tools/show/target";
import { programsOf } from "../../tools/trace/programs";
import { type Explanation, explainFrame } from "../../tools/why/explain";
import { explanationLines } from "../../tools/why/text";
import { layout } from "../audit/planted";
import { builtImages, machineFor } from "../guest/guest";
import { driveOf } from "../show/drive";

const test = suite("why");
const built = await builtImages();
const programs = programsOf([built.initrd]);
const DATA_SLOT = 0x180;
const { kindNames } = modelOf(layout);

/** forkdemo at a moment. */
async function at(moment: string): Promise<{ history: History; snapshot: Snapshot }> {
  const { machine } = machineFor(built, { commandLine: "quiet fork=share -- /bin/forkdemo 4", memoryMB: 16 });
  const history = new History(machine, { spacing: 200_000 });
  const found = await findMoment(machine, layout, parseTarget(moment), driveOf(machine));
  if (!("snapshot" in found)) throw new Error(`no ${moment}`);
  return { history, snapshot: found.snapshot };
}

function explain(history: History, frame: number): Explanation {
  return explainFrame({ history, layout, kernel: built.kernel, programs }, frame);
}

function linesOf(explanation: Explanation): string[] {
  return explanationLines(explanation, new Map([[2, "forkdemo"]]), kindNames);
}

test("a shared table: who uses it, since which fork, and every change of users and of its entries, by line", async () => {
  const { history, snapshot } = await at("fork#2");
  const { instret, registers } = history.machine;
  const table = snapshot.tables.find(({ slot }) => slot === DATA_SLOT);
  const explanation = explain(history, table?.frame ?? -1);
  assert.equal(history.machine.instret, instret, "the machine is where it was");
  assert.equal(history.machine.registers, registers);
  assert.is(explanation.kind, "table");
  assert.ok(explanation.isAlive);
  const [birth, fork] = explanation.stays;
  assert.is(explanation.stays.length, 2);
  assert.equal(
    birth.writes.map(({ word, after }) => `${word.name} ${word.name === "users" ? after : ""}`.trim()),
    ["kind", "users 1", "pde of pid 2"],
  );
  assert.equal(fork.writes.map(({ word }) => word.name).sort(), ["pde of pid 2", "pde of pid 4", "users"]);
  for (const { writes } of [birth, fork]) {
    for (const { chain, pid } of writes) {
      assert.is(pid, 2);
      assert.ok(chain.length > 3 && chain.at(-1)?.name === "trapEntry", JSON.stringify(chain));
    }
  }
  for (const { chain } of fork.writes) {
    assert.is(chain[0].name, "shareTables");
    assert.is(chain[0].file, "kernel/mm/ptshare.ts");
    assert.ok(chain.some(({ name }) => name === "copyPageRange"));
  }
  assert.equal(
    [...explanation.stays.flatMap(({ doubts }) => doubts)],
    [],
    "nothing is doubted of a kernel that is right",
  );
  const lines = linesOf(explanation);
  assert.match(lines[0], /is the page table of slot 384 \(0x60000000-0x603fffff\), users 2$/);
  assert.match(lines[1], /^ {2}pid 2 forkdemo uses it since instruction \d+, page fault: write at 0x60000000$/);
  assert.match(lines[2], /^ {2}pid 4 {2}uses it since instruction \d+, the fork of pid 4 by pid 2$/);
});

test("a table that is free at the end: who left it, when and by which line; the instruction before it, the entry was there", async () => {
  const shared = await at("fork#2");
  const frame = shared.snapshot.tables.find(({ slot }) => slot === DATA_SLOT)?.frame ?? -1;
  const { history } = await at("end");
  const explanation = explain(history, frame);
  assert.not(explanation.isAlive);
  const text = linesOf(explanation).join("\n");
  assert.match(text, /is free now, and was until instruction \d+ the page table of slot 384/);
  assert.match(text, /pid 4 left at instruction \d+: pid 4 unshares slot 384 \(write\), by adoptTable/);
  assert.match(text, /pid 2 left at instruction \d+: munmap\(0x60000000, 4194304\), by releaseTable/);
  assert.match(text, /page fault: write at 0x60001000, at child userland\/bin\/forkdemo\.ts:\d+/);
  const left = explanation.stays
    .flatMap(({ writes }) => writes)
    .find(({ word, after }) => word.name === "pde of pid 4" && after >>> 12 !== frame);
  if (left === undefined) throw new Error("pid 4 never left");
  const word = (): number => new Uint32Array(history.machine.readPhysical(left.word.index * 4, 4).buffer)[0];
  history.seek(left.instret - 1);
  assert.is(word() >>> 12, frame, "one instruction before");
  history.seek(left.instret);
  assert.is(word(), left.after, "and after it");
});

test("a data frame: each pte that came and went, with count and reverse map", async () => {
  const { history, snapshot } = await at("cow");
  const twice = snapshot.mapped.find(({ ptes }) => ptes.length === 2);
  const explanation = explain(history, twice?.frame ?? -1);
  assert.is(explanation.kind, "data");
  assert.is(explanation.mappers.length, 2);
  const names = explanation.stays.at(-1)?.writes.map(({ word }) => word.name.replace(/ .*/, "")) ?? [];
  assert.equal([...new Set(names)].sort(), ["count", "pte", "rmap"]);
  assert.match(linesOf(explanation).join("\n"), /count: 1 > 2, by copyPtes\+0x[0-9a-f]+ kernel\/mm\/pagetable\.ts:\d+/);
  assert.equal(
    explanation.stays.flatMap(({ doubts }) => doubts),
    [],
  );
});

test("a frame that never was a table or data says so", async () => {
  const { history } = await at("fork");
  assert.match(
    linesOf(explain(history, 0x100)).join("\n"),
    /^frame 0x100 is reserved, and has never been a page table or data$/,
  );
  assert.match(linesOf(explain(history, 0xfffff)).join("\n"), /is no frame/);
});

test.run();
