/**
 * Ring-3 instructions in lockstep with the host's processor (host/): a bounded run, and what of the instruction set it
 * covers. `npm run conform:host` goes on for millions of steps.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ROWS, type Row } from "../../cpu/isa";
import { skip } from "../skip";
import { runSequences } from "./host/lockstep";
import { Native } from "./host/native";
import { Ours } from "./host/ours";
import { COMPARED, EXCLUSIONS, exclusionOf } from "./host/rows";

const test = suite("cpu/hostconform");

const SEQUENCES = 2000;
const COMPILED_SEQUENCES = 250;
const BATCH = 250;

test("every row is compared with the host or excluded with a reason", () => {
  assert.is(COMPARED.length + ROWS.filter((row) => exclusionOf(row) !== undefined).length, ROWS.length);
  for (const { excludes, reason } of EXCLUSIONS) assert.ok(ROWS.some(excludes), `excludes nothing: ${reason}`);
  assert.ok(COMPARED.length > 0.95 * ROWS.length);
});

/** Runs `count` sequences from a seed on. Gives the rows that came up. */
function compare(first: number, count: number, ours: Ours): Set<Row> {
  const native = Native.build();
  if (typeof native === "string") skip(native);
  const seen = new Set<Row>();
  try {
    const settings = { native, ours, rows: COMPARED, counted: (row: Row) => seen.add(row) };
    for (let seed = first; seed < first + count; seed += BATCH) {
      const [mismatch] = runSequences(seed, BATCH, settings).mismatches;
      if (mismatch !== undefined)
        assert.unreachable(`${mismatch.text}\n  npm run conform:host -- --seed ${mismatch.seed} --steps 1`);
    }
  } finally {
    native.remove();
  }
  return seen;
}

test("instructions of every compared row do what the host's processor does", () => {
  const seen = compare(1, SEQUENCES, new Ours());
  assert.equal(
    COMPARED.filter((row) => !seen.has(row)).map(({ mnemonic }) => mnemonic),
    [],
  );
});

test("so does compiled code", () => {
  compare(500_000, COMPILED_SEQUENCES, new Ours({ compileAfter: 0 }));
});

test.run();
