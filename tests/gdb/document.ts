/**
 * The gdb sessions of a document: `(gdb) command` lines in ```gdb blocks, each followed by what gdb prints. All blocks are one session, with the
 * program of the ```ts block before the first. May import Node, rig.
 */
import { readFileSync } from "node:fs";
import { type Rig, runGdb, startRig } from "./rig";

export const DOCUMENT = "docs/debugging.md";

export interface Example {
  command: string;
  expected: string;
  /** Index of the command's line in the document. */
  line: number;
}

/** The document with its examples, and what each prints now. */
export interface Session {
  lines: string[];
  examples: Example[];
  printed: string[];
}

/** Runs the document's session. `lines` with the examples' outputs replaced: updated(). */
export async function runDocument(): Promise<Session> {
  const lines = readFileSync(DOCUMENT, "utf8").split("\n");
  const examples: Example[] = [];
  let inside = false;
  let program: { name: string; source: string } | undefined;
  for (const [line, text] of lines.entries()) {
    const [, name] = /^```ts (\S+)\.ts$/.exec(text) ?? [];
    if (name && examples.length === 0)
      program = { name, source: `${lines.slice(line + 1, lines.indexOf("```", line)).join("\n")}\n` };
    if (text.startsWith("```")) inside = text === "```gdb";
    else if (inside && text.startsWith("(gdb) ")) examples.push({ command: text.slice(6), expected: "", line });
    else if (inside) examples[examples.length - 1].expected += `${text}\n`;
  }
  const rig = await startRig({ ...(program ? { program } : {}), allFiles: true, memoryMB: 64 });
  try {
    const printed = await runGdb(
      rig,
      examples.map(({ command }) => command),
    );
    return { lines, examples, printed: printed.map((text) => plain(text, rig)) };
  } finally {
    rig.close();
  }
}

/** Without the temporary folder and without blank lines. */
function plain(text: string, { program }: Rig): string {
  const folder = program.file.slice(0, program.file.lastIndexOf("/") + 1);
  return text.replaceAll(folder, "").replace(/^\n+/gm, "").replace(/\t/g, "  ");
}

/** The document's text with what the examples print now. */
export function updated({ lines, examples, printed }: Session): string {
  const text = [...lines];
  for (const [index, { expected, line }] of [...examples.entries()].reverse()) {
    text.splice(line + 1, expected.split("\n").length - 1, ...printed[index].split("\n").slice(0, -1));
  }
  return text.join("\n");
}
