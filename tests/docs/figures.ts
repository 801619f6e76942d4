/**
 * docs/figures.md as a document of figures: a ```text block for each, whose first line is its command. May import Node only.
 */
import { readFileSync, writeFileSync } from "node:fs";

const PATH = "docs/figures.md";

function blockOf(name: string): RegExp {
  return new RegExp(`(\`\`\`text\\n\\$ npm run bench:fork -- ${name}\\n)([^\`]*)(\`\`\`)`);
}

/** Puts what a figure's command prints into the document. Throws Error if the document has no place for it. */
export function writeFigure(name: string, printed: string): void {
  const text = readFileSync(PATH, "utf8");
  if (!blockOf(name).test(text)) throw new Error(`${PATH} has no block for ${name}`);
  writeFileSync(
    PATH,
    text.replace(blockOf(name), (_, head: string, _old: string, end: string) => head + printed + end),
  );
}

/** The rows of a figure's table in the document, cells trimmed. Numbers have commas. */
export function figureRows(name: string): string[][] {
  const [, , printed = ""] = blockOf(name).exec(readFileSync(PATH, "utf8")) ?? [];
  const lines = printed.split("\n").filter((line) => line.startsWith("│"));
  return lines.slice(1).map((line) =>
    line
      .split("│")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** The number that a cell shows. */
export function numberIn(cell: string | undefined): number {
  return Number((cell ?? "").replaceAll(",", ""));
}
