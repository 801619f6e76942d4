/**
 * Runs AssemblyScript in this process: sources on disk in, a wasm binary with its source map out. It drives the
 * compiler's own interface rather than asc's command line, because that one ends the process when it meets a mistake of
 * its own. May import errors, sourcemap, asclint, ascvariables, ascfiles, ascblame.
 *
 * Invariants: synchronous once loaded, so that two compilations never mix in Binaryen's global state. Nothing is written
 * to disk. Everything that was read is listed in the result, so that a cache can tell when it is stale.
 */
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { ALLOCATORS, allocationError, findLibraryUse, startError } from "./ascblame";
import {
  findLibrary,
  findSource,
  importPath,
  nameOf,
  readSource,
  redirectImports,
  type SourceTree,
  shown,
} from "./ascfiles";
import { checkSources, type Declarations, type LintSource, listDeclarations, listLandmarks } from "./asclint";
import { type FunctionVariables, listVariables } from "./ascvariables";
import { CompileError, placeOf, type SourcePlace } from "./errors";
import { describeLayout, type LayoutProgram, type SourceLayout } from "./layout";
import { WasmSourceMap } from "./sourcemap";

export interface AscInput extends SourceTree {
  /** Absolute paths. Their exported functions are what the image exports. */
  entries: readonly string[];
  /** Address of the first byte of static data. */
  memoryBase: number;
  /** What a failed assert calls: path without extension, relative to the root, "/" and the function's name. */
  abort: string;
}

export interface AscOutput {
  wasm: Uint8Array;
  map: WasmSourceMap;
  /** End of static data, zeroed space included: what asc calls __heap_base. */
  staticEnd: number;
  /** Where functions are declared. */
  declarations: Declarations;
  /** Their variables, by their names in the module: for full debug information. */
  variables(): ReadonlyMap<string, FunctionVariables>;
  /** The kernel's structs and constants, as far as the program uses them. */
  layout: SourceLayout;
  /** The first place in the project that makes use of functions of a file of asc's library. Compiles again: for messages. */
  blame(libraryFile: string): SourcePlace | undefined;
  /** Every file that was looked for: absolute path -> contents, or undefined where there was none. */
  files: Map<string, string | undefined>;
}

interface AscRange {
  start: number;
  end: number;
  source: AscSource;
}
interface AscSource {
  normalizedPath: string;
  text: string;
}
interface AscProgram extends LayoutProgram {
  sources: LintSource[];
}
/** The part of the package "assemblyscript" that is used; its own types would pull in its global declarations. */
interface AssemblyScript {
  newOptions(): object;
  setTarget(options: object, target: number): void;
  setRuntime(options: object, runtime: number): void;
  setDebugInfo(options: object, on: boolean): void;
  setSourceMap(options: object, on: boolean): void;
  setMemoryBase(options: object, address: number): void;
  setFeature(options: object, feature: number, on: boolean): void;
  setOptimizeLevelHints(options: object, optimize: number, shrink: number): void;
  setBundleVersion(options: object, major: number, minor: number, patch: number): void;
  addGlobalAlias(options: object, alias: string, name: string): void;
  FEATURE_THREADS: number;
  newProgram(options: object): AscProgram;
  parse(program: AscProgram, text: string | null, path: string, isEntry: boolean): void;
  nextFile(program: AscProgram): string | null;
  getDependee(program: AscProgram, file: string): string | null;
  initializeProgram(program: AscProgram): void;
  compile(program: AscProgram): { ref: number };
  optimize(module: object, optimize: number, shrink: number, debugInfo: boolean, zeroFilledMemory: boolean): void;
  nextDiagnostic(program: AscProgram): AscDiagnostic | null;
}
interface AscDiagnostic {
  code: number;
  category: number;
  message: string;
  range: AscRange | null;
}
interface BinaryenModule {
  validate(): number;
  runPasses(passes: string[]): void;
  emitText(): string;
  emitBinary(sourceMapUrl: string): { binary: Uint8Array; sourceMap: string };
  getGlobal(name: string): number;
  getFunction(name: string): number;
  getStart(): number;
  removeExport(name: string): void;
  dispose(): void;
}
interface Binaryen {
  wrapModule(ref: number): BinaryenModule;
  setPassArgument(pass: string, argument: string): void;
  getGlobalInfo(global: number): { mutable: boolean; init: number };
  /** `value` of a constant; an object for 64 bits. */
  getExpressionInfo(expression: number): { value?: unknown };
}
interface Toolchain {
  asc: AssemblyScript;
  libraryFiles: Readonly<Record<string, string>>;
  binaryen: Binaryen;
}

const CATEGORY_ERROR = 3;
const RUNTIME_STUB = 0;
const TARGET_WASM32 = 0;
/** -O2. Level 3 makes the code 5 % larger, and more passes behind it change nothing: the back end does as much. */
const OPTIMIZE_LEVEL = 2;
/** asc fixes the end of static data only in a program that names it; the export is dropped before optimisation. */
const HEAP_BASE_EXPORT = "tineHeapBase";
const HEAP_BASE_SOURCE = `export function ${HEAP_BASE_EXPORT}(): usize { return __heap_base; }`;
/**
 * What of asc's library every program gets: the builtins and what asc itself relies on. The rest allocates or computes with
 * floats, and parsing it costs more than the program.
 */
const LIBRARY = [
  ...["builtins", "string", "number", "object", "memory", "function", "staticarray", "atomics"],
  // Looked for where a program uses what we reject: without them asc ends with an error of its own.
  ...["rt", "array", "arraybuffer", "regexp"],
];

let toolchain: Promise<Toolchain> | undefined;

/**
 * Loads AssemblyScript and Binaryen, once a process (about a second). Binaryen must be the very copy that AssemblyScript
 * uses. The names are kept from the type checker.
 */
function loadToolchain(): Promise<Toolchain> {
  toolchain ??= (async () => {
    const location = import.meta.resolve("assemblyscript");
    const binaryenFile = createRequire(location).resolve("binaryen");
    const names = [location, import.meta.resolve("assemblyscript/asc"), pathToFileURL(binaryenFile).href];
    const [asc, cli, binaryen] = await Promise.all(names.map((name) => import(name)));
    return { asc, libraryFiles: cli.libraryFiles, binaryen: binaryen.default };
  })();
  return toolchain;
}

/**
 * Compiles the entries and all they import. Throws CompileError for a mistake in a source: the first of them, with the
 * number of the others.
 */
export async function runAsc(input: AscInput): Promise<AscOutput> {
  const tools = await loadToolchain();
  try {
    return compile(tools, input);
  } catch (error) {
    if (error instanceof CompileError) throw error;
    // An assertion of asc's own: something in the program that it was not made for.
    const reason = `AssemblyScript gave up on this program: ${(error as Error).message}`;
    throw new CompileError(reason, { file: shown(nameOf(input.root, input.entries[0])), line: 0 });
  }
}

function compile(tools: Toolchain, input: AscInput): AscOutput {
  const { asc, binaryen } = tools;
  const { program, files } = parseAll(tools, input);
  const declarations = listDeclarations(program.sources, shown);
  const variables = () => listVariables(program.sources, shown);
  const { compiled, module } = compileProgram(tools, program);
  try {
    if (ALLOCATORS.some((name) => module.getFunction(name) !== 0)) throw allocationError(module.emitText());
    const heapBase = binaryen.getGlobalInfo(module.getGlobal("~lib/memory/__heap_base")).init;
    const staticEnd = (binaryen.getExpressionInfo(heapBase).value as number) >>> 0;
    const layout = describeLayout(program, (name) => constantGlobal(binaryen, module, name));
    module.removeExport(HEAP_BASE_EXPORT);
    const unoptimised = module.getStart() === 0 ? "" : module.emitText();
    for (const name of listLandmarks(program.sources)) {
      binaryen.setPassArgument("no-inline", name);
      module.runPasses(["no-inline"]);
    }
    asc.optimize(compiled, OPTIMIZE_LEVEL, 0, true, false);
    if (module.getStart() !== 0) throw startError(unoptimised);
    const { binary, sourceMap } = module.emitBinary("wasm.map");
    const map = new WasmSourceMap(sourceMap, shown);
    const blame = (libraryFile: string) => findLibraryUse(textOf(tools, input), libraryFile);
    return { wasm: binary, map, staticEnd, declarations, variables, layout, blame, files };
  } finally {
    module.dispose();
  }
}

/** Value of an i32 global that nothing can change; undefined if there is none of the name. */
function constantGlobal(binaryen: Binaryen, module: BinaryenModule, name: string): number | undefined {
  const global = module.getGlobal(name);
  if (global === 0) return undefined;
  const { mutable, init } = binaryen.getGlobalInfo(global);
  const { value } = mutable ? {} : binaryen.getExpressionInfo(init);
  return typeof value === "number" ? value : undefined;
}

/** All sources of a program, parsed and checked. */
function parseAll({ asc, libraryFiles }: Toolchain, input: AscInput) {
  const files = new Map<string, string | undefined>();
  const read = (absolute: string) => {
    if (!files.has(absolute)) files.set(absolute, input.virtual?.[absolute] ?? readSource(absolute));
    return files.get(absolute);
  };
  const program = asc.newProgram(makeOptions(asc, input));
  for (const name of LIBRARY) asc.parse(program, libraryFiles[name], `~lib/${name}.ts`, false);
  asc.parse(program, libraryFiles["rt/index-stub"], "~lib/rt/index-stub.ts", true);
  asc.parse(program, HEAP_BASE_SOURCE, "~lib/tine/heapbase.ts", true);
  const abortFile = path.posix.dirname(input.abort);
  for (const entry of input.entries) {
    const text = read(entry);
    const name = nameOf(input.root, entry);
    if (text === undefined) throw new CompileError("no such file", { file: shown(name), line: 0 });
    // The alias for abort is found only if its file is part of the program. After the last line, so that no line moves.
    const isAbort = name === `${abortFile}.ts`;
    const abortImport = isAbort ? "" : `\nimport "${importPath(name, abortFile, input.root)}";`;
    asc.parse(program, redirectImports(text, name, input) + abortImport, name, true);
  }
  for (let name = asc.nextFile(program); name !== null; name = asc.nextFile(program)) {
    const found = name.startsWith("~lib/") ? findLibrary(libraryFiles, name) : findSource(input, name, read);
    asc.parse(program, found?.text ?? null, found?.name ?? `${name}.ts`, false);
  }
  throwDiagnostics(asc, program);
  checkSources(program.sources, shown);
  return { program, files };
}

/** The module before optimisation. The caller disposes of it. */
function compileProgram({ asc, binaryen }: Toolchain, program: AscProgram) {
  asc.initializeProgram(program);
  const compiled = asc.compile(program);
  const module = binaryen.wrapModule(compiled.ref);
  try {
    throwDiagnostics(asc, program);
  } catch (error) {
    module.dispose();
    throw error;
  }
  return { compiled, module };
}

function textOf(tools: Toolchain, input: AscInput): string {
  const { module } = compileProgram(tools, parseAll(tools, input).program);
  const text = module.emitText();
  module.dispose();
  return text;
}

function makeOptions(asc: AssemblyScript, input: AscInput): object {
  const options = asc.newOptions();
  asc.setTarget(options, TARGET_WASM32);
  asc.setRuntime(options, RUNTIME_STUB);
  asc.setDebugInfo(options, true);
  asc.setSourceMap(options, true);
  asc.setMemoryBase(options, input.memoryBase >>> 0);
  // For atomic.load and atomic.store: accesses that the optimiser neither merges nor drops.
  asc.setFeature(options, asc.FEATURE_THREADS, true);
  asc.setBundleVersion(options, 0, 28, 20);
  asc.setOptimizeLevelHints(options, OPTIMIZE_LEVEL, 0);
  asc.addGlobalAlias(options, "abort", input.abort);
  return options;
}

function throwDiagnostics(asc: AssemblyScript, program: AscProgram): void {
  const errors: CompileError[] = [];
  for (let found = asc.nextDiagnostic(program); found; found = asc.nextDiagnostic(program)) {
    if (found.category !== CATEGORY_ERROR) continue;
    const { range, message } = found;
    if (!range) {
      errors.push(new CompileError(message, { file: "asc", line: 0 }));
      continue;
    }
    const { line, column } = placeOf(range.source.text, range.start);
    const reason = message.replace(/'(@outside\/[^']*)'/, (_, name: string) => `'${shown(name)}'`);
    errors.push(new CompileError(reason, { file: shown(range.source.normalizedPath), line, column }));
  }
  if (errors.length > 0) throw CompileError.ofMany(errors);
}
