import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "../../cpu/index";
import { assemble } from "../../tools/compiler/assembler";
import { buildDwarf } from "../../tools/compiler/dwarf";
import { writeElf } from "../../tools/compiler/elf";
import { link } from "../../tools/compiler/link";
import { kernelLayout } from "../../tools/image/layout";
import { buildInitrd } from "../../tools/image/ustar";
import { Events } from "../../tools/trace/events";
import { Programs, programsOf } from "../../tools/trace/programs";
import { builtImages } from "../guest/guest";

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
const kernel = program("k.s", "nop\nkernelNext: nop", KERNEL, 0xc0000000);

/** Names of a kernel on a machine that does not run. */
function namesOf(elf: Uint8Array, programs = programsOf([])): Programs {
  const events = new Events(new Machine({ memoryMB: 2 }), kernelLayout(elf));
  return new Programs(elf, programs, events);
}

test("knows the kernel where it is linked and where it runs before paging", () => {
  const names = namesOf(kernel);
  assert.is(names.namesAt(KERNEL + 1)?.lookup(KERNEL + 1)?.name, "kernelNext");
  assert.is(names.namesAt(0x100001)?.lookup(0x100001)?.name, "kernelNext");
  assert.equal(names.namesAt(0x100001)?.line(0x100001), { file: "k.s", line: 5 });
});

test("knows a kernel that is linked where it is loaded, and none of a file that is no ELF", () => {
  const low = program("low.s", "nop\nlowNext: nop", 0x100000);
  assert.is(namesOf(low).namesAt(0x100001)?.lookup(0x100001)?.name, "lowNext");
  const rom = namesOf(new Uint8Array(65536));
  assert.is(rom.namesAt(0x100001), undefined);
  assert.is(rom.namesAt(KERNEL), undefined);
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
  assert.is(namesOf(kernel, damaged).namesAt(USER), undefined);
});

test("a process has the names of the program that it executes, whether or not its exec was heard", async () => {
  const built = await builtImages();
  const machine = new Machine({ memoryMB: 64 });
  machine.loadMultiboot(built.kernel, { commandLine: "fork=share -- /bin/forkstorm 2", modules: [built.initrd] });
  const layout = kernelLayout(built.kernel);
  const events = new Events(machine, layout);
  const heard = new Programs(built.kernel, programsOf([built.initrd]), events);
  const seen = new Map<string, string | undefined>();
  machine.onInstruction(() => {
    if (machine.cpu.cpl !== 3) return;
    // Whoever comes late, at this very instruction, finds the same.
    const key = `${events.pid} ${heard.namesAt(machine.cpu.eip) && heard.pathOf(events.pid)}`;
    if (seen.has(key)) return;
    const late = new Events(machine, layout);
    const guessed = new Programs(built.kernel, programsOf([built.initrd]), late);
    seen.set(key, guessed.namesAt(machine.cpu.eip) && guessed.pathOf(late.pid));
  });
  machine.run({ maxInstructions: 1e8 });
  assert.equal([...seen.keys()].sort(), [
    "1 /bin/init",
    "2 /bin/forkstorm",
    "2 /bin/init",
    "3 /bin/forkstorm",
    "3 /bin/true",
    "4 /bin/forkstorm",
    "4 /bin/true",
  ]);
  for (const [key, late] of seen) assert.is(late, key.split(" ")[1], `pid ${key}`);
});

test.run();
