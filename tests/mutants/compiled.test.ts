/**
 * Faults in compiled code are noticed: every one still applies, and one of them, chosen by the sources, is tried. All of them by
 * COMPILER_MUTANTS=all.
 */
import { createHash } from "node:crypto";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { isNoticed, mutatedCompiler } from "./compiled";
import { COMPILER_MUTANTS } from "./list/compile";

const test = suite("mutants/compiled");
const ROOT = process.cwd();

const texts = COMPILER_MUTANTS.map((mutant) => mutatedCompiler(mutant, ROOT));

test("every mutant applies, and has a name of its own", () => {
  for (const text of texts) assert.ok(text.length > 0);
  assert.is(new Set(COMPILER_MUTANTS.map(({ fault }) => fault)).size, COMPILER_MUTANTS.length);
});

const place = createHash("sha1").update(texts.join()).digest().readUInt32LE(0) % COMPILER_MUTANTS.length;
for (const mutant of process.env.COMPILER_MUTANTS === "all" ? COMPILER_MUTANTS : [COMPILER_MUTANTS[place]]) {
  test(`noticed: ${mutant.fault}`, async () => {
    assert.ok(await isNoticed(mutant, ROOT), `${mutant.file}: tests/cpu/compile/${mutant.test} passes`);
  });
}

test.run();
