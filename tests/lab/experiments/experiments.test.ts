/** Each experiment at a small size in every mode: figures as they must be if program and declaration do what they say. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { forkserver } from "../../../tools/lab/experiments/forkserver";
import { forktime } from "../../../tools/lab/experiments/forktime";
import { EXPERIMENTS } from "../../../tools/lab/experiments/index";
import { prefork } from "../../../tools/lab/experiments/prefork";
import { pressure } from "../../../tools/lab/experiments/pressure";
import { rmapcost } from "../../../tools/lab/experiments/rmapcost";
import { snapshot } from "../../../tools/lab/experiments/snapshot";
import { storm } from "../../../tools/lab/experiments/storm";
import { touch } from "../../../tools/lab/experiments/touch";
import { type Figures, figuresOf, inModes, one, runOne } from "./laboratory";

const test = suite("lab/experiments");
const ALL = ["copy", "share", "auto"] as const;
const TWO = ["copy", "share"] as const;

/** Ratio of a figure of two points. */
function ratio(dear: Figures, cheap: Figures, name: string): number {
  return one(dear, name) / one(cheap, name);
}

test("forktime: copying grows with the pages, sharing hardly; each step costs more than the one before", async () => {
  const small = await inModes(forktime, { size: 400 }, ALL);
  const large = await inModes(forktime, { size: 8192 }, ALL);
  assert.ok(ratio(large.copy, small.copy, "fork") > 8, "twenty times the pages");
  assert.ok(ratio(large.share, small.share, "fork") < 1.1);
  for (const mode of ["copy", "share", "auto"] as const) {
    assert.ok(one(large[mode], "fork") < one(large[mode], "forkExit"));
    assert.ok(one(large[mode], "forkExit") < one(large[mode], "forkExecExit"));
  }
  assert.is(one(large.share, "forkFrames"), 1);
  assert.is(one(large.share, "forkRmapAdds"), 0);
  // Two tables of the memory, the program's and the stack's; an entry for each page, and some of program and stack.
  assert.is(one(large.copy, "tablesCopied"), 4);
  assert.ok(one(large.copy, "forkRmapAdds") >= 2048 && one(large.copy, "forkRmapAdds") < 2048 + 40);
});

test("touch: as many pages are copied as are written, in whatever order, and a table is unshared once", async () => {
  for (const writer of ["child", "parent"]) {
    for (const order of ["in-order", "random", "spread"]) {
      const { copy, share } = await inModes(touch, { size: 8192, order, writer, pages: 16 }, TWO);
      for (const figures of [copy, share]) {
        const copied = one(figures, "pagesCopied");
        assert.ok(copied >= 16 && copied <= 20, `${copied} pages copied, some of them of the stack`);
      }
      assert.is(one(copy, "tablesUnshared"), 0);
      // In order all 16 lie in the first table; else in both. The program's and the stack's tables come on top.
      const tables = order === "in-order" ? 1 : 2;
      assert.ok(one(share, "tablesUnshared") >= tables && one(share, "tablesUnshared") <= tables + 2);
      assert.ok(one(share, "cost") < (order === "in-order" ? 0.75 : 1.02) * one(copy, "cost"), `${writer} ${order}`);
    }
  }
});

test("storm: so many processes are forked, and each costs about the same in each mode", async () => {
  for (const work of ["exec", "script"]) {
    const { copy, share, auto } = await inModes(storm, { work, count: 30 }, ALL);
    const processes = one(copy, "processes");
    // The script ends with a pipeline of three at most, one command more, and is itself a process.
    assert.ok(processes >= 30 && processes <= 34, `${processes} processes`);
    for (const figures of [share, auto]) {
      const times = ratio(figures, copy, "cost");
      assert.ok(times > 0.85 && times < 1.02, `${work}: ${times}`);
      assert.is(one(figures, "processes"), processes);
    }
  }
});

test("snapshot: copy stands still for as long as it copies tables; writes and pages copied are the same", async () => {
  const { copy, share, auto } = await inModes(snapshot, { size: 8192 }, ALL);
  for (const figures of [share, auto]) {
    assert.ok(ratio(copy, figures, "pause") > 10);
    assert.ok(ratio(copy, figures, "longest") > 1);
    assert.is(one(figures, "writes"), one(copy, "writes"));
  }
  assert.ok(one(copy, "longest") > one(copy, "pause"), "a write waits for the fork");
  for (const figures of [copy, share, auto]) {
    const [idle, p50, p99, longest] = ["idleP50", "p50", "p99", "longest"].map((name) => one(figures, name));
    assert.ok(Number(idle) < Number(p50) && Number(p50) <= Number(p99) && Number(p99) < Number(longest));
    const pages = one(figures, "pagesCopied");
    assert.ok(pages > 500 && pages < 2048 + 20, `${pages} of 2,048 pages and the stack's`);
    assert.ok(one(figures, "peakFrames") >= pages + one(figures, "peakTables"));
  }
});

test("forkserver: more runs in the same time where tables are shared and few are written", async () => {
  const { copy, share, auto } = await inModes(forkserver, { size: 16384, pages: 1 }, ALL);
  for (const figures of [share, auto]) assert.ok(ratio(figures, copy, "rate") > 1.5);
  const rate = one(share, "rate");
  assert.ok(Math.abs(rate * one(share, "cost") - 1e9) < 1, "rate and cost say the same");
});

test("prefork: users is the number of processes; when all have written, all take the same", async () => {
  for (const [shape, processes] of [
    [{ depth: 1, width: 12 }, 12],
    [{ depth: 3, width: 3 }, 39],
    [{ depth: 20, width: 1 }, 20],
  ] as const) {
    for (const first of ["root", "workers"]) {
      const { copy, share } = await inModes(prefork, { ...shape, size: 4096, first }, TWO);
      assert.is(one(share, "processes"), processes);
      assert.is(one(share, "users"), processes + 1);
      assert.is(one(copy, "users"), 1);
      assert.is(one(share, "usersAfter"), 1);
      assert.ok(ratio(copy, share, "memory") > 1.5);
      assert.ok(Math.abs(one(copy, "memoryInAllAfter") - one(share, "memoryInAllAfter")) <= 16);
      if (first === "workers")
        assert.ok(one(share, "lastWrite") < 0.05 * one(share, "longestWrite"), "nothing to copy");
    }
  }
});

test("rmapcost: chains grow by seven ptes a block where tables are copied, and not at all where they are shared", async () => {
  const { copy, share } = await inModes(rmapcost, { sharers: 9, size: 4096 }, TWO);
  assert.ok(one(copy, "adds") >= 1024 && one(copy, "adds") < 1024 + 40);
  assert.is(one(share, "adds"), 0);
  // Nine ptes a page are two blocks of 32 bytes.
  assert.ok(Math.abs(one(copy, "bytesAPage") - 64) < 1, String(one(copy, "bytesAPage")));
  assert.ok(one(share, "bytesAPage") < 1);
  assert.ok(ratio(copy, share, "unmap") > 5);
  for (const figures of [copy, share]) {
    assert.is(one(figures, "unmapped"), 512);
    assert.is(one(figures, "swapOuts"), 512);
    assert.ok(one(figures, "swapIns") > 450 && one(figures, "swapIns") <= 512);
  }
});

test("pressure: what does not fit goes to the disk and comes back; with RAM enough nothing does", async () => {
  const values = { size: 4096, children: 8, part: 8 };
  const short = await figuresOf(pressure, { ...values, ram: 9 * 1024 }, "share");
  const enough = await figuresOf(pressure, { ...values, ram: 32 * 1024 }, "share");
  assert.ok(one(short, "swapIns") > 500 && one(short, "swapOuts") > 500 && one(short, "faultsWaiting") > 0);
  assert.is(one(short, "sectorsRead"), 8 * one(short, "swapIns"));
  assert.is(one(enough, "swapIns") + one(enough, "swapOuts") + one(enough, "sectorsRead"), 0);
  assert.ok(ratio(short, enough, "time") > 2);
});

test("a program says what is wrong and fails: arguments, memory, swap", async () => {
  for (const experiment of EXPERIMENTS) {
    const values = Object.fromEntries(experiment.parameters.map(({ name, values }) => [name, values[0] as number]));
    const result = await runOne({ ...experiment, arguments: () => ["1", "x"] }, values, "share");
    assert.is(result.status, "failed", experiment.name);
    if (result.status === "failed") assert.match(result.reason, /the program failed .* (usage: |FAILED: )/);
  }
  const tooLittle = await runOne({ ...forktime, memoryMB: () => 12 }, { size: 65536 }, "share");
  assert.ok(tooLittle.status === "failed" && /the guest said: FAILED: no memory$/.test(tooLittle.reason));
  const { swapMB: _, ...withoutSwap } = pressure;
  const noSwap = await runOne(withoutSwap, { ram: 32768, size: 4096, children: 2, part: 2 }, "share");
  assert.ok(noSwap.status === "failed" && /FAILED: there is swap$/.test(noSwap.reason));
});

test.run();
