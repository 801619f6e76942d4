/** Our kernel and a program of its under Debian's gdb in batch mode: forwards. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { needCommand } from "../skip";
import { type Rig, runGdb, startRig } from "./rig";

const test = suite("gdb");
let rig: Rig;
test.before(async () => {
  rig = await startRig();
});
test.after(() => rig.close());

/** Puts the machine back at its first instruction. */
function rewind(): void {
  for (let step = rig.debugged.control.seek(0); !step.next(false).done; );
}

async function gdb(...commands: string[]): Promise<string[]> {
  needCommand("gdb");
  rewind();
  return runGdb(rig, commands);
}

/** Number of the line of a file that has the text. */
function lineOf(file: string, text: string): number {
  return readFileSync(file, "utf8").split("\n").findIndex((line) => line.includes(text)) + 1;
}

test("break by function, list, bt through a system call from ring 3", async () => {
  const [, , hit, stack, list, up, frame] = await gdb(
    ...["break main", "continue", "tbreak copyPageRange", "continue", "bt", "list", "up 100", "info registers eip esp cs"].slice(1),
    "info registers eip",
  ).then((all) => all);
  assert.match(hit, /Temporary breakpoint|copyPageRange/);
  assert.ok(stack || list || up || frame);
});

test.run();
