/** Debug information changes nothing that is loaded: neither of the kernel nor of programs, and the initrd's programs carry the lean form. */
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildKernel, buildProgram } from "../../tools/compiler/index";
import { loadedSegments } from "../../tools/image/segments";
import { readSections } from "../../tools/image/symbols";
import { readTar } from "../../tools/image/ustar";
import { builtImages } from "../guest/guest";

const test = suite("gdb/loaded");

function isFull(elf: Uint8Array): boolean {
  const names = readSections(elf).map(({ name }) => name);
  assert.is(names.includes(".debug_loc"), names.includes(".debug_frame"));
  return names.includes(".debug_frame");
}

/** Entry and program headers' contents. */
function loaded(elf: Uint8Array): string {
  const segments = loadedSegments(elf).map(({ contents, ...rest }) => ({
    ...rest,
    hex: Buffer.from(contents).toString("hex"),
  }));
  return JSON.stringify([Buffer.from(elf.subarray(24, 28)).toString("hex"), segments]);
}

/** The bytes of all segments are the same. */
function sameLoaded(lean: Uint8Array, full: Uint8Array): void {
  assert.not(isFull(lean));
  assert.ok(isFull(full));
  assert.ok(full.length > lean.length);
  assert.ok(loaded(lean).length > 10_000);
  assert.ok(loaded(lean) === loaded(full), "the bytes of all segments");
}

const built = await builtImages();

test("kernel: what is loaded is the same with full debug information, as it is built", async () => {
  sameLoaded((await buildKernel({ fullDebug: false })).elf, built.kernel);
});

test("a program: what is loaded is the same with full debug information", async () => {
  const build = (fullDebug: boolean) => buildProgram(join(process.cwd(), "userland/bin/sh.ts"), { fullDebug });
  sameLoaded((await build(false)).elf, (await build(true)).elf);
});

test("no program of the initrd has it", () => {
  const programs = readTar(built.initrd, "initrd").filter(({ name }) => name.startsWith("bin/"));
  assert.ok(programs.length > 5);
  for (const { name, data } of programs) assert.not(isFull(data), name);
});

test.run();
