/**
 * The code that the back end makes of loops like the kernel's, in executed instructions, against what gcc -O2 needs for
 * the same in C. gcc's figures were counted once, by single-stepping what Debian's gcc 12.2.0 makes of fixtures/loops.c
 * (which tells the flags) from the call to the return, on the inputs below.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "../../cpu/index";
import { runAsc } from "../../tools/compiler/asc";
import { compileModule } from "../../tools/compiler/backend";
import { findRoot } from "../../tools/compiler/index";
import { Symbols } from "../../tools/image/symbols";
import { linkHarness, STATIC_BASE } from "../fuzz/compilerharness";

const test = suite("compiler/codequality");

/** At most so many times gcc's instructions. */
const MOST = 1.3;

/** Memory that a loop works on: words from TABLE on, and where further structures are. */
const TABLE = 0x400000;
const SECOND = TABLE + 0x2000;
const AREAS = TABLE + 0x4000;
const PAGES = TABLE + 0x8000;
const BYTES = 0x10000;

interface Loop {
  name: string;
  /** Instructions of gcc -O2. */
  gcc: number;
  inputs: readonly number[];
  /** Puts words at byte offsets from TABLE. */
  prepare(words: Uint32Array, bytes: Uint8Array): void;
}

/** 1024 ptes, every sixteenth empty, and their pages. */
function table(words: Uint32Array): void {
  for (let i = 0; i < 1024; i++) words[i] = (((i * 7) % 1024) << 12) | (i % 16 === 5 ? 0 : 7);
  for (let i = 0; i < 1024; i++) {
    words[(PAGES - TABLE) / 4 + i * 4 + 1] = 1 + Number(i % 3 === 0);
    words[(PAGES - TABLE) / 4 + i * 4 + 2] = i % 2 ? 0 : 0x1234;
  }
}

function areas(words: Uint32Array): void {
  for (let i = 0; i < 300; i++) {
    const at = (AREAS - TABLE) / 4 + i * 4;
    words.set([i * 100, i * 100 + 50, 0, i < 299 ? AREAS + i * 16 + 16 : 0], at);
  }
}

function texts(_words: Uint32Array, bytes: Uint8Array): void {
  for (const at of [0, SECOND - TABLE]) bytes.fill(65, at, at + 777);
  bytes[SECOND - TABLE + 770] = 66;
}

const LOOPS: readonly Loop[] = [
  { name: "copyTable", gcc: 21011, inputs: [TABLE, SECOND, PAGES], prepare: table },
  { name: "zapTable", gcc: 18205, inputs: [TABLE, PAGES, 1024], prepare: table },
  { name: "findArea", gcc: 1255, inputs: [AREAS, 25000], prepare: areas },
  { name: "checksum", gcc: 24018, inputs: [TABLE, 4000], prepare: table },
  { name: "wordSum", gcc: 5008, inputs: [TABLE, 1000], prepare: table },
  { name: "fillWords", gcc: 4006, inputs: [TABLE, 0x55, 1000], prepare: table },
  { name: "stringLength", gcc: 2339, inputs: [TABLE], prepare: texts },
  { name: "stringCompare", gcc: 5406, inputs: [TABLE, SECOND], prepare: texts },
  {
    ...{ name: "insertionSort", gcc: 7293, inputs: [TABLE, 60] },
    prepare: (words) => words.set(Array.from({ length: 60 }, (_, i) => (i * 7919) % 101)),
  },
  {
    ...{ name: "takeBit", gcc: 1071, inputs: [TABLE, 200] },
    prepare: (words) => words.fill(0xffffffff, 0, 200).set([0xfff7ffff], 150),
  },
  { name: "decimal", gcc: 155, inputs: [TABLE, 4012345678 | 0], prepare: () => {} },
  {
    ...{ name: "interpret", gcc: 10592, inputs: [TABLE, 1000, 7] },
    prepare: (_words, bytes) => bytes.set(Array.from({ length: 64 }, (_, i) => (i * 5) % 7)),
  },
];

async function compileLoops() {
  const text = readFileSync(path.join(findRoot(), "tests/compiler/fixtures/loops.as"), "utf8");
  const { wasm, map, staticEnd } = await runAsc({
    ...{ root: "/", entries: ["/loops.ts"], memoryBase: STATIC_BASE, abort: "loops/abortLoops" },
    virtual: { "/loops.ts": text },
  });
  const object = compileModule(wasm, { name: "loops.ts", locate: (offset) => map.locate(offset) });
  return { wasm, object, staticEnd };
}

/** Instructions that the function itself executes. */
function count({ name, inputs, prepare }: Loop, { object, staticEnd }: Awaited<ReturnType<typeof compileLoops>>) {
  const elf = linkHarness(object, [{ symbol: name, inputs }], staticEnd);
  const machine = new Machine({ memoryMB: 8 });
  machine.loadMultiboot(elf);
  const memory = new Uint8Array(BYTES);
  prepare(new Uint32Array(memory.buffer), memory);
  machine.writePhysical(TABLE, memory);
  const symbols = new Symbols(elf);
  let instructions = 0;
  machine.onInstruction(() => {
    if (symbols.lookup(machine.registers.eip)?.name === name) instructions++;
  });
  const stop = machine.run({ maxInstructions: 1e6 });
  assert.is(stop.reason, "exit");
  const results = machine.readPhysical(symbols.address("results")!, 8);
  const result = new DataView(results.buffer, results.byteOffset).getInt32(4, true);
  return { instructions, result, memory: machine.readPhysical(TABLE, BYTES) };
}

test(`hot loops take at most ${MOST} times the instructions of gcc -O2, and do what they do in V8`, async () => {
  const compiled = await compileLoops();
  const slow: string[] = [];
  for (const loop of LOOPS) {
    const { instance } = await WebAssembly.instantiate(compiled.wasm as Uint8Array<ArrayBuffer>, {});
    const exports = instance.exports as Record<string, unknown>;
    const memory = exports.memory as { buffer: ArrayBuffer; grow(pages: number): number };
    const inV8 = exports[loop.name] as (...inputs: readonly number[]) => number | undefined;
    const pages = (TABLE + BYTES - memory.buffer.byteLength) / 0x10000;
    if (pages > 0) memory.grow(pages);
    loop.prepare(new Uint32Array(memory.buffer, TABLE, BYTES / 4), new Uint8Array(memory.buffer, TABLE, BYTES));
    const expected = inV8(...loop.inputs);
    const ours = count(loop, compiled);
    if (expected !== undefined) assert.is(ours.result, expected, loop.name);
    assert.equal(ours.memory, new Uint8Array(memory.buffer, TABLE, BYTES).slice(), loop.name);
    const ratio = ours.instructions / loop.gcc;
    if (ratio > MOST) slow.push(`${loop.name}: ${ours.instructions}, gcc ${loop.gcc}`);
  }
  assert.equal(slow, []);
});

test.run();
