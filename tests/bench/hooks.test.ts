/** The machine that the benchmark compares with: all hooks are cut out of it, and it runs as the other does. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { EventKind } from "../../cpu/index";
import { buildAll } from "../../tools/image/build";
import { bothMachines, HOOKS, stormRun, withoutHooks } from "./hooks";

const test = suite("bench/hooks");
const { hooked, bare } = await bothMachines();

test("without hooks the machine runs to the same instruction and cycle, and tells nobody", async () => {
  const built = await buildAll("dist");
  assert.is(stormRun(bare, built, 10).end, stormRun(hooked, built, 10).end);
  const heard = [hooked, bare].map((machineClass) => {
    const machine = new machineClass({ memoryMB: 64 });
    machine.loadMultiboot(built.kernel, { commandLine: "fork=share -- /bin/forkstorm 10", modules: [built.initrd] });
    const kinds = new Set<EventKind>();
    let steps = 0;
    machine.onEvent(({ kind }) => kinds.add(kind));
    machine.run({ maxInstructions: 1000 });
    machine.onInstruction(() => void steps++);
    machine.run({ maxInstructions: 1000 });
    machine.onInstruction(null);
    machine.run({ maxInstructions: 1e9 });
    return { kinds: kinds.size, steps };
  });
  assert.ok(heard[0].kinds >= 6 && heard[0].steps > 0, JSON.stringify(heard[0]));
  assert.equal(heard[1], { kinds: 0, steps: 0 });
});

test("a hook that is not where it is looked for is an error that names it", () => {
  for (const file of Object.keys(HOOKS)) {
    const source = readFileSync(file, "utf8");
    const [{ piece }] = HOOKS[file];
    assert.ok(withoutHooks(file, source).length < source.length);
    assert.throws(
      () => withoutHooks(file, source.replace(piece, "")),
      new RegExp(`^${file}: \\d times, and not \\d: `),
    );
  }
});

test.run();
