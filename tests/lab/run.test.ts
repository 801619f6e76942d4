/** `tine lab run`: the same lines each time, shards that make the whole, runs that go on where they stopped, failures that stay in sight. */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ResultLine } from "../../tools/lab/results";
import { type Ended, tine } from "../cli/tine";
import { writeTwin } from "./twin";

const test = suite("lab/run");
const folder = mkdtempSync(join(tmpdir(), "tine-lab-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));
writeTwin(folder);

const lab = (words: string): Ended => tine(["lab", ...words.split(" ")], { cwd: folder });

function parse(text: string): ResultLine[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as ResultLine);
}

const fileOf = (name: string): string => join(folder, name, "results.jsonl");

/** What must be the same on every host. */
function guest({ host: _, versions: __, ...line }: ResultLine): Omit<ResultLine, "host" | "versions"> {
  return line;
}

const sorted = (lines: readonly ResultLine[]): string[] => lines.map((line) => JSON.stringify(guest(line))).sort();

/** The whole grid of the twin, run once. */
const printed = lab("run twin.mjs --json --jobs 2 --out whole").stdout;
const whole = parse(printed);

/** A directory with results, as a run leaves it. */
function hold(name: string, text: string): void {
  mkdirSync(join(folder, name));
  writeFileSync(fileOf(name), text);
}

test("lists the tree's experiments with their parameters and figures", () => {
  const { status, stdout } = lab("list");
  assert.is(status, 0);
  assert.match(stdout, /^\w+: /);
  assert.match(stdout, /\n {2}figures: .*\(cycles\)/);
});

test("a run gives every point, in the order of the grid, with all that makes it repeatable", () => {
  assert.equal(
    whole.map(({ values, mode }) => `${values.size} ${mode}`),
    [64, 256, 1024].flatMap((size) => ["copy", "share", "auto"].map((mode) => `${size} ${mode}`)),
  );
  for (const line of whole) {
    assert.is(line.status, "ok");
    assert.is(line.commandLine, `quiet fork=${line.mode} -- /bin/twin ${line.values.size} 0`);
    assert.match(line.kernel, /^[0-9a-f]{64}$/);
    assert.match(line.initrd, /^[0-9a-f]{64}$/);
    assert.is(line.status === "ok" ? line.figures.kilobytes : 0, line.values.size);
    assert.is(line.status === "ok" ? line.distributions.all?.count : 0, 20);
  }
});

test("a point repeated is the same to the last digit; host time is beside it", () => {
  const { status, stdout } = lab("run twin.mjs --json --sizes 256K --modes share --repeat 2 --jobs 2");
  const lines = parse(stdout);
  assert.is(status, 0);
  assert.equal(
    lines.map(({ repeat }) => repeat),
    [1, 2],
  );
  const known = whole.find(({ values, mode }) => values.size === 256 && mode === "share") as ResultLine;
  for (const line of lines) assert.equal({ ...guest(line), repeat: 1 }, guest(known));
  assert.ok(lines.every(({ host }) => host.seconds > 0));
});

test("shards make the whole, and a report of them is the report of the whole", () => {
  for (const shard of ["1/2", "2/2"]) assert.is(lab(`run twin.mjs --shard ${shard} --out shards`).status, 0);
  const [one, two] = ["1of2", "2of2"].map((name) =>
    parse(readFileSync(join(folder, "shards", `results-${name}.jsonl`), "utf8")),
  ) as [ResultLine[], ResultLine[]];
  assert.equal([one.length, two.length], [5, 4]);
  assert.equal(sorted([...one, ...two]), sorted(whole));
  const tables = (name: string): string => {
    const { status, stdout } = lab(`report ${name} --experiment twin.mjs`);
    assert.is(status, 0);
    return stdout.slice(0, stdout.indexOf("host time"));
  };
  assert.match(tables("whole"), /│ +64 KB │ +0 │ +[\d,]+ │/);
  assert.is(tables("shards"), tables("whole"));
});

test("a shard without a point is no error, and does not keep a report from being made", () => {
  assert.is(lab("run twin.mjs --sizes 64K --modes copy --shard 2/2 --out none").status, 0);
  assert.is(lab("report none whole --experiment twin.mjs").status, 0);
  assert.is(lab("report none --experiment twin.mjs").status, 2);
});

test("what is there is not run again, a half-written line is dropped with a notice and made again", () => {
  const cut = printed.slice(0, -100);
  hold("resumed", cut);
  const { status, stderr, stdout } = lab("run twin.mjs --out resumed --json");
  assert.is(status, 0);
  assert.match(stderr, /^tine: resumed\/results\.jsonl:9: a half-written line is left out$/m);
  const after = readFileSync(fileOf("resumed"), "utf8");
  const kept = cut.slice(0, cut.lastIndexOf("\n") + 1);
  assert.ok(after.startsWith(kept), "the eight whole lines, host time and all, are as they were");
  assert.is(parse(after).length, 9);
  assert.equal(sorted(parse(after)), sorted(whole));
  assert.equal(sorted(parse(stdout)), sorted(whole));
});

test("an interrupted run says so, keeps what it has, and goes on", async () => {
  const words = ["lab", "run", "twin.mjs", "--out", "interrupted", "--jobs", "1", "--json"];
  const child = spawn(process.execPath, [join(process.cwd(), "tools/cli/tine.mjs"), ...words], { cwd: folder });
  let stderr = "";
  child.stderr.on("data", (data) => (stderr += data));
  child.stdout.once("data", () => child.kill("SIGINT"));
  const status = await new Promise((resolve) => child.on("close", resolve));
  assert.is(status, 130);
  const [, made] = /tine: interrupted after (\d) of 9 points; the same command goes on from there/.exec(stderr) ?? [];
  const before = readFileSync(fileOf("interrupted"), "utf8");
  assert.is(parse(before).length, Number(made));
  assert.ok(Number(made) > 0 && Number(made) < 9, stderr);
  assert.is(lab("run twin.mjs --out interrupted").status, 0);
  const after = readFileSync(fileOf("interrupted"), "utf8");
  assert.ok(after.startsWith(before));
  assert.equal(sorted(parse(after)), sorted(whole));
});

test("where there is no room for more results the run ends with a line, and goes on when there is", () => {
  const words = `ulimit -f 4; exec "$0" "$1" lab run twin.mjs --out small --jobs 1`;
  const limited = ["-c", words, process.execPath, join(process.cwd(), "tools/cli/tine.mjs")];
  const { status, stderr } = spawnSync("bash", limited, { cwd: folder, encoding: "utf8" });
  assert.is(status, 2, stderr);
  assert.match(
    stderr,
    /^tine: small\/results\.jsonl: no room for more results; when there is, the same command goes on/m,
  );
  const before = readFileSync(fileOf("small"), "utf8");
  const kept = before.slice(0, before.lastIndexOf("\n") + 1);
  assert.ok(kept !== "" && kept !== before, "some lines were written whole, and the last one half");
  assert.is(lab("run twin.mjs --out small").status, 0);
  const after = readFileSync(fileOf("small"), "utf8");
  assert.ok(after.startsWith(kept));
  assert.equal(sorted(parse(after)), sorted(whole));
});

test("a point that fails is a line with its reason, FAILED in the table, and exit code 1; it is tried again", () => {
  const grid = "run twin.mjs --sizes 64K --set status=0,3 --modes copy";
  const { status, stdout, stderr } = lab(`${grid} --out failing`);
  assert.is(status, 1);
  assert.match(stderr, /^tine: 1 of 2 points FAILED$/m);
  assert.match(stdout, /│ 64 KB │ +3 │ FAILED │/);
  const text = readFileSync(fileOf("failing"), "utf8");
  assert.match(
    text,
    /"status":"failed","reason":"the program failed after \d+ instructions; the guest said: kilobytes=64"/,
  );
  const report = lab("report failing --experiment twin.mjs").stdout;
  assert.match(report, /^points that FAILED\n[\s\S]*the program failed after/m);
  assert.is(lab(`${grid} --out failing`).status, 1);
  const again = parse(readFileSync(fileOf("failing"), "utf8"));
  assert.is(again.length, 3, "the good one is not run again, the failed one is");
  assert.is(lab("run twin.mjs --sizes 64K --modes copy --budget 100000 --out failing").status, 1);
  assert.match(readFileSync(fileOf("failing"), "utf8"), /"reason":"out of budget after 100000 instructions/);
});

test("costs change cycles, are named in the line, and do not change instructions", () => {
  const [line] = parse(lab("run twin.mjs --sizes 64K --modes copy --cost iret=20 --json").stdout) as [ResultLine];
  const known = whole.find(({ values, mode }) => values.size === 64 && mode === "copy") as ResultLine;
  assert.equal(line.costs, { iret: 20 });
  assert.ok(line.status === "ok" && known.status === "ok" && line.figures.first !== undefined);
  if (line.status !== "ok" || known.status !== "ok") return;
  assert.ok((line.figures.first as number) > (known.figures.first as number));
});

test.run();
