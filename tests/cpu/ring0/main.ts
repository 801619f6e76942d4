/**
 * `npm run conform:qemu -- [--cases N] [--seed S] [--compiled]`: ring-0 cases on QEMU and on ours. Progress on stderr, the result on stdout;
 * exit code 1 when they differ.
 */
import { parseArgs } from "node:util";
import { compareRing0, MOST_CASES } from "./oracle";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "40000" },
    seed: { type: "string", default: "1" },
    compiled: { type: "boolean", default: false },
  },
});
const [cases, seed] = [Number(values.cases), Number(values.seed)];

function main(): number {
  if (!(cases > 0) || !Number.isInteger(seed)) {
    process.stderr.write("conform:qemu: --cases and --seed want numbers\n");
    return 2;
  }
  const vectors = new Map<number, number>();
  let [done, mismatches] = [0, 0];
  for (let next = seed; done < cases; next++) {
    const count = Math.min(MOST_CASES, cases - done);
    const comparison = compareRing0(next, count, values.compiled ? 0 : Infinity);
    for (const text of comparison.mismatches.slice(0, 20))
      process.stdout.write(`${text}\n  npm run conform:qemu -- --seed ${next} --cases ${count}\n`);
    for (const [vector, times] of comparison.vectors) vectors.set(vector, (vectors.get(vector) ?? 0) + times);
    done += count;
    mismatches += comparison.mismatches.length;
    process.stderr.write(`${done} cases, ${mismatches} mismatches\n`);
  }
  const ends = [...vectors].sort(([a], [b]) => a - b).map(([vector, times]) => `${vector}: ${times}`);
  process.stdout.write(`${done} cases, ${mismatches} mismatches; ended by vector ${ends.join(", ")}\n`);
  return mismatches > 0 ? 1 : 0;
}

process.exitCode = main();
