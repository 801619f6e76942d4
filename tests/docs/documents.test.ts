/** Every command that a reader may type prints what the document says. Mend with `npm run docs:update`. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Document } from "./document";

const test = suite("docs");
const root = process.cwd();
const names = ["README.md", "CONTRIBUTING.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)];

for (const name of names.filter((each) => each.endsWith(".md") && existsSync(join(root, each)))) {
  const document = new Document(name, root);
  test(`${name}: every command prints what is written`, () => {
    assert.equal(document.uncovered, [], `${name}: commands that no test is known to run`);
    const outputs = document.run();
    for (const [index, { command, expected, line }] of document.examples.entries()) {
      assert.is(outputs[index], expected, `${name}:${line}: ${command}`);
    }
  });
}

test.run();
