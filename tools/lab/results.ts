/**
 * Results: one JSON line a point, with all that makes it repeatable, in files of a directory that several machines may fill. May import Node, tools/image/files and the
 * types of tools/lab.
 *
 * Invariants: a line is written whole or is recognised as half-written; figures, distributions and references depend on what `identity` names and on
 * nothing else; `host` is the host's, and noisy.
 */
import { createHash } from "node:crypto";
import { closeSync, fstatSync, ftruncateSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import path from "node:path";
import { makeFolder } from "../image/files";
import type { Costs } from "./costs";
import { LabError } from "./errors";
import { MODES, type Mode, type Values } from "./experiment";
import type { Shard } from "./grid";
import type { Outcome, References } from "./point";

/** Raised when the meaning of a line changes. */
export const RESULT_VERSION = 1;
const ENDING = ".jsonl";
/** Errors of a disk, a quota or a file size that is used up. */
const NO_ROOM = ["ENOSPC", "EDQUOT", "EFBIG"];

/** What the figures of a point are a function of. */
export interface Identity {
  experiment: string;
  values: Values;
  mode: Mode;
  costs: Costs;
  commandLine: string;
  memoryMB: number;
  swapMB: number;
  budget: number;
  /** SHA-256, in hexadecimal digits. */
  kernel: string;
  initrd: string;
  costVersion: number;
}

export type ResultLine = { tineLab: number } & Identity &
  Outcome & {
    /** Which of how many runs of the same point, from 1. */
    repeat: number;
    instructions: number;
    cycles: number;
    references?: References;
    versions: { tine: string; node: string };
    /** Host time and the host's processor: noisy, and no part of what is compared. */
    host: { seconds: number; processor: string };
  };

/** A SHA-256 in hexadecimal digits. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The same for the same point, in whatever order its fields come. */
export function identityKey(line: Identity): string {
  const { experiment, values, mode, costs, commandLine, memoryMB, swapMB, budget, kernel, initrd, costVersion } = line;
  const sorted = (record: object) => Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
  const parts = [experiment, sorted(values), mode, sorted(costs), commandLine, memoryMB, swapMB, budget];
  return JSON.stringify([...parts, kernel, initrd, costVersion]);
}

export interface ReadResults {
  files: number;
  lines: ResultLine[];
  /** What was left out, in words. */
  notices: string[];
}

/** Fields that a line must have to be read at all, with what they are. */
const FIELDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  experiment: (value) => typeof value === "string",
  mode: (value) => Object.hasOwn(MODES, value as string),
  status: (value) => value === "ok" || value === "failed",
  ...Object.fromEntries(["values", "costs", "versions", "host"].map((name) => [name, isRecord])),
};

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** A line, or undefined for one that was not written whole. Throws LabError for one that is whole and not ours. */
function parseLine(text: string, place: string): ResultLine | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  const line = isRecord(parsed) ? parsed : {};
  const { tineLab } = line;
  if (typeof tineLab !== "number") throw new LabError(`${place}: not a result of tine lab`);
  if (tineLab !== RESULT_VERSION)
    throw new LabError(`${place}: a result of version ${tineLab}; this is ${RESULT_VERSION}`);
  const wrong = Object.entries(FIELDS).find(([name, right]) => !right(line[name]));
  if (wrong !== undefined) throw new LabError(`${place}: a result without a proper '${wrong[0]}'`);
  if (line.status === "ok" && !(isRecord(line.figures) && isRecord(line.distributions)))
    throw new LabError(`${place}: a result without figures`);
  return line as unknown as ResultLine;
}

/** The lines of one file's text; half-written ones are told of. */
function linesOf(text: string, file: string): Omit<ReadResults, "files"> {
  const lines: ResultLine[] = [];
  const notices: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line === "") continue;
    const place = `${file}:${index + 1}`;
    const parsed = parseLine(line, place);
    if (parsed === undefined) notices.push(`${place}: a half-written line is left out`);
    else lines.push(parsed);
  }
  return { lines, notices };
}

/**
 * All results of a directory. Throws LabError for one that cannot be read and for files in it that are not ours; one without any gives none.
 */
export function readResults(folder: string): ReadResults {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith(ENDING));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "no such directory" : code === "ENOTDIR" ? "not a directory" : code;
    throw new LabError(`${folder}: ${reason}`);
  }
  const all: ReadResults = { files: names.length, lines: [], notices: [] };
  for (const name of names.sort()) {
    const file = path.join(folder, name);
    const text = readFileSync(file, "utf8");
    const { lines, notices } = linesOf(text, file);
    if (lines.length === 0 && text.trim() !== "" && notices.length > 1)
      throw new LabError(`${file}: not results of tine lab`);
    all.lines.push(...lines);
    all.notices.push(...notices);
  }
  return all;
}

/** Where a run writes, line by line. A shard has a file of its own, so that machines can share a directory. */
export class ResultFile {
  private readonly path: string;
  private readonly file: number;
  /** Results that were there already, and what was left out of them. */
  readonly found: ReadResults;

  /**
   * Makes the directory where there is none, and cuts off a half-written last line of the file. Throws LabError for a directory that cannot be
   * written, and what readResults does.
   */
  constructor(folder: string, shard: Shard | undefined) {
    const name = shard === undefined ? `results${ENDING}` : `results-${shard.index}of${shard.count}${ENDING}`;
    const file = path.join(folder, name);
    this.path = file;
    try {
      makeFolder(folder);
      this.found = readResults(folder);
      this.file = openSync(file, "a+");
      if (fstatSync(this.file).size > 0) this.cut(file);
    } catch (error) {
      if (error instanceof LabError) throw error;
      throw new LabError(`${folder}: it cannot be written (${(error as NodeJS.ErrnoException).code})`);
    }
  }

  private cut(file: string): void {
    const bytes = readFileSync(file);
    const whole = bytes.lastIndexOf("\n") + 1;
    if (whole < bytes.length) ftruncateSync(this.file, whole);
  }

  /** Appends a line in one write. Throws LabError when there is no room for it. */
  add(line: ResultLine): void {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    let written = 0;
    try {
      written = writeSync(this.file, bytes);
    } catch (error) {
      if (!NO_ROOM.includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
    if (written !== bytes.length)
      throw new LabError(`${this.path}: no room for more results; when there is, the same command goes on from there`);
  }

  close(): void {
    closeSync(this.file);
  }
}
