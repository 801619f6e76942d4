/** P48: userland/tests/kernelwrite.ts, case by case, with CR0.WP = 0: the kernel checks in software before it writes. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { builtImages, guestTests, machineFor } from "./guest";

const CR0_WP = 0x10000;
const built = await builtImages();
/** CR0 at the end of a run with these settings. */
const cr0Of = (settings: string): number => {
  const { machine } = machineFor(built, { commandLine: `${settings} -- /bin/true` });
  machine.run({ maxInstructions: 1e9 });
  return machine.registers.cr0;
};
const values = { on: cr0Of("wp=on"), off: cr0Of("wp=off") };

const test = suite("guest/softwarewp");
test("P48 wp=off clears CR0.WP, wp=on does not", () => {
  assert.is(values.on & CR0_WP, CR0_WP);
  assert.is(values.off & CR0_WP, 0);
});
test.run();

await guestTests("kernelwrite", { settings: "wp=off", property: "P48" });
