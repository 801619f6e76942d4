/**
 * Names of sources: what asc calls them, what people call them, and where they are on disk. May import nothing of the
 * compiler.
 */
import { readFileSync } from "node:fs";
import path from "node:path";

/** Where sources come from. */
export interface SourceTree {
  /** The directory that file names are relative to: the repository's root. Absolute. */
  root: string;
  /** Bare imports: module name -> absolute path. */
  packages?: Readonly<Record<string, string>>;
  /** Sources that are not on disk: absolute path -> text. */
  virtual?: Readonly<Record<string, string>>;
}

/** Stands for the root of the file system in the names of sources that lie outside the project's root. */
const OUTSIDE = "@outside";

/**
 * A source's name within asc: its path relative to the root. One outside gets a name as if it were inside, so that every
 * file has one name however it is imported: asc takes two names for two modules.
 */
export function nameOf(root: string, absolute: string): string {
  const relative = path.relative(root, absolute).split(path.sep).join("/");
  return relative.startsWith("../") ? OUTSIDE + absolute.split(path.sep).join("/") : relative;
}

/** The inverse of nameOf. */
function pathOf(root: string, name: string): string {
  return name.startsWith(`${OUTSIDE}/`) ? path.resolve(name.slice(OUTSIDE.length)) : path.resolve(root, name);
}

/** A name as people and debuggers shall see it: relative to the root, outside it absolute. */
export function shown(name: string): string {
  return name.startsWith(`${OUTSIDE}/`) ? name.slice(OUTSIDE.length) : name;
}

/** How the source `from` (a name) imports the file `to` (a path without extension, relative to the root). */
export function importPath(from: string, to: string, root: string): string {
  const target = nameOf(root, path.resolve(root, to));
  const back = path.posix.relative(`/${path.posix.dirname(from)}`, `/${target}`);
  return back.startsWith(".") ? back : `./${back}`;
}

export function readSource(absolute: string): string | undefined {
  try {
    return readFileSync(absolute, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "EISDIR" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

/** Bare imports become relative ones: asc would look for them in its library. The lines stay where they are. */
export function redirectImports(text: string, name: string, { root, packages }: SourceTree): string {
  let result = text;
  for (const [bare, file] of Object.entries(packages ?? {})) {
    if (!text.includes(bare)) continue;
    const target = importPath(name, file.replace(/\.ts$/, ""), root);
    result = result.replace(new RegExp(`(\\bfrom\\s*|\\bimport\\s*)(["'])${bare}\\2`, "g"), `$1"${target}"`);
  }
  return result;
}

/** A source and its name within asc. */
export interface Found {
  name: string;
  text: string;
}

export function findLibrary(files: Readonly<Record<string, string>>, name: string): Found | undefined {
  const plain = name.slice("~lib/".length);
  for (const candidate of [plain, `${plain}/index`]) {
    if (Object.hasOwn(files, candidate)) return { name: `~lib/${candidate}.ts`, text: files[candidate] };
  }
  return undefined;
}

export function findSource(
  tree: SourceTree,
  name: string,
  read: (absolute: string) => string | undefined,
): Found | undefined {
  for (const candidate of [`${name}.ts`, `${name}/index.ts`]) {
    const text = read(pathOf(tree.root, candidate));
    if (text !== undefined) return { name: candidate, text: redirectImports(text, candidate, tree) };
  }
  return undefined;
}
