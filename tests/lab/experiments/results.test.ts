/** A sample of docs/results.md still comes out, to the last digit. Mend with `npm run lab:results`. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EXPERIMENTS } from "../../../tools/lab/experiments/index";
import { tine } from "../../cli/tine";
import { blocks, type PrintedTable, tablesIn } from "../resultsdocument";

const test = suite("lab/experiments results");

/** Small parts of the default grids, of several experiments each: fewer starts of the command. */
const SAMPLES: readonly string[] = [
  "forktime snapshot forkserver prefork --sizes 4M --set depth=1 --set width=4",
  "touch storm --sizes 128K --set pages=1,32 --set order=random --set writer=parent --set work=exec",
  "rmapcost pressure --set sharers=2 --set ram=14M --modes share",
];
const NAMES = EXPERIMENTS.map(({ name }) => name);

/** What was printed, by experiment. */
function byExperiment(stdout: string): Map<string, string> {
  const heads = [...stdout.matchAll(/^(\w+): .*$/gm)].filter(([, name = ""]) => NAMES.includes(name));
  return new Map(heads.map((head, i) => [head[1] as string, stdout.slice(head.index, heads[i + 1]?.index)]));
}

/** A row of the document with the same values of parameters and modes; the words `copy / share` and so on are columns too. */
function hasRow(table: PrintedTable, wanted: Record<string, string>): boolean {
  return table.rows.some((row) => Object.entries(wanted).every(([head, cell]) => row[head] === cell));
}

test("every experiment has its block, and a sample of it", () => {
  const documented = blocks().map(({ words: [name] }) => name);
  const sampled = SAMPLES.flatMap((words) => words.split(" ")).filter((word) => NAMES.includes(word));
  for (const name of NAMES) assert.ok(documented.includes(name), `docs/results.md has a block for ${name}`);
  assert.equal([...sampled].sort(), [...NAMES].sort());
});

/** All that was measured stands in the document. */
function isDocumented(name: string, printed: string): void {
  const written = blocks().find(({ words }) => words.length === 1 && words[0] === name);
  const tables = tablesIn(written?.printed ?? "");
  const measured = tablesIn(printed);
  assert.ok(measured.length > 0 && measured.every(({ rows }) => rows.length > 0), printed);
  for (const { title, rows } of measured) {
    const table = tables.find((one) => one.title === title);
    assert.ok(table !== undefined, `${name}: the document has no table '${title}'`);
    for (const row of rows) {
      // A column without a figure, such as a ratio to a mode that was not run, says nothing.
      const told = Object.fromEntries(Object.entries(row).filter(([, cell]) => cell !== "" && cell !== "-"));
      assert.ok(
        hasRow(table as PrintedTable, told),
        `${name}, ${title}: the document has no row ${JSON.stringify(told)}`,
      );
    }
  }
}

for (const sample of SAMPLES) {
  test(`what the document says comes out: ${sample}`, () => {
    const { status, stdout, stderr } = tine(["lab", "run", ...sample.split(" ")]);
    assert.is(status, 0, stderr);
    const printed = byExperiment(stdout);
    assert.equal(
      [...printed.keys()],
      sample.split(" ").filter((word) => NAMES.includes(word)),
    );
    for (const [name, tables] of printed) isDocumented(name, tables);
  });
}

test.run();
