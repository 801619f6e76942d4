/**
 * The mutation check's own test: every mutant still applies to the kernel as it is and names cases that there are, and a sample of
 * them is noticed. Which ones follows from the sources, so that it changes from commit to commit and is the same for the same
 * tree. All of them are run by `npm run test:mutants`.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { builtImages } from "../guest/guest";
import { MUTANTS } from "./mutants";
import { inWords, isOf, judge, modesOf, mutatedKernel, mutatedText } from "./mutate";
import { caseNames } from "./programs";

const test = suite("mutants");
const ROOT = process.cwd();
const built = await builtImages();
/** Mutants of a test run, each in one mode. */
const SAMPLE = 3;
const FOLDERS = ["kernel", "userland", "tests/guest", "tests/mutants"];

/** A hash of the sources that the mutants and their tests are made of. */
function treeHash(): string {
  const hash = createHash("sha1");
  for (const folder of FOLDERS) {
    const names = (readdirSync(join(ROOT, folder), { recursive: true }) as string[]).filter((name) =>
      /\.(ts|s)$/.test(name),
    );
    for (const name of names.sort()) hash.update(name).update(readFileSync(join(ROOT, folder, name)));
  }
  return hash.digest("hex");
}

/** The mutants whose hashes with the tree's come first, with a mode that follows from it. */
function sample() {
  const tree = treeHash();
  const ranked = MUTANTS.map((mutant) => ({
    mutant,
    rank: createHash("sha1").update(tree).update(mutant.fault).digest("hex"),
  }));
  ranked.sort((a, b) => (a.rank < b.rank ? -1 : 1));
  return ranked.slice(0, SAMPLE).map(({ mutant, rank }) => {
    const modes = modesOf(mutant);
    return { mutant, mode: modes[Number.parseInt(rank.slice(-4), 16) % modes.length] };
  });
}

test("every mutant applies to the kernel as it is", () => {
  for (const mutant of MUTANTS) assert.ok(mutatedText(mutant, ROOT).length > 0);
});

test("every mutant has a name of its own, and cases that are to notice it", () => {
  assert.is(new Set(MUTANTS.map(({ fault }) => fault)).size, MUTANTS.length);
  for (const { fault, program, fails } of MUTANTS) {
    const names = caseNames(program, ROOT);
    for (const one of fails)
      assert.ok(
        names.some((name) => isOf(name, one)),
        `${fault}: ${program} has no case ${one}`,
      );
  }
});

for (const { mutant, mode } of sample()) {
  test(`noticed in fork=${mode}: ${mutant.fault}`, async () => {
    const verdict = judge(mutant, await mutatedKernel(mutant, ROOT), built.initrd, mode, ROOT);
    const again = `npm run test:mutants -- "${mutant.fault}" --mode ${mode}`;
    assert.equal(verdict.unnoticed, [], `${inWords(verdict)}; again by: ${again}`);
  });
}

test.run();
