/** The gdb session of docs/debugging.md prints what is written there. Mend with `npm run docs:gdb`. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { needCommand } from "../skip";
import { DOCUMENT, runDocument } from "./document";

const test = suite("gdb/document");

test(`${DOCUMENT}: gdb prints what is written`, async () => {
  needCommand("gdb");
  const { examples, printed } = await runDocument();
  assert.ok(examples.length > 15);
  for (const [index, { command, expected, line }] of examples.entries()) {
    assert.is(printed[index], expected, `${DOCUMENT}:${line + 1}: ${command}`);
  }
});

test.run();
