/**
 * `npm run conform:host -- [--steps N] [--seed S] [--rows REGEXP] [--compiled]`: our processor in lockstep with the host's.
 * With --compiled every block is compiled before its first run. Progress on stderr, the result on stdout; exit code 1 when they differ. A mismatch is printed with the command that runs
 * its sequence again.
 */
import { parseArgs } from "node:util";
import { rowsNamed, runSequences } from "./lockstep";
import { Native } from "./native";
import { Ours } from "./ours";

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    rows: { type: "string", default: "" },
    compiled: { type: "boolean", default: false },
  },
});
const [steps, seed] = [Number(values.steps), Number(values.seed)];
/** Sequences in one run of the helper. */
const BATCH = 200;
/** Differing sequences after which it gives up. */
const ENOUGH = 20;

function main(): number {
  const rows = rowsNamed(new RegExp(values.rows));
  if (!(steps > 0) || !Number.isInteger(seed) || rows.length === 0) {
    process.stderr.write("conform:host: --steps and --seed want numbers, --rows the names of instructions\n");
    return 2;
  }
  const native = Native.build();
  if (typeof native === "string") {
    process.stdout.write(`skipped: ${native}\n`);
    return 0;
  }
  try {
    const ours = new Ours(values.compiled ? { compileAfter: 0 } : {});
    const began = Date.now();
    let [done, next, mismatches] = [0, seed, 0];
    let reported = 0;
    while (done < steps && mismatches < ENOUGH) {
      const count = steps - done < BATCH ? 1 : BATCH;
      const batch = runSequences(next, count, { native, ours, rows });
      next += count;
      done += Math.max(1, batch.instructions);
      mismatches += batch.mismatches.length;
      const filter = `${values.rows === "" ? "" : ` --rows '${values.rows}'`}${values.compiled ? " --compiled" : ""}`;
      for (const { seed: failing, number, text } of batch.mismatches)
        process.stdout.write(
          `${text}\n  step ${number} of: npm run conform:host -- --steps 1 --seed ${failing}${filter}\n`,
        );
      if (done - reported >= 100_000) {
        reported = done;
        const rate = Math.round(done / ((Date.now() - began) / 1000));
        process.stderr.write(`${done} steps, ${mismatches} mismatches, ${rate} steps/s\n`);
      }
    }
    const seconds = (Date.now() - began) / 1000;
    process.stdout.write(
      `${done} steps, ${mismatches} mismatches, ${seconds.toFixed(1)} s, ${Math.round(done / seconds)} steps/s\n`,
    );
    return mismatches > 0 ? 1 : 0;
  } finally {
    native.remove();
  }
}

process.exitCode = main();
