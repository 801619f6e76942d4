/** A sample of docs/results.md still comes out, to the last digit. Mend with `npm run lab:results`. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EXPERIMENTS } from "../../../tools/lab/experiments/index";
import { tine } from "../../cli/tine";
import { blocks, type PrintedTable, tablesIn } from "../resultsdocument";

const test = suite("lab/experiments results");

/** Options that make a small part of an experiment's default grid. */
const SAMPLES: Record<string, string> = {
  forktime: "--sizes 400K,4M",
  touch: "--sizes 128K --set pages=1,32 --set order=random --set writer=parent",
  storm: "--set work=exec",
  snapshot: "--sizes 4M",
  forkserver: "--sizes 4M",
  prefork: "--set depth=1 --set width=4",
  rmapcost: "--set sharers=2 --modes share",
  pressure: "--set ram=14M --modes share",
};

/** A row of the document with the same values of parameters and modes; the words `copy / share` and so on are columns too. */
function hasRow(table: PrintedTable, wanted: Record<string, string>): boolean {
  return table.rows.some((row) => Object.entries(wanted).every(([head, cell]) => row[head] === cell));
}

test("every experiment has its block, and a sample of it", () => {
  const documented = blocks().map(({ words: [name] }) => name);
  for (const { name } of EXPERIMENTS) {
    assert.ok(documented.includes(name), `docs/results.md has a block for ${name}`);
    assert.ok(SAMPLES[name] !== undefined, `${name} has a sample`);
  }
});

for (const [name, options] of Object.entries(SAMPLES)) {
  test(`${name}: what the document says comes out`, () => {
    const { status, stdout, stderr } = tine(["lab", "run", name, ...options.split(" ")]);
    assert.is(status, 0, stderr);
    const written = blocks().find(({ words }) => words.length === 1 && words[0] === name);
    const tables = tablesIn(written?.printed ?? "");
    const measured = tablesIn(stdout);
    assert.ok(measured.length > 0 && measured.every(({ rows }) => rows.length > 0), stdout);
    for (const { title, rows } of measured) {
      const table = tables.find((one) => one.title === title);
      assert.ok(table !== undefined, `the document has no table '${title}'`);
      for (const row of rows) {
        // A column without a figure, such as a ratio to a mode that was not run, says nothing.
        const told = Object.fromEntries(Object.entries(row).filter(([, cell]) => cell !== "" && cell !== "-"));
        assert.ok(hasRow(table as PrintedTable, told), `${title}: the document has no row ${JSON.stringify(told)}`);
      }
    }
  });
}

test.run();
