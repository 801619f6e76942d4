/** `tine show`, `tine why` and `tine profile` as a user types them: what they print, and one clear line for bad input. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { tine, withFiles } from "../cli/tine";

const test = suite("show/cli");
/** In a program's own words: no library, so that it can lie anywhere. */
const SEVEN = "export function main(argc: i32, argv: usize, envp: usize): i32 {\n  return 7;\n}\n";
const PROGRAM = "userland/bin/forkdemo.ts";

test("show prints the tree of a moment, its JSON, and writes a picture of both strategies", () => {
  withFiles({}, (folder) => {
    const svg = join(folder, "out.svg");
    const text = tine(["show", "--mem", "16", "--fork", "share", "--at", "fork#2", PROGRAM, "4"]);
    assert.is(text.status, 0, text.stderr);
    assert.match(text.stdout, /^after [\d,]+ instructions, fork=share: pid 2 forks pid 4, 3 tables shared$/m);
    assert.match(text.stdout, /users 2 W=0 1024 present, shared with pid 4$/m);
    assert.match(text.stdout, /^fork=copy then: 8 page tables, 0 shared; /m);
    const both = tine([
      "show",
      "--mem",
      "16",
      "--fork",
      "share",
      "--at",
      "fork#2",
      "--json",
      "--svg",
      svg,
      PROGRAM,
      "4",
    ]);
    const { version, processes, event } = JSON.parse(both.stdout);
    assert.equal([version, processes.length, event], [1, 3, "pid 2 forks pid 4, 3 tables shared"]);
    const picture = readFileSync(svg, "utf8");
    assert.match(picture, /fork=share<.*fork=copy</s);
    assert.not(both.stdout.includes("\u001b"), "no colour where there is no terminal");
  });
});

test("what the guest prints goes to stderr", () => {
  const { stdout, stderr } = tine(["show", "--mem", "16", "--at", "end", PROGRAM, "4"]);
  assert.match(stderr, /^forkdemo 4 MB: /m);
  assert.not(/forkdemo 4 MB: /.test(stdout));
});

test("profile prints totals and tables; as JSON and folded they sum up to the same", () => {
  withFiles({ "seven.ts": SEVEN }, (folder) => {
    const profile = (...options: string[]) => tine(["profile", "--mem", "16", ...options, join(folder, "seven.ts")]);
    const text = profile("--top", "3");
    assert.is(text.status, 0, text.stderr);
    const [head] = text.stdout.split("\n");
    const json = JSON.parse(profile("--json").stdout);
    const number = (value: number): string => value.toLocaleString("en-US");
    assert.is(head, `${number(json.instructions)} instructions, ${number(json.cycles)} cycles`);
    assert.is(text.stdout.trimEnd().split("\n").length, 1 + 4 + 1 + 4, "three functions and three lines");
    const sum = json.functions.reduce((total: number, row: { cycles: number }) => total + row.cycles, 0);
    assert.is(sum, json.cycles);
    const folded = profile("--folded").stdout.trimEnd().split("\n");
    assert.is(
      folded.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(" "))), 0),
      json.cycles,
    );
  });
});

test("bad input gets one line and exit code 2", () => {
  withFiles({ "seven.ts": SEVEN, "broken.ts": SEVEN.replace("7;", "7 +;") }, (folder) => {
    const seven = join(folder, "seven.ts");
    const cases: [args: string[], says: RegExp][] = [
      [
        ["show", "--at", "sometime", seven],
        /^tine: --at sometime: no moment is called 'sometime'; there are pf, .*instret:N, end/,
      ],
      [["show", "--at", "fork#0", seven], /^tine: --at fork#0: no moment/],
      [["show", "--at", "fork", seven], /^tine: --at fork: the run ended \(exit\) after \d+ instructions without it$/],
      [["show", "--at", "instret:10", seven], /^tine: --at instret:10: the kernel has not set up its memory$/],
      [["show", "--svg", "/nowhere/out.svg", seven], /^tine: .*--svg.* It cannot be written: no such file/],
      [["show", "--html", "/dev/full", seven], /^tine: (\/dev\/full: )?no space left on the disk$/],
      [["show", "--perfetto", folder, seven], /^tine: .*--perfetto.*is a directory/],
      [["show", join(folder, "none.ts")], /^tine: .*none\.ts: no such file$/],
      [["show"], /^tine: missing required argument 'program'/],
      [["why", "frame", seven], /^tine: frame: it wants the number of a frame, up to 0x3fff$/],
      [["why", "0x4000", seven], /^tine: 0x4000: it wants the number of a frame/],
      [["why", "0x400"], /^tine: missing required argument 'program'/],
      [["profile", "--by", "seconds", seven], /^tine: .*'seconds' is invalid/],
      [["profile", "--top", "0", seven], /^tine: .*whole number of rows from 1/],
      [["profile", "--svg", "/dev/full", seven], /^tine: (\/dev\/full: )?no space left on the disk$/],
      [["profile", join(folder, "broken.ts")], /^tine: .*broken\.ts/],
    ];
    for (const [args, says] of cases) {
      const { status, stderr, stdout } = tine(args);
      const lines = stderr
        .trimEnd()
        .split("\n")
        .filter((line) => line.startsWith("tine:"));
      assert.is(status, 2, `${args.join(" ")}: ${stderr}`);
      assert.is(stdout, "", args.join(" "));
      assert.is(lines.length, 1, stderr);
      assert.match(lines[0], says);
    }
  });
});

test("a run that is out of budget is shown as far as it went, and said; the exit code is 4", () => {
  withFiles({ "seven.ts": SEVEN }, (folder) => {
    const html = join(folder, "out.html");
    const { status, stderr } = tine(["show", "--budget", "500000", "--html", html, join(folder, "seven.ts")]);
    assert.is(status, 4);
    assert.match(stderr, /^tine: out of budget after 500000 instructions$/m);
    assert.match(readFileSync(html, "utf8"), /<!doctype html>/);
    assert.is(tine(["profile", "--budget", "500000", join(folder, "seven.ts")]).status, 4);
  });
});

test.run();
