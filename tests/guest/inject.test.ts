/**
 * userland/tests/inject.ts and injectswap.ts in each mode, case by case, with a host that lets allocations fail: P7, P51, P52 and I7. Without
 * reclaim the host compares memory before and after each failure; what it saw is a test of its own. With reclaim, and pages evicted at
 * random meanwhile, what fails may be tried again, and the audit and the guest's own view must hold (P51).
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { builtImages, casesOf, MODES, type Mode, quoted, runGuest, testCommandLine } from "./guest";
import { Injector } from "./inject";
import { SWAP_MEMORY_MB, swappingOptions } from "./swapping";

const built = await builtImages();

interface Kind {
  name: string;
  program: string;
  settings: string;
  swaps: boolean;
  compares: boolean;
  /** Failures, and deaths by them, that there are at least in every mode: else the program has lost its host. */
  failures: number;
  deaths: number;
}

const KINDS: readonly Kind[] = [
  { name: "inject", program: "inject", settings: "reclaim=off", swaps: false, compares: true, failures: 85, deaths: 8 },
  {
    name: "inject with reclaim",
    program: "inject",
    settings: "swap=on evict=7",
    swaps: true,
    compares: false,
    failures: 70,
    deaths: 0,
  },
  {
    name: "injectswap",
    program: "injectswap",
    settings: "swap=on reclaim=off",
    swaps: true,
    compares: true,
    failures: 18,
    deaths: 3,
  },
];

function run(mode: Mode, kind: Kind) {
  const injectors: Injector[] = [];
  const others = {
    memoryMB: SWAP_MEMORY_MB,
    onMachine: (machine: ConstructorParameters<typeof Injector>[0]) =>
      injectors.push(new Injector(machine, built.kernel, kind.compares)),
  };
  const options = kind.swaps ? swappingOptions(others) : others;
  const commandLine = testCommandLine(mode, kind.program, "host", false, kind.settings);
  return { mode, kind, cases: casesOf(runGuest(built, { ...options, commandLine })), injector: injectors[0] };
}

const runs = KINDS.flatMap((kind) => MODES.map((mode) => run(mode, kind)));

for (const { mode, kind, cases, injector } of runs) {
  const test = suite(`guest/${kind.name} fork=${mode}`);
  for (const { name, ok, notes } of cases) {
    test(name, () => assert.ok(ok, `the guest says:\n${quoted(notes.join("\n"))}`));
  }
  test("I7 no failure has changed anything, by all that memory says", () => {
    assert.equal(injector.problems, []);
    assert.ok(injector.failures >= kind.failures, `${injector.failures} failures`);
    assert.ok(injector.deaths >= kind.deaths, `${injector.deaths} deaths`);
    if (kind.swaps) assert.ok(injector.swappedOut > 0, "pages were swapped out meanwhile");
  });
  test.run();
}
