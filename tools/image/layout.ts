/**
 * How a kernel that we built lays out its memory: structs and constants from the section that the compiler writes, addresses
 * of variables from the symbol table. May import symbols, tools/compiler/layout.
 */
import { LAYOUT_SECTION, LAYOUT_VERSION, type SourceLayout } from "../compiler/layout";
import { readSections, readSymbols, type Section, STT_OBJECT } from "./symbols";

export interface KernelLayout extends SourceLayout {
  /** Kernel virtual addresses of variables by name: `memMap`. */
  variables: Record<string, number>;
}

/** The layout of a kernel; undefined for a file that carries none of our version, whatever it is. */
export function kernelLayout(elf: Uint8Array): KernelLayout | undefined {
  let sections: Section[];
  try {
    sections = readSections(elf);
  } catch {
    // A kernel may be loaded by its multiboot header alone.
    return undefined;
  }
  const section = sections.find(({ name }) => name === LAYOUT_SECTION);
  if (!section) return undefined;
  const layout = JSON.parse(Buffer.from(section.bytes).toString("utf8")) as SourceLayout;
  if (layout.version !== LAYOUT_VERSION) return undefined;
  const variables = readSymbols(sections).filter(({ type }) => type === STT_OBJECT);
  return { ...layout, variables: Object.fromEntries(variables.map(({ name, address }) => [name, address])) };
}
