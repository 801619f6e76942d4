/** The profile is exact: its sums are the machine's counts, by code, by function, by line and by stack; and it costs the guest nothing. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { flameSvg } from "../../tools/profile/flame";
import { Profiler } from "../../tools/profile/profiler";
import { foldedStacks, functionRows, lineRows, type Unit } from "../../tools/profile/report";
import { programsOf } from "../../tools/trace/programs";
import { builtImages, machineFor } from "../guest/guest";

const test = suite("profile");
const built = await builtImages();
const options = { commandLine: "quiet fork=share -- /bin/forkdemo 4", memoryMB: 16 };
const UNITS: readonly Unit[] = ["instructions", "cycles"];

function profiled(commandLine = options.commandLine) {
  const { machine } = machineFor(built, { ...options, commandLine });
  const profiler = new Profiler(machine, built.kernel, programsOf([built.initrd]));
  const stop = profiler.run({ maxInstructions: 1e8 });
  assert.equal(stop, { reason: "exit", value: 0 });
  return { machine, profile: profiler.profile };
}

const { machine, profile } = profiled();
const plain = machineFor(built, options).machine;
plain.run({ maxInstructions: 1e8 });

test("totals are those of the run, which is the same without a profile", () => {
  assert.is(machine.instret, plain.instret);
  assert.is(machine.cycles, plain.cycles);
  assert.is(profile.instructions, plain.instret);
  assert.is(profile.cycles, plain.cycles);
});

test("the sums by function, by line and by stack are the totals, and no function has more than all", () => {
  for (const unit of UNITS) {
    const functions = functionRows(profile, unit);
    const lines = lineRows(profile, unit);
    for (const rows of [functions, lines]) {
      assert.is(
        rows.reduce((sum, row) => sum + row.instructions, 0),
        profile.instructions,
      );
      assert.is(
        rows.reduce((sum, row) => sum + row.cycles, 0),
        profile.cycles,
      );
      for (let i = 1; i < rows.length; i++) assert.ok(rows[i - 1][unit] >= rows[i][unit], "the dearest first");
    }
    for (const { total, instructions, cycles, name } of functions) {
      assert.ok(total.instructions >= instructions && total.instructions <= profile.instructions, name);
      assert.ok(total.cycles >= cycles && total.cycles <= profile.cycles, name);
    }
    const stacks = foldedStacks(profile, unit);
    assert.is(
      stacks.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0),
      profile[unit],
    );
    assert.is(
      new Set(stacks.map((line) => line.slice(0, line.lastIndexOf(" ")))).size,
      stacks.length,
      "each stack once",
    );
  }
});

test("stacks lead from the program's main through a trap into the kernel, and end where the return is", () => {
  const stacks = foldedStacks(profile, "instructions").map((line) => line.slice(0, line.lastIndexOf(" ")));
  const fork = stacks.filter((stack) =>
    /^forkdemo;_start;main;.*;trapEntry;trapDispatch;sysFork;.*copyPageRange/.test(stack),
  );
  assert.ok(fork.length > 0, "fork, from main to copyPageRange");
  const unshare = stacks.filter((stack) =>
    /^forkdemo;_start;main;.*handleMmFault;unshareTable;copyTable;copyPtes$/.test(stack),
  );
  assert.ok(unshare.length > 0, "an unshare");
  const deepest = Math.max(...stacks.map((stack) => stack.split(";").length));
  assert.ok(deepest < 40, `no frame is left behind: ${deepest} deep`);
  for (const stack of stacks) assert.not(/;main;.*;main(;|$)/.test(stack), `main calls main: ${stack}`);
});

test("a child of fork goes on in its parent's functions", () => {
  const stacks = foldedStacks(profiled("quiet fork=copy -- /bin/forkdemo 4").profile, "instructions");
  assert.ok(
    stacks.some(
      (stack) =>
        /^forkdemo;_start;main;(demonstrate;)?child;/.test(stack) ||
        /^forkdemo;_start;main;demonstrate;child /.test(stack),
    ),
  );
  const roots = new Set(stacks.map((stack) => stack.split(";")[0].split(" ")[0]));
  assert.equal([...roots].sort(), ["forkdemo", "init", "kernel"]);
});

test("of two programs of one name the one counts that runs", () => {
  const other = built.initrd;
  const twice = [...programsOf([other])];
  const forkdemo = twice.find(({ path }) => path === "/bin/forkdemo");
  const init = twice.find(({ path }) => path === "/bin/init");
  if (forkdemo === undefined || init === undefined) throw new Error("the initrd has forkdemo and init");
  const { machine: again } = machineFor(built, options);
  const profiler = new Profiler(again, built.kernel, [{ path: "/tests/forkdemo", elf: init.elf }, ...twice]);
  profiler.run({ maxInstructions: 1e6 });
  const names = functionRows(profiler.profile, "cycles").filter(({ image }) => image === "forkdemo");
  assert.ok(
    names.some(({ name }) => name === "demonstrate" || name === "main"),
    JSON.stringify(names),
  );
  const lines = lineRows(profiler.profile, "cycles").filter(({ image }) => image === "forkdemo");
  assert.ok(
    lines.some(({ place }) => place.startsWith("userland/bin/forkdemo.ts:")),
    "its own lines",
  );
  assert.not(
    lines.some(({ place }) => place.startsWith("userland/bin/init.ts:")),
    "none of the other's",
  );
});

test("the flame graph is as wide as the whole, at the bottom, and its boxes lie within those below", () => {
  const svg = flameSvg("forkdemo", profile, "cycles");
  const boxes = [...svg.matchAll(/<rect class="\w+" x="([\d.]+)" y="(\d+)" width="([\d.]+)"/g)].map((match) => ({
    x: Number(match[1]),
    y: Number(match[2]),
    width: Number(match[3]),
  }));
  const bottom = Math.max(...boxes.map(({ y }) => y));
  const width = boxes.filter(({ y }) => y === bottom).reduce((sum, box) => sum + box.width, 0);
  assert.ok(Math.abs(width - 1180) < 2, `the bottom row is ${width} wide`);
  for (const box of boxes) {
    if (box.y === bottom) continue;
    const below = boxes.some(
      ({ x, y, width: w }) => y === box.y + 18 && x <= box.x + 0.2 && box.x + box.width <= x + w + 0.2,
    );
    assert.ok(below, `a box at ${box.x}, ${box.y} stands on none`);
  }
});

test.run();
