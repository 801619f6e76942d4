/** docs/conformance.md's tables, from the code that uses them. May import tests/cpu. */
import { UNCLAIMED } from "../decoderlockstep";
import { EXCLUSIONS } from "../host/rows";
import { TOLERANCES } from "../host/tolerances";
import { DEVIATIONS } from "../ring0/deviations";
import { UNDEFINED_FLAGS } from "../undefinedflags";

export const PATH = "docs/conformance.md";

const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [1, "CF"],
  [4, "PF"],
  [0x10, "AF"],
  [0x40, "ZF"],
  [0x80, "SF"],
  [0x800, "OF"],
];

function flagNames(flags: number): string {
  return FLAG_NAMES.filter(([bit]) => flags & bit)
    .map(([, name]) => name)
    .join(" ");
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}

/** The tables by the name in their markers. */
export const TABLES: Readonly<Record<string, string>> = {
  "undefined flags": table(
    ["instructions", "when", "undefined", "what our processor does", "masked"],
    UNDEFINED_FLAGS.map(({ mnemonics, when, flags, ours, masked }) => [
      ...[mnemonics.join(" ").toUpperCase(), when || "always", flagNames(flags), ours, flagNames(masked) || "-"],
    ]),
  ),
  "not compared with the host": table(
    ["rows", "why"],
    EXCLUSIONS.map(({ name, reason }) => [name, reason]),
  ),
  "where the host may differ": table(
    ["instructions that fault", "in", "only where", "why"],
    TOLERANCES.map(({ rows, aspects, condition, reason }) => [
      ...[
        rows.source
          .replace(/[\^()$]/g, "")
          .toUpperCase()
          .replaceAll("|", " "),
        aspects.join(", "),
      ],
      ...[condition, reason],
    ]),
  ),
  "not claimed": table(
    ["what iced-x86 decodes and we do not"],
    UNCLAIMED.map(({ reason }) => [reason]),
  ),
  "where QEMU deviates": table(
    ["QEMU", "so"],
    DEVIATIONS.map(({ what, how }) => [what, how]),
  ),
};

/** The document with its tables as they should be. */
export function withTables(text: string): string {
  return text.replace(
    /<!-- table: (.+?) -->\n[\s\S]*?<!-- end -->/g,
    (_, name: string) => `<!-- table: ${name} -->\n${TABLES[name] ?? `no table '${name}'`}\n<!-- end -->`,
  );
}
