/**
 * The build of one image as a pipeline: sources -> asc -> wasm -> back end -> object; assembly -> objects; link; debug
 * information; ELF. What differs between the kernel and a program is a table. May import all of tools/compiler.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { type AscOutput, runAsc } from "./asc";
import type { Declarations } from "./asclint";
import { type AssemblyEntry, assemblyFrames } from "./asmframe";
import { assemble } from "./assembler";
import { compileModule } from "./backend";
import { buildDwarf } from "./dwarf";
import { writeElf } from "./elf";
import { CompileError } from "./errors";
import { LAYOUT_SECTION, type SourceLayout } from "./layout";
import { LayoutOverflow, type LinkedImage, link } from "./link";
import type { LineRecord, ObjectFile } from "./object";
import { findRoot, SOURCE_FOLDER } from "./root";

/** How an image is put together. Paths are relative to the root. */
interface Target {
  /** Sources whose exports the assembly calls, besides the program's own. */
  entries: readonly string[];
  /** Folder of the `.s` files (with those below it), and the one that comes first in .text. */
  assembly: string;
  firstAssembly: string;
  /** Labels of the assembly that are not entered by a call. */
  assemblyEntries: readonly AssemblyEntry[];
  abort: string;
  textBase: number;
  /** First guess for the size of text and read-only data, in bytes; doubled as needed. */
  textRoom: number;
  /** First guess for the objects' .data, which lies in front of asc's static data. */
  dataRoom: number;
  physicalOffset: number;
  kernelSymbols: boolean;
  /** Whether the file gets a section with the layout of the kernel's data. */
  describesLayout: boolean;
  /** Whether the file gets all that a debugger can use, or only lines and names: an initrd grows with its programs, and a run with it. */
  fullDebug: boolean;
}

const KERNEL: Target = {
  entries: ["kernel/main.ts"],
  assembly: "kernel",
  firstAssembly: "kernel/arch/i386/entry.s",
  // A stub finds EIP, CS and EFLAGS on the stack, and maybe an error code: kernel/arch/i386/trapframe.ts.
  assemblyEntries: [
    { label: "_start", entry: "outermost", bytes: 4 },
    { label: "plainStubs", entry: "trap", bytes: 12, every: 16 },
    { label: "errorStubs", entry: "trap", bytes: 16, every: 16 },
    { label: "trapEntry", entry: "trap" },
    { label: "kernelTask", entry: "outermost", bytes: 4 },
  ],
  abort: "kernel/lib/panic/abortPanic",
  textBase: 0xc0100000,
  textRoom: 0x40000,
  dataRoom: 0x1000,
  physicalOffset: 0xc0000000,
  kernelSymbols: true,
  describesLayout: true,
  fullDebug: true,
};

const PROGRAM: Target = {
  entries: ["userland/lib/start.ts"],
  assembly: "userland/lib",
  firstAssembly: "userland/lib/crt0.s",
  assemblyEntries: [{ label: "_start", entry: "outermost", bytes: 4 }],
  abort: "userland/lib/abort/abortProgram",
  textBase: 0x08048000,
  textRoom: 0x38000,
  dataRoom: 0x400,
  physicalOffset: 0,
  kernelSymbols: false,
  describesLayout: false,
  fullDebug: false,
};

/** Module name of the guest library, for programs outside the tree. */
const LIBRARY = { tine: "userland/lib/index.ts" };
const ENTRY_SYMBOL = "_start";

export interface CompileOptions {
  /** The repository or package that holds kernel/ and userland/; by default the one that this code is part of. */
  root?: string;
  /** Sources to be taken instead of those on disk: absolute path -> text. */
  virtual?: Readonly<Record<string, string>>;
  /** With all debug information, as a kernel has unless told; what is loaded is the same. */
  fullDebug?: boolean;
}

/** An image with what it was made from: absolute path -> contents, undefined for a file that was looked for in vain. */
export interface BuiltImage {
  elf: Uint8Array;
  files: Map<string, string | undefined>;
}

/** Builds the kernel. Throws CompileError. */
export function buildKernel(options: CompileOptions = {}): Promise<BuiltImage> {
  const { fullDebug = KERNEL.fullDebug } = options;
  return build({ ...KERNEL, fullDebug }, undefined, options);
}

/** Builds a program from one source, which may be anywhere and may import "tine". Throws CompileError. */
export function buildProgram(file: string, options: CompileOptions = {}): Promise<BuiltImage> {
  const { fullDebug = PROGRAM.fullDebug } = options;
  return build({ ...PROGRAM, fullDebug }, path.resolve(file), options);
}

async function build(target: Target, program: string | undefined, options: CompileOptions): Promise<BuiltImage> {
  const root = options.root ?? findRoot();
  const entries = target.entries.map((file) => path.resolve(root, file));
  if (program) entries.unshift(program);
  const files = new Map<string, string | undefined>();
  const { virtual = {} } = options;
  const assembled = assembleAll(root, target, virtual, files);
  let { textRoom, dataRoom } = target;
  for (;;) {
    const dataBase = target.textBase + textRoom;
    const staticBase = dataBase + dataRoom;
    const packages = resolvePackages(root);
    const compiled = await runAsc({ root, entries, memoryBase: staticBase, abort: target.abort, packages, virtual });
    for (const [file, text] of compiled.files) files.set(file, text);
    const name = program ? shortName(root, program) : target.entries[0];
    const code = blameProgram(compiled, () =>
      compileModule(compiled.wasm, {
        ...{ name, locate: (offset) => compiled.map.locate(offset) },
        ...(target.fullDebug ? { variables: compiled.variables() } : {}),
      }),
    );
    if (program && !code.symbols.some((symbol) => symbol.global && symbol.name === "main")) {
      const reason = "exports no function main(argc: i32, argv: usize, envp: usize): i32";
      throw new CompileError(reason, { file: name, line: 0 });
    }
    code.lines = markDeclarations(code, compiled.declarations);
    try {
      const image = link({
        objects: [...assembled, code],
        textBase: target.textBase,
        dataBase,
        staticBase,
        staticEnd: compiled.staticEnd,
        entry: ENTRY_SYMBOL,
        kernelSymbols: target.kernelSymbols,
      });
      return { elf: finish(image, target, compiled.layout), files };
    } catch (error) {
      if (!(error instanceof LayoutOverflow)) throw error;
      while (textRoom < error.textBytes) textRoom *= 2;
      while (dataRoom < error.dataBytes) dataRoom *= 2;
    }
  }
}

/** An error in asc's own library becomes one at the line of the program that called on it. */
function blameProgram(compiled: AscOutput, body: () => ObjectFile): ObjectFile {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof CompileError) || !error.file.startsWith("~lib/")) throw error;
    const place = compiled.blame(error.file);
    throw place ? new CompileError(`this uses AssemblyScript's library: ${error.reason}`, place) : error;
  }
}

/** push ebp; mov ebp, esp */
const FRAME_SETUP = [0x55, 0x89, 0xe5];

/**
 * The object's lines, with each function's entry at its declaration: what is known from asc begins with the first
 * statement, which may even be another function's, inlined. A debugger stops behind the frame's setup, so the first
 * statement moves there.
 */
function markDeclarations({ symbols, sections, lines }: ObjectFile, declarations: Declarations): LineRecord[] {
  const text = sections.find((section) => section.name === ".text")?.bytes;
  const marked = lines.filter((record) => record.section === ".text");
  for (const { kind, name, offset, size = 0 } of symbols) {
    const files = new Set(
      marked.filter((one) => one.offset >= offset && one.offset < offset + size).map((one) => one.file),
    );
    const places = declarations.get(name) ?? [];
    const place = places.length === 1 ? places[0] : places.find(({ file }) => files.has(file));
    if (kind !== "function" || !place || !text) continue;
    const isFramed = FRAME_SETUP.every((byte, i) => text[offset + i] === byte);
    for (const record of marked) if (isFramed && record.offset === offset) record.offset += FRAME_SETUP.length;
    marked.push({ section: ".text", offset, file: place.file, line: place.line });
  }
  return marked.sort((a, b) => a.offset - b.offset);
}

function finish(image: LinkedImage, target: Target, layout: SourceLayout): Uint8Array {
  const debug = buildDwarf(image.units, SOURCE_FOLDER, target.fullDebug);
  if (target.describesLayout) debug.push({ name: LAYOUT_SECTION, bytes: Buffer.from(JSON.stringify(layout)) });
  return writeElf(image, { physicalOffset: target.physicalOffset, debug });
}

function resolvePackages(root: string): Record<string, string> {
  return Object.fromEntries(Object.entries(LIBRARY).map(([name, file]) => [name, path.resolve(root, file)]));
}

function shortName(root: string, file: string): string {
  const relative = path.relative(root, file).split(path.sep).join("/");
  return relative.startsWith("../") ? file : relative;
}

/** The target's assembly files as objects, the first one first and the others by name. */
function assembleAll(
  root: string,
  target: Target,
  virtual: Readonly<Record<string, string>>,
  files: Map<string, string | undefined>,
): ObjectFile[] {
  const names = findAssembly(root, target.assembly).filter((name) => name !== target.firstAssembly);
  return [target.firstAssembly, ...names].map((name) => {
    const file = path.resolve(root, name);
    if (!existsSync(file)) throw new CompileError("no such file", { file: name, line: 0 });
    const text = virtual[file] ?? readFileSync(file, "utf8");
    files.set(file, text);
    const object = assemble(text, name);
    return { ...object, frames: assemblyFrames(object, target.assemblyEntries) };
  });
}

function findAssembly(root: string, folder: string): string[] {
  const entries = readdirSync(path.resolve(root, folder), { recursive: true }) as string[];
  return entries
    .filter((name) => name.endsWith(".s"))
    .map((name) => `${folder}/${name.split(path.sep).join("/")}`)
    .sort();
}
