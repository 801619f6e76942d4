/**
 * What the commands boot: our own kernel and initrd, built when they are not up to date, and the user's programs and
 * archives, checked. May import tools/image, Node and the rest of tools/cli.
 */
import { basename, dirname, extname } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuiltAll, buildAll } from "../image/build";
import { buildUserProgram } from "../image/program";
import { isCutOff } from "../image/segments";
import { buildInitrd, readTar, type TarFile } from "../image/ustar";
import { CliError } from "./exitcodes";
import { readInput } from "./input";
import { Progress } from "./progress";

/** Where the built kernel and initrd go unless the user says otherwise: dist/, beside the bundle that runs. */
export function outputFolder(): string {
  return dirname(fileURLToPath(import.meta.url));
}

/** Builds into `out` what is not up to date, with progress on stderr. Throws CompileError. */
export async function buildImages(out: string): Promise<BuiltAll> {
  const progress = new Progress();
  try {
    return await buildAll(out, { progress: (name) => progress.update(`building ${name}`) });
  } finally {
    progress.clear();
  }
}

/** Our own kernel and initrd, up to date. Throws CompileError. */
export function builtImages(): Promise<BuiltAll> {
  return buildImages(outputFolder());
}

/** The user's initrd, checked. Throws CliError. */
export function userInitrd(path: string): Uint8Array {
  const archive = readInput(path);
  try {
    readTar(archive, path);
  } catch (error) {
    throw new CliError((error as Error).message);
  }
  return archive;
}

const EXECUTABLE = 0o755;
/** The first bytes of an ELF file, and the two fields that make it a 32-bit one for i386. */
const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46];
const ELF_CLASS_32 = 1;
const ELF_MACHINE_I386 = 3;

/** Whether bytes are an ELF file of any kind. */
function isElf(data: Uint8Array): boolean {
  return ELF_MAGIC.every((byte, index) => data[index] === byte);
}

/** A user's program, compiled when it is TypeScript, as a file of the initrd. Throws CompileError or CliError. */
export async function userProgram(path: string): Promise<TarFile> {
  const source = readInput(path);
  const data = extname(path) === ".ts" ? await buildUserProgram(path) : source;
  if (!isElf(data)) throw new CliError(`${path}: neither a TypeScript source (.ts) nor an ELF file`);
  if (data.length < 20 || data[4] !== ELF_CLASS_32 || data[18] !== ELF_MACHINE_I386) {
    throw new CliError(`${path}: an ELF file, but not for the 32-bit i386`);
  }
  if (isCutOff(data)) throw new CliError(`${path}: a truncated ELF file`);
  return { name: `bin/${basename(path, extname(path))}`, data, mode: EXECUTABLE };
}

/** An initrd with a file added or replaced. */
export function initrdWith(initrd: Uint8Array, added: TarFile): Uint8Array {
  return buildInitrd([...readTar(initrd, "initrd.tar").filter(({ name }) => name !== added.name), added]);
}
