import path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type AscOutput, runAsc } from "../../tools/compiler/asc";
import { CompileError } from "../../tools/compiler/errors";

const test = suite("compiler/asc");

const ABORT = "export function abortTest(m: usize, f: usize, l: u32, c: u32): void { atomic.store<u32>(16, l); }";

/** Compiles sources of a tree /project; the first is the entry. */
function compile(sources: Record<string, string>, memoryBase = 0x10000): Promise<AscOutput> {
  const virtual = Object.fromEntries(
    Object.entries(sources).map(([name, text]) => [path.resolve("/project", name), text]),
  );
  virtual["/project/lib/abort.ts"] = ABORT;
  virtual["/project/lib/index.ts"] = "export function three(): u32 { return 3; }";
  return runAsc({
    root: "/project",
    entries: [path.resolve("/project", Object.keys(sources)[0])],
    memoryBase,
    abort: "lib/abort/abortTest",
    packages: { tine: "/project/lib/index.ts" },
    virtual,
  });
}

/** The message of the CompileError that a single source must lead to. */
async function messageOf(text: string, more: Record<string, string> = {}): Promise<string> {
  try {
    await compile({ "main.ts": text, ...more });
  } catch (error) {
    if (error instanceof CompileError) return error.message;
    throw error;
  }
  throw new Error("it compiled");
}

async function call(output: AscOutput, name: string, ...inputs: number[]): Promise<number> {
  const { instance } = await WebAssembly.instantiate(output.wasm as Uint8Array<ArrayBuffer>, {});
  return (instance.exports[name] as (...values: number[]) => number)(...inputs);
}

test("imports: relative, index of a folder, and the bare package, also from outside the root", async () => {
  const sources = {
    "../outside/program.ts":
      'import { three } from "tine";\nimport { four } from "./dir";\nexport function sum(x: u32): u32 { return three() + four() + x; }',
    "../outside/dir/index.ts": "export function four(): u32 { return 4; }",
  };
  const output = await compile(sources);
  assert.is(await call(output, "sum", 5), 12);
  assert.ok(output.files.has("/outside/dir/index.ts"));
  assert.is(output.files.get("/outside/dir.ts"), undefined);
});

test("the source map says where each function comes from", async () => {
  const output = await compile({
    "main.ts": 'import { f } from "./other";\n\nexport function main(x: u32): u32 {\n  return f(x) + x * 3;\n}',
    "other.ts": "\n\n\nexport function f(x: u32): u32 {\n  return x * x + 1;\n}",
  });
  const places = new Set<string>();
  for (let offset = 0; offset < output.wasm.length; offset++) {
    const place = output.map.locate(offset);
    if (place) places.add(`${place.file}:${place.line}`);
  }
  assert.equal([...places].sort(), ["main.ts:4", "other.ts:5"]);
});

test("static data begins at the base, zeroed data counts to its end", async () => {
  const text = "const a = memory.data(100);\nexport function main(): usize { return a; }";
  const high = await compile({ "main.ts": text }, 0xc0200000);
  assert.is((await call(await compile({ "main.ts": text }), "main")) >>> 0, 0x10000);
  assert.ok(high.staticEnd >= 0xc0200064 && high.staticEnd < 0xc0200100, high.staticEnd.toString(16));
});

test("an assert calls abort with the line", async () => {
  const output = await compile({
    "main.ts":
      "export function main(x: u32): u32 {\n  assert(x, 'no');\n  return 1;\n}\nexport function line(): u32 { return load<u32>(16); }",
  });
  const { instance } = await WebAssembly.instantiate(output.wasm as Uint8Array<ArrayBuffer>, {});
  const exports = instance.exports as Record<string, (x: number) => number>;
  assert.throws(() => exports.main(0), /unreachable/);
  assert.is(exports.line(0), 2);
});

const MISTAKES: Record<string, [source: string, message: RegExp]> = {
  "syntax error": ["export function main(): u32 {\n  return 1 +\n}", /^main\.ts:3:1: Expression expected\.$/],
  "type error": [
    "export function main(a: u32): u32 {\n  const b: i32 = 3;\n  return a < b ? 1 : 0;\n}",
    /^main\.ts:3:10: Operator '<' cannot be applied to types 'u32' and 'i32'\.$/,
  ],
  "several errors": [
    "export function main(): u32 {\n  return a;\n}\nexport function b(): u32 {\n  return c;\n}",
    /^main\.ts:2:10: Cannot find name 'a'\. \(and 1 more error\)$/,
  ],
  "missing file": [
    'import { a } from "./nothing";\nexport function main(): u32 { return a(); }',
    /^main\.ts:1:19: File 'nothing\.ts' not found/,
  ],
  "receiver evaluated twice": [
    "@unmanaged class P { x: u32 = 0; }\nfunction get(): P { return changetype<P>(64); }\nexport function main(): void {\n  get().x++;\n}",
    /^main\.ts:4:3: "get\(\)" would be evaluated twice/,
  ],
  "index evaluated twice": [
    "const t: StaticArray<u32> = [1, 2];\nlet i: i32 = 0;\nexport function main(): void {\n  t[i++] += 3;\n}",
    /^main\.ts:4:3: "i\+\+" would be evaluated twice/,
  ],
  "start function": [
    "export declare function read(): u32;\n\nlet g: u32 = read();\nexport function main(): u32 {\n  return g;\n}",
    /^main\.ts:3:14: the initialiser of a global is not a constant/,
  ],
  "managed class": [
    "class Q { x: u32 = 0; }\nexport function main(): u32 {\n  const q =\n    new Q();\n  return q.x;\n}",
    /^main\.ts:4:5: this allocates managed memory/,
  ],
  "string concatenation": [
    'function f(s: string): string {\n  return s + "b";\n}\nexport function main(): u32 {\n  return f("a").length;\n}',
    /^main\.ts:2:10: this allocates managed memory/,
  ],
  "float literal": [
    "export function main(a: i32): i32 {\n  const half = 0.5;\n  return a > 3 ? i32(half * 4) : 0;\n}",
    /^main\.ts:2:16: 64-bit and floating-point types are not supported/,
  ],
  "array literal": [
    "export function main(a: i32): i32 {\n  const list = [1, 2, a];\n  return list[a];\n}",
    /^main\.ts:2:16: this allocates managed memory/,
  ],
  "template literal": [
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the source under test
    "export function main(a: u32): u32 {\n  return `a${a}`.length;\n}",
    /^main\.ts:2:10: template literals allocate memory/,
  ],
};

for (const [title, [source, message]] of Object.entries(MISTAKES)) {
  test(`rejected with its place: ${title}`, async () => assert.match(await messageOf(source), message));
}

test("pure builtins may stand in a receiver", async () => {
  const text =
    "@unmanaged class P { x: u32 = 0; }\nexport function main(a: usize): u32 {\n  changetype<P>(a + load<u32>(a)).x += 2;\n  return changetype<P>(a).x++;\n}";
  await compile({ "main.ts": text });
});

test("one name exported by two files is rejected, a private twin is not", async () => {
  const main = 'import "./other";\nexport function f(): u32 { return 1; }';
  assert.match(
    await messageOf(main, { "other.ts": "\nexport function f(): u32 { return 2; }" }),
    /^other\.ts:2:1: "f" is already exported by main\.ts$/,
  );
  await compile({
    "main.ts": main,
    "other.ts": "function f(): u32 { return 2; }\nexport function g(): u32 { return f(); }",
  });
});

test("an entry that does not exist", async () => {
  const missing = runAsc({ root: "/project", entries: ["/nowhere/x.ts"], memoryBase: 0, abort: "lib/abort/abortTest" });
  await missing.then(
    () => assert.unreachable(),
    (error) => assert.is(error.message, "/nowhere/x.ts: no such file"),
  );
});

test.run();
