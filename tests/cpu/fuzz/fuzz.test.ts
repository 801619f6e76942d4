/** The processor's fuzzer, a bounded run. `npm run fuzz:cpu` goes on for ten million instructions. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RunExit } from "../../../cpu/cpu";
import { fuzzRound } from "./rounds";

const test = suite("cpu/fuzz");

const ROUNDS = 90;
/** Seeds that once failed. 3570: ENTER pushed over the page table of its own stack. */
const FOUND = [3570];

test("random worlds: no exception, no endless instruction, nothing outside RAM, and the same by every engine", () => {
  const exits = new Map<RunExit, number>();
  const worlds = new Map<string, number>();
  let instructions = 0;
  const seeds = [...Array.from({ length: ROUNDS }, (_, i) => i + 1), ...FOUND];
  for (const seed of seeds) {
    const round = fuzzRound(seed);
    if (round.failure !== undefined)
      assert.unreachable(`${round.world}: ${round.failure}\n  npm run fuzz:cpu -- --seed ${seed} --instructions 1`);
    instructions += round.instructions;
    exits.set(round.exit, (exits.get(round.exit) ?? 0) + 1);
    worlds.set(round.world, (worlds.get(round.world) ?? 0) + round.instructions);
  }
  assert.ok(instructions > 200_000, `too little happens: ${instructions} instructions`);
  assert.ok((exits.get(RunExit.Budget) ?? 0) > 0 && (exits.get(RunExit.TripleFault) ?? 0) > 0, `${[...exits]}`);
  for (const world of ["real", "virtual", "16-bit", "32-bit"])
    assert.ok((worlds.get(world) ?? 0) > 5000, `${world}: ${worlds.get(world)}`);
});

test.run();
