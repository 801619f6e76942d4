/** `npm run docs:update`: writes into README.md, CONTRIBUTING.md and docs/ what their commands print now. */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundle, bundleTools, ROOT } from "../../tools/bundle.mjs";

await bundleTools();
await bundle({ document: "tests/docs/document.ts" }, "dist/docs");
const { Document } = await import("../../dist/docs/document.mjs");
const names = ["README.md", "CONTRIBUTING.md", ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)];
for (const name of names.filter((each) => each.endsWith(".md") && existsSync(join(ROOT, each)))) {
  const document = new Document(name, ROOT);
  writeFileSync(join(ROOT, name), document.updated(document.run()));
  process.stderr.write(`${name}: ${document.examples.length} examples\n`);
}
