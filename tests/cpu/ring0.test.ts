/** Ring-0 cases on QEMU and on ours (ring0/): a bounded run. `npm run conform:qemu` goes on. */
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
    const { mismatches, vectors } = compareRing0(seed, CASES, compileAfter);
    const [first] = mismatches;
    if (first !== undefined) assert.unreachable(`${first}\n  npm run conform:qemu -- --seed ${seed} --cases ${CASES}`);
    // Each way to end happens: the end itself, and faults of every kind that a case can raise.
    for (const vector of [0, 3, 4, 5, 6, 11, 13, 14, 64]) assert.ok((vectors.get(vector) ?? 0) > 5, `vector ${vector}`);
  }
});

test.run();
