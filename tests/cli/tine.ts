/** Runs the clone's own `tine` in a child process, as a user would. May import Node only. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** `tine` with arguments and, if given, input; ends within two minutes, or `timeout` milliseconds. */
export function tine(
  args: readonly string[],
  options: { cwd?: string; input?: string; env?: Record<string, string>; timeout?: number } = {},
): Ended {
  const { cwd, input = "", env = {}, timeout = 120_000 } = options;
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(process.cwd(), "tools/cli/tine.mjs"), ...args], {
    ...(cwd === undefined ? {} : { cwd }),
    input,
    encoding: "utf8",
    timeout,
    env: { ...process.env, NO_COLOR: "1", ...env },
  });
  return { status, stdout, stderr };
}

/** Calls `body` with a folder that holds the given files; removes it afterwards, or once the promise that it gave is settled. */
export function withFiles<T>(files: Record<string, string | Uint8Array>, body: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "tine-cli-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  let result: T | undefined;
  try {
    for (const [name, contents] of Object.entries(files)) writeFileSync(join(folder, name), contents);
    result = body(folder);
    return result instanceof Promise ? (result.finally(remove) as T) : result;
  } finally {
    if (!(result instanceof Promise)) remove();
  }
}
