/** `tine gdb` as a person runs it. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { tine } from "../cli/tine";
import { needCommand } from "../skip";
import { PROGRAM } from "./rig";

const test = suite("gdb/cli");

interface Running {
  child: ChildProcess;
  stdout: string;
  stderr: string;
  /** Its exit code, once it has ended. */
  ended: Promise<number | null>;
}

/** `tine gdb` under way. */
function start(args: readonly string[], cwd: string): Running {
  const child = spawn(process.execPath, [join(process.cwd(), "tools/cli/tine.mjs"), "gdb", ...args], {
    ...{ cwd, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, NO_COLOR: "1" } },
  });
  const running: Running = {
    ...{ child, stdout: "", stderr: "" },
    ended: new Promise((resolve) => child.on("close", resolve)),
  };
  child.stdout?.on("data", (bytes: Buffer) => (running.stdout += bytes.toString()));
  child.stderr?.on("data", (bytes: Buffer) => (running.stderr += bytes.toString()));
  return running;
}

/** The command line that it prints. */
async function connection(running: Running): Promise<string> {
  for (let tries = 0; tries < 400; tries++) {
    const line = /^gdb .*$/m.exec(running.stderr)?.[0];
    if (line !== undefined) return line;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no command line to connect: ${running.stderr}`);
}

/** What gdb prints when it is started by that line and told some commands. */
function connect(line: string, cwd: string, commands: readonly string[]): string {
  const quoted = commands.map((command) => `-ex '${command}'`).join(" ");
  const shell = `${line.replace(/^gdb /, "gdb -nx -batch -iex 'set debuginfod enabled off' ")} ${quoted} 2>&1`;
  return spawnSync("sh", ["-c", shell], { cwd, encoding: "utf8", timeout: 60_000 }).stdout;
}

test("the printed line connects; the console is stdout; after detach the program's status is tine's", async () => {
  needCommand("gdb");
  const folder = mkdtempSync(join(tmpdir(), "tine-gdb-cli-"));
  writeFileSync(join(folder, "program.ts"), PROGRAM);
  const running = start(["--fork", "share", "program.ts"], folder);
  try {
    const line = await connection(running);
    assert.match(
      line,
      /^gdb \S+kernel\.elf -x \S+tine\.gdb -ex 'target remote 127\.0\.0\.1:\d+' -ex 'add-symbol-file \S+program'$/,
    );
    const said = connect(line, folder, [
      "break addToCounter",
      "continue",
      "bt 1",
      "monitor seek 200000",
      "print $instret",
      "delete",
      "detach",
    ]);
    assert.match(said, /addToCounter \(by=41\) at .*program\.ts/);
    assert.match(said, /^at instruction 200000\n\$1 = 200000$/m, "gdb notices that the machine has moved");
    assert.is(await running.ended, 7);
    assert.is(running.stdout, "counter 42\ncounter 2\n");
  } finally {
    running.child.kill();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("kill ends it; without a program there is a shell; SIGINT ends it too", async () => {
  needCommand("gdb");
  for (const end of ["kill", "signal"]) {
    const running = start(["--mem", "16"], process.cwd());
    try {
      const line = await connection(running);
      assert.not.match(line, /add-symbol-file/);
      if (end === "kill")
        assert.match(connect(line, process.cwd(), ["break kernelMain", "continue", "bt", "kill"]), /#0 +kernelMain/);
      else running.child.kill("SIGINT");
      assert.is(await running.ended, end === "kill" ? 0 : 130);
    } finally {
      running.child.kill();
    }
  }
});

test("bad input is one line and exit code 2: a port that is taken, one that is none, a file that is no program", async () => {
  const taken = createServer();
  const port = await new Promise<number>((resolve) => {
    taken.listen(0, "127.0.0.1", () => resolve((taken.address() as { port: number }).port));
  });
  const cases: [string[], RegExp][] = [
    [["gdb", "--port", String(port)], /^tine: port \d+: .*in use/],
    [["gdb", "--port", "99999"], /^tine: .*ports from 0 to 65535/],
    [["gdb", "nowhere.ts"], /^tine: nowhere\.ts: no such file/],
    [["gdb", "package.json"], /^tine: package\.json: neither/],
  ];
  for (const [args, wanted] of cases) {
    const { status, stdout, stderr } = tine(args);
    assert.is(status, 2, stderr);
    assert.is(stdout, "");
    assert.match(stderr, wanted);
    assert.is(stderr.trimEnd().split("\n").length, 1, stderr);
  }
  taken.close();
});

test.run();
