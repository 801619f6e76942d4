/**
 * The compiler's public face: TypeScript of kernel/ and userland/ to ELF32 executables for i386. Stateless but for the
 * loaded AssemblyScript; calls may overlap. May import driver, errors and root.
 */
import { buildKernel, buildProgram, type CompileOptions } from "./driver";

export { type BuiltImage, buildKernel, buildProgram, type CompileOptions } from "./driver";
export { CompileError } from "./errors";
export { findRoot } from "./root";

/** The kernel as a multiboot-1 ELF32 file. Throws CompileError for a mistake in a source. */
export async function compileKernel(options: CompileOptions = {}): Promise<Uint8Array> {
  return (await buildKernel(options)).elf;
}

/** A program as a static ELF32 file. `file` may be anywhere and may import "tine". Throws CompileError for a mistake. */
export async function compileProgram(file: string, options: CompileOptions = {}): Promise<Uint8Array> {
  return (await buildProgram(file, options)).elf;
}
