/**
 * Regression cases: what the fuzzer once found, as files that are run with every test. A case is a line of JSON (seed of
 * the inputs, functions to call) and the source below it. May import compilerrun.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Callee } from "./compilerrun";

export interface RegressionCase {
  name: string;
  seed: number;
  callees: Callee[];
  source: string;
}

const ENDING = ".case";

/** All cases of a folder, by name. */
export function readCases(folder: string): RegressionCase[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(ENDING))
    .sort()
    .map((file) => {
      const text = readFileSync(path.join(folder, file), "utf8");
      const end = text.indexOf("\n");
      const { seed, callees } = JSON.parse(text.slice(0, end));
      return { name: file.slice(0, -ENDING.length), seed, callees, source: text.slice(end + 1) };
    });
}

/** Writes a case; the path of its file. */
export function writeCase(folder: string, { name, seed, callees, source }: RegressionCase): string {
  const file = path.join(folder, name + ENDING);
  writeFileSync(file, `${JSON.stringify({ seed, callees })}\n${source}`);
  return file;
}
