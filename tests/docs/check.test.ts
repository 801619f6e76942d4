/** Types, layering, format and lint: `npm run check` on the tree as it stands, and a wrong-way import that must fail. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("check");

test("npm run check passes", () => {
  const { status, stdout, stderr } = spawnSync("npm", ["run", "--silent", "check"], { encoding: "utf8" });
  assert.is(status, 0, `types, layering, format and lint:\n${stdout}${stderr}`);
});

/** Imports that go against the arrows of the design, each tried as a file of the folder. */
const WRONG_WAY: readonly (readonly [folder: string, source: string])[] = [
  ["cpu", 'export { Mark } from "../kernel/abi/marks";\n'],
  ["cpu", 'export { ExitCode } from "../tools/cli/exitcodes";\n'],
  ["kernel", 'export { decode } from "../cpu/decoder";\n'],
  ["kernel", "export const root = Math.sqrt(4);\n"],
  ["userland", 'export { panic } from "../kernel/lib/panic";\n'],
  ["tools", 'export { panic } from "../kernel/lib/panic";\n'],
];

/** A copy of what is type-checked, so that the tree itself stays as it is while other tests run. */
function copyOfTree(): string {
  const copy = mkdtempSync(join(tmpdir(), "tine-check-"));
  for (const name of ["cpu", "kernel", "userland", "tools", "tsconfig.base.json", "package.json"]) {
    cpSync(name, join(copy, name), { recursive: true });
  }
  symlinkSync(join(process.cwd(), "node_modules"), join(copy, "node_modules"));
  return copy;
}

for (const [folder, source] of WRONG_WAY) {
  test(`${folder}/ with ${source.trim()} does not compile`, () => {
    const copy = copyOfTree();
    try {
      writeFileSync(join(copy, folder, "wrongway.ts"), source);
      const { status, stdout } = spawnSync("npx", ["tsc", "-b", folder], { cwd: copy, encoding: "utf8" });
      assert.is.not(status, 0, "a wrong-way import must fail");
      assert.match(stdout, "wrongway.ts", "and the message names the file");
    } finally {
      rmSync(copy, { recursive: true });
    }
  });
}

test.run();
