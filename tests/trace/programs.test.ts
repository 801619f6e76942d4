import { suite } from "uvu";
import * as assert from "uvu/assert";
import { assemble } from "../../tools/compiler/assembler";
import { buildDwarf } from "../../tools/compiler/dwarf";
import { writeElf } from "../../tools/compiler/elf";
import { link } from "../../tools/compiler/link";
import { buildInitrd } from "../../tools/image/ustar";
import type { CodeSample } from "../../tools/trace/lines";
import { programsOf, symbolsByProgram } from "../../tools/trace/programs";

const test = suite("trace/programs");

/** An executable at `base` from assembly. */
function program(name: string, source: string, base: number, physicalOffset = 0): Uint8Array {
  const image = link({
    objects: [assemble(`.text\n.global _start\n_start:\n${source}`, name)],
    textBase: base,
    dataBase: base + 0x10000,
    staticBase: base + 0x20000,
    staticEnd: base + 0x20000,
    entry: "_start",
    kernelSymbols: false,
  });
  return writeElf(image, { physicalOffset, debug: buildDwarf(image.units, "/") });
}

const USER = 0x08048000;
const KERNEL = 0xc0100000;
const first = program("a.s", "nop\nmov eax, 1\nfirstEnd: ret", USER);
const second = program("b.s", "nop\nmov eax, 2\nsecondEnd: ret", USER);
const kernel = program("k.s", "nop\nkernelNext: nop", KERNEL, 0xc0000000);

/** What a process was seen to run. */
function samples(...code: [address: number, bytes: string][]): CodeSample[] {
  return code.map(([address, bytes]) => ({ address, bytes: Uint8Array.from(Buffer.from(bytes, "hex")) }));
}

const resolver = symbolsByProgram(kernel, [
  { path: "/bin/a", elf: first },
  { path: "/bin/b", elf: second },
]);

test("tells programs apart by the instructions seen", () => {
  const ofSecond = samples([USER, "90"], [USER + 1, "b802000000"]);
  assert.equal(resolver(5, USER + 6, ofSecond)?.lookup(USER + 6), { name: "secondEnd", offset: 0 });
  assert.equal(resolver(5, USER + 6, ofSecond)?.line(USER + 6), { file: "b.s", line: 6 });
  const ofFirst = samples([USER + 1, "b801000000"]);
  assert.is(resolver(5, USER, ofFirst)?.lookup(USER + 6)?.name, "firstEnd");
});

test("says nothing of a program that it does not know, or has not seen", () => {
  assert.is(resolver(5, USER, samples([USER, "cc"])), undefined);
  assert.is(resolver(5, USER, samples([USER + 0x500, "90"])), undefined);
  assert.is(resolver(5, USER, []), undefined);
});

test("knows the kernel where it is linked and where it runs before paging", () => {
  assert.is(resolver(-1, KERNEL + 1, [])?.lookup(KERNEL + 1)?.name, "kernelNext");
  assert.is(resolver(-1, 0x100001, [])?.lookup(0x100001)?.name, "kernelNext");
  assert.equal(resolver(-1, 0x100001, [])?.line(0x100001), { file: "k.s", line: 5 });
});

test("finds the executables in a machine's modules, and nothing in what is no archive", () => {
  const archive = buildInitrd([
    { name: "bin/a", data: first, mode: 0o755 },
    { name: "etc/motd", data: new TextEncoder().encode("hello"), mode: 0o644 },
    { name: "bin/cut", data: first.slice(0, 20), mode: 0o755 },
  ]);
  assert.equal(programsOf([new Uint8Array(10), archive, first]), [{ path: "/bin/a", elf: first }]);
  assert.equal(programsOf([archive.slice(0, 600)]), []);
});

test("a file that ends in its program headers is no reason to stop", () => {
  const damaged = [...Array(first.length - 52).keys()].map((bytes) => ({
    path: "/bin/a",
    elf: first.slice(0, 52 + bytes),
  }));
  const all = symbolsByProgram(kernel, damaged);
  assert.is(all(5, USER, samples([USER, "cc"])), undefined);
});

test.run();
