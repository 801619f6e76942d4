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
  // A program of the tree is known by the name that the whole build has for it, so that neither makes what the other has.
  const below = path.relative(root, absolute);
  const name = below.startsWith("..") ? absolute : below;
  return new ImageCache(root).get(fullDebug ? `${name} with full debug information` : name, async () => {
    const { buildProgram } = await import("../compiler/index");
    return buildProgram(absolute, { root, fullDebug });
  });
}
