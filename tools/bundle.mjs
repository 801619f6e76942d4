/**
 * Bundling: TypeScript under Node 20 needs one esbuild call before it runs. Everything that the command line, the tests
 * and the benchmarks start goes through here. Plain JavaScript, because it is what runs before anything is built.
 * Invariant: what stands in dist/ is never older than the newest source, else it is made again before use.
 */
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's root folder, absolute. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

const SOURCE_FOLDERS = ["cpu", "tools", "kernel/abi"];
/**
 * Entry points of dist/: the library, the workers (a machine's, the laboratory's, the one that writes a trace of events), and the command line,
 * which is made last and so vouches for the others. Each is bundled by itself: every file more that a start has to load costs it a millisecond or two.
 */
const ENTRIES = {
  index: "cpu/index.ts",
  worker: "tools/cli/worker.ts",
  labworker: "tools/lab/worker.ts",
  eventworker: "tools/trace/eventworker.ts",
  cli: "tools/cli/main.ts",
};
/** What `tine show --html` puts into its pages: code for browsers, in one piece. */
const PAGE = { name: "showpage", source: "tools/show/page/page.ts" };
/** How long parts of former bundles stay, in milliseconds: a process that still runs may come to need one. */
const KEEP_PARTS = 24 * 3600 * 1000;

/** Newest modification time, in milliseconds, of the .ts files below a folder. */
function newest(folder) {
  let time = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = `${folder}${sep}${entry.name}`;
    if (entry.isDirectory()) time = Math.max(time, newest(path), statSync(path).mtimeMs);
    else if (entry.name.endsWith(".ts")) time = Math.max(time, statSync(path).mtimeMs);
  }
  return time;
}

/**
 * One esbuild call: `entries` (name -> source path) into `outdir` as ES modules that share their common parts.
 * Packages stay outside. Throws esbuild's own error, which names file and line.
 */
export async function bundle(entries, outdir, plugins = []) {
  const { build } = await import("esbuild");
  await build({
    absWorkingDir: ROOT,
    entryPoints: entries,
    outdir,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    outExtension: { ".js": ".mjs" },
    sourcemap: "linked",
    sourcesContent: false,
    logLevel: "warning",
    plugins,
  });
}

/** Bundles the page's code. Throws esbuild's own error. */
async function bundlePage(outdir) {
  const { build } = await import("esbuild");
  await build({
    absWorkingDir: ROOT,
    entryPoints: { [PAGE.name]: PAGE.source },
    outdir,
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    outExtension: { ".js": ".mjs" },
    logLevel: "warning",
  });
}

/** Threads that code starts from the folder where it is itself bundled. */
export const THREADS = { eventworker: ENTRIES.eventworker };

/** Brings dist/ up to date if any source is newer; in an installed package, which has no sources, does nothing. */
export async function bundleTools() {
  if (!existsSync(join(ROOT, ENTRIES.cli))) return;
  const stamp = join(ROOT, "dist/cli.mjs");
  const time = Math.max(...SOURCE_FOLDERS.map((folder) => newest(join(ROOT, folder))));
  if (existsSync(stamp) && statSync(stamp).mtimeMs > time) return;
  await bundlePage("dist");
  for (const [name, source] of Object.entries(ENTRIES)) await bundle({ [name]: source }, "dist");
  removeOldParts(join(ROOT, "dist"));
}

/** Removes what former bundles left: files `NAME-HASH.mjs`, and their source maps, that nothing has made for long. */
function removeOldParts(folder) {
  for (const name of readdirSync(folder)) {
    if (!/-[0-9A-Z]{8}\.mjs(\.map)?$/.test(name)) continue;
    const status = statSync(join(folder, name), { throwIfNoEntry: false });
    if (status && Date.now() - status.mtimeMs > KEEP_PARTS) rmSync(join(folder, name), { force: true });
  }
}
