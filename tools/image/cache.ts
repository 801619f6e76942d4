/**
 * Compiled images by the contents of all that they were made from. May import files, tools/compiler's types.
 *
 * dist/cache/KEY.json lists the files that an image was made from with their hashes; KEY.elf is the image. KEY names what
 * is built and with which compiler: its own sources count. A cache that cannot be written is no error.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import type { BuiltImage } from "../compiler/index";
import {
  CACHE_FOLDER,
  COMPILER_FILES,
  COMPILER_FOLDERS,
  isMissing,
  isUnwritable,
  listFiles,
  writeWhole,
} from "./files";

/** Relative path of a file -> hash of its contents, or null: was looked for and did not exist. */
type Manifest = Record<string, string | null>;

/** Of lists and images together; more than twice what one build of everything makes. */
const MOST_FILES = 400;

export class ImageCache {
  private readonly folder: string;
  private readonly compiler: string;
  /** All assembly sources: a new one would join an image without being on its list. */
  private readonly assembly: readonly string[];
  private readonly hashes = new Map<string, string | null>();
  /** All files, relative to the root, that the images asked for were made from, those that were looked for in vain included. */
  readonly sources = new Set<string>();

  constructor(private readonly root: string) {
    this.folder = path.join(root, CACHE_FOLDER);
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
    this.used(manifest);
    this.write(key, manifest, elf);
    return elf;
  }

  private read(key: string): Uint8Array | undefined {
    try {
      const manifest = JSON.parse(readFileSync(path.join(this.folder, `${key}.json`), "utf8")) as Manifest;
      if (Object.entries(manifest).some(([file, known]) => this.hashOf(file) !== known)) return undefined;
      const elf = new Uint8Array(readFileSync(path.join(this.folder, `${key}.elf`)));
      this.used(manifest);
      return elf;
    } catch (error) {
      if (isMissing(error) || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  private used(manifest: Manifest): void {
    for (const file of Object.keys(manifest)) this.sources.add(file);
  }

  /** The list comes last: where there is one, there is an image. */
  private write(key: string, manifest: Manifest, elf: Uint8Array): void {
    try {
      mkdirSync(this.folder, { recursive: true });
      writeWhole(path.join(this.folder, `${key}.elf`), elf);
      writeWhole(path.join(this.folder, `${key}.json`), JSON.stringify(manifest));
      this.prune();
    } catch (error) {
      if (!isUnwritable(error)) throw error;
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

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
