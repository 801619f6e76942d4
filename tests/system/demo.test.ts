/**
 * The main job, as a user runs it: `tine demo --all --json`, its shape, and what the figures must show.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { tine } from "../cli/tine";
import { figureRows, numberIn } from "../docs/figures";

interface Row {
  mode: "copy" | "share";
  rmap: "on" | "off";
  megabytes: number;
  fork: { instructions: number; cycles: number; frames: number; rmapAdds: number; tablesCopied: number };
  firstWrite: { instructions: number };
  exit: { instructions: number };
  unshares: number;
}

const SIZES = [4, 16, 64, 256];
/** Slots besides those of the memory that is forked: program, stack. */
const OTHER_TABLES = 4;

const test = suite("system/demo");
const { status, stdout, stderr } = tine(["demo", "--all", "--json"]);
const result =
  status === 0 ? (JSON.parse(stdout) as { version: number; rows: Row[]; leakedFrames: number }) : undefined;

function row(mode: Row["mode"], megabytes: number, rmap: Row["rmap"] = "on"): Row {
  const found = result?.rows.find((one) => one.mode === mode && one.rmap === rmap && one.megabytes === megabytes);
  assert.ok(found, `there is a row for fork=${mode}, rmap=${rmap}, ${megabytes} MB`);
  return found as Row;
}

test("it ends well and prints one line of JSON", () => {
  assert.is(status, 0, stderr);
  assert.is(stdout.trimEnd().split("\n").length, 1);
  assert.is(result?.version, 2);
});

const KINDS = (["copy", "share"] as const).flatMap((mode) => [[mode, "on"] as const, [mode, "off"] as const]);

test("a row for each mode and size, with and without reverse map, of numbers only", () => {
  assert.is(result?.rows.length, KINDS.length * SIZES.length);
  for (const [mode, rmap] of KINDS) {
    for (const megabytes of SIZES) {
      const { fork, firstWrite, exit, unshares, ...rest } = row(mode, megabytes, rmap);
      assert.equal(rest, { mode, rmap, megabytes });
      assert.equal(Object.keys(fork), ["instructions", "cycles", "frames", "rmapAdds", "tablesCopied"]);
      for (const value of [...Object.values(fork), firstWrite.instructions, exit.instructions, unshares]) {
        assert.ok(Number.isInteger(value) && value >= 0, `${value} is a count`);
      }
    }
  }
});

test("nothing leaks", () => {
  assert.is(result?.leakedFrames, 0);
});

test("share: one frame, no rmap entry, whatever the size", () => {
  for (const megabytes of SIZES) {
    const { fork } = row("share", megabytes);
    assert.is(fork.frames, 1);
    assert.is(fork.rmapAdds, 0);
  }
});

test("share: at most 8,000 instructions and 40 for each table", () => {
  for (const megabytes of SIZES) {
    const most = 8000 + 40 * (megabytes / 4 + OTHER_TABLES);
    const { instructions } = row("share", megabytes).fork;
    assert.ok(instructions <= most, `${megabytes} MB: ${instructions} instructions, at most ${most}`);
  }
});

test("share: a fork of 256 MB costs at most twice one of 4 MB", () => {
  const [small, large] = [row("share", 4).fork, row("share", 256).fork];
  assert.ok(large.cycles <= 2 * small.cycles, `${large.cycles} cycles against ${small.cycles}`);
  assert.ok(large.instructions <= 2 * small.instructions, `${large.instructions} against ${small.instructions}`);
});

test("copy: every table and every page, at most 60 instructions for each", () => {
  const { fork, unshares } = row("copy", 256);
  assert.ok(fork.frames >= 65, `${fork.frames} frames`);
  assert.ok(fork.rmapAdds >= 65_536, `${fork.rmapAdds} entries`);
  assert.ok(fork.instructions <= 60 * 65_536, `${fork.instructions / 65_536} instructions a pte`);
  assert.is(unshares, 0);
});

test("at 256 MB copy costs at least 200 times the cycles of share", () => {
  const ratio = row("copy", 256).fork.cycles / row("share", 256).fork.cycles;
  assert.ok(ratio >= 200, `${ratio.toFixed(1)} times`);
});

test("rmap=off: copying costs less, sharing as much, and sharing still wins", () => {
  for (const megabytes of SIZES) {
    const [copy, share] = [row("copy", megabytes, "off").fork, row("share", megabytes, "off").fork];
    assert.is(copy.rmapAdds, 0);
    assert.ok(copy.instructions < 0.6 * row("copy", megabytes).fork.instructions, `copying ${megabytes} MB`);
    assert.ok(copy.frames <= megabytes / 4 + OTHER_TABLES + 1, `${copy.frames} frames: the directory and the tables`);
    assert.is(share.frames, 1);
    assert.ok(share.cycles <= row("share", megabytes).fork.cycles, `sharing ${megabytes} MB`);
    assert.ok(share.cycles < copy.cycles);
  }
});

test("docs/figures.md says what a fork of 256 MB still costs", () => {
  const documented = figureRows("fork").filter(([memory]) => memory === "256 MB");
  for (const [mode, rmap] of KINDS) {
    const written = documented.find(([, name]) => name === (rmap === "on" ? mode : `${mode}, no rmap`));
    const { instructions, cycles } = row(mode, 256, rmap).fork;
    for (const [now, then] of [
      [instructions, numberIn(written?.[2])],
      [cycles, numberIn(written?.[3])],
    ] as const) {
      assert.ok(Math.abs(now - then) <= 0.03 * now, `fork=${mode}, rmap=${rmap}: ${now}, written is ${then}`);
    }
  }
});

test("share pays later: the first write copies a table, exit of a sharer is cheap", () => {
  for (const megabytes of SIZES) {
    const [copy, share] = [row("copy", megabytes), row("share", megabytes)];
    assert.ok(share.firstWrite.instructions > copy.firstWrite.instructions, `first write at ${megabytes} MB`);
    assert.ok(share.unshares > 0);
  }
  assert.ok(row("share", 256).exit.instructions * 10 < row("copy", 256).exit.instructions, "exit at 256 MB");
});

test.run();
