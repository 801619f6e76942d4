/** Every property and invariant has a test named by it, in every fork mode, and a fault that makes it fail; the document says which. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { guardsOf, invariantNames, mutantCounts, propertiesDocument, propertyNames } from "./guards";
import { UNMUTATED, UNTESTED } from "./list";

const test = suite("properties");
const ROOT = process.cwd();
const guards = guardsOf(ROOT);
const counts = mutantCounts();

test("every property that one CPU can show has a test named by its number", () => {
  const missing = propertyNames().filter((name) => !guards.has(name));
  assert.equal(missing, Object.keys(UNTESTED), "without a test, against those that say why");
});

test("every property has a mutant", () => {
  const missing = propertyNames().filter((name) => !counts.has(name));
  assert.equal(missing, Object.keys(UNMUTATED), "without a mutant, against those that say why");
});

test("every invariant has an auditor's test, and a mutant that the audit must report", () => {
  for (const name of invariantNames()) {
    assert.ok(
      [...(guards.get(name) ?? [])].some((place) => place.startsWith("tests/audit/")),
      `${name}: no test of the auditor's`,
    );
    assert.ok(counts.has(name), `${name}: no mutant`);
  }
});

test("docs/properties.md says what is so: mend with npm run properties", () => {
  assert.is(readFileSync("docs/properties.md", "utf8"), propertiesDocument(ROOT));
});

test.run();
