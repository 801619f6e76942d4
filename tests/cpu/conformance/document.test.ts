/** docs/conformance.md prints the tables that the code uses. Mend with `npm run docs:conformance`. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PATH, TABLES, withTables } from "./document";

const test = suite("cpu/conformance/document");

test("every table stands in the document as it is in the code", () => {
  const text = readFileSync(PATH, "utf8");
  for (const name of Object.keys(TABLES)) assert.ok(text.includes(`<!-- table: ${name} -->`), name);
  assert.is(text, withTables(text));
});

test.run();
