/**
 * userland/tests/inject.ts in each mode, case by case, with a host that lets allocations fail: P7, P51, P52 and I7. What the host saw
 * of memory before and after each failure is a test of its own.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { builtImages, casesOf, MODES, quoted, runGuest, testCommandLine } from "./guest";
import { Injector } from "./inject";

/** Failures that there are at least, whatever the mode: else the program has lost its host. */
const LEAST_FAILURES = 100;
/** Of these, that kill. */
const LEAST_DEATHS = 8;

const built = await builtImages();
const runs = MODES.map((mode) => {
  const injectors: Injector[] = [];
  const run = runGuest(built, {
    commandLine: testCommandLine(mode, "inject", "host", false, "reclaim=off"),
    memoryMB: 16,
    onMachine: (machine) => injectors.push(new Injector(machine, built.kernel)),
  });
  return { mode, cases: casesOf(run), injector: injectors[0] };
});

for (const { mode, cases, injector } of runs) {
  const test = suite(`guest/inject fork=${mode}`);
  for (const { name, ok, notes } of cases) {
    test(name, () => assert.ok(ok, `the guest says:\n${quoted(notes.join("\n"))}`));
  }
  test("I7 no failure has changed anything, by all that memory says", () => {
    assert.equal(injector.problems, []);
    assert.ok(injector.failures >= LEAST_FAILURES, `${injector.failures} failures`);
    assert.ok(injector.deaths >= LEAST_DEATHS, `${injector.deaths} deaths`);
  });
  test.run();
}
