/** `tine run` and `tine trace`: a person's own program, from anywhere, with its arguments, input and exit status. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Program } from "../cpu/guest";
import { helloByPolling } from "../cpu/programs";
import { tine, withFiles } from "./tine";

const test = suite("cli/run");

const MAIN = "export function main(argc: i32, argv: usize, envp: usize): i32";

test("the program's output, arguments and exit status are ours", () => {
  const source = `import { cstr, printf } from "tine";
${MAIN} {
  for (let i = 1; i < argc; i++) printf(cstr("<%s>\\n"), load<usize>(argv + i * 4));
  return argc;
}
`;
  withFiles({ "args.ts": source }, (cwd) => {
    const { status, stdout, stderr } = tine(["run", "args.ts", "one", "two words", "--three", ""], { cwd });
    assert.is(stdout, "<one>\n<two words>\n<--three>\n<>\n", stderr);
    assert.is(status, 5);
  });
});

test("stdin is the program's console", () => {
  withFiles({}, () => {
    const { status, stdout } = tine(["run", "userland/bin/wc.ts"], { input: "first line\nsecond line\n" });
    assert.is(status, 0);
    assert.match(stdout, /2\s+4\s+23/, "2 lines, 4 words, 23 bytes");
  });
});

test("a program that a signal ends gives 128 and the signal", () => {
  const source = `${MAIN} {\n  return load<u32>(0);\n}\n`;
  withFiles({ "segv.ts": source }, (cwd) => {
    assert.is(tine(["run", "segv.ts"], { cwd }).status, 128 + 11, "SIGSEGV is 11");
  });
});

test("a failed assert says where", () => {
  const source = `${MAIN} {\n  assert(argc == 99, "ninety-nine arguments");\n  return 0;\n}\n`;
  withFiles({ "asserts.ts": source }, (cwd) => {
    const { status, stdout } = tine(["run", "asserts.ts"], { cwd });
    assert.is.not(status, 0);
    assert.match(stdout, /asserts\.ts:2/);
    assert.match(stdout, "ninety-nine arguments");
  });
});

test("out of budget is exit code 4", () => {
  const source = `${MAIN} {\n  while (atomic.load<u32>(argv) != 0) {}\n  return 0;\n}\n`;
  withFiles({ "spin.ts": source }, (cwd) => {
    const { status, stderr } = tine(["run", "--budget", "30000000", "spin.ts"], { cwd });
    assert.is(status, 4);
    assert.match(stderr, "out of budget after 30000000 instructions");
  });
});

test("the trace shows the last instructions with symbol, line, bytes and registers", () => {
  const { status, stdout } = tine(["trace", "--last", "50", "userland/bin/true.ts"]);
  assert.is(status, 0);
  const lines = stdout.trimEnd().split("\n");
  assert.ok(lines.length >= 50, `${lines.length} lines`);
  assert.match(stdout, /kernel\/[a-z0-9/]+\.ts:\d+/, "a kernel source line");
  assert.match(stdout, /\bout\b/, "the write to the exit port");
});

test("a kernel panic is exit code 3, with registers, a symbolised backtrace and the last instructions", () => {
  const { status, stdout, stderr } = tine(["boot", "--cmdline", "init=/bin/nowhere"]);
  assert.is(status, 3, stdout + stderr);
  assert.match(stdout, /panic/i);
  assert.match(stdout, /kernelMain/, "the backtrace has names");
  assert.match(stderr, "the guest kernel panicked");
  assert.match(stderr, /kernel\/[a-z0-9/]+\.ts:\d+/, "the trace of the last instructions");
});

test("a kernel that is not ours boots", () => {
  withFiles({ "other.elf": helloByPolling("hello from another kernel\r\n").elf() }, (cwd) => {
    const { status, stdout, stderr } = tine(["boot", "other.elf"], { cwd });
    assert.is(stdout, "hello from another kernel\n", stderr);
    assert.is(status, 0);
  });
});

test("a triple fault is exit code 3, with the instructions that led there", () => {
  // LIDT of an empty table, then UD2: neither #UD nor the double fault has a gate.
  const program = new Program().bytes(0x0f, 0x01, 0x1d, 0, 0, 0, 0, 0x0f, 0x0b);
  withFiles({ "fault.elf": program.elf() }, (cwd) => {
    const { status, stderr } = tine(["boot", "fault.elf"], { cwd });
    assert.is(status, 3);
    assert.match(stderr, /ud2/, "the trace has the last instruction");
    assert.match(stderr, "the processor stopped in a triple fault");
  });
});

test.run();
