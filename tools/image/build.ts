/**
 * Builds everything that boots: the kernel, and the initrd with all programs of the tree. What is up to date comes out
 * of a cache, so that a change of one program costs one compilation; when nothing at all has changed, a stamp says so and nothing
 * is written. May import tools/compiler, cache, stamp, ustar; compiler and cache only where they are needed,
 * since the one is large and the other loads Node's cryptography.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { findRoot } from "../compiler/root";
import type { ImageCache } from "./cache";
import { COMPILER_FILES, COMPILER_FOLDERS, isMissing, makeFolder, writeWhole } from "./files";
import { kernelLayout } from "./layout";
import { type Sources, Stamp } from "./stamp";
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
/** All that images are made from. */
const SOURCES: Sources = {
  folders: [
    ...COMPILER_FOLDERS.map((folder) => ({ folder, ending: ".ts" })),
    ...["kernel", "userland"].flatMap((folder) => [".ts", ".s"].map((ending) => ({ folder, ending }))),
  ],
  files: COMPILER_FILES,
};

/**
 * Builds and writes kernel.elf, kernel.layout.json and initrd.tar into `outDir`, those that are not there already. Throws
 * CompileError for a mistake in a source.
 */
export async function buildAll(outDir: string, options: BuildOptions = {}): Promise<BuiltAll> {
  const root = options.root ?? findRoot();
  // First, so that a folder that cannot be made is known before the work is done.
  makeFolder(outDir);
  const [kernelFile, layoutFile, initrdFile] = ["kernel.elf", "kernel.layout.json", "initrd.tar"].map((name) =>
    path.resolve(outDir, name),
  );
  const stamp = new Stamp(root, SOURCES, [kernelFile, layoutFile, initrdFile]);
  if (stamp.isCurrent()) return { kernel: readBytes(kernelFile), initrd: readBytes(initrdFile) };
  const { ImageCache } = await import("./cache");
  const cache = new ImageCache(root);
  const { kernel, initrd } = await makeImages(root, cache, options.progress ?? (() => {}));
  writeChanged(kernelFile, kernel);
  writeChanged(layoutFile, new TextEncoder().encode(`${JSON.stringify(kernelLayout(kernel), null, 1)}\n`));
  writeChanged(initrdFile, initrd);
  if ([...cache.sources].every((file) => stamp.covers(file))) stamp.write();
  return { kernel, initrd };
}

/** The images as the sources are now: out of the cache, else compiled. */
async function makeImages(root: string, cache: ImageCache, progress: (text: string) => void): Promise<BuiltAll> {
  const compiler = () => import("../compiler/index");
  const kernel = await cache.get("kernel", async () => {
    progress("kernel");
    return (await compiler()).buildKernel({ root });
  });
  const files: TarFile[] = [];
  for (const { file, name } of listPrograms(root)) {
    const data = await cache.get(file, async () => {
      progress(name);
      return (await compiler()).buildProgram(path.resolve(root, file), { root });
    });
    files.push({ name, data, mode: EXECUTABLE });
  }
  return { kernel, initrd: buildInitrd(files) };
}

function readBytes(file: string): Uint8Array {
  return new Uint8Array(readFileSync(file));
}

/** Writes a file unless it holds just that. */
function writeChanged(file: string, contents: Uint8Array): void {
  try {
    if (readFileSync(file).equals(contents)) return;
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  writeWhole(file, contents);
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
