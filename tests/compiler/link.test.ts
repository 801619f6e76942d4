import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CompileError } from "../../tools/compiler/errors";
import { LayoutOverflow, type LinkInput, link } from "../../tools/compiler/link";
import type { ObjectFile } from "../../tools/compiler/object";
import { makeObject, makeSection, nopFunction, PROGRAM_LAYOUT } from "./objects";

const test = suite("compiler/link");

function linkObjects(objects: ObjectFile[], changes: Partial<LinkInput> = {}) {
  return link({ objects, ...PROGRAM_LAYOUT, ...changes });
}

function startObject(parts: Partial<ObjectFile> = {}): ObjectFile {
  const start = nopFunction("_start", 16);
  return makeObject("start.s", {
    sections: [makeSection(".text", start.bytes, 16)],
    ...parts,
    symbols: [start.symbol, ...(parts.symbols ?? [])],
  });
}

function errorOf(body: () => void): Error {
  try {
    body();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

test("relocations: absolute and relative, with addends, across objects and sections", () => {
  const a = startObject({
    sections: [makeSection(".text", new Array(16).fill(0)), makeSection(".data", [1, 2, 3, 4])],
    symbols: [{ name: "table", section: ".data", offset: 0, global: true }],
    relocations: [
      { section: ".text", offset: 4, kind: "rel32", symbol: "callee", addend: -4 },
      { section: ".text", offset: 8, kind: "abs32", symbol: "words", addend: 8 },
    ],
  });
  const b = makeObject("b.ts", {
    sections: [
      makeSection(".text", [0x90, 0xc3], 16),
      makeSection(".rodata", new Array(8).fill(0), 4),
      makeSection(".data", [9], 8),
    ],
    symbols: [
      { name: "callee", section: ".text", offset: 1, global: true, kind: "function", size: 1 },
      { name: "words", section: ".rodata", offset: 0, global: true, kind: "object", size: 8 },
    ],
    relocations: [{ section: ".rodata", offset: 4, kind: "abs32", symbol: "table", addend: 0 }],
  });
  const image = linkObjects([a, b]);
  const [text, rodata, data] = image.sections;
  const word = (bytes: Uint8Array, at: number) => new DataView(bytes.buffer, bytes.byteOffset).getInt32(at, true);
  const callee = 0x08048011;
  assert.is(word(text.bytes, 4), callee - 4 - 0x08048004);
  assert.is(word(text.bytes, 8), rodata.address + 8);
  assert.is(rodata.address, 0x08048020);
  assert.is(word(rodata.bytes, 4), 0x08080000);
  assert.equal([...data.bytes], [1, 2, 3, 4, 0, 0, 0, 0, 9]);
  assert.is(image.entry, 0x08048000);
});

test("a local symbol wins over a global one and may occur in two objects", () => {
  const local = { name: "loop", section: ".text", offset: 0, global: false } as const;
  const reference = { section: ".text", offset: 1, kind: "abs32", symbol: "loop", addend: 0 } as const;
  const make = (name: string) =>
    makeObject(name, {
      sections: [makeSection(".text", [0, 0, 0, 0, 0], 16)],
      symbols: [local],
      relocations: [reference],
    });
  const image = linkObjects([startObject(), make("a.s"), make("b.s")]);
  const view = new DataView(image.sections[0].bytes.buffer);
  assert.is(view.getUint32(0x11, true), 0x08048010);
  assert.is(view.getUint32(0x21, true), 0x08048020);
});

test("undefined symbols name file and line, first and count", () => {
  const object = startObject({
    lines: [
      { section: ".text", offset: 0, file: "kernel/a.ts", line: 3 },
      { section: ".text", offset: 6, file: "kernel/a.ts", line: 9 },
    ],
    relocations: [
      { section: ".text", offset: 8, kind: "rel32", symbol: "nothing", addend: -4 },
      { section: ".text", offset: 12, kind: "rel32", symbol: "nowhere", addend: -4 },
    ],
  });
  const error = errorOf(() => linkObjects([object]));
  assert.instance(error, CompileError);
  assert.match(error.message, /^kernel\/a\.ts:9: undefined symbol "nothing".*\(and 1 more error\)$/);
});

test("duplicate global symbols name both files", () => {
  const error = errorOf(() => linkObjects([startObject(), { ...startObject(), name: "other.s" }]));
  assert.is(error.message, 'other.s: symbol "_start" is already defined in start.s');
});

test("a missing entry is an error", () => {
  assert.match(errorOf(() => linkObjects([startObject()], { entry: "begin" })).message, /undefined symbol "begin"/);
});

test("static data stands at its own address; long runs of zeros are not stored; bss follows asc's", () => {
  const static1 = { ...makeSection(".data@8080400", [1, 2, 3]) };
  const static2 = { ...makeSection(".data@80a0010", [4, 5]) };
  const bss = { name: ".bss", bytes: new Uint8Array(0), size: 100, align: 64 };
  const image = linkObjects([startObject(), makeObject("m.ts", { sections: [static1, static2, bss] })], {
    staticEnd: 0x080b0001,
  });
  const shape = image.sections.map(({ name, address, size, bytes }) => [name, address, size, bytes.length]);
  assert.equal(shape, [
    [".text", 0x08048000, 16, 16],
    [".data", 0x08080000, 0x1000, 0x1000],
    [".bss.1", 0x08081000, 0x1f000, 0],
    [".data.1", 0x080a0000, 0x12, 0x12],
    [".bss", 0x080a0012, 0x080b0040 + 100 - 0x080a0012, 0],
  ]);
  assert.is(image.sections[1].bytes[0x402], 3);
  const end = image.symbols.find((symbol) => symbol.name === "__image_end");
  assert.is(end?.address, 0x080b0040 + 100);
});

test("text that does not fit says how much room it needs", () => {
  const error = errorOf(() => linkObjects([startObject()], { dataBase: 0x08048008, staticBase: 0x08048008 }));
  assert.instance(error, LayoutOverflow);
  assert.is((error as LayoutOverflow).textBytes, 16);
  const data = startObject({ sections: [makeSection(".text", new Array(16).fill(0)), makeSection(".data", [1, 2])] });
  assert.is((errorOf(() => linkObjects([data], { staticBase: 0x08080001 })) as LayoutOverflow).dataBytes, 2);
});

test("an unknown section is refused", () => {
  const odd = startObject({ sections: [makeSection(".text", new Array(16).fill(0)), makeSection(".odd", [1])] });
  assert.match(errorOf(() => linkObjects([odd])).message, /start\.s: section "\.odd"/);
});

test("__ksyms lists the functions by address with their names", () => {
  const second = nopFunction("second", 8);
  const local = { ...second.symbol, name: "inner", offset: 8, global: false };
  const b = makeObject("b.ts", {
    sections: [makeSection(".text", [...second.bytes, ...second.bytes], 16)],
    symbols: [local, second.symbol, { name: "label", section: ".text", offset: 3, global: true }],
  });
  const image = linkObjects([startObject(), b], { kernelSymbols: true });
  const rodata = image.sections.find((section) => section.name === ".rodata")!;
  const view = new DataView(rodata.bytes.buffer, rodata.bytes.byteOffset);
  const table = image.symbols.find((symbol) => symbol.name === "__ksyms")!.address - rodata.address;
  const entries = Array.from({ length: view.getUint32(table, true) }, (_, i) => {
    const name = view.getUint32(table + 8 + 8 * i, true) - rodata.address;
    const end = rodata.bytes.indexOf(0, name);
    return [view.getUint32(table + 4 + 8 * i, true), new TextDecoder().decode(rodata.bytes.subarray(name, end))];
  });
  assert.equal(entries, [
    [0x08048000, "_start"],
    [0x08048010, "second"],
    [0x08048018, "inner"],
  ]);
});

test.run();
