/**
 * A mistake in an assembly file. May import errors.ts.
 */
import { CompileError } from "../errors";

/** `message` is the whole line, `file:line: reason`. */
export class AssembleError extends CompileError {
  constructor(reason: string, file: string, line: number) {
    super(reason, { file, line });
    this.name = "AssembleError";
  }
}

/** What the parts of the assembler throw; index.ts adds file and line. */
export class SyntaxFault extends Error {}
