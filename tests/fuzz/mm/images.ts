/** The kernel and the fuzzer's guest program, by way of the image cache. May import tools/compiler, tools/image. */
import path from "node:path";
import { buildKernel, buildProgram, findRoot } from "../../../tools/compiler/index";
import { ImageCache } from "../../../tools/image/cache";
import { kernelLayout } from "../../../tools/image/layout";
import type { GuestImages } from "./guest";

const PROGRAM = "userland/fuzz/mm.ts";

/** The images with this kernel instead of the tree's, if one is given. Throws CompileError for a mistake in a source. */
export async function fuzzImages(other?: Uint8Array): Promise<GuestImages> {
  const root = findRoot();
  const cache = new ImageCache(root);
  const kernel = other ?? (await cache.get("kernel", () => buildKernel({ root })));
  const program = await cache.get(PROGRAM, () => buildProgram(path.resolve(root, PROGRAM), { root }));
  const layout = kernelLayout(kernel);
  if (layout === undefined) throw new Error("the kernel carries no layout");
  return { kernel, layout, program };
}
