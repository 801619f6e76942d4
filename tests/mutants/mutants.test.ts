/**
 * The mutation check's own test: every mutant still applies to the kernel as it is, every property that has guest tests has
 * mutants, and some mutants are noticed. All of them are run by `npm run test:mutants`.
 */
import { readdirSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { builtImages } from "../guest/guest";
import { MUTANTS } from "./mutants";
import { mutatedText, unnoticed } from "./mutate";

const test = suite("mutants");
const built = await builtImages();

/** Properties that the guest tests must prove. */
const PROPERTIES = [
  ...[1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32],
  ...[35, 36, 37, 44, 47, 49, 50, 54, 55],
].map((number) => `P${number}`);

/** Faults that are tried in every test run: one in fork, one in the write fault, one in the kernel's own writes. */
const QUICK = [
  "fork does not flush the parent's TLB",
  "unshare keeps W in the table that is left",
  "CR0.WP is not set",
];

test("every mutant applies to the kernel as it is", () => {
  for (const mutant of MUTANTS) assert.ok(mutatedText(mutant, process.cwd()).length > 0);
});

test("every property has a guest test", () => {
  const folder = "userland/tests";
  const programs = readdirSync(folder).filter((name) => name.endsWith(".ts"));
  const text = programs.map((name) => readFileSync(`${folder}/${name}`, "utf8")).join("\n");
  const missing = PROPERTIES.filter((property) => !text.includes(`test(cstr("${property} `));
  assert.equal(missing, []);
});

test("every property has a mutant", () => {
  const covered = new Set(MUTANTS.flatMap(({ fails }) => fails));
  assert.equal(
    PROPERTIES.filter((property) => !covered.has(property)),
    [],
  );
});

for (const fault of QUICK) {
  test(`noticed: ${fault}`, async () => {
    const mutant = MUTANTS.find((one) => one.fault === fault);
    assert.ok(mutant, "there is such a mutant");
    if (mutant) assert.equal(await unnoticed(mutant, built, process.cwd()), []);
  });
}

test.run();
