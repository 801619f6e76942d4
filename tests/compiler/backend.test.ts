import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileModule } from "../../tools/compiler/backend";
import { CompileError } from "../../tools/compiler/errors";
import { INTRINSICS } from "../../tools/compiler/intrinsics";
import type { ObjectFile } from "../../tools/compiler/object";
import { Symbols } from "../../tools/image/symbols";
import { type Call, linkHarness, STATIC_BASE } from "../fuzz/compilerharness";
import { runOnMachine } from "../fuzz/compilermachine";
import { Random } from "../fuzz/random";
import { generateWasm, SCRATCH_BYTES } from "./backendgenerate";
import { buildWasm, constant, type ModuleParts, typeIndex } from "./backendwasm";

const test = suite("compiler/backend");

const VOID = { parameters: 0, results: 0 };
const NUMBER = { parameters: 0, results: 1 };
const PLACE = { file: "kernel/x.ts", line: 12, column: 3 };

/** Compiles a module whose every byte comes from PLACE; `dump` collects its assembly. */
function compile(wasm: Uint8Array, dump?: string[]): ObjectFile {
  return compileModule(wasm, {
    name: "x.ts",
    locate: () => PLACE,
    dump: (pass, text) => {
      if (pass === "assembly") dump?.push(text);
    },
  });
}

/** Results of calls on our processor: numbers, or words for what went wrong. */
function run(wasm: Uint8Array, calls: readonly Call[]): (number | string)[] {
  const elf = linkHarness(compile(wasm), calls, STATIC_BASE + SCRATCH_BYTES);
  const outcomes = runOnMachine(elf, calls.length, new Symbols(elf).address("results")!);
  return outcomes.map((outcome) =>
    outcome.kind === "result" ? outcome.value : outcome.kind === "trap" ? outcome.trap : outcome.what,
  );
}

/** One function of `parameters` parameters, called on our processor. */
function evaluate(
  code: readonly number[],
  inputs: readonly number[],
  more: Partial<ModuleParts> = {},
): number | string {
  const type = { parameters: inputs.length, results: 1 };
  const parts = { functions: [{ name: "f", type, locals: 0, code }], ...more };
  return run(buildWasm(parts), [{ symbol: "f", inputs }])[0];
}

/** The message of the CompileError that a function's code leads to. */
function messageOf(code: readonly number[], more: Partial<ModuleParts> = {}, localType?: number): string {
  const own = { name: "f", type: VOID, locals: localType === undefined ? 0 : 1, code };
  const functions = [localType === undefined ? own : { ...own, localType }];
  try {
    compile(buildWasm({ functions, ...more }));
  } catch (error) {
    if (error instanceof CompileError) return error.message;
    throw error;
  }
  throw new Error("it compiled");
}

test("what a 32-bit machine has not is refused at its source line", () => {
  const at = "kernel/x.ts:12:3: ";
  assert.match(messageOf([0x42, 1, 0x42, 2, 0x7c, 0x1a]), `${at}64-bit arithmetic (i64) is not supported`);
  assert.match(messageOf([0x43, 0, 0, 0, 0, 0x1a]), `${at}floating point (f32, f64) is not supported`);
  assert.match(messageOf([], {}, 0x7e), `${at}type i64 has no place in a 32-bit machine`);
  assert.match(messageOf([], {}, 0x7c), `${at}type f64 has no place`);
  assert.match(messageOf([0x3f, 0, 0x1a]), `${at}memory.size is not supported`);
  assert.match(messageOf([...constant(1), 0x40, 0, 0x1a]), `${at}memory.grow is not supported`);
  assert.match(messageOf([0x01], { start: 0 }), `${at}a global's initialiser is not a constant`);
});

test("an intrinsic that does not exist, or not so, is refused", () => {
  const imported = (field: string, type = VOID) => ({ imports: [{ module: "intrinsics", field, type }] });
  assert.match(messageOf([0x10, 0], imported("frob")), "kernel/x.ts:12:3: there is no intrinsic frob");
  assert.match(messageOf([0x10, 0, 0x1a], imported("hlt", NUMBER)), "declared with other parameters or another result");
  const cstr = imported("cstr", { parameters: 1, results: 1 });
  assert.match(messageOf([...constant(64), 0x10, 0, 0x1a], cstr), "the argument of cstr must be a string literal");
});

test("every intrinsic becomes its instructions, and none a call", () => {
  const kinds = [...INTRINSICS].map(([field, { parameters, hasResult }]) => ({
    ...{ module: "intrinsics", field, type: { parameters, results: hasResult ? 1 : 0 } },
  }));
  const code = kinds.flatMap(({ type }, i) => [
    ...Array.from({ length: type.parameters }, (_, k) => [0x20, k % 3]).flat(),
    ...[0x10, i],
    ...(type.results === 1 ? [0x24, 0] : []),
  ]);
  const assembly: string[] = [];
  const functions = [{ name: "f", type: { parameters: 3, results: 0 }, locals: 0, code }];
  const object = compile(buildWasm({ imports: kinds, functions, globals: [0] }), assembly);
  assert.not.ok(object.relocations.some(({ kind }) => kind === "rel32"));
  const words =
    "in al, dx|out dx, eax|rep insw|rep outsw|cli|sti|hlt|pushfd|popfd|mov cr3|invlpg|lgdt|lidt|ltr|rdtsc|int 128";
  for (const word of words.split("|")) assert.match(assembly.join(""), word);
});

test("a port below 256 needs no EDX", () => {
  const imports = [{ module: "intrinsics", field: "outb", type: { parameters: 2, results: 0 } }];
  const functions = [{ name: "f", type: VOID, locals: 0, code: [...constant(0x20), ...constant(7), 0x10, 0] }];
  const assembly: string[] = [];
  compile(buildWasm({ imports, functions }), assembly);
  assert.match(assembly[0], "out 32, al");
});

test("text of cstr is ASCIIZ, once for equal texts", () => {
  const literal = (text: string) => [
    0,
    0,
    0,
    0,
    2,
    0,
    0,
    0,
    text.length * 2,
    0,
    0,
    0,
    ...[...text].flatMap((c) => [c.charCodeAt(0), 0]),
  ];
  const imports = [{ module: "intrinsics", field: "cstr", type: { parameters: 1, results: 1 } }];
  const data = [
    { address: STATIC_BASE, bytes: literal("hello") },
    { address: STATIC_BASE + 64, bytes: literal("hello") },
  ];
  const load = (address: number) => [...constant(address + 12), 0x10, 0, 0x28, 0, 1];
  const same = [...constant(STATIC_BASE + 12), 0x10, 0, ...constant(STATIC_BASE + 76), 0x10, 0, 0x46];
  const functions = [
    { name: "f", type: NUMBER, locals: 0, code: load(STATIC_BASE) },
    { name: "g", type: NUMBER, locals: 0, code: same },
  ];
  const results = run(buildWasm({ imports, functions, data, pages: 64 }), [
    { symbol: "f", inputs: [] },
    { symbol: "g", inputs: [] },
  ]);
  assert.equal(results, [0x6f6c6c65, 1]);
});

test("division traps as in wasm, and INT_MIN % -1 is 0", () => {
  const divide = (op: number) => [0x20, 0, 0x20, 1, op];
  assert.is(evaluate(divide(0x6d), [7, 0]), "divide");
  assert.is(evaluate(divide(0x6d), [-0x80000000, -1]), "divide");
  assert.is(evaluate(divide(0x6f), [-0x80000000, -1]), 0);
  assert.is(evaluate(divide(0x6f), [-7, 3]), -1);
  assert.is(evaluate(divide(0x70), [-7, 3]), (0xfffffff9 % 3) | 0);
});

test("indirect calls reach their function; entry 0 and entries beyond the table trap", () => {
  const type = { parameters: 5, results: 1 };
  const sum = [0x20, 0, 0x20, 1, 0x6b, 0x20, 2, 0x6b, 0x20, 3, 0x6b, 0x20, 4, 0x6b];
  const through = [...[100, 1, 2, 3, 4].flatMap(constant), 0x20, 0, 0x11, typeIndex(type), 0];
  const functions = [
    { name: "sum", type, locals: 0, code: sum },
    { name: "through", type: { parameters: 1, results: 1 }, locals: 0, code: through },
  ];
  const calls = [1, 0, 2, -1].map((entry) => ({ symbol: "through", inputs: [entry] }));
  assert.equal(run(buildWasm({ functions, table: [0] }), calls), [90, "unreachable", "unreachable", "unreachable"]);
});

test("overlapping memory.copy copies as by way of a buffer, in both directions", () => {
  const data = [{ address: STATIC_BASE, bytes: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] }];
  const copied = (to: number, from: number, bytes: number, read: number, code: number[]) =>
    evaluate(
      [
        ...constant(STATIC_BASE + to),
        ...constant(STATIC_BASE + from),
        ...code,
        0xfc,
        10,
        0,
        0,
        ...constant(STATIC_BASE + read),
        0x28,
        0,
        0,
      ],
      [bytes],
      { data, pages: 64 },
    );
  const variable = [0x20, 0];
  assert.is(copied(2, 0, 8, 6, variable), 0x08070605);
  assert.is(copied(0, 2, 8, 4, variable), 0x0a090807);
  assert.is(copied(4, 0, 0, 4, constant(8)), 0x04030201);
  assert.is(copied(4, 0, 0, 8, constant(8)), 0x08070605);
});

test("line records follow the source, in order", () => {
  const functions = [{ name: "f", type: NUMBER, locals: 0, code: constant(5) }];
  const object = compile(buildWasm({ functions }));
  assert.is(object.lines.length, 1);
  assert.equal([object.lines[0].file, object.lines[0].line], [PLACE.file, PLACE.line]);
});

test("a jump of more than 127 bytes takes its long form, and arrives", () => {
  const bulk = Array.from({ length: 60 }, (_, i) => [...constant(STATIC_BASE + 4 * i), 0x20, 0, 0x36, 0, 0]).flat();
  const code = [0x02, 0x40, 0x20, 0, 0x45, 0x0d, 0, ...bulk, 0x0b, ...constant(STATIC_BASE), 0x28, 0, 0];
  assert.is(evaluate(code, [7], { pages: 64 }), 7);
  assert.is(evaluate(code, [0], { pages: 64 }), 0);
});

const SEEDS = 25;
const FUNCTIONS = 25;

test("random wasm does the same in V8 and on our processor", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { wasm, functions } = generateWasm(seed, FUNCTIONS, STATIC_BASE);
    const random = new Random(seed, 1);
    const input = () => (random.oneIn(2) ? random.below(20) : random.oneIn(2) ? -random.below(300) : random.next() | 0);
    const calls: Call[] = functions.flatMap(({ name, type }) => [
      { symbol: "refuel", inputs: [] },
      { symbol: name, inputs: Array.from({ length: type.parameters }, input) },
      { symbol: "digest", inputs: [] },
    ]);
    const { instance } = await WebAssembly.instantiate(wasm as Uint8Array<ArrayBuffer>, {});
    const exports = instance.exports as Record<string, (...inputs: readonly number[]) => number | undefined>;
    const results = run(wasm, calls);
    calls.forEach(({ symbol, inputs }, i) => {
      let expected: number | string | undefined;
      try {
        expected = exports[symbol](...inputs);
      } catch (error) {
        expected = /divide|remainder/.test(String(error)) ? "divide" : "unreachable";
      }
      // Without a result, EAX is anything.
      const actual = expected === undefined && typeof results[i] === "number" ? undefined : results[i];
      assert.is(actual, expected, `seed ${seed}: ${symbol}(${inputs})`);
    });
  }
});

test.run();
