/**
 * Files that a command writes as a whole: there is all of it, or what was there before. May import Node, commander, tools/image/files
 * and the rest of tools/cli.
 */
import { accessSync, constants, realpathSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { InvalidArgumentError } from "commander";
import { writeWhole } from "../image/files";
import { CliError } from "./exitcodes";
import { fileReason } from "./input";

/** For commander: a file that can be written, so that a wrong name is known before the run. Makes none. */
export function writableFile(path: string): string {
  try {
    const status = statSync(path, { throwIfNoEntry: false });
    if (status?.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
    accessSync(status === undefined ? dirname(path) : path, constants.W_OK);
    return path;
  } catch (error) {
    throw new InvalidArgumentError(`It cannot be written: ${fileReason(error)}.`);
  }
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Writes beside and renames; a device, a pipe, and a file in a folder that is not ours are written in place. A signal waits until it is done. Throws CliError that names the file, which is then as it was.
 */
export function writeResult(path: string, contents: string): void {
  const wait = (): void => {};
  process.on("SIGINT", wait).on("SIGTERM", wait);
  try {
    const status = statSync(path, { throwIfNoEntry: false });
    const target = status === undefined ? path : realpathSync(path);
    const isPlain = status === undefined || status.isFile();
    if (isPlain && mayWrite(dirname(target))) writeWhole(target, contents, status?.mode);
    else writeFileSync(path, contents);
  } catch (error) {
    throw new CliError(`${path}: ${fileReason(error)}`);
  } finally {
    process.off("SIGINT", wait).off("SIGTERM", wait);
  }
}
