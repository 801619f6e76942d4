/**
 * What docs/lab.md shows for batch systems is run: its own lines, by the shell and with the variables that Slurm, GitHub's runners and Kubernetes would set,
 * for the indices that have a point of a small grid and for the last one. Beside `npx` and `npm` only the grid (a small one instead of `all`) and the place of the volume are ours.
 */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ResultLine } from "../../tools/lab/results";
import { writeTwin } from "./twin";

const test = suite("lab/batch");
const folder = mkdtempSync(join(tmpdir(), "tine-labbatch-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));
writeTwin(folder);

/** Stands for npx: the clone's own command, the twin's grid of three points for a large one, and /results wherever it is mounted. */
const NPX = `#!/bin/sh
shift
for word do
  shift
  case "$word" in
    all) set -- "$@" twin.mjs --sizes 64K ;;
    --full) ;;
    report) set -- "$@" report --experiment twin.mjs ;;
    /results) set -- "$@" "$MOUNT" ;;
    *) set -- "$@" "$word" ;;
  esac
done
exec "${process.execPath}" "${join(process.cwd(), "tools/cli/tine.mjs")}" "$@"
`;
for (const [name, text] of [
  ["npx", NPX],
  ["npm", '#!/bin/sh\n[ "$*" = ci ]\n'],
] as const) {
  mkdirSync(join(folder, "bin"), { recursive: true });
  writeFileSync(join(folder, "bin", name), text);
  chmodSync(join(folder, "bin", name), 0o755);
}

/** Runs a command in the folder; it must end well. */
function run([file = "", ...words]: readonly string[], env: Record<string, string>): void {
  const { status, stderr } = spawnSync(file, words, {
    cwd: folder,
    encoding: "utf8",
    env: { PATH: `${join(folder, "bin")}:${process.env.PATH}`, HOME: folder, NO_COLOR: "1", ...env },
    timeout: 120_000,
  });
  assert.is(status, 0, stderr);
}

/** The fenced blocks of docs/lab.md about many machines, by language. */
function blocksOf(language: string): string[] {
  const text = readFileSync("docs/lab.md", "utf8");
  const section = text.slice(text.indexOf("## Many machines"), text.indexOf("## The report"));
  return [...section.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter((found) => found[1] === language)
    .map((found) => found[2] ?? "");
}

/** A YAML document; the parser is the one that comes with playwright-core. */
function parseYaml<T>(text: string): T {
  const { yaml } = createRequire(import.meta.url)("playwright-core/lib/utilsBundle") as {
    yaml: { parse(text: string): T };
  };
  return yaml.parse(text);
}

const POINTS = 3;

/** Of the indices of a job those whose share has a point, and the last one. */
function told(indices: readonly number[]): number[] {
  return [...indices.slice(0, POINTS), ...indices.slice(POINTS).slice(-1)];
}

/** Every point of the grid is among the results of the directories once. */
function holdsWhole(folders: readonly string[]): void {
  const files = folders.flatMap((name) => readdirSync(join(folder, name)).map((file) => join(folder, name, file)));
  const lines = files.flatMap((file) =>
    readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line !== ""),
  );
  const modes = lines.map((line) => JSON.parse(line) as ResultLine).map(({ mode, status }) => `${mode} ${status}`);
  assert.equal(modes.sort(), ["auto ok", "copy ok", "share ok"]);
}

test("the Slurm array: each of its tasks writes its share", () => {
  const [script = ""] = blocksOf("bash");
  writeFileSync(join(folder, "job.sh"), script);
  const [, first, last] = (/^#SBATCH --array=(\d+)-(\d+)$/m.exec(script) ?? []).map(Number);
  assert.is(first, 1);
  const ids = told(Array.from({ length: last ?? 0 }, (_, i) => i + 1));
  for (const id of ids) run(["bash", "job.sh"], { SLURM_ARRAY_TASK_ID: String(id) });
  assert.equal(readdirSync(join(folder, "results")).sort(), ids.map((id) => `results-${id}of${last}.jsonl`).sort());
  holdsWhole(["results"]);
  rmSync(join(folder, "results"), { recursive: true });
});

interface Workflow {
  jobs: Record<"lab" | "report", { strategy?: { matrix: { shard: number[] } }; steps: Step[] }>;
}
interface Step {
  uses?: string;
  run?: string;
  with?: { name?: string; path?: string };
}

test("the matrix of a CI: what its jobs upload is what the report is made of", () => {
  const { jobs } = parseYaml<Workflow>(blocksOf("yaml")[0] ?? "");
  const shards = jobs.lab.strategy?.matrix.shard ?? [];
  const uploaded = shards.map((shard) => {
    const filled = (text = ""): string => text.replaceAll(/\$\{\{ matrix\.shard \}\}/g, String(shard));
    let name = "";
    for (const step of jobs.lab.steps) {
      if (step.run !== undefined) run(["bash", "-e", "-c", filled(step.run)], {});
      if (!step.uses?.startsWith("actions/upload-artifact@")) continue;
      name = filled(step.with?.name);
      // download-artifact without a name makes a directory for each.
      renameSync(join(folder, filled(step.with?.path)), join(folder, name));
    }
    return name;
  });
  assert.ok(shards.length > 1 && new Set(uploaded).size === shards.length);
  holdsWhole(uploaded);
  for (const step of jobs.report.steps) if (step.run !== undefined) run(["bash", "-e", "-c", step.run], {});
  assert.match(readFileSync(join(folder, "report.html"), "utf8"), /twin: fork/);
});

interface Job {
  spec: {
    completions: number;
    completionMode: string;
    template: {
      spec: {
        containers: { command: string[]; volumeMounts: { name: string; mountPath: string }[] }[];
        volumes: { name: string }[];
      };
    };
  };
}

test("the indexed job of Kubernetes: each of its indices, from 0, writes its share to the volume", () => {
  const { spec } = parseYaml<Job>(blocksOf("yaml")[1] ?? "");
  const { containers, volumes } = spec.template.spec;
  const [container] = containers;
  assert.is(spec.completionMode, "Indexed");
  assert.equal(
    container?.volumeMounts.map(({ name }) => name),
    volumes.map(({ name }) => name),
  );
  assert.is(container?.volumeMounts[0]?.mountPath, "/results");
  const indices = told(Array.from({ length: spec.completions }, (_, i) => i));
  for (const index of indices)
    run(container?.command ?? [], { JOB_COMPLETION_INDEX: String(index), MOUNT: join(folder, "volume") });
  const files = indices.map((index) => `results-${index + 1}of${spec.completions}.jsonl`);
  assert.equal(readdirSync(join(folder, "volume")).sort(), files.sort());
  holdsWhole(["volume"]);
});

test.run();
