/**
 * `--disk FILE`, `--disk-ro FILE` and `--swap MB`: the disk of a machine. A file is checked before anything is built or booted. May import Node, cpu/,
 * input.ts, options.ts and exitcodes.ts.
 */
import { accessSync, constants, type Stats, statSync } from "node:fs";
import { Option } from "commander";
import { SECTOR_BYTES } from "../../cpu/board/disk";
import { CliError } from "./exitcodes";
import { fileReason } from "./input";
import { wholeNumber } from "./options";
import type { SessionSpec } from "./session";

export const diskOption = (): Option => new Option("--disk <file>", "the IDE disk: a raw image, written in place");

export const readOnlyDiskOption = (): Option =>
  new Option("--disk-ro <file>", "the same, never written").conflicts("disk");

export const swapOption = (): Option =>
  new Option("--swap <MB>", "an IDE disk in memory that our kernel swaps to")
    .argParser(wholeNumber(1, 1024, "megabytes"))
    .conflicts(["disk", "diskRo"]);

/** What the two options above say. */
export interface DiskOptions {
  disk?: string;
  diskRo?: string;
  swap?: number;
}

/** Words for our kernel's command line that go with them. */
export function swapWords({ swap }: DiskOptions): string {
  return swap === undefined ? "" : "swap=on ";
}

/** Most bytes of a disk: what 28-bit addresses reach. */
const MAX_BYTES = (2 ** 28 - 1) * SECTOR_BYTES;

/** Whether we may write a file. One without any permission to write is read-only to all, root too. */
function isWritable(path: string, { mode }: Stats): boolean {
  if ((mode & 0o222) === 0) return false;
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** The disk for a session. Throws CliError for a file that is no disk, or cannot be written and should be. */
export function diskFor({ disk, diskRo, swap }: DiskOptions): Pick<SessionSpec, "disk"> {
  if (swap !== undefined) return { disk: { swapMB: swap } };
  const path = disk ?? diskRo;
  if (path === undefined) return {};
  try {
    const status = statSync(path);
    if (!status.isFile()) throw new CliError(`${path}: not a regular file`);
    if (status.size === 0 || status.size % SECTOR_BYTES !== 0)
      throw new CliError(`${path}: a disk of ${status.size} bytes; it must be a multiple of ${SECTOR_BYTES}`);
    if (status.size > MAX_BYTES)
      throw new CliError(`${path}: a disk of ${status.size} bytes; at most ${MAX_BYTES} fit`);
    accessSync(path, constants.R_OK);
    if (diskRo === undefined && !isWritable(path, status))
      throw new CliError(`${path}: it cannot be written (--disk-ro attaches it read-only)`);
  } catch (error) {
    throw error instanceof CliError ? error : new CliError(`${path}: ${fileReason(error)}`);
  }
  return { disk: { path, readOnly: diskRo !== undefined } };
}
