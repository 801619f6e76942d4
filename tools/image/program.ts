/**
 * Compiles a person's own program, wherever it lies, by way of the cache. May import tools/compiler (where it is needed, since it is large) and cache.
 */
import path from "node:path";
import { findRoot } from "../compiler/root";
import { ImageCache } from "./cache";

/** The program as a static ELF32 file. Throws CompileError for a mistake in a source. */
export function buildUserProgram(file: string, options: { root?: string } = {}): Promise<Uint8Array> {
  const root = options.root ?? findRoot();
  const absolute = path.resolve(file);
  return new ImageCache(root).get(absolute, async () => {
    const { buildProgram } = await import("../compiler/index");
    return buildProgram(absolute, { root });
  });
}
