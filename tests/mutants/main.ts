/**
 * Every mutant by hand: says of each whether the guest tests noticed it; exit status 1 when one went unnoticed. Arguments choose
 * mutants: properties (P13), or words of the fault. May import mutate, mutants, tests/guest.
 */
import { builtImages } from "../guest/guest";
import { MUTANTS } from "./mutants";
import { unnoticed } from "./mutate";

const wanted = process.argv.slice(2);
const built = await builtImages();
let survivors = 0;
let killed = 0;
for (const mutant of MUTANTS) {
  const { fault, program, fails } = mutant;
  if (wanted.length > 0 && !wanted.some((word) => fails.includes(word) || fault.includes(word))) continue;
  const left = await unnoticed(mutant, built, process.cwd());
  if (left.length === 0) killed++;
  else survivors++;
  const verdict = left.length === 0 ? "noticed  " : `UNNOTICED by ${left.join(", ")}`;
  console.log(`${verdict} ${program} ${fails.join(" ")}: ${fault}`);
}
console.log(`${killed} noticed, ${survivors} unnoticed`);
if (killed + survivors === 0) process.stderr.write(`mutants: none is of ${wanted.join(" or ")}\n`);
process.exitCode = killed + survivors === 0 ? 2 : survivors > 0 ? 1 : 0;
