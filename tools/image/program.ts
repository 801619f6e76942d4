/**
 * Compiles a person's own program, wherever it lies, by way of the cache. May import tools/compiler and cache, each where it
 * is needed (build.ts).
 */
import path from "node:path";
import { findRoot } from "../compiler/root";

/**
 * The program as a static ELF32 file; with `fullDebug` the same one with all that a debugger can use. Throws CompileError for a mistake in a
 * source.
 */
export async function buildUserProgram(
  file: string,
  options: { root?: string; fullDebug?: boolean } = {},
): Promise<Uint8Array> {
  const { ImageCache } = await import("./cache");
  const root = options.root ?? findRoot();
  const absolute = path.resolve(file);
  const { fullDebug = false } = options;
  return new ImageCache(root).get(fullDebug ? `${absolute} with full debug information` : absolute, async () => {
    const { buildProgram } = await import("../compiler/index");
    return buildProgram(absolute, { root, fullDebug });
  });
}
