/** The layout that a build exports is the kernel's own. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildAll } from "../../tools/image/build";
import { kernelLayout } from "../../tools/image/layout";
import { Symbols } from "../../tools/image/symbols";

const test = suite("image/layout");

test("the file beside the kernel says what the kernel's own section and symbols say", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tine-layout-"));
  try {
    const { kernel } = await buildAll(folder);
    const layout = JSON.parse(readFileSync(join(folder, "kernel.layout.json"), "utf8"));
    assert.equal(layout, JSON.parse(JSON.stringify(kernelLayout(kernel))));
    // As the sources draw them.
    assert.is(layout.structs.Page.bytes, 32);
    assert.equal(layout.structs.TablePage.fields.users, { offset: 8, bytes: 4 });
    assert.equal(layout.structs.Vma.fields.next, { offset: 12, bytes: 4 });
    assert.is(layout.constants["mm/layout/KERNEL_BASE"], 0xc0000000);
    assert.is(layout.constants["mm/page/FrameKind.Table"], 7);
    assert.is(layout.variables.memMap, new Symbols(kernel).address("memMap"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("files that carry no layout have none", () => {
  assert.is(kernelLayout(new Uint8Array(0)), undefined);
  assert.is(kernelLayout(Buffer.from("no ELF file")), undefined);
});

test.run();
