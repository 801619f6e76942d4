/**
 * Runs AssemblyScript in this process: sources on disk in, a wasm binary with its source map out. It drives the
 * compiler's own interface rather than asc's command line, because that one ends the process when it meets a mistake of
 * its own. May import errors, sourcemap, asclint.
 *
 * Invariants: synchronous once loaded, so that two compilations never mix in Binaryen's global state. Nothing is written
 * to disk. Everything that was read is listed in the result, so that a cache can tell when it is stale.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { checkSources, type Declarations, type LintSource, listDeclarations, listLandmarks } from "./asclint";
import { CompileError } from "./errors";
import { WasmSourceMap } from "./sourcemap";

export interface AscInput {
  /** The directory that file names are relative to: the repository's root. Absolute. */
  root: string;
  /** Absolute paths. Their exported functions are what the image exports. */
  entries: readonly string[];
  /** Address of the first byte of static data. */
  memoryBase: number;
  /** What a failed assert calls: path without extension, relative to the root, "/" and the function's name. */
  abort: string;
  /** Bare imports: module name -> absolute path. */
  packages?: Readonly<Record<string, string>>;
  /** Sources that are not on disk: absolute path -> text. */
  virtual?: Readonly<Record<string, string>>;
}

export interface AscOutput {
  wasm: Uint8Array;
  map: WasmSourceMap;
  /** End of static data, zeroed space included: what asc calls __heap_base. */
  staticEnd: number;
  /** Where functions are declared. */
  declarations: Declarations;
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
interface AscProgram {
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
  getGlobalInfo(global: number): { init: number };
  getExpressionInfo(expression: number): { value: number };
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
const ALLOCATORS = ["~lib/rt/stub/__new", "~lib/rt/stub/__alloc", "~lib/rt/stub/__renew", "~lib/rt/stub/__realloc"];
/** asc fixes the end of static data only in a program that names it; the export is dropped before optimisation. */
const HEAP_BASE_EXPORT = "tineHeapBase";
const HEAP_BASE_SOURCE = `export function ${HEAP_BASE_EXPORT}(): usize { return __heap_base; }`;

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
  return compileWith(await loadToolchain(), input);
}

function compileWith({ asc, libraryFiles, binaryen }: Toolchain, input: AscInput): AscOutput {
  const files = new Map<string, string | undefined>();
  const read = (absolute: string) => {
    if (!files.has(absolute)) files.set(absolute, input.virtual?.[absolute] ?? readSource(absolute));
    return files.get(absolute);
  };

  const program = asc.newProgram(makeOptions(asc, input));
  for (const name of Object.keys(libraryFiles)) {
    if (!name.includes("/")) asc.parse(program, libraryFiles[name], `~lib/${name}.ts`, false);
  }
  asc.parse(program, libraryFiles["rt/index-stub"], "~lib/rt/index-stub.ts", true);
  asc.parse(program, HEAP_BASE_SOURCE, "~lib/tine/heapbase.ts", true);
  const abortFile = path.resolve(input.root, path.dirname(input.abort));
  for (const entry of input.entries) {
    const text = read(entry);
    if (text === undefined) throw new CompileError("no such file", { file: shown(nameOf(input.root, entry)), line: 0 });
    // The alias for abort is found only if its file is part of the program. After the last line, so that no line moves.
    const name = nameOf(input.root, entry);
    const abortImport =
      entry === `${abortFile}.ts` ? "" : `\nimport "${importPath(name, path.posix.dirname(input.abort), input.root)}";`;
    asc.parse(program, redirectImports(text, name, input) + abortImport, name, true);
  }
  for (let name = asc.nextFile(program); name !== null; name = asc.nextFile(program)) {
    const found = name.startsWith("~lib/") ? findLibrary(libraryFiles, name) : findSource(input, name, read);
    asc.parse(program, found?.text ?? null, found?.name ?? `${name}.ts`, false);
  }
  throwDiagnostics(asc, program);
  checkSources(program.sources, shown);

  asc.initializeProgram(program);
  const compiled = asc.compile(program);
  const module = binaryen.wrapModule(compiled.ref);
  try {
    throwDiagnostics(asc, program);
    if (ALLOCATORS.some((name) => module.getFunction(name) !== 0)) throw allocationError(module.emitText());
    const heapBase = binaryen.getGlobalInfo(module.getGlobal("~lib/memory/__heap_base")).init;
    const staticEnd = binaryen.getExpressionInfo(heapBase).value >>> 0;
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
    return { wasm: binary, map, staticEnd, declarations: listDeclarations(program.sources, shown), files };
  } finally {
    module.dispose();
  }
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

/** Stands for the root of the file system in the names of sources that lie outside the project's root. */
const OUTSIDE = "@outside";

/**
 * A source's name within asc: its path relative to the root. One outside gets a name as if it were inside, so that every
 * file has one name however it is imported: asc takes two names for two modules.
 */
function nameOf(root: string, absolute: string): string {
  const relative = path.relative(root, absolute).split(path.sep).join("/");
  return relative.startsWith("../") ? OUTSIDE + absolute.split(path.sep).join("/") : relative;
}

/** The inverse of nameOf. */
function pathOf(root: string, name: string): string {
  return name.startsWith(`${OUTSIDE}/`) ? path.resolve(name.slice(OUTSIDE.length)) : path.resolve(root, name);
}

/** A name as people and debuggers shall see it: relative to the root, outside it absolute. */
function shown(name: string): string {
  return name.startsWith(`${OUTSIDE}/`) ? name.slice(OUTSIDE.length) : name;
}

/** How the source `from` (a name) imports the file `to` (a path without extension, relative to the root). */
function importPath(from: string, to: string, root: string): string {
  const target = nameOf(root, path.resolve(root, to));
  const back = path.posix.relative(`/${path.posix.dirname(from)}`, `/${target}`);
  return back.startsWith(".") ? back : `./${back}`;
}

function readSource(absolute: string): string | undefined {
  try {
    return readFileSync(absolute, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "EISDIR" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

/** Bare imports become relative ones: asc would look for them in its library. The lines stay where they are. */
function redirectImports(text: string, name: string, { root, packages }: AscInput): string {
  let result = text;
  for (const [bare, file] of Object.entries(packages ?? {})) {
    if (!text.includes(bare)) continue;
    const target = importPath(name, file.replace(/\.ts$/, ""), root);
    result = result.replace(new RegExp(`(\\bfrom\\s*|\\bimport\\s*)(["'])${bare}\\2`, "g"), `$1"${target}"`);
  }
  return result;
}

interface Found {
  name: string;
  text: string;
}

function findLibrary(files: Readonly<Record<string, string>>, name: string): Found | undefined {
  const plain = name.slice("~lib/".length);
  for (const candidate of [plain, `${plain}/index`]) {
    if (Object.hasOwn(files, candidate)) return { name: `~lib/${candidate}.ts`, text: files[candidate] };
  }
  return undefined;
}

function findSource(input: AscInput, name: string, read: (absolute: string) => string | undefined): Found | undefined {
  for (const candidate of [`${name}.ts`, `${name}/index.ts`]) {
    const text = read(pathOf(input.root, candidate));
    if (text !== undefined) return { name: candidate, text: redirectImports(text, candidate, input) };
  }
  return undefined;
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

/** Line and column, both from 1, of a character offset. */
export function placeOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: offset - lineStart + 1 };
}

/** A call in Binaryen's text format, with the `;;@ file:line:column` above it. */
interface TextCall {
  caller: string;
  callee: string;
  file: string;
  line: number;
  column: number;
}

/** All instructions of interest in the text of a module: calls, and for `start` functions every place. */
function readText(text: string): { calls: TextCall[]; places: Map<string, TextCall> } {
  const calls: TextCall[] = [];
  const places = new Map<string, TextCall>();
  let place: TextCall = { caller: "", callee: "", file: "", line: 0, column: 0 };
  for (const row of text.split("\n")) {
    const at = /^\s*;;@ (.*):(\d+):(\d+)/.exec(row);
    if (at) {
      place = { ...place, file: at[1], line: Number(at[2]), column: Number(at[3]) + 1 };
      if (!places.has(place.caller)) places.set(place.caller, place);
      continue;
    }
    const head = /^ \(func \$(\S+|"[^"]*")/.exec(row);
    if (head) place = { caller: head[1].replaceAll('"', ""), callee: "", file: "", line: 0, column: 0 };
    const call = /\(call \$("[^"]*"|[^\s()]+)/.exec(row);
    if (call) calls.push({ ...place, callee: call[1].replaceAll('"', "") });
  }
  return { calls, places };
}

/** Where the program needs the allocator of asc's runtime: the first call from the project into what reaches it. */
function allocationError(text: string): CompileError {
  const reason =
    "this allocates managed memory, and there is no garbage collector: " +
    "no `new` of a class that is not @unmanaged, no template or concatenated strings, no arrays";
  const { calls } = readText(text);
  const reaches = new Set(ALLOCATORS);
  for (let size = 0; size !== reaches.size; ) {
    size = reaches.size;
    for (const call of calls) if (reaches.has(call.callee)) reaches.add(call.caller);
  }
  const direct = calls.find((call) => reaches.has(call.callee) && call.file !== "" && !call.file.startsWith("~lib/"));
  return new CompileError(reason, direct ? { ...direct, file: shown(direct.file) } : { file: "asc", line: 0 });
}

/** Which initialiser needs code at start: the first instruction of a `start:` function that stands in the project. */
function startError(text: string): CompileError {
  const reason = "the initialiser of a global is not a constant: nothing would run it; assign it in a function";
  for (const [name, place] of readText(text).places) {
    if (name.startsWith("start:") && !name.startsWith("start:~lib/")) {
      return new CompileError(reason, { ...place, file: shown(place.file) });
    }
  }
  return new CompileError(reason, { file: "asc", line: 0 });
}
