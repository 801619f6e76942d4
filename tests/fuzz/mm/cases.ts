/**
 * What the fuzzer once found, as files that every test run tries: a program as text (program.ts) under comments that say what was
 * wrong. May import program.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type Program, parse, print } from "./program";

export interface Case {
  name: string;
  program: Program;
}

const ENDING = ".case";

/** The case of a file. Throws Error with the file's name for one that is not understood, Node's error for one that is not there. */
export function readCase(file: string): Case {
  const text = readFileSync(file, "utf8");
  try {
    return { name: path.basename(file, ENDING), program: parse(text) };
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message}`);
  }
}

/** All cases of a folder, by name. */
export function readCases(folder: string): Case[] {
  const files = readdirSync(folder).filter((name) => name.endsWith(ENDING));
  return files.sort().map((file) => readCase(path.join(folder, file)));
}

/** Writes a case, with a line about it; the path of its file. */
export function writeCase(folder: string, { name, program }: Case, about: string): string {
  const file = path.join(folder, name + ENDING);
  writeFileSync(file, `# ${about}\n${print(program)}`);
  return file;
}
