/** Files of the tree and of dist/, for cache, stamp and build. May import Node only. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

/** Where cache and stamps are, relative to the root. */
export const CACHE_FOLDER = path.join("dist", "cache");

/** What makes the compiler: a change in any of these makes every image stale. */
export const COMPILER_FOLDERS = ["tools/compiler", "cpu/isa"];
export const COMPILER_FILES = [
  "cpu/isa.ts",
  "cpu/encoder.ts",
  "cpu/instruction.ts",
  "package.json",
  "package-lock.json",
];

/** Permissions of a new file, of which the umask takes its part away. */
const READABLE = 0o666;

/** Whether an error says that there is no such file, or no such folder. */
export function isMissing(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR", "EISDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
}

/** Whether an error says that nothing can be written there. */
export function isUnwritable(error: unknown): boolean {
  return ["EACCES", "EROFS", "EPERM", "ENOSPC", "EDQUOT", "EFBIG"].includes(
    (error as NodeJS.ErrnoException).code ?? "",
  );
}

/** Files at any depth below a folder of the root that end so, relative to the root, sorted; none where there is no such folder. */
export function listFiles(root: string, folder: string, ending: string): string[] {
  const files: string[] = [];
  const visit = (at: string): void => {
    for (const entry of readdirSync(`${root}${path.sep}${at}`, { withFileTypes: true })) {
      const file = `${at}${path.sep}${entry.name}`;
      if (entry.isDirectory()) visit(file);
      else if (entry.name.endsWith(ending)) files.push(file);
    }
  };
  try {
    visit(folder);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  return files.sort();
}

/** Writes by renaming, so that another process never reads half a file, and an error leaves the file as it was. */
export function writeWhole(file: string, contents: Uint8Array | string, mode = READABLE): void {
  const draft = `${file}.${process.pid}`;
  try {
    writeFileSync(draft, contents, { mode });
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

/** Makes a folder and its parents. One by one: Node's recursive mkdir never returns below a folder such as /proc. */
export function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(path.dirname(path.resolve(folder)));
  mkdirSync(folder);
}
