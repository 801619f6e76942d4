/**
 * Runs one generated module in both ways and compares: as wasm in V8, and compiled to i386. May import
 * tools/compiler, compilergenerate, compilerharness.
 */
import { runAsc } from "../../tools/compiler/asc";
import { compileModule } from "../../tools/compiler/backend";
import { Symbols } from "../../tools/image/symbols";
import { inputsOf } from "./compilergenerate";
import { type Call, linkHarness, type Outcome, STATIC_BASE } from "./compilerharness";
import type { Type } from "./compilertypes";
import { Random } from "./random";

/** A function as the runner needs it. */
export interface Callee {
  name: string;
  parameters: readonly Type[];
}

/** The first call at which the two disagree. */
export interface Difference {
  callee: string;
  inputs: readonly number[];
  wasm: string;
  i386: string;
}

/** How a compiled image is run: its `count` calls, and where in memory their results will stand. */
export type Runner = (elf: Uint8Array, count: number, resultsAt: number) => Outcome[];

/** Calls of each function. */
const ROUNDS = 3;
const SOURCE_FILE = "/fuzz.ts";
const ABORT = "fuzz/abortFuzz";

/** Compiles the source and runs its functions on inputs of that seed; undefined when both ways agree in everything. */
export async function compareModule(
  source: string,
  callees: readonly Callee[],
  seed: number,
  run: Runner,
): Promise<Difference | undefined> {
  const { wasm, map, staticEnd } = await runAsc({
    root: "/",
    entries: [SOURCE_FILE],
    memoryBase: STATIC_BASE,
    abort: ABORT,
    virtual: { [SOURCE_FILE]: source },
  });
  const calls = listCalls(callees, seed);
  const expected = await runWasm(wasm, calls);
  const module = compileModule(wasm, { name: SOURCE_FILE, locate: (offset) => map.locate(offset) });
  const elf = linkHarness(module, calls, staticEnd);
  const outcomes = run(elf, calls.length, new Symbols(elf).address("results")!);
  return compare(calls, expected, outcomes);
}

/** Each function some times, and after each call what it left in memory and globals. */
function listCalls(callees: readonly Callee[], seed: number): Call[] {
  const random = new Random(seed, 0x20000);
  const digest: Call = { symbol: "digest", inputs: [] };
  const calls: Call[] = [digest];
  for (let round = 0; round < ROUNDS; round++) {
    calls.push({ symbol: "prepare", inputs: [random.next() | 0] });
    for (const { name, parameters } of callees) {
      calls.push({ symbol: name, inputs: inputsOf(random, parameters) }, digest);
    }
  }
  return calls;
}

async function runWasm(wasm: Uint8Array, calls: readonly Call[]): Promise<Outcome[]> {
  const { instance } = await WebAssembly.instantiate(wasm as Uint8Array<ArrayBuffer>, {});
  const exports = instance.exports as Record<string, (...inputs: readonly number[]) => number | undefined>;
  return calls.map(({ symbol, inputs }) => {
    try {
      return { kind: "result", value: (exports[symbol](...inputs) ?? 0) | 0 };
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      return { kind: "trap", trap: trapName(error.message) };
    }
  });
}

/** V8's words for the traps that a processor has exceptions for. */
function trapName(message: string): string {
  if (/divide|remainder/.test(message)) return "divide";
  if (/unreachable|table|indirect|signature/.test(message)) return "unreachable";
  return message;
}

function compare(calls: readonly Call[], wasm: readonly Outcome[], i386: readonly Outcome[]): Difference | undefined {
  for (let i = 0; i < calls.length; i++) {
    // A call without a result leaves anything in EAX.
    const isVoid = calls[i].symbol === "prepare";
    const [left, right] = [describe(wasm[i], isVoid), describe(i386[i], isVoid)];
    if (left === right) continue;
    // A digest that differs tells about the call before it.
    const at = calls[i].symbol === "digest" && i > 0 ? i - 1 : i;
    const what = at === i ? "" : "memory and globals ";
    return { callee: calls[at].symbol, inputs: calls[at].inputs, wasm: what + left, i386: what + right };
  }
  return undefined;
}

function describe(outcome: Outcome | undefined, isVoid: boolean): string {
  if (!outcome) return "never came back";
  if (outcome.kind === "trap") return `trap: ${outcome.trap}`;
  if (outcome.kind === "broken") return `broken: ${outcome.what}`;
  return isVoid ? "returned" : `0x${(outcome.value >>> 0).toString(16)}`;
}
