/** The differential fuzzer of memory management: a part of its seeds, its cases, its command. */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findRoot } from "../../tools/compiler/index";
import { Op } from "../../userland/fuzz/format";
import { readCases } from "./mm/cases";
import { raceOf } from "./mm/check";
import { Comparer } from "./mm/compare";
import { generate } from "./mm/generate";
import { FuzzGuest } from "./mm/guest";
import { fuzzImages } from "./mm/images";
import { encode, type Operation, type Program, parse, print } from "./mm/program";

const test = suite("fuzz/mm");
const images = await fuzzImages();

const SEEDS = 150;

test(`P57 ${SEEDS} random programs give the same in every way to fork, and the audit finds nothing`, () => {
  const comparer = new Comparer(images);
  for (let seed = 1; seed <= SEEDS; seed++) assert.is(comparer.difference(generate(seed)), undefined, `seed ${seed}`);
});

test("what the fuzzer makes is the same in every schedule, and can be written down and read", () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const program = generate(seed);
    assert.is(raceOf(program), undefined, `seed ${seed}`);
    assert.equal(parse(print(program)), program);
    assert.ok(encode(program).words.length > 0);
  }
});

const without = (program: Program, gone: (operation: Operation) => boolean): Program => ({
  ...program,
  processes: program.processes.map((operations) => operations.filter((operation) => !gone(operation))),
});

test("a program whose messages are taken out has races, or waits for ever", () => {
  const programs = Array.from({ length: 40 }, (_, seed) => generate(seed + 1));
  const races = programs.map((program) => raceOf(without(program, ({ op }) => op === Op.Send || op === Op.Receive)));
  assert.ok(races.some((text) => text?.includes("races with")));
  const deaf = programs.map((program) => raceOf(without(program, ({ op }) => op === Op.Send)));
  assert.ok(deaf.some((text) => text?.includes("waits for ever")));
});

test("slices end where a program says, which changes the order of things and no result", () => {
  const guest = new FuzzGuest("share", "standard", images);
  const text = `
    process 0
      fork 1
      write private+0x0 4 0x1000 7
      read private+0x0 4 0x1000
      wait 1 null+0x0
    process 1
      write private+0x0 4 0x1000 9
      read private+0x0 4 0x1000
      exit 5
  `;
  const plain = guest.run(parse(text));
  const cut = guest.run(parse(`ticks 0 500 6\nticks 1 40 6\n${text}`));
  assert.is(plain.end, "done");
  assert.equal(cut.said, plain.said);
  assert.is.not(cut.instructions, plain.instructions);
  assert.equal(guest.run(parse(`ticks 0 500 6\nticks 1 40 6\n${text}`)), cut, "and again the same");
});

for (const { name, program } of readCases(path.join(findRoot(), "tests/fuzz/mmcases"))) {
  test(`what the fuzzer once found: ${name}`, () => {
    assert.is(raceOf(program), undefined);
    assert.is(new Comparer(images).difference(program), undefined);
  });
}

/** `npm run fuzz:mm`: exit status and output. */
function command(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync("node", ["tests/start.mjs", "fuzz/mm", ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
}

test("the command runs seeds in threads, prints programs, runs cases, refuses what it does not know", () => {
  const seeds = command("--seeds", "3", "--first", "5", "--jobs", "2");
  assert.is(seeds.status, 0, seeds.stderr);
  assert.match(seeds.stdout, /^3 seeds in [0-9.]+ s, 0 failed\n$/);
  assert.is(command("--print", "17").stdout, print(generate(17)));
  assert.is(command("--case", "tests/fuzz/mmcases/reclaim-all.case").stdout, "no difference\n");
  const missing = command("--case", "/nowhere.case");
  assert.is(missing.status, 2);
  assert.match(missing.stderr, /^fuzz:mm: .*\/nowhere\.case.*\n$/);
  assert.match(command("--seeds", "x").stderr, /^fuzz:mm: --seeds wants a whole number, not 'x'\n$/);
});

test.run();
