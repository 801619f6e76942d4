/**
 * Finds the line of the program that is to blame for what only shows in the compiled module: reads Binaryen's text of the
 * module before optimisation, where each instruction has its place. Only for messages. May import errors, ascfiles.
 */
import { shown } from "./ascfiles";
import { CompileError, type SourcePlace } from "./errors";

/** The entries of asc's allocator. */
export const ALLOCATORS: readonly string[] = [
  ...["~lib/rt/stub/__new", "~lib/rt/stub/__alloc", "~lib/rt/stub/__renew", "~lib/rt/stub/__realloc"],
];

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
export function allocationError(text: string): CompileError {
  const reason =
    "this allocates managed memory, and there is no garbage collector: " +
    "no `new` of a class that is not @unmanaged, no template or concatenated strings, no arrays";
  return new CompileError(reason, findUse(text, (name) => ALLOCATORS.includes(name)) ?? { file: "asc", line: 0 });
}

/** Where the program first uses asc's library in a way that needs functions of one of the library's files. */
export function findLibraryUse(text: string, libraryFile: string): SourcePlace | undefined {
  const prefix = `${libraryFile.replace(/\.ts$/, "")}/`;
  return findUse(text, (name) => name.startsWith(prefix));
}

/** The first call in the project that leads to one of those functions by way of the library only. */
function findUse(text: string, isTarget: (name: string) => boolean): SourcePlace | undefined {
  const { calls } = readText(text);
  const reaches = new Set(calls.map((call) => call.callee).filter(isTarget));
  for (let size = 0; size !== reaches.size; ) {
    size = reaches.size;
    for (const call of calls) if (reaches.has(call.callee)) reaches.add(call.caller);
  }
  const direct = calls.find((call) => reaches.has(call.callee) && call.file !== "" && !call.file.startsWith("~lib/"));
  return direct && { ...direct, file: shown(direct.file) };
}

/** Which initialiser needs code at start: the first instruction of a `start:` function that stands in the project. */
export function startError(text: string): CompileError {
  const reason = "the initialiser of a global is not a constant: nothing would run it; assign it in a function";
  for (const [name, place] of readText(text).places) {
    if (name.startsWith("start:") && !name.startsWith("start:~lib/")) {
      return new CompileError(reason, { ...place, file: shown(place.file) });
    }
  }
  return new CompileError(reason, { file: "asc", line: 0 });
}
