/**
 * Compiles a person's own program, wherever it lies, by way of the cache. May import tools/compiler and cache.
 */
import path from "node:path";
import { buildProgram, findRoot } from "../compiler/index";
import { ImageCache } from "./cache";

/** The program as a static ELF32 file. Throws CompileError for a mistake in a source. */
export function buildUserProgram(file: string, options: { root?: string } = {}): Promise<Uint8Array> {
  const root = options.root ?? findRoot();
  const absolute = path.resolve(file);
  return new ImageCache(root).get(absolute, () => buildProgram(absolute, { root }));
}
