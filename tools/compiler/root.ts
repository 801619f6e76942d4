/** Where the sources are that this compiler belongs to. May import Node only. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of this package: the nearest one upward from this module whose package.json has the name. */
export function findRoot(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const manifest = path.join(folder, "package.json");
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).name === "tine386") return folder;
    const parent = path.dirname(folder);
    if (parent === folder) throw new Error("not inside the package tine386");
    folder = parent;
  }
}

/**
 * What debug information calls the root, wherever it lies: an image's size, and with it the frames that a kernel has, must not depend on
 * where the clone is. A debugger is told where the sources are (tools/gdb/script.ts), or started in the root.
 */
export const SOURCE_FOLDER = "/src/tine/";
