/**
 * Builds a kernel with one fault and asks the guest tests whether they notice. May import mutants, tests/guest, tools.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileKernel } from "../../tools/compiler/index";
import type { BuiltAll } from "../../tools/image/build";
import { casesOf, type GuestRun, runGuest, testCommandLine } from "../guest/guest";
import { runWithHelp } from "../guest/spurious";
import type { Mutant } from "./mutants";

/** Instructions after which a mutant's run is cut off: the tests need at most half of that. */
const BUDGET = 2.5e8;

/** The file's text with the mutant's edits. Throws when an edit does not apply, or in more than one place. */
export function mutatedText(mutant: Pick<Mutant, "file" | "edits">, root: string): string {
  let text = readFileSync(join(root, "kernel", mutant.file), "utf8");
  for (const [search, replacement] of mutant.edits) {
    const places = text.split(search).length - 1;
    if (places !== 1) throw new Error(`${mutant.file}: "${search.trim()}" stands there ${places} times`);
    text = text.replace(search, () => replacement);
  }
  return text;
}

/** The kernel with the mutant's fault, or another change that a test needs. */
export async function mutatedKernel(mutant: Pick<Mutant, "file" | "edits">, root: string): Promise<Uint8Array> {
  const copy = mkdtempSync(join(tmpdir(), "tine-mutant-"));
  try {
    cpSync(join(root, "kernel"), join(copy, "kernel"), { recursive: true });
    writeFileSync(join(copy, "kernel", mutant.file), mutatedText(mutant, root));
    return await compileKernel({ root: copy });
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function runMutant(built: BuiltAll, program: string): GuestRun {
  if (program === "spurious") return runWithHelp(built, "share");
  return runGuest(built, { commandLine: testCommandLine("share", program), maxInstructions: BUDGET });
}

/**
 * The properties of `mutant.fails` of which every case passed although the fault is there: none when the tests are good. A
 * case that never came to its end, because the kernel hung or panicked, has failed.
 */
export async function unnoticed(mutant: Mutant, built: BuiltAll, root: string): Promise<string[]> {
  const run = runMutant({ kernel: await mutatedKernel(mutant, root), initrd: built.initrd }, mutant.program);
  const cases = casesOf(run);
  return mutant.fails.filter((property) => {
    const verdicts = cases.filter(({ name }) => name.startsWith(`${property} `));
    return verdicts.length > 0 && verdicts.every(({ ok }) => ok);
  });
}
