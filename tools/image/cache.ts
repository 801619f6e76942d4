/**
 * Compiled images by the contents of all that they were made from. May import tools/compiler's types.
 *
 * dist/cache/KEY.json lists the files that an image was made from with their hashes; KEY.elf is the image. KEY names what
 * is built and with which compiler: its own sources count. A cache that cannot be written is no error.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { BuiltImage } from "../compiler/index";

/** Relative path of a file -> hash of its contents, or null: was looked for and did not exist. */
type Manifest = Record<string, string | null>;

/** What makes the compiler: a change in any of these makes every image stale. */
const COMPILER_FOLDERS = ["tools/compiler", "cpu/isa"];
const COMPILER_FILES = ["cpu/isa.ts", "cpu/encoder.ts", "cpu/instruction.ts", "package.json", "package-lock.json"];

/** Of lists and images together; more than twice what one build of everything makes. */
const MOST_FILES = 400;

export class ImageCache {
  private readonly folder: string;
  private readonly compiler: string;
  /** All assembly sources: a new one would join an image without being on its list. */
  private readonly assembly: readonly string[];
  private readonly hashes = new Map<string, string | null>();

  constructor(private readonly root: string) {
    this.folder = path.join(root, "dist", "cache");
    const sources = COMPILER_FOLDERS.flatMap((folder) => listFiles(root, folder, ".ts"));
    this.assembly = ["kernel", "userland/lib"].flatMap((folder) => listFiles(root, folder, ".s"));
    this.compiler = hash([...sources, ...COMPILER_FILES].map((file) => `${file} ${this.hashOf(file)}`).join("\n"));
  }

  /** The image of that name from the cache if all its sources are unchanged, else what `build` makes. */
  async get(name: string, build: () => Promise<BuiltImage>): Promise<Uint8Array> {
    const key = hash([this.root, this.compiler, name, ...this.assembly].join("\n")).slice(0, 32);
    const cached = this.read(key);
    if (cached) return cached;
    const { elf, files } = await build();
    const manifest: Manifest = {};
    for (const [file, text] of files) manifest[path.relative(this.root, file)] = text === undefined ? null : hash(text);
    this.write(key, manifest, elf);
    return elf;
  }

  private read(key: string): Uint8Array | undefined {
    try {
      const manifest = JSON.parse(readFileSync(path.join(this.folder, `${key}.json`), "utf8")) as Manifest;
      if (Object.entries(manifest).some(([file, known]) => this.hashOf(file) !== known)) return undefined;
      return new Uint8Array(readFileSync(path.join(this.folder, `${key}.elf`)));
    } catch (error) {
      if (isMissing(error) || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  /** By renaming, so that another process never reads half a file; the list comes last. */
  private write(key: string, manifest: Manifest, elf: Uint8Array): void {
    try {
      mkdirSync(this.folder, { recursive: true });
      for (const [name, contents] of [
        [`${key}.elf`, elf],
        [`${key}.json`, JSON.stringify(manifest)],
      ] as const) {
        const draft = path.join(this.folder, `${name}.${process.pid}`);
        writeFileSync(draft, contents);
        renameSync(draft, path.join(this.folder, name));
      }
      this.prune();
    } catch (error) {
      if (!["EACCES", "EROFS", "EPERM", "ENOSPC"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
  }

  /** Forgets the images that were made longest ago, so that the folder does not grow for ever. */
  private prune(): void {
    const files = readdirSync(this.folder);
    if (files.length <= MOST_FILES) return;
    const ages = files.map((file) => ({ file, made: modified(path.join(this.folder, file)) }));
    ages.sort((a, b) => b.made - a.made);
    for (const { file } of ages.slice(MOST_FILES / 2)) rmSync(path.join(this.folder, file), { force: true });
  }

  private hashOf(file: string): string | null {
    let known = this.hashes.get(file);
    if (known === undefined) {
      try {
        known = hash(readFileSync(path.resolve(this.root, file), "utf8"));
      } catch (error) {
        if (!isMissing(error)) throw error;
        known = null;
      }
      this.hashes.set(file, known);
    }
    return known;
  }
}

/** Time of last modification in milliseconds; 0 for a file that another process has just removed. */
function modified(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function isMissing(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR", "EISDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Files below a folder with the ending, sorted; none where there is no such folder. */
function listFiles(root: string, folder: string, ending: string): string[] {
  try {
    return (readdirSync(path.resolve(root, folder), { recursive: true }) as string[])
      .filter((name) => name.endsWith(ending))
      .map((name) => path.join(folder, name))
      .sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
