/** Boot and end of the kernel on our machine: command line, first process, exit values, panic, failing allocations. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "../../cpu/index";
import { Mark } from "../../kernel/abi/marks";
import { builtImages, runGuest } from "../guest/guest";

const test = suite("kernel/task boot");
const built = await builtImages();

const boot = (commandLine: string, memoryMB = 16) => runGuest(built, { commandLine, memoryMB });

test("words that are not understood are said, but for the loader's first", () => {
  const { output, stop } = boot("dist/kernel.elf fork=maybe colour=blue loud poison=on init=/bin/true failalloc=x");
  const ignored = output.split("\n").filter((line) => line.startsWith("command line"));
  assert.equal(
    ignored,
    ["fork=maybe", "colour=blue", "loud", "failalloc=x"].map((word) => `command line: ignored: ${word}`),
  );
  assert.equal(stop, { reason: "exit", value: 0 });
});

test("/proc/cmdline says what was understood, with what nobody asked for", () => {
  assert.match(
    boot("-- /bin/cat /proc/cmdline").output,
    "\nfork=auto init=/bin/init poison=off failalloc=0 -- /bin/cat",
  );
  assert.match(boot("fork=copy poison=on -- /bin/cat /proc/cmdline").output, "\nfork=copy init=/bin/init poison=on");
});

test("what comes after -- are init's arguments", () => {
  assert.match(boot("init=/bin/echo   --  one  two three ").output, "\none two three\n");
  assert.match(boot("init=/bin/echo --").output, "free\n\n");
});

test("quiet leaves the console to the program, and a quoted argument keeps its blanks", () => {
  assert.is(boot('quiet init=/bin/echo -- "one  two" three').output, "one  two three\n");
});

test("the first process's status is the run's", () => {
  const statuses: number[] = [];
  const onMark = (value: number) => {
    if (value >>> 24 === Mark.ProgramStatus) statuses.push(value & 0xffffff);
  };
  const run = (commandLine: string) => runGuest(built, { commandLine, memoryMB: 16, onMark }).stop;
  assert.equal(run("init=/bin/true"), { reason: "exit", value: 0 });
  assert.equal(run("init=/bin/false"), { reason: "exit", value: 2 });
  assert.equal(run("-- /bin/false"), { reason: "exit", value: 2 });
  assert.equal(run("-- /bin/none"), { reason: "exit", value: 2 });
  assert.equal(statuses, [0, 0x100, 0x100, 127 << 8]);
});

test("no first process is a panic with a backtrace by name", () => {
  const { output, stop } = boot("init=/bin/none");
  assert.equal(stop, { reason: "exit", value: 1 });
  assert.match(output, /cannot execute \/bin\/none: error -2\n\nkernel panic: no init\n/);
  assert.match(output, /# 0 {2}[0-9a-f]{8} {2}\w+\+0x[0-9a-f]+\n/);
  assert.match(output, /kernelMain\+0x/);
});

test("without an initrd there is no first process", () => {
  let output = "";
  const machine = new Machine({ memoryMB: 16, onSerial: (bytes) => (output += Buffer.from(bytes).toString()) });
  machine.loadMultiboot(built.kernel);
  assert.equal(machine.run({ maxInstructions: 1e9 }), { reason: "exit", value: 1 });
  assert.match(output, "kernel panic: no init");
});

test("each of the first 100 allocations may fail: the program ends well or is told, and nothing panics", () => {
  let ended = 0;
  for (let n = 1; n <= 100; n++) {
    const { output, stop } = boot(`poison=on failalloc=${n} -- /bin/hello`, 8);
    assert.is(stop.reason, "exit", `allocation ${n}: ${output}`);
    assert.not.match(output, "panic");
    if ((stop as { value: number }).value === 0) ended++;
  }
  assert.ok(ended > 20 && ended < 100, `${ended} of 100 ended well`);
});

test.run();
