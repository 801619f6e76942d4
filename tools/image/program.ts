/**
 * Compiles a person's own program, wherever it lies, by way of the cache. May import tools/compiler and cache, each where it
 * is needed (build.ts).
 */
import path from "node:path";
import { findRoot } from "../compiler/root";

/** The program as a static ELF32 file. Throws CompileError for a mistake in a source. */
export async function buildUserProgram(file: string, options: { root?: string } = {}): Promise<Uint8Array> {
  const { ImageCache } = await import("./cache");
  const root = options.root ?? findRoot();
  const absolute = path.resolve(file);
  return new ImageCache(root).get(absolute, async () => {
    const { buildProgram } = await import("../compiler/index");
    return buildProgram(absolute, { root });
  });
}
