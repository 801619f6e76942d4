/**
 * `npm run fuzz:cpu -- [--instructions N] [--seed S]`: worlds of chance under every engine until N instructions have run in
 * all. Progress on stderr, so that a run that does not come back shows its seed; the result on stdout; exit code 1 when
 * something failed.
 */
import { parseArgs } from "node:util";
import { fuzzRound } from "./rounds";

const { values } = parseArgs({
  options: { instructions: { type: "string", default: "10000000" }, seed: { type: "string", default: "1" } },
});
const [instructions, seed] = [Number(values.instructions), Number(values.seed)];
const ENOUGH = 10;

function main(): number {
  if (!(instructions > 0) || !Number.isInteger(seed)) {
    process.stderr.write("fuzz:cpu: --instructions and --seed want numbers\n");
    return 2;
  }
  let [done, failures, rounds] = [0, 0, 0];
  const worlds = new Map<string, number>();
  for (let next = seed; done < instructions && failures < ENOUGH; next++, rounds++) {
    if (rounds % 50 === 0) process.stderr.write(`seed ${next}, ${done} instructions, ${failures} failures\n`);
    const round = fuzzRound(next);
    done += Math.max(1, round.instructions);
    worlds.set(round.world, (worlds.get(round.world) ?? 0) + round.instructions);
    if (round.failure === undefined) continue;
    failures++;
    process.stdout.write(`${round.world}: ${round.failure}\n  npm run fuzz:cpu -- --seed ${next} --instructions 1\n`);
  }
  const by = [...worlds].map(([world, count]) => `${world} ${count}`).join(", ");
  process.stdout.write(`${done} instructions in ${rounds} worlds (${by}), ${failures} failures\n`);
  return failures > 0 ? 1 : 0;
}

process.exitCode = main();
