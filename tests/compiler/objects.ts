/**
 * Small object files by hand, and the tools of the host that read what is made of them. May import tools/compiler.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { LinkInput } from "../../tools/compiler/link";
import type { ObjectFile, ObjectSection } from "../../tools/compiler/object";

export function makeSection(name: string, bytes: readonly number[], align = 1): ObjectSection {
  return { name, bytes: Uint8Array.from(bytes), size: bytes.length, align };
}

export function makeObject(name: string, parts: Partial<ObjectFile>): ObjectFile {
  return { name, sections: [], symbols: [], relocations: [], lines: [], frames: [], variables: new Map(), ...parts };
}

/** A function of `size` one-byte NOPs but for its frame, to be placed at offset 0. */
export function nopFunction(name: string, size: number): { bytes: number[]; symbol: ObjectFile["symbols"][number] } {
  const body = [0x55, 0x89, 0xe5, ...new Array(size - 5).fill(0x90), 0x5d, 0xc3];
  return { bytes: body, symbol: { name, section: ".text", offset: 0, global: true, kind: "function", size } };
}

export const PROGRAM_LAYOUT: Omit<LinkInput, "objects"> = {
  textBase: 0x08048000,
  dataBase: 0x08080000,
  staticBase: 0x08080400,
  staticEnd: 0x08080400,
  entry: "_start",
  kernelSymbols: false,
};

/** Output of a command, and fails the test with what it wrote to stderr, if anything. */
export function runTool(command: string, args: readonly string[], cwd?: string): string {
  const result = spawnSync(command, args, { cwd, encoding: "utf8", maxBuffer: 1 << 28 });
  if (result.error) throw result.error;
  if (result.stderr.trim() !== "") throw new Error(`${command} ${args.join(" ")} complains:\n${result.stderr}`);
  return result.stdout;
}

/** Calls `body` with a fresh folder, which is removed afterwards. */
export async function withFolder<T>(body: (folder: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(path.join(tmpdir(), "tine-"));
  try {
    return await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes an executable file and runs it on the host; its exit status. */
export function runNative(folder: string, elf: Uint8Array): number {
  const file = path.join(folder, "program");
  writeFileSync(file, elf, { mode: 0o755 });
  try {
    execFileSync(file);
    return 0;
  } catch (error) {
    return (error as { status: number }).status;
  }
}
