/**
 * `tine show`, `why` and `profile` and the world around them: input for the guest, Ctrl-C, a full disk, a terminal.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { tine, withFiles } from "../cli/tine";
import { needCommand } from "../skip";

const test = suite("show/inputs");

/** Writes back what it reads, line by line, and returns how many bytes that were. */
const ECHO = `
import { read, write } from "tine";
const buffer = memory.data(64);
export function main(): i32 {
  let total = 0;
  for (;;) {
    const got: i32 = read(0, buffer, 64);
    if (got <= 0) break;
    write(1, buffer, got);
    total += got;
  }
  return total;
}`;
const INPUT = "ab\ncde\n";
const ENDLESS =
  'import { print } from "tine";\nexport function main(): i32 {\n  print("on\\n");\n  for (;;) {}\n  return 0;\n}\n';
const TINE = join(process.cwd(), "tools/cli/tine.mjs");

test("what stands on stdin is the guest's, each run of a command gets it, and the run is that of tine trace", () => {
  withFiles({ "echo.ts": ECHO }, (folder) => {
    const program = join(folder, "echo.ts");
    const traced = tine(["trace", "--mem", "16", "--fork", "share", "--trace", "g", program], { input: INPUT });
    assert.match(traced.stderr, /^ab\nab\ncde\ncde\n/);
    const end = Number(/^ *(\d+) .*!END/m.exec(traced.stdout)?.[1]);
    const page = join(folder, "out.html");
    const shown = tine(["show", "--mem", "16", "--fork", "share", "--html", page, "--json", program], { input: INPUT });
    const profiled = tine(["profile", "--mem", "16", "--fork", "share", "--json", program], { input: INPUT });
    assert.equal([shown.status, profiled.status], [0, 0], shown.stderr + profiled.stderr);
    assert.is(profiled.stderr, "ab\nab\ncde\ncde\n");
    // The end is told from within the last instruction.
    assert.equal([JSON.parse(shown.stdout).instret, JSON.parse(profiled.stdout).instructions], [end + 1, end + 1]);
    const cut = tine(["why", "--mem", "16", "--at", "exit", "0x300", program], { input: "ab\n" });
    assert.is(cut.stderr, "ab\nab\n");
  });
});

test("Ctrl-C: one line, exit code 130, and no file; one that was there before is as it was", async () => {
  await withFiles({ "endless.ts": ENDLESS, "old.svg": "old" }, async (folder) => {
    for (const file of ["old.svg", "new.svg"]) {
      const args = ["profile", "--mem", "16", "--svg", join(folder, file), join(folder, "endless.ts")];
      const child = spawn(process.execPath, [TINE, ...args], { stdio: ["ignore", "ignore", "pipe"] });
      let stderr = "";
      child.stderr.on("data", (bytes: Buffer) => {
        stderr += bytes.toString();
        if (stderr === "on\n") child.kill("SIGINT");
      });
      assert.is(await new Promise((resolve) => child.on("close", resolve)), 130, stderr);
      assert.match(stderr, /^on\ntine: interrupted after \d+ instructions\n$/);
    }
    assert.equal(readdirSync(folder).sort(), ["endless.ts", "old.svg"]);
    assert.is(readFileSync(join(folder, "old.svg"), "utf8"), "old");
  });
});

test("a file that cannot be written to its end: one line, exit code 2, and what was there before", () => {
  needCommand("sh");
  withFiles({ "echo.ts": ECHO, "old.json": "old" }, (folder) => {
    for (const file of ["old.json", "new.json"]) {
      // 8 blocks of 512 bytes or of a kilobyte, as the shell has it: less than the file takes.
      const command = `ulimit -f 8; exec '${process.execPath}' '${TINE}' show --mem 16 --perfetto ${file} echo.ts`;
      const { status, stderr } = spawnSync("sh", ["-c", command], { cwd: folder, input: INPUT, encoding: "utf8" });
      assert.is(status, 2, stderr);
      assert.match(
        stderr,
        new RegExp(`^tine: ${file}: it has grown as large as a file may$`, "m"),
        JSON.stringify(stderr),
      );
    }
    assert.equal(readdirSync(folder).sort(), ["echo.ts", "old.json"]);
    assert.is(readFileSync(join(folder, "old.json"), "utf8"), "old");
  });
});

test("bad input behind the name of a file leaves no file", () => {
  withFiles({ "broken.ts": "export function main(): i32 {\n  return +;\n}\n" }, (folder) => {
    const svg = join(folder, "out.svg");
    assert.is(tine(["profile", "--svg", svg, join(folder, "broken.ts")]).status, 2);
    assert.not.ok(existsSync(svg));
  });
});

test("on a terminal: a line says how far it has come, and goes; typed lines are the guest's", async () => {
  needCommand("script");
  await withFiles({ "echo.ts": ECHO }, async (folder) => {
    const command = `'${process.execPath}' '${TINE}' profile --mem 16 --top 1 '${join(folder, "echo.ts")}'`;
    const child = spawn("script", ["-qec", command, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
    let screen = "";
    const steps = [
      [/\d k instructions/, "one\n"],
      [/one\r\n.*one\r\none\r\n/s, "\x04"],
    ] as const;
    let step = 0;
    child.stdout.on("data", (bytes: Buffer) => {
      screen += bytes.toString("latin1");
      if (step < steps.length && steps[step][0].test(screen)) child.stdin.write(steps[step++][1]);
    });
    const status = await new Promise((resolve) => child.on("close", resolve));
    assert.is(status, 0, screen);
    assert.match(screen, /\r *\r/, "the line is taken away");
    assert.match(screen, /instructions, [\d,]+ cycles\r\n/);
  });
});

test.run();
