/**
 * What the compiler tells a person whose program is wrong: one line, with the place. Mistakes of the compiler itself are
 * ordinary Errors and keep their stack. May import nothing.
 */

/** Where in a source; line and column count from 1, and 0 means unknown. */
export interface SourcePlace {
  file: string;
  line: number;
  column?: number;
}

/**
 * A user's mistake. `message` is the whole line to print, `file:line:col: reason`; `reason` is its last part.
 * Never shown with a stack trace.
 */
export class CompileError extends Error {
  readonly reason: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;

  constructor(reason: string, place: SourcePlace) {
    const line = place.line > 0 ? `:${place.line}${place.column ? `:${place.column}` : ""}` : "";
    super(`${place.file}${line}: ${reason}`);
    this.name = "CompileError";
    this.reason = reason;
    this.file = place.file;
    this.line = place.line;
    this.column = place.column ?? 0;
  }

  /** One error for many: the first, and how many more there are. `all` is not empty. */
  static ofMany(all: readonly CompileError[]): CompileError {
    const [first] = all;
    if (all.length === 1) return first;
    const others = all.length === 2 ? "1 more error" : `${all.length - 1} more errors`;
    return new CompileError(`${first.reason} (and ${others})`, first);
  }
}

/** Line and column, both from 1, of a character offset. */
export function placeOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: offset - lineStart + 1 };
}
