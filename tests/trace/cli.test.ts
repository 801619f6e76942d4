/** `tine trace` as a user runs it: where its output goes, how it ends, what it says of mistakes. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { tine, withFiles } from "../cli/tine";

const test = suite("trace/cli");

const HELLO = `
import { cstr, printf } from "tine";
export function main(): i32 {
  printf(cstr("hello %d\\n"), 42);
  return 7;
}`;
const FAILS = `
import { cstr, test, testBegin, testEnd } from "tine";
let one: i32 = 0;
export function main(argc: i32, argv: usize): i32 {
  one = argc;
  testBegin(argc, argv);
  test(cstr("fails"), () => { assert(one == 2, "one is two"); });
  test(cstr("passes"), () => {});
  return testEnd();
}`;

const TINE = join(process.cwd(), "tools/cli/tine.mjs");

/** A shell's command line, in which `tine` is this clone's. */
function shell(command: string, cwd: string): { status: number | null; stdout: string; stderr: string } {
  const script = `tine() { "${process.execPath}" "${TINE}" "$@"; }\n${command}`;
  const { status, stdout, stderr } = spawnSync("sh", ["-c", script], { cwd, encoding: "utf8", timeout: 120_000 });
  return { status, stdout, stderr };
}

test("events on stdout, the guest's own output on stderr, its status as ours", () => {
  withFiles({ "hello.ts": HELLO }, (cwd) => {
    const { status, stdout, stderr } = tine(["trace", "--trace", "events", "--after", "exec:hello", "hello.ts"], {
      cwd,
    });
    assert.is(status, 7);
    assert.is(stderr, "hello 42\n");
    const lines = stdout.split("\n");
    assert.match(lines[0], /^ *\d+ r0 p2 {3}!EXEC \/bin\/hello$/);
    assert.match(stdout, / r3 p2 {3}!SYS write\(1, "hello 42\\n", 9\) = 9$/m);
    assert.match(stdout, / r0 p2 {3}!EXIT exited 7$/m);
  });
});

test("a trace in a file, in text and in binary, which shows the same; its lines and end are told", () => {
  withFiles({ "hello.ts": HELLO }, (cwd) => {
    const options = ["--after", "exec:hello", "--output", "t.txt", "--binary", "t.trc"];
    const { status, stdout, stderr } = tine(["trace", ...options, "hello.ts"], { cwd });
    assert.is(status, 7);
    assert.is(stdout, "hello 42\n", "now the guest has stdout");
    const text = readFileSync(join(cwd, "t.txt"), "utf8");
    const lines = text.split("\n").length - 1;
    assert.match(stderr, new RegExp(`^tine: t\\.txt: ${lines} lines, up to instruction \\d+\\n$`));
    assert.is(tine(["trace", "show", "--output", "shown.txt", "t.trc"], { cwd }).status, 0);
    assert.is(readFileSync(join(cwd, "shown.txt"), "utf8"), text);
    const fields = tine(["trace", "show", "--fields", "instret,code", "--att", "t.trc"], { cwd }).stdout;
    assert.match(fields, /^ *\d+ {2}int \$0x80$/m);
    const same = tine(["trace", "diff", "t.trc", "t.trc"], { cwd });
    assert.equal([same.status, same.stdout], [0, "no difference\n"]);
    truncateSync(join(cwd, "t.trc"), 40_000);
    const cut = tine(["trace", "show", "t.trc"], { cwd });
    assert.is(cut.status, 2);
    assert.match(cut.stderr, /^tine: t\.trc: truncated: the trace ends at instruction \d+, after \d+ lines\n$/);
  });
});

test("a recording: any window of it later, its difference to another, and mistakes", () => {
  withFiles({ "hello.ts": HELLO }, (cwd) => {
    const recorded = tine(["trace", "--record", "run.tine", "hello.ts"], { cwd });
    assert.equal([recorded.status, recorded.stdout, recorded.stderr], [7, "hello 42\n", ""]);
    const live = tine(["trace", "--from", "760000", "--count", "50", "hello.ts"], { cwd });
    const replayed = tine(["trace", "--from", "760000", "--count", "50", "run.tine"], { cwd });
    assert.is(replayed.status, 0);
    assert.is(replayed.stdout, live.stdout);
    assert.match(replayed.stdout, /^ *760000 /);
    const last = tine(["trace", "--last", "3", "run.tine"], { cwd }).stdout;
    assert.match(last, /out 0xf4, al\n.*!END exit port 2\n$/);
    tine(["trace", "--record", "other.tine", "--fork", "copy", "hello.ts"], { cwd });
    const { status, stdout } = tine(["trace", "diff", "--by", "function", "run.tine", "other.tine"], { cwd });
    assert.is(status, 1);
    assert.match(stdout, /^first difference after \d+ that are the same: in \w+, kernel\/.*\.ts:\d+$/m);
    const far = tine(["trace", "--from", "999999999", "run.tine"], { cwd });
    assert.is(far.status, 2);
    assert.match(far.stderr, /^tine: run\.tine: the recording ends at instruction \d+\n$/);
    const bytes = readFileSync(join(cwd, "run.tine"));
    bytes.writeUInt32LE(9, 8);
    writeFileSync(join(cwd, "newer.tine"), bytes);
    const newer = tine(["trace", "newer.tine"], { cwd });
    assert.equal(
      [newer.status, newer.stderr],
      [2, "tine: newer.tine: a recording of a run of version 9; this is version 1\n"],
    );
  });
});

test("the end of a run: up to the panic, or to the first assert that fails", () => {
  withFiles({ "fails.ts": FAILS, "hello.ts": HELLO }, (cwd) => {
    const { status, stdout } = tine(["trace", "--last", "400", "--trace", "kup", "fails.ts"], { cwd });
    assert.is(status, 1);
    const lines = stdout.trimEnd().split("\n");
    assert.ok(!stdout.includes("endRun"), "the run went on for long");
    assert.match(lines.at(-1) ?? "", /exitTask\+/, "it ends where the process does");
    const usual = tine(["trace", "--last", "2", "--fields", "code", "hello.ts"], { cwd });
    assert.is(usual.stdout.trim().split("\n").at(-2)?.trim(), "out 0xf4, al");
    const fields = ["--fields", "symbol", "--trace", "k"];
    const panicked = tine(["trace", "--last", "60", ...fields, "--cmdline", "init=/bin/none", "hello.ts"], { cwd });
    assert.is(panicked.status, 3);
    const names = panicked.stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.trim().replace(/\+.*/, ""));
    assert.is(names.length, 60);
    assert.ok(names.lastIndexOf("startInit") < names.indexOf("panic"), "how it came to it");
    assert.is(names.at(-1), "begin", "it ends where the panic is told");
  });
});

test("disk full, a file that may not grow, a pipe that is closed: the trace ends cleanly and says where", () => {
  const at = "at instruction \\d+, after \\d+ lines";
  withFiles({ "hello.ts": HELLO }, (cwd) => {
    const full = shell("tine trace hello.ts > /dev/full", cwd);
    assert.is(full.status, 2);
    assert.match(full.stderr, new RegExp(`^tine: stdout: no space left on the disk: the trace ends ${at}$`, "m"));
    const file = shell("tine trace --output /dev/full hello.ts", cwd);
    assert.is(file.status, 2);
    assert.match(file.stderr, new RegExp(`^tine: /dev/full: no space left on the disk: the trace ends ${at}$`, "m"));
    const binary = shell("tine trace --binary /dev/full hello.ts", cwd);
    assert.is(binary.status, 2);
    const limit = shell("ulimit -f 64; tine trace --output small.txt hello.ts", cwd);
    assert.is(limit.status, 2);
    assert.match(limit.stderr, new RegExp(`^tine: small\\.txt: .*: the trace ends ${at}$`, "m"));
    const record = shell("tine trace --record /dev/full hello.ts", cwd);
    assert.is(record.status, 2);
    assert.match(record.stderr, /^tine: \/dev\/full: no space left on the disk: the recording is not complete$/m);
    const head = shell("(tine trace hello.ts; echo status $? >&2) | head -3", cwd);
    assert.is(head.stdout.split("\n").length, 4);
    assert.match(head.stderr, new RegExp(`^tine: nobody reads the trace any more: it ends ${at}\\nstatus 0$`, "m"));
  });
});

test("Ctrl-C: the trace ends cleanly and says where", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tine-trace-"));
  try {
    writeFileSync(join(folder, "hello.ts"), HELLO);
    assert.match(
      await interrupted(folder),
      /^130 tine: interrupted: the trace ends at instruction \d+, after \d+ lines$/,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Status and stderr of a trace that gets SIGINT once it has written something. */
function interrupted(cwd: string): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [TINE, "trace", "hello.ts"], { cwd, stdio: ["pipe", "pipe", "pipe"] });
    let stderr = "";
    child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
    child.stdout.once("data", () => child.kill("SIGINT"));
    child.stdout.on("data", () => {});
    child.on("close", (status) => resolve(`${status} ${stderr.trim()}`));
  });
}

test("tine boot --trace: on stderr or in a file, the console where it is", () => {
  withFiles({}, (cwd) => {
    const { status, stdout } = tine(["boot", "--trace", "sp", "--output", "boot.txt"], {
      cwd,
      input: "echo here\nexit 3\n",
    });
    assert.is(status, 3);
    assert.match(stdout, /^here$/m);
    assert.match(readFileSync(join(cwd, "boot.txt"), "utf8"), /!SYS write\(1, "here\\n", 5\) = 5$/m);
  });
});

test("mistakes are one line each", () => {
  withFiles({ "hello.ts": HELLO, "text.tine": "hello\n" }, (cwd) => {
    const refusal = (...args: string[]): string => {
      const { status, stdout, stderr } = tine(args, { cwd });
      assert.equal([status, stdout, stderr.split("\n").length], [2, "", 2], `${args.join(" ")}: ${stderr}`);
      return stderr;
    };
    assert.match(refusal("trace", "--trace", "kq", "hello.ts"), /letters of/);
    assert.match(refusal("trace", "--fields", "code,colour", "hello.ts"), /no field 'colour'; there are instret/);
    assert.match(refusal("trace", "--until", "frok", "hello.ts"), /no event is called 'frok'; there are .*fork/);
    assert.match(refusal("trace", "--func", "noSuch", "hello.ts"), /no function is called 'noSuch'/);
    assert.match(refusal("trace", "--watch", "here", "hello.ts"), /'here' is no address/);
    assert.match(refusal("trace", "--range", "c0100000", "hello.ts"), /two addresses/);
    assert.match(refusal("trace", "--ring", "4", "hello.ts"), /from 0 to 3/);
    assert.match(refusal("trace", "--last", "5", "--from", "7", "hello.ts"), /neither --from nor --count/);
    assert.match(refusal("trace", "--output", "/no/such/place", "hello.ts"), /no such file/);
    assert.match(refusal("trace", "show", "text.tine"), /not a binary trace/);
    assert.match(refusal("trace", "diff", "text.tine", "text.tine"), /neither a binary trace nor a recording/);
    assert.match(refusal("trace", "diff", "none", "text.tine"), /none: no such file/);
    assert.match(refusal("boot", "--pid", "3"), /--pid says how to trace/);
  });
});

test.run();
