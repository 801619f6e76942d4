/**
 * Ring-3 instructions in lockstep with the host's processor (host/): a bounded run, and what of the instruction set it
 * covers. `npm run conform:host` goes on for millions of steps.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ROWS } from "../../cpu/isa";
import { skip } from "../skip";
import { runSequences } from "./host/lockstep";
import { Native } from "./host/native";
import { Ours } from "./host/ours";
import { COMPARED, EXCLUSIONS, exclusionOf } from "./host/rows";

const test = suite("cpu/hostconform");

const SEQUENCES = 2000;
const BATCH = 250;

test("every row is compared with the host or excluded with a reason", () => {
  assert.is(COMPARED.length + ROWS.filter((row) => exclusionOf(row) !== undefined).length, ROWS.length);
  for (const { excludes, reason } of EXCLUSIONS) assert.ok(ROWS.some(excludes), `excludes nothing: ${reason}`);
  assert.ok(COMPARED.length > 0.95 * ROWS.length);
});

test("instructions of every compared row do what the host's processor does", () => {
  const native = Native.build();
  if (typeof native === "string") skip(native);
  try {
    const ours = new Ours();
    const counts = new Map(COMPARED.map((row) => [row, 0]));
    const counted = (row: (typeof COMPARED)[number]) => counts.set(row, (counts.get(row) ?? 0) + 1);
    for (let seed = 1; seed <= SEQUENCES; seed += BATCH) {
      const { mismatches } = runSequences(seed, BATCH, { native, ours, rows: COMPARED, counted });
      const [first] = mismatches;
      if (first !== undefined)
        assert.unreachable(`${first.text}\n  npm run conform:host -- --seed ${first.seed} --steps 1`);
    }
    const untouched = COMPARED.filter((row) => counts.get(row) === 0).map(({ mnemonic }) => mnemonic);
    assert.equal(untouched, []);
  } finally {
    native.remove();
  }
});

test.run();
