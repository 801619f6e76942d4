/**
 * Which test guards which property: read from the sources of tests by what they are named. May import the list, tests/mutants.
 *
 * A case of a guest program counts when a test file runs the program in every fork mode; a host's test when its file names the
 * modes. docs/properties.md is made of it: `npm run properties`.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MUTANTS } from "../mutants/mutants";
import { INVARIANTS, PROPERTIES, UNMUTATED, UNTESTED } from "./list";

/** Folders of tests that run the machine. Those of the kernel's parts in V8 and of the auditor are extra. */
const MACHINE_TESTS = ["tests/guest", "tests/system", "tests/fuzz"];
const AUDIT_TESTS = "tests/audit/planted.test.ts";
const PROPERTY = /^((?:[PI]\d+ )+)/;

/** Properties and invariants by name, each with the places of its tests. */
export type Guards = Map<string, Set<string>>;

export function propertyNames(): string[] {
  return PROPERTIES.map((_, index) => `P${index + 1}`);
}

export function invariantNames(): string[] {
  return INVARIANTS.map((_, index) => `I${index + 1}`);
}

function note(guards: Guards, name: string, place: string): void {
  for (const property of PROPERTY.exec(name)?.[1].trim().split(" ") ?? []) {
    guards.set(property, (guards.get(property) ?? new Set()).add(place));
  }
}

function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, name]) => name);
}

/** Reads who guards what. */
export function guardsOf(root: string): Guards {
  const guards: Guards = new Map();
  for (const folder of MACHINE_TESTS) {
    for (const name of readdirSync(join(root, folder)).filter((each) => each.endsWith(".test.ts"))) {
      const place = `${folder}/${name}`;
      const text = readFileSync(join(root, place), "utf8");
      // The fuzzer compares the modes, and so do the figures.
      const inAllModes = /guestTests\(|\bMODES\b|\bComparer\b|\bFIGURES\b/.test(text);
      if (!inAllModes) continue;
      for (const test of matches(text, /\btest\(\s*["`]([^"`]+)["`]/g)) note(guards, test, place);
      for (const property of matches(text, /\bproperty: "([PI]\d+)"/g)) note(guards, `${property} `, place);
      for (const program of matches(text, /(?:guestTests\(|testCommandLine\(mode, |run\(mode, |program: )"(\w+)"/g))
        noteProgram(guards, root, program);
      if (text.includes("runWithHelp")) noteProgram(guards, root, "spurious");
    }
  }
  for (const test of matches(readFileSync(join(root, AUDIT_TESTS), "utf8"), /\btest\("(I\d): /g))
    note(guards, `${test} `, AUDIT_TESTS);
  return guards;
}

function noteProgram(guards: Guards, root: string, program: string): void {
  const place = `userland/tests/${program}.ts`;
  for (const name of matches(readFileSync(join(root, place), "utf8"), /\btest\(cstr\("([^"]+)"\)/g))
    note(guards, name, place);
}

/** How many mutants there are of each property, and of each invariant that the audit must report. */
export function mutantCounts(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { fails, guards = [], audit = "" } of MUTANTS) {
    const names = [...fails.map((name) => name.split(" ")[0]), ...guards, audit];
    for (const name of new Set(names)) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

/** The text of docs/properties.md. */
export function propertiesDocument(root: string): string {
  const guards = guardsOf(root);
  const counts = mutantCounts();
  const rows = [
    ...PROPERTIES.map((text, i) => [`P${i + 1}`, text]),
    ...INVARIANTS.map((text, i) => [`I${i + 1}`, text]),
  ];
  const lines = rows.map(([name, text]) => {
    const places = [...(guards.get(name) ?? [])].sort().map((place) => `\`${place}\``);
    const tested = places.length > 0 ? places.join(", ") : (UNTESTED[name] ?? "");
    const broken = counts.has(name) ? "yes" : (UNMUTATED[name] ?? "");
    return `| ${name} | ${text} | ${tested} | ${broken} |`;
  });
  return `# Properties

What must hold of shared page tables, and the test that says so: cases named by the number, run with \`fork=copy\`, \`share\` and \`auto\`.
The last column says whether \`npm run test:mutants\` has a fault that a test of the property must notice. Made by \`npm run properties\`.

| | property | tested by | seen to fail |
|---|---|---|---|
${lines.join("\n")}
`;
}
