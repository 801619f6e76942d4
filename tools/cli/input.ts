/**
 * Files that the user names: read whole, with one clear line when they cannot be. May import Node and exitcodes.ts.
 */
import { readFileSync } from "node:fs";
import { CliError } from "./exitcodes";

const REASONS: Record<string, string> = {
  ENOENT: "no such file",
  EACCES: "permission denied",
  EISDIR: "is a directory",
  ENOSPC: "no space left on the disk",
  EROFS: "the file system is read-only",
  EFBIG: "it has grown as large as a file may",
  ENOTDIR: "a part of its path is not a directory",
};

/** What went wrong with a file, in words; Node's own message where we have none. */
export function fileReason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return REASONS[code ?? ""] ?? message;
}

/** The file's bytes. Throws CliError (usage) naming file and reason. */
export function readInput(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new CliError(`${path}: ${fileReason(error)}`);
  }
}
