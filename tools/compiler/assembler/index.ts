/**
 * The assembler: Intel-syntax source of 32-bit code -> a relocatable object. May import cpu/encoder and tools/compiler's
 * object and errors. What the language is: source.ts (directives), operand.ts, expression.ts, instruction.ts.
 *
 * A bare label is its address; `[label]` is the memory there. Symbols that the file does not define are left to the
 * linker. Jumps and calls to labels of the same section are resolved here, in the short form where it reaches.
 */
import type { LineRecord, ObjectFile, ObjectSymbol, Relocation } from "../object";
import { Layout } from "./layout";
import { Source } from "./source";

export { AssembleError } from "./error";

/**
 * Assembles one file. `fileName` stands in messages and line records. Sections without contents are left out; symbols
 * are all labels, the global ones with their kind and their size up to the next global label. Throws AssembleError.
 */
export function assemble(source: string, fileName: string): ObjectFile {
  const parsed = new Source(source, fileName);
  const layout = new Layout(parsed);
  const relocations: Relocation[] = [];
  const lines: LineRecord[] = [];
  const used = [...parsed.sections.values()].filter((section) => {
    return section.items.length > 0 || [...parsed.labels.values()].some((label) => label.section === section);
  });
  const sections = used.map((section) => layout.emit(section, relocations, lines));
  return {
    name: fileName,
    sections,
    symbols: symbolsOf(parsed, layout),
    relocations,
    lines,
    frames: [],
    variables: new Map(),
  };
}

function symbolsOf(source: Source, layout: Layout): ObjectSymbol[] {
  const globals = [...source.labels.values()].filter((label) => source.globals.has(label.name));
  return [...source.labels.values()].map((label) => {
    const offset = layout.offsetOf(label);
    const base = { name: label.name, section: label.section.name, offset };
    if (!source.globals.has(label.name)) return { ...base, global: false, kind: "none" };
    const later = globals.filter((other) => other.section === label.section).map((other) => layout.offsetOf(other));
    const end = Math.min(layout.sizeOf(label.section), ...later.filter((other) => other > offset));
    return { ...base, global: true, kind: label.section.name === ".text" ? "function" : "object", size: end - offset };
  });
}
