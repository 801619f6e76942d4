/**
 * The benchmark's guests in small: each ends well and computes the same on our processor, on v86 with and without JIT, and on QEMU where
 * it is installed. So the figures compare equal work, and the guests are one oracle more.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { GUESTS, imageOf } from "./guests/index";
import { hasQemu, PEERS, runOn } from "./peers";
import { spread } from "./statistics";

const test = suite("bench");
const folder = mkdtempSync(join(tmpdir(), "tine-bench-"));
test.after(() => rmSync(folder, { recursive: true }));

/** Of the benchmark's operations: enough for a JIT to begin. */
const SCALE = 0.01;
const peers = PEERS.filter((peer) => peer !== "qemu" || hasQemu());

for (const guest of GUESTS) {
  test(`${guest.name} computes the same everywhere`, async () => {
    const file = join(folder, guest.name);
    writeFileSync(file, await imageOf(guest, Math.max(4, guest.operations * SCALE), 1));
    const runs = await Promise.all(peers.map((peer) => runOn(peer, file)));
    const [ours] = runs.map(({ checksum }) => checksum);
    assert.match(ours, /^[0-9a-f]{8}$/);
    assert.not.equal(ours, "00000000");
    assert.equal(
      runs.map(({ checksum }, i) => `${peers[i]}: ${checksum}`),
      peers.map((peer) => `${peer}: ${ours}`),
    );
  });
}

test("the work grows with the operations, and our processor counts its instructions", async () => {
  const [alu] = GUESTS;
  const [some, more] = [1000, 3000].map((operations) => join(folder, `alu${operations}`));
  writeFileSync(some, await imageOf(alu, 1000, 1));
  writeFileSync(more, await imageOf(alu, 3000, 1));
  const difference = (await runOn("ours", more)).instructions - (await runOn("ours", some)).instructions;
  assert.is(difference, 2000 * 16);
});

test("a guest that does not come to its end is an error that says so", async () => {
  const image = await imageOf(GUESTS[0], 100, 1);
  // UD2 as the first instruction, with no gates: a triple fault. The image's first bytes follow its ELF and multiboot headers.
  image.set([0x0f, 0x0b], 52 + 32 + 16);
  const file = join(folder, "broken");
  writeFileSync(file, image);
  const error = await runOn("ours", file).then(
    () => undefined,
    (reason: Error) => reason,
  );
  assert.match(error?.message ?? "", /ours: .*broken did not end well.*tripleFault/s);
});

test("a median with its range", () => {
  assert.equal(spread([3, 1, 2]), { median: 2, min: 1, max: 3 });
  assert.equal(spread([4, 1, 2, 3]), { median: 2.5, min: 1, max: 4 });
});

test("wrong options get one line and exit code 2", () => {
  for (const [words, said] of [
    [["--only", "nonsense"], /no guest is called 'nonsense'/],
    [["--peers", "ours,bochs"], /no peer is called 'bochs'/],
    [["--repeat", "0"], /--repeat wants a whole number, not '0'/],
    [["--clock", "sun"], /--clock is wall or cpu, not 'sun'/],
    [["--nonsense"], /--nonsense/],
  ] as const) {
    const { status, stderr } = spawnSync(process.execPath, ["tests/start.mjs", "bench/bench", ...words], {
      encoding: "utf8",
    });
    assert.is(status, 2);
    assert.match(stderr, said);
    assert.is(stderr.trimEnd().split("\n").length, 1);
  }
});

function bench(...words: string[]) {
  return spawnSync(process.execPath, ["tests/start.mjs", "bench/bench", ...words], { encoding: "utf8" });
}

test("the benchmark itself: figures of two emulators and their ratio, for a program and for a reader", () => {
  const options = ["--only", "alu", "--peers", "ours,v86", "--quick", "--repeat", "1"];
  const { stdout, status } = bench(...options, "--json");
  assert.is(status, 0);
  const [{ name, peers: figures, ratios }] = JSON.parse(stdout).results;
  assert.is(name, "alu");
  const times = [figures.ours, figures.v86].map(({ nanoseconds }) => nanoseconds.median);
  assert.ok(Math.abs(ratios.v86.median - times[1] / times[0]) < 1e-9, "the ratio is v86's time over ours");
  const table = bench(...options, "--clock", "cpu");
  assert.is(table.status, 0);
  assert.match(table.stdout, /alu.*loop of 16/);
  const wrong = bench("--only", "nosuch");
  assert.is(wrong.status, 2);
  assert.match(wrong.stderr, /^bench: no guest is called 'nosuch'; there are: alu, .*\n$/);
});

test.run();
