/** Our kernel and a program of its under Debian's gdb in batch mode. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { needCommand } from "../skip";
import { runGdb, startRig } from "./rig";

const test = suite("gdb");
/** What the guest of the last call has sent. */
let output = "";

/** What gdb says of each command, from a machine at its first instruction. */
async function gdb(...commands: string[]): Promise<string[]> {
  needCommand("gdb");
  const rig = await startRig();
  try {
    return await runGdb(rig, commands);
  } finally {
    output = rig.output();
    rig.close();
  }
}

/** Number of the line of a file that has the text. */
function lineOf(file: string, text: string): number {
  return (
    readFileSync(file, "utf8")
      .split("\n")
      .findIndex((line) => line.includes(text)) + 1
  );
}

/** The number behind `$1 = `. */
function numberIn(printed: string): number {
  return Number(/= (0x[0-9a-f]+|-?\d+)/.exec(printed)?.[1]);
}

const IN_KERNEL = ["break main", "continue", "break copyPageRange", "continue"];

test("break by function, list, and bt from ring 0 through the system call to ring 3", async () => {
  const [, hitMain, , hit, stack, list, , esp, top] = await gdb(
    ...IN_KERNEL,
    ...["bt", "list", "frame function main", "print/x $esp", "print $cs"],
  );
  assert.match(hitMain, /"program" hit Breakpoint 1, main \(.*program\.ts:\d+/);
  assert.match(hit, /"program" hit Breakpoint 2, copyPageRange \(child=\d+, parent=\d+, stackPointer=\d+\)/);
  const names = [...stack.matchAll(/^#\d+ .*?(\S+|<signal handler called>) (?:\(|$)/gm)].map(([, name]) => name);
  assert.match(stack, /#0 .*copyPageRange .*memory\.ts/);
  assert.match(stack, /mmDup .*vma\.ts[\s\S]*cloneTask .*fork\.ts[\s\S]*trapDispatch/, names.join());
  assert.match(stack, /<signal handler called>\n#\d+ +0x0804\w+ in main \(/);
  assert.not.match(stack, /corrupt|Backtrace stopped|\?\?/);
  assert.match(
    list,
    new RegExp(`${lineOf("kernel/mm/memory.ts", "export function copyPageRange")}\\s+export function copyPageRange`),
  );
  const user = numberIn(esp);
  assert.ok(user > 0xbff00000 && user < 0xc0000000, `the program's stack pointer, not ${esp}`);
  assert.is(numberIn(top), 0x10, "CS has no place in a frame");
});

test("every instruction of a system call's way in and out has a backtrace to main", async () => {
  const steps = 260;
  const script = ["break main", "continue", "monitor traps into"];
  for (let i = 0; i < steps; i++) script.push("stepi", "bt");
  // And the way back: the pops, the return from the trap.
  script.push("delete", "break sysWait4", "continue", "finish");
  for (let i = 0; i < steps; i++) script.push("stepi", "bt");
  const at = await gdb(...script);
  let traps = 0;
  for (const [i, stack] of at.entries()) {
    if (script[i] !== "bt") continue;
    assert.match(stack, /#\d+ .*main \(.*\n$/, `${at[i - 1]}${stack}`);
    assert.not.match(stack, /corrupt|Backtrace stopped|\?\?/, `${at[i - 1]}${stack}`);
    if (stack.includes("<signal handler called>")) traps++;
  }
  assert.ok(traps > steps, `${traps} of them in the kernel`);
});

test("break by file and line, step, next, finish, and what parameters and locals are", async () => {
  const line = lineOf("kernel/mm/memory.ts", "next = ((vma.end - 1) >> SLOT_SHIFT) + 1;");
  const at = await gdb(
    ...[
      "break main",
      "continue",
      "delete",
      `tbreak memory.ts:${line}`,
      "continue",
      "next",
      "print first",
      "info locals",
      "info args",
    ],
    ...[
      "print parent",
      "up",
      "print parent",
      "down",
      "finish",
      "tbreak addToCounter",
      "continue",
      "next",
      "step",
      "info args",
      "info locals",
      "finish",
    ],
  );
  assert.match(at[4], new RegExp(`copyPageRange .*memory\\.ts:${line}`));
  assert.match(at[5], new RegExp(`${line + 1}\\s`), "next is the next line");
  assert.is(numberIn(at[6]), 0x08048000 >>> 22, "the first slot of the first mapping");
  assert.match(at[7], /first = 32/);
  assert.match(at[7], /vma = <optimized out>/, "a variable that changes has no one place");
  assert.is(numberIn(at[9]), numberIn(at[11]), "mmDup's parent is copyPageRange's");
  assert.match(at[13], /mmDup .*vma\.ts/);
  assert.match(at[15], /addToCounter \(by=41\)/);
  assert.match(at[18], /by = 41/);
  assert.match(at[20], /main \(.*program\.ts/);
});

test("globals, x/ through the page tables and by physical address, registers, both written", async () => {
  const at = await gdb(
    ...[
      "break addToCounter",
      "continue",
      "print counter",
      "x/1xw &counter",
      "set var by = 5",
      "print by",
      "finish",
      "print counter",
    ],
    ...["set var counter = 100", "print counter", "x/1xw &counter", "set var counter = 5", "continue", "print counter"],
    ...[
      "print &forkMode",
      "x/1xw &forkMode",
      "monitor phys on",
      "x/1xw (int)&forkMode - 0xc0000000",
      "monitor phys off",
    ],
    ...[
      "print/x $cr0",
      "print $instret",
      "print $cycles > $instret",
      "info registers eflags",
      "info registers cr3",
      "print/x $cr2",
    ],
  );
  assert.is(numberIn(at[2]), 1);
  assert.match(at[3], /0x00000001/);
  assert.is(numberIn(at[5]), 5, "a parameter is written where it is");
  assert.match(at[6], /main \(.*program\.ts/);
  assert.is(numberIn(at[7]), 6, "the program has gone on with what was written");
  assert.match(output, /counter 6\n/);
  assert.is(numberIn(at[9]), 100);
  assert.match(at[10], /0x00000064/);
  assert.is(numberIn(at[13]), 1, "what was written to the child is the child's");
  const word = /:\s+(0x\w+)/.exec(at[15])?.[1];
  assert.is(/:\s+(0x\w+)/.exec(at[17])?.[1], word);
  assert.match(at[19], /0x80010015/);
  assert.ok(numberIn(at[20]) > 100_000);
  assert.is(numberIn(at[21]), 1);
  assert.match(at[22], /\[.*IF.*\]/);
});

test("a hardware breakpoint; watchpoints on writes, reads and accesses", async () => {
  const at = await gdb(
    ...[
      "break main",
      "continue",
      "delete",
      "hbreak handleMmFault",
      "continue",
      "delete",
      "watch counter",
      "continue",
      "continue",
    ],
  );
  assert.match(at[4], /hit Breakpoint 2, handleMmFault/);
  assert.match(at[7], /hit Hardware watchpoint 3: counter\n\nOld value = 1\nNew value = 42\n/);
  assert.match(at[8], /Old value = 42\nNew value = 2\n/, "gdb's old value is the child's, the parent writes its own");
  const reads = await gdb(
    "break addToCounter",
    "continue",
    "delete",
    "rwatch counter",
    "continue",
    "delete",
    "awatch counter",
    "continue",
  );
  assert.match(reads[4], /hit Hardware read watchpoint 2: counter\n\nValue = 1\n/);
  assert.match(
    reads[7],
    /hit Hardware access \(read\/write\) watchpoint 3: counter\n\nOld value = 1\nNew value = 42\n/,
  );
});

test("processes are threads: who there is, where each is, its registers and its memory", async () => {
  const at = await gdb(
    ...["break addToCounter", "continue", "info threads", "finish", "info registers eax", "print counter"],
    ...[
      "thread find sleeping",
      "thread apply all -q bt 1",
      "thread apply all -q -s print counter",
      "thread apply all -q print/x $cr3",
    ],
  );
  assert.match(at[2], /\* \d+ +Thread 3 "program" \(running\)/);
  assert.match(at[2], /Thread 1 "init" \(sleeping\) .*schedule \(/);
  assert.match(at[2], /Thread 2 "program" \(sleeping\) .*schedule \(/);
  assert.match(at[2], /Thread 65535 "idle" \(idle\)/);
  assert.is(numberIn(at[5]), 42);
  assert.match(at[8], /= 1\n[\s\S]*= 42\n/, "the parent's and the child's counter");
  const directories = [...at[9].matchAll(/= (0x\w+)/g)].map(([, value]) => value);
  assert.is(new Set(directories).size, 3, "init, parent, child; idle has the one that is in use");
});

test("monitor commands", async () => {
  const at = await gdb(
    ...[
      "break main",
      "continue",
      "tbreak addToCounter",
      "continue",
      "monitor help",
      "monitor shares",
      "monitor table 0x08048000",
      "monitor tlb",
    ],
    ...[
      "monitor pg",
      "monitor vmstat",
      "monitor audit",
      "monitor instret",
      "monitor rmap 0x999999",
      "monitor nonsense",
      "monitor table x",
    ],
  );
  for (const name of ["shares", "table", "rmap", "tlb", "pg", "vmstat", "audit", "seek"])
    assert.match(at[4], new RegExp(`^${name} `, "m"));
  assert.match(at[5], /^slot 32 .* users 2: 2 program, 3 program$/m);
  assert.match(at[6], /^slot 32: pde 0x\w+ pu.*\nslot 32 .*\n {2}0x8048000: pte 0x\w+ frame 0x\w+ pur/);
  assert.match(at[7], /^08048000 -> \w{8} 4K ur/m);
  assert.match(at[8], /^program, directory 0x\w+\n08048000-/);
  assert.match(at[9], /^tablesShared +[1-9]/m);
  assert.match(at[10], /^in order: 3 address spaces, \d+ tables \([1-9]\d* shared\)/);
  assert.match(at[11], /^instret \d+, cycles \d+; known from 0 to \d+/);
  assert.match(at[12], /there are \d+ frames/);
  assert.match(at[13], /no such command: nonsense/);
  assert.match(at[14], /it wants an address/);
  const frame = /frame (0x\w+) pur/.exec(at[6])?.[1];
  const table = /^slot 32 .*table (0x\w+)/m.exec(at[6])?.[1];
  const why = await gdb(
    ...[
      "break addToCounter",
      "continue",
      "print $instret",
      `monitor why ${table}`,
      "print $instret",
      "stepi",
      "print $instret",
    ],
    "monitor why",
  );
  assert.match(why[3], /shareTables/, "who made the sharing");
  assert.match(why[3], /pid 3 program/);
  assert.is(numberIn(why[4]), numberIn(why[2]), "the machine is where it was");
  assert.is(numberIn(why[6]), numberIn(why[2]) + 1);
  assert.match(why[7], /it wants a frame/);
  assert.is(output, "", "what was run through again is not told");
  const [, , rmap] = await gdb("break addToCounter", "continue", `monitor rmap ${frame}`);
  assert.match(rmap, /^frame 0x\w+: data, count \d+, [1-9]\d* in its rmap\n {2}\w{8} by pte/);
});

test.run();
