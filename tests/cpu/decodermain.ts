/**
 * `npm run conform:decoder -- [--count N] [--seed S]`: our decoder against iced-x86, in 16- and 32-bit code: every opcode
 * with every prefix, ModRM byte and SIB byte, then N random byte strings. Progress on stderr, the result on stdout; exit
 * code 1 when they differ.
 */
import { parseArgs } from "node:util";
import {
  compareDecoders,
  emptyTally,
  everyModrm,
  everySib,
  OPCODES,
  PREFIXES,
  randomRecords,
  UNCLAIMED,
} from "./decoderlockstep";

const { values } = parseArgs({
  options: { count: { type: "string", default: "5000000" }, seed: { type: "string", default: "1" } },
});
const [count, seed] = [Number(values.count), Number(values.seed)];
const BATCH = 100_000;

function main(): number {
  if (!(count >= 0) || !Number.isInteger(seed)) {
    process.stderr.write("conform:decoder: --count and --seed want numbers\n");
    return 2;
  }
  const tally = emptyTally();
  const compared = () => tally.same + tally.invalid;
  const both = (records: Uint8Array): void => {
    for (const size of [2, 4] as const) compareDecoders(records, size, tally);
  };
  for (const prefix of PREFIXES) both(everyModrm(prefix));
  process.stderr.write(`${compared()} enumerated\n`);
  for (const opcode of OPCODES) both(everySib(opcode));
  process.stderr.write(`${compared()} enumerated\n`);
  for (let done = 0; done < count; done += BATCH) {
    const records = randomRecords(Math.min(BATCH, count - done), seed + done / BATCH);
    compareDecoders(records, (done / BATCH) & 1 ? 2 : 4, tally);
  }
  for (const [what, bytes] of tally.differences) process.stdout.write(`${bytes}: ${what}\n`);
  for (const [i, { reason }] of UNCLAIMED.entries())
    process.stdout.write(`${tally.unclaimed[i]} not ours: ${reason}\n`);
  const kinds = tally.differences.size;
  process.stdout.write(`${compared()} strings, ${tally.same} instructions in both, ${kinds} kinds of difference\n`);
  return kinds > 0 ? 1 : 0;
}

process.exitCode = main();
