/**
 * Faults to put into cpu/compile, one at a time: a test of tests/cpu/compile is bundled with the fault and must fail. What
 * mutants.ts is for the kernel. Imports nothing of the project.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";

export interface CompilerMutant {
  /** What is wrong then. */
  fault: string;
  /** File below cpu/compile/. */
  file: string;
  /** Text that stands in the file exactly once, and what to put in its place. */
  edits: readonly (readonly [search: string, replacement: string])[];
  /** Test of tests/cpu/compile that must fail. */
  test: string;
}

const FOLDER = "cpu/compile";
/** Milliseconds after which a test has failed: without a fault it takes a tenth of that. */
const TIMEOUT = 120_000;

/** The file's text with the mutant's edits. Throws when an edit does not apply, or in more than one place. */
export function mutatedCompiler({ file, edits }: CompilerMutant, root: string): string {
  let text = readFileSync(join(root, FOLDER, file), "utf8");
  for (const [search, replacement] of edits) {
    const places = text.split(search).length - 1;
    if (places !== 1) throw new Error(`${file}: "${search.trim()}" stands there ${places} times`);
    text = text.replace(search, () => replacement);
  }
  return text;
}

/** Whether the mutant's test fails with its fault, by an assertion of its own. */
export async function isNoticed(mutant: CompilerMutant, root: string): Promise<boolean> {
  const path = join(root, FOLDER, mutant.file);
  const contents = mutatedCompiler(mutant, root);
  const plugin: Plugin = {
    name: "mutant",
    setup: ({ onLoad }) => {
      onLoad({ filter: /compile[/\\]\w+\.ts$/ }, (file) =>
        file.path === path ? { contents, loader: "ts" } : undefined,
      );
    },
  };
  const folder = join(root, `dist/mutant-${process.pid}`);
  try {
    await build({
      ...{ absWorkingDir: root, entryPoints: { test: `tests/${FOLDER}/${mutant.test}.test.ts` }, outdir: folder },
      ...{ bundle: true, format: "esm", platform: "node", target: "node20", packages: "external", logLevel: "silent" },
      ...{ outExtension: { ".js": ".mjs" }, plugins: [plugin] },
    });
    const { status, stdout } = spawnSync(process.execPath, [join(folder, "test.mjs")], {
      ...{ cwd: root, encoding: "utf8", timeout: TIMEOUT, env: { ...process.env, NO_COLOR: "1" } },
    });
    return status !== 0 && stdout.includes("FAIL");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
