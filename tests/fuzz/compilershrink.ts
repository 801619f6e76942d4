/**
 * Makes a failing module small: takes away whole functions, then statements, as long as it still fails. May import
 * compilergenerate.
 */
import type { GeneratedFunction, GeneratedModule, Statement } from "./compilergenerate";

/** Whether a module still fails. */
export type Fails = (module: GeneratedModule) => Promise<boolean>;

/** The smallest failing module that at most `trials` attempts find. */
export async function shrinkModule(module: GeneratedModule, fails: Fails, trials: number): Promise<GeneratedModule> {
  const shrinker = new Shrinker(module, fails, trials);
  await shrinker.emptyFunctions();
  await shrinker.dropFunctions();
  await shrinker.dropStatements();
  return shrinker.best;
}

/** The function with the same signature and nothing in it. */
function emptied(one: GeneratedFunction): GeneratedFunction {
  return { shape: one.shape, head: one.head.split("\n")[0], body: [], tail: "  return 0;\n}" };
}

class Shrinker {
  constructor(
    public best: GeneratedModule,
    private readonly fails: Fails,
    private left: number,
  ) {}

  /** Halves first, so that a module of many functions is soon one of few. */
  async emptyFunctions(): Promise<void> {
    for (let size = this.best.functions.length; size >= 1; size = Math.floor(size / 2)) {
      for (let start = 0; start < this.best.functions.length; start += size) {
        const functions = this.best.functions.map((one, i) => (i >= start && i < start + size ? emptied(one) : one));
        if (functions.every((one, i) => one.head === this.best.functions[i].head)) continue;
        await this.attempt({ ...this.best, functions });
      }
    }
  }

  /** Those that nothing calls: a module that calls one no longer compiles, and then does not fail as it should. */
  async dropFunctions(): Promise<void> {
    for (let size = this.best.functions.length >> 1; size >= 1; size >>= 1) {
      for (let start = 0; start < this.best.functions.length; ) {
        const functions = this.best.functions.filter((_, i) => i < start || i >= start + size);
        if (functions.length === 0 || !(await this.attempt({ ...this.best, functions }))) start += size;
      }
    }
  }

  async dropStatements(): Promise<void> {
    for (let number = 0; number < this.best.functions.length; number++) {
      for (let at = 0; at < countStatements(this.best.functions[number].body); ) {
        const body = without(this.best.functions[number].body, at);
        const functions = this.best.functions.with(number, { ...this.best.functions[number], body });
        if (!(await this.attempt({ ...this.best, functions }))) at++;
      }
    }
  }

  private async attempt(candidate: GeneratedModule): Promise<boolean> {
    if (this.left-- <= 0 || !(await this.fails(candidate))) return false;
    this.best = candidate;
    return true;
  }
}

function countStatements(body: readonly Statement[]): number {
  return body.reduce((sum, { parts }) => {
    return sum + 1 + (parts ?? []).reduce((inner, part) => inner + countStatements(part.body), 0);
  }, 0);
}

/** The body without its statement number `at`, counted in source order. */
function without(body: readonly Statement[], at: number): Statement[] {
  let left = at;
  const result: Statement[] = [];
  for (const statement of body) {
    if (left-- === 0) continue;
    if (left < 0 || !statement.parts) {
      result.push(statement);
      continue;
    }
    const parts = statement.parts.map((part) => {
      const size = countStatements(part.body);
      const inner = left >= 0 && left < size ? without(part.body, left) : part.body;
      left -= size;
      return { ...part, body: inner };
    });
    result.push({ ...statement, parts });
  }
  return result;
}
