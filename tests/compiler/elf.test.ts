import { writeFileSync } from "node:fs";
import path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildDwarf } from "../../tools/compiler/dwarf";
import { writeElf } from "../../tools/compiler/elf";
import { link } from "../../tools/compiler/link";
import { Symbols } from "../../tools/image/symbols";
import { needCommand, skip } from "../skip";
import { makeObject, makeSection, nopFunction, PROGRAM_LAYOUT, runNative, runTool, withFolder } from "./objects";

const test = suite("compiler/elf");

/** mov eax, 1; mov ebx, [answer]; int 0x80: exits with the word at `answer`. */
const EXIT_WITH_ANSWER = [0xb8, 1, 0, 0, 0, 0x8b, 0x1d, 0, 0, 0, 0, 0xcd, 0x80];

/** A program of two units, memory.ts with two functions and start.s. */
function makeImage() {
  const first = nopFunction("copyPageRange", 32);
  const second = nopFunction("zapPageRange", 32);
  const line = (offset: number, line: number, file = "memory.ts") => ({ section: ".text", offset, file, line });
  const start = makeObject("start.s", {
    sections: [makeSection(".text", EXIT_WITH_ANSWER, 16), makeSection(".data", [42, 0, 0, 0], 4)],
    symbols: [
      { name: "_start", section: ".text", offset: 0, global: true, kind: "function", size: EXIT_WITH_ANSWER.length },
      { name: "answer", section: ".data", offset: 0, global: true, kind: "object", size: 4 },
    ],
    relocations: [{ section: ".text", offset: 7, kind: "abs32", symbol: "answer", addend: 0 }],
    lines: [line(0, 4, "start.s"), line(5, 5, "start.s"), line(11, 6, "start.s")],
  });
  const memory = makeObject("memory.ts", {
    sections: [
      makeSection(".text", [...first.bytes, ...second.bytes], 16),
      makeSection(".rodata", [1, 2, 3, 4], 4),
      { name: ".bss", bytes: new Uint8Array(0), size: 0x5000, align: 16 },
    ],
    symbols: [first.symbol, { ...second.symbol, offset: 32, global: false }],
    relocations: [],
    lines: [
      ...[line(0, 118), line(3, 119), line(8, 120), line(12, 7, "list.ts"), line(16, 121)],
      ...[line(32, 130), line(35, 900), line(50, 131)],
    ],
  });
  return link({ ...PROGRAM_LAYOUT, objects: [start, memory] });
}

function makeElf(directory: string): Uint8Array {
  const image = makeImage();
  return writeElf(image, { physicalOffset: 0, debug: buildDwarf(image.units, directory) });
}

test("readelf and objdump read all of it without complaint", () =>
  withFolder((folder) => {
    needCommand("readelf");
    needCommand("objdump");
    const file = path.join(folder, "image.elf");
    writeFileSync(file, makeElf(folder));
    const all = runTool("readelf", ["-aW", file]);
    assert.match(all, /Entry point address:\s+0x8048000/);
    assert.match(all, /LOAD\s+0x000000 0x08048000|LOAD\s+0x001000 0x08048000 0x08048000 \S+ \S+ R E/);
    assert.match(all, /080480\d\d\s+32 FUNC\s+GLOBAL DEFAULT\s+\d+ copyPageRange/);
    assert.match(all, /08080000\s+4 OBJECT\s+GLOBAL DEFAULT\s+\d+ answer/);
    const debug = runTool("readelf", ["-w", file]);
    assert.match(debug, /DW_TAG_subprogram/);
    assert.match(debug, /DW_AT_name\s+: \(indirect string, offset: \w+\): copyPageRange/);
    const decoded = runTool("readelf", ["--debug-dump=decodedline", file]);
    assert.match(decoded, /memory\.ts\s+120\s+0x8048018/);
    assert.match(decoded, /memory\.ts\s+900\s+0x8048033/);
    const code = runTool("objdump", ["-d", "-l", file]);
    assert.match(code, /<copyPageRange>:/);
    assert.match(code, /memory\.ts:120/);
  }));

test("a kernel's load addresses and entry are physical, its header within the first 8 KB", () => {
  const image = makeImage();
  const elf = writeElf(image, { physicalOffset: 0x08000000, debug: [] });
  const view = new DataView(elf.buffer);
  assert.is(view.getUint32(24, true), 0x48000);
  assert.is(view.getUint32(52 + 8, true), 0x08048000);
  assert.is(view.getUint32(52 + 12, true), 0x48000);
  assert.ok(view.getUint32(52 + 4, true) <= 4096);
  for (let i = 0; i < view.getUint16(44, true); i++) {
    const at = 52 + 32 * i;
    assert.is(view.getUint32(at + 4, true) % 4096, view.getUint32(at + 8, true) % 4096, "offset congruent to address");
    assert.ok(view.getUint32(at + 16, true) <= view.getUint32(at + 20, true), "filesz <= memsz");
  }
});

test("Linux on the host loads and runs it", () =>
  withFolder((folder) => {
    if (process.platform !== "linux" || process.arch !== "x64") skip("the host is not x86-64 Linux");
    assert.is(runNative(folder, makeElf(folder)), 42);
  }));

test("Symbols finds names, lines and addresses again", () => {
  const symbols = new Symbols(makeElf("/nowhere"));
  const copy = symbols.address("copyPageRange")!;
  assert.is(copy, 0x08048010);
  assert.equal(symbols.lookup(copy + 31), { name: "copyPageRange", offset: 31 });
  assert.equal(symbols.lookup(copy + 32), { name: "zapPageRange", offset: 0 });
  assert.is(symbols.lookup(copy + 68), undefined);
  assert.is(symbols.lookup(0x1000), undefined);
  assert.equal(symbols.lookup(0x08080003), { name: "answer", offset: 3 });
  const lines = [0, 2, 3, 8, 12, 15, 16, 31, 32, 35, 63].map((offset) => {
    const found = symbols.line(copy + offset)!;
    return `${found.file}:${found.line}`;
  });
  assert.equal(lines, [
    ...["memory.ts:118", "memory.ts:118", "memory.ts:119", "memory.ts:120", "list.ts:7", "list.ts:7", "memory.ts:121"],
    ...["memory.ts:121", "memory.ts:130", "memory.ts:900", "memory.ts:131"],
  ]);
  assert.is(symbols.line(copy + 64), undefined);
  assert.equal(symbols.line(0x08048005), { file: "start.s", line: 5 });
  assert.is(symbols.line(0x0804800d), undefined);
});

test("Symbols refuses what is no ELF32 file and reads one without symbols", () => {
  assert.throws(() => new Symbols(new Uint8Array(100)), /not a little-endian ELF32 file/);
  const elf = makeElf("/nowhere");
  assert.throws(() => new Symbols(elf.subarray(0, elf.length - 100)), /truncated/);
  new DataView(elf.buffer).setUint16(48, 0, true);
  assert.is(new Symbols(elf).lookup(0x08048010), undefined);
});

test("gdb sets breakpoints by line, lists sources and names functions", () =>
  withFolder((folder) => {
    needCommand("gdb");
    const file = path.join(folder, "image.elf");
    writeFileSync(file, makeElf(folder));
    const source = Array.from({ length: 950 }, (_, i) => `// this is line ${i + 1}`);
    writeFileSync(path.join(folder, "memory.ts"), source.join("\n"));
    const commands = [
      "break memory.ts:120",
      "info line memory.ts:121",
      "list memory.ts:120,121",
      "info symbol 0x8048012",
    ];
    commands.push(
      "info line *0x804801c",
      "info scope copyPageRange",
      "list zapPageRange",
      "break copyPageRange",
      "print answer",
    );
    const args = ["-nx", "-batch", ...commands.flatMap((command) => ["-ex", command]), file];
    const output = runTool("gdb", args, "/");
    assert.match(output, /Breakpoint 1 at 0x8048018: file memory\.ts, line 120\./);
    assert.match(output, /Line 121 of "memory\.ts" starts at address 0x8048020/);
    assert.match(output, /120\s+\/\/ this is line 120\n121\s+\/\/ this is line 121/);
    assert.match(output, /copyPageRange \+ 2 in section \.text/);
    assert.match(output, /Line 7 of "list\.ts"/);
    assert.match(output, /130\s+\/\/ this is line 130/);
    assert.match(output, /\$1 = 42/);
    assert.match(output, /Breakpoint 2 at 0x8048013: file memory\.ts, line 119\./);
  }));

test.run();
