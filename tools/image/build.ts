/**
 * Builds everything that boots: the kernel, and the initrd with all programs of the tree. What is up to date comes out
 * of a cache, so that a change of one program costs one compilation. May import tools/compiler, cache, ustar.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { buildKernel, buildProgram, findRoot } from "../compiler/index";
import { ImageCache } from "./cache";
import { kernelLayout } from "./layout";
import { buildInitrd, type TarFile } from "./ustar";

export interface BuildOptions {
  /** The repository or package that holds kernel/ and userland/. */
  root?: string;
  /** Called before each image that has to be compiled, with a few words such as "kernel" or "bin/sh". */
  progress?: (text: string) => void;
}

export interface BuiltAll {
  kernel: Uint8Array;
  initrd: Uint8Array;
}

/** Folders of programs: each source that exports main becomes a file of the initrd's folder. */
const PROGRAM_FOLDERS = [
  { source: "userland/bin", target: "bin" },
  { source: "userland/tests", target: "tests" },
];
const EXECUTABLE = 0o755;

/** Builds and writes kernel.elf, kernel.layout.json and initrd.tar into `outDir`. Throws CompileError for a mistake in a source. */
export async function buildAll(outDir: string, options: BuildOptions = {}): Promise<BuiltAll> {
  const root = options.root ?? findRoot();
  // First, so that a folder that cannot be made is known before the work is done.
  makeFolder(outDir);
  const cache = new ImageCache(root);
  const progress = options.progress ?? (() => {});
  const kernel = await cache.get("kernel", () => {
    progress("kernel");
    return buildKernel({ root });
  });
  const files: TarFile[] = [];
  for (const { file, name } of listPrograms(root)) {
    const data = await cache.get(file, () => {
      progress(name);
      return buildProgram(path.resolve(root, file), { root });
    });
    files.push({ name, data, mode: EXECUTABLE });
  }
  const initrd = buildInitrd(files);
  writeFileSync(path.join(outDir, "kernel.elf"), kernel);
  writeFileSync(path.join(outDir, "kernel.layout.json"), `${JSON.stringify(kernelLayout(kernel), null, 1)}\n`);
  writeFileSync(path.join(outDir, "initrd.tar"), initrd);
  return { kernel, initrd };
}

/** Makes a folder and its parents. One by one: Node's recursive mkdir never returns below a folder such as /proc. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(path.dirname(path.resolve(folder)));
  mkdirSync(folder);
}

/** The programs of the tree: source relative to the root, and name in the initrd; sorted by name. */
export function listPrograms(root: string): { file: string; name: string }[] {
  const programs: { file: string; name: string }[] = [];
  for (const { source, target } of PROGRAM_FOLDERS) {
    for (const entry of readdirSync(path.resolve(root, source)).sort()) {
      const file = `${source}/${entry}`;
      if (!entry.endsWith(".ts") || !hasMain(path.resolve(root, file))) continue;
      programs.push({ file, name: `${target}/${entry.slice(0, -".ts".length)}` });
    }
  }
  return programs;
}

function hasMain(file: string): boolean {
  return /^export function main\(/m.test(readFileSync(file, "utf8"));
}
