/**
 * uvu as the tests see it: tests/run.mjs resolves `uvu` to this file. It wraps each test so that the runner learns, test by
 * test, what was registered and what passed. uvu's exit code cannot tell: a hook that throws, or a suite whose `.run()` was
 * forgotten, ends with 0. May import uvu and ../skip. Outside the runner it changes nothing.
 */
import { type Callback, type Test, suite as uvuSuite } from "uvu";
import { Skipped } from "../skip";

function tell(kind: "registered" | "passed" | "skipped", name: string, reason?: string): void {
  process.send?.({ kind, name, reason });
}

/** uvu's `suite`, with every test reported over the channel to the runner. */
export function suite<T>(title: string, context?: T): Test<T> {
  const inner = uvuSuite<T>(title, context);
  const wrap = (name: string, body: Callback<T>): Callback<T> => {
    const full = `${title}: ${name}`;
    tell("registered", full);
    return async (given) => {
      try {
        await body(given);
      } catch (error) {
        if (!(error instanceof Skipped)) throw error;
        tell("skipped", full, error.message);
        return;
      }
      tell("passed", full);
    };
  };
  const outer = (name: string, body: Callback<T>) => inner(name, wrap(name, body));
  return Object.assign(outer, {
    only: (name: string, body: Callback<T>) => inner.only(name, wrap(name, body)),
    skip: (name?: string) => {
      tell("registered", `${title}: ${name}`);
      tell("skipped", `${title}: ${name}`, "marked so");
      inner.skip(name);
    },
    before: inner.before,
    after: inner.after,
    run: inner.run,
  }) as Test<T>;
}
