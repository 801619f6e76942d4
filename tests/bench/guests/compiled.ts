/**
 * Guests in the language of kernel and userland, compiled as they are: what emulators meet in reality. They run in ring 0 at
 * the address they are linked for, entered at `main` with the number of operations, which returns the checksum.
 * May import frame, tools/image.
 */
import { buildUserProgram } from "../../../tools/image/program";
import { Symbols } from "../../../tools/image/symbols";
import type { Shape } from "./frame";

/** The guest of userland/bench/NAME.ts. Throws CompileError. */
export async function compiled(name: string): Promise<Shape> {
  const elf = await buildUserProgram(`userland/bench/${name}.ts`);
  const main = new Symbols(elf).address("main");
  if (main === undefined) throw new Error(`userland/bench/${name}.ts: no symbol 'main'`);
  return { program: { elf, main } };
}
