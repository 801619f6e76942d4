/** What a person can mend gets one line and exit code 2: names, values, memory, directories, declarations, foreign files. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { tine } from "../cli/tine";
import { writeTwin } from "./twin";

const test = suite("lab/badinput");
const folder = mkdtempSync(join(tmpdir(), "tine-labbad-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

writeTwin(folder);
for (const name of ["empty", "foreign", "text", "later", "half", "unknown"]) mkdirSync(join(folder, name));
const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
write("foreign/data.jsonl", '{"some":"data"}\n');
write("text/notes.jsonl", "one\ntwo\nthree\n");
write("later/results.jsonl", '{"tineLab":99}\n');
write("half/results.jsonl", '{"tineLab":1,"experiment":"forktime"}\n');
const fields = { values: {}, mode: "copy", costs: {}, versions: {}, host: { seconds: 1 } };
const whole = { tineLab: 1, experiment: "nowhere", ...fields, status: "ok", figures: {}, distributions: {} };
write("unknown/results.jsonl", `${JSON.stringify(whole)}\n`);
write("plainfile", "");
write("syntax.mjs", "export default {");
write("nothing.mjs", "export const x = 1;");
write("half.mjs", 'export default { name: "half", title: "", question: "" };');
write("taken.mjs", "export { default } from './twin.mjs';");

const CASES: readonly (readonly [words: string, says: RegExp])[] = [
  ["run", /missing required argument 'name'/],
  ["run nothing", /no experiment is called 'nothing'; there are: \w+/],
  ["run missing.mjs", /missing\.mjs: no such file/],
  ["run syntax.mjs", /syntax\.mjs: Unexpected end of input/],
  ["run nothing.mjs", /nothing\.mjs: its default export is no declaration/],
  ["run half.mjs", /half\.mjs: the declaration wants program, a string/],
  ["run twin.mjs --modes copy,steal", /no mode is called 'steal'; there are: copy, share, auto/],
  ["run twin.mjs --modes copy,,auto", /--modes.*values with commas between/],
  ["run twin.mjs --sizes 4", /'4' is no size: a number with K, M or G/],
  ["run twin.mjs --sizes big", /'big' is no size/],
  ["run twin.mjs --sizes 2K", /size 2 KB: it goes from 4 KB to 1024 MB/],
  [
    "run twin.mjs --sizes 900M",
    /twin: size 900 MB, status 0 needs a machine of 1808 MB; there are machines of 4 to 896 MB/,
  ],
  ["run twin.mjs --set depth=1", /twin: no parameter is called 'depth'; there are: size, status/],
  ["run twin.mjs --set status", /--set wants NAME=VALUES/],
  ["run twin.mjs --set status=x", /status is a number, not 'x'/],
  ["run twin.mjs --cost walks=1", /--cost wants NAME=CYCLES, NAME one of walkRead, trapEntry, iret/],
  ["run twin.mjs --cost iret=fast", /--cost wants/],
  ["run twin.mjs --repeat 0", /--repeat.*from 1 to/],
  ["run twin.mjs --jobs none", /--jobs.*whole number/],
  ["run twin.mjs --shard 3/2", /a shard is I\/N with I from 1 to N, such as 2\/8, not '3\/2'/],
  ["run twin.mjs --out plainfile", /plainfile: it cannot be written|plainfile: not a directory/],
  ["run twin.mjs --out /proc/lab", /\/proc\/lab: it cannot be written/],
  ["run twin.mjs --out foreign", /foreign\/data\.jsonl:1: not a result of tine lab/],
  ["report", /missing required argument 'dir'/],
  ["report half --html nowhere/report.html", /--html.*It cannot be written: no such file/],
  ["report missing", /missing: no such directory/],
  ["report plainfile", /plainfile: not a directory/],
  ["report empty", /empty: no results of tine lab run --out/],
  ["report foreign", /foreign\/data\.jsonl:1: not a result of tine lab/],
  ["report text", /text\/notes\.jsonl: not results of tine lab/],
  ["report later", /later\/results\.jsonl:1: a result of version 99; this is 1/],
  ["report half", /half\/results\.jsonl:1: a result without a proper 'mode'/],
  ["report unknown", /results of 'nowhere', no experiment that is here: name its file with --experiment/],
];

for (const [words, says] of CASES) {
  test(`tine lab ${words}`, () => {
    const { status, stdout, stderr } = tine(["lab", ...words.split(" ")], { cwd: folder });
    assert.is(status, 2, stderr);
    assert.is(stdout, "");
    const lines = stderr.trimEnd().split("\n");
    const said = lines.filter((line) => !line.endsWith("is left out"));
    assert.is(said.length, 1, stderr);
    assert.match(said[0] as string, says);
    assert.match(said[0] as string, /^tine: /);
  });
}

test.run();
