/**
 * docs/results.md as a document of figures: a ```text block for each command `npx tine lab run ...`, with what that prints. `npm run lab:results` writes
 * it; the test looks whether a sample still comes out. May import Node only.
 */
import { readFileSync, writeFileSync } from "node:fs";

const PATH = "docs/results.md";
const BLOCK = /(```text\n\$ npx tine lab run (.*)\n)([^`]*)(```)/g;

/** One command's block. */
export interface Block {
  /** Words after `tine lab run`; the first is the experiment. */
  words: string[];
  printed: string;
}

/** A table as it is printed: the line above it, and a record of cells for each row by the columns' heads. */
export interface PrintedTable {
  title: string;
  rows: Record<string, string>[];
}

/** All blocks of the document. */
export function blocks(): Block[] {
  const text = readFileSync(PATH, "utf8");
  return [...text.matchAll(BLOCK)].map(([, , words = "", printed = ""]) => ({ words: words.split(" "), printed }));
}

/** Puts what commands print into the document. */
export function writeBlocks(print: (words: string[]) => string): void {
  const text = readFileSync(PATH, "utf8");
  const written = text.replace(BLOCK, (_, head: string, words: string, _old: string, end: string) => {
    return head + print(words.split(" ")) + end;
  });
  writeFileSync(PATH, written);
}

function cells(line: string): string[] {
  const between = line.split("│").slice(1, -1);
  return between.map((cell) => cell.trim());
}

/** The tables in what `tine lab run` prints. */
export function tablesIn(printed: string): PrintedTable[] {
  const tables: PrintedTable[] = [];
  let title = "";
  let heads: string[] | undefined;
  for (const line of printed.split("\n")) {
    if (line.startsWith("┌")) {
      tables.push({ title, rows: [] });
      heads = undefined;
    } else if (line.startsWith("│")) {
      const row = cells(line);
      if (heads === undefined) heads = row;
      else tables.at(-1)?.rows.push(Object.fromEntries(heads.map((head, index) => [head, row[index] ?? ""])));
    } else if (line !== "") title = line;
  }
  return tables;
}
