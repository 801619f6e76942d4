/** Ring-0 cases on QEMU and on ours (ring0/): a bounded run, each way to end a case among them. `npm run conform:qemu` goes on. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { needCommand } from "../skip";
import { compareRing0 } from "./ring0/oracle";

const test = suite("cpu/ring0");

const CASES = 2000;

test("system instructions, descriptors, gates, page tables and traps do what they do on QEMU", () => {
  needCommand("qemu-system-i386");
  for (const [seed, compileAfter] of [
    [1, Infinity],
    [2, 0],
  ]) {
    const { mismatches } = compareRing0(seed, CASES, compileAfter);
    const [first] = mismatches;
    if (first !== undefined) assert.unreachable(`${first}\n  npm run conform:qemu -- --seed ${seed} --cases ${CASES}`);
  }
});

test.run();
